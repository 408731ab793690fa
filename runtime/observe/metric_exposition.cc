// A scrape: all series with their values, as Prometheus reads them.
// Text 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/ – OpenMetrics 1.0.0: https://openmetrics.io
#include <charconv>
#include <cstdio>
#include <functional>
#include <iterator>

#include "runtime/http/message.h"
#include "runtime/observe/metric_table.h"
#include "runtime/observe/metrics.h"
#include "runtime/observe/process_stats.h"

namespace runtime::observe {
namespace {

using compiler::model::CacheId;
using compiler::model::UpstreamId;

// "0.005", "1.0": a bucket bound has a decimal point always, as the founding dashboards expect (le="5.0").
std::string Bound(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  std::string result = text;
  if (result.find('.') == std::string::npos) result += ".0";
  return result;
}

std::string Number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  double back = 0;
  for (int digits = 9; digits < 17; ++digits) {  // the shortest that reads back as the same
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::sscanf(text, "%lf", &back) == 1 && back == value) break;
  }
  return text;
}

class Page {
 public:
  Page(std::string_view prefix, MetricsFormat format, std::string* out)
      : prefix_(std::string(prefix) + "_"), format_(format), out_(*out) {}

  void Head(std::string_view name, std::string_view type, std::string_view doc) { HeadOf(prefix_ + std::string(name), type, doc); }
  void HeadOf(std::string name, std::string_view type, std::string_view doc) {
    name_ = std::move(name);
    // A family of counters is named without what their samples end in (OpenMetrics 1.0.0, 5.1.2).
    std::string family = name_;
    if (format_ == MetricsFormat::kOpenMetrics && type == "counter") family.resize(family.size() - std::string_view("_total").size());
    out_ += "# HELP " + family + " " + HelpText(doc) + "\n# TYPE " + family + " " + std::string(type) + "\n";
  }
  void Sample(std::string_view suffix, std::string_view labels, std::string_view value) {
    out_.append(name_).append(suffix);
    if (!labels.empty()) out_.append("{").append(labels).append("}");
    out_.append(" ").append(value).append("\n");
  }
  void Sample(std::string_view suffix, std::string_view labels, uint64_t value) {
    char number[24];
    Sample(suffix, labels, {number, static_cast<size_t>(std::to_chars(number, std::end(number), value).ptr - number)});
  }
  void Bucket(std::string_view labels, std::string_view bound, uint64_t value, std::string_view exemplar) {
    char number[24];
    out_.append(name_).append("_bucket{").append(labels).append(labels.empty() ? "" : ",").append(bound).append("} ");
    out_.append(number, static_cast<size_t>(std::to_chars(number, std::end(number), value).ptr - number)).append(exemplar).append("\n");
  }

 private:
  static std::string HelpText(std::string_view doc) {
    std::string text;
    for (const char c : doc) {
      if (c == '\\') text.push_back('\\');
      text += c == '\n' ? "\\n" : std::string(1, c);
    }
    return text;
  }

  const std::string prefix_;
  const MetricsFormat format_;
  std::string& out_;
  std::string name_;
};

}  // namespace

MetricsFormat FormatFor(std::string_view accept) {
  constexpr std::string_view kType = "application/openmetrics-text";
  while (!accept.empty()) {
    const size_t comma = std::min(accept.find(','), accept.size());
    std::string_view item = accept.substr(0, comma);
    accept.remove_prefix(std::min(comma + 1, accept.size()));
    const size_t end = std::min(item.find(';'), item.size());
    const std::string_view parameters = item.substr(end);
    std::string_view type = item.substr(0, end);
    while (type.starts_with(' ')) type.remove_prefix(1);
    while (type.ends_with(' ')) type.remove_suffix(1);
    const bool is_refused = parameters.find("q=0") != std::string_view::npos && parameters.find("q=0.") == std::string_view::npos;
    if (http::EqualsIgnoreCase(type, kType)) return is_refused ? MetricsFormat::kText : MetricsFormat::kOpenMetrics;
    if (http::EqualsIgnoreCase(type, "text/plain")) return MetricsFormat::kText;  // asked for first
  }
  return MetricsFormat::kText;
}

std::string_view ContentTypeOf(MetricsFormat format) {
  return format == MetricsFormat::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                               : "text/plain; version=0.0.4; charset=utf-8";
}

