// The steps between the states of an exchange, in the order of a request's life: cache, admission, attempt, judgement,
// back-off, next upstream, fallback, end. Waiting for a model or a place is exchange_waits.cc's business; what becomes of an attempt that
// has ended – its outcome, its ticket, its place – exchange_outcomes.cc's; which fallback, and which error, fallback.cc's; whether a retry,
// retry_decision.cc's; which time limit, attempt_clock.h's.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "runtime/engine/exchange_state.h"

namespace runtime::engine {

using compiler::model::UpstreamSettings;

// ---- From the request to an attempt ---------------------------------------------------------------------------------

void ExchangeMachine::State::Begin(const RequestReady& ready) {
  BW_CHECK(ready.route.has_value(), "exchange machine: state New, event RequestReady without a route");
  route = &compiled.policy.routes[ready.route];
  body_is_kept = ready.body_is_kept;
  wants_stream = ready.wants_stream;
  model_at = ready.model_at;
  repeats_at = ready.repeats_at;
  forms = {ready.answer_form, ready.shared_form};
  cache_use = ready.caches;
  if (ready.takes_keep_alive && route->keep_alive) keep_alive_at = now + *route->keep_alive;
  if (route->reply.has_value()) {
    Emit(SendReply{route->reply, false, {}});
    return Finish();
  }
  // Without the whole body a key that is made of it would be the same for different requests.
  if (route->cache.has_value() && body_is_kept) {
    Cache& cache = CacheOf(route->cache);
    if (auto response = FindAnswer(route->cache, keys, forms, &cache, false, now)) {
      Emit(SendCached{route->cache, std::move(response), false, {}});
      return Finish();
    }
    if (cache_use.reads && cache_use.fills) {
      CacheFlight flight{route->cache, keys.Of(route->cache, forms.shared)};
      if (!cache.Lead(flight.key)) {
        Emit(FollowCache{flight.cache, flight.key});
        followed = std::move(flight);
        phase = Phase::kFollowing;
        return;
      }
      led = std::move(flight);
    }
  }
  StartChain();
}

// Nothing was sent to an upstream: an attempt that was to start gives back what it holds, and was none.
void ExchangeMachine::State::Refuse(const Refusal& refusal) {
  if (phase == Phase::kDone) return;  // the client left in the meantime
  BW_CHECK(phase == Phase::kNew || phase == Phase::kAttempting, "exchange machine: state ", PhaseName(phase),
           ", event Refused");
  if (phase == Phase::kAttempting) {
    if (attempt.ticket) BreakerOf(attempt.upstream).Release(*std::exchange(attempt.ticket, std::nullopt), now);
    if (attempt.place != Limiter::kNoPlace) {
      Emit(ReleasePlace{attempt.upstream, std::exchange(attempt.place, Limiter::kNoPlace)});
    }
  }
  Emit(SendError{refusal.status, refusal.reason, std::nullopt, refusal.text});
  Finish();
}

void ExchangeMachine::State::StartChain() {
  if (DeadlineIsDue()) return OnDeadline();  // the request itself, or a leader, took too long
  for (position = 0; position < route->to.size(); ++position) {
    if (StartAttemptAt(route->to[position], 1)) return;
  }
  FallBack();
}

// True: the attempt is started, or the request waits for its model or its place. False: this upstream takes none now;
// `trouble` says why.
bool ExchangeMachine::State::StartAttemptAt(UpstreamId id, int number, Continuation continuation) {
  if (objects.loads(id) != nullptr && model_at != nullptr) {
    if (BreakerRefuses(id)) return false;  // nobody loads the model of an upstream that is left alone
    if (WaitForModel(id, number, continuation)) return true;
  }
  return TakePlace(id, number, continuation);
}

bool ExchangeMachine::State::TakePlace(UpstreamId id, int number, Continuation continuation) {
  Limiter* limiter = objects.limiter(id);
  if (limiter == nullptr) return Launch(id, number, Limiter::kNoPlace, continuation);
  if (BreakerRefuses(id)) return false;  // nobody waits in the queue of an upstream that is left alone
  const Limiter::Entry entry = limiter->Enter(now, deadline());
  switch (entry.answer) {
    case Limiter::Answer::kIn: Emit(RecordQueued{id, Duration::zero(), ErrorKind::kNone}); break;
    case Limiter::Answer::kWaits:
      if (continuation != Continuation::kNone) {  // the client is in the middle of an answer: nobody waits here
        limiter->Leave(entry.place);
        return false;
      }
      queued = QueuePlace{id, number, entry.place, now, entry.give_up_at};
      phase = Phase::kQueued;
      Emit(WaitForPlace{id, entry.place});
      return true;
    case Limiter::Answer::kFull: RefusePlace(id, {}, ErrorKind::k_queue_full, entry.retry_at); return false;
    case Limiter::Answer::kTooLate: RefusePlace(id, {}, ErrorKind::k_queue_timeout, entry.retry_at); return false;
  }
  return Launch(id, number, entry.place, continuation);
}

std::optional<Ticket> ExchangeMachine::State::Admit(UpstreamId id, Breaker* breaker) {
  // An upload that streams past lasts as long as the client likes: it is no probe.
  const Breaker::Admission admission = breaker->Admit(now, compiled.policy.upstreams[id].timeouts.most(), body_is_kept);
  RecordTransition(id, admission.transition);
  if (admission.ticket) return admission.ticket;
  Emit(RecordRejected{id});
  trouble.last = {0, ErrorKind::k_breaker_open};
  trouble.retry_at = std::min(trouble.retry_at.value_or(admission.retry_at), admission.retry_at);
  return std::nullopt;
}

// Whether an operator drains it: noted, as of an open breaker whose end nobody knows.
bool ExchangeMachine::State::IsDrained(UpstreamId id) {
  if (!objects.is_drained(id)) return false;
  Emit(RecordRejected{id});
  trouble.last = {0, ErrorKind::k_breaker_open};
  return true;
}

// Whether nothing is let through now: noted, as Admit does.
bool ExchangeMachine::State::BreakerRefuses(UpstreamId id) {
  if (IsDrained(id)) return true;
  Breaker* breaker = objects.breaker(id);
  if (breaker == nullptr || breaker->WouldAdmit(now, nullptr, body_is_kept)) return false;
  const std::optional<Ticket> ticket = Admit(id, breaker);
  if (ticket) breaker->Release(*ticket, now);  // another loop has closed it since
  return !ticket;
}

// The attempt, with its place. As StartAttemptAt, but nothing waits.
bool ExchangeMachine::State::Launch(UpstreamId id, int number, Limiter::Place place, Continuation continuation) {
  std::optional<Ticket> ticket;
  Breaker* const breaker = objects.breaker(id);
  const bool is_drained = IsDrained(id);
  if (is_drained || breaker != nullptr) {
    if (!is_drained) ticket = Admit(id, breaker);
    if (!ticket) {
      if (place != Limiter::kNoPlace) LimiterOf(id).Leave(place);
      return false;
    }
  }
  if (RetryBudget* budget = objects.budget(id)) {
    if (number == 1) {
      budget->Deposit();
    } else if (continuation == Continuation::kNone && !budget->Take(now)) {  // others have spent it during the wait
      if (ticket) BreakerOf(id).Release(*ticket, now);
      if (place != Limiter::kNoPlace) LimiterOf(id).Leave(place);
      Emit(RecordRetryDenied{id, Name(RetryDenial::kBudgetSpent)});
      return false;
    }
  }
  if (number == 1) visit = Visit{};
  attempt = Attempt{};
  attempt.upstream = id;
  attempt.number = number;
  // A pooled connection may turn out to be closed, and then a body that is gone could not be sent again. Any other request takes one:
  // it was looked at first, and servers that keep a thread for each connection must not pay for ours.
  attempt.fresh_connection = !body_is_kept;
  attempt.continuation = continuation;
  attempt.ticket = ticket;
  attempt.place = place;
  attempt.clock.Start(now);
  facts.first_token = compiler::abi::kAbsentInt;
  phase = continuation == Continuation::kNone ? Phase::kAttempting : Phase::kContinuing;
  Emit(StartAttempt{id, number, attempt.fresh_connection, continuation});
  return true;
}

// A reused connection that the upstream had given up says nothing about the upstream; the attempt goes on, on a
// connection of its own, and can't race again (RFC 9112 9.3.1).
void ExchangeMachine::State::ReconnectAfterRace() {
  Emit(RecordAttemptEnded{attempt.upstream,
                          attempt.number,
                          {0, ErrorKind::k_reset},
                          OutcomeClass::kNeutral,
                          now - attempt.clock.started()});
  attempt.fresh_connection = true;
  attempt.request_sent = false;
  attempt.clock.Reconnect(now);
  Emit(StartAttempt{attempt.upstream, attempt.number, true, attempt.continuation});
}

// ---- What an attempt came to ----------------------------------------------------------------------------------------

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
  LeaveUpstream();
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
  LeaveUpstream();
  Emit(FinishAnswer{});
  const bool may_be_kept = outcome_class == OutcomeClass::kSuccess && !attempt.is_unfinished;
  if (may_be_kept && attempt.status >= 200 && attempt.status < 300) StoreInCaches();
  Finish();
}

