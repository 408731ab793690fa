// Brings another policy into force while the gateway runs: compiles it aside, on a thread of its own, and hands it to the gateway
// whole, or leaves everything as it is and says why. Asked by SIGHUP, by `breakwater reload` (the admin address), and by what it sees
// itself: with `watch`, another text of the policy or of what it imports; always, other certificates.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "cli/notify.h"
#include "compiler/compiled_policy.h"
#include "runtime/gateway/gateway.h"

namespace cli {

struct CompiledText {
  std::shared_ptr<const compiler::CompiledPolicy> compiled;  // null: refused
  std::string findings;                                      // for people; may be there beside a policy, as warnings
  std::string reason = "the policy has errors";              // why it is refused
};

struct ReloaderOptions {
  bool watch = false;
  bool warms = true;  // models first (cold_load)
  // A change is taken once nothing has changed for so long: editors and rsync write in several steps, and a certificate and its key
  // are two files.
  std::chrono::milliseconds silence{500};
};

class Reloader {
 public:
  // `compile` reads and compiles; `text` gives what it would read, as a digest ("": it can't be read now). Both are called on the
  // reloader's thread. Everything must outlive it.
  Reloader(runtime::gateway::Gateway& gateway, std::function<CompiledText()> compile, std::function<std::string()> text,
           ReloaderOptions options);
  ~Reloader();  // a reload that is under way is waited for

  // Thread-safe; returns at once. `why`: "SIGHUP". Returns the number of the attempt that reads the files after now; several that ask
  // before it begins share it.
  uint64_t Ask(std::string why);

 private:
  void Run();
  void Reload(const std::string& why);
  void LookAtFiles();
  void FeedWatchdog();

  runtime::gateway::Gateway& gateway_;
  const std::function<CompiledText()> compile_;
  const std::function<std::string()> text_;
  const ReloaderOptions options_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::string asked_;      // guarded by mutex_; why, or empty
  bool stopping_ = false;  // likewise
  uint64_t begun_ = 0;     // likewise; attempts

  // Of the thread.
  const std::optional<std::chrono::microseconds> watchdog_ = WatchdogInterval();
  std::string in_force_;       // the text that was tried last
  std::string seen_;           // the text at the last look
  std::string seen_files_;     // the certificates at the last look
  std::string refused_files_;  // certificates that can't be used, and why: told once
  std::string refused_reason_;
  std::chrono::steady_clock::time_point try_again_at_;
  std::thread thread_;  // last
};

}  // namespace cli
