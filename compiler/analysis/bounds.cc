#include "compiler/analysis/bounds.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/planted_fault.h"
#include "compiler/analysis/known_names.h"
#include "compiler/analysis/outcomes.h"
#include "compiler/analysis/region.h"
#include "compiler/model/model_paths.h"

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

// Whether `retry when` holds for nothing but what ends before the request is sent.
bool RetriesBeforeSendingOnly(const Policy& policy, const RetrySettings& retry) {
  const model::Expr& when = policy.predicates[retry.when].expr;
  for (const int status : TellingStatuses(when, 100, 599)) {
    if (Evaluate(when, AtStatus(status)) != Truth::kNever) return false;
  }
  for (const abi::ErrorKind error : AttemptErrors()) {
    // The time for a handshake is not that for a connection.
    const bool is_bounded = IsBeforeSending(error) && error != abi::ErrorKind::k_tls_failure;
    if (!is_bounded && Evaluate(when, AtError(error)) != Truth::kNever) return false;
  }
  return true;
}

QuickRetries FindQuickRetries(const Policy& policy) {
  QuickRetries quick;
  for (const UpstreamSettings& upstream : policy.upstreams)
    quick.Add(static_cast<char>(upstream.retry && RetriesBeforeSendingOnly(policy, *upstream.retry)));
  return quick;
}

// All that can pass at one upstream: its model is loaded, then a place, an attempt, a wait, a place … `last`: of the last attempt.
// retries_quickly: what is retried ended before the request was sent.
Term VisitTime(const UpstreamSettings& upstream, bool retries_quickly, const Term& attempt, const Term& last) {
  const int attempts = 1 + RetriesOf(upstream);
  std::vector<Term> parts;
  if (upstream.cold_load) {
    parts.push_back(Term::Of(UpTo(*upstream.cold_load), "while the model is loaded" + At(upstream) + " (cold_load)"));
  }
  if (upstream.queue) {
    parts.push_back(Term::Times(
        attempts, Term::Of(UpTo(upstream.queue->timeout), "in the queue" + At(upstream) + " (queue timeout)")));
  }
  // One that is retried ended with what the policy names.
  const Term connecting = Term::Of(UpTo(upstream.timeouts.connect), "connections" + At(upstream) + " (connect)");
  bool is_quick = attempts > 1 && retries_quickly && connecting.value().high < attempt.value().high;
  PLANT_FAULT(charges_a_connection_as_attempt, is_quick = false);
  const bool is_same = !is_quick && last.PrintWithResult() == attempt.PrintWithResult();
  if (is_same) {
    parts.push_back(Term::Times(attempts, attempt));
  } else {
    if (attempts > 1) parts.push_back(Term::Times(attempts - 1, is_quick ? connecting : attempt));
    parts.push_back(last);
  }
  int waits = attempts - 1;
  PLANT_FAULT(forgets_waits, waits = 0);
  for (int retry = 1; retry <= waits; ++retry)
    parts.push_back(Term::Of(WaitBefore(*upstream.retry, retry), "waits before retries" + At(upstream)));
  return Term::Sum(std::move(parts));
}

// Whether an answer that another upstream began may be continued here, and asked for twice: from its beginning, which may be
// refused, and afresh. One that begins anew is asked for once.
bool MayBeAskedTwice(const Policy& policy, const RouteSettings& route, size_t position) {
  const bool may_continue = std::any_of(route.to.begin(), route.to.begin() + static_cast<std::ptrdiff_t>(position),
                                        [&](auto before) { return policy.upstreams[before].on_cut == model::OnCut::kContinue; });
  PLANT_FAULT(forgets_second_asking, return false);
  return may_continue && policy.upstreams[route.to[position]].prefill;
}

Term WithinDeadline(const RouteSettings& route, Term term) {
  if (!route.deadline) return term;
  PLANT_FAULT(forgets_the_deadline, return term);
  return Term::Within(UpTo(*route.deadline), "deadline of `" + route.name + "`", std::move(term));
}

