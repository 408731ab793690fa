// Regular expressions of policies: `matches /…/`. The one door to RE2, whose time is linear in the text, so that no request can
// make a predicate slow.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/abi/pattern.h"

namespace compiler::regex {

inline constexpr size_t kMaxPatternBytes = 1000;
// Of RE2's program: a counted repetition multiplies what it repeats.
inline constexpr int kMaxPatternSteps = 5000;
// Of one pattern while it is matched; with less than it would like, matching is slower, never wrong.
inline constexpr int kMemoryBytes = 1 << 20;

struct CompileResult {
  std::shared_ptr<const abi::Pattern> pattern;  // null on failure
  std::string problem;                          // why there is none
  size_t problem_begin = 0;                     // the part of `source` that is to blame; all of it if nobody knows
  size_t problem_end = 0;
};

// RE2's syntax: Perl's without look-around and back references.
CompileResult CompilePattern(std::string_view source);

}  // namespace compiler::regex
