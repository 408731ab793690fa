// See fault.h.
#include "examples/flaky_ollama/fault.h"

#include <utility>

namespace examples::flaky_ollama {
namespace {

struct FaultInfo {
  std::string_view name;
  int status;
  std::string_view message;
};

constexpr FaultInfo kFaults[] = {
#define FAULT(name, status, message, doc) {#name, status, message},
#include "examples/flaky_ollama/faults.def"
#undef FAULT
};

const FaultInfo& InfoOf(FaultKind kind) { return kFaults[static_cast<size_t>(kind)]; }

std::string AllNames() {
  std::string names;
  for (const FaultInfo& info : kFaults) {
    if (info.name == "status") continue;  // written as {"status": N}
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  }
  return names;
}

// One element of the list, or why it is none.
std::string ParseFault(const nlohmann::json& element, Fault* fault) {
  if (element.is_string()) {
    const std::optional<FaultKind> kind = FaultNamed(element.get<std::string>());
    if (!kind || *kind == FaultKind::k_status) {
      return "there is no fault " + element.dump() + "; there are: " + AllNames() + ", {\"status\": N}";
    }
    *fault = Make(*kind);
    return "";
  }
  if (element.is_object() && element.contains("fault")) return ParseFault(element["fault"], fault);
  if (element.is_object() && element.contains("status") && element["status"].is_number_integer()) {
    const auto status = element["status"].get<int64_t>();
    if (status < 400 || status > 599) return "status must be 400 to 599, not " + std::to_string(status);
    *fault = {FaultKind::k_status, static_cast<int>(status)};
    return "";
  }
  return "a fault is a name (" + AllNames() + "), {\"status\": N} or {\"fault\": NAME, \"times\": N}, not " +
         element.dump();
}

}  // namespace

std::string_view Name(FaultKind kind) { return InfoOf(kind).name; }
std::string_view Message(FaultKind kind) { return InfoOf(kind).message; }
Fault Make(FaultKind kind) { return {kind, InfoOf(kind).status}; }

std::optional<FaultKind> FaultNamed(std::string_view name) {
  for (int i = 0; i < kFaultKinds; ++i) {
    if (kFaults[i].name == name) return static_cast<FaultKind>(i);
  }
  return std::nullopt;
}

base::Random RandomFor(int64_t seed, uint64_t number, uint64_t salt) {
  // Any odd constants will do: Random spreads neighbouring seeds itself.
  return base::Random(static_cast<uint64_t>(seed) * 0x9e3779b97f4a7c15 + number * 0xd1342543de82ef95 +
                               salt * 0xa0761d6478bd642f);
}

Fault FaultByChance(const Settings& settings, uint64_t number) {
  const std::pair<double, FaultKind> rates[] = {
      {settings.oom_rate, FaultKind::k_oom},           {settings.busy_rate, FaultKind::k_busy},
      {settings.reset_rate, FaultKind::k_reset},       {settings.cut_rate, FaultKind::k_cut},
      {settings.hang_rate, FaultKind::k_hang},         {settings.stream_error_rate, FaultKind::k_stream_error},
      {settings.truncate_rate, FaultKind::k_truncate},
  };
  // One draw over stacked rates: at most one fault a request, and each exactly as often as its rate says.
  double draw = RandomFor(settings.seed, number, /*salt=*/1).Fraction();
  for (const auto& [rate, kind] : rates) {
    if (draw < rate) return Make(kind);
    draw -= rate;
  }
  return {};
}

std::string FaultSchedule::Plan(const nlohmann::json& list) {
  if (!list.is_array()) return "the body must be a list, such as [\"oom\", \"ok\", {\"status\": 502}]";
  std::vector<Fault> added;
  for (const nlohmann::json& element : list) {
    Fault fault;
    std::string problem = ParseFault(element, &fault);
    if (!problem.empty()) return problem;
    int64_t times = 1;
    if (element.is_object() && element.contains("times")) {
      if (!element["times"].is_number_integer()) return "times must be a whole number";
      times = element["times"].get<int64_t>();
    }
    if (times < 1 || times > static_cast<int64_t>(kMostPlanned)) {
      return "times must be 1 to " + std::to_string(kMostPlanned) + ", not " + std::to_string(times);
    }
    if (planned_.size() + added.size() + static_cast<size_t>(times) > kMostPlanned) {
      return "at most " + std::to_string(kMostPlanned) + " faults can be planned";
    }
    added.insert(added.end(), static_cast<size_t>(times), fault);
  }
  planned_.insert(planned_.end(), added.begin(), added.end());
  return "";
}

Fault FaultSchedule::Next(const Settings& settings, uint64_t number) {
  if (planned_.empty()) return FaultByChance(settings, number);
  const Fault fault = planned_.front();
  planned_.pop_front();
  return fault;
}

}  // namespace examples::flaky_ollama