// A mock takes its time after the deadline, too.
void AddMock(const Policy& policy, const RouteSettings& route, std::vector<Term>* parts) {
  for (const model::FallbackRef& step : route.fallback) {
    const auto* mock = std::get_if<model::MockId>(&step);
    if (mock == nullptr || policy.mocks[*mock].delay == Duration::zero()) continue;
    PLANT_FAULT(forgets_the_mock, return);
    parts->push_back(Term::Of(UpTo(policy.mocks[*mock].delay), "delay of `" + policy.mocks[*mock].name + "`"));
  }
}

// Whether no answer of the upstream to what the route takes is read as a stream: its conditions name all paths, and none is one where
// a model speaks, or nothing is sent to it that asks for one. Then `attempt_timeout` bounds each of them to its last byte.
bool IsNeverRead(const Policy& policy, const RouteSettings& route, const UpstreamSettings& upstream) {
  if (!route.when || upstream.dialect != model::UpstreamDialect::kAuto) return false;
  const Region taken = Region::Of(policy.predicates[*route.when].expr);
  return !taken.cells().empty() && std::all_of(taken.cells().begin(), taken.cells().end(), [&](const Cell& cell) {
    constexpr auto kPost = static_cast<long double>(abi::Method::kPOST);
    const NumberSet methods = cell.Of(Subject::Of(abi::FieldId::k_request_method)).number;
    if (methods.And(NumberSet::Of(true, {kPost, kPost, false, false})).empty()) return true;
    const TextSet paths = cell.Of(Subject::Of(abi::FieldId::k_request_path)).text;
    return paths.only && std::none_of(paths.only->begin(), paths.only->end(),
                                      [&](const std::string& path) { return StreamsAnswers(model::PathAt(upstream.url, path)); });
  });
}

// One upstream after the other, until the client has what it waits for. An answer that has begun is the
// last one, unless the policy has another upstream take it over.
Term ChainTime(const Policy& policy, const QuickRetries& quick, const RouteSettings& route, Until until) {
  Term (*attempt)(const UpstreamSettings&) = until == Until::kFirstToken ? FirstTokenTime : AttemptTime;
  Term (*ends)(const UpstreamSettings&) = until == Until::kWhole ? AnswerTime : attempt;
  std::vector<Term> before;        // all that passes until this upstream is asked
  std::vector<Term> alternatives;  // by the upstream whose answer it is
  for (size_t i = 0; i < route.to.size(); ++i) {
    const UpstreamSettings& upstream = policy.upstreams[route.to[i]];
    const Term failed = attempt(upstream);
    const Term whole = until == Until::kWhole && IsNeverRead(policy, route, upstream) ? failed : ends(upstream);
    const auto visit = [&](const Term& last) {
      Term time = VisitTime(upstream, quick[route.to[i]] != 0, failed, last);
      // Behind a first content only.
      if (until != Until::kFirstToken && MayBeAskedTwice(policy, route, i))
        time = Term::Larger({std::move(time), Term::Sum({failed, last})});
      return time;
    };
    std::vector<Term> parts = before;
    parts.push_back(visit(whole));
    alternatives.push_back(Term::Sum(std::move(parts)));
    // What goes on to the next one: a failure, or an answer that was cut.
    bool may_be_cut = upstream.on_cut != model::OnCut::kError;
    PLANT_FAULT(charges_the_stream_to_each, may_be_cut = true);
    before.push_back(visit(may_be_cut ? whole : failed));
  }
  // The last ones first: of equal ones the whole chain is the one to show.
  std::reverse(alternatives.begin(), alternatives.end());
  return alternatives.size() == 1 ? std::move(alternatives[0]) : Term::Larger(std::move(alternatives));
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
  const bool is_total = upstream.timeouts.most() != upstream.timeouts.attempt;
  return Term::Of(UpTo(upstream.timeouts.most()), "attempts" + At(upstream) + (is_total ? " (total)" : " (attempt_timeout)"));
}

Term FirstTokenTime(const UpstreamSettings& upstream) {
  const model::Timeouts& limits = upstream.timeouts;
  // first_token is met by thinking, too; the answer behind it may take until attempt_timeout.
  bool is_bound = upstream.commit == model::CommitAt::kAnyOutput;
  PLANT_FAULT(charges_first_token_as_attempt, is_bound = false);
  const Duration first_token = limits.first_token.value_or(limits.stall);
  const Duration least = std::min(first_token, limits.stall);
  if (!is_bound || least >= limits.most()) return AttemptTime(upstream);
  return Term::Of(UpTo(least), "attempts" + At(upstream) + (least == first_token && limits.first_token ? " (first_token)" : " (stall)"));
}

