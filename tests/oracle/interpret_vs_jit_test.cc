// Machine code and interpreter give the same answer: for at least 100,000 pairs of a random predicate and random
// facts, in which everything that a predicate can contain was true and was false.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "tests/oracle/oracle.h"

namespace tests::oracle {
namespace {

constexpr uint64_t kSeed = 20'260'128;

TEST(InterpretVsJit, AgreeOnRandomPredicatesAndFacts) {
  const char* more = std::getenv("BREAKWATER_ORACLE_TIMES");  // for long runs by hand: 2 is more than 200,000 pairs
  const uint64_t times = more != nullptr ? std::strtoull(more, nullptr, 10) : 1;
  OracleReport report;
  // Small policies get good code, large ones plain code: both generators of LLVM are asked.
  for (uint64_t round = 0; round < 5 * times; ++round) RunOracle(kSeed + round, {200, 24, 2}, &report);
  for (uint64_t round = 0; round < 3 * times; ++round) RunOracle(kSeed + 1'000'000 + round, {1600, 24, 2}, &report);
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(report.differences, 0) << report.smallest_difference;
  EXPECT_GE(report.predicates, 5'000);
  EXPECT_GE(report.pairs, 100'000);
  for (const std::string& name : EverythingToSee()) {
    EXPECT_GE(report.coverage[name].when_true, 20) << name << " was hardly ever true";
    EXPECT_GE(report.coverage[name].when_false, 20) << name << " was hardly ever false";
  }
  RecordProperty("pairs", std::to_string(report.pairs));
  std::cout << report.pairs << " pairs of " << report.predicates << " predicates, " << report.differences << " differences\n";
}

}  // namespace
}  // namespace tests::oracle
