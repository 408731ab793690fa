// Counting, and where values stand. metric_exposition.cc writes them down; metric_series.cc says which exist from the start.
#include "runtime/observe/metrics.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/short_text.h"
#include "runtime/observe/metric_series.h"
#include "runtime/observe/metric_table.h"

namespace runtime::observe {
namespace {

using compiler::model::CacheId;
using compiler::model::Policy;

// FNV-1a over the metric and its label values.
constexpr uint64_t kHashBasis = 0xcbf29ce484222325;
constexpr uint64_t Mix(uint64_t hash, unsigned char byte) { return (hash ^ byte) * 0x100000001b3; }
// Eight bytes at a time.
uint64_t Mix(uint64_t hash, std::string_view text) {
  const auto take = [&hash](uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  };
  const char* at = text.data();
  size_t left = text.size();
  hash += left;
  for (; left > 8; at += 8, left -= 8) take(base::WordAt<uint64_t>(at));
  take(base::ShortWord(at, left));
  return hash;
}

// Whether `labels`, joined by zero bytes, are these parts.
bool IsJoined(std::string_view labels, std::initializer_list<std::string_view> parts) {
  bool is_first = true;
  for (const std::string_view part : parts) {
    if (!is_first) {
      if (labels.empty() || labels.front() != '\0') return false;
      labels.remove_prefix(1);
    }
    is_first = false;
    if (labels.size() < part.size() || !base::IsSameText(labels.data(), part.data(), part.size())) return false;
    labels.remove_prefix(part.size());
  }
  return labels.empty();
}

constexpr std::array<int64_t, kLatencyBuckets.size()> BoundsInNanoseconds() {
  std::array<int64_t, kLatencyBuckets.size()> bounds{};
  for (size_t i = 0; i < bounds.size(); ++i) bounds[i] = static_cast<int64_t>(kLatencyBuckets[i] * 1e9 + 0.5);
  return bounds;
}
constexpr auto kBounds = BoundsInNanoseconds();

// By the bits that a duration takes: the first bucket that one of so many may belong to.
constexpr auto kFirstBucket = [] {
  std::array<uint8_t, 65> table{};
  for (size_t bits = 0; bits < table.size(); ++bits) {
    const uint64_t least = bits == 0 ? 0 : uint64_t{1} << (bits - 1);
    size_t bucket = 0;
    while (bucket < kBounds.size() && static_cast<uint64_t>(kBounds[bucket]) < least) ++bucket;
    table[bits] = static_cast<uint8_t>(bucket);
  }
  return table;
}();

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

}  // namespace

std::string_view LabelNames(uint16_t metric) {
  const size_t place = metric & 0xff;
  switch (metric >> 8) {
    case 0: return kCounters[place].labels;
    case 1: return kCountersBy[place].labels;
    case 2: return kHistograms[place].labels;
    default: return kGauges[place].labels;
  }
}

std::string ShownLabels(std::string_view names, std::string_view values) {
  std::string result;
  if (names == "none") return result;
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
    case Label::kTls:
      for (const compiler::model::TlsId id : policy.gateway.tls) values.push_back(policy.tls[id].name);
      break;
    case Label::kOther: break;
  }
  return values;
}

// ---- Values ----------------------------------------------------------------------------------------------------------

MetricsStore::~MetricsStore() {
  for (auto& block : blocks_) delete block.load();
}

MetricsStore::Block* MetricsStore::NewBlock(Slot slot) {
  auto* const block = new Block();
  blocks_[slot >> kBlockBits].store(block, std::memory_order_release);
  return block;
}

uint64_t MetricsStore::Get(Slot slot) const {
  const Block* block = blocks_[slot >> kBlockBits].load(std::memory_order_acquire);
  return block == nullptr ? 0 : (*block)[slot & (kBlockSize - 1)].load(std::memory_order_relaxed);
}

Slot SeriesRegistry::Intern(uint16_t metric, std::string_view labels, Slot slots) {
  std::string key;
  key.reserve(2 + labels.size());
  key.push_back(static_cast<char>(metric >> 8));
  key.push_back(static_cast<char>(metric & 0xff));
  key.append(labels);
  std::lock_guard lock(mutex_);
  const auto [at, is_new] = slots_.try_emplace(std::move(key), next_);
  if (is_new) {
    series_[metric].push_back({std::string(labels), ShownLabels(LabelNames(metric), labels), next_});
    next_ += slots;
  }
  return at->second;
}

// ---- Counting --------------------------------------------------------------------------------------------------------

