#include "runtime/proxy/body_use.h"

#include <algorithm>

#include "compiler/abi/fact_table.h"

namespace runtime::proxy {
namespace {

bool ReadsBody(const compiler::model::Expr& expr) {
  using compiler::model::ExprKind;
  if (expr.kind == ExprKind::kField && expr.field == compiler::abi::FieldId::k_request_body) return true;
  if (expr.kind == ExprKind::kSlot && expr.family == compiler::abi::FamilyId::k_request_json) return true;
  return std::any_of(expr.operands.begin(), expr.operands.end(), ReadsBody);
}

}  // namespace

BodyUse::BodyUse(const compiler::model::Policy& policy) : is_read(!policy.slots.request_json.empty()) {
  for (const auto& upstream : policy.upstreams) {
    most_kept = std::max(most_kept, static_cast<size_t>(upstream.replay_body_bytes));
    is_read = is_read || upstream.rewrite.has_value();
  }
  for (size_t i = 0; i < policy.routes.size() && !first_route_by_body.has_value(); ++i) {
    const compiler::model::RouteId id(static_cast<int32_t>(i));
    const auto& when = policy.routes[id].when;
    if (when && ReadsBody(policy.predicates[*when].expr)) first_route_by_body = id;
  }
}

}  // namespace runtime::proxy
