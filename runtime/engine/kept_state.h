// What the engine knows that outlives its process (`state` in gateway): breakers, budgets, the pace of queues, what is known of models,
// and what operators said, as plain data by the names of the policy. Text of it is the same for the same knowledge, so that whoever writes
// it sees whether anything has changed. What is read of a file is checked before anything sees it: whole and possible, or refused.
//
// Pure: no file, no clock. runtime/gateway/state_file.h keeps the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "compiler/abi/fact_table.h"

namespace runtime::engine {

// A part of a window of shares: attempts since `begin`.
struct KeptShares {
  base::TimePoint begin;
  int64_t all = 0;
  int64_t bad = 0;
};

// A part of a window of latencies: how many fell into each bin.
struct KeptLatencies {
  base::TimePoint begin;
  std::vector<uint32_t> counts;
};

// One measure of a breaker's rules, with what names it and what it has counted; of the last four one is used, as the kind says.
struct KeptWindow {
  compiler::abi::WindowMeasureKind kind{};
  base::Duration window{};
  base::Duration over{};
  int64_t in_a_row = 0;
  std::vector<base::TimePoint> times;  // ascending
  std::vector<KeptShares> shares;
  std::vector<KeptLatencies> latencies;
};

struct KeptBreaker {
  int64_t state = 0;  // BreakerState; half-open is kept as open whose time is over: probes that were under way are gone
  uint64_t generation = 0;
  base::TimePoint open_until;
  base::Duration last_open_for{};
  int64_t trips = 0;
  base::TimePoint closed_at;
  base::TimePoint held_open_until;
  base::TimePoint held_closed_until;
  std::optional<base::TimePoint> last_failure;
  std::optional<base::Duration> last_retry_after;
  int64_t failures_when_opened = 0;
  std::vector<KeptWindow> windows;
  std::vector<base::TimePoint> shown_failures;  // ascending
};

struct KeptBudget {
  double balance = 0;
  std::optional<base::TimePoint> last_taken;
};

struct KeptModel {
  std::string name;
  std::optional<base::TimePoint> content_at;
  base::TimePoint asked_at;
  bool is_real = false;
};

struct KeptUpstream {
  std::string name;
  std::string server;  // what is known of models belongs to it
  bool is_drained = false;
  std::optional<KeptBreaker> breaker;
  std::optional<KeptBudget> budget;
  std::optional<base::Duration> service_time;  // of one of max_in_flight places
  std::vector<KeptModel> models;
  std::string last_model;
};

struct KeptState {
  std::vector<KeptUpstream> upstreams;
};

// A number that changes with every change of what is above: text of another one is not read.
inline constexpr uint64_t kKeptStateVersion = 1;

std::string EncodeKept(const KeptState& state);
// Nothing: it was not written by EncodeKept of this version, or holds what no engine could have known. Any bytes may come.
std::optional<KeptState> DecodeKept(std::string_view text);

// All its times, later by so much: for a process whose clock begins elsewhere.
void ShiftTimes(KeptState* state, base::Duration by);

}  // namespace runtime::engine
