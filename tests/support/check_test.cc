// Assertions stop the program and say what was violated; where they hold nothing of their message is made.
#include "base/check.h"

#include <gtest/gtest.h>

#include <string>

namespace {

TEST(CheckDeathTest, NamesPlaceConditionAndWhatIsToldOfIt) {
  const int stage = 3;
  EXPECT_DEATH(BW_CHECK(stage == 2, "stage ", std::to_string(stage)), "check_test.cc:[0-9]+: check failed: stage == 2: stage 3");
  EXPECT_DEATH(BW_CHECK(stage == 2), "check failed: stage == 2");
}

TEST(Check, MakesNoMessageWhereItHolds) {
  int made = 0;
  const auto detail = [&made] {
    ++made;
    return std::string("detail");
  };
  BW_CHECK(made == 0, detail());
  BW_DCHECK(made == 0, detail());
  EXPECT_EQ(made, 0);
}

}  // namespace
