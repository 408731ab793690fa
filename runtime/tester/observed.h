// What a test sees of a run, as values that an `expect` compares; and the comparison.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/model/tests.h"
#include "runtime/tester/test_client.h"
#include "runtime/tester/sim_world.h"

namespace runtime::tester {

using compiler::model::Expectation;
using compiler::model::TestValue;

// What the access log says of the last request.
struct LogRecord {
  std::string route;
  std::string served_by = "gateway";
  std::string fallback;
  std::string how;
};

// What an upstream got last.
struct SentRequest {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct Observed {
  const sim::SimWorld& world;
  const ClientAnswer& answer;
  const LogRecord& record;
  const std::map<int32_t, int64_t>& attempts;  // by upstream, since the test began
  const SentRequest* sent = nullptr;           // to the upstream that the expectation is about; null: nothing was
  const engine::Breaker* breaker = nullptr;    // of that upstream in the policy in force; null: it has none there
};

// The value of what it is about. A metric that does not exist gives nothing, and *why.
std::optional<TestValue> ValueOf(const Expectation& expectation, const Observed& observed, std::string* why);

bool Holds(const Expectation& expectation, const TestValue& value);

// "503", "\"text\"", "1.7 s", "none".
std::string Describe(const TestValue& value);

}  // namespace runtime::tester
