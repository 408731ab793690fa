#include "compiler/parse/token_text.h"

#include <algorithm>

#include "PolicyParser.h"
#include "base/text.h"

namespace compiler::parse {

using policy_grammar::PolicyParser;

OffsetMap::OffsetMap(std::string_view text, uint32_t base) : base_(base), size_(static_cast<uint32_t>(text.size())) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return;
  for (size_t i = 0; i < text.size();) {
    bytes_.push_back(static_cast<uint32_t>(i));
    base::NextCodePoint(text, &i);
  }
}

uint32_t OffsetMap::ByteOf(size_t code_point) const {
  if (bytes_.empty()) return base_ + std::min(static_cast<uint32_t>(code_point), size_);
  return base_ + (code_point < bytes_.size() ? bytes_[code_point] : size_);
}

SourceRange OffsetMap::RangeOf(const antlr4::Token& token) const { return RangeOf(token, token); }

SourceRange OffsetMap::RangeOf(const antlr4::Token& first, const antlr4::Token& last) const {
  const size_t begin = first.getStartIndex();
  // The end of the file and tokens that were put in stop before they start. INVALID_INDEX + 1 is 0.
  const size_t end = last.getType() == antlr4::Token::EOF ? begin : last.getStopIndex() + 1;
  return {ByteOf(begin), ByteOf(std::max(begin, end))};
}

std::string Describe(const antlr4::Token& token) {
  if (token.getType() == antlr4::Token::EOF) return "the end of the file";
  std::string text = token.getText();
  if (text.size() > 40) return token.getType() == PolicyParser::STRING ? "a string" : "this word";
  return "`" + text + "`";
}

bool IsKeyword(size_t type) { return type >= PolicyParser::EDITION && type <= PolicyParser::MATCHES; }

bool IsComparator(size_t type) {
  return (type >= PolicyParser::EQ && type <= PolicyParser::GT) || type == PolicyParser::IN ||
         (type >= PolicyParser::STARTS_WITH && type <= PolicyParser::MATCHES);
}

bool IsOpener(size_t type) {
  return type == PolicyParser::LBRACE || type == PolicyParser::LBRACKET || type == PolicyParser::LPAREN;
}

bool IsCloser(size_t type) {
  return type == PolicyParser::RBRACE || type == PolicyParser::RBRACKET || type == PolicyParser::RPAREN;
}

bool BeginsOperand(size_t type) {
  return type == PolicyParser::NAME || type == PolicyParser::NUMBER || type == PolicyParser::STRING ||
         type == PolicyParser::NETWORK || type == PolicyParser::REGEX;
}

bool EndsOperand(size_t type) {
  return BeginsOperand(type) || type == PolicyParser::RPAREN || type == PolicyParser::RBRACKET;
}

bool WantsOperand(size_t type) {
  switch (type) {
    case PolicyParser::ASSIGN:
    case PolicyParser::WHEN:
    case PolicyParser::AND:
    case PolicyParser::OR:
    case PolicyParser::NOT:
    case PolicyParser::IN:
    case PolicyParser::STARTS_WITH:
    case PolicyParser::ENDS_WITH:
    case PolicyParser::CONTAINS:
    case PolicyParser::MATCHES:
    case PolicyParser::EQ:
    case PolicyParser::NE:
    case PolicyParser::LT:
    case PolicyParser::LE:
    case PolicyParser::GT:
    case PolicyParser::GE:
    case PolicyParser::COALESCE:
    case PolicyParser::COLON:
    case PolicyParser::DOT:
    case PolicyParser::MINUS:
    case PolicyParser::LET:
    case PolicyParser::EDITION: return true;
    default: return IsTestVerb(type);
  }
}

bool IsTestVerb(size_t type) {
  return type == PolicyParser::GIVEN || type == PolicyParser::SEND || type == PolicyParser::WAIT ||
         type == PolicyParser::RELOAD || type == PolicyParser::EXPECT;
}

bool BeginsStatement(const std::vector<antlr4::Token*>& tokens, size_t i) {
  const auto type = [&](size_t at) { return at < tokens.size() ? tokens[at]->getType() : antlr4::Token::EOF; };
  if (type(i + 1) == PolicyParser::COLON) return false;  // the name of an argument, which any word may be
  switch (type(i)) {
    case PolicyParser::EDITION: return type(i + 1) == PolicyParser::NUMBER;
    case PolicyParser::LET: return type(i + 1) == PolicyParser::NAME && type(i + 2) == PolicyParser::ASSIGN;
    case PolicyParser::WHEN:
    case PolicyParser::GIVEN:
    case PolicyParser::SEND:
    case PolicyParser::WAIT:
    case PolicyParser::RELOAD:
    case PolicyParser::EXPECT: return true;
    case PolicyParser::IMPORT:
    case PolicyParser::TEST: return type(i + 1) == PolicyParser::STRING;
    case PolicyParser::PROMISE:
    case PolicyParser::ALLOW: return type(i + 1) == PolicyParser::NAME;
    case PolicyParser::NAME: break;
    default: return false;
  }
  switch (type(i + 1)) {
    case PolicyParser::ASSIGN:
    case PolicyParser::WHEN:
    case PolicyParser::LBRACE: return true;
    case PolicyParser::NAME: return type(i + 2) == PolicyParser::LBRACE;
    case PolicyParser::LBRACKET: {
      // A key is short: NAME [ STRING ] =.
      return type(i + 3) == PolicyParser::RBRACKET && type(i + 4) == PolicyParser::ASSIGN;
    }
    default: return false;
  }
}

}  // namespace compiler::parse
