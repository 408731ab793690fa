// Windows of 60 buckets: of a window of 60 s, each is one second.
#include "runtime/engine/bucket_windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace runtime::engine {
namespace {

using base::Duration;
using base::TimePoint;
using namespace std::chrono_literals;  // NOLINT: times in tests

TimePoint At(Duration since_start) { return TimePoint(1h) + since_start; }

TEST(ShareWindow, IsTheShareOfWhatWasBad) {
  ShareWindow window(60s);
  EXPECT_EQ(window.Share(At(0s)), 0);
  window.Add(At(0s), true);
  EXPECT_EQ(window.Share(At(0s)), 1);
  window.Add(At(1s), false);
  window.Add(At(2s), false);
  window.Add(At(3s), false);
  EXPECT_EQ(window.Share(At(3s)), 0.25);
}

TEST(ShareWindow, ForgetsWhatIsOlderThanTheWindowAndNothingYoungerByABucket) {
  ShareWindow window(60s);
  window.Add(At(500ms), true);
  EXPECT_EQ(window.Share(At(59s + 500ms)), 1);  // 59 s old
  EXPECT_EQ(window.Share(At(60s + 501ms)), 0);  // more than 60 s
}

TEST(ShareWindow, OldBucketsAreUsedAgain) {
  ShareWindow window(60s);
  for (int i = 0; i < 300; ++i) window.Add(At(i * 1s), i % 2 == 0);
  EXPECT_EQ(window.Share(At(299s)), 0.5);
  window.Add(At(400s), true);
  EXPECT_EQ(window.Share(At(400s)), 1);
}

TEST(ShareWindow, ATimeThatComesLateCountsWhereItBelongs) {
  ShareWindow window(60s);
  window.Add(At(30s), false);
  window.Add(At(29s), true);
  EXPECT_EQ(window.Share(At(30s)), 0.5);
  window.Add(At(200s), false);
  window.Add(At(80s), true);  // its bucket is used for 200 s by now
  EXPECT_EQ(window.Share(At(200s)), 0);
}

TEST(ShareWindow, ClearingLeavesNothing) {
  ShareWindow window(60s);
  window.Add(At(0s), true);
  window.Clear();
  EXPECT_EQ(window.Share(At(0s)), 0);
}

TEST(ShareWindow, DiffersFromTheExactCountByWhatStandsInOneBucket) {
  base::Random random(5);
  ShareWindow window(60s);
  std::vector<std::pair<TimePoint, bool>> all;
  TimePoint now = At(0s);
  for (int i = 0; i < 5000; ++i) {
    now += std::chrono::milliseconds(random.Below(200));
    const bool bad = random.Below(3) == 0;
    window.Add(now, bad);
    all.emplace_back(now, bad);
    // The window that was really seen begins somewhere in the last sixtieth of the exact one.
    double least = 1;
    double most = 0;
    for (const Duration length : {59s, 60s}) {
      for (int step = 0; step <= 20; ++step) {
        const Duration seen = length == 60s ? Duration(60s) : Duration(59s) + step * 50ms;
        double n = 0;
        double k = 0;
        for (auto it = all.rbegin(); it != all.rend() && now - it->first <= seen; ++it) {
          ++n;
          k += it->second ? 1 : 0;
        }
        least = std::min(least, k / n);
        most = std::max(most, k / n);
      }
    }
    if (i % 50 != 0) continue;
    EXPECT_GE(window.Share(now), least - 0.02);
    EXPECT_LE(window.Share(now), most + 0.02);
  }
}

TEST(LatencyWindow, IsZeroWithoutAttempts) {
  LatencyWindow window(60s);
  EXPECT_EQ(window.Percentile(95, At(0s)), 0s);
}

TEST(LatencyWindow, KnowsPercentilesToOnePartIn32) {
  base::Random random(9);
  LatencyWindow window(60s);
  std::vector<Duration> times;
  for (int i = 0; i < 20'000; ++i) {
    // From 1 ms to 1,000 s, evenly over the decades.
    const auto took = Duration(static_cast<int64_t>(1e6 * std::pow(10, random.Fraction() * 6)));
    times.push_back(took);
    window.Add(At(i * 1ms), took);
  }
  std::sort(times.begin(), times.end());
  for (const int p : {1, 50, 90, 95, 99}) {
    const double exact = static_cast<double>(times[times.size() * static_cast<size_t>(p) / 100 - 1].count());
    const double seen = static_cast<double>(window.Percentile(p, At(20s)).count());
    EXPECT_NEAR(seen / exact, 1, 1.0 / 32) << p;
  }
}

TEST(LatencyWindow, OneSlowAttemptInTwentyIsNotInP95AndTwoAre) {
  LatencyWindow window(60s);
  for (int i = 0; i < 19; ++i) window.Add(At(0s), 1s);
  window.Add(At(0s), 100s);
  EXPECT_LT(window.Percentile(95, At(0s)), 2s);
  window.Add(At(0s), 100s);
  EXPECT_GT(window.Percentile(95, At(0s)), 90s);
}

TEST(LatencyWindow, ForgetsWhatIsOlderThanTheWindow) {
  LatencyWindow window(60s);
  window.Add(At(500ms), 100s);
  window.Add(At(30s), 1s);
  EXPECT_GT(window.Percentile(99, At(59s + 500ms)), 90s);
  EXPECT_LT(window.Percentile(99, At(60s + 501ms)), 2s);
  window.Clear();
  EXPECT_EQ(window.Percentile(99, At(60s)), 0s);
}

TEST(LatencyWindow, TakesTheShortestAndTheLongest) {
  LatencyWindow window(60s);
  window.Add(At(0s), 0s);
  EXPECT_LT(window.Percentile(99, At(0s)), 1ms);
  window.Add(At(0s), 10'000h);
  EXPECT_GT(window.Percentile(99, At(0s)), 46h);
}

}  // namespace
}  // namespace runtime::engine
