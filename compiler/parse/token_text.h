// Where ANTLR's tokens stand in the policy's bytes (ANTLR counts code points), and how messages call them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "antlr4-runtime.h"
#include "compiler/source/source_range.h"

namespace compiler::parse {

using source::SourceRange;

// Maps the code point indexes of a text that begins at byte `base` of the policy to bytes of the policy.
class OffsetMap {
 public:
  OffsetMap(std::string_view text, uint32_t base);

  uint32_t ByteOf(size_t code_point) const;
  SourceRange RangeOf(const antlr4::Token& token) const;
  // From the first byte of `first` to the last of `last`.
  SourceRange RangeOf(const antlr4::Token& first, const antlr4::Token& last) const;

 private:
  uint32_t base_;
  uint32_t size_;
  std::vector<uint32_t> bytes_;  // empty for ASCII
};

// "`or`", "the end of the file", "a string".
std::string Describe(const antlr4::Token& token);

// Classes of token types. An operand begins or ends with these whatever stands around it; brackets aside.
bool IsKeyword(size_t token_type);
bool IsComparator(size_t token_type);  // `in`, too
bool IsOpener(size_t token_type);
bool IsCloser(size_t token_type);
bool BeginsOperand(size_t token_type);
bool EndsOperand(size_t token_type);  // `)` and `]`, too

// Whether an operand must follow: `=`, `when`, `and`, `==`, `(`, `,` …
bool WantsOperand(size_t token_type);

// `given`, `send`, `wait`, `reload` and `expect`, where they begin a sentence of a test.
bool IsTestVerb(size_t token_type);

// Whether the tokens at `index` surely begin a statement: NAME =, NAME[…] =, NAME when, NAME {, NAME NAME {, let, when …
// No expression holds any of these.
bool BeginsStatement(const std::vector<antlr4::Token*>& tokens, size_t index);

}  // namespace compiler::parse
