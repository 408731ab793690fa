// Waiting in end-to-end tests: always for a condition, never for a time to pass. A limit says only when to give up.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace tests::support {

using Clock = std::chrono::steady_clock;

// How long a test waits for what should happen at once. Generous: sanitizers and a busy machine are slow, and a test
// that passes never waits for it.
inline constexpr std::chrono::seconds kPatience{30};

// Looks every millisecond until `condition` holds; false if it did not within `limit`. Thread-safe.
bool WaitUntil(const std::function<bool()>& condition, Clock::duration limit = kPatience);

// A latch that one thread sets and others wait for. Thread-safe.
class Signal {
 public:
  void Set();
  bool is_set() const;
  // False if it was not set within `limit`.
  bool Wait(Clock::duration limit = kPatience) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool is_set_ = false;
};

}  // namespace tests::support
