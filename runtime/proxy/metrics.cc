#include "runtime/proxy/metrics.h"

#include <algorithm>
#include <cstdio>
#include <functional>

namespace runtime::proxy {
namespace {

using compiler::model::CacheId;
using compiler::model::Policy;
using compiler::model::UpstreamId;

enum class Label : uint8_t { kNone, kUpstream, kService, kFallback, kCache };

struct MetricInfo {
  std::string_view name;
  std::string_view labels;
  Label label;
  std::string_view doc;
};

constexpr Label LabelOf(std::string_view name) {
  if (name == "upstream") return Label::kUpstream;
  if (name == "service") return Label::kService;
  if (name == "fallback") return Label::kFallback;
  if (name == "cache") return Label::kCache;
  return Label::kNone;
}

constexpr MetricInfo kCounters[] = {
#define COUNTER(id, name, label, doc) {name, #label, LabelOf(#label), doc},
#include "runtime/proxy/metrics.def"
#undef COUNTER
};
constexpr MetricInfo kCountersBy[] = {
#define COUNTER_BY(id, name, labels, doc) {name, labels, Label::kNone, doc},
#include "runtime/proxy/metrics.def"
#undef COUNTER_BY
};
constexpr MetricInfo kHistograms[] = {
#define HISTOGRAM(id, name, label, doc) {name, #label, LabelOf(#label), doc},
#include "runtime/proxy/metrics.def"
#undef HISTOGRAM
};

enum class GaugeId : uint8_t {
#define GAUGE(id, name, label, doc) k##id,
#include "runtime/proxy/metrics.def"
#undef GAUGE
};
constexpr MetricInfo kGauges[] = {
#define GAUGE(id, name, label, doc) {name, #label, LabelOf(#label), doc},
#include "runtime/proxy/metrics.def"
#undef GAUGE
};

std::vector<std::string> LabelValues(Label label, const Policy& policy) {
  std::vector<std::string> values;
  switch (label) {
    case Label::kNone: values.emplace_back(); break;
    case Label::kUpstream:
    case Label::kService:
      for (const auto& upstream : policy.upstreams) values.push_back(upstream.name);
      break;
    case Label::kFallback:
      for (const auto& reply : policy.replies) values.push_back(reply.name);
      for (const auto& cache : policy.caches) values.push_back(cache.name);
      for (const auto& mock : policy.mocks) values.push_back(mock.name);
      break;
    case Label::kCache:
      for (const auto& cache : policy.caches) values.push_back(cache.name);
      break;
  }
  return values;
}

// "0.005", "1.0": a bucket bound has a decimal point always, as the founding dashboards expect (le="5.0").
std::string Bound(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  std::string result = text;
  if (result.find('.') == std::string::npos) result += ".0";
  return result;
}

std::string Escaped(std::string_view value) {
  std::string result;
  for (const char c : value) {
    if (c == '\\' || c == '"') result.push_back('\\');
    if (c == '\n') {
      result += "\\n";
    } else {
      result.push_back(c);
    }
  }
  return result;
}

class Exposition {
 public:
  Exposition(std::string_view prefix, std::string* out) : prefix_(prefix), out_(*out) {}

  void Head(const MetricInfo& metric, std::string_view type) {
    name_ = std::string(prefix_) + "_" + std::string(metric.name);
    out_ += "# HELP " + name_ + " " + std::string(metric.doc) + "\n# TYPE " + name_ + " " + std::string(type) + "\n";
  }
  void Sample(std::string_view suffix, const std::string& labels, const std::string& value) {
    out_ += name_;
    out_ += suffix;
    if (!labels.empty()) out_ += "{" + labels + "}";
    out_ += " " + value + "\n";
  }

