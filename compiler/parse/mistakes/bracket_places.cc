#include "compiler/parse/mistakes/bracket_places.h"

#include "PolicyParser.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {

using antlr4::Token;
using policy_grammar::PolicyParser;

size_t CloserOf(size_t opener) {
  switch (opener) {
    case PolicyParser::LBRACE: return PolicyParser::RBRACE;
    case PolicyParser::LBRACKET: return PolicyParser::RBRACKET;
    case PolicyParser::LPAREN: return PolicyParser::RPAREN;
    default: return 0;
  }
}

size_t OpenerOf(size_t closer) {
  switch (closer) {
    case PolicyParser::RBRACE: return PolicyParser::LBRACE;
    case PolicyParser::RBRACKET: return PolicyParser::LBRACKET;
    case PolicyParser::RPAREN: return PolicyParser::LPAREN;
    default: return 0;
  }
}

BracketPlaces::BracketPlaces(const std::vector<Token*>& tokens) : tokens_(tokens) {
  first_.reserve(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool is_first = i == 0 || tokens[i - 1]->getLine() < tokens[i]->getLine();
    first_.push_back(is_first ? i : first_.back());
  }
}

OpenBracket BracketPlaces::OpenAt(size_t i) const {
  return {i, TypeAt(i), tokens_[i]->getLine(), LineColumn(i), IsBlockBrace(i), kNowhere};
}

bool BracketPlaces::IsBlockBrace(size_t i) const {
  if (TypeAt(i) != PolicyParser::LBRACE || i == 0) return false;
  switch (TypeAt(i - 1)) {
    case PolicyParser::IN:
    case PolicyParser::JSON:
    case PolicyParser::COLON:
    case PolicyParser::COMMA:
    case PolicyParser::ASSIGN:
    case PolicyParser::LBRACKET:
    case PolicyParser::LPAREN: return false;
    default: return true;
  }
}

bool BracketPlaces::HasCloser(size_t i) const {
  std::vector<size_t> open = {TypeAt(i)};
  for (size_t j = i + 1; j < Far(i) && !open.empty(); ++j) {
    if (IsOpener(TypeAt(j))) {
      open.push_back(TypeAt(j));
    } else if (IsCloser(TypeAt(j))) {
      if (CloserOf(open.back()) != TypeAt(j)) return false;
      open.pop_back();
    } else if (open.size() == 1 && EndsList(TypeAt(i), j)) {
      return false;
    }
  }
  return open.empty();
}

// Whether a statement begins at `j`, behind a list or arguments that are not closed. `from = 1s` is an argument with a wrong sign.
bool BracketPlaces::EndsList(size_t opener, size_t j) const {
  return BeginsStatement(tokens_, j) && (opener != PolicyParser::LPAREN || IsFirstOnLine(j));
}

bool BracketPlaces::IsMember(size_t i) const {
  return TypeAt(i) == PolicyParser::STRING && TypeAt(i + 1) == PolicyParser::COLON;
}

bool BracketPlaces::IsClosedBehind(const OpenBracket& open, size_t i) const {
  int depth = 0;
  for (size_t j = i + 1; j < Far(i); ++j) {
    if (IsFirstOnLine(j) && BeginsStatement(tokens_, j)) return false;
    if (IsOpener(TypeAt(j))) ++depth;
    if (IsCloser(TypeAt(j)) && depth-- == 0) return TypeAt(j) == CloserOf(open.type);
  }
  return false;
}

bool BracketPlaces::IsDoubledOpener(size_t i) const {
  if (i == 0 || TypeAt(i - 1) != TypeAt(i)) return false;
  const bool is_call = TypeAt(i) == PolicyParser::LPAREN && i >= 2 && TypeAt(i - 2) == PolicyParser::NAME;
  return TypeAt(i) == PolicyParser::LBRACE || ((is_call || TypeAt(i) == PolicyParser::LBRACKET) && !HasCloser(i - 1));
}

