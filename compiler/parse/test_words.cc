#include "compiler/parse/test_words.h"

#include <optional>
#include <string>

#include "PolicyParser.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {
namespace {

using antlr4::Token;
using policy_grammar::PolicyParser;

std::optional<size_t> VerbOf(const Token& token) {
  const std::string word = token.getText();
  if (word == "given") return PolicyParser::GIVEN;
  if (word == "send") return PolicyParser::SEND;
  if (word == "wait") return PolicyParser::WAIT;
  if (word == "expect") return PolicyParser::EXPECT;
  return std::nullopt;
}

}  // namespace

void MarkTestVerbs(const std::vector<std::unique_ptr<Token>>& tokens) {
  const auto type = [&](size_t i) { return i < tokens.size() ? tokens[i]->getType() : Token::EOF; };
  // An upstream may be called `send`: behind `given`, and behind an operator if the sentence is over with it. Nothing but a
  // setting, which belongs elsewhere, has `=` behind it.
  const auto is_name = [&](size_t i) {
    const size_t before = type(i - 1);
    const size_t next = type(i + 1);
    if (before == PolicyParser::GIVEN || next == PolicyParser::ASSIGN) return true;
    const bool is_over = next == PolicyParser::RBRACE || next == PolicyParser::AND || next == PolicyParser::OR ||
                         (next == PolicyParser::NAME && VerbOf(*tokens[i + 1]).has_value());
    return WantsOperand(before) && !IsTestVerb(before) && is_over;
  };
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
          const auto verb = depth == 1 ? VerbOf(*tokens[i]) : std::nullopt;
          if (verb && !is_name(i)) static_cast<antlr4::CommonToken*>(tokens[i].get())->setType(*verb);
          break;
        }
        default: break;
      }
    }
    --i;
  }
}

}  // namespace compiler::parse
