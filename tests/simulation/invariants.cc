// The checker's own model of exchanges and breakers. It sees only events, commands and what a breaker shows.
#include "tests/simulation/invariants.h"

#include <algorithm>
#include <cmath>

#include "tests/simulation/invariants_batch.h"
#include "tests/support/describe_command.h"

namespace tests::simulation {

namespace model = compiler::model;

using namespace runtime::engine;  // NOLINT: events and commands, by the dozen

namespace {

constexpr size_t kMostViolations = 10;
constexpr Duration kRounding = Duration(2);

int64_t CountWithin(const std::vector<TimePoint>& times, Duration window, TimePoint now) {
  return std::count_if(times.begin(), times.end(), [&](TimePoint t) { return now - t <= window; });
}

Duration LongestWait(const RetryRules& rules, int retry) {
  double wait = static_cast<double>(rules.from.count());
  for (int i = 1; i < retry; ++i) wait *= rules.factor;
  return Duration(static_cast<int64_t>(std::min(wait, static_cast<double>(rules.cap.count()))));
}

const char* FinalKind(const Command& command) {
  if (std::holds_alternative<FinishAnswer>(command)) return "finish";
  if (std::holds_alternative<BreakOffAnswer>(command)) return "break_off";
  if (std::holds_alternative<SendReply>(command)) return "send_reply";
  if (std::holds_alternative<SendCached>(command)) return "send_cached";
  if (std::holds_alternative<SendMock>(command)) return "send_mock";
  if (std::holds_alternative<SendError>(command)) return "send_error";
  return nullptr;
}

}  // namespace

Invariants::Invariants(std::vector<UpstreamRules> upstreams, std::vector<RouteRules> routes,
                       const compiler::model::Policy& policy, Report* report)
    : upstreams_(std::move(upstreams)),
      routes_(std::move(routes)),
      policy_(policy),
      report_(report),
      breakers_(upstreams_.size()),
      budgets_(upstreams_.size()),
      limiters_(upstreams_.size()) {}

void Invariants::Violation(int exchange, TimePoint now, const std::string& what) {
  if (report_->violations.size() >= kMostViolations) return;
  report_->violations.push_back("exchange " + std::to_string(exchange) + " at " +
                                DescribeDuration(now.time_since_epoch()) + ": " + what);
}

void Invariants::Expect(bool holds, const Batch& batch, const std::string& what) {
  if (holds) return;
  std::string text = what + "; commands:";
  for (const Command& command : batch.commands) text += " [" + Describe(command, policy_) + "]";
  Violation(batch.view.id, batch.now, text);
}

void Invariants::Handled(const ExchangeView& view, const Event& event, const Commands& commands, bool done,
                         std::optional<TimePoint> next_deadline, TimePoint now) {
  ShadowExchange& exchange = exchanges_[view.id];
  exchange.last_handled = now;
  const std::optional<Duration>& limit = routes_[static_cast<size_t>(view.route)].deadline;
  const Batch batch{view, exchange, event, commands, now, limit ? std::optional(view.arrived + *limit) : std::nullopt};
  for (ShadowBreaker& breaker : breakers_) {
    breaker.in_batch.clear();
    breaker.lapsed_in_batch.clear();
    breaker.success_in_batch = false;
  }

  OnEvent(batch);
  for (size_t i = 0; i < commands.size(); ++i) {
    const Command& command = commands[i];
    ShadowAttempt& attempt = exchange.attempt;
    if (const char* kind = FinalKind(command)) OnFinal(batch, kind);
    if (const auto* start = std::get_if<StartAttempt>(&command)) OnStart(batch, *start);
    if (std::holds_alternative<AbortAttempt>(command)) {
      Expect(attempt.alive, batch, "an attempt was aborted that isn't under way");
      CloseAttempt(view.id, &attempt);
    }
    OnPlaceCommand(batch, command);
    OnLoadCommand(batch, command);
    if (std::holds_alternative<CommitAnswer>(command)) {
      Expect(!exchange.committed && attempt.status != 0 && exchange.finals == 0, batch, "commit out of place");
      exchange.committed = attempt.committed = true;
    }
    if (std::holds_alternative<ResumeAnswer>(command)) {
      Expect(exchange.committed && attempt.continuation != Continuation::kNone && !attempt.committed, batch,
             "an answer goes on out of place");
      attempt.committed = true;
      ++report_->seen["resume"];
    }
    if (std::holds_alternative<SendKeepAlive>(command)) {
      Expect(!exchange.committed && exchange.finals == 0, batch, "a client was kept alive that has its answer");
      ++report_->seen["keep_alive"];
    }
    if (const auto* ended = std::get_if<RecordAttemptEnded>(&command)) {
      const auto* next = i + 1 < commands.size() ? std::get_if<StartAttempt>(&commands[i + 1]) : nullptr;
      OnAttemptEnded(batch, *ended,
                     next != nullptr && next->upstream == ended->upstream && next->number == ended->number);
    }
    if (const auto* retry = std::get_if<RecordRetry>(&command)) OnRetry(batch, *retry);
    if (const auto* denied = std::get_if<RecordRetryDenied>(&command)) {
      ++report_->seen["denied " + std::string(denied->reason)];
      if (denied->reason == "budget_spent") {
        Expect(!BudgetAllows(denied->upstream.value, now), batch, "a retry was denied that is in the budget");
        exchange.wait.reset();
      }
    }
    if (const auto* transition = std::get_if<RecordBreaker>(&command)) OnTransition(batch, *transition);
    if (std::holds_alternative<RecordRejected>(command)) exchange.wait.reset();
    if (std::holds_alternative<FollowCache>(command)) {
      exchange.following = true;
      ++report_->seen["follow"];
    }
    if (std::holds_alternative<UnfollowCache>(command)) exchange.following = false;
  }
  if (done) exchange.wait.reset();
  CloseVisit(batch);
  CheckTransitions(batch);

  Expect(done == (exchange.finals > 0 || exchange.gone), batch,
         "done without a final answer, or a final answer and not done");
  Expect(!done || (!exchange.attempt.alive && exchange.attempt.is_noted), batch, "done while an attempt is left");
  CheckPlaces(batch, done, next_deadline);
  if (!done) {
    const bool waits_for_leader = exchange.following && !batch.deadline;
    Expect(next_deadline.has_value() || waits_for_leader, batch, "stuck: no deadline and nothing else to wait for");
    if (std::holds_alternative<TimeReached>(event)) {
      Expect(!next_deadline || *next_deadline > now, batch, "stuck: a deadline was reached and is still there");
    }
  } else {
    Expect(!next_deadline.has_value(), batch, "done, and still a deadline");
    exchanges_.erase(view.id);
  }
}

void Invariants::OnEvent(const Batch& batch) {
  ShadowExchange& exchange = batch.exchange;
  ShadowAttempt& attempt = exchange.attempt;
  if (std::holds_alternative<AttemptRequestSent>(batch.event)) attempt.sent = true;
  if (std::holds_alternative<CacheSettled>(batch.event)) exchange.following = false;
  if (std::holds_alternative<AttemptEnded>(batch.event) || std::holds_alternative<AttemptFailed>(batch.event))
    CloseAttempt(batch.view.id, &attempt);
  // The deadline ends the wait of a retry, and may do so without a command: where a mock takes its time next.
  if (std::holds_alternative<TimeReached>(batch.event) && batch.deadline && batch.now >= *batch.deadline) exchange.wait.reset();
  if (std::holds_alternative<ClientGone>(batch.event)) {
    exchange.gone = true;
    ++report_->seen["final client_gone"];
  }
  const bool judged = attempt.upstream >= 0;
  if (const auto* head = std::get_if<AttemptHead>(&batch.event)) {
    attempt.sent = true;
    attempt.status = head->status;
    attempt.retry_after = head->retry_after;
    const Outcome outcome{head->status, ErrorKind::kNone};
    if (judged && upstreams_[static_cast<size_t>(attempt.upstream)].ClassOf(outcome) == OutcomeClass::kFailure) {
      CountFailure(&attempt, batch.now);
    }
  }
  const bool content = std::holds_alternative<AttemptContent>(batch.event) ||
                       (std::holds_alternative<AttemptEnded>(batch.event) && !attempt.committed);
  if (content && judged) breakers_[static_cast<size_t>(attempt.upstream)].probes.erase({batch.view.id, attempt.serial});
  if (content && judged && !attempt.counted) {
    const Outcome outcome{attempt.status, ErrorKind::kNone};
    if (upstreams_[static_cast<size_t>(attempt.upstream)].ClassOf(outcome) == OutcomeClass::kSuccess) {
      CountSuccess(&attempt, batch.now);
    }
  }
}

void Invariants::CountFailure(ShadowAttempt* attempt, TimePoint now) {
  if (attempt->counted) return;
  attempt->counted = OutcomeClass::kFailure;
  breakers_[static_cast<size_t>(attempt->upstream)].failures[attempt->generation].push_back(now);
}

void Invariants::CountSuccess(ShadowAttempt* attempt, TimePoint now) {
  ShadowBreaker& breaker = breakers_[static_cast<size_t>(attempt->upstream)];
  if (!attempt->is_probe || attempt->success_counted || attempt->generation != breaker.generation) return;
  attempt->success_counted = true;
  breaker.success_in_batch = true;
  breaker.successes[attempt->generation].push_back(now);
}

void Invariants::OnStart(const Batch& batch, const StartAttempt& command) {
  ShadowExchange& exchange = batch.exchange;
  ShadowAttempt& last = exchange.attempt;
  const int upstream = command.upstream.value;
  const UpstreamRules& rules = upstreams_[static_cast<size_t>(upstream)];
  const bool takes_over = command.continuation != Continuation::kNone;
  Expect(exchange.committed == takes_over, batch, "an attempt after the commit that takes nothing over, or one before it");
  if (takes_over) {
    const auto& first = policy_.upstreams[model::UpstreamId(exchange.cut_upstream)];
    Expect(first.on_cut != model::OnCut::kError, batch, "an answer was taken over that should not be");
    Expect(command.continuation == Continuation::kAfresh ||
               (first.on_cut == model::OnCut::kContinue && policy_.upstreams[command.upstream].prefill),
           batch, "an upstream was asked to go on that can't, or for an answer to be begun again");
    ++report_->seen[command.continuation == Continuation::kPrefill ? "take over" : "take over afresh"];
  }
  Expect(exchange.finals == 0 && !exchange.gone, batch, "an attempt after the end");
  Expect(!last.alive && last.is_noted, batch, "an attempt beside another one");
  Expect(command.fresh_connection || batch.view.body_is_kept, batch, "a pooled connection for a body that is gone if it fails");
  if (exchange.any_start) {
    const bool last_repeatable = batch.view.is_idempotent || upstreams_[static_cast<size_t>(last.upstream)].repeat_safe;
    Expect(batch.view.body_is_kept || !last.sent, batch, "a body that isn't kept was sent twice");
    Expect(last_repeatable || !last.sent || takes_over, batch, "a request was repeated that must not be");
  }
  exchange.any_start = true;

  if (last.raced && last.upstream == upstream && last.number == command.number && !last.alive &&
      last.serial == exchange.serials) {
    Expect(!last.fresh && command.fresh_connection, batch, "a reuse race on a fresh connection, or once more");
    last.fresh = true;
    last.alive = true;
    OpenAttempt(batch, last);
    last.is_noted = false;
    last.sent = false;
    ++report_->seen["reconnect"];
    return;
  }

  ++report_->seen["start"];
  Expect(!batch.deadline || batch.now < *batch.deadline, batch, "an attempt after the deadline");
  if (command.number == 1) {
    Expect(exchange.visited.insert(upstream).second, batch, "an upstream was begun twice");
    if (exchange.failed_visit) CloseVisit(batch);
    exchange.retries = 0;
    ShadowBudget& budget = budgets_[static_cast<size_t>(upstream)];
    if (rules.retry && rules.retry->budget) budget.tokens = std::min(budget.tokens + *rules.retry->budget, 100.0);
  } else if (takes_over) {
    Expect(last.upstream == upstream && command.number == last.number + 1 &&
               last.continuation == Continuation::kPrefill && last.status / 100 == 4,
           batch, "asked afresh without having refused");
    exchange.failed_visit.reset();
  } else {
    Expect(exchange.wait && last.upstream == upstream && command.number == last.number + 1, batch,
           "a retry without its wait");
    if (exchange.wait && !exchange.wait_is_over) {
      const TimePoint due = exchange.wait->first + exchange.wait->second;
      Expect(batch.now >= due && batch.now <= due + kMaxLateness, batch, "the wait was not what was said");
    }
    SpendToken(batch, upstream);
    ++exchange.retries;
    exchange.wait.reset();
    exchange.wait_is_over = false;
    exchange.failed_visit.reset();
    ++report_->seen["retry"];
  }
  const int most = takes_over ? 2 : rules.retry ? rules.retry->max_retries + 1 : 1;
  Expect(command.number <= most, batch,
         "attempt " + std::to_string(command.number) + " of at most " + std::to_string(most));

  ShadowAttempt attempt;
  attempt.upstream = upstream;
  attempt.number = command.number;
  attempt.serial = ++exchange.serials;
  attempt.alive = true;
  attempt.is_noted = false;
  attempt.fresh = command.fresh_connection;
  attempt.continuation = command.continuation;
  attempt.started = batch.now;
  if (rules.breaker) {
    ShadowBreaker& breaker = breakers_[static_cast<size_t>(upstream)];
    Expect(breaker.state != BreakerState::kOpen, batch, "an attempt through an open breaker");
    attempt.generation = breaker.generation;
    if (breaker.state == BreakerState::kHalfOpen) {
      Expect(batch.view.body_is_kept, batch, "an upload that lasts as long as its client likes is a probe");
      attempt.is_probe = true;
      breaker.probes[{batch.view.id, attempt.serial}] = batch.now + rules.total;
      Expect(std::cmp_less_equal(breaker.probes.size(), rules.breaker->probes), batch, "too many probes in flight");
    }
  }
  last = attempt;
  OpenAttempt(batch, last);
}

void Invariants::OnAttemptEnded(const Batch& batch, const RecordAttemptEnded& command, bool is_race) {
  ShadowExchange& exchange = batch.exchange;
  ShadowAttempt& attempt = exchange.attempt;
  Expect(!attempt.is_noted && !attempt.alive, batch, "an attempt's end was noted twice, or while it is under way");
  Expect(command.upstream.value == attempt.upstream && command.number == attempt.number, batch,
         "another attempt's end was noted");
  if (attempt.upstream < 0) return;
  attempt.is_noted = true;
  if (is_race) {
    const auto* failed = std::get_if<AttemptFailed>(&batch.event);
    Expect(failed != nullptr && failed->is_reuse_race && command.outcome_class == OutcomeClass::kNeutral, batch,
           "an attempt was repeated at once that had no reuse race");
    attempt.raced = true;
    return;
  }
  attempt.raced = false;
  const UpstreamRules& rules = upstreams_[static_cast<size_t>(attempt.upstream)];
  Expect(command.took == batch.now - attempt.started && command.took <= rules.total + kMaxLateness, batch,
         "an attempt took longer than its limit");
  const bool gone = std::holds_alternative<ClientGone>(batch.event);
  const auto* failure = std::get_if<AttemptFailed>(&batch.event);
  const bool mismatch = failure != nullptr && failure->is_mismatch;
  if (attempt.committed) exchange.cut_upstream = attempt.upstream;
  const bool redirected = attempt.continuation != Continuation::kNone && attempt.status / 100 == 3;
  // A deadline that cuts it shows something only where it had the time that any attempt of the route has, and brought nothing.
  const bool is_deadline = std::holds_alternative<TimeReached>(batch.event) && batch.deadline && batch.now >= *batch.deadline;
  const Duration most = std::min(rules.total, batch.deadline ? *batch.deadline - batch.view.arrived : rules.total);
  const bool had_its_time = !attempt.committed && (batch.now - attempt.started) * 16 >= most * 15;
  const bool gave_connection_up = failure != nullptr && failure->is_reuse_race && !attempt.fresh;
  attempt.blameless = gone || gave_connection_up || (is_deadline && !had_its_time);
  const OutcomeClass expected = attempt.counted                  ? *attempt.counted
                                : attempt.blameless || mismatch || redirected ? OutcomeClass::kNeutral
                                                : rules.ClassOf(command.outcome);
  Expect(command.outcome_class == expected, batch, "an outcome was misjudged");
  if (command.outcome_class == OutcomeClass::kFailure) {
    CountFailure(&attempt, batch.now);
    exchange.failed_visit = {attempt.upstream, attempt.generation};
  }
  ShadowBreaker& breaker = breakers_[static_cast<size_t>(attempt.upstream)];
  breaker.probes.erase({batch.view.id, attempt.serial});
  ++report_->seen["ended " + std::string(Name(command.outcome_class))];

  // What the rule names is retried, or it is said why not.
  const bool deadline_is_due = batch.deadline && batch.now >= *batch.deadline;
  if (!gone && !exchange.committed && !deadline_is_due && rules.retry && rules.retry->when.Has(command.outcome) &&
      exchange.retries < rules.retry->max_retries) {
    const bool answered = std::any_of(batch.commands.begin(), batch.commands.end(), [](const Command& c) {
      return std::holds_alternative<RecordRetry>(c) || std::holds_alternative<RecordRetryDenied>(c);
    });
    Expect(answered || attempt.status != 0, batch, "a retry was not made, and nobody said why");
  }
}

void Invariants::OnRetry(const Batch& batch, const RecordRetry& command) {
  ShadowExchange& exchange = batch.exchange;
  const std::optional<RetryRules>& rules = upstreams_[static_cast<size_t>(command.upstream.value)].retry;
  Expect(rules.has_value() && rules->when.Has(command.cause), batch, "a retry of what the rule doesn't name");
  if (!rules) return;
  Expect(command.retry == exchange.retries + 1 && command.retry <= rules->max_retries, batch, "one retry too many");
  Duration longest = LongestWait(*rules, command.retry);
  Duration shortest(static_cast<int64_t>(static_cast<double>(longest.count()) * (1 - rules->jitter)));
  if (const auto& asked = exchange.attempt.retry_after; asked && rules->honour_cap) {
    Expect(*asked <= *rules->honour_cap, batch, "a retry although the upstream asks for more than the cap");
    longest = std::max(longest, *asked);
    shortest = std::max(shortest, *asked);
    ++report_->seen["honoured"];
  }
  Expect(command.wait <= longest + kRounding && command.wait >= shortest - kRounding, batch,
         "a wait of " + DescribeDuration(command.wait) + " is not within " + DescribeDuration(shortest) + " … " +
             DescribeDuration(longest));
  Expect(!batch.deadline || batch.now + command.wait < *batch.deadline, batch, "a retry that comes after the deadline");
  exchange.wait = {batch.now, command.wait};
}

bool Invariants::BudgetAllows(int upstream, TimePoint now) const {
  const ShadowBudget& budget = budgets_[static_cast<size_t>(upstream)];
  return budget.tokens >= 1 - 1e-9 || !budget.last_taken || now - *budget.last_taken >= std::chrono::seconds(1);
}

void Invariants::SpendToken(const Batch& batch, int upstream) {
  const std::optional<RetryRules>& rules = upstreams_[static_cast<size_t>(upstream)].retry;
  if (!rules || !rules->budget) return;
  Expect(BudgetAllows(upstream, batch.now), batch, "a retry beyond the budget");
  ShadowBudget& budget = budgets_[static_cast<size_t>(upstream)];
  budget.tokens = std::max(budget.tokens - 1, 0.0);
  budget.last_taken = batch.now;
}

void Invariants::OnTransition(const Batch& batch, const RecordBreaker& command) {
  ShadowBreaker& breaker = breakers_[static_cast<size_t>(command.upstream.value)];
  const BreakerTransition& t = command.transition;
  ++report_->seen["breaker " + std::string(Name(t.from)) + ">" + std::string(Name(t.to))];
  Expect(t.from == breaker.state && t.generation == breaker.generation + 1, batch,
         "a transition that doesn't follow the last one");
  breaker.in_batch.push_back(t);
  breaker.lapsed_in_batch.push_back(std::any_of(breaker.probes.begin(), breaker.probes.end(),
                                                [&](const auto& probe) { return batch.now >= probe.second; }));
  if (t.to == BreakerState::kHalfOpen) {
    Expect(batch.now >= breaker.opened_at + breaker.open_least, batch, "half-open before open_for was over");
    breaker.half_open_at = batch.now;
  }
  if (t.to == BreakerState::kOpen) {
    Trip(*upstreams_[static_cast<size_t>(command.upstream.value)].breaker, t.from, batch.now, &breaker);
  } else if (t.to == BreakerState::kClosed) {
    breaker.closed_at = batch.now;
  }
  // An answer whose first content closed the breaker goes on in the new generation.
  if (t.to == BreakerState::kClosed) batch.exchange.attempt.generation = t.generation;
  breaker.state = t.to;
  breaker.generation = t.generation;
  breaker.probes.clear();
}

// How long it is to be open: longer with each trip that follows another one, and back again with health.
void Invariants::Trip(const BreakerRules& rules, BreakerState from, TimePoint now, ShadowBreaker* breaker) {
  const auto step = [&rules](int trips) {
    double open = static_cast<double>(rules.open_for.count());
    for (int i = 0; i < trips; ++i) open *= rules.open_factor;
    return rules.open_factor == 1 ? rules.open_for : std::min(Duration(std::llround(open)), rules.open_cap);
  };
  if (from == BreakerState::kClosed) {
    Duration healthy = now - breaker->closed_at;
    while (breaker->trips > 0 && healthy >= step(breaker->trips - 1)) healthy -= step(--breaker->trips);
  }
  const Duration open = step(breaker->trips);
  breaker->opened_at = now;
  breaker->open_least = open - kRounding;
  breaker->open_most = open + kRounding;
  if (rules.open_factor == 1) return;
  breaker->open_most += open / 10;
  if (breaker->trips == 0 || step(breaker->trips - 1) < rules.open_cap) ++breaker->trips;
  if (open > rules.open_for) ++report_->seen["open_for grown"];
}

void Invariants::OnFinal(const Batch& batch, const char* kind) {
  ShadowExchange& exchange = batch.exchange;
  ++report_->seen["final " + std::string(kind)];
  const std::string_view name = kind;
  Expect(exchange.finals == 0 && !exchange.gone, batch, "a second final answer");
  Expect(!exchange.attempt.alive, batch, "a final answer while an attempt is under way");
  Expect(exchange.committed == (name == "finish" || name == "break_off"), batch,
         "a final answer that doesn't fit the commit");
  ++exchange.finals;
  exchange.wait.reset();
}

// The request leaves an upstream whose last attempt failed: that is a failed request.
void Invariants::CloseVisit(const Batch& batch) {
  ShadowExchange& exchange = batch.exchange;
  if (!exchange.failed_visit || exchange.wait) return;
  const auto [upstream, generation] = *exchange.failed_visit;
  breakers_[static_cast<size_t>(upstream)].failed_requests[generation].push_back(batch.now);
  exchange.failed_visit.reset();
}

void Invariants::CheckTransitions(const Batch& batch) {
  for (size_t u = 0; u < upstreams_.size(); ++u) {
    if (!upstreams_[u].breaker) continue;
    const BreakerRules& rules = *upstreams_[u].breaker;
    ShadowBreaker& breaker = breakers_[u];
    const auto failures = [&](uint64_t generation) {
      auto& counted = rules.counts_requests ? breaker.failed_requests : breaker.failures;
      return CountWithin(counted[generation], rules.open_window, batch.now);
    };
    const auto successes = [&](uint64_t g) { return CountWithin(breaker.successes[g], rules.close_window, batch.now); };
    for (size_t i = 0; i < breaker.in_batch.size(); ++i) {
      const BreakerTransition& t = breaker.in_batch[i];
      const uint64_t before = t.generation - 1;
      if (t.from == BreakerState::kClosed) {
        Expect(failures(before) >= rules.open_at, batch,
               "opened after " + std::to_string(failures(before)) + " failures");
      } else if (t.from == BreakerState::kHalfOpen && t.to == BreakerState::kOpen) {
        Expect(!breaker.failures[before].empty() || breaker.lapsed_in_batch[i], batch,
               "opened again without a failed probe");
      } else if (t.to == BreakerState::kClosed) {
        Expect(successes(before) >= rules.close_at || ShowedLifeInTime(batch, breaker), batch,
               "closed after " + std::to_string(successes(before)) + " successes");
      }
    }
    const uint64_t generation = breaker.generation;
    if (breaker.state == BreakerState::kClosed) {
      Expect(failures(generation) < rules.open_at, batch,
             "closed with " + std::to_string(failures(generation)) + " failures");
    } else if (breaker.state == BreakerState::kHalfOpen) {
      Expect(breaker.failures[generation].empty(), batch, "half-open after a failed probe");
      Expect(!breaker.success_in_batch || successes(generation) < rules.close_at, batch,
             "half-open after enough successes");
    }
  }
}

// An answer that is no fault of the server's, after half-open has lasted as long as the breaker was open.
bool Invariants::ShowedLifeInTime(const Batch& batch, const ShadowBreaker& breaker) {
  const bool is_neutral_answer = std::any_of(batch.commands.begin(), batch.commands.end(), [](const Command& command) {
    const auto* ended = std::get_if<RecordAttemptEnded>(&command);
    return ended != nullptr && ended->outcome_class == OutcomeClass::kNeutral && ended->outcome.error == ErrorKind::kNone &&
           ended->outcome.status >= 300 && ended->outcome.status != 401 && ended->outcome.status != 403 && ended->outcome.status != 429;
  });
  if (is_neutral_answer) ++report_->seen["closed by life"];
  return is_neutral_answer && batch.now - breaker.half_open_at >= breaker.open_least;
}

void Invariants::CheckBreaker(int upstream, const Breaker::Snapshot& look, TimePoint now) {
  const BreakerRules& rules = *upstreams_[static_cast<size_t>(upstream)].breaker;
  ShadowBreaker& breaker = breakers_[static_cast<size_t>(upstream)];
  const auto expect = [&](bool holds, const char* what) {
    if (!holds) Violation(-1, now, "breaker " + std::to_string(upstream) + ": " + what);
  };
  expect(look.generation == breaker.generation, "a transition that nobody reported");
  switch (breaker.state) {
    case BreakerState::kClosed: {
      auto& counted = rules.counts_requests ? breaker.failed_requests : breaker.failures;
      expect(look.state == BreakerState::kClosed, "is closed and shows something else");
      expect(look.failure_count == CountWithin(counted[breaker.generation], rules.open_window, now),
             "shows a wrong failure_count");
      break;
    }
    case BreakerState::kOpen: {
      if (now < breaker.opened_at + breaker.open_least)
        expect(look.state == BreakerState::kOpen, "is open and shows something else");
      if (now >= breaker.opened_at + breaker.open_most)
        expect(look.state == BreakerState::kHalfOpen, "is open for too long");
      expect(look.probes_in_flight == 0, "is open and has probes");
      break;
    }
    case BreakerState::kResting: expect(false, "rests, and no rule says so"); break;
    case BreakerState::kHalfOpen:
      if (look.state == BreakerState::kHalfOpen) {
        expect(std::cmp_equal(look.probes_in_flight, breaker.probes.size()), "probes were lost or given back twice");
        expect(std::cmp_equal(look.success_count, breaker.successes[breaker.generation].size()),
               "shows a wrong success_count");
      } else {
        const bool lapsed = std::any_of(breaker.probes.begin(), breaker.probes.end(),
                                        [&](const auto& probe) { return now >= probe.second; });
        expect(look.state == BreakerState::kOpen && lapsed, "is half-open and shows something else");
      }
      break;
  }
}

void Invariants::Destroyed(int exchange, TimePoint now) {
  const auto found = exchanges_.find(exchange);
  if (found == exchanges_.end()) return;
  ShadowAttempt& attempt = found->second.attempt;
  CloseAttempt(exchange, &attempt);
  for (size_t u = 0; u < upstreams_.size(); ++u)
    GiveBack(exchange, static_cast<int>(u), !found->second.queued_at, false, found->second.last_handled, now);
  if (attempt.upstream >= 0) breakers_[static_cast<size_t>(attempt.upstream)].probes.erase({exchange, attempt.serial});
  exchanges_.erase(found);
  ++report_->seen["final destroyed"];
}

}  // namespace tests::simulation
