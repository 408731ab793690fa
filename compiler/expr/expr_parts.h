// Small parts of predicates: how the checker makes them, and what it asks of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "compiler/ast/ast.h"
#include "compiler/model/expr.h"

namespace compiler::expr {

inline model::Expr Literal(abi::BaseType type, int64_t integer, double number = 0, std::string text = "") {
  model::Expr expr;
  expr.type = {type, false};
  expr.literal = {type, integer, number, std::move(text)};
  return expr;
}

inline bool IsLiteral(const model::Expr& expr) { return expr.kind == model::ExprKind::kLiteral; }
inline bool IsLiteralOf(const model::Expr& expr, abi::BaseType type) {
  return IsLiteral(expr) && expr.type.base == type;
}

inline bool IsNameOf(const ast::Expr& expr, std::string_view name) {
  return expr.kind == ast::ExprKind::kName && expr.text == name;
}

inline model::Expr Field(abi::FieldId id) {
  model::Expr expr;
  expr.kind = model::ExprKind::kField;
  expr.field = id;
  expr.type = abi::Fields()[static_cast<size_t>(id)].type;
  return expr;
}

inline model::Expr Operation(model::ExprKind kind, std::vector<model::Expr> operands) {
  model::Expr expr;
  expr.kind = kind;
  expr.type = {abi::BaseType::kBool, false};
  expr.operands = std::move(operands);
  return expr;
}

inline std::vector<model::Expr> Two(model::Expr a, model::Expr b) {
  std::vector<model::Expr> operands;
  operands.push_back(std::move(a));
  operands.push_back(std::move(b));
  return operands;
}

inline model::Expr Not(model::Expr operand) {
  std::vector<model::Expr> operands;
  operands.push_back(std::move(operand));
  return Operation(model::ExprKind::kNot, std::move(operands));
}

}  // namespace compiler::expr
