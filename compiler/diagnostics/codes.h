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

// What is to be known of a finding by its code alone (codes.def).
enum CodeTraits : uint8_t {
  kNoTraits = 0,
  kSyntax = 1,    // found by reading, before anything is known of names and types
  kLocal = 2,     // its line says all that it hangs on
  kMisleads = 4,  // whoever reads on behind it may be out of step
};

struct CodeInfo {
  std::string_view code;   // "PL0101"
  std::string_view title;  // a few words
  uint8_t traits;          // of CodeTraits
  FixKind fix;
  std::string_view why;  // what the fix does, or why there is none
};

// In the order of the table.
std::span<const CodeInfo> Codes();
const CodeInfo* FindCode(std::string_view code);  // null for an unknown one
// False for an unknown one.
bool HasTrait(std::string_view code, CodeTraits trait);

}  // namespace compiler::diagnostics
