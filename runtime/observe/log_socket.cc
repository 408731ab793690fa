#include "runtime/observe/log_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace runtime::observe {
namespace {

constexpr const char* kName = "breakwater";
constexpr int kPriority = 3 * 8 + 6;  // facility daemon, severity info (RFC 3164 4.1.1)

// The daemon was started anew: its socket is another one now.
bool IsGone(int error) {
  return error == ECONNREFUSED || error == ENOTCONN || error == ECONNRESET || error == ENOENT || error == EBADF;
}

}  // namespace

std::string_view LogSocket::DefaultPath(Kind kind) {
  return kind == Kind::kSyslog ? "/dev/log" : "/run/systemd/journal/socket";
}

base::Result<std::unique_ptr<LogSocket>> LogSocket::Open(Kind kind, std::string path) {
  std::unique_ptr<LogSocket> socket(new LogSocket(kind, std::move(path)));
  if (const int error = socket->Connect(); error != 0) {
    return base::Error{"nobody takes log lines at " + socket->path_ + ": " + std::strerror(error)};
  }
  return socket;
}

LogSocket::~LogSocket() {
  if (fd_ >= 0) close(fd_);
}

int LogSocket::Connect() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    close(fd);
    return error;
  }
  fd_ = fd;
  return 0;
}

std::string_view LogSocket::Before() {
  if (kind_ == Kind::kJournald) {
    if (before_.empty()) before_ = "PRIORITY=6\nSYSLOG_IDENTIFIER=" + std::string(kName) + "\nMESSAGE=";
    return before_;
  }
  const std::time_t now = std::time(nullptr);
  if (now != second_) {
    second_ = now;
    std::tm parts{};
    localtime_r(&now, &parts);
    char time[32];
    std::strftime(time, sizeof time, "%b %e %H:%M:%S", &parts);  // the C locale's names: the program sets none
    before_ = "<" + std::to_string(kPriority) + ">" + time + " " + kName + "[" + std::to_string(getpid()) + "]: ";
  }
  return before_;
}

size_t LogSocket::Send(std::string_view lines, const std::function<bool(int error)>& may_try_again) {
  size_t lost = 0;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (fd_ < 0 && Connect() != 0) {
      ++lost;
      continue;
    }
    const std::string_view before = Before();
    char newline = '\n';  // journald leaves a field out that has none
    std::array<iovec, 3> pieces = {iovec{const_cast<char*>(before.data()), before.size()},
                                   iovec{const_cast<char*>(line.data()), line.size()},
                                   iovec{&newline, kind_ == Kind::kJournald ? size_t{1} : size_t{0}}};
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    bool has_connected_again = false;
    while (sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      const int error = errno;
      if (IsGone(error) && !std::exchange(has_connected_again, true) && Connect() == 0) continue;
      if (!IsGone(error) && error != EMSGSIZE && may_try_again(error == ENOBUFS ? EAGAIN : error)) continue;
      ++lost;
      break;
    }
  }
  return lost;
}

}  // namespace runtime::observe
