// What is known of reloads, for operators: the pages, the metrics and `breakwater reload`. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/time.h"

namespace runtime::proxy {

class ReloadStatus {
 public:
  struct Look {
    std::string file;       // of the policy; empty: it was given otherwise
    uint64_t attempts = 0;  // that have ended
    uint64_t successes = 0;
    base::WallTime started;       // of the policy that the gateway began with
    base::WallTime last_success;  // the last reload that came into force; else `started`
    base::WallTime last_attempt;  // meaningful where attempts > 0
    bool last_was_good = true;
    std::string last_reason;    // why it was refused
    std::string last_findings;  // for people
  };
  Look Now() const {
    std::lock_guard lock(mutex_);
    return look_;
  }

  void Started(std::string file, base::WallTime now) {
    std::lock_guard lock(mutex_);
    look_.file = std::move(file);
    look_.started = look_.last_success = now;
  }
  void Ended(bool is_good, std::string reason, std::string findings, base::WallTime now) {
    std::lock_guard lock(mutex_);
    ++look_.attempts;
    look_.last_attempt = now;
    look_.last_was_good = is_good;
    look_.last_reason = std::move(reason);
    look_.last_findings = std::move(findings);
    if (!is_good) return;
    ++look_.successes;
    look_.last_success = now;
  }

  // Who carries out reloads; null: nobody. `ask` is called from any thread, returns at once, and gives the number of the attempt that
  // reads the files after now: its end is there when Now().attempts has reached it.
  using AskFor = std::function<uint64_t(std::string why)>;
  void SetReloader(AskFor ask) {
    std::lock_guard lock(mutex_);
    ask_ = std::move(ask);
  }
  // Nothing: nobody can reload.
  std::optional<uint64_t> Ask(std::string why) {
    std::lock_guard lock(mutex_);
    if (ask_ == nullptr) return std::nullopt;
    return ask_(std::move(why));
  }

 private:
  mutable std::mutex mutex_;
  AskFor ask_;
  Look look_;
};

}  // namespace runtime::proxy