void ExchangeMachine::State::BreakOff(const Outcome& outcome, bool alive) {
  SetAttemptFacts(outcome);
  if (alive) Emit(AbortAttempt{});
  EndAttempt(outcome, ClassOf(outcome));
  LeaveUpstream();
  if (phase == Phase::kCommitted) {
    cut_by = outcome.error;
    on_cut = upstream().on_cut;
  }
  if (Continue()) return;
  Emit(BreakOffAnswer{cut_by});  // the cause of the cut, not what went wrong with going on
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
  LeaveUpstream();
  if (Continue()) return;
  Emit(BreakOffAnswer{cut_by});
  Finish();
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
    LeaveUpstream();
  }
  FallBack();
}

// ---- Along the chain ------------------------------------------------------------------------------------------------

// `at_once`: without waiting for its model.
bool ExchangeMachine::State::AnotherUpstreamWouldTakeIt(bool at_once) const {
  if (ReplayOfAttempt() != Replay::kPossible || DeadlineIsDue()) return false;
  for (size_t next = position + 1; next < route->to.size(); ++next) {
    if (objects.is_drained(route->to[next])) continue;
    const Breaker* breaker = objects.breaker(route->to[next]);
    if (breaker != nullptr && !breaker->WouldAdmit(now, nullptr, body_is_kept)) continue;
    const ModelLoads* loads = at_once ? objects.loads(route->to[next]) : nullptr;
    if (loads != nullptr && loads->WouldWait(model_at(route->to[next]), now)) continue;
    const Limiter* limiter = objects.limiter(route->to[next]);
    if (limiter == nullptr || limiter->WouldTake(now, deadline())) return true;
  }
  return false;
}

