// Counters and histograms (metrics.def). Each worker counts into a store of its own, without a lock; a scrape adds them up.
// Series are told apart by metric and label values and live as long as the gateway, whatever policy named them first.
// Formats: Prometheus text 0.0.4, and OpenMetrics 1.0.0 for who asks for it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/compiled_policy.h"
#include "compiler/model/policy.h"
#include "base/time.h"
#include "runtime/engine/exchange_machine.h"
#include "runtime/observe/trace_context.h"

namespace runtime::observe {

enum class CounterId : uint8_t {
#define COUNTER(id, name, label, doc) k##id,
#include "runtime/observe/metrics.def"
#undef COUNTER
  kCount,
};

enum class LabelledCounter : uint8_t {
#define COUNTER_BY(id, name, labels, doc) k##id,
#include "runtime/observe/metrics.def"
#undef COUNTER_BY
  kCount,
};

enum class HistogramId : uint8_t {
#define HISTOGRAM(id, name, label, doc) k##id,
#include "runtime/observe/metrics.def"
#undef HISTOGRAM
  kCount,
};

inline constexpr std::array<double, 14> kLatencyBuckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                           1.0,   2.5,  5.0,   10.0, 15.0, 30.0, 60.0};

// Where a series stands in every store: a counter or gauge takes one slot, a histogram one for each bucket, one for what is
// beyond the last, and one for the sum in nanoseconds.
using Slot = uint32_t;
inline constexpr Slot kHistogramSlots = kLatencyBuckets.size() + 2;

// A trace that shows what a bucket of a histogram holds (OpenMetrics 1.0.0, 4.6.1).
struct TraceOf {
  TraceIdText trace_id;
  base::WallTime at;  // of the observation
};

// The last trace of each bucket, kept at most once a second: whoever counts mostly has nothing to do here. Any thread.
class Exemplars {
 public:
  struct Exemplar {
    TraceIdText trace_id;
    base::WallTime at;
    base::Duration value;
  };
  void Set(uint32_t bucket, const Exemplar& exemplar) {
    std::lock_guard lock(mutex_);
    by_bucket_[bucket] = exemplar;
  }
  std::unordered_map<uint32_t, Exemplar> All() const {
    std::lock_guard lock(mutex_);
    return by_bucket_;
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<uint32_t, Exemplar> by_bucket_;  // by its slot
};

// All values of one worker. One thread writes, any may read.
class MetricsStore {
 public:
  MetricsStore() = default;
  ~MetricsStore();
  MetricsStore(const MetricsStore&) = delete;
  MetricsStore& operator=(const MetricsStore&) = delete;

  void Add(Slot slot, uint64_t amount) {
    std::atomic<uint64_t>& value = At(slot);
    value.store(value.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);  // nobody else writes
  }
  uint64_t Get(Slot slot) const;
  Exemplars& exemplars() { return exemplars_; }
  const Exemplars& exemplars() const { return exemplars_; }

 private:
  static constexpr size_t kBlockBits = 10;
  static constexpr size_t kBlockSize = size_t{1} << kBlockBits;
  static constexpr size_t kMaxBlocks = 1 << 13;  // eight million slots
  using Block = std::array<std::atomic<uint64_t>, kBlockSize>;

  std::atomic<uint64_t>& At(Slot slot) {
    Block* block = blocks_[slot >> kBlockBits].load(std::memory_order_relaxed);
    if (block == nullptr) [[unlikely]] block = NewBlock(slot);
    return (*block)[slot & (kBlockSize - 1)];
  }
  Block* NewBlock(Slot slot);

  std::array<std::atomic<Block*>, kMaxBlocks> blocks_{};
  Exemplars exemplars_;
};

// Which series there are. Any thread.
class SeriesRegistry {
 public:
  // The first slot of the series of this metric (its place in metrics.def) with these label values, joined by a zero byte;
  // made if it is new.
  Slot Intern(uint16_t metric, std::string_view labels, Slot slots);

