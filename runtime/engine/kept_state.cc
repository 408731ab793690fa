// One walk over the members serves writing, reading and moving in time.
#include "runtime/engine/kept_state.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "base/bytes.h"
#include "base/fields.h"
#include "compiler/abi/fact_table.h"
#include "compiler/model/settings.h"
#include "runtime/engine/breaker.h"
#include "runtime/engine/bucket_windows.h"
#include "runtime/engine/model_loads.h"
#include "runtime/engine/retry_budget.h"

namespace runtime::engine {
namespace {

using base::Duration;
using base::TimePoint;
using compiler::abi::WindowMeasureKind;

// No time or duration of an engine is further away; sums of a few of them don't overflow.
constexpr Duration kFarthest = std::chrono::hours(24 * 365 * 20);
constexpr Duration kLongestWindow = std::chrono::hours(48);
constexpr int64_t kMostCounted = int64_t{1} << 50;
constexpr size_t kMostUpstreams = 100'000;

bool IsNear(Duration time) { return time >= -kFarthest && time <= kFarthest; }

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};
template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <typename Archive, typename T>
void Walk(Archive& archive, T& value) {
  if constexpr (requires { archive.Leaf(value); }) {
    archive.Leaf(value);
  } else if constexpr (IsVector<std::remove_cv_t<T>>::value) {
    const size_t count = archive.Count(value.size());
    if (count != value.size()) value.resize(count);
    for (auto& item : value) Walk(archive, item);
  } else if constexpr (IsOptional<std::remove_cv_t<T>>::value) {
    const size_t count = archive.Count(value.has_value() ? 1 : 0);
    if (count > 1) return archive.Fail();
    if ((count == 1) != value.has_value()) value.emplace();
    if (value) Walk(archive, *value);
  } else {
    base::ForEachField(value, [&](auto& member) { Walk(archive, member); });
  }
}

class Writer {
 public:
  void Leaf(bool& value) { out_.Unsigned(value ? 1 : 0); }
  void Leaf(WindowMeasureKind& value) { out_.Text(compiler::abi::WindowMeasures()[static_cast<size_t>(value)].name); }
  void Leaf(uint32_t& value) { out_.Unsigned(value); }
  void Leaf(uint64_t& value) { out_.Unsigned(value); }
  void Leaf(int64_t& value) { out_.Signed(value); }
  void Leaf(double& value) { out_.Fixed64(std::bit_cast<uint64_t>(value)); }
  void Leaf(std::string& value) { out_.Text(value); }
  void Leaf(Duration& value) { out_.Signed(value.count()); }
  void Leaf(TimePoint& value) { out_.Signed(value.time_since_epoch().count()); }
  // Each as its distance from the one before: there may be ten thousand.
  void Leaf(std::vector<TimePoint>& times) {
    out_.Unsigned(times.size());
    int64_t before = 0;
    for (const TimePoint time : times) {
      const int64_t at = time.time_since_epoch().count();
      out_.Signed(at - before);
      before = at;
    }
  }
  size_t Count(size_t count) {
    out_.Unsigned(count);
    return count;
  }
  void Fail() {}

  std::string Take() { return out_.Take(); }

 private:
  base::ByteWriter out_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : in_(bytes) {}

  void Leaf(bool& value) {
    const uint64_t bit = in_.Unsigned();
    value = bit == 1;
    if (bit > 1) Fail();
  }
  void Leaf(WindowMeasureKind& value) {
    const std::string_view name = in_.Text();
    const auto measures = compiler::abi::WindowMeasures();
    const auto found =
        std::find_if(measures.begin(), measures.end(), [&](const auto& measure) { return measure.name == name; });
    if (found == measures.end()) return Fail();
    value = found->kind;
  }
  void Leaf(uint32_t& value) {
    const uint64_t number = in_.Unsigned();
    value = static_cast<uint32_t>(number);
    if (number != value) Fail();
  }
  void Leaf(uint64_t& value) { value = in_.Unsigned(); }
  void Leaf(int64_t& value) { value = in_.Signed(); }
  void Leaf(double& value) { value = std::bit_cast<double>(in_.Fixed64()); }
  void Leaf(std::string& value) { value = in_.Text(); }
  void Leaf(Duration& value) {
    value = Duration(in_.Signed());
    if (!IsNear(value)) Fail();
  }
  void Leaf(TimePoint& value) {
    Duration since{};
    Leaf(since);
    value = TimePoint(since);
  }
  void Leaf(std::vector<TimePoint>& times) {
    times.clear();
    Duration at{};
    for (size_t left = Count(0); left > 0 && !in_.failed(); --left) {
      Duration step{};
      Leaf(step);
      at += step;
      if (!IsNear(at)) Fail();
      times.emplace_back(at);
    }
  }
  // Every part takes a byte at least, so no count makes more memory than some times the size of the text.
  size_t Count(size_t) {
    const uint64_t count = in_.Unsigned();
    if (count <= in_.left()) return count;
    Fail();
    return 0;
  }
  void Fail() { in_.Fail(); }

