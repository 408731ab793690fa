#include "runtime/engine/count_windows.h"

#include <algorithm>
#include <bit>

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

CountRing CountRing::Resized(int64_t capacity) const {
  CountRing other(std::max(capacity, static_cast<int64_t>(size_)));
  for (size_t i = 0; i < size_; ++i) other.Add(At(i));
  return other;
}

std::vector<TimePoint> CountRing::Keep() const {
  std::vector<TimePoint> times;
  times.reserve(size_);
  for (size_t i = 0; i < size_; ++i) times.push_back(At(i));
  return times;
}

namespace {

std::vector<compiler::model::WindowMeasure> MeasuresOf(const std::vector<KeptWindow>& kept) {
  std::vector<compiler::model::WindowMeasure> measures;
  for (const KeptWindow& window : kept) {
    compiler::model::WindowMeasure measure;
    measure.kind = window.kind;
    measure.window = window.window;
    measure.over = window.over;
    measure.enough = std::max<int64_t>(static_cast<int64_t>(window.times.size()), 1);
    measures.push_back(measure);
  }
  return measures;
}

}  // namespace

CountWindows::CountWindows(const std::vector<KeptWindow>& kept) : CountWindows(MeasuresOf(kept)) {
  for (size_t i = 0; i < kept.size(); ++i) {
    Window& window = windows_[i];
    if (auto* count = std::get_if<int64_t>(&window)) *count = kept[i].in_a_row;
    if (auto* ring = std::get_if<CountRing>(&window)) {
      for (const TimePoint time : kept[i].times) ring->Add(time);
    }
    if (auto* share = std::get_if<ShareWindow>(&window)) {
      for (const KeptShares& part : kept[i].shares) share->Add(part.begin, part.all, part.bad);
    }
    if (auto* latency = std::get_if<LatencyWindow>(&window)) {
      for (const KeptLatencies& part : kept[i].latencies) latency->Add(part.begin, part.counts);
    }
  }
}

std::vector<KeptWindow> CountWindows::Keep() const {
  std::vector<KeptWindow> kept(windows_.size());
  for (size_t i = 0; i < windows_.size(); ++i) {
    const Window& window = windows_[i];
    kept[i].kind = measures_[i].kind;
    kept[i].window = measures_[i].window;
    kept[i].over = measures_[i].over;
    if (const auto* count = std::get_if<int64_t>(&window)) kept[i].in_a_row = *count;
    if (const auto* ring = std::get_if<CountRing>(&window)) kept[i].times = ring->Keep();
    if (const auto* share = std::get_if<ShareWindow>(&window)) kept[i].shares = share->Keep();
    if (const auto* latency = std::get_if<LatencyWindow>(&window)) kept[i].latencies = latency->Keep();
  }
  return kept;
}

void CountWindows::Reconfigure(const std::vector<compiler::model::WindowMeasure>& measures) {
  CountWindows next(measures);
  for (size_t i = 0; i < measures.size(); ++i) {
    for (size_t j = 0; j < measures_.size(); ++j) {
      const auto& now = measures[i];
      const auto& before = measures_[j];
      if (now.kind != before.kind) continue;
      if (const auto* ring = std::get_if<CountRing>(&windows_[j])) {  // its times serve a window of any length
        next.windows_[i] = ring->Resized(now.enough);
      } else if (now.window == before.window && now.over == before.over) {
        next.windows_[i] = windows_[j];
      }
      if (now.window == before.window) break;
    }
  }
  *this = std::move(next);
}

CountWindows::CountWindows(const std::vector<compiler::model::WindowMeasure>& measures)
    : measures_(measures), values_(measures.size()) {
  windows_.reserve(measures.size());
  for (const compiler::model::WindowMeasure& measure : measures) {
    switch (measure.kind) {
      case WindowMeasureKind::kFailures:
      case WindowMeasureKind::kSuccesses:
      case WindowMeasureKind::kRequests:
      case WindowMeasureKind::kFailedRequests: windows_.emplace_back(CountRing(measure.enough)); break;
      case WindowMeasureKind::kConsecutiveFailures: windows_.emplace_back(int64_t{0}); break;
      case WindowMeasureKind::kFailureRatio:
      case WindowMeasureKind::kSlowRatio: windows_.emplace_back(ShareWindow(measure.window)); break;
      case WindowMeasureKind::kLatency: windows_.emplace_back(LatencyWindow(measure.window)); break;
    }
  }
}

void CountWindows::AddOutcome(bool success, TimePoint now, Duration took) {
  for (size_t i = 0; i < windows_.size(); ++i) {
    Window& window = windows_[i];
    switch (measures_[i].kind) {
      case WindowMeasureKind::kFailures:
        if (!success) std::get<CountRing>(window).Add(now);
        break;
      case WindowMeasureKind::kSuccesses:
        if (success) std::get<CountRing>(window).Add(now);
        break;
      case WindowMeasureKind::kRequests: std::get<CountRing>(window).Add(now); break;
      case WindowMeasureKind::kFailedRequests: break;
      case WindowMeasureKind::kConsecutiveFailures: {
        int64_t& count = std::get<int64_t>(window);
        count = success ? 0 : count + 1;
        break;
      }
      case WindowMeasureKind::kFailureRatio: std::get<ShareWindow>(window).Add(now, !success); break;
      case WindowMeasureKind::kSlowRatio: std::get<ShareWindow>(window).Add(now, took > measures_[i].over); break;
      case WindowMeasureKind::kLatency: std::get<LatencyWindow>(window).Add(now, took); break;
    }
  }
}

void CountWindows::AddSuccess(TimePoint now, Duration took) { AddOutcome(true, now, took); }
void CountWindows::AddFailure(TimePoint now, Duration took) { AddOutcome(false, now, took); }

void CountWindows::AddFailedRequest(TimePoint now) {
  for (size_t i = 0; i < windows_.size(); ++i) {
    if (measures_[i].kind == WindowMeasureKind::kFailedRequests) std::get<CountRing>(windows_[i]).Add(now);
  }
}

void CountWindows::Clear() {
  for (Window& window : windows_) {
    if (auto* count = std::get_if<int64_t>(&window)) *count = 0;
    if (auto* ring = std::get_if<CountRing>(&window)) ring->Clear();
    if (auto* share = std::get_if<ShareWindow>(&window)) share->Clear();
    if (auto* latency = std::get_if<LatencyWindow>(&window)) latency->Clear();
  }
}

int64_t CountWindows::Count(size_t slot, TimePoint now) const {
  return std::get<CountRing>(windows_[slot]).CountWithin(measures_[slot].window, now);
}

const int64_t* CountWindows::Values(TimePoint now) {
  for (size_t i = 0; i < windows_.size(); ++i) {
    Window& window = windows_[i];
    if (const auto* count = std::get_if<int64_t>(&window)) {
      values_[i] = *count;
    } else if (const auto* share = std::get_if<ShareWindow>(&window)) {
      values_[i] = std::bit_cast<int64_t>(share->Share(now));
    } else if (auto* latency = std::get_if<LatencyWindow>(&window)) {
      values_[i] = latency->Percentile(measures_[i].percentile, now).count();
    } else {
      values_[i] = Count(i, now);
    }
  }
  return values_.data();
}

}  // namespace runtime::engine
