// The text that stands in whatever a pattern matches: literal characters in a row, outside of groups and of what may be missing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace compiler::analysis {

struct LiteralRun {
  enum class Part : uint8_t { kStart, kEnd, kSomewhere };  // where it stands in the text that is matched
  Part part{};
  std::string text;
  bool any_case = false;  // behind (?i)
};

// pattern: one that compiles. In their order; of one with an alternative at its top nothing is sure, so it has none. A run may be shorter
// than it could be, and never says more than is so.
std::vector<LiteralRun> RunsOf(std::string_view pattern);

}  // namespace compiler::analysis
