#include "runtime/proxy/rate_watch.h"

#include <gtest/gtest.h>

namespace runtime::proxy {
namespace {

TEST(RateWatchTest, LooksAtTheLast30SecondsOnly) {
  RateWatch watch;
  watch.Begin(1000);
  uint64_t total = 1000;
  EXPECT_TRUE(watch.Step(total += 1'000'000, 1024)) << "a burst";
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(watch.Step(total, 1024)) << "it is worth 30 s";
  EXPECT_FALSE(watch.Step(total, 1024)) << "and no more";
}

TEST(RateWatchTest, WhoKeepsTheRateIsNeverTooSlow) {
  RateWatch watch;
  watch.Begin(0);
  for (uint64_t i = 1; i < 100; ++i) EXPECT_TRUE(watch.Step(i * 5 * 1024, 1024));
}

TEST(RateWatchTest, ALittleLessIsTooSlow) {
  RateWatch watch;
  watch.Begin(0);
  for (uint64_t i = 1; i < RateWatch::kSteps; ++i) EXPECT_TRUE(watch.Step(i * (5 * 1024 - 1), 1024));
  EXPECT_FALSE(watch.Step(RateWatch::kSteps * (5 * 1024 - 1), 1024));
}

}  // namespace
}  // namespace runtime::proxy
