#include "runtime/proxy/answer_use.h"

#include <algorithm>

#include "compiler/abi/fact_table.h"

namespace runtime::proxy {
namespace {

bool Reads(const compiler::model::Expr& expr, compiler::abi::FieldId field) {
  if (expr.kind == compiler::model::ExprKind::kField && expr.field == field) return true;
  return std::any_of(expr.operands.begin(), expr.operands.end(), [field](const auto& operand) { return Reads(operand, field); });
}

}  // namespace

AnswerUse::AnswerUse(const compiler::model::Policy& policy) {
  for (const auto& predicate : policy.predicates) {
    judges_emptiness = judges_emptiness || Reads(predicate.expr, compiler::abi::FieldId::k_empty_answer);
    judges_length = judges_length || Reads(predicate.expr, compiler::abi::FieldId::k_prompt_too_long);
  }
}

}  // namespace runtime::proxy
