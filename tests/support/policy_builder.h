// Policies for tests, made by hand: typed expressions without a parser, run by the interpreter. Tests of what a
// policy's text means use compiler::CompileInterpreted instead; these tests are about what the engine does with the
// result.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "compiler/compiled_policy.h"
#include "compiler/model/interpret.h"
#include "compiler/model/policy.h"

namespace tests {

namespace model = compiler::model;
namespace abi = compiler::abi;

namespace expr {

inline model::Expr Field(abi::FieldId id) {
  model::Expr e;
  e.kind = model::ExprKind::kField;
  e.field = id;
  e.type = abi::Fields()[static_cast<size_t>(id)].type;
  return e;
}

inline model::Expr Literal(abi::BaseType type, int64_t integer) {
  model::Expr e;
  e.kind = model::ExprKind::kLiteral;
  e.type = {type, false};
  e.literal.type = type;
  e.literal.integer = integer;
  return e;
}

inline model::Expr Node(model::ExprKind kind, std::vector<model::Expr> operands) {
  model::Expr e;
  e.kind = kind;
  e.type = {abi::BaseType::kBool, false};
  e.operands = std::move(operands);
  return e;
}

inline model::Expr Compare(model::CompareOp op, model::Expr left, model::Expr right) {
  model::Expr e = Node(model::ExprKind::kCompare, {std::move(left), std::move(right)});
  e.compare = op;
  return e;
}

inline model::Expr Or(model::Expr a, model::Expr b) { return Node(model::ExprKind::kOr, {std::move(a), std::move(b)}); }
inline model::Expr And(model::Expr a, model::Expr b) {
  return Node(model::ExprKind::kAnd, {std::move(a), std::move(b)});
}
inline model::Expr Not(model::Expr a) { return Node(model::ExprKind::kNot, {std::move(a)}); }
inline model::Expr True() { return Literal(abi::BaseType::kBool, 1); }
inline model::Expr False() { return Literal(abi::BaseType::kBool, 0); }

// status in {low … high, …}
inline model::Expr StatusIn(const std::vector<std::pair<int, int>>& ranges) {
  model::Expr e = Node(model::ExprKind::kIn, {Field(abi::FieldId::k_status)});
  for (const auto& [low, high] : ranges) {
    model::SetMember member;
    member.low.type = abi::BaseType::kStatus;
    member.low.integer = low;
    member.high = high;
    e.set.push_back(member);
  }
  return e;
}
inline model::Expr StatusIs(int status) { return StatusIn({std::pair(status, status)}); }
inline model::Expr Status5xx() { return StatusIn({std::pair(500, 599)}); }

inline model::Expr ServedBy(std::string name) {
  model::Expr text = Literal(abi::BaseType::kString, 0);
  text.literal.text = std::move(name);
  return Compare(model::CompareOp::kEq, Field(abi::FieldId::k_served_by), std::move(text));
}

// error in {…}
inline model::Expr ErrorIn(const std::vector<abi::ErrorKind>& errors) {
  model::Expr e = Node(model::ExprKind::kIn, {Field(abi::FieldId::k_error)});
  for (const abi::ErrorKind error : errors) {
    model::SetMember member;
    member.low.type = abi::BaseType::kError;
    member.low.integer = static_cast<int64_t>(error);
    member.high = member.low.integer;
    e.set.push_back(member);
  }
  return e;
}

// field > d
inline model::Expr LongerThan(abi::FieldId field, model::Duration d) {
  return Compare(model::CompareOp::kGt, Field(field), Literal(abi::BaseType::kDuration, d.count()));
}

// measure >= n, by its slot.
inline model::Expr WindowAtLeast(int32_t slot, int64_t n) {
  model::Expr e;
  e.kind = model::ExprKind::kWindow;
  e.type = {abi::BaseType::kInt, false};
  e.slot = slot;
  return Compare(model::CompareOp::kGe, std::move(e), Literal(abi::BaseType::kInt, n));
}

}  // namespace expr

class PolicyBuilder {
 public:
  PolicyBuilder() : compiled_(std::make_unique<compiler::CompiledPolicy>()) {}

  model::Policy& policy() { return compiled_->policy; }

