#include "compiler/parse/mistakes/word_repair.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <string>

#include "PolicyParser.h"
#include "base/text.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::parse {
namespace {

using antlr4::CommonToken;
using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

struct Word {
  std::string_view text;
  size_t type;
};
constexpr Word kWords[] = {
    {"edition", PolicyParser::EDITION},
    {"let", PolicyParser::LET},
    {"when", PolicyParser::WHEN},
    {"promise", PolicyParser::PROMISE},
    {"allow", PolicyParser::ALLOW},
    {"because", PolicyParser::BECAUSE},
    {"json", PolicyParser::JSON},
    {"and", PolicyParser::AND},
    {"or", PolicyParser::OR},
    {"not", PolicyParser::NOT},
    {"in", PolicyParser::IN},
    {"starts_with", PolicyParser::STARTS_WITH},
    {"ends_with", PolicyParser::ENDS_WITH},
    {"contains", PolicyParser::CONTAINS},
    {"matches", PolicyParser::MATCHES},
    {"==", PolicyParser::EQ},
};
using Words = std::span<const std::string_view>;
constexpr std::string_view kEdition[] = {"edition"};
constexpr std::string_view kLet[] = {"let"};
constexpr std::string_view kAllow[] = {"allow"};
constexpr std::string_view kBecause[] = {"because"};
constexpr std::string_view kJson[] = {"json"};
constexpr std::string_view kNot[] = {"not"};
// Between two values, or in front of a condition.
constexpr std::string_view kBetween[] = {"when", "promise",     "and",       "or",       "in",
                                         "not",  "starts_with", "ends_with", "contains", "matches"};
// Between the two sides of what a test expects.
constexpr std::string_view kInClaim[] = {"in", "starts_with", "ends_with", "contains"};

class Speller {
 public:
  Speller(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
          const std::vector<std::unique_ptr<Token>>& tokens)
      : offsets_(offsets), diagnostics_(diagnostics) {
    for (const auto& token : tokens) view_.push_back(token.get());
  }

  void Run() {
    for (size_t i = 0; i + 1 < view_.size(); ++i) {
      if (TypeAt(i) == PolicyParser::TEST &&
          (TypeAt(i + 1) == PolicyParser::STRING || TypeAt(i + 1) == PolicyParser::LBRACE))
        i = SpellTest(i);
      if (TypeAt(i) == PolicyParser::NAME) Spell(i, CandidatesAt(i));
    }
  }

 private:
  // INVALID_TYPE beyond the ends.
  size_t TypeAt(size_t i) const { return i < view_.size() ? view_[i]->getType() : Token::INVALID_TYPE; }
  // Sentences have words of their own, which stand side by side: in a test only `json` is looked for, and operators in what
  // it expects. Returns the index of its closing brace.
  size_t SpellTest(size_t begin) {
    const size_t end = EndOfTest(begin);
    size_t verb = Token::INVALID_TYPE;
    for (size_t i = begin; i < end; ++i) {
      if (IsTestVerb(TypeAt(i))) verb = TypeAt(i);
      if (TypeAt(i) != PolicyParser::NAME) continue;
      const bool is_object = TypeAt(i + 1) == PolicyParser::LBRACE &&
                             (TypeAt(i + 2) == PolicyParser::STRING || TypeAt(i + 2) == PolicyParser::RBRACE);
      const bool is_between = verb == PolicyParser::EXPECT && EndsOperand(Before(i)) &&
                              (BeginsOperand(TypeAt(i + 1)) || TypeAt(i + 1) == PolicyParser::LBRACE) &&
                              view_[i - 1]->getLine() == view_[i]->getLine();
      if (is_between) Spell(i, kInClaim);
      else if (is_object) Spell(i, kJson);
    }
    return end;
  }
  size_t EndOfTest(size_t i) const {
    int depth = 0;
    for (; i + 1 < view_.size(); ++i) {
      if (TypeAt(i) == PolicyParser::LBRACE) ++depth;
      if (TypeAt(i) == PolicyParser::RBRACE && --depth <= 0) break;
    }
    return i;
  }
  size_t Before(size_t i) const { return i > 0 ? TypeAt(i - 1) : Token::INVALID_TYPE; }

