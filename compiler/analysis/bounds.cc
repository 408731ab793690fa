#include "compiler/analysis/bounds.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace compiler::analysis {
namespace {

using model::Duration;
using model::Policy;
using model::RetrySettings;
using model::RouteSettings;
using model::UpstreamSettings;

int64_t Rounded(double nanoseconds) { return nanoseconds >= 9.2e18 ? kMost : std::llround(std::max(nanoseconds, 0.0)); }

int RetriesOf(const UpstreamSettings& upstream) { return upstream.retry ? upstream.retry->max_retries : 0; }

std::string At(const UpstreamSettings& upstream) { return " at `" + upstream.name + "`"; }

// All that can pass at one upstream: its model is loaded, then a place, an attempt, a wait, a place …
Term VisitTime(const UpstreamSettings& upstream, const Term& attempt) {
  const int attempts = 1 + RetriesOf(upstream);
  std::vector<Term> parts;
  if (upstream.cold_load) {
    parts.push_back(Term::Of(UpTo(*upstream.cold_load), "while the model is loaded" + At(upstream) + " (cold_load)"));
  }
  if (upstream.queue) {
    parts.push_back(Term::Times(
        attempts, Term::Of(UpTo(upstream.queue->timeout), "in the queue" + At(upstream) + " (queue timeout)")));
  }
  parts.push_back(Term::Times(attempts, attempt));
  for (int retry = 1; retry < attempts; ++retry)
    parts.push_back(Term::Of(WaitBefore(*upstream.retry, retry), "waits before retries" + At(upstream)));
  return Term::Sum(std::move(parts));
}

// Whether an answer that another upstream began may be continued here, and asked for twice: from its beginning, which may be
// refused, and afresh.
bool MayTakeOver(const Policy& policy, const RouteSettings& route, size_t position) {
  return std::any_of(route.to.begin(), route.to.begin() + static_cast<std::ptrdiff_t>(position),
                     [&](auto before) { return policy.upstreams[before].on_cut != model::OnCut::kError; });
}

bool MayBeAskedTwice(const Policy& policy, const RouteSettings& route, size_t position) {
  return MayTakeOver(policy, route, position) && policy.upstreams[route.to[position]].prefill;
}

Term WithinDeadline(const RouteSettings& route, Term term) {
  if (!route.deadline) return term;
  return Term::Within(UpTo(*route.deadline), "deadline of `" + route.name + "`", std::move(term));
}

// A mock takes its time after the deadline, too.
void AddMock(const Policy& policy, const RouteSettings& route, std::vector<Term>* parts) {
  for (const model::FallbackRef& step : route.fallback) {
    const auto* mock = std::get_if<model::MockId>(&step);
    if (mock == nullptr || policy.mocks[*mock].delay == Duration::zero()) continue;
    parts->push_back(Term::Of(UpTo(policy.mocks[*mock].delay), "delay of `" + policy.mocks[*mock].name + "`"));
  }
}

Term ChainTime(const Policy& policy, const RouteSettings& route, Term (*attempt)(const UpstreamSettings&)) {
  std::vector<Term> parts;
  for (size_t i = 0; i < route.to.size(); ++i) {
    const UpstreamSettings& upstream = policy.upstreams[route.to[i]];
    Term visit = VisitTime(upstream, attempt(upstream));
    if (MayBeAskedTwice(policy, route, i)) visit = Term::Larger({std::move(visit), Term::Times(2, attempt(upstream))});
    parts.push_back(std::move(visit));
  }
  return Term::Sum(std::move(parts));
}

Term WithMock(const Policy& policy, const RouteSettings& route, Term term) {
  std::vector<Term> parts;
  parts.push_back(std::move(term));
  AddMock(policy, route, &parts);
  if (parts.size() == 1) return std::move(parts[0]);
  return Term::Sum(std::move(parts));
}

}  // namespace

