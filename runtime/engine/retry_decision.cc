#include "runtime/engine/retry_decision.h"

#include <algorithm>

#include "runtime/engine/backoff.h"

namespace runtime::engine {

std::string_view Name(RetryDenial denial) {
  switch (denial) {
    case RetryDenial::kNone: return "";
#define RETRY_DENIAL(enumerator, name, doc) \
  case RetryDenial::enumerator:             \
    return name;
#include "runtime/engine/retry_denials.def"
#undef RETRY_DENIAL
  }
  return "";
}

RetryDecision DecideRetry(const compiler::model::RetrySettings* settings, const RetryQuestion& question, TimePoint now,
                          base::Random& random) {
  if (settings == nullptr || !question.matches) return {RetryDenial::kNotMatched, {}};
  if (question.retries_made >= settings->max_retries) return {RetryDenial::kAttemptsExhausted, {}};
  if (question.replay == Replay::kBodyTooLarge) return {RetryDenial::kBodyTooLarge, {}};
  if (question.replay == Replay::kNotRepeatSafe) return {RetryDenial::kNotRepeatSafe, {}};
  if (question.breaker != nullptr && !question.breaker->WouldAdmit(now, question.own_ticket, question.may_probe)) {
    return {RetryDenial::kBreakerOpen, {}};
  }
  if (question.budget != nullptr && !question.budget->WouldAllow(now)) return {RetryDenial::kBudgetSpent, {}};
  if (question.no_retry) return {RetryDenial::kNoRetry, {}};
  Duration wait = BackoffWait(settings->wait, question.retries_made + 1, random);
  if (settings->honour_cap && question.retry_after) {
    if (*question.retry_after > *settings->honour_cap) return {RetryDenial::kRetryAfter, {}};
    wait = std::max(wait, *question.retry_after);
  }
  if (question.deadline && now + wait >= *question.deadline) return {RetryDenial::kDeadline, {}};
  return {RetryDenial::kNone, wait};
}

}  // namespace runtime::engine
