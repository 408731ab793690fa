#include "cli/reloader.h"

#include <algorithm>
#include <utility>

#include "cli/notify.h"
#include "runtime/observe/line_log.h"
#include "runtime/observe/wall_clock.h"

namespace cli {
namespace {

using runtime::observe::JsonLine;

JsonLine Event(std::string_view level, std::string_view message) {
  JsonLine line;
  line.Add("time", runtime::observe::Rfc3339Millis(std::chrono::system_clock::now()))
      .Add("level", level)
      .Add("message", message);
  return line;
}

constexpr std::chrono::minutes kTryAgain{1};

}  // namespace

Reloader::Reloader(runtime::gateway::Gateway& gateway, std::function<CompiledText()> compile,
                   std::function<std::string()> text, ReloaderOptions options)
    : gateway_(gateway), compile_(std::move(compile)), text_(std::move(text)), options_(options) {
  gateway_.common().reload.SetReloader([this](std::string why) { return Ask(std::move(why)); });
  in_force_ = seen_ = options_.watch ? text_() : std::string();
  thread_ = std::thread([this] { Run(); });
}

Reloader::~Reloader() {
  gateway_.common().reload.SetReloader(nullptr);
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

uint64_t Reloader::Ask(std::string why) {
  uint64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    asked_ = std::move(why);
    number = begun_ + 1;
  }
  wake_.notify_all();
  return number;
}

void Reloader::Run() {
  std::chrono::microseconds pause = options_.silence;
  if (watchdog_) pause = std::min(pause, *watchdog_ / 3);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, pause, [this] { return stopping_ || !asked_.empty(); });
    if (stopping_) return;
    const std::string why = std::exchange(asked_, std::string());
    lock.unlock();
    if (!why.empty()) {
      Reload(why);
    } else {
      LookAtFiles();
    }
    lock.lock();
  }
}

// Only while every loop turns: one that hangs is worth a restart.
void Reloader::FeedWatchdog() {
  if (watchdog_ && gateway_.EveryLoopTurned()) Notify("WATCHDOG=1");
}

// A change counts at the second look that finds the same: nothing was written in between.
void Reloader::LookAtFiles() {
  gateway_.policies_alive();  // frees old ones
  FeedWatchdog();
  if (options_.watch) {
    std::string text = text_();
    const bool is_quiet = text == std::exchange(seen_, text);
    if (is_quiet && !text.empty() && text != in_force_) {
      Reload("the file changed");
      return;
    }
  }
  std::string files = gateway_.CertificateFiles();
  const bool is_quiet = files == std::exchange(seen_files_, files);
  if (!is_quiet || files == gateway_.certificates_in_use()) return;
  // One that is not valid yet may be later: the same files are tried again, and told again only if there is something else to say.
  const auto now = std::chrono::steady_clock::now();
  if (files == refused_files_ && now < try_again_at_) return;
  try_again_at_ = now + kTryAgain;
  if (auto renewed = gateway_.Reload(gateway_.policy()); !renewed) {
    if (std::exchange(refused_files_, files) == files && refused_reason_ == renewed.error()) return;
    refused_reason_ = renewed.error();
    JsonLine line = Event("error", "certificates not renewed");
    line.Add("reason", renewed.error()).Add("help", "those in use stay until the files are right");
    gateway_.common().events.Write(line.Finish());
  }
}

void Reloader::Reload(const std::string& why) {
  {
    std::lock_guard lock(mutex_);
    ++begun_;
  }
  const auto began = std::chrono::steady_clock::now();
  const bool is_stopping = gateway_.is_draining();
  if (!is_stopping) NotifyReloading();
  if (options_.watch) in_force_ = text_();
  CompiledText read = is_stopping ? CompiledText() : compile_();
  std::string reason;
  if (is_stopping) {
    reason = "the gateway is stopping";
  } else if (read.compiled == nullptr) {
    reason = read.reason;
  } else if (auto reloaded = gateway_.Reload(read.compiled, options_.warms, [this] { FeedWatchdog(); }); !reloaded) {
    reason = reloaded.error();
  }
  const bool is_good = reason.empty();
  if (!gateway_.is_draining()) {  // the manager has heard of the end: it is told nothing else
    Notify("READY=1\nSTATUS=" + std::string(is_good ? "serving " : "refused a reload, serving ") +
           gateway_.policy()->hash);
  }
  const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - began);
  JsonLine line = Event(is_good ? "info" : "error", is_good ? "policy reloaded" : "reload refused");
  line.Add("why", why);
  if (is_good) {
    line.Add("policy", read.compiled->hash);
  } else {
    line.Add("reason", reason).Add("policy", gateway_.policy()->hash);
  }
  if (!read.findings.empty()) line.Add("findings", read.findings);
  line.AddMillis("after_ms", took.count());
  gateway_.common().events.Write(line.Finish());
  gateway_.CountReload(is_good);
  gateway_.common().reload.Ended(is_good, std::move(reason), std::move(read.findings),
                                 std::chrono::system_clock::now());
}

}  // namespace cli