Term AnswerTime(const UpstreamSettings& upstream) {
  if (upstream.timeouts.total) return Term::Of(UpTo(*upstream.timeouts.total), "an answer" + At(upstream) + " (total)");
  return Term::Of({0, kMost}, "a stream" + At(upstream) + ", as long as it flows (it has no `total`)");
}

// "5 attempts: 3 at `a` + 2 at `b`".
std::string RouteBounds::PrintAttempts(const Policy& policy, const RouteSettings& route) const {
  std::string out = std::to_string(visits) + (visits == 1 ? " attempt" : " attempts");
  for (size_t i = 0; i < visits_at.size(); ++i) {
    const std::string at = At(policy.upstreams[route.to[i]]);
    out += visits_at.size() == 1 ? at : (i == 0 ? ": " : " + ") + std::to_string(visits_at[i]) + at;
  }
  return out;
}

Bounds::Bounds(const Policy& policy)
    : policy_(policy),
      quick_retries_(FindQuickRetries(policy)),
      flights_(policy.caches.size()),
      failing_flights_(policy.caches.size()) {
  for (const RouteSettings& route : policy.routes) {
    if (!route.cache.has_value() || route.to.empty()) continue;
    const auto note = [&](std::vector<TimeInterval>* flights, Until until) {
      const Term leader =
          WithMock(policy, route, WithinDeadline(route, ChainTime(policy, quick_retries_, route, until)));
      TimeInterval& longest = (*flights)[static_cast<size_t>(route.cache.value)];
      longest = TimeInterval::UpTo(std::max(longest.high, leader.value().high));
    };
    note(&flights_, Until::kWhole);
    note(&failing_flights_, Until::kFailed);
  }
}

// Who asks for what another request is asking for waits for it, until its end, and then goes alone.
Term Bounds::Waiting(const std::vector<TimeInterval>& flights, const RouteSettings& route, Until until) const {
  Term chain = ChainTime(policy_, quick_retries_, route, until);
  if (!route.cache.has_value()) return chain;
  Term flight = Term::Of(flights[static_cast<size_t>(route.cache.value)],
                         "for another request of the same key (`" + policy_.caches[route.cache].name + "`)");
  return Term::Sum({std::move(flight), std::move(chain)});
}

RouteBounds Bounds::Of(const RouteSettings& route) const {
  RouteBounds bounds = AttemptsOf(route);
  Term latency = Waiting(flights_, route, Until::kWhole);
  bounds.latency_uncut = WithMock(policy_, route, Waiting(failing_flights_, route, Until::kFailed));
  // A mock answers where all have failed, never behind an answer that was begun.
  Term answered = WithinDeadline(route, std::move(latency));
  Term failed = WithMock(policy_, route, WithinDeadline(route, Waiting(failing_flights_, route, Until::kFailed)));
  const bool is_longer = failed.value().high > answered.value().high;
  bounds.latency = is_longer ? std::move(failed) : std::move(answered);
  bounds.first_token = WithMock(policy_, route, WithinDeadline(route, Waiting(flights_, route, Until::kFirstToken)));
  return bounds;
}

RouteBounds Bounds::AttemptsOf(const RouteSettings& route) const {
  RouteBounds bounds;
  for (size_t i = 0; i < route.to.size(); ++i) {
    const UpstreamSettings& upstream = policy_.upstreams[route.to[i]];
    int64_t visit = 1 + (upstream.retry ? RetriesWithin(*upstream.retry, route.deadline) : 0);
    if (MayBeAskedTwice(policy_, route, i)) visit = std::max<int64_t>(visit, 2);
    bounds.visits_at.push_back(visit);
    bounds.visits = SaturatingAdd(bounds.visits, visit);
    bool keeps_connections = upstream.pool.size > 0;
    PLANT_FAULT(forgets_races, keeps_connections = false);
    bounds.attempts_at.push_back(keeps_connections ? SaturatingMultiply(2, visit) : visit);
    bounds.attempts = SaturatingAdd(bounds.attempts, bounds.attempts_at.back());
  }
  return bounds;
}

}  // namespace compiler::analysis
