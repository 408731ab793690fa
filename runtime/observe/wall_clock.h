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

// Rfc3339Millis for what writes it again and again: the date is made once a second. Not thread-safe.
class Rfc3339Clock {
 public:
  std::string_view Millis(base::WallTime time);  // valid until the next call

 private:
  int64_t second_ = -1;
  std::string text_;
};

}  // namespace runtime::observe
