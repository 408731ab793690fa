// Looking up headers. Names compare without case (RFC 9110 5.1).
#include "runtime/http/message.h"

#include "runtime/http/text.h"

namespace runtime::http {

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (AsciiLower(a[i]) != AsciiLower(b[i])) return false;
  }
  return true;
}

std::optional<std::string_view> Headers::Find(std::string_view name) const {
  for (const Header& line : lines_) {
    if (EqualsIgnoreCase(line.name, name)) return line.value;
  }
  return std::nullopt;
}

bool Headers::HasToken(std::string_view name, std::string_view token) const {
  for (const Header& line : lines_) {
    if (!EqualsIgnoreCase(line.name, name)) continue;
    bool found = false;
    ForEachListItem(line.value, [&](std::string_view item) { found = found || EqualsIgnoreCase(item, token); });
    if (found) return true;
  }
  return false;
}

}  // namespace runtime::http