MetricsShard::MetricsShard(const Policy& policy, SeriesRegistry& registry, MetricsStore& store)
    : registry_(registry), store_(store) {
  const auto intern = [&](uint16_t metric, Label label, Slot slots, std::vector<Slot>* to) {
    for (const std::string& value : LabelValues(label, policy)) to->push_back(registry.Intern(metric, value, slots));
  };
  for (size_t i = 0; i < counters_.size(); ++i) {
    intern(NumberOf(static_cast<CounterId>(i)), kCounters[i].label, 1, &counters_[i]);
  }
  for (size_t i = 0; i < histograms_.size(); ++i) {
    intern(NumberOf(static_cast<HistogramId>(i)), kHistograms[i].label, kHistogramSlots, &histograms_[i]);
  }
  intern(NumberOf(GaugeId::kUpstreamInFlight), Label::kUpstream, 1, &upstream_in_flight_);
  in_flight_ = registry.Intern(NumberOf(GaugeId::kInFlight), "", 1);
  connections_ = registry.Intern(NumberOf(GaugeId::kClientConnections), "", 1);
  met_.resize(64);
}

void MetricsShard::Count(CounterId id, size_t label_index) {
  store_.Add(counters_[static_cast<size_t>(id)][label_index], 1);
}

void MetricsShard::Remember(Met met) {
  size_t at = met.hash & (met_.size() - 1);
  while (met_[at].labels != nullptr) at = (at + 1) & (met_.size() - 1);
  met_[at] = met;
}

Slot MetricsShard::Meet(LabelledCounter id, uint64_t hash, std::string labels) {
  const Slot slot = registry_.Intern(NumberOf(id), labels, 1);
  if (2 * ++met_count_ > met_.size()) {
    const std::vector<Met> before = std::exchange(met_, std::vector<Met>(met_.size() * 2));
    for (const Met& met : before) {
      if (met.labels != nullptr) Remember(met);
    }
  }
  Remember({hash, slot, &met_labels_.emplace_back(std::move(labels)), id});
  return slot;
}

void MetricsShard::CountBy(LabelledCounter id, std::string_view labels, uint64_t amount) {
  const uint64_t hash = Mix(Mix(kHashBasis, static_cast<unsigned char>(id)), labels);
  for (size_t at = hash & (met_.size() - 1); met_[at].labels != nullptr; at = (at + 1) & (met_.size() - 1)) {
    const Met& met = met_[at];
    if (met.hash == hash && met.id == id && IsJoined(*met.labels, {labels})) return store_.Add(met.slot, amount);
  }
  store_.Add(Meet(id, hash, std::string(labels)), amount);
}

void MetricsShard::CountBy(LabelledCounter id, std::initializer_list<std::string_view> labels, uint64_t amount) {
  store_.Add(SlotOf(id, labels), amount);
}

Slot MetricsShard::SlotOf(LabelledCounter id, std::initializer_list<std::string_view> labels) {
  uint64_t hash = Mix(kHashBasis, static_cast<unsigned char>(id));
  for (const std::string_view value : labels) hash = Mix(hash, value);
  for (size_t at = hash & (met_.size() - 1); met_[at].labels != nullptr; at = (at + 1) & (met_.size() - 1)) {
    const Met& met = met_[at];
    if (met.hash == hash && met.id == id && IsJoined(*met.labels, labels)) return met.slot;
  }
  std::string joined;
  for (const std::string_view* value = labels.begin(); value != labels.end(); ++value) {
    if (value != labels.begin()) joined.push_back('\0');
    joined.append(*value);
  }
  return Meet(id, hash, std::move(joined));
}

void MetricsShard::Observe(HistogramId id, size_t label_index, base::Duration value) { Count(id, label_index, value); }

void MetricsShard::Observe(HistogramId id, size_t label_index, base::Duration value, const TraceOf& trace) {
  constexpr base::Duration kBetween = std::chrono::seconds(1);
  const Slot bucket = Count(id, label_index, value);
  if (bucket >= last_exemplars_.size()) last_exemplars_.resize(bucket + kHistogramSlots);
  base::WallTime& last = last_exemplars_[bucket];
  if (trace.at >= last && trace.at - last < kBetween) return;
  last = trace.at;
  store_.exemplars().Set(bucket, {trace.trace_id, trace.at, value});
}

Slot MetricsShard::Count(HistogramId id, size_t label_index, base::Duration value) {
  const Slot slot = histograms_[static_cast<size_t>(id)][label_index];
  const int64_t took = std::max<int64_t>(value.count(), 0);
  size_t bucket = kFirstBucket[static_cast<size_t>(std::bit_width(static_cast<uint64_t>(took)))];
  while (bucket < kBounds.size() && kBounds[bucket] < took) ++bucket;
  store_.Add(slot + static_cast<Slot>(bucket), 1);
  store_.Add(slot + kHistogramSlots - 1, static_cast<uint64_t>(took));
  return slot + static_cast<Slot>(bucket);
}

