#include "cli/access_log_target.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/observe/log_socket.h"

namespace cli {
namespace {

using compiler::model::AccessLog;
using compiler::model::AccessLogFormat;
using runtime::observe::LineLog;
using runtime::observe::LogSocket;

int OpenFile(const std::string& path) { return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640); }

base::Error CantOpen(const std::string& path) {
  return base::Error{"can't open the access log " + path + ": " + std::strerror(errno)};
}

}  // namespace

AccessLogTarget::~AccessLogTarget() {
  log.reset();  // writes what is left
  if (fd >= 0) close(fd);
}

base::Result<bool> AccessLogTarget::Reopen() const {
  if (fd < 0) return true;
  const int next = OpenFile(path);
  if (next < 0) return CantOpen(path);
  // The writer goes on with the same number, so no line is lost or written twice.
  const bool is_done = dup3(next, fd, O_CLOEXEC) >= 0;
  const base::Error problem = CantOpen(path);
  close(next);
  if (!is_done) return problem;
  return true;
}

base::Result<std::unique_ptr<AccessLogTarget>> OpenAccessLog(const compiler::model::GatewaySettings& settings) {
  auto target = std::make_unique<AccessLogTarget>();
  const bool as_text = settings.access_log_format == AccessLogFormat::kText;
  const auto is_for_people = [&](int fd) {
    return as_text || (settings.access_log_format == AccessLogFormat::kAuto && isatty(fd) == 1);
  };
  switch (settings.access_log) {
    case AccessLog::kOff: break;
    case AccessLog::kStdout:
      target->log = std::make_unique<LineLog>(STDOUT_FILENO, is_for_people(STDOUT_FILENO));
      break;
    case AccessLog::kFile:
      target->path = settings.access_log_path;
      target->fd = OpenFile(target->path);
      if (target->fd < 0) return CantOpen(target->path);
      target->log = std::make_unique<LineLog>(target->fd, is_for_people(target->fd));
      break;
    case AccessLog::kSyslog:
    case AccessLog::kJournald: {
      const auto kind =
          settings.access_log == AccessLog::kSyslog ? LogSocket::Kind::kSyslog : LogSocket::Kind::kJournald;
      auto socket = LogSocket::Open(kind, settings.access_log_path.empty() ? std::string(LogSocket::DefaultPath(kind))
                                                                           : settings.access_log_path);
      if (!socket) return base::Error{"the access log: " + socket.error()};
      target->log = std::make_unique<LineLog>(std::move(*socket), as_text);
      break;
    }
  }
  return target;
}

}  // namespace cli
