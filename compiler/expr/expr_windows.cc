// The operators of ExprChecker on what a breaker counts in a window.
#include <algorithm>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/expr_checker.h"
#include "compiler/expr/expr_parts.h"
#include "compiler/model/print.h"

namespace compiler::expr {

using abi::BaseType;
using ast::ExprKind;
using diagnostics::Kind;

namespace {

model::CompareOp Flip(model::CompareOp op) {
  switch (op) {
    case model::CompareOp::kLt: return model::CompareOp::kGt;
    case model::CompareOp::kLe: return model::CompareOp::kGe;
    case model::CompareOp::kGt: return model::CompareOp::kLt;
    case model::CompareOp::kGe: return model::CompareOp::kLe;
    case model::CompareOp::kEq:
    case model::CompareOp::kNe: return op;
  }
  return op;
}

}  // namespace

ExprChecker::Value ExprChecker::CheckWindowCompare(const ast::Expr& expr, Value left, Value right,
                                                   model::CompareOp op) {
  const bool window_is_left = left.expr.kind == model::ExprKind::kWindow;
  Value& window = window_is_left ? left : right;
  Value& number = window_is_left ? right : left;
  const ast::Expr& window_at = expr.operands[window_is_left ? 0 : 1];
  const ast::Expr& number_at = expr.operands[window_is_left ? 1 : 0];
  if (!window_is_left) op = Flip(op);
  const std::string name = window_at.kind == ExprKind::kCall ? window_at.operands[0].text + "(…)" : window_at.text;
  if (window.expr.type.base != BaseType::kInt) {  // a share or a time
    if (!FitsMeasure(number_at, number, window.expr.type.base, name, op, expr.text)) return Invalid();
    model::Expr result = Operation(model::ExprKind::kCompare, Two(std::move(window.expr), std::move(number.expr)));
    result.compare = op;
    return {std::move(result), {}, {}};
  }
  if (!IsLiteralOf(number.expr, BaseType::kInt)) {
    diagnostics_->Emit(Kind::kWindowCompare, number_at.range, {name});
    return Invalid();
  }
  const int64_t count = number.expr.literal.integer;
  // How many must be told apart for the comparison to be exact.
  int64_t enough = count;
  bool always = false;
  bool never = false;
  switch (op) {
    case model::CompareOp::kGe: always = count <= 0; break;
    case model::CompareOp::kGt:
      enough = count + 1;
      always = count < 0;
      break;
    case model::CompareOp::kLt: never = count <= 0; break;
    case model::CompareOp::kLe:
      enough = count + 1;
      never = count < 0;
      break;
    case model::CompareOp::kEq:
      enough = count + 1;
      never = count < 0;
      break;
    case model::CompareOp::kNe:
      enough = count + 1;
      always = count < 0;
      break;
  }
  const std::string text = name + " " + expr.text + " " + std::to_string(count);
  if (always || never) {
    diagnostics_->Emit(always ? Kind::kAlwaysHolds : Kind::kNeverHolds, number_at.range,
                       {text, "a count is 0 or more"});
    return Invalid();
  }
  if (enough > model::kMaxWindowCount) {
    diagnostics_->Emit(Kind::kWindowCount, number_at.range,
                       {std::to_string(count), std::to_string(enough), std::to_string(model::kMaxWindowCount)});
    return Invalid();
  }
  if (place_.measures != nullptr) {
    model::WindowMeasure& measure = (*place_.measures)[static_cast<size_t>(window.expr.slot)];
    measure.enough = std::max(measure.enough, enough);
  }
  model::Expr result = Operation(model::ExprKind::kCompare, Two(std::move(window.expr), std::move(number.expr)));
  result.compare = op;
  return {std::move(result), {}, {}};
}

// Whether a share or a time of a window is compared with a constant of its kind, and not with one that decides by itself.
bool ExprChecker::FitsMeasure(const ast::Expr& number_at, const Value& number, BaseType base, const std::string& name,
                              model::CompareOp op, std::string_view op_text) {
  const bool is_share = base == BaseType::kPercent;
  if (!IsLiteralOf(number.expr, base)) {
    if (IsLiteralOf(number.expr, BaseType::kInt)) {
      const std::string digits = model::Print(number.expr);
      diagnostics_->Emit(is_share ? Kind::kNeedsPercent : Kind::kNeedsTime, number_at.range, {digits});
    } else {
      diagnostics_->Emit(Kind::kWindowShareCompare, number_at.range,
                         {name, is_share ? "a Percent" : "a Duration", name + (is_share ? " > 50%" : " > 40s")});
    }
    return false;
  }
  const double value = is_share ? number.expr.literal.number : static_cast<double>(number.expr.literal.integer);
  const bool at_most = is_share && value >= 1;  // nothing is above it
  const bool above = is_share && value > 1;
  bool always = false;
  bool never = false;
  switch (op) {
    case model::CompareOp::kGe:
      always = value <= 0;
      never = above;
      break;
    case model::CompareOp::kGt: never = at_most; break;
    case model::CompareOp::kLt:
      never = value <= 0;
      always = above;
      break;
    case model::CompareOp::kLe: always = at_most; break;
    case model::CompareOp::kEq: never = above; break;
    case model::CompareOp::kNe: always = above; break;
  }
  if (!always && !never) return true;
  diagnostics_->Emit(always ? Kind::kAlwaysHolds : Kind::kNeverHolds, number_at.range,
                     {name + " " + std::string(op_text) + " " + model::Print(number.expr),
                      is_share ? "a share goes from 0% to 100%" : "a time is 0s or more"});
  return false;
}

}  // namespace compiler::expr
