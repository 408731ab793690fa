#include "compiler/parse/test_words.h"

#include <optional>
#include <string>
#include <vector>

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

// Whether the brackets behind the brace at `begin` are in order: each is closed by its own kind, and behind the one that closes the
// brace something new begins.
bool BracketsAreInOrder(const std::vector<Token*>& tokens, size_t begin) {
  std::vector<size_t> closers;
  for (size_t i = begin; i < tokens.size(); ++i) {
    const size_t type = tokens[i]->getType();
    if (type == PolicyParser::LBRACE) closers.push_back(PolicyParser::RBRACE);
    if (type == PolicyParser::LBRACKET) closers.push_back(PolicyParser::RBRACKET);
    if (type == PolicyParser::LPAREN) closers.push_back(PolicyParser::RPAREN);
    if (type != PolicyParser::RBRACE && type != PolicyParser::RBRACKET && type != PolicyParser::RPAREN) continue;
    if (closers.empty() || closers.back() != type) return false;
    closers.pop_back();
    if (closers.empty()) return i + 1 >= tokens.size() || tokens[i + 1]->getType() == Token::EOF || BeginsStatement(tokens, i + 1);
  }
  return false;
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
  std::vector<Token*> view;
  for (const auto& token : tokens) view.push_back(token.get());
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool is_test = type(i) == PolicyParser::TEST && type(i + 1) == PolicyParser::STRING &&
                         type(i + 2) == PolicyParser::LBRACE && (i == 0 || type(i - 1) != PolicyParser::DOT);
    if (!is_test) continue;
    // Where something is wrong with its brackets, its lines tell where it ends and where a sentence begins.
    const auto is_first = [&](size_t at) { return tokens[at]->getLine() > tokens[at - 1]->getLine(); };
    const size_t column = tokens[i]->getCharPositionInLine();
    const bool has_lines = i + 3 < tokens.size() && is_first(i + 3) && !BracketsAreInOrder(view, i + 2);
    const auto ends_by_line = [&](size_t at) { return is_first(at) && tokens[at]->getCharPositionInLine() <= column; };
    size_t depth = 1;
    for (i += 3; i < tokens.size() && (has_lines ? !ends_by_line(i) : depth > 0); ++i) {
      switch (type(i)) {
        case PolicyParser::LBRACE:
        case PolicyParser::LBRACKET:
        case PolicyParser::LPAREN: ++depth; break;
        case PolicyParser::RBRACE:
        case PolicyParser::RBRACKET:
        case PolicyParser::RPAREN: depth -= depth > 0 ? 1 : 0; break;
        case PolicyParser::NAME: {
          const bool may_begin = depth == 1 || (has_lines && is_first(i));
          const auto verb = may_begin ? VerbOf(*tokens[i]) : std::nullopt;
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
