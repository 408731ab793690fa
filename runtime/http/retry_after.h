// How long a server asks to be left alone: Retry-After (RFC 9110 10.2.3) and retry-after-ms, which model servers send.
#pragma once

#include <optional>

#include "base/time.h"
#include "runtime/http/message.h"

namespace runtime::http {

// From now on; never negative, at most ten years. retry-after-ms counts where both are there. Nothing where there is
// none, or none that can be read.
std::optional<base::Duration> RetryAfter(const Headers& headers, base::WallTime now);

}  // namespace runtime::http
