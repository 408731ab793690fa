// Slow, silent and vanishing clients before one upstream, in virtual time: whether its breaker hears of anything but the upstream.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tests::simulation {

enum class UpstreamDoes : uint8_t {
  kWell,  // always, within bounds
  kFail,  // each attempt that reaches it comes to an error of its own
};

struct AdversaryReport {
  int64_t exchanges = 0;
  std::vector<std::string> violations;
  std::map<std::string, int64_t> seen;  // what clients did, what attempts came to
};

// `exchanges` of them, all from the seed. Over an upstream that does well: no breaker opens, no probe is held while only clients are
// waited for, and the queue's estimate stays within what the upstream takes. Over one that fails: the breaker opens within the count
// of its rule plus what was under way at that time.
AdversaryReport SimulateAdversary(uint64_t seed, int exchanges, UpstreamDoes upstream);

}  // namespace tests::simulation
