// ANTLR's contexts to nodes: the only reader of parse trees. One function for each rule.
#pragma once

#include <string_view>
#include <vector>

#include "PolicyParser.h"
#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/parse/comments.h"
#include "compiler/parse/mistakes/error_strategy.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {

class AstBuilder {
 public:
  // `policy`: the whole text, which ranges refer to.
  AstBuilder(std::string_view policy, const OffsetMap& offsets, const ErrorStrategy& strategy, const DocComments& docs,
             diagnostics::Diagnostics* diagnostics)
      : policy_(policy), offsets_(offsets), strategy_(strategy), docs_(docs), diagnostics_(diagnostics) {}

  // Adds the node of one statement to `body`. Returns whether it is broken.
  bool AddStatement(policy_grammar::PolicyParser::StatementContext* context, std::vector<ast::Statement>* body);
  ast::Expr BuildExpression(policy_grammar::PolicyParser::ExpressionContext* context);

 private:
  using P = policy_grammar::PolicyParser;

  bool IsBroken(P::StatementContext* context) const;
  std::vector<ast::Statement> BuildBody(P::BodyContext* context, bool* broken);
  ast::Statement BuildStatement(P::StatementContext* context, bool broken);
  ast::Block BuildBlock(P::BlockContext* context);
  ast::Setting BuildSetting(P::SettingContext* context);
  ast::When BuildWhen(P::WhenLineContext* context);
  ast::Test BuildTest(P::TestBlockContext* context);
  ast::Sentence BuildSentence(P::SentenceContext* context);
  ast::Expr BuildConjunction(P::ConjunctionContext* context);
  ast::Expr BuildNegation(P::NegationContext* context);
  ast::Expr BuildComparison(P::ComparisonContext* context);
  ast::Expr BuildCoalesce(P::CoalesceContext* context);
  ast::Expr BuildMembers(P::MembersContext* context);
  ast::Expr BuildPrimary(P::PrimaryContext* context);
  ast::Expr BuildPath(P::PathContext* context);
  ast::Expr BuildString(antlr4::Token* token);
  ast::Expr BuildJson(P::JsonObjectContext* context);

  ast::Name NameOf(antlr4::Token* token) const { return {token->getText(), offsets_.RangeOf(*token)}; }
  SourceRange RangeOf(antlr4::ParserRuleContext* context) const;
  ast::Expr Node(ast::ExprKind kind, antlr4::ParserRuleContext* context) const;

  std::string_view policy_;
  const OffsetMap& offsets_;
  const ErrorStrategy& strategy_;
  const DocComments& docs_;
  diagnostics::Diagnostics* diagnostics_;
};

// Parses what stands between ${ and }: bytes [range) of `policy`. Findings are emitted; then the kind is kError.
ast::Expr ParseInterpolation(std::string_view policy, SourceRange range, diagnostics::Diagnostics* diagnostics);

}  // namespace compiler::parse
