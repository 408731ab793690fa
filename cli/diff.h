// The difference of two texts as `diff -u` writes it.
#pragma once

#include <string>
#include <string_view>

namespace cli {

// "" if they are equal. Three lines of context.
std::string UnifiedDiff(const std::string& name, std::string_view before, std::string_view after);

}  // namespace cli
