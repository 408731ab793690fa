// Private to this folder: characters and lists of HTTP's grammar (RFC 9110 5.6), and the request target's (RFC 3986).
#pragma once

#include <string_view>

namespace runtime::http {

constexpr char AsciiLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsAlpha(char c) { return AsciiLower(c) >= 'a' && AsciiLower(c) <= 'z'; }
constexpr bool IsBlank(char c) { return c == ' ' || c == '\t'; }

constexpr int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  const char lower = AsciiLower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// RFC 9110 5.6.2
constexpr bool IsTokenChar(char c) {
  return IsAlpha(c) || IsDigit(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

constexpr bool IsToken(std::string_view text) {
  for (char c : text) {
    if (!IsTokenChar(c)) return false;
  }
  return !text.empty();
}

// Equal but for case, and for "_" in place of "-": the same to servers that map headers to CGI variables.
constexpr bool EqualsTwin(std::string_view name, std::string_view own) {
  if (name.size() != own.size()) return false;
  for (size_t i = 0; i < own.size(); ++i) {
    const char a = name[i] == '_' ? '-' : AsciiLower(name[i]);
    const char b = own[i] == '_' ? '-' : AsciiLower(own[i]);
    if (a != b) return false;
  }
  return true;
}

// RFC 3986 2.3
constexpr bool IsUnreserved(char c) { return IsAlpha(c) || IsDigit(c) || c == '-' || c == '.' || c == '_' || c == '~'; }

constexpr std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

// Calls visit(item) for each element of a comma-separated list, trimmed, empty ones included.
template <typename Visit>
void ForEachListItem(std::string_view list, Visit visit) {
  for (;;) {
    const size_t comma = list.find(',');
    visit(Trim(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace runtime::http
