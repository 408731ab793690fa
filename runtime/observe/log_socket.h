// The sockets of the two log daemons of a machine: each line is a datagram of its own.
//   syslog   /dev/log: https://datatracker.ietf.org/doc/html/rfc3164 as programs on the same machine write it
//   journald /run/systemd/journal/socket: https://systemd.io/JOURNAL_NATIVE_PROTOCOL
// One thread.
#pragma once

#include <cstddef>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace runtime::observe {

class LogSocket {
 public:
  enum class Kind : uint8_t { kSyslog, kJournald };
  static std::string_view DefaultPath(Kind kind);

  // An error names the path and says why nobody listens there.
  static base::Result<std::unique_ptr<LogSocket>> Open(Kind kind, std::string path);
  ~LogSocket();
  LogSocket(const LogSocket&) = delete;
  LogSocket& operator=(const LogSocket&) = delete;

  // Sends whole lines, each with its newline. Returns how many were lost: too long for a datagram, or nobody listens any more (then it
  // connects again with the next line). `may_try_again` is asked after an error of the system, as in LineLog.
  size_t Send(std::string_view lines, const std::function<bool(int error)>& may_try_again);

  int fd() const { return fd_; }

 private:
  LogSocket(Kind kind, std::string path) : kind_(kind), path_(std::move(path)) {}
  int Connect();  // 0, or the error
  std::string_view Before();

  const Kind kind_;
  const std::string path_;
  int fd_ = -1;
  std::time_t second_ = -1;  // of before_
  std::string before_;
};

}  // namespace runtime::observe