 private:
  std::string_view prefix_;
  std::string& out_;
  std::string name_;
};

std::string OneLabel(const MetricInfo& metric, const std::string& value) {
  if (metric.label == Label::kNone) return "";
  return std::string(metric.labels) + "=\"" + Escaped(value) + "\"";
}

// "route,status" and "chat\0200" to route="chat",status="200".
std::string ManyLabels(std::string_view names, std::string_view values) {
  std::string result;
  while (!names.empty()) {
    const size_t comma = std::min(names.find(','), names.size());
    const size_t zero = std::min(values.find('\0'), values.size());
    if (!result.empty()) result += ",";
    result += std::string(names.substr(0, comma)) + "=\"" + Escaped(values.substr(0, zero)) + "\"";
    names.remove_prefix(std::min(comma + 1, names.size()));
    values.remove_prefix(std::min(zero + 1, values.size()));
  }
  return result;
}

std::string Number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

}  // namespace

MetricsShard::MetricsShard(const Policy& policy) : upstream_in_flight_(policy.upstreams.size()) {
  for (size_t i = 0; i < counters_.size(); ++i) counters_[i].resize(LabelValues(kCounters[i].label, policy).size());
  for (size_t i = 0; i < histograms_.size(); ++i) {
    histograms_[i].resize(LabelValues(kHistograms[i].label, policy).size());
  }
}

void MetricsShard::Count(CounterId id, size_t label_index) {
  std::lock_guard lock(mutex_);
  ++counters_[static_cast<size_t>(id)][label_index];
}

void MetricsShard::CountBy(CounterById id, std::string_view labels, uint64_t amount) {
  std::lock_guard lock(mutex_);
  auto& series = counters_by_[static_cast<size_t>(id)];
  const auto found = series.find(labels);
  if (found != series.end()) {
    found->second += amount;
  } else {
    series.emplace(labels, amount);
  }
}

void MetricsShard::Observe(HistogramId id, size_t label_index, base::Duration value) {
  const double seconds = std::chrono::duration<double>(value).count();
  const auto bucket = std::lower_bound(kLatencyBuckets.begin(), kLatencyBuckets.end(), seconds);
  std::lock_guard lock(mutex_);
  Histogram& histogram = histograms_[static_cast<size_t>(id)][label_index];
  ++histogram.buckets[static_cast<size_t>(bucket - kLatencyBuckets.begin())];
  histogram.sum += seconds;
  ++histogram.count;
}

void MetricsShard::AddInFlight(int delta) {
  std::lock_guard lock(mutex_);
  in_flight_ += delta;
}

void MetricsShard::AddConnections(int delta) {
  std::lock_guard lock(mutex_);
  connections_ += delta;
}

void MetricsShard::AddUpstreamInFlight(size_t upstream, int delta) {
  std::lock_guard lock(mutex_);
  upstream_in_flight_[upstream] += delta;
}

Metrics::Metrics(const Policy& policy, const engine::EngineObjects& objects, size_t workers)
    : policy_(policy), objects_(objects) {
  for (size_t i = 0; i < workers; ++i) shards_.push_back(std::make_unique<MetricsShard>(policy));
}

size_t Metrics::FallbackIndex(compiler::model::ReplyId id) const { return static_cast<size_t>(id.value); }
size_t Metrics::FallbackIndex(CacheId id) const { return policy_.replies.size() + static_cast<size_t>(id.value); }
size_t Metrics::FallbackIndex(compiler::model::MockId id) const {
  return policy_.replies.size() + policy_.caches.size() + static_cast<size_t>(id.value);
}

int64_t Metrics::connections() const {
  int64_t sum = 0;
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard->mutex_);
    sum += shard->connections_;
  }
  return sum;
}

int64_t Metrics::in_flight() const {
  int64_t sum = 0;
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard->mutex_);
    sum += shard->in_flight_;
  }
  return sum;
}

