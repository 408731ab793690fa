// Who answers where an attempt doesn't: the next upstream of `to`, the fallbacks in their order, an error of the gateway's own; and how the
// exchange is over. Which fallback, and which error: fallback.cc.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "runtime/engine/exchange_state.h"

namespace runtime::engine {

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

// Neither the attempt nor the upstream is why it ends.
void ExchangeMachine::State::DropWhatIsUnderWay() {
  if (LeaveWait() || phase == Phase::kNew || phase == Phase::kMocking) return;
  Emit(AbortAttempt{});
  attempt.blameless = true;
  EndAttempt({attempt.status, ErrorKind::kNone}, attempt.recorded.value_or(OutcomeClass::kNeutral));
  EndVisit();
}

void ExchangeMachine::State::Abandon() {
  if (phase == Phase::kDone) return;
  DropWhatIsUnderWay();
  is_abandoned = true;
  Finish();
}

// As if the client had gone; but it is there, and is to see that this is no end.
void ExchangeMachine::State::Stop() {
  if (phase == Phase::kDone) return;
  const bool is_committed = phase == Phase::kCommitted || phase == Phase::kContinuing;
  DropWhatIsUnderWay();
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
