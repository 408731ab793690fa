// `breakwater explain upstream.timeouts.idle`: a setting as the language's table has it, and what it is in a policy.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile.h"

namespace cli {

// Blocks from the outermost in and the setting, or a block alone; the outer ones may be left out where one is meant. nullopt if it
// is none: then *near is the nearest one, or empty. `policy`: null, or where to look for its value.
std::optional<std::string> ExplainSetting(std::string_view dotted, const compiler::WrittenPolicy* policy, std::string* near);

// All of them: "upstream.timeouts.idle", in the order of the table.
std::vector<std::string> SettingPaths();

}  // namespace cli
