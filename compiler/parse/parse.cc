#include "compiler/parse/parse.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "PolicyLexer.h"
#include "PolicyParser.h"
#include "antlr4-runtime.h"
#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/ast_builder.h"
#include "compiler/parse/comments.h"
#include "compiler/parse/mistakes/error_strategy.h"
#include "compiler/parse/mistakes/habit_repair.h"
#include "compiler/parse/mistakes/swap_repair.h"
#include "compiler/parse/mistakes/token_repair.h"
#include "compiler/parse/mistakes/word_repair.h"
#include "compiler/parse/test_words.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {
namespace {

using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyLexer;
using policy_grammar::PolicyParser;

// Everything that one run of the parser needs to stay alive.
class Session {
 public:
  // `is_file`: not the inside of a string, which is looked at as a whole.
  Session(std::string_view text, uint32_t base, bool is_file, diagnostics::Diagnostics* diagnostics)
      : offsets_(text, base), diagnostics_(diagnostics), input_(std::string(text)), lexer_(&input_) {
    lexer_.removeErrorListeners();
    std::vector<std::unique_ptr<Token>> all = lexer_.getAllTokens();
    // Without it each question for the text of a token turns its code points into UTF-8 once more.
    for (const auto& token : all) {
      const SourceRange range = offsets_.RangeOf(*token);
      static_cast<antlr4::CommonToken&>(*token).setText(
          std::string(text.substr(range.begin - base, range.end - range.begin)));
    }
    docs_ = DocComments(all);
    if (is_file) CheckWrittenText(all, offsets_, diagnostics_);
    std::vector<std::unique_ptr<Token>> tokens;
    for (auto& token : all) {
      if (token->getChannel() == Token::DEFAULT_CHANNEL) tokens.push_back(std::move(token));
    }
    auto end = std::make_unique<antlr4::CommonToken>(Token::EOF, "");
    end->setStartIndex(input_.size());
    end->setStopIndex(input_.size());
    end->setLine(lexer_.getLine());
    end->setCharPositionInLine(lexer_.getCharPositionInLine());
    tokens.push_back(std::move(end));
    MarkTestVerbs(offsets_, diagnostics_, tokens);
    std::vector<size_t> guessed;
    if (is_file) RepairSwaps(offsets_, diagnostics_, tokens, &guessed);
    if (is_file) RepairHabits(offsets_, diagnostics_, &tokens, &guessed);
    RepairWords(offsets_, diagnostics_, tokens);
    usable_ = RepairTokens(offsets_, diagnostics_, &tokens, &guessed);
    if (!usable_) return;
    for (const auto& token : tokens) view_.push_back(token.get());
    source_ = std::make_unique<antlr4::ListTokenSource>(std::move(tokens));
    stream_ = std::make_unique<antlr4::CommonTokenStream>(source_.get());
    stream_->fill();
    strategy_ = std::make_shared<ErrorStrategy>(offsets_, diagnostics_, std::move(view_), std::move(guessed));
    parser_ = std::make_unique<PolicyParser>(stream_.get());
    parser_->removeErrorListeners();
    parser_->setErrorHandler(strategy_);
  }

  // The next statement of the file, null at its end: what the rule `file` does, but the tree of the statement before is gone
  // then. The tree of a large file takes more than all that is kept of it, and time for memory that no cache holds.
  PolicyParser::StatementContext* NextStatement() {
    const bool is_first = parser_->getContext() != &top_;
    if (is_first) {
      parser_->setContext(&top_);
      top_.start = stream_->LT(1);
      strategy_->sync(parser_.get());
    }
    top_.children.clear();
    strategy_->ForgetContexts();
    parser_->getTreeTracker().reset();
    while (stream_->LA(1) != Token::EOF && !Statements().begins.contains(stream_->LA(1))) {
      strategy_->SkipForeign(parser_.get());
      strategy_->sync(parser_.get());
    }
    if (stream_->LA(1) == Token::EOF) return nullptr;
    parser_->setState(Statements().called_at);
    PolicyParser::StatementContext* statement = parser_->statement();
    strategy_->sync(parser_.get());  // what stands behind it belongs to it, or breaks it
    return statement;
  }

