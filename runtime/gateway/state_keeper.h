// Keeps what the engine knows in a file (`state` in gateway): gives it to the first generation before it serves, writes it when it has
// changed, at most once a second, on a thread of its own, and a last time when the loops have ended. The file being no good never keeps the
// gateway from serving: an event says so.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "runtime/engine/engine_objects.h"
#include "runtime/gateway/state_file.h"
#include "runtime/observe/json_line.h"

namespace runtime::gateway {

class StateKeeper {
 public:
  struct World {
    std::function<engine::KeptState()> keep;  // what is known now; any thread
    std::function<Moment()> now;
    std::function<observe::JsonLine(std::string_view level, std::string_view message)> event;
    std::function<void(observe::JsonLine&)> log;
  };

  // Opens the file and restores what it holds. Null: it can't be used, and an event says why.
  static std::unique_ptr<StateKeeper> Start(const std::string& path, engine::EngineObjects* objects, World world);
  ~StateKeeper();

  // The gateway serves: from here on the thread writes.
  void Begin();
  // Everything is over: the last writing.
  void End();

  static constexpr std::chrono::seconds kEvery{1};
  static constexpr std::chrono::seconds kGoodAfter{10};  // a start that has served so long has come to something

 private:
  StateKeeper(std::string path, std::unique_ptr<StateFile> file, World world);
  void Restore(engine::EngineObjects* objects);
  void Run();
  void WriteIfChanged();

  const std::string path_;
  const std::unique_ptr<StateFile> file_;
  const World world_;
  std::string written_;        // what the file holds
  bool told_failure_ = false;  // since the last that was written
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_ending_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace runtime::gateway
