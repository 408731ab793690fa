// A random policy, twice: as the engine gets it, and as plain rules that the invariants are checked against. The rules
// are evaluated by code of their own, so that a mistake in the engine can't excuse itself.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "compiler/compiled_policy.h"
#include "base/random.h"
#include "base/time.h"
#include "runtime/engine/outcome.h"

namespace tests::simulation {

using base::Duration;
using base::TimePoint;
using runtime::engine::ErrorKind;
using runtime::engine::Outcome;
using runtime::engine::OutcomeClass;

// status in {…} or error in {…}
struct OutcomeSet {
  std::vector<std::pair<int, int>> statuses;
  std::vector<ErrorKind> errors;

  bool Has(const Outcome& outcome) const;
};

struct RetryRules {
  int max_retries = 0;
  OutcomeSet when;
  Duration from{};
  double factor = 1;
  Duration cap{};
  double jitter = 0;
  std::optional<double> budget;
  std::optional<Duration> honour_cap;
};

struct BreakerRules {
  bool counts_requests = false;  // failed_requests instead of failures
  Duration open_window{};
  int64_t open_at = 1;
  Duration open_for{};
  double open_factor = 1;  // 1: a constant
  Duration open_cap{};
  int probes = 1;
  Duration close_window{};
  int64_t close_at = 1;
  std::optional<OutcomeSet> failure_when;
};

struct LimitRules {
  int max_in_flight = 1;
  int queue_length = 0;  // 0: no queue
  Duration queue_timeout{};
  bool newest_first = false;  // never so in the engine
};

struct UpstreamRules {
  Duration connect{};
  Duration total{};
  std::optional<Duration> cold_load;
  bool repeat_safe = false;
  std::optional<RetryRules> retry;
  std::optional<BreakerRules> breaker;
  std::optional<LimitRules> limit;

  OutcomeClass ClassOf(const Outcome& outcome) const;
};

struct RouteRules {
  std::vector<int> to;
  std::optional<Duration> deadline;
};

struct SimPolicy {
  std::unique_ptr<compiler::CompiledPolicy> compiled;
  std::vector<UpstreamRules> upstreams;  // by UpstreamId
  std::vector<RouteRules> routes;        // by RouteId
};

SimPolicy DrawPolicy(base::Random& random);

}  // namespace tests::simulation