TimeInterval WaitBefore(const RetrySettings& retry, int n) {
  const double cap = static_cast<double>(retry.wait.cap.count());
  const double grown = static_cast<double>(retry.wait.from.count()) * std::pow(retry.wait.factor, n - 1);
  const double longest = std::isfinite(grown) ? std::min(cap, grown) : cap;
  // The least is rounded down: chance never quite reaches the whole jitter.
  TimeInterval wait{static_cast<int64_t>(longest * (1 - std::min(retry.wait.jitter, 1.0))), Rounded(longest)};
  if (retry.honour_cap) wait.high = std::max<int64_t>(wait.high, retry.honour_cap->count());
  return wait;
}

int RetriesWithin(const RetrySettings& retry, std::optional<Duration> deadline) {
  if (!deadline) return retry.max_retries;
  TimeInterval passed;
  for (int n = 1; n <= retry.max_retries; ++n) {
    passed = passed + WaitBefore(retry, n);
    if (passed.low >= deadline->count()) return n - 1;
  }
  return retry.max_retries;
}

Term AttemptTime(const UpstreamSettings& upstream) {
  return Term::Of(UpTo(upstream.timeouts.most()),
                  "attempts" + At(upstream) + (upstream.timeouts.most() == upstream.timeouts.attempt ? " (attempt_timeout)" : " (total)"));
}

Term FirstTokenTime(const UpstreamSettings& upstream) {
  const model::Timeouts& limits = upstream.timeouts;
  // first_token is met by thinking, too; the answer behind it may take until attempt_timeout.
  const bool is_bound = limits.first_token && upstream.commit == model::CommitAt::kAnyOutput;
  if (!is_bound || *limits.first_token >= limits.most()) return AttemptTime(upstream);
  return Term::Of(UpTo(*limits.first_token), "attempts" + At(upstream) + " (first_token)");
}

// "5 attempts: 3 at `a` + 2 at `b`".
std::string RouteBounds::PrintAttempts(const Policy& policy, const RouteSettings& route) const {
  std::string out = std::to_string(attempts) + (attempts == 1 ? " attempt" : " attempts");
  if (attempts_at.size() == 1) return out + At(policy.upstreams[route.to[0]]);
  for (size_t i = 0; i < attempts_at.size(); ++i)
    out += (i == 0 ? ": " : " + ") + std::to_string(attempts_at[i]) + At(policy.upstreams[route.to[i]]);
  return out;
}

Bounds::Bounds(const Policy& policy) : policy_(policy), flights_(policy.caches.size()) {
  for (const RouteSettings& route : policy.routes) {
    if (!route.cache.has_value() || route.to.empty()) continue;
    const Term leader = WithMock(policy, route, WithinDeadline(route, ChainTime(policy, route, AttemptTime)));
    TimeInterval& longest = flights_[static_cast<size_t>(route.cache.value)];
    longest = TimeInterval::UpTo(std::max(longest.high, leader.value().high));
  }
}

// Who asks for what another request is asking for waits for it, until its end, and then goes alone.
Term Bounds::Waiting(const RouteSettings& route, Term (*attempt)(const UpstreamSettings&)) const {
  Term chain = ChainTime(policy_, route, attempt);
  if (!route.cache.has_value()) return chain;
  Term flight = Term::Of(flights_[static_cast<size_t>(route.cache.value)],
                         "for another request of the same key (`" + policy_.caches[route.cache].name + "`)");
  return Term::Sum({std::move(flight), std::move(chain)});
}

RouteBounds Bounds::Of(const RouteSettings& route) const {
  RouteBounds bounds;
  Term latency = Waiting(route, AttemptTime);
  bounds.latency_uncut = WithMock(policy_, route, latency);
  bounds.latency = WithMock(policy_, route, WithinDeadline(route, std::move(latency)));
  bounds.first_token = WithMock(policy_, route, WithinDeadline(route, Waiting(route, FirstTokenTime)));
  for (size_t i = 0; i < route.to.size(); ++i) {
    const UpstreamSettings& upstream = policy_.upstreams[route.to[i]];
    int64_t visit = 1 + (upstream.retry ? RetriesWithin(*upstream.retry, route.deadline) : 0);
    if (MayBeAskedTwice(policy_, route, i)) visit = std::max<int64_t>(visit, 2);
    bounds.attempts_at.push_back(visit);
    bounds.attempts = SaturatingAdd(bounds.attempts, visit);
  }
  return bounds;
}

}  // namespace compiler::analysis
