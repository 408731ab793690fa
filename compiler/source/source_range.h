// Where something was written: bytes [begin, end) of the policy's text.
#pragma once

#include <compare>
#include <cstdint>

namespace compiler::source {

struct SourceRange {
  uint32_t begin = 0;
  uint32_t end = 0;

  constexpr auto operator<=>(const SourceRange&) const = default;
};

// From the start of `a` to the end of `b`.
constexpr SourceRange Join(SourceRange a, SourceRange b) { return {a.begin, b.end}; }

}  // namespace compiler::source
