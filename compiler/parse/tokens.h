// The words of a policy with their places, comments included: for tools that work on the text itself. No ANTLR type leaves.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "compiler/source/source_range.h"

namespace compiler::parse {

enum class TokenKind : uint8_t {
  kName,     // also soft keywords where they are members
  kKeyword,  // when, let, and, in …
  kNumber,   // with its unit; an address, a network
  kString,   // with its quotes
  kRegex,    // with its slashes
  kSymbol,   // operators, brackets, commas
  kComment,  // from # to the end of its line
  kOther,    // what the parser refuses
};

struct Token {
  TokenKind kind = TokenKind::kOther;
  source::SourceRange range;
};

// In the order of the text; white space is between them. `text` is UTF-8.
std::vector<Token> ReadTokens(std::string_view text);

}  // namespace compiler::parse