void MetricsShard::AddInFlight(int delta) { store_.Add(in_flight_, static_cast<uint64_t>(static_cast<int64_t>(delta))); }
void MetricsShard::AddConnections(int delta) {
  store_.Add(connections_, static_cast<uint64_t>(static_cast<int64_t>(delta)));
}
void MetricsShard::AddUpstreamInFlight(size_t upstream, int delta) {
  store_.Add(upstream_in_flight_[upstream], static_cast<uint64_t>(static_cast<int64_t>(delta)));
}

// ---- All workers -----------------------------------------------------------------------------------------------------

Metrics::Metrics(const compiler::CompiledPolicy& compiled, const engine::EngineObjects& objects, size_t workers)
    : compiled_(&compiled),
      objects_(&objects),
      in_flight_(registry_.Intern(NumberOf(GaugeId::kInFlight), "", 1)),
      connections_(registry_.Intern(NumberOf(GaugeId::kClientConnections), "", 1)) {
  for (size_t i = 0; i < workers; ++i) {
    stores_.push_back(std::make_unique<MetricsStore>());
    shards_.push_back(NewShard(compiled.policy, i));
  }
}

void Metrics::Use(const compiler::CompiledPolicy& compiled, const engine::EngineObjects& objects) {
  std::lock_guard lock(mutex_);
  compiled_ = &compiled;
  objects_ = &objects;
  has_implied_ = false;
}

void Metrics::MakeImplied() const {
  if (has_implied_) return;
  has_implied_ = true;
  for (size_t i = 0; i < static_cast<size_t>(LabelledCounter::kCount); ++i) {
    const auto id = static_cast<LabelledCounter>(i);
    for (const std::string& labels : ImpliedSeries(id, compiled_->policy)) registry_.Intern(NumberOf(id), labels, 1);
  }
}

void Metrics::SetEdge(Edge edge) {
  std::lock_guard lock(mutex_);
  edge_ = std::move(edge);
}

size_t Metrics::FallbackIndex(const Policy&, compiler::model::ReplyId id) { return static_cast<size_t>(id.value); }
size_t Metrics::FallbackIndex(const Policy& policy, CacheId id) {
  return policy.replies.size() + static_cast<size_t>(id.value);
}
size_t Metrics::FallbackIndex(const Policy& policy, compiler::model::MockId id) {
  return policy.replies.size() + policy.caches.size() + static_cast<size_t>(id.value);
}

uint64_t Metrics::Sum(Slot slot) const {
  uint64_t sum = 0;
  for (const auto& store : stores_) sum += store->Get(slot);
  return sum;
}

std::unordered_map<std::string, int64_t> Metrics::UpstreamsInFlight() const {
  std::unordered_map<std::string, int64_t> values;
  registry_.ForEach(NumberOf(GaugeId::kUpstreamInFlight),
                    [&](const auto& series) { values.emplace(series.labels, static_cast<int64_t>(Sum(series.slot))); });
  return values;
}

std::vector<std::pair<std::string, uint64_t>> Metrics::CountsOf(uint16_t metric) const {
  {
    std::lock_guard lock(mutex_);
    MakeImplied();
  }
  std::vector<std::pair<std::string, uint64_t>> values;
  registry_.ForEach(metric, [&](const auto& series) { values.emplace_back(series.labels, Sum(series.slot)); });
  return values;
}
std::vector<std::pair<std::string, uint64_t>> Metrics::Counts(CounterId id) const { return CountsOf(NumberOf(id)); }
std::vector<std::pair<std::string, uint64_t>> Metrics::Counts(LabelledCounter id) const {
  return CountsOf(NumberOf(id));
}

std::vector<Metrics::Total> Metrics::Totals(HistogramId id) const {
  std::vector<Total> totals;
  registry_.ForEach(NumberOf(id), [&](const auto& series) {
    Total total{series.labels, 0, base::Duration(static_cast<int64_t>(Sum(series.slot + kHistogramSlots - 1)))};
    for (Slot bucket = 0; bucket + 1 < kHistogramSlots; ++bucket) total.count += Sum(series.slot + bucket);
    totals.push_back(std::move(total));
  });
  return totals;
}

int64_t Metrics::connections() const {
  return static_cast<int64_t>(Sum(connections_));
}
int64_t Metrics::in_flight() const {
  return static_cast<int64_t>(Sum(in_flight_));
}

}  // namespace runtime::observe
