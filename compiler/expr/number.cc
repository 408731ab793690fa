#include "compiler/expr/number.h"

#include <array>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

#include "base/text.h"

namespace compiler::expr {
namespace {

struct Unit {
  std::string_view name;
  NumberKind kind;
  int64_t size;
};
constexpr Unit kUnits[] = {
    {"ns", NumberKind::kDuration, 1},
    {"us", NumberKind::kDuration, 1'000},
    {"ms", NumberKind::kDuration, 1'000'000},
    {"s", NumberKind::kDuration, 1'000'000'000},
    {"min", NumberKind::kDuration, 60'000'000'000},
    {"h", NumberKind::kDuration, 3'600'000'000'000},
    {"B", NumberKind::kSize, 1},
    {"KiB", NumberKind::kSize, int64_t{1} << 10},
    {"MiB", NumberKind::kSize, int64_t{1} << 20},
    {"GiB", NumberKind::kSize, int64_t{1} << 30},
};

struct Habit {
  std::string_view written;
  std::string_view meant;
};
// How others write units.
constexpr Habit kHabits[] = {
    {"sec", "s"},    {"secs", "s"},  {"second", "s"},   {"seconds", "s"},   {"S", "s"},     {"m", "min"},
    {"mins", "min"}, {"M", "MiB"},   {"minute", "min"}, {"minutes", "min"}, {"hr", "h"},    {"hrs", "h"},
    {"Ki", "KiB"},   {"Mi", "MiB"},  {"Gi", "GiB"},     {"Kb", "KiB"},      {"Mb", "MiB"},  {"Gb", "GiB"},
    {"kilobytes", "KiB"}, {"megabytes", "MiB"}, {"gigabytes", "GiB"}, {"usec", "us"}, {"micros", "us"},
    {"hour", "h"},   {"hours", "h"}, {"H", "h"},        {"d", "h"},         {"msec", "ms"}, {"millis", "ms"},
    {"MS", "ms"},    {"Ms", "ms"},   {"k", "KiB"},      {"K", "KiB"},       {"KB", "KiB"},  {"kB", "KiB"},
    {"kb", "KiB"},   {"kib", "KiB"}, {"KIB", "KiB"},    {"MB", "MiB"},      {"mb", "MiB"},  {"mib", "MiB"},
    {"MIB", "MiB"},  {"G", "GiB"},   {"GB", "GiB"},     {"gb", "GiB"},      {"gib", "GiB"}, {"b", "B"},
    {"bytes", "B"},  {"byte", "B"},  {"pct", "%"},      {"percent", "%"},
};

// Wide enough for 64 bits times a unit.
__extension__ typedef __int128 Wide;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// digits[.digits] × size, exactly; nullopt on overflow or if a fraction is left.
std::optional<int64_t> Scale(std::string_view whole, std::string_view fraction, int64_t size) {
  Wide value = 0;
  for (char c : whole) {
    value = value * 10 + (c - '0');
    if (value > std::numeric_limits<int64_t>::max()) return std::nullopt;
  }
  value *= size;
  while (!fraction.empty() && fraction.back() == '0') fraction.remove_suffix(1);
  if (fraction.size() > 18) return std::nullopt;
  Wide part = 0;
  Wide ten = 1;
  for (char c : fraction) {
    part = part * 10 + (c - '0');
    ten *= 10;
  }
  if (part * size % ten != 0) return std::nullopt;
  value += part * size / ten;
  if (value > std::numeric_limits<int64_t>::max()) return std::nullopt;
  return static_cast<int64_t>(value);
}

const Unit* DurationUnit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.kind == NumberKind::kDuration && unit.name == name) return &unit;
  }
  return nullptr;
}

// What others write for it, where surely a time is meant.
std::string_view TimeMeantBy(std::string_view written) {
  for (const Habit& habit : kHabits) {
    if (habit.written == written && DurationUnit(habit.meant) != nullptr) return habit.meant;
  }
  return DurationUnit(written) != nullptr ? written : std::string_view();
}

// `1min30s`: parts of whole numbers, each of a smaller unit than the one before. kMalformed if it is none; kUnknownUnit with a
// suggestion for `1m30s`, and for parts in another order.
Number ParseParts(std::string_view text) {
  Number number;
  Wide sum = 0;
  int64_t smallest = std::numeric_limits<int64_t>::max();
  bool is_right = true;
  bool is_ordered = true;
  int parts = 0;
  std::string meant;
  while (!text.empty()) {
    size_t digits = 0;
    while (digits < text.size() && IsDigit(text[digits])) ++digits;
    size_t end = digits;
    while (end < text.size() && !IsDigit(text[end])) ++end;
    const std::string_view written = text.substr(digits, end - digits);
    const std::string_view unit = TimeMeantBy(written);
    if (digits == 0 || unit.empty()) return {};
    const Unit& known = *DurationUnit(unit);
    const std::optional<int64_t> exact = Scale(text.substr(0, digits), "", known.size);
    if (!exact) return {};
    is_ordered = is_ordered && known.size < smallest;
    smallest = known.size;
    sum += *exact;
    is_right = is_right && unit == written;
    meant += std::string(text.substr(0, digits)) + std::string(unit);
    ++parts;
    text.remove_prefix(end);
  }
  if (parts < 2 || sum > std::numeric_limits<int64_t>::max()) return {};
  constexpr int64_t kSecond = 1'000'000'000;
  if (!is_ordered) {
    if (sum % kSecond != 0) return {};
    number.kind = NumberKind::kUnknownUnit;
    number.suggestion = std::to_string(static_cast<int64_t>(sum / kSecond)) + "s";
    return number;
  }
  number.kind = is_right ? NumberKind::kDuration : NumberKind::kUnknownUnit;
  number.integer = static_cast<int64_t>(sum);
  if (!is_right) number.suggestion = meant;
  return number;
}

}  // namespace

Number ParseNumber(std::string_view text) {
  Number number;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  size_t i = 0;
  while (i < text.size() && IsDigit(text[i])) ++i;
  const std::string_view whole = text.substr(0, i);
  std::string_view fraction;
  if (i + 1 < text.size() && text[i] == '.' && IsDigit(text[i + 1])) {
    const size_t begin = ++i;
    while (i < text.size() && IsDigit(text[i])) ++i;
    fraction = text.substr(begin, i - begin);
  }
  const std::string_view unit = text.substr(i);
  if (whole.empty()) return number;
  if (fraction.empty() && unit.find_first_of("0123456789") != std::string_view::npos) {
    if (Number parts = ParseParts(text); parts.kind != NumberKind::kMalformed) {
      if (negative) parts.integer = -parts.integer;
      return parts;
    }
  }
  const std::string digits(text.substr(0, i));

  if (unit == "xx" && whole.size() == 1 && fraction.empty() && whole[0] >= '1' && whole[0] <= '5' && !negative) {
    number.kind = NumberKind::kStatusClass;
    number.integer = whole[0] - '0';
    return number;
  }
  if (unit.empty() || unit == "%") {
    const std::optional<int64_t> exact = Scale(whole, "", 1);
    if (!exact) return number;
    number.value = std::strtod(digits.c_str(), nullptr) * (negative ? -1 : 1);
    number.integer = negative ? -*exact : *exact;
    if (unit == "%") {
      number.kind = NumberKind::kPercent;
      number.value /= 100;
    } else {
      number.kind = fraction.empty() ? NumberKind::kInt : NumberKind::kDecimal;
    }
    return number;
  }
  for (const Unit& known : kUnits) {
    if (known.name != unit) continue;
    const std::optional<int64_t> exact = Scale(whole, fraction, known.size);
    if (!exact) return number;
    number.kind = known.kind;
    number.integer = negative ? -*exact : *exact;
    return number;
  }
  if (unit == "/s" || unit == "/min" || unit == "/h") {
    number.kind = NumberKind::kRate;
    return number;
  }
  for (const Unit& known : kUnits) {
    if (known.kind != NumberKind::kSize || !unit.ends_with("/s") || known.name != unit.substr(0, unit.size() - 2)) continue;
    const std::optional<int64_t> exact = Scale(whole, fraction, known.size);
    if (!exact) return number;
    number.kind = NumberKind::kByteRate;
    number.integer = negative ? -*exact : *exact;
    return number;
  }
  number.kind = NumberKind::kUnknownUnit;
  // Larger units than the language has.
  constexpr std::pair<std::string_view, std::pair<int64_t, std::string_view>> kLarger[] = {
      {"d", {24, "h"}},    {"day", {24, "h"}},     {"days", {24, "h"}},    {"w", {168, "h"}},      {"week", {168, "h"}},
      {"weeks", {168, "h"}}, {"TiB", {1024, "GiB"}}, {"TB", {1024, "GiB"}}, {"tb", {1024, "GiB"}}, {"T", {1024, "GiB"}}};
  for (const auto& [written, meant] : kLarger) {
    if (written != unit || !fraction.empty()) continue;
    if (const auto many = Scale(whole, "", meant.first)) number.suggestion = std::to_string(*many) + std::string(meant.second);
    return number;
  }
  // 30_000ms
  if (unit.starts_with("_") && !negative) {
    std::string plain(text);
    std::erase(plain, '_');
    const Number meant = ParseNumber(plain);
    if (meant.kind != NumberKind::kMalformed && meant.kind != NumberKind::kUnknownUnit) number.suggestion = plain;
    return number;
  }
  // 2h30   1min30
  if (const size_t last = text.find_last_not_of("0123456789"); last != std::string_view::npos && last + 1 < text.size() && fraction.empty()) {
    constexpr std::pair<std::string_view, std::string_view> kNext[] = {{"h", "min"}, {"min", "s"}, {"m", "s"}, {"s", "ms"}};
    const size_t begin = text.find_last_of("0123456789", last);
    const std::string_view before = text.substr(begin + 1, last - begin);
    for (const auto& [written, next] : kNext) {
      if (written != before) continue;
      const Number meant = ParseNumber(std::string(text) + std::string(next));
      if (meant.kind == NumberKind::kDuration) number.suggestion = std::string(text) + std::string(next);
      else if (meant.kind == NumberKind::kUnknownUnit) number.suggestion = meant.suggestion;
      return number;
    }
  }
  for (const Habit& habit : kHabits) {
    if (habit.written == unit) {
      number.suggestion = digits + std::string(habit.meant);
      return number;
    }
  }
  std::array<std::string_view, std::size(kUnits)> names;
  for (size_t n = 0; n < std::size(kUnits); ++n) names[n] = kUnits[n].name;
  // Not what a digit or a sign stands in: `5e3ms`, `0x10s`; nor one letter for another: `TiB`, `Mb`.
  const bool is_word = unit.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos && unit.size() > 2;
  std::string lowered(unit);
  for (char& c : lowered) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (lowered != unit) {
    for (const Habit& habit : kHabits) {
      if (habit.written == lowered && habit.meant.find('B') == std::string_view::npos) number.suggestion = digits + std::string(habit.meant);
    }
  }
  if (!number.suggestion.empty() || !is_word) return number;
  if (const auto nearest = base::Nearest(unit, names)) number.suggestion = digits + std::string(*nearest);
  return number;
}

}  // namespace compiler::expr
