#include "runtime/proxy/admin_token.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace runtime::proxy {

namespace {

std::string OwnTemporaryFolder() { return std::string(P_tmpdir) + "/breakwater-" + std::to_string(getuid()); }

}  // namespace

std::vector<std::string> AdminTokenFolders() {
  std::vector<std::string> folders;
  if (const char* folder = std::getenv("RUNTIME_DIRECTORY"); folder != nullptr && *folder != '\0') {
    const std::string all = folder;  // systemd joins several with colons
    folders.push_back(all.substr(0, all.find(':')));
  }
  folders.emplace_back("/run/breakwater");
  if (const char* folder = std::getenv("XDG_RUNTIME_DIR"); folder != nullptr && *folder != '\0')
    folders.emplace_back(folder);
  folders.push_back(OwnTemporaryFolder());
  return folders;
}

std::string AdminTokenFile(std::string_view port) { return "breakwater-" + std::string(port) + ".token"; }

std::string MakeAdminToken() {
  unsigned char bytes[33];
  if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) return "";
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string token;
  for (size_t i = 0; i < sizeof bytes; i += 3) {
    const unsigned value =
        static_cast<unsigned>(bytes[i]) << 16 | static_cast<unsigned>(bytes[i + 1]) << 8 | bytes[i + 2];
    for (int shift = 18; shift >= 0; shift -= 6) token += kDigits[value >> shift & 63];
  }
  return token;
}

std::string LeaveAdminToken(std::string_view token, std::string_view port) {
  for (const std::string& folder : AdminTokenFolders()) {
    struct stat info{};
    if (folder == OwnTemporaryFolder()) mkdir(folder.c_str(), 0700);
    // Another user's folder could be exchanged under us.
    if (lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != getuid() ||
        (info.st_mode & 022) != 0)
      continue;
    const std::string path = folder + "/" + AdminTokenFile(port);
    unlink(path.c_str());
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) continue;
    const std::string text = std::string(token) + "\n";
    const bool is_written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(file);
    if (is_written) return path;
  }
  return "";
}

bool IsSameToken(std::string_view given, std::string_view wanted) {
  unsigned difference = given.size() == wanted.size() ? 0 : 1;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const char other = given.empty() ? '\0' : given[i % given.size()];
    difference |= static_cast<unsigned char>(wanted[i]) ^ static_cast<unsigned char>(other);
  }
  return difference == 0 && !wanted.empty();
}

}  // namespace runtime::proxy
