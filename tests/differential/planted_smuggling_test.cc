// The comparison finds each way to smuggle a request that is planted, and nothing where none is.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/differential/differential.h"

namespace tests::differential {
namespace {

constexpr const char* kFaults[] = {
#define PLANTED_FAULT(name, doc) #name,
#include "runtime/http/planted_faults.def"
#undef PLANTED_FAULT
};
static_assert(std::size(kFaults) >= 3);

constexpr int64_t kMutants = 600;

TEST(PlantedSmuggling, NothingIsFoundWhereNothingIsPlanted) {
  unsetenv("BREAKWATER_PLANTED_FAULT");
  const Report report = Compare(7, kMutants);
  EXPECT_EQ(report.differences, 0) << report.first_difference;
}

class EachPlantedFault : public testing::TestWithParam<const char*> {};

TEST_P(EachPlantedFault, IsFound) {
  setenv("BREAKWATER_PLANTED_FAULT", GetParam(), 1);
  const Report report = Compare(7, kMutants);
  EXPECT_GT(report.differences, 0) << "the judges did not see that " << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Fault, EachPlantedFault, testing::ValuesIn(kFaults),
                         [](const testing::TestParamInfo<const char*>& fault) { return std::string(fault.param); });

}  // namespace
}  // namespace tests::differential
