#include "compiler/ast/clone.h"

#include <algorithm>
#include <iterator>

namespace compiler::ast {
namespace {

std::vector<Statement> CloneBody(const std::vector<Statement>& body) {
  std::vector<Statement> copy;
  copy.reserve(body.size());
  for (const Statement& statement : body) copy.push_back(Clone(statement));
  return copy;
}

using Node = decltype(Statement::node);

struct Cloner {
  Node operator()(const Edition& s) const { return s; }
  Node operator()(const Let& s) const { return Let{s.name, Clone(s.value)}; }
  Node operator()(const Setting& s) const {
    return Setting{s.name, s.key ? std::optional(Clone(*s.key)) : std::nullopt, Clone(s.value)};
  }
  Node operator()(const When& s) const { return When{s.word, s.when, Clone(s.predicate)}; }
  Node operator()(const Block& s) const { return Block{s.kind, s.name, CloneBody(s.body), s.broken}; }
  Node operator()(const Promise& s) const { return Promise{Clone(s.claim)}; }
  Node operator()(const Allow& s) const { return Allow{s.code, Clone(s.reason)}; }
  template <typename Other>
  Node operator()(const Other&) const {
    return Broken{};
  }
};

}  // namespace

Expr Clone(const Expr& expr) {
  Expr copy;
  copy.kind = expr.kind;
  copy.range = expr.range;
  copy.text = expr.text;
  copy.word = expr.word;
  copy.negated = expr.negated;
  std::transform(expr.operands.begin(), expr.operands.end(), std::back_inserter(copy.operands),
                 [](const Expr& operand) { return Clone(operand); });
  for (const StringPart& part : expr.parts)
    copy.parts.push_back({part.text, part.value ? std::make_unique<Expr>(Clone(*part.value)) : nullptr});
  for (const Argument& argument : expr.arguments)
    copy.arguments.push_back({argument.name, argument.value ? std::make_unique<Expr>(Clone(*argument.value)) : nullptr});
  return copy;
}

Statement Clone(const Statement& statement) {
  return {statement.range, statement.doc, std::visit(Cloner{}, statement.node)};
}

}  // namespace compiler::ast
