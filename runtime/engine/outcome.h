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
  // Of a stream_error: the status that its kind would have had. Of a 5xx: the one that its body gives to the request. 0: unknown.
  int told_status = 0;
};

enum class OutcomeClass : uint8_t { kSuccess, kFailure, kNeutral };
std::string_view Name(OutcomeClass c);

// The default classification: 5xx but 501 and 505, and every error of an attempt, are failures; other 4xx are neutral, told inside
// a stream too, as is what the gateway itself made (queue_full, queue_timeout, breaker_open) or lacked (exhausted), and what the
// client kept waiting (client_timeout).
OutcomeClass Classify(const Outcome& outcome);

// Whether it is a 5xx that would be a failure, did its body not say that the request is at fault.
bool IsBlamedOnRequest(const Outcome& outcome);

// Whether an answer that ends so came to its end: nothing went wrong, or its server gave no reason for it.
bool IsWhole(ErrorKind error);

// Whether it shows that the server is there and answers, though it counts nowhere: a complete answer, but for those that a
// gate in front of it may have given (401, 403, 429).
bool ShowsLife(const Outcome& outcome);

}  // namespace runtime::engine
