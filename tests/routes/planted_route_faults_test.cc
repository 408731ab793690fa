// The comparison with a scan finds each planted fault of the index, and nothing where there is none. Were a fault not found, the
// comparison would be looking away.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/routes/scan_comparison.h"

namespace tests::routes {
namespace {

constexpr uint64_t kSeed = 11;
constexpr uint64_t kSeeds = 20;  // what is drawn changes with every new field, and a fault may take more than one to be seen

constexpr const char* kFaults[] = {
#define PLANTED_FAULT(name, doc) #name,
#include "compiler/routes/planted_faults.def"
#undef PLANTED_FAULT
};

// Ends with the first seed that shows a difference.
ComparisonReport RunWithFault(const char* fault, uint64_t seeds) {
  setenv("BREAKWATER_PLANTED_FAULT", fault, 1);
  ComparisonReport report;
  for (uint64_t seed = kSeed; seed < kSeed + seeds && report.differences == 0; ++seed) {
    CompareWithScan(seed, {300, 12, 40}, &report);
    CompareWithScan(seed, {16, 400, 200}, &report);
  }
  return report;
}

TEST(PlantedRouteFaults, NothingIsFoundWhereNothingIsPlanted) {
  const ComparisonReport report = RunWithFault("", 3);
  EXPECT_EQ(report.differences, 0) << report.smallest_difference;
}

class EachPlantedRouteFault : public testing::TestWithParam<const char*> {};

TEST_P(EachPlantedRouteFault, IsFound) {
  const ComparisonReport report = RunWithFault(GetParam(), kSeeds);
  EXPECT_GT(report.differences, 0) << "the comparison did not see that " << GetParam();
  RecordProperty("differences", std::to_string(report.differences));
}

INSTANTIATE_TEST_SUITE_P(Fault, EachPlantedRouteFault, testing::ValuesIn(kFaults),
                         [](const testing::TestParamInfo<const char*>& fault) { return std::string(fault.param); });

}  // namespace
}  // namespace tests::routes
