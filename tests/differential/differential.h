// The comparison: mutants go into the gateway (on a simulated network), what it forwards goes to nginx and HAProxy, and each
// must have read the requests that the gateway's parser had read, or have refused them.
#pragma once

#include <cstdint>
#include <string>

namespace tests::differential {

struct Report {
  int64_t mutants = 0;
  int64_t forwarded = 0;         // requests
  int64_t refused_by_gateway = 0;  // mutants of which nothing was forwarded
  int64_t refused_by_judges = 0;   // mutants of which a judge refused something that was forwarded
  int64_t differences = 0;       // mutants that somebody read otherwise
  std::string first_difference;
};

Report Compare(uint64_t seed, int64_t mutants);

}  // namespace tests::differential
