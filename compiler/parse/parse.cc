#include "compiler/parse/parse.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "PolicyLexer.h"
#include "PolicyParser.h"
#include "antlr4-runtime.h"
#include "compiler/base/text.h"
#include "compiler/parse/ast_builder.h"
#include "compiler/parse/comments.h"
#include "compiler/parse/error_strategy.h"
#include "compiler/parse/test_words.h"
#include "compiler/parse/token_repair.h"
#include "compiler/parse/token_text.h"
#include "compiler/parse/word_repair.h"

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
    RepairWords(offsets_, diagnostics_, tokens);
    std::vector<size_t> guessed;
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

  bool usable() const { return usable_; }
  PolicyParser& parser() { return *parser_; }
  const OffsetMap& offsets() const { return offsets_; }
  const ErrorStrategy& strategy() const { return *strategy_; }
  const DocComments& docs() const { return docs_; }

 private:
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
    diagnostics->Emit(Kind::kFileTooLarge, {part.begin, part.begin},
                      {std::to_string(text.size()), std::to_string(source::kMaxFileBytes)});
    return broken;
  }
  if (const std::optional<size_t> at = base::FirstInvalidUtf8(text)) {
    const uint32_t offset = part.begin + static_cast<uint32_t>(*at);
    diagnostics->Emit(Kind::kNotUtf8, {offset, offset + 1});
    return broken;
  }
  // A byte order mark says nothing in UTF-8; ANTLR drops it without counting it.
  const uint32_t begin = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  Session session(text.substr(begin), part.begin + begin, true, diagnostics);
  if (!session.usable()) return broken;
  PolicyParser::FileContext* tree = session.parser().file();
  ast::File file = AstBuilder(source.text(), session.offsets(), session.strategy(), session.docs(), diagnostics).BuildFile(tree);
  file.text = source.text();
  return file;
}

}  // namespace compiler::parse