  struct Series {
    std::string labels;
    std::string shown;  // as a scrape writes them: route="chat",status="200"
    Slot slot = 0;
  };
  // Calls `visit` with the series of one metric, in the order in which they were made; it may not ask the registry.
  template <typename Visit>
  void ForEach(uint16_t metric, Visit&& visit) const {
    std::lock_guard lock(mutex_);
    const auto found = series_.find(metric);
    if (found == series_.end()) return;
    for (const Series& series : found->second) visit(series);
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Slot> slots_;  // by metric and labels
  std::unordered_map<uint16_t, std::vector<Series>> series_;
  Slot next_ = 0;
};

// One worker's view of its store for one policy: what an index means is the policy's. The worker's thread only.
class MetricsShard {
 public:
  MetricsShard(const compiler::model::Policy& policy, SeriesRegistry& registry, MetricsStore& store);

  void Count(CounterId id, size_t label_index);  // 0 where the metric has no label
  // `labels`: the values in the order of the table; joined by a zero byte where they are one text.
  void CountBy(LabelledCounter id, std::string_view labels, uint64_t amount = 1);
  void CountBy(LabelledCounter id, std::initializer_list<std::string_view> labels, uint64_t amount = 1);
  // Likewise, where two numbers of the caller's stand for the label values, which `name(with)` gives to `with` where they were not met before:
  // one pair, one series, as long as this lives.
  template <typename Name>
  void CountKnown(LabelledCounter id, uint64_t a, uint64_t b, Name&& name) {
    Known& known = known_[((a ^ b * 0x9e3779b97f4a7c15 ^ static_cast<uint64_t>(id)) * 0x9e3779b97f4a7c15) >> (64 - kKnownBits)];
    if (!known.is_set || known.id != id || known.a != a || known.b != b) [[unlikely]] {
      name([&](std::initializer_list<std::string_view> labels) { known = {a, b, SlotOf(id, labels), id, true}; });
    }
    store_.Add(known.slot, 1);
  }
  void Observe(HistogramId id, size_t label_index, base::Duration value);
  void Observe(HistogramId id, size_t label_index, base::Duration value, const TraceOf& trace);
  void AddInFlight(int delta);
  void AddConnections(int delta);
  void AddUpstreamInFlight(size_t upstream, int delta);

 private:
  // What CountBy has met, in a table with open addressing: finding a series again takes no lock and no memory.
  struct Met {
    uint64_t hash = 0;
    Slot slot = 0;
    const std::string* labels = nullptr;  // null: empty
    LabelledCounter id{};
  };
  // What CountKnown was told last, by its numbers.
  struct Known {
    uint64_t a = 0;
    uint64_t b = 0;
    Slot slot = 0;
    LabelledCounter id{};
    bool is_set = false;
  };
  static constexpr size_t kKnownBits = 8;
  Slot SlotOf(LabelledCounter id, std::initializer_list<std::string_view> labels);
  void Remember(Met met);
  Slot Meet(LabelledCounter id, uint64_t hash, std::string labels);
  Slot Count(HistogramId id, size_t label_index, base::Duration value);  // returns the bucket

  SeriesRegistry& registry_;
  MetricsStore& store_;
  std::array<std::vector<Slot>, static_cast<size_t>(CounterId::kCount)> counters_;
  std::array<std::vector<Slot>, static_cast<size_t>(HistogramId::kCount)> histograms_;
  std::vector<Slot> upstream_in_flight_;
  Slot in_flight_ = 0;
  Slot connections_ = 0;
  std::array<Known, size_t{1} << kKnownBits> known_;
  std::vector<Met> met_;
  size_t met_count_ = 0;
  std::deque<std::string> met_labels_;
  std::vector<base::WallTime> last_exemplars_;  // of the buckets of histograms that have had one, by slot
};

// An attempt under way, for as long as it lives.
class UpstreamInFlight {
 public:
  UpstreamInFlight(MetricsShard& metrics, size_t upstream) : metrics_(metrics), upstream_(upstream) {
    metrics_.AddUpstreamInFlight(upstream_, 1);
  }
  ~UpstreamInFlight() { metrics_.AddUpstreamInFlight(upstream_, -1); }
  UpstreamInFlight(const UpstreamInFlight&) = delete;
  UpstreamInFlight& operator=(const UpstreamInFlight&) = delete;

