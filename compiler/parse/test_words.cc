#include "compiler/parse/test_words.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "PolicyParser.h"
#include "base/text.h"
#include "compiler/parse/mistakes/word_repair.h"

namespace compiler::parse {
namespace {

using antlr4::Token;
using policy_grammar::PolicyParser;

std::optional<size_t> VerbOf(std::string_view word) {
  if (word == "given") return PolicyParser::GIVEN;
  if (word == "send") return PolicyParser::SEND;
  if (word == "wait") return PolicyParser::WAIT;
  if (word == "reload") return PolicyParser::RELOAD;
  if (word == "expect") return PolicyParser::EXPECT;
  return std::nullopt;
}
std::optional<size_t> VerbOf(const Token& token) { return VerbOf(token.getText()); }

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

class Marker {
 public:
  Marker(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
         const std::vector<std::unique_ptr<Token>>& tokens)
      : offsets_(offsets), diagnostics_(diagnostics) {
    view_.reserve(tokens.size());
    for (const auto& token : tokens) view_.push_back(token.get());
  }

  void Run() {
    for (size_t i = 0; i < view_.size(); ++i) {
      if (BeginsTest(i)) i = MarkTest(i) - 1;
    }
  }

 private:
  size_t TypeAt(size_t i) const { return i < view_.size() ? view_[i]->getType() : Token::EOF; }
  bool IsFirstOnLine(size_t i) const { return i == 0 || view_[i - 1]->getLine() < view_[i]->getLine(); }
  bool IsVerb(size_t i) const { return TypeAt(i) == PolicyParser::NAME && VerbOf(*view_[i]).has_value(); }

  // `test "…" {`; also with the word misspelt, and where its name or its brace is missing and sentences follow.
  bool BeginsTest(size_t i) {
    const size_t type = TypeAt(i);
    if (type != PolicyParser::TEST && type != PolicyParser::NAME) return false;
    if (i > 0 && TypeAt(i - 1) == PolicyParser::DOT) return false;
    const bool is_common = type == PolicyParser::NAME && TypeAt(i + 1) == PolicyParser::LBRACE && view_[i]->getText() == "common" && IsFirstOnLine(i);
    if (is_common) return true;
    if (BraceOfHabit(i) != 0) return true;
    const bool has_name = TypeAt(i + 1) == PolicyParser::STRING;
    const bool has_brace = TypeAt(has_name ? i + 2 : i + 1) == PolicyParser::LBRACE;
    if (type == PolicyParser::TEST) {
      const size_t behind = i + 1 + (has_name ? 1 : 0) + (has_brace ? 1 : 0);
      return (has_name && has_brace) || ((has_name || has_brace) && IsFirstOnLine(behind) && IsVerb(behind));
    }
    const bool may_begin = i == 0 || EndsOperand(TypeAt(i - 1)) || TypeAt(i - 1) == PolicyParser::RBRACE;
    if (!has_name || !has_brace || !may_begin) return false;
    constexpr std::string_view kTest[] = {"test"};
    if (!base::Nearest(view_[i]->getText(), kTest)) return false;
    Respell(offsets_, diagnostics_, view_[i], kTest[0], PolicyParser::TEST);
    return true;
  }

  // The brace of `test ("…") {` and `test "…" = {`, which are mended later; 0: it is neither.
  size_t BraceOfHabit(size_t test) const {
    if (TypeAt(test) != PolicyParser::TEST) return 0;
    const auto stand = [&](std::initializer_list<size_t> types) {
      size_t at = test;
      return std::all_of(types.begin(), types.end(), [&](size_t type) { return TypeAt(++at) == type; });
    };
    using P = PolicyParser;
    if (stand({P::LPAREN, P::STRING, P::RPAREN, P::LBRACE})) return test + 4;
    return stand({P::STRING, P::ASSIGN, P::LBRACE}) || stand({P::STRING, P::COLON, P::LBRACE}) ? test + 3 : 0;
  }

