// Where brackets of a token list belong that are not there, told from what stands around them: indentation, and words that cannot
// stand inside of lists, sets and arguments. Looks only; token_repair mends.
#pragma once

#include <cstddef>
#include <vector>

#include "antlr4-runtime.h"

namespace compiler::parse {

// A bracket that waits for its closer.
struct OpenBracket {
  size_t index;  // of the token
  size_t type;
  size_t line;
  size_t line_column;  // where the line begins that it stands on
  bool is_block;       // a block's brace, not a set's or JSON's
  size_t end;  // of what is never closed: the token before which its closer belongs; kNowhere if that is not known
};
inline constexpr size_t kNowhere = static_cast<size_t>(-1);

size_t CloserOf(size_t opener);
size_t OpenerOf(size_t closer);

class BracketPlaces {
 public:
  // Borrows `tokens`, EOF last; they must not change.
  explicit BracketPlaces(const std::vector<antlr4::Token*>& tokens);

  size_t TypeAt(size_t i) const { return i < tokens_.size() ? tokens_[i]->getType() : antlr4::Token::EOF; }
  bool IsFirstOnLine(size_t i) const { return first_[i] == i; }
  size_t FirstOfLine(size_t i) const { return first_[i]; }
  // Where the line begins that a token stands on.
  size_t LineColumn(size_t i) const { return tokens_[first_[i]]->getCharPositionInLine(); }

  OpenBracket OpenAt(size_t i) const;
  // A block's brace, not a set's or JSON's. Whatever else stands before it was meant to be a head.
  bool IsBlockBrace(size_t i) const;
  // Whether the opener at `i` repeats the one before it.
  bool IsDoubledOpener(size_t i) const;
  // Whether the closer of the opener at `i` comes before the next statement and no other bracket is in its way.
  bool HasCloser(size_t i) const;
  // Whether behind `i` the closer of `open` comes before the next statement.
  bool IsClosedBehind(const OpenBracket& open, size_t i) const;
  // Whether the first line below that is not further right than `column` is a closing brace there.
  bool ClosesBelow(size_t i, size_t column) const;
  // Where the list, set, key or arguments that open at `i` end: at the first word that cannot stand in them.
  size_t EndOf(size_t i) const;
  // The place of the opener that the closer at `i` lacks: `env"X", …)`, `in GET, HEAD}`, `= a, b]`, `json "a": 1 }`.
  size_t OpenerPlace(size_t i) const;

 private:
  // How far each of these looks, in tokens: a large broken file must not take the square of its length.
  static constexpr size_t kFar = 1000;

  bool EndsList(size_t opener, size_t i) const;
  // A member of a JSON object: `"name":`.
  bool IsMember(size_t i) const;
  size_t Far(size_t i) const { return i + kFar < tokens_.size() ? i + kFar : tokens_.size(); }

  const std::vector<antlr4::Token*>& tokens_;
  std::vector<size_t> first_;  // of each token the first one on its line
};

}  // namespace compiler::parse
