// Sliding windows that count exactly: the times of the last K events are kept, so "at least K within the window" is
// never off by a bucket. CountRing is one of them, CountWindows the set that a breaker's rules read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "compiler/model/settings.h"
#include "base/time.h"
#include "runtime/engine/bucket_windows.h"

namespace runtime::engine {

// The times of the newest `capacity` events. Memory grows with use up to the capacity. One thread at a time.
class CountRing {
 public:
  explicit CountRing(int64_t capacity);  // ≥ 1

  // Times may come a little out of order (each loop has its own clock reading); they are kept in order.
  void Add(base::TimePoint time);
  // How many were at most `window` ago, the bound included; stands still at the capacity.
  int64_t CountWithin(base::Duration window, base::TimePoint now) const;
  void Clear();
  // The same for another capacity. All that is known stays, also beyond a smaller one: a later policy may ask for it again.
  CountRing Resized(int64_t capacity) const;
  // For kept_state.h.
  std::vector<base::TimePoint> Keep() const;

 private:
  base::TimePoint& At(size_t i) { return times_[(first_ + i) % times_.size()]; }
  const base::TimePoint& At(size_t i) const { return times_[(first_ + i) % times_.size()]; }
  void Grow();

  size_t capacity_;
  std::vector<base::TimePoint> times_;
  size_t first_ = 0;  // the oldest
  size_t size_ = 0;
};

// What a breaker's rules read: a window for each of its measures, in the order of BreakerSettings::measures. `took`: how
// long the attempt took.
class CountWindows {
 public:
  explicit CountWindows(const std::vector<compiler::model::WindowMeasure>& measures);
  // As they were in a process before. Reconfigure says what is asked of them now.
  explicit CountWindows(const std::vector<KeptWindow>& kept);
  std::vector<KeptWindow> Keep() const;

  void AddSuccess(base::TimePoint now, base::Duration took = {});
  void AddFailure(base::TimePoint now, base::Duration took = {});
  void AddFailedRequest(base::TimePoint now);  // failed_requests
  void Clear();
  // Other measures from now on; what is known of those that stay goes on.
  void Reconfigure(const std::vector<compiler::model::WindowMeasure>& measures);

  // Of a measure that counts within a window.
  int64_t Count(size_t slot, base::TimePoint now) const;
  // All values, for Facts::window. Valid until the next call.
  const int64_t* Values(base::TimePoint now);

 private:
  using Window = std::variant<int64_t, CountRing, ShareWindow, LatencyWindow>;  // int64_t: consecutive_failures
  void AddOutcome(bool success, base::TimePoint now, base::Duration took);

  std::vector<compiler::model::WindowMeasure> measures_;
  std::vector<Window> windows_;
  std::vector<int64_t> values_;
};

}  // namespace runtime::engine
