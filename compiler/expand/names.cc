#include "compiler/expand/names.h"

namespace compiler::expand {
namespace {

using ast::Expr;
using Visit = std::function<void(Expr*)>;

void Walk(Expr* expr, const Visit& visit) {
  visit(expr);
  for (Expr& operand : expr->operands) Walk(&operand, visit);
  for (ast::StringPart& part : expr->parts) {
    if (part.value) Walk(part.value.get(), visit);
  }
  for (ast::Argument& argument : expr->arguments) {
    if (argument.value) Walk(argument.value.get(), visit);
  }
}

void WalkBody(std::vector<ast::Statement>* body, const Visit& visit) {
  for (ast::Statement& statement : *body) ForEachExpr(&statement, visit);
}

struct Walker {
  const Visit& visit;

  void operator()(ast::Let& s) const { Walk(&s.value, visit); }
  void operator()(ast::Setting& s) const {
    if (s.key) Walk(&*s.key, visit);
    Walk(&s.value, visit);
  }
  void operator()(ast::When& s) const { Walk(&s.predicate, visit); }
  void operator()(ast::Block& s) const { WalkBody(&s.body, visit); }
  void operator()(ast::Promise& s) const { Walk(&s.claim, visit); }
  void operator()(ast::Test& s) const { WalkBody(&s.body, visit); }
  void operator()(ast::Sentence& s) const {
    for (ast::Clause& clause : s.clauses) {
      Walk(&clause.value, visit);
      if (clause.assigned) Walk(&*clause.assigned, visit);
    }
    if (s.claim) Walk(&*s.claim, visit);
  }
  void operator()(ast::Broken&) const {}
  void operator()(ast::Edition&) const {}
  void operator()(ast::Allow&) const {}
  void operator()(ast::Import&) const {}
};

}  // namespace

void ForEachExpr(ast::Statement* statement, const Visit& visit) { std::visit(Walker{visit}, statement->node); }

}  // namespace compiler::expand