std::string Metrics::Expose(base::TimePoint now, uint64_t dropped_log_lines) const {
  MetricsShard total(policy_);
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard->mutex_);
    for (size_t i = 0; i < total.counters_.size(); ++i) {
      for (size_t j = 0; j < total.counters_[i].size(); ++j) total.counters_[i][j] += shard->counters_[i][j];
    }
    for (size_t i = 0; i < total.counters_by_.size(); ++i) {
      for (const auto& [labels, count] : shard->counters_by_[i]) total.counters_by_[i][labels] += count;
    }
    for (size_t i = 0; i < total.histograms_.size(); ++i) {
      for (size_t j = 0; j < total.histograms_[i].size(); ++j) {
        auto& to = total.histograms_[i][j];
        const auto& from = shard->histograms_[i][j];
        for (size_t b = 0; b < to.buckets.size(); ++b) to.buckets[b] += from.buckets[b];
        to.sum += from.sum;
        to.count += from.count;
      }
    }
    total.in_flight_ += shard->in_flight_;
    total.connections_ += shard->connections_;
    for (size_t i = 0; i < total.upstream_in_flight_.size(); ++i) {
      total.upstream_in_flight_[i] += shard->upstream_in_flight_[i];
    }
  }

  std::string out;
  Exposition exposition(policy_.gateway.metrics_prefix, &out);
  for (size_t i = 0; i < total.counters_.size(); ++i) {
    const auto values = LabelValues(kCounters[i].label, policy_);
    exposition.Head(kCounters[i], "counter");
    for (size_t j = 0; j < values.size(); ++j) {
      exposition.Sample("", OneLabel(kCounters[i], values[j]), std::to_string(total.counters_[i][j]));
    }
  }
  for (size_t i = 0; i < total.counters_by_.size(); ++i) {
    exposition.Head(kCountersBy[i], "counter");
    for (const auto& [labels, count] : total.counters_by_[i]) {
      exposition.Sample("", ManyLabels(kCountersBy[i].labels, labels), std::to_string(count));
    }
  }
  for (size_t i = 0; i < total.histograms_.size(); ++i) {
    const auto values = LabelValues(kHistograms[i].label, policy_);
    exposition.Head(kHistograms[i], "histogram");
    for (size_t j = 0; j < values.size(); ++j) {
      const auto& histogram = total.histograms_[i][j];
      std::string label = OneLabel(kHistograms[i], values[j]);
      const std::string comma = label.empty() ? "" : label + ",";
      uint64_t cumulative = 0;
      for (size_t b = 0; b < kLatencyBuckets.size(); ++b) {
        cumulative += histogram.buckets[b];
        exposition.Sample("_bucket", comma + "le=\"" + Bound(kLatencyBuckets[b]) + "\"", std::to_string(cumulative));
      }
      exposition.Sample("_bucket", comma + "le=\"+Inf\"", std::to_string(histogram.count));
      exposition.Sample("_sum", label, Number(histogram.sum));
      exposition.Sample("_count", label, std::to_string(histogram.count));
    }
  }

  const auto gauge = [&](GaugeId id, const std::function<int64_t(size_t)>& read) {
    const MetricInfo& metric = kGauges[static_cast<size_t>(id)];
    const auto values = LabelValues(metric.label, policy_);
    exposition.Head(metric, metric.name.ends_with("_total") ? "counter" : "gauge");
    for (size_t j = 0; j < values.size(); ++j) {
      const int64_t value = read(j);
      if (value >= 0) exposition.Sample("", OneLabel(metric, values[j]), std::to_string(value));
    }
  };
  gauge(GaugeId::kBreakerStateGauge, [&](size_t i) -> int64_t {
    const engine::Breaker* breaker = objects_.breaker(UpstreamId(static_cast<int32_t>(i)));
    if (breaker == nullptr) return -1;
    switch (breaker->Look(now).state) {
      case engine::BreakerState::kClosed: return 0;
      case engine::BreakerState::kHalfOpen: return 1;
      case engine::BreakerState::kOpen: return 2;
    }
    return -1;
  });
  gauge(GaugeId::kClientConnections, [&](size_t) { return total.connections_; });
  gauge(GaugeId::kInFlight, [&](size_t) { return total.in_flight_; });
  gauge(GaugeId::kUpstreamInFlight, [&](size_t i) { return total.upstream_in_flight_[i]; });
  gauge(GaugeId::kQueueLength, [&](size_t i) -> int64_t {
    const engine::Limiter* limiter = objects_.limiter(UpstreamId(static_cast<int32_t>(i)));
    return limiter == nullptr ? -1 : limiter->Look().waiting;
  });
  const auto cache = [&](size_t i) { return objects_.cache(CacheId(static_cast<int32_t>(i)))->stats(); };
  gauge(GaugeId::kCacheEntries, [&](size_t i) { return static_cast<int64_t>(cache(i).entries); });
  gauge(GaugeId::kCacheBytes, [&](size_t i) { return static_cast<int64_t>(cache(i).bytes); });
  gauge(GaugeId::kLogDropped, [&](size_t) { return static_cast<int64_t>(dropped_log_lines); });
  return out;
}

}  // namespace runtime::proxy
