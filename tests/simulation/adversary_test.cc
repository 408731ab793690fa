// BREAKWATER_SIM_SEEDS=4000 runs a million exchanges.
#include "tests/simulation/adversary.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace tests::simulation {
namespace {

constexpr int kExchangesPerSeed = 250;

uint64_t Seeds() {
  const char* text = std::getenv("BREAKWATER_SIM_SEEDS");
  return text == nullptr ? 160 : std::strtoull(text, nullptr, 10);
}

std::map<std::string, int64_t> RunAll(UpstreamDoes does) {
  std::map<std::string, int64_t> seen;
  int64_t exchanges = 0;
  for (uint64_t seed = 1; seed <= Seeds(); ++seed) {
    const AdversaryReport report = SimulateAdversary(seed, kExchangesPerSeed, does);
    for (const std::string& violation : report.violations) ADD_FAILURE() << "seed " << seed << ": " << violation;
    if (!report.violations.empty()) break;
    for (const auto& [what, times] : report.seen) seen[what] += times;
    exchanges += report.exchanges;
  }
  std::cout << exchanges << " exchanges\n";
  for (const auto& [what, times] : seen) std::cout << "  " << what << ": " << times << "\n";
  return seen;
}

TEST(Adversary, OverAnUpstreamThatDoesWellNoBreakerOpensNoProbeIsHeldNoEstimateMoves) {
  auto seen = RunAll(UpstreamDoes::kWell);
  EXPECT_EQ(seen["opened"], 0);
  for (const char* what : {"plain", "stops its upload", "uploads slowly", "uploads late", "stops reading", "reads slowly", "vanishes",
                           "exhausts", "ended success", "ended neutral"}) {
    EXPECT_GT(seen[what], 100) << what << " was never tried";
  }
  EXPECT_EQ(seen["ended failure"], 0);
}

TEST(Adversary, OverAnUpstreamThatFailsTheBreakerOpensInTime) {
  auto seen = RunAll(UpstreamDoes::kFail);
  EXPECT_GE(seen["opened"], static_cast<int64_t>(Seeds())) << "at least once with each seed";
}

}  // namespace
}  // namespace tests::simulation
