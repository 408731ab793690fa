#include "runtime/http/retry_after.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

namespace runtime::http {
namespace {

constexpr double kLongestSeconds = 3650.0 * 24 * 3600;

base::Duration OfSeconds(double seconds) {
  return base::Duration(std::llround(std::min(seconds, kLongestSeconds) * 1e9));
}

// 1*DIGIT [ "." 1*DIGIT ]: no sign, no exponent, no space.
std::optional<double> Decimal(std::string_view text) {
  const bool plain = !text.empty() && text.size() <= 32 && text.front() != '.' && text.back() != '.' &&
                     std::count(text.begin(), text.end(), '.') <= 1 &&
                     text.find_first_not_of("0123456789.") == std::string_view::npos;
  if (!plain) return std::nullopt;
  return std::strtod(std::string(text).c_str(), nullptr);
}

// RFC 9110 5.6.7: the preferred form, and the two obsolete ones that a recipient must read.
// Seconds since 1970: a date may lie beyond what nanoseconds can say.
std::optional<double> HttpDate(const std::string& text) {
  for (const char* form : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    tm fields{};
    const char* end = strptime(text.c_str(), form, &fields);
    if (end == nullptr || *end != '\0') continue;
    return static_cast<double>(timegm(&fields));
  }
  return std::nullopt;
}

}  // namespace

std::optional<base::Duration> RetryAfter(const Headers& headers, base::WallTime now) {
  if (const auto ms = headers.Find(HeaderId::k_retry_after_ms)) {
    if (const auto number = Decimal(*ms)) return OfSeconds(*number / 1000);
  }
  const auto value = headers.Find(HeaderId::k_retry_after);
  if (!value) return std::nullopt;
  if (value->find('.') == std::string_view::npos) {
    if (const auto number = Decimal(*value)) return OfSeconds(*number);
  }
  if (const auto date = HttpDate(std::string(*value))) {
    const double now_seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
    return OfSeconds(std::max(std::ceil(*date - now_seconds), 0.0));
  }
  return std::nullopt;
}

}  // namespace runtime::http
