// What a request can come to at worst on a route, by the limits that the runtime keeps: how long a client waits for the end and
// for the first token, and how often upstreams are asked. Each bound is a term that can be shown.
//
// They count from the moment at which the request is there, and hold for what the gateway and its upstreams do: a client that
// sends or reads slowly is not in them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/analysis/term.h"
#include "compiler/model/policy.h"

namespace compiler::analysis {

// Before retry n (from 1): what the policy waits. The upper end is without jitter, which only shortens, and with the longest
// Retry-After that is obeyed.
TimeInterval WaitBefore(const model::RetrySettings& retry, int n);

// How many retries can begin before `deadline`, however quickly the attempts fail: the waits alone take their time.
int RetriesWithin(const model::RetrySettings& retry, std::optional<model::Duration> deadline);

// The longest that one attempt can take until it has failed or an answer that is no stream is whole; until its first token where the
// client reads a stream; until the last byte of whatever it brings, a stream too, which without a `total` flows as long as it will.
Term AttemptTime(const model::UpstreamSettings& upstream);
Term FirstTokenTime(const model::UpstreamSettings& upstream);
Term AnswerTime(const model::UpstreamSettings& upstream);

// What is waited for: the first content, an answer or the failure of all, or the last byte of whatever comes.
enum class Until { kFirstToken, kFailed, kWhole };

struct RouteBounds {
  Term latency;        // until the last byte, cut by the deadline
  Term latency_uncut;  // without a deadline, until all attempts have failed
  Term first_token;    // until the first content, for a client that reads a stream; cut by the deadline
  std::string PrintAttempts(const model::Policy& policy, const model::RouteSettings& route) const;
  std::vector<int64_t> visits_at;  // attempts, by the upstreams of `to`
  int64_t visits = 0;              // all of them
  // Requests that upstreams get for one of a client: an attempt on a connection that was kept, and that its server closes at that
  // moment, is sent once more on a new one.
  std::vector<int64_t> attempts_at;
  int64_t attempts = 0;
};

// By upstream: whether all that is retried there ended before the request was sent.
using QuickRetries = base::IdVector<model::UpstreamId, char>;

class Bounds {
 public:
  explicit Bounds(const model::Policy& policy);  // must outlive it

  // Of a route with upstreams.
  RouteBounds Of(const model::RouteSettings& route) const;
  // Only what is counted, without the times.
  RouteBounds AttemptsOf(const model::RouteSettings& route) const;

 private:
  Term Waiting(const std::vector<TimeInterval>& flights, const model::RouteSettings& route, Until until) const;

  const model::Policy& policy_;
  QuickRetries quick_retries_;
  // By cache: the longest that a request may wait for another one of the same key; and if that one has no answer at all.
  std::vector<TimeInterval> flights_;
  std::vector<TimeInterval> failing_flights_;
};

}  // namespace compiler::analysis
