// Index and scan choose the same route: for at least 100,000 pairs of a random policy and a random request. With
// BREAKWATER_ROUTE_POLICIES=N in the environment, N policies instead.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/routes/scan_comparison.h"

namespace tests::routes {
namespace {

constexpr uint64_t kSeed = 20'260'301;

TEST(IndexVsScan, ChooseTheSameRoute) {
  const char* longer = std::getenv("BREAKWATER_ROUTE_POLICIES");
  const int policies = longer == nullptr ? 1500 : std::atoi(longer);
  ComparisonReport report;
  CompareWithScan(kSeed, {policies, 12, 60}, &report);
  CompareWithScan(kSeed + 1, {policies / 30, 400, 300}, &report);
  EXPECT_EQ(report.differences, 0) << report.smallest_difference;
  EXPECT_GE(report.pairs, 100'000);
  // The world is worth asking: routes of all places are chosen, and the index spares questions, though few here say much.
  EXPECT_GE(report.without_route, report.pairs / 20);
  EXPECT_GE(report.behind_others, report.pairs / 4);
  EXPECT_LE(report.asked_by_index, report.asked_by_scan * 2 / 3);
  RecordProperty("pairs", std::to_string(report.pairs));
  RecordProperty("asked_by_scan", std::to_string(report.asked_by_scan));
  RecordProperty("asked_by_index", std::to_string(report.asked_by_index));
}

}  // namespace
}  // namespace tests::routes