  bool usable() const { return usable_; }
  PolicyParser& parser() { return *parser_; }
  const OffsetMap& offsets() const { return offsets_; }
  const ErrorStrategy& strategy() const { return *strategy_; }
  const DocComments& docs() const { return docs_; }

 private:
  struct StatementRule {
    antlr4::misc::IntervalSet begins;  // types of tokens
    size_t called_at = 0;              // the state in which `body` calls `statement`
  };
  const StatementRule& Statements() const {
    static const StatementRule rule = [this] {
      const antlr4::atn::ATN& atn = parser_->getATN();
      antlr4::atn::ATNState* const start = atn.ruleToStartState[PolicyParser::RuleStatement];
      StatementRule found{atn.nextTokens(start), 0};
      for (antlr4::atn::ATNState* state : atn.states) {
        const bool calls = state != nullptr && state->ruleIndex == PolicyParser::RuleBody &&
                           state->transitions.size() == 1 && state->transitions[0]->target == start;
        if (calls) found.called_at = state->stateNumber;
      }
      return found;
    }();
    return rule;
  }

  OffsetMap offsets_;
  diagnostics::Diagnostics* diagnostics_;
  antlr4::ANTLRInputStream input_;
  PolicyLexer lexer_;
  DocComments docs_;
  std::vector<Token*> view_;
  std::unique_ptr<antlr4::ListTokenSource> source_;
  std::unique_ptr<antlr4::CommonTokenStream> stream_;
  std::shared_ptr<ErrorStrategy> strategy_;
  std::unique_ptr<PolicyParser> parser_;
  PolicyParser::BodyContext top_{nullptr, antlr4::atn::ATNState::INVALID_STATE_NUMBER};  // of the file
  bool usable_ = false;
};

}  // namespace

ast::Expr ParseInterpolation(std::string_view policy, SourceRange range, diagnostics::Diagnostics* diagnostics) {
  ast::Expr broken;
  broken.range = range;
  const size_t errors = diagnostics->errors();
  Session session(policy.substr(range.begin, range.end - range.begin), range.begin, false, diagnostics);
  if (!session.usable()) return broken;
  PolicyParser::InterpolationContext* tree = session.parser().interpolation();
  if (diagnostics->errors() > errors || tree->exception != nullptr) return broken;
  return AstBuilder(policy, session.offsets(), session.strategy(), session.docs(), diagnostics)
      .BuildExpression(tree->expression());
}

ast::File ParseFile(const source::SourceBuffer& source, diagnostics::Diagnostics* diagnostics) {
  return ParsePart(source, source.own(), diagnostics);
}

ast::File ParsePart(const source::SourceBuffer& source, source::SourceRange part, diagnostics::Diagnostics* diagnostics) {
  ast::File broken;
  broken.broken = true;
  const std::string_view text = source.Text(part);
  if (text.size() > source::kMaxFileBytes) {
    diagnostics->Emit(Kind::kFileTooLarge, {part.begin, part.begin}, {std::to_string(source::kMaxFileBytes)});
    return broken;
  }
  if (const std::optional<size_t> at = base::FirstInvalidUtf8(text)) {
    const uint32_t offset = part.begin + static_cast<uint32_t>(*at);
    const bool is_utf16 = text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF");
    diagnostics->Emit(is_utf16 ? Kind::kUtf16 : Kind::kNotUtf8, {offset, offset + 1});
    return broken;
  }
  // A byte order mark says nothing in UTF-8; ANTLR drops it without counting it.
  const uint32_t begin = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  Session session(text.substr(begin), part.begin + begin, true, diagnostics);
  if (!session.usable()) return broken;
  AstBuilder builder(source.text(), session.offsets(), session.strategy(), session.docs(), diagnostics);
  ast::File file;
  while (PolicyParser::StatementContext* statement = session.NextStatement())
    file.broken = builder.AddStatement(statement, &file.body) || file.broken;
  file.broken = file.broken || session.strategy().any_broken();
  file.broken_names = session.strategy().skipped_names();
  file.text = source.text();
  return file;
}

}  // namespace compiler::parse
