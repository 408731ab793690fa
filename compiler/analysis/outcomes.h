// What an attempt can come to, as predicates see it (compiler/abi/errors.def; the classes are those of the runtime).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "compiler/abi/facts.h"
#include "compiler/analysis/abstract.h"

namespace compiler::analysis {

// Errors that the gateway makes itself before there is an attempt: no attempt ever ends with one.
bool IsMadeByGateway(abi::ErrorKind error);
// Errors before a byte of the request was sent.
bool IsBeforeSending(abi::ErrorKind error);

// All that an attempt can end with before its answer went out: what retries, `next when` and fallbacks meet.
std::vector<abi::ErrorKind> AttemptErrors();

// The facts when an attempt is judged: nothing with content was sent, so there is no first token.
Known AtStatus(int status);
Known AtError(abi::ErrorKind error);

// Statuses between `low` and `high`, so many that a predicate says of all others the same as of one of them.
std::vector<int> TellingStatuses(const model::Expr& expr, int low, int high);

// Statuses that say what the client did wrong: the same request fails again, and the server is well.
std::span<const int> ClientErrors();

}  // namespace compiler::analysis
