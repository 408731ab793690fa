// From the request to an attempt: a route's own reply, a cache in front, and then, at each upstream of `to` in turn, the place, the
// breaker's ticket and the budget. Waiting for a model or a place is exchange_waits.cc's business.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "runtime/engine/exchange_state.h"

namespace runtime::engine {

void ExchangeMachine::State::Begin(const RequestReady& ready) {
  BW_CHECK(ready.route.has_value(), "exchange machine: state New, event RequestReady without a route");
  route = &compiled.policy.routes[ready.route];
  body_is_kept = ready.body_is_kept;
  wants_stream = ready.wants_stream;
  if (ready.model_at != nullptr) model_at = ready.model_at;
  if (ready.repeats_at != nullptr) repeats_at = ready.repeats_at;
  forms = {ready.answer_form, ready.shared_form};
  cache_use.reads = ready.caches.reads;
  cache_use.fills = ready.caches.fills;
  if (!ready.caches.scope.empty()) cache_use.scope = ready.caches.scope;
  if (ready.caches.header != nullptr) cache_use.header = ready.caches.header;
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
  BW_CHECK(phase == Phase::kNew || phase == Phase::kAttempting || phase == Phase::kContinuing,
           "exchange machine: state ", PhaseName(phase), ", event Refused");
  if (phase != Phase::kNew) {
    GiveBackTicket();
    GiveBackPlace(Duration::zero());
  }
  // The client has a beginning already: another may go on with it, or it is told of the cut.
  if (phase == Phase::kContinuing) {
    if (!Continue()) BreakOffForGood();
    return;
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
        GiveBackUnused(id, entry.place);
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
  if (ticket) breaker->Release(*ticket);  // another loop has closed it since
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
      GiveBackUnused(id, place);
      return false;
    }
  }
  if (RetryBudget* budget = objects.budget(id)) {
    if (number == 1) {
      budget->Deposit();
    } else if (continuation == Continuation::kNone && !budget->Take(now)) {  // others have spent it during the wait
      if (ticket) BreakerOf(id).Release(*ticket);
      GiveBackUnused(id, place);
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

}  // namespace runtime::engine
