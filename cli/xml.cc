#include "cli/xml.h"

#include "base/text.h"

namespace cli {

std::string XmlEscape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const std::optional<char32_t> c = base::NextCodePoint(text, &i);
    const bool allowed = c && ((*c >= 0x20 && *c != 0xFFFE && *c != 0xFFFF) || *c == '\t' || *c == '\n' || *c == '\r');
    if (!allowed) out += "\xEF\xBF\xBD";
    else if (*c == '&') out += "&amp;";
    else if (*c == '<') out += "&lt;";
    else if (*c == '>') out += "&gt;";
    else if (*c == '"') out += "&quot;";
    else if (*c == '\n') out += "&#10;";
    else if (*c == '\r') out += "&#13;";
    else base::AppendUtf8(*c, &out);
  }
  return out;
}

}  // namespace cli
