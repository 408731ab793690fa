#include "runtime/http/retry_after.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>

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

// "6m0s", "1.5s", "500ms": as Go writes a time, and servers of models theirs.
std::optional<double> WithUnits(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {{"ms", 0.001}, {"us", 1e-6}, {"µs", 1e-6}, {"ns", 1e-9}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  if (text.empty()) return std::nullopt;
  double seconds = 0;
  while (!text.empty()) {
    const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto number = Decimal(text.substr(0, digits));
    if (!number) return std::nullopt;
    text.remove_prefix(digits);
    const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits), [text](const auto& u) { return text.starts_with(u.first); });
    if (unit == std::end(kUnits)) return std::nullopt;
    text.remove_prefix(unit->first.size());
    seconds += *number * unit->second;
  }
  return seconds;
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

double SecondsOf(base::WallTime now) { return std::chrono::duration<double>(now.time_since_epoch()).count(); }

// 2024-03-26T20:00:00Z, as Anthropic writes the end of a limit.
std::optional<double> Rfc3339(const std::string& text) {
  tm fields{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &fields);
  if (end == nullptr) return std::nullopt;
  if (*end == '.') end += 1 + std::string_view(end + 1).find_first_not_of("0123456789");
  return *end == 'Z' || std::string_view(end) == "+00:00" ? std::optional(static_cast<double>(timegm(&fields)) + 1) : std::nullopt;
}

// When a limit ends, from now on: a time with units, seconds, or a moment (since 1970, in seconds or milliseconds).
std::optional<double> UntilReset(std::string_view value, double now) {
  if (const auto number = Decimal(value)) {
    if (*number < 1e9) return *number;
    return std::max((*number < 1e11 ? *number : *number / 1000) - now, 0.0);
  }
  if (const auto duration = WithUnits(value)) return duration;
  if (const auto moment = Rfc3339(std::string(value))) return std::max(*moment - now, 0.0);
  return std::nullopt;
}

// Limits that servers of models tell beside a 429, by the names of what is left of them and when they begin anew.
struct LimitNames {
  std::string_view remaining, reset;
};
constexpr LimitNames kLimits[] = {
    {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},  // OpenAI, Groq, vLLM's production stack
    {"x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"},
    {"anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"},
    {"anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"},
    {"anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"},
    {"anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"},
    {"x-ratelimit-remaining", "x-ratelimit-reset"},  // OpenRouter
    {"ratelimit-remaining", "ratelimit-reset"},      // draft-ietf-httpapi-ratelimit-headers
};

}  // namespace

std::optional<base::Duration> LimitReset(const Headers& headers, base::WallTime now) {
  std::optional<double> longest;
  for (const LimitNames& limit : kLimits) {
    const auto remaining = headers.Find(limit.remaining);
    const auto reset = headers.Find(limit.reset);
    if (!remaining || !reset || Decimal(*remaining) != 0.0) continue;
    if (const auto until = UntilReset(*reset, SecondsOf(now))) longest = std::max(longest.value_or(0), *until);
  }
  return longest ? std::optional(OfSeconds(*longest)) : std::nullopt;
}

std::optional<base::Duration> WaitOf(std::string_view told, base::WallTime now) {
  const auto seconds = UntilReset(told, SecondsOf(now));
  return seconds ? std::optional(OfSeconds(*seconds)) : std::nullopt;
}

std::optional<base::Duration> RetryAfter(const Headers& headers, base::WallTime now) {
  if (const auto ms = headers.Find(HeaderId::k_retry_after_ms)) {
    if (const auto number = Decimal(*ms)) return OfSeconds(*number / 1000);
  }
  const auto value = headers.Find(HeaderId::k_retry_after);
  if (!value) return std::nullopt;
  if (const auto number = Decimal(*value)) return OfSeconds(*number);  // RFC 9110 wants whole ones, and many send others
  if (const auto duration = WithUnits(*value)) return OfSeconds(*duration);
  if (const auto date = HttpDate(std::string(*value))) {
    return OfSeconds(std::max(std::ceil(*date - SecondsOf(now)), 0.0));
  }
  return std::nullopt;
}

}  // namespace runtime::http
