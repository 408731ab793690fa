// Time as the runtime passes it around. Nothing here reads a clock: TimePoints come from net::Transport::Now() (monotonic)
// or are written down by a test.
#pragma once

#include <chrono>
#include <cstdint>

namespace base {

using Duration = std::chrono::nanoseconds;

// The monotonic clock. It has no now() on purpose.
struct MonotonicClock {
  using rep = int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClock, Duration>;
  static constexpr bool is_steady = true;
};
using TimePoint = MonotonicClock::time_point;

// Wall-clock time, for people only: logs, Date, last_failure_time. Nanoseconds since 1970 UTC.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

}  // namespace base
