#include "compiler/parse/mistakes/swap_repair.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "PolicyParser.h"
#include "base/text.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::parse {
namespace {

using antlr4::CommonToken;
using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

constexpr std::string_view kBlocks[] = {"gateway", "limits", "upstream", "timeouts", "retry",
                                        "breaker", "queue",  "health",   "pool",     "rewrite",
                                        "cache",   "reply",  "mock",     "route",    "tls"};
// What may stand in front of `when`.
constexpr std::string_view kOfWhen[] = {"open", "close", "failure", "rest", "store", "next"};

// Words that stand in a sentence of a test where its verb does not.
constexpr std::string_view kClauses[] = {"always", "times",  "after", "header", "json", "text",
                                         "from",   "leaves", "at",    "a",      "time"};

template <typename Words>
bool IsOneOf(std::string_view word, const Words& words) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

class Swapper {
 public:
  Swapper(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
          const std::vector<std::unique_ptr<Token>>& tokens, std::vector<size_t>* guessed)
      : offsets_(offsets), diagnostics_(diagnostics), guessed_(guessed) {
    view_.reserve(tokens.size());
    for (const auto& token : tokens) view_.push_back(token.get());
  }

  void Run() {
    for (size_t i = 0; i + 2 < view_.size(); ++i) {
      if (IsBlockForValue(i) || IsBraceForValue(i) || IsBraceForName(i) || IsOperatorForMember(i) ||
          IsVerbForClause(i) || IsNameForVerb(i) || IsKeyForHeader(i))
        Swap(i);
    }
  }

 private:
  size_t TypeAt(size_t i) const { return i < view_.size() ? view_[i]->getType() : Token::EOF; }
  bool IsFirstOnLine(size_t i) const {
    return i == 0 || i >= view_.size() || view_[i - 1]->getLine() < view_[i]->getLine();
  }
  bool IsBlock(size_t i) const { return TypeAt(i) == PolicyParser::NAME && IsOneOf(view_[i]->getText(), kBlocks); }

  // `repeat_safe = retry` and below it `true {`.
  bool IsBlockForValue(size_t i) const {
    return i > 0 && TypeAt(i - 1) == PolicyParser::ASSIGN && IsBlock(i) && IsFirstOnLine(i + 1) && !IsBlock(i + 1) &&
           (TypeAt(i + 1) == PolicyParser::NAME || TypeAt(i + 1) == PolicyParser::NUMBER ||
            TypeAt(i + 1) == PolicyParser::STRING) &&
           TypeAt(i + 2) == PolicyParser::LBRACE;
  }

  // `to = }` and below it `model` alone, or `"is_fallback": }` and `true`.
  bool IsBraceForValue(size_t i) const {
    if (i == 0 || TypeAt(i) != PolicyParser::RBRACE) return false;
    const size_t before = TypeAt(i - 1);
    const bool wants = WantsOperand(before) && !IsTestVerb(before) && before != PolicyParser::DOT;
    const bool is_value = TypeAt(i + 1) == PolicyParser::NAME || TypeAt(i + 1) == PolicyParser::NUMBER ||
                          TypeAt(i + 1) == PolicyParser::STRING;
    const bool is_alone =
        IsFirstOnLine(i + 2) || TypeAt(i + 2) == PolicyParser::RBRACE || TypeAt(i + 2) == PolicyParser::EOF;
    return wants && is_value && is_alone && !BeginsStatement(view_, i + 1);
  }

  // `upstream { model url = …`.
  bool IsBraceForName(size_t i) const {
    constexpr std::string_view kNamed[] = {"upstream", "route", "reply", "cache", "mock"};
    if (i == 0 || TypeAt(i) != PolicyParser::LBRACE || TypeAt(i - 1) != PolicyParser::NAME ||
        !IsOneOf(view_[i - 1]->getText(), kNamed))
      return false;
    if (i > 1 && !IsFirstOnLine(i - 1)) return false;
    if (TypeAt(i + 1) != PolicyParser::NAME || IsBlock(i + 1)) return false;
    // `route { nxt when …` lacks a letter, and a name elsewhere.
    if (TypeAt(i + 2) == PolicyParser::WHEN)
      return !IsOneOf(view_[i + 1]->getText(), kOfWhen) && !base::Nearest(view_[i + 1]->getText(), kOfWhen);
    return BeginsStatement(view_, i + 2) || TypeAt(i + 2) == PolicyParser::RBRACE;
  }

