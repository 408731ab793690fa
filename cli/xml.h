// Text for XML 1.0.
#pragma once

#include <string>
#include <string_view>

namespace cli {

// For attributes and elements. Characters that XML 1.0 (2.2) has no room for, and bytes that are not UTF-8, become U+FFFD.
std::string XmlEscape(std::string_view text);

}  // namespace cli
