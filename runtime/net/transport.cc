// What every transport shares: the names of network errors.
#include "runtime/net/transport.h"

namespace runtime::net {

std::string_view Name(NetError error) {
  switch (error) {
    case NetError::kRefused: return "refused";
    case NetError::kReset: return "reset";
    case NetError::kUnreachable: return "unreachable";
    case NetError::kTimedOut: return "timed_out";
    case NetError::kNameNotFound: return "name_not_found";
    case NetError::kNameFailure: return "name_failure";
    case NetError::kExhausted: return "exhausted";
    case NetError::kTls: return "tls";
    case NetError::kTruncated: return "truncated";
    case NetError::kOther: return "other";
  }
  return "other";
}

}  // namespace runtime::net
