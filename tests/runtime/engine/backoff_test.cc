#include "runtime/engine/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace runtime::engine {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests

TEST(Backoff, FoundingWaitsAreHalfASecondAndASecondAndNeverMoreThanTwo) {
  base::Random random(1);
  const compiler::model::BackoffSettings settings{500ms, 2, 2s, 0};
  EXPECT_EQ(BackoffWait(settings, 1, random), 500ms);
  EXPECT_EQ(BackoffWait(settings, 2, random), 1s);
  EXPECT_EQ(BackoffWait(settings, 3, random), 2s);
  EXPECT_EQ(BackoffWait(settings, 4, random), 2s);
}

TEST(Backoff, IsCappedWhereNumbersEnd) {
  base::Random random(1);
  EXPECT_EQ(BackoffWait({1h, 1e300, 3s, 0}, 100, random), 3s);
  EXPECT_EQ(BackoffWait({1ms, 10, 3s, 0}, 100'000, random), 3s);
}

TEST(Backoff, FactorOneStaysTheSame) {
  base::Random random(1);
  EXPECT_EQ(BackoffWait({70ms, 1, 3s, 0}, 9, random), 70ms);
}

TEST(Backoff, JitterOnlyShortensAndUsesItsWholeRange) {
  base::Random random(7);
  base::Duration shortest = 1h;
  base::Duration longest = 0s;
  for (int i = 0; i < 10'000; ++i) {
    const base::Duration wait = BackoffWait({1s, 2, 10s, 0.25}, 1, random);
    shortest = std::min(shortest, wait);
    longest = std::max(longest, wait);
  }
  EXPECT_GE(shortest, 750ms);
  EXPECT_LT(shortest, 751ms);
  EXPECT_LE(longest, 1s);
  EXPECT_GT(longest, 999ms);
}

TEST(Backoff, TheSameSeedDrawsTheSameWaits) {
  base::Random a(3);
  base::Random b(3);
  for (int i = 1; i < 20; ++i) EXPECT_EQ(BackoffWait({1s, 2, 10s, 1}, i, a), BackoffWait({1s, 2, 10s, 1}, i, b));
}

}  // namespace
}  // namespace runtime::engine
