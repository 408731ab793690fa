// Waiting for conditions.
#include "tests/support/wait.h"

#include <thread>

namespace tests::support {

bool WaitUntil(const std::function<bool()>& condition, Clock::duration limit) {
  const Clock::time_point give_up = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() >= give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void Signal::Set() {
  const std::lock_guard lock(mutex_);
  is_set_ = true;
  changed_.notify_all();
}

bool Signal::is_set() const {
  const std::lock_guard lock(mutex_);
  return is_set_;
}

bool Signal::Wait(Clock::duration limit) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return is_set_; });
}

}  // namespace tests::support
