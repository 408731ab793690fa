// A few thousand mutants in ctest; scripts/differential runs 100,000 and more.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "tests/differential/differential.h"

namespace tests::differential {
namespace {

TEST(Forwarding, IsReadByNginxAndHaproxyAsTheGatewayReadIt) {
  const char* const wanted = std::getenv("BREAKWATER_DIFFERENTIAL_MUTANTS");
  const char* const seed = std::getenv("BREAKWATER_DIFFERENTIAL_SEED");
  const int64_t mutants = wanted != nullptr ? std::atoll(wanted) : 4000;
  const Report report = Compare(seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1, mutants);
  std::cout << report.mutants << " mutants: " << report.forwarded << " requests forwarded; of " << report.refused_by_gateway
            << " mutants nothing was forwarded; a judge refused part of " << report.refused_by_judges << "; differences "
            << report.differences << std::endl;
  EXPECT_EQ(report.mutants, mutants);
  EXPECT_EQ(report.differences, 0) << report.first_difference;
  // Were nearly all refused, nothing would be compared.
  EXPECT_GT(report.forwarded, mutants / 6);
  EXPECT_GT(report.refused_by_gateway, mutants / 20);
  EXPECT_LT(report.refused_by_judges, mutants / 10);
}

}  // namespace
}  // namespace tests::differential
