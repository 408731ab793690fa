// Sliding windows of 60 buckets: shares and percentiles of attempts. What is older than the window never counts; what is
// younger by a bucket (a sixtieth of the window) or more always does. CountRing (count_windows.h) is the exact kind.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "runtime/engine/kept_state.h"

namespace runtime::engine {

inline constexpr int64_t kWindowBuckets = 60;

// Which bucket a time falls into, and which buckets are in the window.
class BucketClock {
 public:
  explicit BucketClock(base::Duration window) : width_((window.count() + kWindowBuckets - 1) / kWindowBuckets) {}

  int64_t IndexOf(base::TimePoint time) const { return time.time_since_epoch().count() / width_; }
  base::TimePoint BeginOf(int64_t index) const { return base::TimePoint(base::Duration(index * width_)); }
  static size_t SlotOf(int64_t index) { return static_cast<size_t>(index % kWindowBuckets); }

 private:
  int64_t width_;  // ns
};

// The share of attempts that were bad (failed, or slow). One thread at a time.
class ShareWindow {
 public:
  explicit ShareWindow(base::Duration window) : clock_(window) {}

  void Add(base::TimePoint time, bool is_bad) { Add(time, 1, is_bad ? 1 : 0); }
  double Share(base::TimePoint now) const;  // 0 … 1; 0 where there was none
  void Clear() { buckets_ = {}; }

  // For kept_state.h. Add: attempts of a process before, at a time of this clock; one before the clock began is left out.
  void Add(base::TimePoint time, int64_t all, int64_t bad);
  std::vector<KeptShares> Keep() const;

 private:
  struct Bucket {
    int64_t index = -1;
    int64_t all = 0;
    int64_t bad = 0;
  };
  BucketClock clock_;
  std::array<Bucket, kWindowBuckets> buckets_{};
};

// How long attempts took: percentiles, each off by at most one part in 32 (or 0.1 ms). One thread at a time.
class LatencyWindow {
 public:
  explicit LatencyWindow(base::Duration window) : clock_(window) {}

  void Add(base::TimePoint time, base::Duration took);
  // The least time that `percentile` percent of the attempts did not exceed; 0 where there was none. 1 ≤ percentile ≤ 99.
  base::Duration Percentile(int percentile, base::TimePoint now);
  void Clear();

  // For kept_state.h, as those of ShareWindow. At most kMostBins counts.
  void Add(base::TimePoint time, const std::vector<uint32_t>& counts);
  std::vector<KeptLatencies> Keep() const;
  static constexpr size_t kMostBins = 1024;  // of which the longest time that is told apart uses fewer

 private:
  struct Bucket {
    int64_t index = -1;
    std::vector<uint32_t> counts;  // by BinOf; as long as was needed
  };
  static size_t BinOf(base::Duration took);
  static base::Duration ValueOf(size_t bin);
  Bucket* BucketAt(base::TimePoint time);
  void Forget(Bucket* bucket);
  void ForgetOld(int64_t newest);

  BucketClock clock_;
  std::array<Bucket, kWindowBuckets> buckets_{};
  std::vector<uint64_t> sums_;  // of all buckets
  uint64_t count_ = 0;
};

}  // namespace runtime::engine
