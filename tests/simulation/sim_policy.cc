#include "tests/simulation/sim_policy.h"

#include <algorithm>
#include <array>
#include <string>

#include "tests/support/policy_builder.h"

namespace tests::simulation {
namespace {

using base::Random;

Duration DrawDuration(Random& random, int64_t from_ms, int64_t to_ms) {
  return std::chrono::milliseconds(from_ms +
                                   static_cast<int64_t>(random.Below(static_cast<uint64_t>(to_ms - from_ms + 1))));
}
bool Chance(Random& random, double p) { return random.Fraction() < p; }
int DrawInt(Random& random, int from, int to) {
  return from + static_cast<int>(random.Below(static_cast<uint64_t>(to - from + 1)));
}

OutcomeSet DrawRetryWhen(Random& random) {
  OutcomeSet set;
  if (Chance(random, 0.7)) set.statuses.emplace_back(500, 599);
  if (Chance(random, 0.5)) set.statuses.emplace_back(429, 429);
  set.errors = {ErrorKind::k_refused, ErrorKind::k_connect_failure};
  if (Chance(random, 0.4)) set.errors.push_back(ErrorKind::k_reset);
  if (Chance(random, 0.3)) set.errors.push_back(ErrorKind::k_truncated);
  if (Chance(random, 0.2)) set.errors.push_back(ErrorKind::k_attempt_timeout);
  if (Chance(random, 0.2)) set.errors.push_back(ErrorKind::k_connect_timeout);
  return set;
}

model::Expr AsExpr(const OutcomeSet& set) { return expr::Or(expr::StatusIn(set.statuses), expr::ErrorIn(set.errors)); }

UpstreamRules DrawUpstream(Random& random) {
  UpstreamRules rules;
  rules.connect = DrawDuration(random, 50, 2000);
  rules.total = DrawDuration(random, 1000, 15'000);
  rules.repeat_safe = Chance(random, 0.6);
  if (Chance(random, 0.3)) rules.cold_load = DrawDuration(random, 200, 6000);
  if (Chance(random, 0.8)) {
    RetryRules retry;
    retry.max_retries = DrawInt(random, 1, 3);
    retry.when = DrawRetryWhen(random);
    retry.from = DrawDuration(random, 1, 1500);
    retry.factor = 1 + random.Fraction() * 2;
    retry.cap = DrawDuration(random, 100, 4000);
    retry.jitter = Chance(random, 0.5) ? 0 : random.Fraction();
    if (Chance(random, 0.4)) retry.budget = random.Fraction();
    if (Chance(random, 0.5)) retry.honour_cap = DrawDuration(random, 100, 5000);
    rules.retry = retry;
  }
  if (Chance(random, 0.75)) {
    BreakerRules breaker;
    breaker.counts_requests = Chance(random, 0.5);
    breaker.open_window = DrawDuration(random, 500, 60'000);
    breaker.open_at = DrawInt(random, 1, 12);
    breaker.open_for = DrawDuration(random, 100, 8000);
    if (Chance(random, 0.4)) {
      breaker.open_factor = 1 + random.Fraction() * 2;
      breaker.open_cap = breaker.open_for * DrawInt(random, 2, 10);
    }
    breaker.probes = DrawInt(random, 1, 5);
    breaker.close_window = DrawDuration(random, 500, 30'000);
    breaker.close_at = DrawInt(random, 1, 4);
    if (Chance(random, 0.3)) {
      OutcomeSet failures;
      failures.statuses = {{500, 503}};
      failures.errors = {ErrorKind::k_refused, ErrorKind::k_reset, ErrorKind::k_attempt_timeout,
                         ErrorKind::k_truncated};
      breaker.failure_when = failures;
    }
    rules.breaker = breaker;
  }
  if (Chance(random, 0.5)) {
    LimitRules limit;
    limit.max_in_flight = DrawInt(random, 1, 6);
    if (Chance(random, 0.8)) {
      limit.queue_length = DrawInt(random, 1, 8);
      limit.queue_timeout = DrawDuration(random, 20, 4000);
    }
    rules.limit = limit;
  }
  return rules;
}

}  // namespace

bool OutcomeSet::Has(const Outcome& outcome) const {
  for (const auto& [low, high] : statuses) {
    if (outcome.status >= low && outcome.status <= high) return true;
  }
  return outcome.error != ErrorKind::kNone && std::find(errors.begin(), errors.end(), outcome.error) != errors.end();
}

OutcomeClass UpstreamRules::ClassOf(const Outcome& outcome) const {
  const bool good = outcome.error == ErrorKind::kNone && outcome.status >= 100 && outcome.status < 400;
  if (good) return OutcomeClass::kSuccess;
  bool failed =
      outcome.error != ErrorKind::kNone || (outcome.status >= 500 && outcome.status != 501 && outcome.status != 505);
  if (breaker && breaker->failure_when) failed = breaker->failure_when->Has(outcome);
  return failed ? OutcomeClass::kFailure : OutcomeClass::kNeutral;
}

SimPolicy DrawPolicy(Random& random) {
  SimPolicy policy;
  PolicyBuilder b;
  const int upstream_count = DrawInt(random, 1, 4);
  for (int i = 0; i < upstream_count; ++i) {
    const UpstreamRules rules = DrawUpstream(random);
    const model::UpstreamId id = b.Upstream("u" + std::to_string(i));
    b[id].repeat_safe = rules.repeat_safe ? model::RepeatSafe::kTrue : model::RepeatSafe::kFalse;
    b[id].timeouts.connect = rules.connect;
    b[id].timeouts.attempt = rules.total;
    b[id].cold_load = rules.cold_load;
    b[id].timeouts.idle = DrawDuration(random, 200, 5000);
    b[id].on_cut = std::array{model::OnCut::kError, model::OnCut::kContinue, model::OnCut::kRestart}[random.Below(3)];
    b[id].prefill = Chance(random, 0.7);
    if (Chance(random, 0.4)) b[id].timeouts.first_token = DrawDuration(random, 200, 4000);
    if (rules.retry) {
      model::RetrySettings retry;
      retry.max_retries = rules.retry->max_retries;
      retry.when = b.When(AsExpr(rules.retry->when));
      retry.wait = {rules.retry->from, rules.retry->factor, rules.retry->cap, rules.retry->jitter};
      retry.budget = rules.retry->budget;
      retry.honour_cap = rules.retry->honour_cap;
      b[id].retry = retry;
    }
    if (rules.breaker) {
      const auto kind =
          rules.breaker->counts_requests ? abi::WindowMeasureKind::kFailedRequests : abi::WindowMeasureKind::kFailures;
      model::BreakerSettings breaker = b.Breaker(kind, rules.breaker->open_window, rules.breaker->open_at,
                                                 rules.breaker->close_window, rules.breaker->close_at);
      breaker.open_for =
          rules.breaker->open_factor == 1
              ? model::OpenFor(rules.breaker->open_for)
              : model::OpenFor(rules.breaker->open_for, rules.breaker->open_factor, rules.breaker->open_cap);
      breaker.probes = rules.breaker->probes;
      if (rules.breaker->failure_when) breaker.failure_when = b.When(AsExpr(*rules.breaker->failure_when));
      b[id].breaker = breaker;
    }
    if (rules.limit) {
      b[id].max_in_flight = rules.limit->max_in_flight;
      if (rules.limit->queue_length > 0)
        b[id].queue = model::QueueSettings{rules.limit->queue_length, rules.limit->queue_timeout};
    }
    policy.upstreams.push_back(rules);
  }

  const model::CacheId cache = b.Cache("answers", DrawDuration(random, 500, 20'000), DrawDuration(random, 0, 20'000));
  const model::ReplyId reply = b.Reply("sorry");
  const model::MockId mock = b.Mock("mock", DrawDuration(random, 0, 500));
  const int route_count = DrawInt(random, 1, 4);
  for (int i = 0; i < route_count; ++i) {
    RouteRules rules;
    std::vector<model::UpstreamId> to;
    for (int u = 0; u < upstream_count; ++u) {
      if (to.empty() || Chance(random, 0.5)) to.emplace_back(u);
    }
    for (const model::UpstreamId id : to) rules.to.push_back(id.value);
    const model::RouteId id = b.Route(to);
    if (Chance(random, 0.5)) b[id].deadline = rules.deadline = DrawDuration(random, 300, 8000);
    if (i % 2 == 0) b[id].keep_alive = std::chrono::milliseconds(700);
    if (Chance(random, 0.3)) b[id].cache = cache;
    if (Chance(random, 0.4)) b[id].fallback.push_back(cache);
    if (Chance(random, 0.2)) b[id].fallback.push_back(mock);
    if (Chance(random, 0.4)) b[id].fallback.push_back(reply);
    policy.routes.push_back(rules);
  }
  policy.compiled = b.Build();
  return policy;
}

}  // namespace tests::simulation
