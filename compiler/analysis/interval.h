// Closed intervals of times and of counts: what is known of a quantity before anything runs. A time cannot be added to a count,
// and arithmetic saturates: what is too large for 64 bits is kForever or kUncountable, never a small number.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace compiler::analysis {

inline constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// Of numbers that are not negative.
constexpr int64_t SaturatingAdd(int64_t a, int64_t b) { return a > kMost - b ? kMost : a + b; }
constexpr int64_t SaturatingMultiply(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return 0;
  return a > kMost / b ? kMost : a * b;
}

// low ≤ x ≤ high; neither is negative. Tag: what is counted.
template <typename Tag>
struct Interval {
  int64_t low = 0;
  int64_t high = 0;

  static constexpr Interval Exactly(int64_t value) { return {value, value}; }
  static constexpr Interval UpTo(int64_t value) { return {0, value}; }

  constexpr bool operator==(const Interval&) const = default;
  friend constexpr Interval operator+(Interval a, Interval b) {
    return {SaturatingAdd(a.low, b.low), SaturatingAdd(a.high, b.high)};
  }
  // Of the smaller, or the larger, of the two quantities.
  friend constexpr Interval Min(Interval a, Interval b) { return {std::min(a.low, b.low), std::min(a.high, b.high)}; }
  friend constexpr Interval Max(Interval a, Interval b) { return {std::max(a.low, b.low), std::max(a.high, b.high)}; }
};

using TimeInterval = Interval<struct TimeTag>;  // nanoseconds
using CountInterval = Interval<struct CountTag>;

constexpr TimeInterval operator*(CountInterval n, TimeInterval t) {
  return {SaturatingMultiply(n.low, t.low), SaturatingMultiply(n.high, t.high)};
}

constexpr TimeInterval UpTo(std::chrono::nanoseconds time) { return TimeInterval::UpTo(time.count()); }

}  // namespace compiler::analysis
