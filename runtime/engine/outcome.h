// What an attempt came to, and what that means: the one function that feeds breaker, retry, metrics and log.
#pragma once

#include <cstdint>
#include <string_view>

#include "compiler/abi/facts.h"

namespace runtime::engine {

using compiler::abi::ErrorKind;

struct Outcome {
  int status = 0;                      // 0: none was received
  ErrorKind error = ErrorKind::kNone;  // kNone: the answer was complete (or, at its head, is fine so far)
};

enum class OutcomeClass : uint8_t { kSuccess, kFailure, kNeutral };
std::string_view Name(OutcomeClass c);

// The default classification: 5xx but 501 and 505, and every error of an attempt, are failures; other 4xx are neutral,
// as is what the gateway itself made (queue_full, queue_timeout, breaker_open).
OutcomeClass Classify(const Outcome& outcome);

}  // namespace runtime::engine
