// How the parser meets a mistake: one finding in plain words for each statement, on the right token; then it goes on at the
// next statement or the end of the block. Replaces ANTLR's strategy of inserting and deleting tokens.
#pragma once

#include <algorithm>
#include <exception>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "antlr4-runtime.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {

class ErrorStrategy : public antlr4::DefaultErrorStrategy {
 public:
  // `tokens`: what the parser reads, all on one channel. `guessed`: as RepairTokens gives it.
  ErrorStrategy(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics, std::vector<antlr4::Token*> tokens,
                std::vector<size_t> guessed)
      : offsets_(offsets), diagnostics_(diagnostics), tokens_(std::move(tokens)), guessed_(std::move(guessed)) {
    std::sort(guessed_.begin(), guessed_.end());
    for (const size_t at : guessed_) guessed_lines_.insert(LineOf(at));
  }

  void reportError(antlr4::Parser* parser, const antlr4::RecognitionException& error) override;
  void recover(antlr4::Parser* parser, std::exception_ptr error) override;
  antlr4::Token* recoverInline(antlr4::Parser* parser) override;
  void sync(antlr4::Parser* parser) override;

  // Statements that parsed, but with something unreadable right behind them or a bracket that had to be closed.
  bool IsBroken(const antlr4::ParserRuleContext* statement) const;
  // Bodies in which something stood that belongs to no statement.
  bool IsBrokenBody(const antlr4::ParserRuleContext* body) const { return broken_.count(body) > 0; }
  bool any_broken() const { return any_broken_; }
  // No statement begins at the next token of the file: says so, and goes on where one does.
  void SkipForeign(antlr4::Parser* parser);
  // Forgets which statements and bodies are broken, before their contexts are deleted.
  void ForgetContexts() { broken_.clear(); }
  // Words of what was skipped: they may be names that other places refer to.
  const std::vector<std::string>& skipped_names() const { return skipped_names_; }

 private:
  const antlr4::Token& At(size_t index) const { return *tokens_[std::min(index, tokens_.size() - 1)]; }
  size_t TypeAt(size_t index) const { return At(index).getType(); }
  // The line of the token before which, or at which, a code point index lies.
  size_t LineOf(size_t start_index) const;
  // Whether a bracket of that line was mended: what follows from it was reported with it.
  bool IsGuessedLine(size_t index) const { return guessed_lines_.count(At(index).getLine()) > 0; }
  bool SameLine(size_t a, size_t b) const { return At(a).getLine() == At(b).getLine(); }
  bool Touches(size_t index) const;  // nothing stands between it and the token before it

  diagnostics::Diagnostic& Emit(diagnostics::Kind kind, size_t index,
                                std::initializer_list<std::string_view> arguments = {});
  // The token at `index` stands where the rule does not allow it.
  void Explain(antlr4::Parser* parser, size_t index, size_t statement_begin);
  static std::string_view HelpOfJoiningWord(std::string_view word);
  size_t HeadOfLine(size_t index) const;
  std::string_view HelpOfSentence(size_t head) const;
  bool ExplainArrow(size_t index);
  void ExplainDollar(size_t index);
  std::string_view SignMeans(size_t index, std::string_view otherwise);
  bool ExplainWord(size_t index);
  bool ExplainStatementHead(size_t begin, size_t index);
  bool ExplainSentence(antlr4::RuleContext* context, size_t begin, size_t index);  // false: it is none of a test
  bool ExplainMissingWhen(size_t begin);
  // What is right elsewhere and wrong here (explain_habits.cc); false: none of it.
  bool ExplainHabit(size_t index);
  bool ExplainSeveral(size_t index);
  bool ExplainForeignTest(size_t index);
  bool ExplainMissingVerb(size_t index);   // `status == 200` on a line of a test
  bool ExplainHeaderOfTest(size_t index);  // `header = "batch"` or `"X-Priority" header = "batch"` in a sentence
  bool ExplainMissingFunction(antlr4::ParserRuleContext* context, size_t index);  // `(from: 1s, cap: 5s)`
  void ExplainJson(size_t rule, size_t index);
  void ExplainMissing(size_t index);
  // A statement ended before the token at `index`, and none begins there.
  void ExplainGarbage(size_t index);
  // Skips to the next statement or to the brace that closes the block; at least past the token at `failed`.
  void SkipStatement(antlr4::Parser* parser, size_t begin, size_t failed);

  const OffsetMap& offsets_;
  diagnostics::Diagnostics* diagnostics_;
  std::vector<antlr4::Token*> tokens_;
  std::vector<size_t> guessed_;  // sorted
  std::set<size_t> guessed_lines_;
  std::set<const antlr4::ParserRuleContext*> broken_;
  std::vector<std::string> skipped_names_;
  bool any_broken_ = false;
  size_t failed_index_ = 0;
};

}  // namespace compiler::parse