 private:
  MetricsShard& metrics_;
  const size_t upstream_;
};

enum class MetricsFormat : uint8_t { kText, kOpenMetrics };

// What the Accept header of a scrape asks for; nothing: text.
MetricsFormat FormatFor(std::string_view accept);
std::string_view ContentTypeOf(MetricsFormat format);

class Metrics {
 public:
  // What is in force must outlive this, or the next call of Use.
  Metrics(const compiler::CompiledPolicy& compiled, const engine::EngineObjects& objects, size_t workers);

  MetricsShard& shard(size_t worker) { return *shards_[worker]; }
  // For another policy, over a reload: its series of the same names are the same series.
  std::unique_ptr<MetricsShard> NewShard(const compiler::model::Policy& policy, size_t worker) {
    return std::make_unique<MetricsShard>(policy, registry_, *stores_[worker]);
  }
  // From now on scrapes show the gauges of this policy. Any thread.
  void Use(const compiler::CompiledPolicy& compiled, const engine::EngineObjects& objects);

  // What is known of reloads and certificates; any thread.
  struct Edge {
    int64_t policies_alive = 1;
    base::TimePoint oldest_policy;          // since when it is in use
    int64_t last_success = 0;               // seconds since 1970
    std::vector<int64_t> certificates_end;  // likewise, in the order of gateway.tls
  };
  void SetEdge(Edge edge);
  // Whether the last reload came into force; any thread.
  void SetReload(bool is_good) { reload_is_good_.store(is_good, std::memory_order_relaxed); }

  // Index of a fallback name in the labels of fallback_response_total, of the policy that the id belongs to: replies, then caches, then
  // mocks.
  static size_t FallbackIndex(const compiler::model::Policy& policy, compiler::model::ReplyId id);
  static size_t FallbackIndex(const compiler::model::Policy& policy, compiler::model::CacheId id);
  static size_t FallbackIndex(const compiler::model::Policy& policy, compiler::model::MockId id);

  int64_t connections() const;
  int64_t in_flight() const;
  std::unordered_map<std::string, int64_t> UpstreamsInFlight() const;          // by name
  // Of each series: its label values, joined by zero bytes, and what was counted.
  std::vector<std::pair<std::string, uint64_t>> Counts(CounterId id) const;
  std::vector<std::pair<std::string, uint64_t>> Counts(LabelledCounter id) const;
  struct Total {
    std::string labels;
    uint64_t count = 0;
    base::Duration sum{};
  };
  std::vector<Total> Totals(HistogramId id) const;

  std::string Expose(base::TimePoint now, uint64_t dropped_log_lines, MetricsFormat format = MetricsFormat::kText) const;

 private:
  uint64_t Sum(Slot slot) const;
  std::vector<std::pair<std::string, uint64_t>> CountsOf(uint16_t metric) const;
  // The series that the policy in force names, whether or not anything was counted (metric_series.h). Made for who looks first: ten thousand
  // routes have a hundred thousand, which nobody waits for at the start. Under the mutex.
  void MakeImplied() const;
  std::unordered_map<Slot, Exemplars::Exemplar> NewestExemplars() const;

  std::atomic<bool> reload_is_good_{true};
  mutable std::mutex mutex_;             // of the five that follow
  mutable bool has_implied_ = false;     // of compiled_
  mutable size_t last_size_ = 64 << 10;  // of a scrape, so that the next one does not grow into it
  Edge edge_;
  const compiler::CompiledPolicy* compiled_;
  const engine::EngineObjects* objects_;
  mutable SeriesRegistry registry_;
  const Slot in_flight_;
  const Slot connections_;
  std::vector<std::unique_ptr<MetricsStore>> stores_;
  std::vector<std::unique_ptr<MetricsShard>> shards_;
};

}  // namespace runtime::observe
