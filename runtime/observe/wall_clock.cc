#include "runtime/observe/wall_clock.h"

#include <cstdio>
#include <ctime>

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

std::string_view Rfc3339Clock::Millis(base::WallTime time) {
  const int64_t milliseconds = time.time_since_epoch().count() / 1'000'000;
  if (const int64_t second = milliseconds / 1'000; second != second_) {
    second_ = second;
    text_ = Rfc3339(time);
    text_.back() = '.';
    text_.append("000Z");
  }
  const auto fraction = static_cast<unsigned>(milliseconds % 1'000);
  char* const digits = text_.data() + text_.size() - 4;
  digits[0] = static_cast<char>('0' + fraction / 100);
  digits[1] = static_cast<char>('0' + fraction / 10 % 10);
  digits[2] = static_cast<char>('0' + fraction % 10);
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
