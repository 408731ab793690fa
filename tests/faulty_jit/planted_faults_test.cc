// The oracle finds each planted fault of the lowering, and nothing where there is none. Were a fault not found, the
// oracle would be looking away.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "compiler/jit/jit.h"
#include "tests/oracle/oracle.h"

namespace tests::oracle {
namespace {

constexpr uint64_t kSeed = 7;

constexpr const char* kFaults[] = {
#define PLANTED_FAULT(name, doc) #name,
#include "compiler/lower/planted_faults.def"
#undef PLANTED_FAULT
};
static_assert(std::size(kFaults) >= 10);

OracleReport RunWithFault(const char* fault) {
  setenv("BREAKWATER_JIT_LIBRARY", FAULTY_JIT_LIBRARY, 1);
  setenv("BREAKWATER_PLANTED_FAULT", fault, 1);
  OracleReport report;
  RunOracle(kSeed, {1500, 16, 1}, &report);
  return report;
}

TEST(PlantedFaults, NothingIsFoundWhereNothingIsPlanted) {
  const OracleReport report = RunWithFault("");
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(report.differences, 0) << report.smallest_difference;
  EXPECT_EQ(report.pairs, 24'000);
}

TEST(PlantedFaults, AMisspeltFaultIsRefused) {
  const OracleReport report = RunWithFault("and_is_nor");
  EXPECT_NE(report.error.find("and_is_nor"), std::string::npos) << report.error;
}

class EachPlantedFault : public testing::TestWithParam<const char*> {};

TEST_P(EachPlantedFault, IsFound) {
  const OracleReport report = RunWithFault(GetParam());
  EXPECT_EQ(report.error, "");
  EXPECT_GT(report.differences, 0) << "the oracle did not see that " << GetParam();
  EXPECT_NE(report.smallest_difference, "");
  RecordProperty("differences", std::to_string(report.differences));
}

INSTANTIATE_TEST_SUITE_P(Fault, EachPlantedFault, testing::ValuesIn(kFaults),
                         [](const testing::TestParamInfo<const char*>& fault) { return std::string(fault.param); });

}  // namespace
}  // namespace tests::oracle
