#include "compiler/parse/tokens.h"

#include <string>

#include "PolicyLexer.h"
#include "antlr4-runtime.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {
namespace {

using policy_grammar::PolicyLexer;

TokenKind KindOf(size_t type) {
  if (type >= PolicyLexer::EDITION && type <= PolicyLexer::MATCHES) return TokenKind::kKeyword;
  switch (type) {
    case PolicyLexer::NAME: return TokenKind::kName;
    case PolicyLexer::NETWORK:
    case PolicyLexer::NUMBER: return TokenKind::kNumber;
    case PolicyLexer::STRING: return TokenKind::kString;
    case PolicyLexer::REGEX: return TokenKind::kRegex;
    case PolicyLexer::COMMENT: return TokenKind::kComment;
    case PolicyLexer::OPEN_REGEX:
    case PolicyLexer::OPEN_STRING:
    case PolicyLexer::FOREIGN:
    case PolicyLexer::UNKNOWN: return TokenKind::kOther;
    default: return TokenKind::kSymbol;
  }
}

}  // namespace

std::vector<Token> ReadTokens(std::string_view text) {
  // As ParseFile does it: a byte order mark is no character of the text.
  const uint32_t begin = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  const OffsetMap offsets(text.substr(begin), begin);
  antlr4::ANTLRInputStream input{std::string(text.substr(begin))};
  PolicyLexer lexer(&input);
  lexer.removeErrorListeners();
  std::vector<Token> tokens;
  for (const auto& token : lexer.getAllTokens())
    tokens.push_back({KindOf(token->getType()), offsets.RangeOf(*token)});
  return tokens;
}

}  // namespace compiler::parse
