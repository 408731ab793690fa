// May an attempt be followed by another one at the same upstream, and after what wait? A pure function: it takes
// nothing from the breaker and starts nothing. It is asked about attempts of which nothing went to the client only: the machine has no way
// back from there (exchange_machine.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "compiler/model/settings.h"
#include "base/random.h"
#include "base/time.h"
#include "runtime/engine/breaker.h"
#include "runtime/engine/retry_budget.h"

namespace runtime::engine {

enum class RetryDenial : uint8_t {
  kNone,
#define RETRY_DENIAL(enumerator, name, doc) enumerator,
#include "runtime/engine/retry_denials.def"
#undef RETRY_DENIAL
};
std::string_view Name(RetryDenial denial);  // "" for kNone

// Whether a request could be sent once more, after an attempt that came to nothing.
enum class Replay : uint8_t {
  kPossible,
  kBodyTooLarge,   // its body isn't kept
  kNotRepeatSafe,  // it may have been carried out, and a second time is not known to be harmless
};

struct RetryQuestion {
  bool matches = false;    // `retry when` holds for the outcome
  int retries_made = 0;    // at this upstream, for this request
  Replay replay = Replay::kPossible;
  const Breaker* breaker = nullptr;    // null: the upstream has none
  bool may_probe = true;               // of the breaker
  const Ticket* own_ticket = nullptr;  // what the ending attempt still holds of the breaker and would give back
  const RetryBudget* budget = nullptr;  // null: there is none
  bool no_retry = false;                // the answer said x-should-retry: false
  std::optional<Duration> retry_after;  // what the answer asked for
  std::optional<TimePoint> deadline;    // of the request
};

struct RetryDecision {
  RetryDenial denial = RetryDenial::kNone;  // kNone: retry
  Duration wait{};                          // before it

  bool retry() const { return denial == RetryDenial::kNone; }
};

// Nothing is taken: the breaker's ticket and the budget's token are when the attempt starts, and may be denied then (exchange_start.cc, Launch). `settings` null: the upstream has no retry block.
RetryDecision DecideRetry(const compiler::model::RetrySettings* settings, const RetryQuestion& question, TimePoint now,
                          base::Random& random);

}  // namespace runtime::engine
