// What goes wrong with request number n: a list given by POST /control/fail-next first, else chance by the rates of the
// settings. Pure: the same seed, rates and number give the same fate, whatever happened to other requests.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "examples/flaky_ollama/settings.h"
#include "base/random.h"

namespace examples::flaky_ollama {

enum class FaultKind : uint8_t {
#define FAULT(name, status, message, doc) k_##name,
#include "examples/flaky_ollama/faults.def"
#undef FAULT
};
inline constexpr int kFaultKinds = 0
#define FAULT(name, status, message, doc) +1
#include "examples/flaky_ollama/faults.def"
#undef FAULT
    ;

struct Fault {
  FaultKind kind = FaultKind::k_ok;
  int status = 0;  // of the answer that says it; 0: no such answer

  bool operator==(const Fault&) const = default;
};

std::string_view Name(FaultKind kind);
std::string_view Message(FaultKind kind);
Fault Make(FaultKind kind);
std::optional<FaultKind> FaultNamed(std::string_view name);

// Chance for request `number` alone; `salt` keeps its uses apart (which fault, how slow, which words).
base::Random RandomFor(int64_t seed, uint64_t number, uint64_t salt);

Fault FaultByChance(const Settings& settings, uint64_t number);

class FaultSchedule {
 public:
  static constexpr size_t kMostPlanned = 10000;

  // A JSON list: "oom", {"status": 502}, and {"fault": "oom", "times": 5} for several in a row. Added to what is planned
  // already; nothing is added if a part is wrong. Returns why not, or "".
  std::string Plan(const nlohmann::json& list);
  void Clear() { planned_.clear(); }
  size_t planned() const { return planned_.size(); }

  // The fate of the request with this number; takes it off the plan if there is one.
  Fault Next(const Settings& settings, uint64_t number);

 private:
  std::deque<Fault> planned_;
};

}  // namespace examples::flaky_ollama