  bool is_whole() const { return !in_.failed() && in_.left() == 0; }

 private:
  base::ByteReader in_;
};

class Shifter {
 public:
  explicit Shifter(Duration by) : by_(std::clamp(by, -kFarthest, kFarthest)) {}

  template <typename T>
    requires(std::is_arithmetic_v<T> || std::is_enum_v<T>)
  void Leaf(T&) {}
  void Leaf(std::string&) {}
  void Leaf(Duration&) {}
  void Leaf(TimePoint& value) { value += by_; }
  size_t Count(size_t count) { return count; }
  void Fail() {}

 private:
  Duration by_;
};

bool IsCount(int64_t count) { return count >= 0 && count <= kMostCounted; }
bool IsLength(Duration length) { return length >= Duration::zero(); }

bool AreTimes(const std::vector<TimePoint>& times) {
  return times.size() <= static_cast<size_t>(compiler::model::kMaxWindowCount) &&
         std::is_sorted(times.begin(), times.end());
}

bool IsPossible(const KeptWindow& window) {
  const bool has_buckets = window.kind == WindowMeasureKind::kFailureRatio ||
                           window.kind == WindowMeasureKind::kSlowRatio || window.kind == WindowMeasureKind::kLatency;
  if (!IsLength(window.window) || window.window > kLongestWindow || !IsLength(window.over) || !IsCount(window.in_a_row))
    return false;
  if (has_buckets && window.window == Duration::zero()) return false;
  if (!AreTimes(window.times)) return false;
  if (window.shares.size() > static_cast<size_t>(kWindowBuckets) ||
      window.latencies.size() > static_cast<size_t>(kWindowBuckets))
    return false;
  const auto is_share = [](const KeptShares& part) {
    return IsCount(part.all) && part.bad >= 0 && part.bad <= part.all;
  };
  const auto is_latency = [](const KeptLatencies& part) { return part.counts.size() <= LatencyWindow::kMostBins; };
  return std::all_of(window.shares.begin(), window.shares.end(), is_share) &&
         std::all_of(window.latencies.begin(), window.latencies.end(), is_latency);
}

bool IsPossible(const KeptBreaker& breaker) {
  constexpr auto kStates = static_cast<int64_t>(BreakerState::kResting);
  return breaker.state >= 0 && breaker.state <= kStates && breaker.generation <= static_cast<uint64_t>(kMostCounted) &&
         IsCount(breaker.trips) && breaker.trips <= 1'000'000 && IsLength(breaker.last_open_for) &&
         IsLength(breaker.last_retry_after.value_or(Duration::zero())) && IsCount(breaker.failures_when_opened) &&
         breaker.windows.size() <= 1000 && AreTimes(breaker.shown_failures) &&
         std::all_of(breaker.windows.begin(), breaker.windows.end(),
                     [](const KeptWindow& window) { return IsPossible(window); });
}

bool IsPossible(const KeptUpstream& upstream) {
  if (upstream.name.empty() || (upstream.breaker && !IsPossible(*upstream.breaker))) return false;
  if (upstream.budget && !(upstream.budget->balance >= 0 && upstream.budget->balance <= RetryBudget::kMost))
    return false;  // NaN too
  if (!IsLength(upstream.service_time.value_or(Duration::zero())) || upstream.models.size() > ModelLoads::kMaxModels)
    return false;
  return std::all_of(upstream.models.begin(), upstream.models.end(), [](const KeptModel& model) {
    return !model.name.empty() && model.name.size() <= ModelLoads::kMaxModelName;
  });
}

}  // namespace

std::string EncodeKept(const KeptState& state) {
  Writer writer;
  uint64_t version = kKeptStateVersion;
  writer.Leaf(version);
  Walk(writer,
       const_cast<KeptState&>(state));  // NOLINT(cppcoreguidelines-pro-type-const-cast): a writer leaves it alone
  return writer.Take();
}

std::optional<KeptState> DecodeKept(std::string_view text) {
  Reader reader(text);
  uint64_t version = 0;
  reader.Leaf(version);
  if (version != kKeptStateVersion) return std::nullopt;
  KeptState state;
  Walk(reader, state);
  const auto is_possible = [](const KeptUpstream& upstream) { return IsPossible(upstream); };
  if (!reader.is_whole() || state.upstreams.size() > kMostUpstreams ||
      !std::all_of(state.upstreams.begin(), state.upstreams.end(), is_possible)) {
    return std::nullopt;
  }
  return state;
}

void ShiftTimes(KeptState* state, base::Duration by) {
  Shifter shifter(by);
  Walk(shifter, *state);
}

}  // namespace runtime::engine