  // Returns the index behind the test that begins at `begin`.
  size_t MarkTest(size_t begin) {
    size_t i = BraceOfHabit(begin) != 0 ? BraceOfHabit(begin) : begin + 1;
    while (TypeAt(i) == PolicyParser::STRING || TypeAt(i) == PolicyParser::LBRACE) ++i;
    const size_t brace = TypeAt(i - 1) == PolicyParser::LBRACE ? i - 1 : i;
    // Where something is wrong with its brackets, its lines tell where it ends and where a sentence begins.
    const bool has_lines = i < view_.size() && IsFirstOnLine(i) && !BracketsAreInOrder(view_, brace);
    const size_t column = view_[begin]->getCharPositionInLine();
    const auto ends_by_line = [&](size_t at) {
      return IsFirstOnLine(at) && view_[at]->getCharPositionInLine() <= column;
    };
    size_t depth = 1;
    for (; i < view_.size() && (has_lines ? !ends_by_line(i) : depth > 0); ++i) {
      switch (TypeAt(i)) {
        case PolicyParser::LBRACE:
        case PolicyParser::LBRACKET:
        case PolicyParser::LPAREN: ++depth; break;
        case PolicyParser::RBRACE:
        case PolicyParser::RBRACKET:
        case PolicyParser::RPAREN: depth -= depth > 0 ? 1 : 0; break;
        case PolicyParser::NAME:
          if (depth == 1 || (has_lines && IsFirstOnLine(i))) MarkVerb(i);
          break;
        default: break;
      }
    }
    return i;
  }

  void MarkVerb(size_t i) {
    if (const auto verb = VerbOf(*view_[i])) {
      if (!IsNameAt(i)) static_cast<antlr4::CommonToken*>(view_[i])->setType(*verb);
    } else if (const auto meant = MisspeltVerb(i)) {
      Respell(offsets_, diagnostics_, view_[i], *meant, *VerbOf(*meant));
    }
  }

  // An upstream may be called `send`: behind `given`, and behind an operator if the sentence is over with it. Nothing but a
  // setting, which belongs elsewhere, has `=` behind it.
  bool IsNameAt(size_t i) const {
    const size_t before = TypeAt(i - 1);
    const size_t next = TypeAt(i + 1);
    if (before == PolicyParser::GIVEN || next == PolicyParser::ASSIGN) return true;
    const bool is_over =
        next == PolicyParser::RBRACE || next == PolicyParser::AND || next == PolicyParser::OR || IsVerb(i + 1);
    return WantsOperand(before) && !IsTestVerb(before) && is_over;
  }

  // A word at the beginning of a line that is near to a verb, with behind it what stands behind that verb. Behind a
  // clause, `NAME NAME NAME`, `NAME NAME STRING` and the rest occur as well, but no word of a clause is near to a verb.
  std::optional<std::string_view> MisspeltVerb(size_t i) const {
    const size_t before = TypeAt(i - 1);
    if (!IsFirstOnLine(i) && before != PolicyParser::LBRACE) return std::nullopt;
    if (WantsOperand(before) || before == PolicyParser::COMMA) return std::nullopt;
    const size_t next = TypeAt(i + 1);
    const size_t behind = TypeAt(i + 2);
    std::array<std::string_view, 5> verbs;
    size_t count = 0;
    if (next == PolicyParser::NAME && behind == PolicyParser::NAME) verbs[count++] = "given";
    if (next == PolicyParser::NAME && behind == PolicyParser::STRING) verbs[count++] = "send";
    if (next == PolicyParser::NUMBER) verbs[count++] = "wait";
    if (next == PolicyParser::STRING && behind != PolicyParser::ASSIGN) verbs[count++] = "reload";
    const bool is_claim = IsComparator(behind) || behind == PolicyParser::LPAREN || behind == PolicyParser::LBRACKET ||
                          behind == PolicyParser::DOT || behind == PolicyParser::NOT;
    if (next == PolicyParser::NOT || (next == PolicyParser::NAME && is_claim)) verbs[count++] = "expect";
    return base::Nearest(view_[i]->getText(), std::span(verbs).first(count));
  }

  const OffsetMap& offsets_;
  diagnostics::Diagnostics* diagnostics_;
  std::vector<Token*> view_;
};

}  // namespace

void MarkTestVerbs(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                   const std::vector<std::unique_ptr<Token>>& tokens) {
  Marker(offsets, diagnostics, tokens).Run();
}

}  // namespace compiler::parse
