#include "runtime/gateway/state_keeper.h"

#include <utility>

#include "runtime/observe/wall_clock.h"

namespace runtime::gateway {

StateKeeper::StateKeeper(std::string path, std::unique_ptr<StateFile> file, World world)
    : path_(std::move(path)), file_(std::move(file)), world_(std::move(world)) {}

StateKeeper::~StateKeeper() { End(); }

std::unique_ptr<StateKeeper> StateKeeper::Start(const std::string& path, engine::EngineObjects* objects, World world) {
  auto file = StateFile::Open(path);
  if (!file) {
    observe::JsonLine line = world.event("error", "state not kept");
    line.Add("reason", file.error())
        .Add("help",
             "breakers and budgets begin anew, now and after the next start; `state` names a file that the gateway may "
             "write");
    world.log(line);
    return nullptr;
  }
  std::unique_ptr<StateKeeper> keeper(new StateKeeper(path, std::move(*file), std::move(world)));
  keeper->Restore(objects);
  return keeper;
}

void StateKeeper::Restore(engine::EngineObjects* objects) {
  auto read = file_->ReadAtStart();
  std::string why = read ? "" : read.error();
  if (read && !*read) return;  // a new file
  std::optional<engine::KeptState> kept;
  if (why.empty()) {
    kept = engine::DecodeKept((**read).text);
    if (!kept) why = path_ + " is of another version of Breakwater";
  }
  if (!kept) {
    observe::JsonLine line = world_.event("warn", "state not restored");
    line.Add("reason", why).Add("help", "breakers and budgets begin anew; what they learn from now on is kept again");
    world_.log(line);
    return;
  }
  // Times of a clock that has gone on mean what they meant; else they move to where this one is.
  const Moment now = world_.now();
  const base::Duration age = Elapsed((**read).when, now);
  engine::ShiftTimes(&*kept, now.monotonic - (**read).when.monotonic - age);
  const size_t known = objects->Restore(*kept, now.monotonic);
  observe::JsonLine line = world_.event("info", "state restored");
  line.Add("file", path_)
      .Add("written", observe::Rfc3339Millis((**read).when.wall))
      .AddMillis("age_ms", age.count())
      .Add("upstreams", static_cast<int64_t>(known));
  // What an operator may have forgotten.
  std::string open, drained;
  const auto add = [](std::string* names, const std::string& name) { *names += (names->empty() ? "" : ", ") + name; };
  for (const engine::KeptUpstream& upstream : kept->upstreams) {
    if (upstream.is_drained) add(&drained, upstream.name);
    const bool is_open =
        upstream.breaker && engine::LeavesAlone(static_cast<engine::BreakerState>(upstream.breaker->state));
    if (is_open && now.monotonic < upstream.breaker->open_until) add(&open, upstream.name);
  }
  if (!open.empty()) line.Add("open", open);
  if (!drained.empty()) line.Add("drained", drained);
  world_.log(line);
}

void StateKeeper::Begin() {
  thread_ = std::thread([this] { Run(); });
}

void StateKeeper::Run() {
  std::unique_lock lock(mutex_);
  for (auto served = kEvery; !wake_.wait_for(lock, kEvery, [this] { return is_ending_; }); served += kEvery) {
    lock.unlock();
    WriteIfChanged();
    if (served >= kGoodAfter) file_->StartIsGood();
    lock.lock();
  }
}

void StateKeeper::WriteIfChanged() {
  std::string text = engine::EncodeKept(world_.keep());
  if (text == written_) return;
  if (auto done = file_->Write(world_.now(), text); !done) {
    if (std::exchange(told_failure_, true)) return;
    observe::JsonLine line = world_.event("error", "state not kept");
    line.Add("reason", done.error()).Add("help", "the file holds what was known before");
    world_.log(line);
    return;
  }
  told_failure_ = false;
  written_ = std::move(text);
}

void StateKeeper::End() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
  WriteIfChanged();
  file_->StartIsGood();
}

}  // namespace runtime::gateway
