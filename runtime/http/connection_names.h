// Private to this folder. What the Connection lines of a message name.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/http/message.h"
#include "runtime/http/text.h"

namespace runtime::http {

// What Connection names is for one hop; a client can't take away what we write ourselves (RFC 9110 7.6.1). Most messages
// name nothing but the connection's own options: then nothing is kept. Else the names, sorted: a head of n names and m lines costs
// their sum, not their product.
class ConnectionNames {
 public:
  explicit ConnectionNames(const Headers& headers) {
    for (const Header& line : headers.lines()) {
      if (line.id != HeaderId::k_connection || line.value == "keep-alive" || line.value == "close") continue;
      ForEachListItem(line.value, [&](std::string_view item) {
        if (!item.empty() && !EqualsIgnoreCase(item, "keep-alive") && !EqualsIgnoreCase(item, "close")) names_.push_back(Lower(item));
      });
    }
    std::sort(names_.begin(), names_.end());
  }

  bool Has(std::string_view name) const { return !names_.empty() && IsAmong(name); }

 private:
  bool IsAmong(std::string_view name) const { return std::binary_search(names_.begin(), names_.end(), Lower(name)); }
  static std::string Lower(std::string_view name) {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(), AsciiLower);
    return lower;
  }

  std::vector<std::string> names_;
};

}  // namespace runtime::http
