// The codes of findings as users look them up: codes.def, and the page of each (docs/checks/).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace compiler::diagnostics {

enum class FixKind : uint8_t {
  kSafe,     // some finding of the code carries a fix that is surely what was meant
  kOffered,  // … only fixes that need a choice
  kNone,
};

struct CodeInfo {
  std::string_view code;   // "PL0101"
  std::string_view title;  // a few words
  FixKind fix;
  std::string_view why;  // what the fix does, or why there is none
};

// In the order of the table.
std::span<const CodeInfo> Codes();
const CodeInfo* FindCode(std::string_view code);  // null for an unknown one

}  // namespace compiler::diagnostics