// `next when`: an answer that is no failure is given up for another upstream, never for a fallback.
bool ExchangeMachine::State::MovesOnByPolicy() {
  if (!route->next_when || !AnotherUpstreamWouldTakeIt()) return false;
  facts.is_fallback = 0;
  facts.served_by = compiler::abi::Str::Of(upstream().name);
  return compiled.predicates.Test(*route->next_when, facts);
}

bool ExchangeMachine::State::SomebodyElseWouldAnswer() {
  if (AnotherUpstreamWouldTakeIt()) return true;
  if (!fallback) fallback = FindFallback(*route, body_is_kept, keys, forms, objects, now);
  return fallback.has_value();
}

void ExchangeMachine::State::TryNextUpstream() {
  if (DeadlineIsDue()) {
    trouble.deadline = true;
  } else if (ReplayOfAttempt() == Replay::kPossible) {
    while (++position < route->to.size()) {
      if (StartAttemptAt(route->to[position], 1)) return;
    }
  }
  FallBack();
}

// There is a next upstream, and this request may not be sent again.
void ExchangeMachine::State::RecordMoveIfDenied() {
  if (attempt.move_denial_recorded || position + 1 >= route->to.size() || DeadlineIsDue()) return;
  const Replay replay = ReplayOfAttempt();
  if (replay == Replay::kPossible) return;
  attempt.move_denial_recorded = true;
  Emit(RecordMoveDenied{attempt.upstream, Name(replay == Replay::kBodyTooLarge ? RetryDenial::kBodyTooLarge
                                                                               : RetryDenial::kNotRepeatSafe)});
}

void ExchangeMachine::State::FallBack() {
  if (!fallback) fallback = FindFallback(*route, body_is_kept, keys, forms, objects, now);
  if (fallback) return Answer(*fallback);
  Emit(ErrorFor(trouble, now));
  Finish();
}

void ExchangeMachine::State::Answer(const FallbackAnswer& answer) {
  if (const auto* reply = std::get_if<ReplyId>(&answer)) {
    Emit(SendReply{*reply, true, trouble.reason()});
  } else if (const auto* cached = std::get_if<CachedAnswer>(&answer)) {
    Emit(SendCached{cached->cache, cached->response, true, trouble.reason()});
  } else {
    mock = std::get<MockId>(answer);
    const Duration delay = compiled.policy.mocks[mock].delay;
    if (delay > Duration::zero()) {
      wait_until = now + delay;
      phase = Phase::kMocking;
      return;
    }
    Emit(SendMock{mock, trouble.reason()});
  }
  Finish();
}

void ExchangeMachine::State::Abandon() {
  if (phase == Phase::kDone) return;
  if (!LeaveWait() && phase != Phase::kNew && phase != Phase::kMocking) {
    Emit(AbortAttempt{});
    attempt.blameless = true;
    EndAttempt({attempt.status, ErrorKind::kNone}, attempt.recorded.value_or(OutcomeClass::kNeutral));
    LeaveUpstream();
  }
  is_abandoned = true;
  Finish();
}

// As if the client had gone; but it is there, and is to see that this is no end.
void ExchangeMachine::State::Stop() {
  if (phase == Phase::kDone) return;
  const bool is_committed = phase == Phase::kCommitted || phase == Phase::kContinuing;
  if (!LeaveWait() && phase != Phase::kNew && phase != Phase::kMocking) {
    Emit(AbortAttempt{});
    attempt.blameless = true;
    EndAttempt({attempt.status, ErrorKind::kNone}, attempt.recorded.value_or(OutcomeClass::kNeutral));
    LeaveUpstream();
  }
  if (is_committed) Emit(BreakOffAnswer{ErrorKind::kNone});
  else Emit(SendError{503, "stopping", std::nullopt});
  Finish();
}

void ExchangeMachine::State::Finish() {
  phase = Phase::kDone;
  if (!led) return;
  Emit(EndCacheFlight{led->cache, std::move(led->key)});
  led.reset();
}

Replay ExchangeMachine::State::ReplayOfAttempt() const {
  if (attempt.number == 0 || !attempt.request_sent) return Replay::kPossible;  // nothing was sent yet
  if (!body_is_kept) return Replay::kBodyTooLarge;
  if (!IsRepeatable()) return Replay::kNotRepeatSafe;
  return Replay::kPossible;
}

}  // namespace runtime::engine