  // What could stand at `i`, where a name cannot; empty where it can.
  Words CandidatesAt(size_t i) const {
    const size_t next = TypeAt(i + 1);
    const size_t before = Before(i);
    if (before == PolicyParser::ASSIGN) {
      const size_t inside = TypeAt(i + 2);
      if (next == PolicyParser::LBRACE && (inside == PolicyParser::STRING || inside == PolicyParser::RBRACE))
        return kJson;
      return {};
    }
    if (before == PolicyParser::WHEN || before == PolicyParser::AND || before == PolicyParser::OR) {
      if ((BeginsOperand(next) || next == PolicyParser::NOT) && !BeginsStatement(view_, i + 1)) return kNot;
      return {};
    }
    if (!CannotBeOperand(i) || BeginsStatement(view_, i)) return {};
    if (next == PolicyParser::NUMBER && i == 0) return kEdition;
    if (next == PolicyParser::NAME && TypeAt(i + 2) == PolicyParser::ASSIGN) return kLet;
    if (before == PolicyParser::NAME && i >= 2 && TypeAt(i - 2) == PolicyParser::ALLOW) return kBecause;
    const bool gives_reason = TypeAt(i + 2) == PolicyParser::BECAUSE ||
                              (TypeAt(i + 2) == PolicyParser::NAME && TypeAt(i + 3) == PolicyParser::STRING);
    if (next == PolicyParser::NAME && gives_reason) return kAllow;
    if (next == PolicyParser::IN) return kNot;
    const bool opens = next == PolicyParser::LPAREN || next == PolicyParser::NOT;
    if ((BeginsOperand(next) || opens) && !BeginsStatement(view_, i + 1)) return kBetween;
    return {};
  }

  // A value has ended before it, or a block has just begun: a name here begins a statement, or nothing.
  bool CannotBeOperand(size_t i) const {
    const size_t before = Before(i);
    if (before == PolicyParser::LBRACE) return i >= 2 && TypeAt(i - 2) == PolicyParser::NAME;
    return i == 0 || EndsOperand(before) || before == PolicyParser::RBRACE;
  }

  void Spell(size_t i, Words candidates) {
    const std::string text = view_[i]->getText();
    auto nearest = base::Nearest(text, candidates);
    // What other languages call them. `in`, which is near to both, is not meant.
    if (candidates.data() == std::begin(kBetween) && text == "if") nearest = "when";
    const bool joins = candidates.data() == std::begin(kBetween) || candidates.data() == std::begin(kInClaim);
    if (joins && (text == "is" || text == "equals" || text == "eq")) nearest = "==";
    // Near to a word that they do not mean.
    constexpr std::string_view kOthers[] = {"xor", "nor", "for", "then", "but", "on", "of", "to", "end", "any", "has", "nand", "one", "no", "where"};
    if (std::find(std::begin(kOthers), std::end(kOthers), text) != std::end(kOthers)) nearest.reset();
    if (candidates.data() == std::begin(kBetween) && (text == "on" || text == "where") && Before(i) == PolicyParser::NAME) nearest = "when";
    if (!nearest) return;
    const auto* word =
        std::find_if(std::begin(kWords), std::end(kWords), [&](const Word& w) { return w.text == *nearest; });
    Respell(offsets_, diagnostics_, view_[i], *nearest, word->type);
  }

  const OffsetMap& offsets_;
  diagnostics::Diagnostics* diagnostics_;
  std::vector<Token*> view_;
};

}  // namespace

void Respell(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics, Token* token, std::string_view meant,
             size_t type) {
  diagnostics->Emit(Kind::kMisspeltWord, offsets.RangeOf(*token), {token->getText(), meant})
      .Replace(std::string(meant));
  auto* mended = static_cast<CommonToken*>(token);
  mended->setType(type);
  mended->setText(std::string(meant));
}

void RepairWords(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                 const std::vector<std::unique_ptr<Token>>& tokens) {
  Speller(offsets, diagnostics, tokens).Run();
}

}  // namespace compiler::parse
