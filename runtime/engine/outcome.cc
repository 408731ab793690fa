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

OutcomeClass Classify(const Outcome& outcome) {
  switch (outcome.error) {
    case ErrorKind::kNone: break;
    case ErrorKind::k_queue_full:
    case ErrorKind::k_queue_timeout:
    case ErrorKind::k_breaker_open: return OutcomeClass::kNeutral;  // made here; says nothing about the upstream
    default: return OutcomeClass::kFailure;
  }
  if (outcome.status == 0) return OutcomeClass::kNeutral;
  if (outcome.status < 400) return OutcomeClass::kSuccess;
  // 501 and 505 are about what was asked, not about how the server is (RFC 9110 15.6.2, 15.6.6).
  if (outcome.status < 500 || outcome.status == 501 || outcome.status == 505) return OutcomeClass::kNeutral;
  return OutcomeClass::kFailure;
}

}  // namespace runtime::engine
