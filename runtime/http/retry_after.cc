#include "runtime/http/retry_after.h"

#include <time.h>

#include <algorithm>
#include <cctype>
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

// A limit that stands beside a 429. Its name has "ratelimit" in it, or "rate-limit"; what is left of it stands under the same name with
// `remaining` in place of `reset`: OpenAI, Groq, Cerebras (…-tokens-minute), Mistral (ratelimitbysize-…), OpenRouter, Anthropic,
// draft-ietf-httpapi-ratelimit-headers up to 06.
enum class Left : uint8_t { kNothing, kSomething, kUntold };

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

Left LeftOf(const Headers& headers, std::string name) {
  constexpr std::string_view kReset = "reset";
  name.replace(name.find(kReset), kReset.size(), "remaining");
  std::optional<std::string_view> remaining = headers.Find(name);
  constexpr std::string_view kAfter = "-after";  // x-ratelimit-reset-after
  if (!remaining && name.ends_with(kAfter)) remaining = headers.Find(name.substr(0, name.size() - kAfter.size()));
  if (remaining) return Decimal(*remaining) == 0.0 ? Left::kNothing : Left::kSomething;
  // Anthropic's limits of a subscription: …-unified-reset, …-unified-5h-reset.
  if (!name.ends_with("remaining")) return Left::kUntold;
  name.replace(name.size() - std::string_view("remaining").size(), std::string::npos, "status");
  const auto status = headers.Find(name);
  return !status ? Left::kUntold : *status == "rejected" ? Left::kNothing : Left::kSomething;
}

// `limit=100, remaining=0, reset=2`, as drafts of the field have it up to 07, and `"default";r=0;t=2` of those behind it: the seconds of
// the limits that are used up.
std::optional<double> OfDraft(std::string_view field) {
  const auto member = [](std::string_view list, std::string_view name) -> std::optional<double> {
    for (size_t at = list.find(name); at != std::string_view::npos; at = list.find(name, at + 1)) {
      const bool begins = at == 0 || list[at - 1] == ' ' || list[at - 1] == ',' || list[at - 1] == ';';
      const std::string_view value = list.substr(at + name.size());
      if (begins) return Decimal(value.substr(0, std::min(value.find_first_not_of("0123456789."), value.size())));
    }
    return std::nullopt;
  };
  if (member(field, "remaining=") == 0.0) return member(field, "reset=");
  std::optional<double> longest;
  while (!field.empty()) {  // a policy each
    const size_t end = std::min(field.find(','), field.size());
    const std::string_view policy = field.substr(0, end);
    field.remove_prefix(std::min(end + 1, field.size()));
    if (member(policy, "r=") != 0.0) continue;
    if (const auto seconds = member(policy, "t=")) longest = std::max(longest.value_or(0), *seconds);
  }
  return longest;
}

}  // namespace

std::optional<base::Duration> LimitReset(const Headers& headers, base::WallTime now) {
  std::optional<double> longest, untold;
  const auto take = [](std::optional<double>* of, std::optional<double> until) {
    if (until) *of = std::max(of->value_or(0), *until);
  };
  for (const Header& line : headers.lines()) {
    const std::string name = Lower(line.name);
    if (name.find("ratelimit") == std::string::npos && name.find("rate-limit") == std::string::npos) continue;
    if (name == "ratelimit") take(&longest, OfDraft(line.value));
    if (name.find("reset") == std::string::npos) continue;
    const Left left = LeftOf(headers, name);
    if (left == Left::kSomething) continue;
    take(left == Left::kNothing ? &longest : &untold, UntilReset(line.value, SecondsOf(now)));
  }
  // Azure tells only when its tokens come back, not that none are left.
  if (!longest) longest = untold;
  return longest ? std::optional(OfSeconds(*longest)) : std::nullopt;
}

std::optional<base::Duration> WaitOf(std::string_view told, base::WallTime now) {
  const auto seconds = UntilReset(told, SecondsOf(now));
  return seconds ? std::optional(OfSeconds(*seconds)) : std::nullopt;
}

std::optional<base::Duration> RetryAfter(const Headers& headers, base::WallTime now) {
  auto ms = headers.Find(HeaderId::k_retry_after_ms);
  if (!ms) ms = headers.Find("x-ms-retry-after-ms");
  if (ms) {
    if (const auto number = Decimal(*ms)) return OfSeconds(*number / 1000);
  }
  const auto value = headers.Find(HeaderId::k_retry_after);
  if (!value) return std::nullopt;
  // RFC 9110 wants whole seconds or a date, and many send others: fractions, units, a moment.
  if (const auto until = UntilReset(*value, SecondsOf(now))) return OfSeconds(*until);
  if (const auto date = HttpDate(std::string(*value))) {
    return OfSeconds(std::max(std::ceil(*date - SecondsOf(now)), 0.0));
  }
  return std::nullopt;
}

}  // namespace runtime::http
