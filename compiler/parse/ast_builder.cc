#include "compiler/parse/ast_builder.h"

#include <set>
#include <utility>
#include <vector>

#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/literals.h"

namespace compiler::parse {

using ast::Expr;
using ast::ExprKind;
using diagnostics::Kind;

SourceRange AstBuilder::RangeOf(antlr4::ParserRuleContext* context) const {
  if (context->start == nullptr) return {};
  if (context->stop == nullptr || context->stop->getStartIndex() + 1 < context->start->getStartIndex() + 1)
    return offsets_.RangeOf(*context->start);
  return offsets_.RangeOf(*context->start, *context->stop);
}

Expr AstBuilder::Node(ExprKind kind, antlr4::ParserRuleContext* context) const {
  Expr expr;
  expr.kind = kind;
  expr.range = RangeOf(context);
  return expr;
}

bool AstBuilder::IsBroken(P::StatementContext* context) const {
  // A block is as broken as what stands in it.
  const bool is_block =
      (context->block() != nullptr || context->testBlock() != nullptr) && context->exception == nullptr;
  return context->exception != nullptr || context->children.empty() || (!is_block && strategy_.IsBroken(context));
}

std::vector<ast::Statement> AstBuilder::BuildBody(P::BodyContext* context, bool* broken) {
  std::vector<ast::Statement> body;
  *broken = context->exception != nullptr || strategy_.IsBrokenBody(context);
  for (P::StatementContext* statement : context->statement()) *broken = AddStatement(statement, &body) || *broken;
  return body;
}

bool AstBuilder::AddStatement(P::StatementContext* context, std::vector<ast::Statement>* body) {
  const bool is_broken = IsBroken(context);
  body->push_back(BuildStatement(context, is_broken));
  return is_broken;
}

ast::Statement AstBuilder::BuildStatement(P::StatementContext* context, bool broken) {
  ast::Statement statement;
  statement.range = RangeOf(context);
  if (context->start != nullptr) statement.doc = docs_.Above(*context->start);
  // A broken statement keeps its name where it has one, so that others may refer to it; its value is an error.
  if (P::LetContext* let = context->let(); let != nullptr && let->NAME() != nullptr) {
    ast::Let node{NameOf(let->NAME()->getSymbol()), {}};
    if (!broken && let->expression() != nullptr) node.value = BuildExpression(let->expression());
    statement.node = std::move(node);
    return statement;
  }
  if (broken) return statement;
  if (P::EditionContext* edition = context->edition()) {
    statement.node = ast::Edition{NameOf(edition->NUMBER()->getSymbol())};
  } else if (P::SettingContext* setting = context->setting()) {
    statement.node = BuildSetting(setting);
  } else if (P::WhenLineContext* when = context->whenLine()) {
    statement.node = BuildWhen(when);
  } else if (P::BlockContext* block = context->block()) {
    statement.node = BuildBlock(block);
  } else if (P::PromiseContext* promise = context->promise()) {
    statement.node = ast::Promise{BuildExpression(promise->expression())};
  } else if (P::AllowContext* allow = context->allow()) {
    statement.node = ast::Allow{NameOf(allow->NAME()->getSymbol()), BuildString(allow->STRING()->getSymbol())};
  } else if (P::TestBlockContext* test = context->testBlock()) {
    statement.node = BuildTest(test);
  } else if (P::SentenceContext* sentence = context->sentence()) {
    statement.node = BuildSentence(sentence);
  } else if (P::ImportLineContext* import = context->importLine()) {
    statement.node = ast::Import{BuildString(import->STRING()->getSymbol()), NameOf(import->NAME()->getSymbol())};
  }
  return statement;
}

ast::Block AstBuilder::BuildBlock(P::BlockContext* context) {
  ast::Block block;
  block.kind = NameOf(context->kind);
  if (context->name != nullptr) block.name = NameOf(context->name);
  if (context->body() != nullptr) block.body = BuildBody(context->body(), &block.broken);
  return block;
}

ast::Setting AstBuilder::BuildSetting(P::SettingContext* context) {
  ast::Setting setting;
  setting.name = NameOf(context->NAME()->getSymbol());
  const auto expressions = context->expression();
  if (expressions.size() == 2) setting.key = BuildExpression(expressions[0]);
  setting.value = BuildExpression(expressions.back());
  return setting;
}

ast::When AstBuilder::BuildWhen(P::WhenLineContext* context) {
  ast::When when;
  if (context->NAME() != nullptr) when.word = NameOf(context->NAME()->getSymbol());
  when.when = offsets_.RangeOf(*context->WHEN()->getSymbol());
  when.predicate = BuildExpression(context->expression());
  return when;
}

ast::Test AstBuilder::BuildTest(P::TestBlockContext* context) {
  ast::Test test;
  test.name = BuildString(context->STRING()->getSymbol());
  if (context->body() != nullptr) test.body = BuildBody(context->body(), &test.broken);
  return test;
}

ast::Sentence AstBuilder::BuildSentence(P::SentenceContext* context) {
  ast::Sentence sentence;
  sentence.verb = NameOf(context->start);
  if (context->NAME() != nullptr) sentence.subject = NameOf(context->NAME()->getSymbol());
  for (P::ClauseContext* clause : context->clause()) {
    ast::Clause built;
    const auto strings = clause->STRING();
    if (!strings.empty()) {
      built.value = BuildString(strings[0]->getSymbol());
      if (strings.size() == 2) built.assigned = BuildString(strings[1]->getSymbol());
    } else if (clause->jsonObject() != nullptr) {
      built.value = BuildJson(clause->jsonObject());
    } else {
      built.value = Node(clause->NUMBER() != nullptr ? ExprKind::kNumber : ExprKind::kName, clause);
      built.value.text = clause->getText();
    }
    sentence.clauses.push_back(std::move(built));
  }
  if (context->expression() != nullptr) sentence.claim = BuildExpression(context->expression());
  return sentence;
}

Expr AstBuilder::BuildExpression(P::ExpressionContext* context) {
  const auto parts = context->conjunction();
  if (parts.size() == 1) return BuildConjunction(parts[0]);
  Expr expr = Node(ExprKind::kOr, context);
  for (P::ConjunctionContext* part : parts) expr.operands.push_back(BuildConjunction(part));
  return expr;
}

Expr AstBuilder::BuildConjunction(P::ConjunctionContext* context) {
  const auto parts = context->negation();
  if (parts.size() == 1) return BuildNegation(parts[0]);
  Expr expr = Node(ExprKind::kAnd, context);
  for (P::NegationContext* part : parts) expr.operands.push_back(BuildNegation(part));
  return expr;
}

Expr AstBuilder::BuildNegation(P::NegationContext* context) {
  if (context->NOT() == nullptr) return BuildComparison(context->comparison());
  Expr expr = Node(ExprKind::kNot, context);
  expr.operands.push_back(BuildNegation(context->negation()));
  return expr;
}

Expr AstBuilder::BuildComparison(P::ComparisonContext* context) {
  const auto sides = context->coalesce();
  Expr left = BuildCoalesce(sides[0]);
  if (context->IN() != nullptr) {
    Expr expr = Node(ExprKind::kIn, context);
    expr.negated = context->NOT() != nullptr;
    expr.word = offsets_.RangeOf(*context->IN()->getSymbol());
    expr.operands.push_back(std::move(left));
    expr.operands.push_back(BuildMembers(context->members()));
    return expr;
  }
  if (context->comparator() == nullptr) return left;
  Expr expr = Node(ExprKind::kCompare, context);
  expr.text = context->comparator()->start->getText();
  expr.word = offsets_.RangeOf(*context->comparator()->start);
  expr.operands.push_back(std::move(left));
  expr.operands.push_back(BuildCoalesce(sides[1]));
  return expr;
}

Expr AstBuilder::BuildCoalesce(P::CoalesceContext* context) {
  const auto parts = context->primary();
  Expr expr = BuildPrimary(parts.back());
  for (size_t i = parts.size() - 1; i > 0; --i) {
    Expr joined;
    joined.kind = ExprKind::kCoalesce;
    Expr left = BuildPrimary(parts[i - 1]);
    joined.range = source::Join(left.range, expr.range);
    joined.word = offsets_.RangeOf(*context->COALESCE(i - 1)->getSymbol());
    joined.operands.push_back(std::move(left));
    joined.operands.push_back(std::move(expr));
    expr = std::move(joined);
  }
  return expr;
}

Expr AstBuilder::BuildMembers(P::MembersContext* context) {
  if (context->primary() != nullptr) return BuildPrimary(context->primary());
  Expr expr = Node(ExprKind::kSet, context);
  for (P::ExpressionContext* member : context->set()->expression()) expr.operands.push_back(BuildExpression(member));
  return expr;
}

Expr AstBuilder::BuildPrimary(P::PrimaryContext* context) {
  if (context->NUMBER() != nullptr) {
    Expr expr = Node(ExprKind::kNumber, context);
    expr.text = (context->MINUS() != nullptr ? "-" : "") + context->NUMBER()->getText();
    return expr;
  }
  if (context->NETWORK() != nullptr) {
    Expr expr = Node(ExprKind::kNetwork, context);
    expr.text = context->NETWORK()->getText();
    return expr;
  }
  if (context->REGEX() != nullptr) {
    Expr expr = Node(ExprKind::kRegex, context);
    const std::string text = context->REGEX()->getText();
    expr.text = text.substr(1, text.size() - 2);
    return expr;
  }
  if (context->STRING() != nullptr) return BuildString(context->STRING()->getSymbol());
  if (context->path() != nullptr) return BuildPath(context->path());
  if (context->list() != nullptr) {
    Expr expr = Node(ExprKind::kList, context);
    for (P::ExpressionContext* item : context->list()->expression()) expr.operands.push_back(BuildExpression(item));
    return expr;
  }
  if (context->jsonObject() != nullptr) return BuildJson(context->jsonObject());
  Expr inner = BuildExpression(context->expression());
  inner.range = RangeOf(context);
  return inner;
}

Expr AstBuilder::BuildPath(P::PathContext* context) {
  Expr expr;
  expr.kind = ExprKind::kName;
  expr.text = context->NAME()->getText();
  expr.range = offsets_.RangeOf(*context->NAME()->getSymbol());
  for (P::SuffixContext* suffix : context->suffix()) {
    Expr outer;
    outer.range = source::Join(expr.range, RangeOf(suffix));
    outer.operands.push_back(std::move(expr));
    if (suffix->word() != nullptr) {
      outer.kind = ExprKind::kMember;
      outer.text = suffix->word()->getText();
      outer.word = RangeOf(suffix->word());
    } else if (suffix->LBRACKET() != nullptr) {
      outer.kind = ExprKind::kIndex;
      outer.operands.push_back(BuildExpression(suffix->expression()));
    } else {
      outer.kind = ExprKind::kCall;
      for (P::ArgumentContext* argument : suffix->argument()) {
        ast::Argument built;
        if (argument->word() != nullptr) built.name = ast::Name{argument->word()->getText(), RangeOf(argument->word())};
        built.value = std::make_unique<Expr>(BuildExpression(argument->expression()));
        outer.arguments.push_back(std::move(built));
      }
    }
    expr = std::move(outer);
  }
  return expr;
}

Expr AstBuilder::BuildString(antlr4::Token* token) {
  Expr expr;
  expr.kind = ExprKind::kString;
  expr.range = offsets_.RangeOf(*token);
  if (!ReadString(policy_, expr.range, diagnostics_, &expr.parts)) expr.kind = ExprKind::kError;
  return expr;
}

Expr AstBuilder::BuildJson(P::JsonObjectContext* context) {
  Expr expr;
  expr.kind = ExprKind::kJson;
  expr.range = RangeOf(context);
  expr.text = context->getText();  // its tokens, without white space and comments

  std::vector<SourceRange> interpolations;
  // Depth is bounded by kMaxNesting.
  const auto check = [&](auto&& self, antlr4::tree::ParseTree* tree) -> bool {
    if (auto* object = dynamic_cast<P::JsonObjectContext*>(tree)) {
      std::set<std::string> names;
      for (P::JsonMemberContext* member : object->jsonMember()) {
        const SourceRange range = offsets_.RangeOf(*member->STRING()->getSymbol());
        if (!CheckJsonString(policy_, range, diagnostics_, nullptr)) return false;
        if (!names.insert(member->STRING()->getText()).second) {
          diagnostics_->Emit(Kind::kJsonMemberTwice, range);
          return false;
        }
        if (!self(self, member->jsonValue())) return false;
      }
      return true;
    }
    if (auto* array = dynamic_cast<P::JsonArrayContext*>(tree)) {
      for (P::JsonValueContext* value : array->jsonValue()) {
        if (!self(self, value)) return false;
      }
      return true;
    }
    auto* value = static_cast<P::JsonValueContext*>(tree);
    if (value->jsonObject() != nullptr) return self(self, value->jsonObject());
    if (value->jsonArray() != nullptr) return self(self, value->jsonArray());
    const SourceRange range = RangeOf(value);
    if (value->STRING() != nullptr) return CheckJsonString(policy_, range, diagnostics_, &interpolations);
    if (value->NUMBER() != nullptr) return CheckJsonNumber(policy_, range, diagnostics_);
    return CheckJsonWord(policy_, range, diagnostics_);
  };
  if (!check(check, context)) expr.kind = ExprKind::kError;
  if (interpolations.empty()) return expr;

  std::string literal;
  size_t next = 0;
  const auto split = [&](auto&& self, antlr4::tree::ParseTree* tree) -> void {
    auto* leaf = dynamic_cast<antlr4::tree::TerminalNode*>(tree);
    if (leaf == nullptr) {
      for (antlr4::tree::ParseTree* child : tree->children) self(self, child);
      return;
    }
    const SourceRange token = offsets_.RangeOf(*leaf->getSymbol());
    uint32_t done = token.begin;
    for (; next < interpolations.size() && interpolations[next].begin < token.end; ++next) {
      const SourceRange at = interpolations[next];
      literal += policy_.substr(done, at.begin - done);
      expr.parts.push_back({std::exchange(literal, ""), nullptr});
      auto value = std::make_unique<Expr>(ParseInterpolation(policy_, {at.begin + 2, at.end - 1}, diagnostics_));
      if (value->kind == ExprKind::kError) expr.kind = ExprKind::kError;
      expr.parts.push_back({"", std::move(value)});
      done = at.end;
    }
    literal += policy_.substr(done, token.end - done);
  };
  split(split, context);
  expr.parts.push_back({std::move(literal), nullptr});
  return expr;
}

}  // namespace compiler::parse
