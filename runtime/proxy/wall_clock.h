// Wall-clock time as text, for logs and headers.
#pragma once

#include <string>

#include "runtime/base/time.h"

namespace runtime::proxy {

std::string Rfc3339(base::WallTime time);          // 2026-01-28T09:45:22Z
std::string Rfc3339Millis(base::WallTime time);    // 2026-01-28T09:45:22.123Z
std::string HttpDate(base::WallTime time);         // Wed, 28 Jan 2026 09:45:22 GMT (RFC 9110 5.6.7)

}  // namespace runtime::proxy
