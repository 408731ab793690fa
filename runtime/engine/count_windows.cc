#include "runtime/engine/count_windows.h"

#include <algorithm>

namespace runtime::engine {

using base::Duration;
using base::TimePoint;
using compiler::abi::WindowMeasureKind;

CountRing::CountRing(int64_t capacity) : capacity_(static_cast<size_t>(std::max<int64_t>(capacity, 1))) {}

void CountRing::Grow() {
  constexpr size_t kFirstSize = 8;
  std::vector<TimePoint> bigger(std::min(capacity_, std::max(kFirstSize, times_.size() * 2)));
  for (size_t i = 0; i < size_; ++i) bigger[i] = At(i);
  times_ = std::move(bigger);
  first_ = 0;
}

void CountRing::Add(TimePoint time) {
  if (size_ == capacity_) {
    if (time <= At(0)) return;  // older than all that are kept
    first_ = (first_ + 1) % times_.size();
    --size_;
  } else if (size_ == times_.size()) {
    Grow();
  }
  size_t i = size_++;
  for (; i > 0 && At(i - 1) > time; --i) At(i) = At(i - 1);
  At(i) = time;
}

int64_t CountRing::CountWithin(Duration window, TimePoint now) const {
  size_t low = 0;  // first one that is young enough
  size_t high = size_;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (now - At(middle) > window) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return static_cast<int64_t>(size_ - low);
}

void CountRing::Clear() {
  first_ = 0;
  size_ = 0;
}

CountWindows::CountWindows(const std::vector<compiler::model::WindowMeasure>& measures)
    : measures_(measures), values_(measures.size()) {
  rings_.reserve(measures.size());
  for (const compiler::model::WindowMeasure& measure : measures) rings_.emplace_back(measure.enough);
}

void CountWindows::Add(WindowMeasureKind kind, TimePoint now) {
  for (size_t i = 0; i < rings_.size(); ++i) {
    if (measures_[i].kind == kind) rings_[i].Add(now);
  }
}

void CountWindows::AddSuccess(TimePoint now) {
  Add(WindowMeasureKind::kSuccesses, now);
  Add(WindowMeasureKind::kRequests, now);
}

void CountWindows::AddFailure(TimePoint now) {
  Add(WindowMeasureKind::kFailures, now);
  Add(WindowMeasureKind::kRequests, now);
}

void CountWindows::AddFailedRequest(TimePoint now) { Add(WindowMeasureKind::kFailedRequests, now); }

void CountWindows::Clear() {
  for (CountRing& ring : rings_) ring.Clear();
}

int64_t CountWindows::Value(size_t slot, TimePoint now) const {
  return rings_[slot].CountWithin(measures_[slot].window, now);
}

const int64_t* CountWindows::Values(TimePoint now) {
  for (size_t i = 0; i < rings_.size(); ++i) values_[i] = Value(i, now);
  return values_.data();
}

}  // namespace runtime::engine
