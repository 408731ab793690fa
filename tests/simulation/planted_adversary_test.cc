// Faults planted in the engine must be found by what adversary_test checks, within 1,000 exchanges.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/simulation/adversary.h"

namespace tests::simulation {
namespace {

int64_t ExchangesUntilFound(const char* fault, UpstreamDoes does) {
  setenv("BREAKWATER_PLANTED_FAULT", fault, 1);
  int64_t exchanges = 0;
  bool found = false;
  for (uint64_t seed = 1; !found && exchanges < 100'000; ++seed) {
    const AdversaryReport report = SimulateAdversary(seed, 250, does);
    exchanges += report.exchanges;
    found = !report.violations.empty();
  }
  unsetenv("BREAKWATER_PLANTED_FAULT");
  return found ? exchanges : -1;
}

TEST(PlantedFaults, WithoutOneNothingIsFound) { EXPECT_EQ(ExchangesUntilFound("none", UpstreamDoes::kWell), -1); }

TEST(PlantedFaults, ABreakerThatBlamesTheUpstreamForItsClients) {
  const int64_t exchanges = ExchangesUntilFound("neutrality_is_off", UpstreamDoes::kWell);
  EXPECT_GT(exchanges, 0);
  EXPECT_LE(exchanges, 1000);
}

TEST(PlantedFaults, ABreakerThatBlamesNobody) {
  const int64_t exchanges = ExchangesUntilFound("everything_is_neutral", UpstreamDoes::kFail);
  EXPECT_GT(exchanges, 0);
  EXPECT_LE(exchanges, 1000);
}

}  // namespace
}  // namespace tests::simulation