  // `request.in path {`.
  bool IsOperatorForMember(size_t i) const {
    const bool is_operator = TypeAt(i) == PolicyParser::IN || TypeAt(i) == PolicyParser::STARTS_WITH ||
                             TypeAt(i) == PolicyParser::ENDS_WITH || TypeAt(i) == PolicyParser::CONTAINS ||
                             TypeAt(i) == PolicyParser::MATCHES;
    if (i < 2 || !is_operator || TypeAt(i - 1) != PolicyParser::DOT || TypeAt(i + 1) != PolicyParser::NAME)
      return false;
    const size_t behind = TypeAt(i + 2);
    return behind == PolicyParser::LBRACE || behind == PolicyParser::STRING || behind == PolicyParser::REGEX ||
           behind == PolicyParser::NETWORK;
  }

  // `given a replies 500 send` and below it `always POST "/api/chat"`.
  bool IsVerbForClause(size_t i) const {
    return IsTestVerb(TypeAt(i)) && !IsFirstOnLine(i) && IsFirstOnLine(i + 1) && TypeAt(i + 1) == PolicyParser::NAME &&
           IsOneOf(view_[i + 1]->getText(), kClauses) && !IsFirstOnLine(i + 2);
  }

  // `small given replies 200`, `breaker expect (a) == open`; `then expect …` is a habit.
  bool IsNameForVerb(size_t i) const {
    return TypeAt(i) == PolicyParser::NAME && IsFirstOnLine(i) && IsTestVerb(TypeAt(i + 1)) && !IsFirstOnLine(i + 1) &&
           !IsFirstOnLine(i + 2) && !IsOneOf(view_[i]->getText(), kClauses) && view_[i]->getText() != "then";
  }

  // `replies 429 "Retry-After" header = "20"`.
  bool IsKeyForHeader(size_t i) const {
    const bool is_path = view_[i]->getText().starts_with("\"/");
    return TypeAt(i) == PolicyParser::STRING && !is_path && TypeAt(i + 1) == PolicyParser::NAME &&
           view_[i + 1]->getText() == "header" && TypeAt(i + 2) == PolicyParser::ASSIGN && !IsFirstOnLine(i) &&
           !IsFirstOnLine(i + 1);
  }

  void Swap(size_t i) {
    auto* first = static_cast<CommonToken*>(view_[i]);
    auto* second = static_cast<CommonToken*>(view_[i + 1]);
    const std::string left = first->getText();
    const std::string right = second->getText();
    diagnostics_->Emit(Kind::kTurnedAround, offsets_.RangeOf(*first), {left, right})
        .Change(offsets_.RangeOf(*first), right)
        .Change(offsets_.RangeOf(*second), left);
    // JSON, text and numbers are read where they are written, and there the two stand as they did.
    const bool is_in_json = i > 0 && TypeAt(i - 1) == PolicyParser::COLON;
    const bool is_text = second->getType() == PolicyParser::STRING || second->getType() == PolicyParser::NUMBER;
    if (is_in_json || (first->getType() == PolicyParser::RBRACE && is_text))
      guessed_->push_back(first->getStartIndex());
    const size_t type = first->getType();
    first->setType(second->getType());
    first->setText(right);
    second->setType(type);
    second->setText(left);
  }

  const OffsetMap& offsets_;
  diagnostics::Diagnostics* diagnostics_;
  std::vector<size_t>* guessed_;
  std::vector<Token*> view_;
};

}  // namespace

void RepairSwaps(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                 const std::vector<std::unique_ptr<Token>>& tokens, std::vector<size_t>* guessed) {
  Swapper(offsets, diagnostics, tokens, guessed).Run();
}

}  // namespace compiler::parse
