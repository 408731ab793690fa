#include "compiler/parse/test_words.h"

#include <optional>
#include <string>

#include "PolicyParser.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {
namespace {

using antlr4::Token;
using policy_grammar::PolicyParser;

std::optional<size_t> VerbOf(const std::string& word) {
  if (word == "given") return PolicyParser::GIVEN;
  if (word == "send") return PolicyParser::SEND;
  if (word == "wait") return PolicyParser::WAIT;
  if (word == "expect") return PolicyParser::EXPECT;
  return std::nullopt;
}

}  // namespace

void MarkTestVerbs(const std::vector<std::unique_ptr<Token>>& tokens) {
  const auto type = [&](size_t i) { return i < tokens.size() ? tokens[i]->getType() : Token::EOF; };
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool is_test = type(i) == PolicyParser::TEST && type(i + 1) == PolicyParser::STRING &&
                         type(i + 2) == PolicyParser::LBRACE && (i == 0 || type(i - 1) != PolicyParser::DOT);
    if (!is_test) continue;
    size_t depth = 1;
    for (i += 3; i < tokens.size() && depth > 0; ++i) {
      switch (type(i)) {
        case PolicyParser::LBRACE:
        case PolicyParser::LBRACKET:
        case PolicyParser::LPAREN: ++depth; break;
        case PolicyParser::RBRACE:
        case PolicyParser::RBRACKET:
        case PolicyParser::RPAREN: --depth; break;
        case PolicyParser::NAME: {
          // Behind an operator or `given` stands what they are about: an upstream may be called `send`.
          const size_t before = type(i - 1);
          const bool is_operand = before == PolicyParser::GIVEN || (WantsOperand(before) && !IsTestVerb(before));
          const auto verb = depth == 1 && !is_operand ? VerbOf(tokens[i]->getText()) : std::nullopt;
          if (verb) static_cast<antlr4::CommonToken*>(tokens[i].get())->setType(*verb);
          break;
        }
        default: break;
      }
    }
    --i;
  }
}

}  // namespace compiler::parse
