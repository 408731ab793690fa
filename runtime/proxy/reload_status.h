// What is known of reloads, for operators: the pages, the metrics and `breakwater reload`. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
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

  // Asks for a reload; its end shows in Now(). Set before the gateway's loops may call it; null: nobody can reload.
  std::function<void(std::string why)> ask;

 private:
  mutable std::mutex mutex_;
  Look look_;
};

}  // namespace runtime::proxy
