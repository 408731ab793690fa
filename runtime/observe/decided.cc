#include "runtime/observe/decided.h"

namespace runtime::observe {
namespace {

using compiler::model::Place;
using compiler::model::Places;

// The first of them that was written.
template <typename... Rest>
const std::string& FirstOf(const Place& place, const Rest&... rest) {
  if constexpr (sizeof...(rest) == 0) {
    return place.at;
  } else {
    return place.at.empty() ? FirstOf(rest...) : place.at;
  }
}

}  // namespace

std::string Decided(const compiler::model::Policy& policy, const Places& places, const BreakerNews& breakers,
                    const ExchangeRecord& record, int status) {
  if (!places.routes.Has(record.route_id)) return {};
  const Places::OfRoute& route = places.routes[record.route_id];
  const auto upstream_id = record.last_upstream();
  const bool has_upstream = upstream_id.has_value() && places.upstreams.Has(upstream_id);
  static const Places::OfUpstream kNone;
  const Places::OfUpstream& upstream = has_upstream ? places.upstreams[upstream_id] : kNone;
  const std::string& why = record.fallback_reason.empty() ? std::string(record.retry_denied) : record.fallback_reason;

  if (why == "breaker_open" && has_upstream) {
    const auto opening = breakers.Last(policy.upstreams[upstream_id].name);
    if (opening != nullptr && !opening->place.at.empty()) return opening->place.at;
    return FirstOf(upstream.breaker, upstream.block);
  }
  if (why == "queue_full" || why == "queue_timeout") return FirstOf(upstream.max_in_flight, upstream.block);
  if (why == "deadline") return FirstOf(route.deadline, route.block);
  const bool is_else = !record.fallback.empty() || !record.fallback_reason.empty();
  if (record.retry_denied == "attempts_exhausted") return FirstOf(upstream.max_retries, upstream.retry, upstream.block);
  if (record.retry_denied == "budget_spent") return FirstOf(upstream.budget, upstream.retry, upstream.block);
  if (record.retry_denied == "not_repeat_safe") return FirstOf(upstream.repeat_safe, upstream.block);
  if (record.retry_denied == "body_too_large") return FirstOf(upstream.replay_body, upstream.block);
  if (!record.retry_denied.empty() && has_upstream) return FirstOf(upstream.retry, upstream.block);
  if (!record.fallback.empty()) return FirstOf(route.fallback, route.to, route.block);
  if (is_else) return FirstOf(route.to, route.block);
  // A route's own reply that refuses.
  if (record.attempts.empty() && !has_upstream && status >= 400) return route.block.at;
  return {};
}

}  // namespace runtime::observe
