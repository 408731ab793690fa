// How fast a peer is, over the last 30 s: a request body that comes, an answer that is read. What it did before that buys no time.
// Asked by a timer, so that bytes that pass cost nothing but their count.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace runtime::proxy {

class RateWatch {
 public:
  static constexpr base::Duration kStep = std::chrono::seconds(5);
  static constexpr size_t kSteps = 6;  // 30 s

  // Begins anew. `total`: of the bytes that are counted, from wherever.
  void Begin(uint64_t total) {
    steps_ = 0;
    last_ = total;
  }

  // To be called each kStep of the time for which the peer was waited for. False: over the last 30 s it was slower than `rate` bytes
  // a second.
  bool Step(uint64_t total, int64_t rate) {
    counts_[steps_ % kSteps] = total - last_;
    last_ = total;
    if (++steps_ < kSteps) return true;
    uint64_t sum = 0;
    for (const uint64_t count : counts_) sum += count;
    return sum >= static_cast<uint64_t>(rate) * (kStep / std::chrono::seconds(1)) * kSteps;
  }

 private:
  std::array<uint64_t, kSteps> counts_{};
  uint64_t last_ = 0;
  size_t steps_ = 0;
};

}  // namespace runtime::proxy
