// Counters and histograms (metrics.def), one shard for each worker so that counting never contends; a scrape adds them up.
// Prometheus text format 0.0.4.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/policy.h"
#include "runtime/base/time.h"
#include "runtime/engine/exchange_machine.h"

namespace runtime::proxy {

enum class CounterId : uint8_t {
#define COUNTER(id, name, label, doc) k##id,
#include "runtime/proxy/metrics.def"
#undef COUNTER
  kCount,
};

enum class CounterById : uint8_t {
#define COUNTER_BY(id, name, labels, doc) k##id,
#include "runtime/proxy/metrics.def"
#undef COUNTER_BY
  kCount,
};

enum class HistogramId : uint8_t {
#define HISTOGRAM(id, name, label, doc) k##id,
#include "runtime/proxy/metrics.def"
#undef HISTOGRAM
  kCount,
};

inline constexpr std::array<double, 14> kLatencyBuckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                           1.0,   2.5,  5.0,   10.0, 15.0, 30.0, 60.0};

// One worker's share. Any thread may count (a mutex that nobody else holds but a scrape).
class MetricsShard {
 public:
  // `series`: how many values the label of each counter has; see Metrics.
  explicit MetricsShard(const compiler::model::Policy& policy);

  void Count(CounterId id, size_t label_index);                 // 0 where the metric has no label
  // `labels`: the values in the order of the table, joined by a zero byte.
  void CountBy(CounterById id, std::string_view labels, uint64_t amount = 1);
  void Observe(HistogramId id, size_t label_index, base::Duration value);
  void AddInFlight(int delta);
  void AddConnections(int delta);
  void AddUpstreamInFlight(size_t upstream, int delta);

 private:
  friend class Metrics;
  struct Histogram {
    std::array<uint64_t, kLatencyBuckets.size() + 1> buckets{};
    double sum = 0;
    uint64_t count = 0;
  };

  mutable std::mutex mutex_;
  std::array<std::vector<uint64_t>, static_cast<size_t>(CounterId::kCount)> counters_;
  std::array<std::map<std::string, uint64_t, std::less<>>, static_cast<size_t>(CounterById::kCount)> counters_by_;
  std::array<std::vector<Histogram>, static_cast<size_t>(HistogramId::kCount)> histograms_;
  int64_t in_flight_ = 0;
  int64_t connections_ = 0;
  std::vector<int64_t> upstream_in_flight_;
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

class Metrics {
 public:
  Metrics(const compiler::model::Policy& policy, const engine::EngineObjects& objects, size_t workers);

  MetricsShard& shard(size_t worker) { return *shards_[worker]; }

  // Index of a fallback name in the labels of fallback_response_total: replies, then caches, then mocks.
  size_t FallbackIndex(compiler::model::ReplyId id) const;
  size_t FallbackIndex(compiler::model::CacheId id) const;
  size_t FallbackIndex(compiler::model::MockId id) const;

  int64_t connections() const;
  int64_t in_flight() const;

  std::string Expose(base::TimePoint now, uint64_t dropped_log_lines) const;

 private:
  const compiler::model::Policy& policy_;
  const engine::EngineObjects& objects_;
  std::vector<std::unique_ptr<MetricsShard>> shards_;
};

}  // namespace runtime::proxy
