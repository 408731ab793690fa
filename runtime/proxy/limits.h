// Every limit of the proxy that is not a setting of the policy (gateway.limits), in one place. Each is tested.
#pragma once

#include <chrono>
#include <cstddef>

#include "base/time.h"

namespace runtime::proxy {

inline constexpr size_t kMaxHeldBytes = 64 << 10;             // of an answer that may still be replaced by another
// Queued towards a peer: its source is paused above. One more read may have come by then, and while it is written the queue
// stands in two buffers; with the kernel's buffer behind it, more would not make anybody faster.
inline constexpr size_t kHighWater = 64 << 10;
inline constexpr size_t kMaxPipelinedBytes = 64 << 10;        // read ahead of the answer that is under way
inline constexpr int kMaxInterimResponses = 20;               // 1xx before one final answer
inline constexpr size_t kMaxRequestIdLength = 128;
inline constexpr size_t kMaxSpareParsers = 256;               // for each worker, kept for the next requests

// Between a frame that tells a failure and the closing behind it. Proxies in front drop what they hold when the end of a stream that is
// not whole comes before they have passed it on (nginx 1.22, Varnish 7.1).
inline constexpr base::Duration kLateClose = std::chrono::milliseconds(250);
inline constexpr base::Duration kLinger = std::chrono::seconds(2);         // RFC 9112 9.6, after the last answer

inline constexpr base::Duration kTlsEventPause =
    std::chrono::seconds(1);  // between two events about the TLS of one upstream, of each worker
inline constexpr base::Duration kAnswerEndTime = std::chrono::seconds(1);  // for HTTP's end of an answer that is over
inline constexpr base::Duration kRefusalBody = std::chrono::seconds(1);  // for the body of a refusal, which may say whose fault it is
inline constexpr base::Duration kDrainPoll = std::chrono::milliseconds(5);  // looks for the last answers to be gone

inline constexpr base::Duration kLostLinesEvery = std::chrono::minutes(1);  // an event tells of log lines that got lost

inline constexpr base::Duration kNameFresh = std::chrono::seconds(10);     // an address is used without asking again
inline constexpr base::Duration kNameStale = std::chrono::hours(1);        // … while the name service is away
inline constexpr base::Duration kNameRetry = std::chrono::seconds(1);      // after a failed look-up of a known name

}  // namespace runtime::proxy
