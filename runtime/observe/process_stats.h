// What the kernel says of this process, for the process_* metrics.
#pragma once

#include <cstdint>

namespace runtime::observe {

struct ProcessStats {
  double cpu_seconds = 0;
  int64_t resident_bytes = 0;
  int64_t virtual_bytes = 0;
  int64_t open_fds = 0;
  int64_t max_fds = 0;             // 2^63-1: no limit
  double start_time_seconds = 0;   // since 1970
};

// What can't be read is 0: a gateway without /proc goes on. Any thread.
ProcessStats ReadProcessStats();

}  // namespace runtime::observe
