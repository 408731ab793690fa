// Runs the simulation over many seeds, shows that it saw everything that it is meant to see, and that planted mistakes
// are found. BREAKWATER_SIM_SEEDS=N runs more seeds, BREAKWATER_SIM_FIRST=S begins at another one.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "tests/simulation/simulation.h"

namespace tests::simulation {
namespace {

constexpr int kExchangesPerSeed = 250;
constexpr uint64_t kSeeds = 160;  // 40,000 exchanges

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(ExchangeSimulation, InvariantsHoldAfterEveryEvent) {
  const uint64_t first = FromEnvironment("BREAKWATER_SIM_FIRST", 1);
  const uint64_t seeds = FromEnvironment("BREAKWATER_SIM_SEEDS", kSeeds);
  std::map<std::string, int64_t> seen;
  int64_t exchanges = 0;
  int64_t events = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const Report report = Simulate(seed, kExchangesPerSeed);
    for (const std::string& violation : report.violations) ADD_FAILURE() << "seed " << seed << ": " << violation;
    if (!report.violations.empty()) return;
    for (const auto& [what, times] : report.seen) seen[what] += times;
    exchanges += report.exchanges;
    events += report.events;
  }
  std::string figures;
  for (const auto& [what, times] : seen) figures += "  " + what + ": " + std::to_string(times) + "\n";
  RecordProperty("figures", figures);
  std::cout << exchanges << " exchanges, " << events << " events\n" << figures;
  if (seeds < kSeeds) return;

  // What never happened was never checked.
  EXPECT_GE(exchanges, 20'000);
  for (const char* what : {"start",
                           "retry",
                           "reconnect",
                           "follow",
                           "load",
                           "load in vain",
                           "keep_alive",
                           "store",
                           "ending complete",
                           "ending cut",
                           "ending by the gateway",
                           "ending gone",
                           "take over",
                           "take over afresh",
                           "resume",
                           "ended success",
                           "ended failure",
                           "ended neutral",
                           "final finish",
                           "final break_off",
                           "final send_reply",
                           "final send_cached",
                           "final send_mock",
                           "final send_error",
                           "final client_gone",
                           "final destroyed",
                           "breaker CLOSED>OPEN",
                           "breaker OPEN>HALF_OPEN",
                           "breaker HALF_OPEN>OPEN",
                           "breaker HALF_OPEN>CLOSED",
                           "denied attempts_exhausted",
                           "denied body_too_large",
                           "denied not_repeat_safe",
                           "denied breaker_open",
                           "denied deadline",
                           "denied budget_spent",
                           "denied retry_after",
                           "honoured",
                           "open_for grown",
                           "queue waits",
                           "queue served",
                           "queue left",
                           "queue full",
                           "queue timeout",
                           "queue too late"}) {
    EXPECT_GE(seen[what], 20) << what;
  }
}

// Seeds of long runs that found something, in the engine or in the rules that it is judged by. 1094: an answer that goes on at the same
// upstream found its own place taken. 3114: a deadline ended the wait of a retry, and a mock that takes its time came next, so that no
// command told of it.
TEST(ExchangeSimulation, SeedsThatFoundSomethingFindNothingMore) {
  for (const uint64_t seed : {1094, 3114}) {
    const Report report = Simulate(seed, kExchangesPerSeed);
    for (const std::string& violation : report.violations) ADD_FAILURE() << "seed " << seed << ": " << violation;
  }
}

TEST(ExchangeSimulation, TheSameSeedGivesTheSameRun) {
  const Report a = Simulate(42, kExchangesPerSeed);
  const Report b = Simulate(42, kExchangesPerSeed);
  EXPECT_EQ(a.events, b.events);
  EXPECT_EQ(a.seen, b.seen);
  EXPECT_NE(a.seen, Simulate(43, kExchangesPerSeed).seen);
}

// Invariants that cannot fail would prove nothing.
void ExpectFound(Bug bug, const char* name) {
  constexpr uint64_t kSeedsForABug = 40;
  for (uint64_t seed = 1; seed <= kSeedsForABug; ++seed) {
    const Report report = Simulate(seed, kExchangesPerSeed, bug);
    if (!report.violations.empty()) {
      std::cout << name << ": seed " << seed << ": " << report.violations.front() << "\n";
      return;
    }
  }
  ADD_FAILURE() << name << " was not found in " << kSeedsForABug << " seeds";
}
#define PLANTED_BUG(name, doc) \
  TEST(PlantedBug, name) { ExpectFound(Bug::k##name, #name); }
#include "tests/simulation/planted_bugs.def"
#undef PLANTED_BUG

}  // namespace
}  // namespace tests::simulation
