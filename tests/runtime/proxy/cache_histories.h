// Random histories of requests through the proxy with caches, on a simulated network, held against a model that keeps a list of all
// answers and looks through it: what it would serve from memory is served from memory, and nothing else is.
#pragma once

#include <cstdint>
#include <string>

namespace tests {

struct CacheReport {
  int64_t histories = 0;
  int64_t requests = 0;
  int64_t from_memory = 0;
  int64_t stale = 0;        // … because the upstream failed
  int64_t failures = 0;     // of the upstream
  int64_t at_once = 0;      // requests that came beside others for the same
  std::string first_violation;  // "": none
};

// Stops at the first violation.
CacheReport RunCacheHistories(uint64_t seed, int64_t histories);

}  // namespace tests
