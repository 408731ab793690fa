#include "runtime/engine/retry_budget.h"

#include <gtest/gtest.h>

namespace runtime::engine {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests

base::TimePoint At(base::Duration since_start) { return base::TimePoint(1h) + since_start; }

TEST(RetryBudget, StartsWithTen) {
  RetryBudget budget(0.2);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(budget.Take(At(0s))) << i;
  EXPECT_FALSE(budget.WouldAllow(At(0s)));
  EXPECT_FALSE(budget.Take(At(0s)));
}

TEST(RetryBudget, FiveFirstAttemptsPayForOneRetryAtTwentyPercent) {
  RetryBudget budget(0.2);
  for (int i = 0; i < 10; ++i) budget.Take(At(0s));
  for (int i = 0; i < 4; ++i) budget.Deposit();
  EXPECT_FALSE(budget.Take(At(0s)));
  budget.Deposit();
  EXPECT_TRUE(budget.Take(At(0s)));
  EXPECT_FALSE(budget.Take(At(0s)));
}

TEST(RetryBudget, OneASecondIsAlwaysAllowed) {
  RetryBudget budget(0);
  for (int i = 0; i < 10; ++i) budget.Take(At(0s));
  EXPECT_FALSE(budget.Take(At(999ms)));
  EXPECT_TRUE(budget.WouldAllow(At(1s)));
  EXPECT_TRUE(budget.Take(At(1s)));
  EXPECT_FALSE(budget.Take(At(1s)));  // one, not one for each second that passed
  EXPECT_FALSE(budget.Take(At(1999ms)));
  EXPECT_TRUE(budget.Take(At(2s)));
  EXPECT_TRUE(budget.Take(At(60s)));
  EXPECT_FALSE(budget.Take(At(60s)));
}

TEST(RetryBudget, LookingTakesNothing) {
  RetryBudget budget(0.2);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(budget.WouldAllow(At(0s)));
  EXPECT_EQ(budget.balance(), 10);
}

TEST(RetryBudget, QuietTimesSaveUpABoundedSum) {
  RetryBudget budget(0.5);
  for (int i = 0; i < 100'000; ++i) budget.Deposit();
  int taken = 0;
  while (budget.Take(At(0s))) ++taken;
  EXPECT_EQ(taken, 100);
}

// Row 40 of what upstreams do: every request of a busy upstream fails at once, again and again.
TEST(RetryBudget, AStormOfFailuresIsAmplifiedByItsShareOnly) {
  RetryBudget budget(0.2);
  int retries = 0;
  constexpr int kRequests = 5000;  // 100 a second
  for (int i = 0; i < kRequests; ++i) {
    budget.Deposit();
    while (budget.Take(At(i * 10ms))) ++retries;  // whatever is allowed is used
  }
  EXPECT_LE(retries, 10 + kRequests / 5 + 50);
  EXPECT_GE(retries, kRequests / 5);
}

}  // namespace
}  // namespace runtime::engine
