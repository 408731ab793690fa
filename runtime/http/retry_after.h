// How long a server asks to be left alone: Retry-After (RFC 9110 10.2.3), and retry-after-ms and x-ms-retry-after-ms, which model servers send.
#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"
#include "runtime/http/message.h"

namespace runtime::http {

// Of a 429 without any of that: when the limit that is used up (what remains of it is 0) begins anew, the latest of those that are told;
// where of none is told what remains, the latest that begins anew at all.
std::optional<base::Duration> LimitReset(const Headers& headers, base::WallTime now);

// In seconds, also with a fraction, with units (2s, 1m30s), as a date, or as a moment (since 1970, RFC 3339). From now on; never negative,
// at most ten years. retry-after-ms counts where both are there. Nothing where there is none, or none that can be read.
std::optional<base::Duration> RetryAfter(const Headers& headers, base::WallTime now);

// A time that was told in words: with units, in seconds, or a moment since 1970 in seconds or milliseconds. From now on.
std::optional<base::Duration> WaitOf(std::string_view told, base::WallTime now);

}  // namespace runtime::http
