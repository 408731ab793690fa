// metrics.def as data. Private to metrics.cc and its exposition.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/policy.h"
#include "runtime/observe/metrics.h"

namespace runtime::observe {

enum class Label : uint8_t { kNone, kUpstream, kService, kFallback, kCache, kTls, kOther };

struct MetricInfo {
  std::string_view name;
  std::string_view labels;  // names, with commas between them
  Label label;              // where there is one, and its values are a list of the policy's
  std::string_view doc;
};

constexpr Label LabelOf(std::string_view name) {
  if (name == "none") return Label::kNone;
  if (name == "upstream") return Label::kUpstream;
  if (name == "service") return Label::kService;
  if (name == "fallback") return Label::kFallback;
  if (name == "cache") return Label::kCache;
  if (name == "tls") return Label::kTls;
  return Label::kOther;
}

inline constexpr MetricInfo kCounters[] = {
#define COUNTER(id, name, label, doc) {name, #label, LabelOf(#label), doc},
#include "runtime/observe/metrics.def"
#undef COUNTER
};
inline constexpr MetricInfo kCountersBy[] = {
#define COUNTER_BY(id, name, labels, doc) {name, labels, Label::kOther, doc},
#include "runtime/observe/metrics.def"
#undef COUNTER_BY
};
inline constexpr MetricInfo kHistograms[] = {
#define HISTOGRAM(id, name, label, doc) {name, #label, LabelOf(#label), doc},
#include "runtime/observe/metrics.def"
#undef HISTOGRAM
};

enum class GaugeId : uint8_t {
#define GAUGE(id, name, label, doc) k##id,
#include "runtime/observe/metrics.def"
#undef GAUGE
  kCount,
};
inline constexpr MetricInfo kGauges[] = {
#define GAUGE(id, name, label, doc) {name, #label, LabelOf(#label), doc},
#include "runtime/observe/metrics.def"
#undef GAUGE
};

enum class InfoId : uint8_t {
#define INFO(id, name, label, doc) k##id,
#include "runtime/observe/metrics.def"
#undef INFO
  kCount,
};
inline constexpr MetricInfo kInfos[] = {
#define INFO(id, name, label, doc) {name, #label, Label::kOther, doc},
#include "runtime/observe/metrics.def"
#undef INFO
};

enum class ProcessMetricId : uint8_t {
#define PROCESS(id, name, type, doc) k##id,
#include "runtime/observe/metrics.def"
#undef PROCESS
  kCount,
};
struct ProcessMetricInfo {
  std::string_view name;
  std::string_view type;
  std::string_view doc;
};
inline constexpr ProcessMetricInfo kProcessMetrics[] = {
#define PROCESS(id, name, type, doc) {name, #type, doc},
#include "runtime/observe/metrics.def"
#undef PROCESS
};

// The number of a metric among all of them, for the registry.
constexpr uint16_t NumberOf(CounterId id) { return static_cast<uint16_t>(id); }
constexpr uint16_t NumberOf(LabelledCounter id) { return static_cast<uint16_t>(0x100 + static_cast<unsigned>(id)); }
constexpr uint16_t NumberOf(HistogramId id) { return static_cast<uint16_t>(0x200 + static_cast<unsigned>(id)); }
constexpr uint16_t NumberOf(GaugeId id) { return static_cast<uint16_t>(0x300 + static_cast<unsigned>(id)); }

// The names of the labels of the metric with that number.
std::string_view LabelNames(uint16_t metric);
// "route,status" and "chat\0200" to route="chat",status="200"; "" where there is no label.
std::string ShownLabels(std::string_view names, std::string_view values);

std::vector<std::string> LabelValues(Label label, const compiler::model::Policy& policy);

}  // namespace runtime::observe