size_t BracketPlaces::EndOf(size_t i) const {
  const size_t type = TypeAt(i);
  const size_t before = i > 0 ? TypeAt(i - 1) : Token::EOF;
  const bool is_suffix = type != PolicyParser::LBRACE && EndsOperand(before);
  if (type == PolicyParser::LPAREN && !is_suffix) return kNowhere;  // holds any condition
  if (type == PolicyParser::LBRACE && before != PolicyParser::IN) return kNowhere;
  // `"messages": [, "stream": true`: the next member of the object around it. But `[ "role": "user" }]` lacks a brace.
  const bool may_hold_json = type == PolicyParser::LBRACKET && before == PolicyParser::COLON && !IsMember(i + 1);
  int depth = 0;
  for (size_t j = i + 1; j < Far(i); ++j) {
    const size_t at = TypeAt(j);
    if (IsOpener(at)) ++depth;
    if (IsCloser(at) && depth-- == 0) return kNowhere;
    if (depth > 0) continue;
    if (may_hold_json && at == PolicyParser::COMMA && IsMember(j + 1)) return j;
    const bool is_key = is_suffix && type == PolicyParser::LBRACKET &&
                        (at == PolicyParser::COALESCE || at == PolicyParser::DOT || at == PolicyParser::COMMA);
    const bool is_operator = IsComparator(at) || at == PolicyParser::AND || at == PolicyParser::OR ||
                             (at == PolicyParser::ASSIGN && type != PolicyParser::LPAREN);
    if (is_operator || is_key || EndsList(type, j) || at == Token::EOF) return j;
  }
  return kNowhere;
}

bool BracketPlaces::ClosesBelow(size_t i, size_t column) const {
  for (size_t j = i + 1; j < Far(i); ++j) {
    if (IsFirstOnLine(j) && tokens_[j]->getCharPositionInLine() <= column)
      return TypeAt(j) == PolicyParser::RBRACE && tokens_[j]->getCharPositionInLine() == column;
  }
  return false;
}

size_t BracketPlaces::OpenerPlace(size_t i) const {
  const size_t type = TypeAt(i);
  size_t begin = i;
  int depth = 0;
  while (begin > 0 && i - begin < kFar) {
    const size_t at = TypeAt(begin - 1);
    if (IsCloser(at)) ++depth;
    if (IsOpener(at) && depth-- == 0) break;
    --begin;
    const bool next_line =
        IsFirstOnLine(begin) && begin > 0 && EndsOperand(TypeAt(begin - 1)) && BeginsOperand(TypeAt(begin));
    if (depth == 0 && (next_line || BeginsStatement(tokens_, begin))) break;
  }
  // `["role": "user" }]`
  if (type == PolicyParser::RBRACE && begin > 0 && TypeAt(begin - 1) == PolicyParser::LBRACKET && IsMember(begin))
    return begin;
  bool has_comma = false;
  size_t place = kNowhere;
  size_t argument = kNowhere;  // the first one with a name
  size_t value = kNowhere;
  for (size_t j = begin; j < i; ++j) {
    const size_t at = TypeAt(j);
    const size_t next = TypeAt(j + 1);
    if (IsOpener(at)) ++depth;
    if (IsCloser(at)) --depth;
    if (depth > 0) continue;
    has_comma = has_comma || at == PolicyParser::COMMA;
    const bool is_list = at == PolicyParser::ASSIGN && type == PolicyParser::RBRACKET;
    const bool is_set = at == PolicyParser::IN && type == PolicyParser::RBRACE;
    const bool is_json = at == PolicyParser::JSON && type == PolicyParser::RBRACE && next != PolicyParser::LBRACE;
    const bool is_inner_json = at == PolicyParser::COLON && type == PolicyParser::RBRACE &&
                               next == PolicyParser::STRING && TypeAt(j + 2) == PolicyParser::COLON;
    // `header"X"]`; further on a setting of that name may stand before the value.
    const bool is_key =
        type == PolicyParser::RBRACKET && at == PolicyParser::NAME && next == PolicyParser::STRING && j + 2 == i;
    const bool side_by_side =
        type != PolicyParser::RBRACE && EndsOperand(at) && BeginsOperand(next) && (j > begin || is_key);
    // `"messages": {"role": "user"}]`
    const bool is_json_list =
        type == PolicyParser::RBRACKET && at == PolicyParser::COLON && IsMember(j - 1) && next == PolicyParser::LBRACE;
    if (is_json || is_inner_json || side_by_side || is_json_list || ((is_list || is_set) && !IsOpener(next)))
      place = j + 1;
    if (is_json || is_inner_json || side_by_side) return place;
    // `= exponentialfrom: 1s, cap: 5s)`: the function's name and the argument's have become one.
    const bool is_argument = at == PolicyParser::NAME && next == PolicyParser::COLON;
    if (argument == kNowhere && is_argument) argument = j;
    if (at == PolicyParser::ASSIGN && next == PolicyParser::NAME) value = j + 1;
  }
  if (type == PolicyParser::RPAREN && place == kNowhere) place = argument != kNowhere || !has_comma ? argument : value;
  // A single word between `in` and a brace may just as well be all of the set, and the brace one too many.
  return type == PolicyParser::RBRACE && !has_comma ? kNowhere : place;
}

}  // namespace compiler::parse
