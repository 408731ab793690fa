// Times are counted in bins whose width grows with them: 32 for each doubling.
#include "runtime/engine/bucket_windows.h"

#include <algorithm>
#include <bit>

namespace runtime::engine {

using base::Duration;
using base::TimePoint;

// ---- Shares ---------------------------------------------------------------------------------------------------------

void ShareWindow::Add(TimePoint time, int64_t all, int64_t bad) {
  if (time < TimePoint()) return;
  const int64_t index = clock_.IndexOf(time);
  Bucket& bucket = buckets_[BucketClock::SlotOf(index)];
  if (bucket.index > index) return;  // a loop that was a whole window late
  if (bucket.index < index) bucket = {index, 0, 0};
  bucket.all += all;
  bucket.bad += bad;
}

std::vector<KeptShares> ShareWindow::Keep() const {
  std::vector<KeptShares> kept;
  for (const Bucket& bucket : buckets_) {
    if (bucket.all > 0) kept.push_back({clock_.BeginOf(bucket.index), bucket.all, bucket.bad});
  }
  return kept;
}

double ShareWindow::Share(TimePoint now) const {
  const int64_t newest = clock_.IndexOf(now);
  int64_t all = 0;
  int64_t bad = 0;
  for (const Bucket& bucket : buckets_) {
    if (bucket.index <= newest - kWindowBuckets) continue;
    all += bucket.all;
    bad += bucket.bad;
  }
  return all == 0 ? 0 : static_cast<double>(bad) / static_cast<double>(all);
}

// ---- Percentiles ----------------------------------------------------------------------------------------------------

namespace {

constexpr int64_t kUnit = 100'000;  // ns
constexpr uint64_t kBinsOfADoubling = 32;
constexpr int64_t kLongest = int64_t{48} * 3600 * 1'000'000'000;

}  // namespace

size_t LatencyWindow::BinOf(Duration took) {
  const auto units = static_cast<uint64_t>(std::clamp<int64_t>(took.count(), 0, kLongest) / kUnit);
  if (units < kBinsOfADoubling) return units;
  const int shift = static_cast<int>(std::bit_width(units)) - std::bit_width(kBinsOfADoubling);
  return static_cast<size_t>(shift) * kBinsOfADoubling + (units >> shift);
}

// The middle of the bin.
Duration LatencyWindow::ValueOf(size_t bin) {
  if (bin < 2 * kBinsOfADoubling) return Duration(static_cast<int64_t>(bin) * kUnit + kUnit / 2);
  const size_t shift = bin / kBinsOfADoubling - 1;
  const auto low = static_cast<int64_t>((bin - shift * kBinsOfADoubling) << shift);
  return Duration(low * kUnit + (kUnit << shift) / 2);
}

void LatencyWindow::Forget(Bucket* bucket) {
  for (size_t bin = 0; bin < bucket->counts.size(); ++bin) {
    sums_[bin] -= bucket->counts[bin];
    count_ -= bucket->counts[bin];
  }
  bucket->counts.clear();
}

void LatencyWindow::ForgetOld(int64_t newest) {
  for (Bucket& bucket : buckets_) {
    if (bucket.index <= newest - kWindowBuckets) Forget(&bucket);
  }
}

// The one that a time falls into, emptied if it is of an older turn. Null: the time is too old.
LatencyWindow::Bucket* LatencyWindow::BucketAt(TimePoint time) {
  if (time < TimePoint()) return nullptr;
  const int64_t index = clock_.IndexOf(time);
  Bucket& bucket = buckets_[BucketClock::SlotOf(index)];
  if (bucket.index > index) return nullptr;
  if (bucket.index < index) {
    Forget(&bucket);
    bucket.index = index;
  }
  return &bucket;
}

void LatencyWindow::Add(TimePoint time, Duration took) {
  Bucket* const bucket = BucketAt(time);
  if (bucket == nullptr) return;
  const size_t bin = BinOf(took);
  if (bucket->counts.size() <= bin) bucket->counts.resize(bin + 1);
  if (sums_.size() <= bin) sums_.resize(bin + 1);
  ++bucket->counts[bin];
  ++sums_[bin];
  ++count_;
}

void LatencyWindow::Add(TimePoint time, const std::vector<uint32_t>& counts) {
  Bucket* const bucket = BucketAt(time);
  if (bucket == nullptr) return;
  if (bucket->counts.size() < counts.size()) bucket->counts.resize(counts.size());
  if (sums_.size() < counts.size()) sums_.resize(counts.size());
  for (size_t bin = 0; bin < counts.size(); ++bin) {
    bucket->counts[bin] += counts[bin];
    sums_[bin] += counts[bin];
    count_ += counts[bin];
  }
}

std::vector<KeptLatencies> LatencyWindow::Keep() const {
  std::vector<KeptLatencies> kept;
  for (const Bucket& bucket : buckets_) {
    if (!bucket.counts.empty()) kept.push_back({clock_.BeginOf(bucket.index), bucket.counts});
  }
  return kept;
}

Duration LatencyWindow::Percentile(int percentile, TimePoint now) {
  ForgetOld(clock_.IndexOf(now));
  if (count_ == 0) return Duration::zero();
  const uint64_t rank = (count_ * static_cast<uint64_t>(percentile) + 99) / 100;  // from 1
  uint64_t below = 0;
  size_t bin = 0;
  while (below + sums_[bin] < rank) below += sums_[bin++];
  return ValueOf(bin);
}

void LatencyWindow::Clear() {
  buckets_ = {};
  sums_.clear();
  count_ = 0;
}

}  // namespace runtime::engine
