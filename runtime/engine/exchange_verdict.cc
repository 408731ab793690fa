// What an attempt came to: retried, passed on to the client, broken off, gone on with elsewhere, or out of time. What is written down of
// it – outcome, facts, ticket – is exchange_outcomes.cc's business; whether a retry, retry_decision.cc's; which time limit,
// attempt_clock.h's; who answers if it doesn't, exchange_chain.cc's.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "runtime/engine/exchange_state.h"

namespace runtime::engine {

// Nothing of the attempt was committed. `alive`: its head is here and its answer could still be passed on; otherwise
// the attempt is gone.
void ExchangeMachine::State::Judge(const Outcome& outcome, bool alive) {
  SetAttemptFacts(outcome);
  const OutcomeClass outcome_class = ClassOf(outcome);
  // Before the decision: a breaker that this failure opens allows no retry.
  if (!alive || outcome_class == OutcomeClass::kFailure) Record(outcome_class, outcome);

  const compiler::model::RetrySettings* retry = upstream().retry ? &*upstream().retry : nullptr;
  RetryQuestion question;
  question.matches = retry != nullptr && compiled.predicates.Test(retry->when, facts);
  question.retries_made = visit.retries_made;
  question.replay = question.matches ? ReplayOfAttempt() : Replay::kPossible;
  question.no_retry = attempt.no_retry;
  question.may_probe = body_is_kept;
  question.breaker = objects.breaker(attempt.upstream);
  question.own_ticket = attempt.ticket ? &*attempt.ticket : nullptr;
  question.budget = objects.budget(attempt.upstream);
  question.retry_after = attempt.retry_after;
  question.deadline = deadline();
  const RetryDecision decision = DecideRetry(retry, question, now, random);
  if (!decision.retry() && decision.denial != RetryDenial::kNotMatched && !attempt.denial_recorded) {
    attempt.denial_recorded = true;
    Emit(RecordRetryDenied{attempt.upstream, Name(decision.denial)});
  }

  // What `retry when` names is to be answered by somebody else where it isn't tried again.
  // Whose fault it is only the breaker asks: a prompt that is too long here may have room there.
  const bool must_go_on = outcome_class == OutcomeClass::kFailure || question.matches ||
                          (IsBlamedOnRequest(outcome) && !(upstream().breaker && upstream().breaker->failure_when));
  if (!decision.retry() && (must_go_on || !alive)) RecordMoveIfDenied();
  const bool goes_on = must_go_on ? SomebodyElseWouldAnswer() : MovesOnByPolicy();
  const bool passes_on = alive && !decision.retry() && !goes_on;
  if (passes_on) return;
  if (alive) Emit(AbortAttempt{});
  EndAttempt(outcome, outcome_class);
  if (decision.retry()) {
    ++visit.retries_made;
    wait_until = now + decision.wait;
    phase = Phase::kBackingOff;
    Emit(RecordRetry{attempt.upstream, visit.retries_made, retry->max_retries, decision.wait, outcome});
    return;
  }
  EndVisit();
  TryNextUpstream();
}

void ExchangeMachine::State::Commit(bool has_bytes) {
  OnFirstContent(has_bytes);
  Emit(CommitAnswer{attempt.upstream});
}

void ExchangeMachine::State::OnFirstContent(bool has_bytes) {
  if (has_bytes) attempt.clock.ObserveContent(now);
  const Duration took = attempt.clock.own_time(now);
  facts.first_token = took.count();
  if (attempt.status < 300) ObserveModel(true);
  const Outcome so_far{attempt.status, ErrorKind::kNone};
  SetAttemptFacts(so_far);
  if (attempt.ticket) {  // a probe is given back here: how long the client reads is not the breaker's business
    RecordTransition(attempt.upstream,
                     BreakerOf(attempt.upstream)
                         .RecordFirstContent(&*attempt.ticket, now, took, ClassOf(so_far) == OutcomeClass::kSuccess));
  }
  phase = Phase::kCommitted;
}

void ExchangeMachine::State::EndCommitted(bool alive) {
  const Outcome outcome{attempt.status, attempt.is_unfinished ? ErrorKind::k_unfinished : ErrorKind::kNone, attempt.told_status};
  SetAttemptFacts(outcome);
  const OutcomeClass outcome_class = ClassOf(outcome);
  if (alive) Emit(AbortAttempt{});
  EndAttempt(outcome, outcome_class);
  EndVisit();
  Emit(FinishAnswer{});
  const bool may_be_kept = outcome_class == OutcomeClass::kSuccess && !attempt.is_unfinished;
  if (may_be_kept && attempt.status >= 200 && attempt.status < 300) StoreInCaches();
  Finish();
}

void ExchangeMachine::State::BreakOff(const Outcome& outcome, bool alive) {
  SetAttemptFacts(outcome);
  if (alive) Emit(AbortAttempt{});
  EndAttempt(outcome, ClassOf(outcome));
  EndVisit();
  if (phase == Phase::kCommitted) {
    cut_by = outcome.error;
    on_cut = upstream().on_cut;
  }
  if (!Continue()) BreakOffForGood();
}

// The client is told of the cause of the cut, not of what went wrong with going on.
void ExchangeMachine::State::BreakOffForGood() {
  Emit(BreakOffAnswer{cut_by});
  Finish();
}

// The answer was cut: the next upstream that admits it takes over. It is a second execution, which on_cut allows.
bool ExchangeMachine::State::Continue() {
  using compiler::model::OnCut;
  if (on_cut == OnCut::kError || possible == Continuation::kNone || !body_is_kept || DeadlineIsDue()) return false;
  while (++position < route->to.size()) {
    const UpstreamId next = route->to[position];
    const bool goes_on =
        on_cut == OnCut::kContinue && possible == Continuation::kPrefill && compiled.policy.upstreams[next].prefill;
    if (StartAttemptAt(next, 1, goes_on ? Continuation::kPrefill : Continuation::kAfresh)) return true;
  }
  return false;
}

// An upstream that was to take over says no. If it was asked to go on from a beginning, that may be what it can't do.
void ExchangeMachine::State::OnContinuationRefused() {
  const Outcome outcome{attempt.status, ErrorKind::kNone};
  if (attempt.status < 400) Record(OutcomeClass::kNeutral, outcome);  // a redirect: no failure, and no answer
  const bool may_ask_afresh = attempt.continuation == Continuation::kPrefill && attempt.status >= 400 &&
                              attempt.status < 500 && attempt.status != 429 && !DeadlineIsDue();
  if (!may_ask_afresh) return BreakOff(outcome, true);
  SetAttemptFacts(outcome);
  Emit(AbortAttempt{});
  const Limiter::Place place =
      std::exchange(attempt.place, Limiter::kNoPlace);  // it is the same request: it keeps its place
  EndAttempt(outcome, ClassOf(outcome));
  if (Launch(attempt.upstream, attempt.number + 1, place, Continuation::kAfresh)) return;
  EndVisit();
  if (!Continue()) BreakOffForGood();
}

void ExchangeMachine::State::Resume() {
  OnFirstContent(true);
  Emit(ResumeAnswer{attempt.upstream});
}

void ExchangeMachine::State::CheckLimits() {
  const AttemptClock::Limit limit = NextLimit();
  if (attempt.clock.is_complete() && (now >= limit.at || DeadlineIsDue())) {  // only its end is missing
    if (phase == Phase::kHeld) Commit(true);
    return EndCommitted(true);
  }
  if (DeadlineIsDue()) return OnDeadline();
  if (now < limit.at) return;  // woken early
  const Outcome outcome{attempt.status, limit.error};
  attempt.blameless = limit.cuts_what_flows;
  if (phase == Phase::kCommitted || phase == Phase::kContinuing) return BreakOff(outcome, true);
  Emit(AbortAttempt{});
  Judge(outcome, false);
}

// Whether an attempt that the deadline cuts had all the time that any attempt of the route can have: then it took too long, or else a
// hung upstream behind a short deadline would never open its breaker. One that began late, or delivers, shows nothing.
bool ExchangeMachine::State::HadItsTime() const {
  if (attempt.clock.waits_for_client() || attempt.clock.has_content()) return false;
  const Duration most = std::min(upstream().timeouts.most(), *route->deadline);
  return attempt.clock.own_time(now) >= most - most / 16;
}

// The request's time is up: no further upstream, only what can answer at once.
void ExchangeMachine::State::OnDeadline() {
  trouble.deadline = true;
  const ErrorKind error = attempt.clock.waits_for_client() ? ErrorKind::k_client_timeout : ErrorKind::k_attempt_timeout;
  const Outcome outcome{attempt.status, error};
  attempt.blameless = !HadItsTime();
  if (phase == Phase::kCommitted || phase == Phase::kContinuing) return BreakOff(outcome, true);
  if (phase == Phase::kMocking || phase == Phase::kDone) return;
  if (!LeaveWait() && phase != Phase::kNew) {
    SetAttemptFacts(outcome);
    Emit(AbortAttempt{});
    EndAttempt(outcome, ClassOf(outcome));
    EndVisit();
  }
  FallBack();
}

}  // namespace runtime::engine
