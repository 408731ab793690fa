// See state.h.
#include "examples/flaky_ollama/state.h"

#include <algorithm>

namespace examples::flaky_ollama {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int64_t kLongestDownMs = 1'000'000'000;
constexpr size_t kMostPaths = 100;

// Text of requests is shown as far as it is UTF-8.
std::string Dump(const ordered_json& value) { return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n"; }

Reply Wrong(int status, const std::string& message) {
  return {status, "application/json; charset=utf-8", Dump({{"error", message}}), {}};
}

Reply Shown(const ordered_json& value) { return {200, "application/json; charset=utf-8", Dump(value), {}}; }

}  // namespace

void State::CountPath(std::string_view path) {
  const auto found = by_path.find(path);
  if (found != by_path.end()) {
    ++found->second;
  } else {
    ++by_path[by_path.size() < kMostPaths ? std::string(path) : "other"];
  }
}

void State::Record(RequestRecord record) {
  records_.push_back(std::move(record));
  if (records_.size() > kRecords) records_.pop_front();
}

void State::SetOutcome(uint64_t number, std::string_view outcome) {
  const auto found = std::find_if(records_.rbegin(), records_.rend(),
                                  [number](const RequestRecord& record) { return record.number == number; });
  if (found != records_.rend()) found->outcome = outcome;
}

bool State::Reset() {
  if (in_flight > 0) return false;
  const Settings kept = settings;
  *this = State(kept);
  return true;
}

ordered_json State::ToJson() const {
  ordered_json counters;
  counters["connections"] = connections;
  counters["requests"] = requests;
  counters["in_flight"] = in_flight;
  counters["most_in_flight"] = most_in_flight;
  counters["aborted"] = aborted;
  counters["cut_by_down"] = cut_by_down;
  counters["downs"] = downs;
  counters["tokens"] = tokens;
  for (int i = 0; i < kFaultKinds; ++i) {
    counters["outcomes"][std::string(Name(static_cast<FaultKind>(i)))] = outcomes[static_cast<size_t>(i)];
  }
  counters["by_path"] = by_path;
  ordered_json all;
  all["settings"] = examples::flaky_ollama::ToJson(settings);
  all["counters"] = std::move(counters);
  all["planned_faults"] = schedule.planned();
  return all;
}

ordered_json State::RecordsToJson() const {
  ordered_json list = ordered_json::array();
  for (const RequestRecord& record : records_) {
    ordered_json entry;
    entry["number"] = record.number;
    entry["at_ms"] = record.at_ms;
    entry["method"] = record.method;
    entry["target"] = record.target;
    entry["headers"] = record.headers;
    entry["body"] = record.body;
    entry["outcome"] = record.outcome;
    list.push_back(std::move(entry));
  }
  return list;
}

ControlReply Control(std::string_view method, std::string_view path, std::string_view body, State* state) {
  if (method == "GET" && path == "/control") return {Shown(state->ToJson()), {}};
  if (method == "GET" && path == "/control/requests") return {Shown(state->RecordsToJson()), {}};
  if (method != "POST") return {Wrong(405, "GET shows, POST changes"), {}};

  if (path == "/control/reset") {
    if (!state->Reset())
      return {Wrong(409, std::to_string(state->in_flight) + " requests are under way; reset when they are done"), {}};
    return {Shown(state->ToJson()), {}};
  }
  const json request = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (request.is_discarded()) return {Wrong(400, "the body is not JSON"), {}};

  if (path == "/control") {
    const std::string problem = Merge(request, &state->settings);
    return {problem.empty() ? Shown(state->ToJson()) : Wrong(400, problem), {}};
  }
  if (path == "/control/fail-next") {
    const std::string problem = state->schedule.Plan(request);
    return {problem.empty() ? Shown({{"planned_faults", state->schedule.planned()}}) : Wrong(400, problem), {}};
  }
  if (path == "/control/down") {
    const auto for_ms = request.is_object() ? request.find("for_ms") : request.end();
    if (!request.is_object() || for_ms == request.end() || !for_ms->is_number_integer() || *for_ms < 1 ||
        *for_ms > kLongestDownMs) {
      return {Wrong(400, "say for how long: {\"for_ms\": 5000}, 1 to " + std::to_string(kLongestDownMs)), {}};
    }
    const std::chrono::milliseconds time(for_ms->get<int64_t>());
    return {Shown({{"down_for_ms", time.count()}}), time};
  }
  return {Wrong(404, "there are /control, /control/fail-next, /control/down, /control/reset and /control/requests"),
          {}};
}

}  // namespace examples::flaky_ollama
