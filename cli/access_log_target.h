// Where the lines of the access log go: standard output, a file, or the socket of a log daemon, as the policy says.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "compiler/model/settings.h"
#include "runtime/observe/line_log.h"

namespace cli {

struct AccessLogTarget {
  AccessLogTarget() = default;
  ~AccessLogTarget();
  AccessLogTarget(const AccessLogTarget&) = delete;
  AccessLogTarget& operator=(const AccessLogTarget&) = delete;

  // A file: what has its name now takes the next lines; one that is not there is made. Anything else: nothing to do. On an error the
  // lines go on as before.
  base::Result<bool> Reopen() const;

  std::string path;                                // of a file
  int fd = -1;                                     // likewise
  std::unique_ptr<runtime::observe::LineLog> log;  // null: off
};

// An error says what can't be opened and why.
base::Result<std::unique_ptr<AccessLogTarget>> OpenAccessLog(const compiler::model::GatewaySettings& settings);

}  // namespace cli
