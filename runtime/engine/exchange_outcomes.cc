// What an attempt came to: its class, what its breaker hears of it, its place given back, what caches keep.
#include <algorithm>
#include <utility>

#include "base/planted_fault.h"
#include "runtime/engine/exchange_state.h"

namespace runtime::engine {

void ExchangeMachine::State::SetAttemptFacts(const Outcome& outcome) {
  facts.attempt = attempt.number;
  facts.elapsed = (now - arrived).count();
  facts.status = outcome.status == 0 ? compiler::abi::kAbsentInt : outcome.status;
  facts.error = static_cast<int32_t>(outcome.error);
  facts.latency = attempt.clock.own_time(now).count();
}

// Needs SetAttemptFacts. What was recorded stays: an outcome is counted once.
OutcomeClass ExchangeMachine::State::ClassOf(const Outcome& outcome) const {
  if (attempt.recorded) return *attempt.recorded;
  bool is_blameless =
      attempt.blameless || outcome.error == ErrorKind::k_exhausted || outcome.error == ErrorKind::k_client_timeout;
  PLANT_FAULT(neutrality_is_off, is_blameless = false);
  PLANT_FAULT(everything_is_neutral, is_blameless = true);
  if (is_blameless && !attempt.frame_failed) return OutcomeClass::kNeutral;
  const std::optional<compiler::model::BreakerSettings>& breaker = upstream().breaker;
  if (!breaker || !breaker->failure_when) return Classify(outcome);
  if (attempt.frame_failed || compiled.predicates.Test(*breaker->failure_when, facts)) return OutcomeClass::kFailure;
  const bool succeeded = IsWhole(outcome.error) && outcome.status != 0 && outcome.status < 400;
  return succeeded ? OutcomeClass::kSuccess : OutcomeClass::kNeutral;
}

void ExchangeMachine::State::JudgeFrame() {
  const std::optional<compiler::model::BreakerSettings>& breaker = upstream().breaker;
  if (attempt.frame_failed || attempt.recorded || !breaker || !breaker->failure_when) return;
  SetAttemptFacts({attempt.status, ErrorKind::kNone});
  attempt.frame_failed = compiled.predicates.Test(*breaker->failure_when, facts);
}

// Needs SetAttemptFacts of this outcome.
void ExchangeMachine::State::Record(OutcomeClass outcome_class, const Outcome& outcome) {
  if (attempt.recorded) return;
  attempt.recorded = outcome_class;
  if (!attempt.ticket) return;
  visit.last_ticket = *std::exchange(attempt.ticket, std::nullopt);
  const std::optional<compiler::model::PredicateId>& rest_when =
      Existing(upstream().breaker, "settings of a breaker").rest_when;
  Breaker::Said said;
  said.retry_after = attempt.retry_after;
  said.shows_life = outcome_class == OutcomeClass::kNeutral && !attempt.blameless && ShowsLife(outcome);
  said.wants_rest = rest_when && !attempt.blameless && compiled.predicates.Test(*rest_when, facts);
  RecordTransition(
      attempt.upstream,
      BreakerOf(attempt.upstream).Record(*visit.last_ticket, outcome_class, now, attempt.clock.own_time(now), said));
}

void ExchangeMachine::State::EndAttempt(const Outcome& outcome, OutcomeClass outcome_class) {
  Record(outcome_class, outcome);
  if (!IsWhole(outcome.error) && !attempt.clock.has_content()) ObserveModel(false);
  visit.last_attempt_failed = outcome_class == OutcomeClass::kFailure;
  trouble.last = outcome;
  if (outcome.status >= 400) {
    trouble.last_status = outcome.status;
    if (attempt.retry_after) {
      const TimePoint at = now + *attempt.retry_after;
      trouble.retry_at = std::min(trouble.retry_at.value_or(at), at);
    }
  }
  Emit(RecordAttemptEnded{attempt.upstream, attempt.number, outcome, outcome_class, now - attempt.clock.started()});
  // How long an answer takes is told by those that came to their end, not by clients that left.
  GiveBackPlace(attempt.blameless ? std::nullopt : std::optional(attempt.clock.client_time(now)));
}

void ExchangeMachine::State::EndVisit() {
  if (!std::exchange(visit.last_attempt_failed, false) || !visit.last_ticket) return;
  RecordTransition(attempt.upstream, BreakerOf(attempt.upstream).RecordFailedRequest(*visit.last_ticket, now));
}

void ExchangeMachine::State::StoreInCaches() {
  if (!body_is_kept || !cache_use.fills) return;
  facts.is_fallback = 0;
  facts.served_by = compiler::abi::Str::Of(upstream().name);
  const auto store = [this](CacheId id) {
    const compiler::model::CacheSettings& cache = compiled.policy.caches[id];
    if (!compiled.predicates.Test(cache.store_when, facts)) return;
    Emit(StoreAnswer{id, keys.Of(id, forms.shared), keys.Of(id, forms.own)});
  };
  if (route->cache.has_value()) store(route->cache);
  for (const compiler::model::FallbackRef& element : route->fallback) {
    const auto* cache = std::get_if<CacheId>(&element);
    if (cache != nullptr && *cache != route->cache) store(*cache);
  }
}

void ExchangeMachine::State::RecordTransition(UpstreamId id, const std::optional<BreakerTransition>& transition) {
  if (!transition) return;
  Outcome cause;
  if (transition->to != BreakerState::kHalfOpen) {
    cause.status = facts.status == compiler::abi::kAbsentInt ? 0 : static_cast<int>(facts.status);
    cause.error = static_cast<ErrorKind>(facts.error);
  }
  Emit(RecordBreaker{id, *transition, cause});
  // Who waits for a place there need not wait any longer.
  if (Limiter* limiter = objects.limiter(id);
      limiter != nullptr && (transition->to == BreakerState::kOpen || transition->to == BreakerState::kResting)) {
    limiter->WakeAll();
  }
}

}  // namespace runtime::engine
