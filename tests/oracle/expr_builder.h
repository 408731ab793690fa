// Typed expressions in one line each, as the checker would make them; for tests of what stands behind the checker.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "compiler/model/policy.h"

namespace tests::oracle {

using compiler::abi::BaseType;
using compiler::model::CompareOp;
using compiler::model::Expr;
using compiler::model::ExprKind;
using compiler::model::Literal;
using compiler::model::SetMember;
using compiler::model::StringTest;

inline Expr OfLiteral(Literal literal) {
  Expr expr;
  expr.kind = ExprKind::kLiteral;
  expr.type = {literal.type, false};
  expr.literal = std::move(literal);
  return expr;
}
inline Literal Integer(BaseType type, int64_t value) { return {type, value, 0, {}}; }
inline Literal Number(BaseType type, double value) { return {type, 0, value, {}}; }
inline Literal Text(std::string value) { return {BaseType::kString, 0, 0, std::move(value)}; }

inline Expr Field(compiler::abi::FieldId field) {
  Expr expr;
  expr.kind = ExprKind::kField;
  expr.field = field;
  expr.type = compiler::abi::Fields()[static_cast<size_t>(field)].type;
  return expr;
}

inline Expr Slot(compiler::abi::FamilyId family, int32_t slot) {
  Expr expr;
  expr.kind = ExprKind::kSlot;
  expr.family = family;
  expr.slot = slot;
  expr.type = compiler::abi::Families()[static_cast<size_t>(family)].type;
  return expr;
}

inline Expr Window(int32_t slot) {
  Expr expr;
  expr.kind = ExprKind::kWindow;
  expr.slot = slot;
  expr.type =
      compiler::abi::WindowMeasures()[static_cast<size_t>(slot)].type;  // the random world has one slot for each
  return expr;
}

inline Expr Condition(ExprKind kind, std::vector<Expr> operands) {
  Expr expr;
  expr.kind = kind;
  expr.type = {BaseType::kBool, false};
  expr.operands = std::move(operands);
  return expr;
}

inline Expr Compare(Expr a, CompareOp op, Expr b) {
  Expr expr = Condition(ExprKind::kCompare, {std::move(a), std::move(b)});
  expr.compare = op;
  return expr;
}

inline Expr In(Expr value, std::vector<SetMember> set) {
  Expr expr = Condition(ExprKind::kIn, {std::move(value)});
  expr.set = std::move(set);
  return expr;
}

inline Expr TestText(Expr text, StringTest test, Expr pattern) {
  Expr expr = Condition(ExprKind::kStringTest, {std::move(text), std::move(pattern)});
  expr.string_test = test;
  return expr;
}

inline Expr Coalesce(BaseType base, Expr first, Expr second) {
  Expr expr = Condition(ExprKind::kCoalesce, {std::move(first), std::move(second)});
  expr.type = {base, expr.operands[1].type.optional};
  return expr;
}

inline compiler::model::Policy PolicyOf(std::vector<Expr> predicates) {
  compiler::model::Policy policy;
  for (Expr& expr : predicates) policy.predicates.Add({std::move(expr), compiler::abi::Phase::kAnswer});
  return policy;
}

}  // namespace tests::oracle
