#include "cli/process_setup.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

namespace cli {

void OpenStandardStreams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    const int null = open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);  // the lowest that is free, and so this one
    if (null >= 0 && null != fd) {
      dup2(null, fd);
      close(null);
    }
  }
}

void RaiseFileLimit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);  // where it may not be, it stays
}

void GiveLargeBlocksBack() {
#ifdef __GLIBC__
  constexpr int kLarge = 256 << 10;
  mallopt(M_MMAP_THRESHOLD, kLarge);
#endif
}

void GiveTheStartBack() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  // Only code of files: it is never written to. What else is mapped from them may be (relocations), and code that we made has no other copy.
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    char flags[5] = "";
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s", &begin, &end, flags) != 3 || std::strcmp(flags, "r-xp") != 0) continue;
    const size_t path = line.find('/');
    if (path == std::string::npos || line.compare(path, 7, "/memfd:") == 0) continue;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // where it can't be, it stays
  }
}

}  // namespace cli
