// The figures of the founding system.
#include "examples/flaky_ollama/service_time.h"

#include <gtest/gtest.h>

namespace examples::flaky_ollama {
namespace {

using namespace std::chrono_literals;

TEST(ServiceTime, IsFlatUpToEightRequests) {
  const Settings settings;
  for (int64_t load = 1; load <= 8; ++load) EXPECT_EQ(ServiceTime(settings, load), 2300ms) << load;
}

TEST(ServiceTime, GrowsLinearlyToTwiceTheLoadAndOn) {
  const Settings settings;
  EXPECT_EQ(ServiceTime(settings, 12), 4550ms);
  EXPECT_EQ(ServiceTime(settings, 16), 6800ms);
  EXPECT_EQ(ServiceTime(settings, 24), 11300ms);
  EXPECT_GT(ServiceTime(settings, 31), 15s);  // the founding system's attempts time out here
}

TEST(ServiceTime, IsScaled) {
  Settings settings;
  settings.time_scale = 0.01;
  EXPECT_EQ(ServiceTime(settings, 1), 23ms);
  EXPECT_EQ(ServiceTime(settings, 16), 68ms);
}

TEST(ServiceTime, PromptAndTokensAddUp) {
  const Settings settings;
  const auto sum = PromptTime(settings, 1, 1.0) + 24 * TokenTime(settings, 1, 1.0, 24);
  EXPECT_NEAR(static_cast<double>(sum.count()), 2.3e9, 100);
  EXPECT_EQ(PromptTime(settings, 1, 1.0), 575ms);
}

TEST(ServiceTime, JitterStaysWithinItsShare) {
  Settings settings;
  settings.jitter = 0.2;
  double least = 2;
  double most = 0;
  double sum = 0;
  constexpr int kRequests = 10'000;
  for (uint64_t n = 1; n <= kRequests; ++n) {
    const double factor = SpeedFactor(settings, n);
    EXPECT_EQ(factor, SpeedFactor(settings, n));
    least = std::min(least, factor);
    most = std::max(most, factor);
    sum += factor;
  }
  EXPECT_GE(least, 0.8);
  EXPECT_LT(least, 0.801);
  EXPECT_LE(most, 1.2);
  EXPECT_GT(most, 1.199);
  EXPECT_NEAR(sum / kRequests, 1.0, 0.01);
  settings.jitter = 0;
  EXPECT_EQ(SpeedFactor(settings, 5), 1.0);
}

}  // namespace
}  // namespace examples::flaky_ollama
