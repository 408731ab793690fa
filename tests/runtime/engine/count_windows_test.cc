#include "runtime/engine/count_windows.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/random.h"

namespace runtime::engine {
namespace {

using base::TimePoint;
using compiler::abi::WindowMeasureKind;
using namespace std::chrono_literals;  // NOLINT: times in tests

TEST(CountRing, CountsWhatIsAtMostAWindowOld) {
  CountRing ring(10);
  ring.Add(TimePoint(1s));
  ring.Add(TimePoint(2s));
  ring.Add(TimePoint(3s));
  EXPECT_EQ(ring.CountWithin(1s, TimePoint(3s)), 2);
  EXPECT_EQ(ring.CountWithin(2s, TimePoint(3s)), 3);
  EXPECT_EQ(ring.CountWithin(1s, TimePoint(4s + 1ns)), 0);
}

TEST(CountRing, KeepsTheNewestAndStandsStillAtItsCapacity) {
  CountRing ring(3);
  for (int i = 0; i < 100; ++i) ring.Add(TimePoint(i * 1s));
  EXPECT_EQ(ring.CountWithin(1h, TimePoint(99s)), 3);
  EXPECT_EQ(ring.CountWithin(1s, TimePoint(99s)), 2) << "97s is older";
}

TEST(CountRing, TakesTimesOutOfOrder) {
  CountRing ring(4);
  for (const int i : {5, 3, 4, 1}) ring.Add(TimePoint(i * 1s));
  EXPECT_EQ(ring.CountWithin(1s, TimePoint(5s)), 2);
  ring.Add(TimePoint(0s));  // older than all that are kept, and there is no place
  EXPECT_EQ(ring.CountWithin(5s, TimePoint(5s)), 4);
  ring.Add(TimePoint(2s));  // takes the place of 1s
  EXPECT_EQ(ring.CountWithin(3s, TimePoint(5s)), 4);
}

TEST(CountRing, ClearForgetsEverything) {
  CountRing ring(2);
  ring.Add(TimePoint(1s));
  ring.Clear();
  EXPECT_EQ(ring.CountWithin(1h, TimePoint(1s)), 0);
  ring.Add(TimePoint(2s));
  EXPECT_EQ(ring.CountWithin(1h, TimePoint(2s)), 1);
}

// The slow and obvious way: keep everything, walk it all.
TEST(CountRing, AgreesWithAListOfAllTimes) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    base::Random random(seed);
    const int64_t capacity = 1 + static_cast<int64_t>(random.Below(20));
    CountRing ring(capacity);
    std::deque<TimePoint> all;
    int64_t clock = 0;
    for (int i = 0; i < 400; ++i) {
      clock += static_cast<int64_t>(random.Below(5));
      ring.Add(TimePoint(clock * 1s));
      all.push_back(TimePoint(clock * 1s));
      const base::Duration window = static_cast<int64_t>(random.Below(30)) * 1s;
      int64_t expected = 0;
      for (const TimePoint& t : all) expected += TimePoint(clock * 1s) - t <= window ? 1 : 0;
      ASSERT_EQ(ring.CountWithin(window, TimePoint(clock * 1s)), std::min(expected, capacity)) << "seed " << seed;
    }
  }
}

TEST(CountWindows, EachMeasureCountsItsOwn) {
  const std::vector<compiler::model::WindowMeasure> measures = {{WindowMeasureKind::kFailures, 10s, 100},
                                                                {WindowMeasureKind::kSuccesses, 10s, 100},
                                                                {WindowMeasureKind::kRequests, 10s, 100},
                                                                {WindowMeasureKind::kFailedRequests, 10s, 100},
                                                                {WindowMeasureKind::kFailures, 2s, 100}};
  CountWindows windows(measures);
  windows.AddFailure(TimePoint(0s));
  windows.AddSuccess(TimePoint(1s));
  windows.AddSuccess(TimePoint(2s));
  windows.AddFailedRequest(TimePoint(3s));
  windows.AddFailure(TimePoint(4s));
  const int64_t* values = windows.Values(TimePoint(5s));
  EXPECT_EQ(std::vector<int64_t>(values, values + 5), (std::vector<int64_t>{2, 2, 4, 1, 1}));
}

}  // namespace
}  // namespace runtime::engine
