// Wall-clock time as text, for logs and headers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace runtime::observe {

std::string Rfc3339(base::WallTime time);          // 2026-01-28T09:45:22Z
std::string Rfc3339Millis(base::WallTime time);    // 2026-01-28T09:45:22.123Z
std::string HttpDate(base::WallTime time);         // Wed, 28 Jan 2026 09:45:22 GMT (RFC 9110 5.6.7)

// For what writes the time again and again: the date is made once a second. Not thread-safe.
class Rfc3339Clock {
 public:
  // Valid until the next call.
  std::string_view Millis(base::WallTime time);  // 2026-01-28T09:45:22.123Z
  std::string_view Micros(base::WallTime time);  // 2026-01-28T09:45:22.123456Z

 private:
  std::string_view With(base::WallTime time, size_t decimals);

  int64_t second_ = -1;
  size_t decimals_ = 0;
  std::string text_;
};

}  // namespace runtime::observe
