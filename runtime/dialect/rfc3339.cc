#include "runtime/dialect/rfc3339.h"

#include <chrono>
#include <cstdio>
#include <string>

namespace runtime::dialect {

int64_t UnixSeconds(std::string_view rfc3339) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
  const std::string text(rfc3339);
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &used) !=
      6) {
    return 0;
  }
  using std::chrono::sys_days;
  const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return 0;
  int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(sys_days(date).time_since_epoch()).count() +
                    hour * 3600 + minute * 60 + second;

  size_t at = static_cast<size_t>(used);
  if (at < text.size() && text[at] == '.') at = text.find_first_not_of("0123456789", at + 1);
  int offset_hours = 0, offset_minutes = 0;
  if (at < text.size() && (text[at] == '+' || text[at] == '-') &&
      std::sscanf(text.c_str() + at + 1, "%2d:%2d", &offset_hours, &offset_minutes) == 2) {
    const int64_t offset = offset_hours * 3600 + offset_minutes * 60;
    seconds += text[at] == '+' ? -offset : offset;
  }
  return seconds;
}

}  // namespace runtime::dialect
