#include "runtime/observe/wall_clock.h"

#include <cstdio>
#include <ctime>

#include "base/decimal.h"

namespace runtime::observe {
namespace {

std::tm BrokenDown(base::WallTime time, int64_t* milliseconds) {
  const int64_t ns = time.time_since_epoch().count();
  const std::time_t seconds = static_cast<std::time_t>(ns / 1'000'000'000);
  *milliseconds = ns / 1'000'000 % 1'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return parts;
}

}  // namespace

std::string Rfc3339(base::WallTime time) {
  int64_t milliseconds = 0;
  const std::tm parts = BrokenDown(time, &milliseconds);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string Rfc3339Millis(base::WallTime time) { return std::string(Rfc3339Clock().Millis(time)); }

std::string_view Rfc3339Clock::Millis(base::WallTime time) { return With(time, 3); }
std::string_view Rfc3339Clock::Micros(base::WallTime time) { return With(time, 6); }

std::string_view Rfc3339Clock::With(base::WallTime time, size_t decimals) {
  const int64_t microseconds = time.time_since_epoch().count() / 1'000;
  if (const int64_t second = microseconds / 1'000'000; second != second_ || decimals != decimals_) {
    second_ = second;
    decimals_ = decimals;
    text_ = Rfc3339(time);
    text_.back() = '.';
    text_.append(decimals, '0').append("Z");
  }
  const auto fraction = static_cast<unsigned>(microseconds % 1'000'000);
  char* const at = text_.data() + text_.size() - 1 - decimals;
  base::PutThreeDigits(fraction / 1'000, at);
  if (decimals == 6) base::PutThreeDigits(fraction % 1'000, at + 3);
  return text_;
}

std::string HttpDate(base::WallTime time) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  int64_t milliseconds = 0;
  const std::tm parts = BrokenDown(time, &milliseconds);
  char text[80];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday], parts.tm_mday,
                kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

}  // namespace runtime::observe
