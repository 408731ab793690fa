#include "runtime/observe/process_stats.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace runtime::observe {
namespace {

// The first `size` − 1 bytes of a file of /proc.
bool ReadStart(const char* path, char* text, size_t size) {
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return false;
  const size_t got = std::fread(text, 1, size - 1, file);
  text[got] = '\0';
  std::fclose(file);
  return got > 0;
}

int64_t CountOpenFds() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  int64_t count = 0;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(folder);
  return count - 1;  // the folder itself
}

int64_t BootTime() {
  char text[1 << 14];  // "btime" stands behind a line for each CPU, and `intr`, which is long
  std::FILE* file = std::fopen("/proc/stat", "re");
  if (file == nullptr) return 0;
  int64_t boot = 0;
  while (boot == 0 && std::fgets(text, sizeof text, file) != nullptr) {
    if (std::strncmp(text, "btime ", 6) == 0) boot = std::atoll(text + 6);
  }
  std::fclose(file);
  return boot;
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    stats.cpu_seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                        static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    stats.max_fds = limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(limit.rlim_cur);
  }
  stats.open_fds = CountOpenFds();
  char text[1024];
  // proc(5): the name of the command stands in parentheses and may hold anything; fields are counted behind the last one.
  if (ReadStart("/proc/self/stat", text, sizeof text)) {
    if (const char* at = std::strrchr(text, ')'); at != nullptr) {
      unsigned long long start_ticks = 0, virtual_bytes = 0;
      long long resident_pages = 0;
      if (std::sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu %llu %lld",
                      &start_ticks, &virtual_bytes, &resident_pages) == 3) {
        static const int64_t boot = BootTime();
        stats.virtual_bytes = static_cast<int64_t>(virtual_bytes);
        stats.resident_bytes = resident_pages * sysconf(_SC_PAGESIZE);
        stats.start_time_seconds =
            static_cast<double>(boot) + static_cast<double>(start_ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
      }
    }
  }
  return stats;
}

}  // namespace runtime::observe