  model::PredicateId When(model::Expr e, abi::Phase phase = abi::Phase::kAttempt) {
    return policy().predicates.Add({std::move(e), phase});
  }

  model::UpstreamId Upstream(std::string name) {
    model::UpstreamSettings upstream;
    upstream.name = std::move(name);
    return policy().upstreams.Add(std::move(upstream));
  }
  model::UpstreamSettings& operator[](model::UpstreamId id) { return policy().upstreams[id]; }
  model::RouteSettings& operator[](model::RouteId id) { return policy().routes[id]; }

  model::ReplyId Reply(std::string name) {
    model::ReplySettings reply;
    reply.name = std::move(name);
    return policy().replies.Add(std::move(reply));
  }

  model::MockId Mock(std::string name, model::Duration delay) {
    model::MockSettings mock;
    mock.name = std::move(name);
    mock.delay = delay;
    return policy().mocks.Add(std::move(mock));
  }

  // Keyed by the request's body; stores every 200 that is no fallback.
  model::CacheId Cache(std::string name, model::Duration ttl, model::Duration stale = {}) {
    model::CacheSettings cache;
    cache.name = std::move(name);
    cache.key.parts.emplace_back(expr::Field(abi::FieldId::k_request_body));
    cache.ttl = ttl;
    cache.stale = stale;
    cache.store_when =
        When(expr::And(expr::StatusIs(200), expr::Not(expr::Field(abi::FieldId::k_is_fallback))), abi::Phase::kAnswer);
    return policy().caches.Add(std::move(cache));
  }

  model::RouteId Route(std::vector<model::UpstreamId> to) {
    model::RouteSettings route;
    route.name = "route" + std::to_string(policy().routes.size());
    route.to = std::move(to);
    return policy().routes.Add(std::move(route));
  }

  // open when KIND(open_window) >= open_at; close when successes(close_window) >= close_at.
  model::BreakerSettings Breaker(abi::WindowMeasureKind kind, model::Duration open_window, int64_t open_at,
                                 model::Duration close_window, int64_t close_at) {
    model::BreakerSettings breaker;
    breaker.measures = {{kind, open_window, open_at}, {abi::WindowMeasureKind::kSuccesses, close_window, close_at}};
    breaker.open_when = {When(expr::WindowAtLeast(0, open_at), abi::Phase::kWindow)};
    breaker.close_when = {When(expr::WindowAtLeast(1, close_at), abi::Phase::kWindow)};
    return breaker;
  }

  std::unique_ptr<compiler::CompiledPolicy> Build() {
    compiled_->predicates = model::InterpretedPredicates(compiled_->policy);
    return std::move(compiled_);
  }

 private:
  std::unique_ptr<compiler::CompiledPolicy> compiled_;
};

// The founding policy (policies/qwen3-32b.policy), by hand: one upstream, one route, five failed requests, three
// attempts.
struct FoundingIds {
  model::UpstreamId upstream;
  model::CacheId cache;
  model::ReplyId reply;
  model::RouteId route;
};
inline FoundingIds AddFoundingPolicy(PolicyBuilder* b) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  FoundingIds ids;
  ids.upstream = b->Upstream("ollama");
  ids.cache = b->Cache("cache_fallback", seconds(600));
  ids.reply = b->Reply("static_response");
  model::RetrySettings retry;
  retry.max_retries = 2;
  retry.when = b->When(
      expr::Or(expr::Status5xx(), expr::ErrorIn({abi::ErrorKind::k_connect_failure, abi::ErrorKind::k_refused})));
  retry.wait = {milliseconds(500), 2, seconds(2), 0};
  model::BreakerSettings breaker = b->Breaker(abi::WindowMeasureKind::kFailedRequests, seconds(60), 5, seconds(30), 3);
  breaker.open_for = seconds(15);
  breaker.probes = 3;
  model::UpstreamSettings& upstream = (*b)[ids.upstream];
  upstream.timeouts.attempt = seconds(15);
  upstream.repeat_safe = model::RepeatSafe::kTrue;
  upstream.retry = retry;
  upstream.breaker = breaker;
  ids.route = b->Route({ids.upstream});
  (*b)[ids.route].fallback = {ids.cache, ids.reply};
  return ids;
}

}  // namespace tests
