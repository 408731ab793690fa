#include "compiler/parse/literals.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>

#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/ast_builder.h"

namespace compiler::parse {
namespace {

using diagnostics::Kind;

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

char32_t HexValue(std::string_view digits) {
  char32_t value = 0;
  for (char c : digits) value = value * 16 + static_cast<char32_t>(IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  return value;
}

// How many bytes the escape at text[i] (a backslash) has, and what it stands for; nullopt for none.
std::optional<size_t> ReadEscape(std::string_view text, size_t i, std::string* out) {
  if (i + 1 >= text.size()) return std::nullopt;
  switch (text[i + 1]) {
    case '\\':
    case '"':
    case '$': out->push_back(text[i + 1]); return 2;
    case 'n': out->push_back('\n'); return 2;
    case 'r': out->push_back('\r'); return 2;
    case 't': out->push_back('\t'); return 2;
    case 'u': {
      const size_t close = text.find('}', i);
      if (i + 2 >= text.size() || text[i + 2] != '{' || close == std::string_view::npos) return std::nullopt;
      const std::string_view digits = text.substr(i + 3, close - i - 3);
      if (digits.empty() || digits.size() > 6 || !std::all_of(digits.begin(), digits.end(), IsHex)) return std::nullopt;
      const char32_t c = HexValue(digits);
      if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) || c == 0) return std::nullopt;
      base::AppendUtf8(c, out);
      return close + 1 - i;
    }
    default: return std::nullopt;
  }
}

// The offset of the } that ends the ${ at text[i]; strings inside may hold braces.
std::optional<size_t> EndOfInterpolation(std::string_view text, size_t i) {
  bool in_string = false;
  for (i += 2; i < text.size(); ++i) {
    if (text[i] == '\\' && in_string) ++i;
    else if (text[i] == '"') in_string = !in_string;
    else if (text[i] == '}' && !in_string) return i;
  }
  return std::nullopt;
}

}  // namespace

bool ReadString(std::string_view policy, source::SourceRange range, diagnostics::Diagnostics* diagnostics,
                std::vector<ast::StringPart>* parts) {
  const std::string_view text = policy.substr(0, range.end - 1);
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) parts->push_back({std::move(literal), nullptr});
    literal.clear();
  };
  for (size_t i = range.begin + 1; i < text.size();) {
    const auto offset = static_cast<uint32_t>(i);
    if (text[i] == '\\') {
      const std::optional<size_t> length = ReadEscape(text, i, &literal);
      if (!length) {
        size_t end = i + 1;
        if (end < text.size()) base::NextCodePoint(text, &end);
        diagnostics->Emit(Kind::kBadEscape, {offset, static_cast<uint32_t>(end)}, {text.substr(i, end - i)})
            .Change({offset, offset}, "\\");
        return false;
      }
      i += *length;
    } else if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      const std::optional<size_t> end = EndOfInterpolation(text, i);
      if (!end) {
        diagnostics->Emit(Kind::kOpenInterpolation, {offset, offset + 2}).Change({offset, offset}, "\\").Unsafe();
        return false;
      }
      flush();
      auto value = std::make_unique<ast::Expr>(
          ParseInterpolation(policy, {offset + 2, static_cast<uint32_t>(*end)}, diagnostics));
      if (value->kind == ast::ExprKind::kError) return false;
      parts->push_back({"", std::move(value)});
      i = *end + 1;
    } else {
      literal += text[i++];
    }
  }
  flush();
  return true;
}

bool CheckJsonString(std::string_view policy, source::SourceRange range, diagnostics::Diagnostics* diagnostics,
                     std::vector<source::SourceRange>* interpolations) {
  const std::string_view text = policy.substr(0, range.end - 1);
  for (size_t i = range.begin + 1; i < text.size(); ++i) {
    const auto offset = static_cast<uint32_t>(i);
    if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      const std::optional<size_t> end = EndOfInterpolation(text, i);
      if (!end) {
        diagnostics->Emit(Kind::kOpenInterpolation, {offset, offset + 2}).help =
            "write \\u0024{ for the characters themselves";
        return false;
      }
      const source::SourceRange interpolation{offset, static_cast<uint32_t>(*end + 1)};
      if (interpolations == nullptr) {
        diagnostics->Emit(Kind::kRawMemberName, interpolation).Change({offset, offset + 1}, "\\u0024").Unsafe();
        return false;
      }
      interpolations->push_back(interpolation);
      i = *end;
      continue;
    }
    if (static_cast<unsigned char>(text[i]) < 0x20) {
      diagnostics->Emit(Kind::kJsonControl, {offset, offset + 1});
      return false;
    }
    if (text[i] != '\\') continue;
    const bool is_unicode = i + 5 < text.size() && text[i + 1] == 'u' && IsHex(text[i + 2]) && IsHex(text[i + 3]) &&
                            IsHex(text[i + 4]) && IsHex(text[i + 5]);
    const bool is_short =
        i + 1 < text.size() && std::string_view("\"\\/bfnrt").find(text[i + 1]) != std::string_view::npos;
    if (!is_unicode && !is_short) {
      size_t end = i + 1;
      if (end < text.size()) base::NextCodePoint(text, &end);
      diagnostics->Emit(Kind::kJsonEscape, {offset, static_cast<uint32_t>(end)});
      return false;
    }
    i += is_unicode ? 5 : 1;
  }
  return true;
}

bool CheckJsonNumber(std::string_view policy, source::SourceRange range, diagnostics::Diagnostics* diagnostics) {
  std::string_view text = policy.substr(range.begin, range.end - range.begin);
  // RFC 8259 6: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
  size_t i = 0;
  const auto digits = [&] {
    const size_t begin = i;
    while (i < text.size() && IsDigit(text[i])) ++i;
    return i - begin;
  };
  if (i < text.size() && text[i] == '-') ++i;
  const size_t integer = i;
  bool good = digits() > 0 && (text[integer] != '0' || i == integer + 1);
  if (good && i < text.size() && text[i] == '.') {
    ++i;
    good = digits() > 0;
  }
  if (good && i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    good = digits() > 0;
  }
  if (good && i == text.size()) return true;
  diagnostics->Emit(Kind::kJsonNumber, range);
  return false;
}

bool CheckJsonWord(std::string_view policy, source::SourceRange range, diagnostics::Diagnostics* diagnostics) {
  const std::string_view text = policy.substr(range.begin, range.end - range.begin);
  if (text == "true" || text == "false" || text == "null") return true;
  auto& diagnostic = diagnostics->Emit(Kind::kJsonWord, range);
  if (text == "True" || text == "TRUE") diagnostic.Replace("true");
  else if (text == "False" || text == "FALSE") diagnostic.Replace("false");
  else if (text == "none" || text == "None" || text == "nil") diagnostic.Replace("null");
  else if (const auto nearest = base::Nearest(text, std::array<std::string_view, 3>{"true", "false", "null"}))
    diagnostic.Replace(std::string(*nearest));
  return false;
}

}  // namespace compiler::parse
