#include "cli/write_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

namespace cli {

bool WriteFileAtomically(const std::string& path, std::string_view text, std::string* why) {
  std::error_code error;
  std::filesystem::path target = std::filesystem::canonical(path, error);
  if (error) target = path;  // a new file
  struct stat status;
  const bool exists = stat(target.c_str(), &status) == 0;
  if (exists && access(target.c_str(), W_OK) != 0) {
    *why = std::strerror(errno);
    return false;
  }

  // In the same folder, so that the rename stays on one file system.
  std::string pattern = target.string() + ".XXXXXX";
  std::vector<char> name(pattern.c_str(), pattern.c_str() + pattern.size() + 1);
  const int fd = mkstemp(name.data());
  if (fd < 0) {
    *why = std::strerror(errno);
    return false;
  }
  const mode_t mask = umask(0);
  umask(mask);
  bool good = fchmod(fd, exists ? status.st_mode & 07777 : 0666 & ~mask) == 0;
  while (good && !text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    good = written > 0;
    if (good) text.remove_prefix(static_cast<size_t>(written));
  }
  good = good && fsync(fd) == 0;
  if (!good) *why = std::strerror(errno);
  good = close(fd) == 0 && good;
  if (good && rename(name.data(), target.c_str()) != 0) {
    *why = std::strerror(errno);
    good = false;
  }
  if (!good) unlink(name.data());
  return good;
}

}  // namespace cli
