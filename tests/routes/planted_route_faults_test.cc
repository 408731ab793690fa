// The comparison with a scan finds each planted fault of the index, and nothing where there is none. Were a fault not found, the
// comparison would be looking away.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/routes/scan_comparison.h"

namespace tests::routes {
namespace {

constexpr uint64_t kSeed = 11;

constexpr const char* kFaults[] = {
#define PLANTED_FAULT(name, doc) #name,
#include "compiler/routes/planted_faults.def"
#undef PLANTED_FAULT
};

ComparisonReport RunWithFault(const char* fault) {
  setenv("BREAKWATER_PLANTED_FAULT", fault, 1);
  ComparisonReport report;
  CompareWithScan(kSeed, {300, 12, 40}, &report);
  CompareWithScan(kSeed, {16, 400, 200}, &report);
  return report;
}

TEST(PlantedRouteFaults, NothingIsFoundWhereNothingIsPlanted) {
  const ComparisonReport report = RunWithFault("");
  EXPECT_EQ(report.differences, 0) << report.smallest_difference;
}

class EachPlantedRouteFault : public testing::TestWithParam<const char*> {};

TEST_P(EachPlantedRouteFault, IsFound) {
  const ComparisonReport report = RunWithFault(GetParam());
  EXPECT_GT(report.differences, 0) << "the comparison did not see that " << GetParam();
  RecordProperty("differences", std::to_string(report.differences));
}

INSTANTIATE_TEST_SUITE_P(Fault, EachPlantedRouteFault, testing::ValuesIn(kFaults),
                         [](const testing::TestParamInfo<const char*>& fault) { return std::string(fault.param); });

}  // namespace
}  // namespace tests::routes
