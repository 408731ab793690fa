#include "compiler/migrate/policy_text.h"

#include <array>
#include <cmath>
#include <cstdlib>

#include "base/text.h"

namespace compiler::migrate {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

struct Unit {
  std::string_view name;
  double ms;
};
constexpr std::array<Unit, 6> kUnits = {{{"ms", 1}, {"s", 1000}, {"min", 60'000}, {"m", 60'000}, {"h", 3'600'000}, {"us", 0.001}}};

// Words that begin statements and cannot be names.
constexpr std::string_view kReserved[] = {"edition", "let", "when", "import", "as", "promise", "allow", "because",
                                          "test",    "json", "and", "or",     "not", "in",     "starts_with",
                                          "ends_with", "contains", "matches"};

}  // namespace

std::optional<std::string> DurationText(std::string_view text) {
  double ms = 0;
  if (text.empty() || text.size() > 40) return std::nullopt;
  while (!text.empty()) {
    size_t digits = 0;
    while (digits < text.size() && (IsDigit(text[digits]) || text[digits] == '.')) ++digits;
    const std::string number(text.substr(0, digits));
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (digits == 0 || !IsDigit(number[0]) || *end != '\0') return std::nullopt;
    text.remove_prefix(digits);
    size_t letters = 0;
    while (letters < text.size() && !IsDigit(text[letters])) ++letters;
    const Unit* unit = nullptr;
    for (const Unit& known : kUnits) {
      if (known.name == text.substr(0, letters)) unit = &known;
    }
    if (unit == nullptr) return std::nullopt;
    ms += value * unit->ms;
    text.remove_prefix(letters);
  }
  const double whole = std::round(ms);
  if (std::abs(whole - ms) > 1e-6 || whole > 1e12) return std::nullopt;
  const auto count = static_cast<int64_t>(whole);
  if (count % 1000 != 0) return std::to_string(count) + "ms";
  return std::to_string(count / 1000) + "s";
}

int64_t Milliseconds(std::string_view duration) {
  const int64_t count = std::strtoll(std::string(duration).c_str(), nullptr, 10);
  return duration.ends_with("ms") ? count : count * 1000;
}

std::string StringText(std::string_view text, bool keep_interpolations) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const std::optional<char32_t> c = base::NextCodePoint(text, &i);
    if (!c) out += "\xEF\xBF\xBD";
    else if (*c == '"') out += "\\\"";
    else if (*c == '\\') out += "\\\\";
    else if (*c == '\n') out += "\\n";
    else if (*c == '\r') out += "\\r";
    else if (*c == '\t') out += "\\t";
    else if (*c < 0x20 || *c == 0x7F) out += "\\u{" + std::to_string(*c / 16) + "0123456789ABCDEF"[*c % 16] + "}";
    else if (*c == '$' && !keep_interpolations) out += "\\$";
    else out += text.substr(begin, i - begin);
  }
  return out + "\"";
}

std::string OneLine(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const std::optional<char32_t> c = base::NextCodePoint(text, &i);
    if (!c || *c < 0x20 || *c == 0x7F) out += ' ';
    else out += text.substr(begin, i - begin);
  }
  return out;
}

std::string Names::Give(std::string_view wanted) {
  std::string name;
  for (const char c : wanted) {
    if (c >= 'A' && c <= 'Z') name += static_cast<char>(c - 'A' + 'a');
    else name += (c >= 'a' && c <= 'z') || IsDigit(c) ? c : '_';
  }
  if (name.empty() || IsDigit(name[0])) name.insert(0, "_");
  for (std::string_view reserved : kReserved) {
    if (name == reserved) name += "_";
  }
  const int number = ++taken_[name];
  if (number == 1) return name;
  return Give(name + "_" + std::to_string(number));
}

}  // namespace compiler::migrate
