// A regular expression as predicates see it: an object to ask, whoever compiled it (compiler/regex does, with RE2).
#pragma once

#include <string_view>

namespace compiler::abi {

// Immutable; may be asked by any thread.
class Pattern {
 public:
  virtual ~Pattern() = default;

  // Whether the pattern is found anywhere in `text` (any bytes; what is not UTF-8 matches nothing). Time is linear in the text's
  // size and memory bounded, whatever the two are.
  virtual bool IsFoundIn(std::string_view text) const noexcept = 0;

  virtual std::string_view source() const = 0;  // as written, without the slashes
};

}  // namespace compiler::abi
