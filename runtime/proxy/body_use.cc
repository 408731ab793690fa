#include "runtime/proxy/body_use.h"

#include <algorithm>

#include "compiler/abi/fact_table.h"
#include "compiler/model/interpret.h"

namespace runtime::proxy {
namespace {

bool ReadsBody(const compiler::model::Expr& expr) {
  using compiler::model::ExprKind;
  if (expr.kind == ExprKind::kField && expr.field == compiler::abi::FieldId::k_request_body) return true;
  if (expr.kind == ExprKind::kSlot && expr.family == compiler::abi::FamilyId::k_request_json) return true;
  return std::any_of(expr.operands.begin(), expr.operands.end(), ReadsBody);
}

// Whether the condition can hold whatever stands in the body, as far as the rest of it tells: a part of an `and` that does not read
// the body and does not hold decides.
bool MayHold(const compiler::model::Expr& expr, const compiler::abi::Facts& facts) {
  if (!ReadsBody(expr)) return compiler::model::Interpret(expr, facts);
  if (expr.kind != compiler::model::ExprKind::kAnd) return true;
  return std::all_of(expr.operands.begin(), expr.operands.end(), [&](const auto& part) { return MayHold(part, facts); });
}

}  // namespace

BodyUse::BodyUse(const compiler::model::Policy& policy) : is_read(!policy.slots.request_json.empty()) {
  for (const auto& upstream : policy.upstreams) {
    decodes = decodes || upstream.decode != compiler::model::Decode::kNever;
    most_kept = std::max(most_kept, static_cast<size_t>(upstream.replay_body_bytes));
    is_read = is_read || upstream.rewrite.has_value() || !upstream.rewrites.empty();
  }
  for (size_t i = 0; i < policy.routes.size() && !first_route_by_body.has_value(); ++i) {
    const compiler::model::RouteId id(static_cast<int32_t>(i));
    const auto& when = policy.routes[id].when;
    if (when && ReadsBody(policy.predicates[*when].expr)) first_route_by_body = id;
  }
}

compiler::model::RouteId BodyUse::RouteWithoutBody(const compiler::model::Policy& policy,
                                                   const compiler::abi::PredicateTable& predicates,
                                                   const compiler::abi::Facts& facts) const {
  for (size_t i = 0; i < policy.routes.size(); ++i) {
    const compiler::model::RouteId id(static_cast<int32_t>(i));
    const auto& when = policy.routes[id].when;
    if (!when) return id;
    const compiler::model::Expr& expr = policy.predicates[*when].expr;
    if (ReadsBody(expr)) {
      if (MayHold(expr, facts)) return {};
    } else if (predicates.Test(*when, facts)) {
      return id;
    }
  }
  return {};
}

}  // namespace runtime::proxy
