#include "runtime/engine/outcome.h"

namespace runtime::engine {

std::string_view Name(OutcomeClass c) {
  switch (c) {
    case OutcomeClass::kSuccess: return "success";
    case OutcomeClass::kFailure: return "failure";
    case OutcomeClass::kNeutral: return "neutral";
  }
  return "";
}

namespace {

// Kinds of errors that a server tells inside an answer and that are no fault of its own.
bool IsAboutRequest(int status) {
  for (const int kind : {400, 401, 403, 404, 413, 422, 429}) {
    if (status == kind) return true;
  }
  return false;
}

}  // namespace

bool IsWhole(ErrorKind error) { return error == ErrorKind::kNone || error == ErrorKind::k_unfinished; }

bool ShowsLife(const Outcome& outcome) {
  const int status = IsWhole(outcome.error) && outcome.told_status == 0 ? outcome.status : outcome.told_status;
  return status != 0 && status < 500 && status != 401 && status != 403 && status != 429;
}

bool IsBlamedOnRequest(const Outcome& outcome) {
  return IsWhole(outcome.error) && outcome.status >= 500 && IsAboutRequest(outcome.told_status);
}

OutcomeClass Classify(const Outcome& outcome) {
  switch (outcome.error) {
    case ErrorKind::kNone:
    case ErrorKind::k_unfinished: break;
    case ErrorKind::k_queue_full:
    case ErrorKind::k_queue_timeout:
    case ErrorKind::k_client_timeout:
    case ErrorKind::k_exhausted:
    case ErrorKind::k_breaker_open: return OutcomeClass::kNeutral;  // made here; says nothing about the upstream
    case ErrorKind::k_stream_error: return IsAboutRequest(outcome.told_status) ? OutcomeClass::kNeutral : OutcomeClass::kFailure;
    default: return OutcomeClass::kFailure;
  }
  if (outcome.status == 0) return OutcomeClass::kNeutral;
  if (outcome.status < 400) return OutcomeClass::kSuccess;
  // 501 and 505 are about what was asked, not about how the server is (RFC 9110 15.6.2, 15.6.6).
  if (outcome.status < 500 || outcome.status == 501 || outcome.status == 505) return OutcomeClass::kNeutral;
  if (IsBlamedOnRequest(outcome)) return OutcomeClass::kNeutral;
  return OutcomeClass::kFailure;
}

}  // namespace runtime::engine