std::unordered_map<Slot, Exemplars::Exemplar> Metrics::NewestExemplars() const {
  std::unordered_map<Slot, Exemplars::Exemplar> newest;
  for (const auto& store : stores_) {
    for (const auto& [bucket, exemplar] : store->exemplars().All()) {
      const auto [known, is_new] = newest.try_emplace(bucket, exemplar);
      if (!is_new && known->second.at < exemplar.at) known->second = exemplar;
    }
  }
  return newest;
}

std::string Metrics::Expose(base::TimePoint now, uint64_t dropped_log_lines, MetricsFormat format) const {
  std::lock_guard lock(mutex_);
  MakeImplied();
  const compiler::model::Policy& policy = compiled_->policy;
  std::string out;
  out.reserve(last_size_ + last_size_ / 16);
  Page page(policy.gateway.metrics_prefix, format, &out);
  const auto counter = [&](const MetricInfo& metric, uint16_t number) {
    page.Head(metric.name, "counter", metric.doc);
    registry_.ForEach(number, [&](const auto& series) { page.Sample("", series.shown, Sum(series.slot)); });
  };
  for (size_t i = 0; i < std::size(kCounters); ++i) counter(kCounters[i], NumberOf(static_cast<CounterId>(i)));
  for (size_t i = 0; i < std::size(kCountersBy); ++i) counter(kCountersBy[i], NumberOf(static_cast<LabelledCounter>(i)));

  static const std::vector<std::string> bounds = [] {
    std::vector<std::string> texts;
    for (const double bound : kLatencyBuckets) texts.push_back("le=\"" + Bound(bound) + "\"");
    texts.emplace_back("le=\"+Inf\"");
    return texts;
  }();
  const std::unordered_map<Slot, Exemplars::Exemplar> exemplars =
      format == MetricsFormat::kOpenMetrics ? NewestExemplars() : std::unordered_map<Slot, Exemplars::Exemplar>();
  const auto exemplar = [&exemplars](Slot bucket) -> std::string {
    const auto found = exemplars.find(bucket);
    if (found == exemplars.end()) return {};
    const Exemplars::Exemplar& shown = found->second;
    char at[40];
    std::snprintf(at, sizeof at, "%.3f", static_cast<double>(shown.at.time_since_epoch().count()) / 1e9);
    return " # {trace_id=\"" + std::string(shown.trace_id.data(), shown.trace_id.size()) + "\"} " +
           Number(static_cast<double>(shown.value.count()) / 1e9) + " " + at;
  };
  for (size_t i = 0; i < std::size(kHistograms); ++i) {
    const MetricInfo& metric = kHistograms[i];
    page.Head(metric.name, "histogram", metric.doc);
    registry_.ForEach(NumberOf(static_cast<HistogramId>(i)), [&](const auto& series) {
      uint64_t cumulative = 0;
      for (size_t b = 0; b <= kLatencyBuckets.size(); ++b) {
        const Slot bucket = series.slot + static_cast<Slot>(b);
        cumulative += Sum(bucket);
        page.Bucket(series.shown, bounds[b], cumulative, exemplars.empty() ? std::string() : exemplar(bucket));
      }
      page.Sample("_sum", series.shown, Number(static_cast<double>(Sum(series.slot + kHistogramSlots - 1)) / 1e9));
      page.Sample("_count", series.shown, cumulative);
    });
  }

  const auto gauge = [&](GaugeId id, const std::function<int64_t(size_t)>& read) {
    const MetricInfo& metric = kGauges[static_cast<size_t>(id)];
    const auto values = LabelValues(metric.label, policy);
    page.Head(metric.name, metric.name.ends_with("_total") ? "counter" : "gauge", metric.doc);
    for (size_t j = 0; j < values.size(); ++j) {
      const int64_t value = read(j);
      if (value >= 0) page.Sample("", ShownLabels(metric.labels, values[j]), std::to_string(value));
    }
  };
  gauge(GaugeId::kBreakerStateGauge, [&](size_t i) -> int64_t {
    const engine::Breaker* breaker = objects_->breaker(UpstreamId(static_cast<int32_t>(i)));
    if (breaker == nullptr) return -1;
    switch (breaker->Look(now).state) {
      case engine::BreakerState::kClosed: return 0;
      case engine::BreakerState::kHalfOpen: return 1;
      case engine::BreakerState::kOpen: return 2;
      case engine::BreakerState::kResting: return 3;
    }
    return -1;
  });
  gauge(GaugeId::kClientConnections, [&](size_t) { return static_cast<int64_t>(Sum(connections_)); });
  gauge(GaugeId::kInFlight, [&](size_t) { return static_cast<int64_t>(Sum(in_flight_)); });
  const auto in_flight = UpstreamsInFlight();
  gauge(GaugeId::kUpstreamInFlight, [&](size_t i) -> int64_t {
    const auto found = in_flight.find(policy.upstreams[UpstreamId(static_cast<int32_t>(i))].name);
    return found == in_flight.end() ? -1 : found->second;
  });
  gauge(GaugeId::kQueueLength, [&](size_t i) -> int64_t {
    const engine::Limiter* limiter = objects_->limiter(UpstreamId(static_cast<int32_t>(i)));
    return limiter == nullptr ? -1 : limiter->Look().waiting;
  });
  gauge(GaugeId::kRetryBudget, [&](size_t i) -> int64_t {
    const engine::RetryBudget* budget = objects_->budget(UpstreamId(static_cast<int32_t>(i)));
    return budget == nullptr ? -1 : static_cast<int64_t>(budget->balance() + engine::RetryBudget::kRounding);
  });
  gauge(GaugeId::kDrained, [&](size_t i) -> int64_t { return objects_->is_drained(UpstreamId(static_cast<int32_t>(i))) ? 1 : 0; });
  const auto cache = [&](size_t i) { return objects_->cache(CacheId(static_cast<int32_t>(i)))->stats(); };
  gauge(GaugeId::kCacheEntries, [&](size_t i) { return static_cast<int64_t>(cache(i).entries); });
  gauge(GaugeId::kCacheBytes, [&](size_t i) { return static_cast<int64_t>(cache(i).bytes); });
  gauge(GaugeId::kPoliciesAlive, [&](size_t) { return edge_.policies_alive; });
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - edge_.oldest_policy);
  gauge(GaugeId::kPolicyOldest,
        [&](size_t) { return edge_.last_success == 0 ? -1 : static_cast<int64_t>(age.count()); });
  gauge(GaugeId::kPolicySuccess, [&](size_t) { return edge_.last_success == 0 ? -1 : edge_.last_success; });
  gauge(GaugeId::kPolicyReloadGood, [&](size_t) { return reload_is_good_.load(std::memory_order_relaxed) ? 1 : 0; });
  gauge(GaugeId::kCertificateEnd,
        [&](size_t i) { return i < edge_.certificates_end.size() ? edge_.certificates_end[i] : -1; });
  gauge(GaugeId::kLogDropped, [&](size_t) { return static_cast<int64_t>(dropped_log_lines); });

  const auto info = [&](InfoId id, std::string_view value) {
    const MetricInfo& metric = kInfos[static_cast<size_t>(id)];
    page.Head(metric.name, "gauge", metric.doc);
    page.Sample("", ShownLabels(metric.labels, value), "1");
  };
  info(InfoId::kBuildInfo, BREAKWATER_VERSION);
  info(InfoId::kPolicyInfo, compiled_->hash);

  const ProcessStats stats = ReadProcessStats();
  const auto process = [&](ProcessMetricId id, const std::string& value) {
    const ProcessMetricInfo& metric = kProcessMetrics[static_cast<size_t>(id)];
    page.HeadOf(std::string(metric.name), metric.type, metric.doc);
    page.Sample("", "", value);
  };
  process(ProcessMetricId::kCpuSeconds, Number(stats.cpu_seconds));
  process(ProcessMetricId::kResidentMemory, std::to_string(stats.resident_bytes));
  process(ProcessMetricId::kVirtualMemory, std::to_string(stats.virtual_bytes));
  process(ProcessMetricId::kOpenFds, std::to_string(stats.open_fds));
  process(ProcessMetricId::kMaxFds, std::to_string(stats.max_fds));
  process(ProcessMetricId::kStartTime, Number(stats.start_time_seconds));
  if (format == MetricsFormat::kOpenMetrics) out += "# EOF\n";
  last_size_ = out.size();
  return out;
}

}  // namespace runtime::observe
