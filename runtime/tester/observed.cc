#include "runtime/tester/observed.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "runtime/http/message.h"

namespace runtime::tester {

using compiler::model::TestOp;
using compiler::model::TestSubject;
using Kind = TestValue::Kind;

namespace {

TestValue Number(double number, Kind kind = Kind::kNumber) {
  TestValue value;
  value.kind = kind;
  value.number = value.high = number;
  return value;
}

TestValue Text(std::string text) {
  TestValue value;
  value.kind = Kind::kText;
  value.text = std::move(text);
  return value;
}

TestValue NameOrNone(const std::string& name) { return name.empty() || name == "none" ? TestValue() : Text(name); }

TestValue FromJson(const nlohmann::json& json) {
  if (json.is_null()) return {};
  if (json.is_boolean()) return Number(json.get<bool>() ? 1 : 0, Kind::kBool);
  if (json.is_number()) return Number(json.get<double>());
  if (json.is_string()) return Text(json.get<std::string>());
  return Text(json.dump());
}

TestValue MemberOf(const std::string& body, const std::vector<std::string>& path) {
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  const nlohmann::json* at = &json;
  for (const std::string& name : path) {
    if (!at->is_object() || !at->contains(name)) return {};
    at = &(*at)[name];
  }
  return at->is_discarded() ? TestValue() : FromJson(*at);
}

// The names of the labels of a series: `name{a="…",b="…"} 1`.
void AddLabels(std::string_view line, std::set<std::string, std::less<>>* labels) {
  const size_t open = line.find('{');
  if (open == std::string_view::npos) return;
  for (size_t at = open + 1; at < line.size() && line[at] != '}';) {
    const size_t equals = line.find('=', at);
    if (equals == std::string_view::npos) return;
    labels->emplace(line.substr(at, equals - at));
    at = equals + 2;
    while (at < line.size() && line[at] != '"') at += line[at] == '\\' ? 2 : 1;
    at += at + 1 < line.size() && line[at + 1] == ',' ? 2 : 1;
  }
}

// The sum of the series of a metric that have these labels, from Prometheus' text format.
std::optional<TestValue> MetricOf(const Expectation& expectation, const Observed& observed, std::string* why) {
  const std::string prefix = observed.world.compiled->policy.gateway.metrics_prefix + "_";
  const std::string name = expectation.key.starts_with(prefix) ? expectation.key : prefix + expectation.key;
  const std::string text = observed.world.state->metrics.Expose(observed.world.network.now(), 0);
  std::set<std::string, std::less<>> names;
  std::set<std::string, std::less<>> labels;  // of this metric
  bool has_series = false;
  bool is_found = false;
  double sum = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    if (line.starts_with("# TYPE ")) {  // also of metrics without a series so far
      names.emplace(line.substr(7, line.find(' ', 7) - 7));
      continue;
    }
    if (line.starts_with('#')) continue;
    const size_t name_end = line.find_first_of("{ ");
    names.emplace(line.substr(0, name_end));
    if (line.substr(0, name_end) != name) continue;
    const bool fits = std::all_of(expectation.labels.begin(), expectation.labels.end(), [&](const auto& label) {
      const std::string pair = label.first + "=\"" + label.second + "\"";
      return line.find("{" + pair) != std::string_view::npos || line.find("," + pair) != std::string_view::npos;
    });
    has_series = true;
    AddLabels(line, &labels);
    is_found = is_found || fits;
    if (fits) sum += std::strtod(std::string(line.substr(line.rfind(' ') + 1)).c_str(), nullptr);
  }
  if (names.contains(name) && (is_found || !has_series)) return Number(sum);
  if (names.contains(name)) {
    for (const auto& [label, value] : expectation.labels) {
      if (labels.contains(label)) continue;
      std::string all;
      for (const std::string& known : labels) all += (all.empty() ? "`" : ", `") + known + "`";
      *why = "`" + name + "` has no label `" + label + "`" + (all.empty() ? "; it has none" : "; it has " + all);
      return std::nullopt;
    }
    std::string wanted;
    for (const auto& [label, value] : expectation.labels) wanted += (wanted.empty() ? "" : " and ") + label + " `" + value + "`";
    *why = "`" + name + "` has no series of " + wanted + ": nothing of this policy is called so";
    return std::nullopt;
  }
  const std::vector<std::string_view> all(names.begin(), names.end());
  const auto nearest = base::Nearest(name, all);
  *why = "there is no metric `" + name + "`" + (nearest ? "; did you mean `" + std::string(*nearest) + "`?" : "");
  return std::nullopt;
}

bool Equal(const TestValue& value, const TestValue& expected) {
  if (value.kind != expected.kind) return false;
  switch (value.kind) {
    case Kind::kNone: return true;
    case Kind::kText: return value.text == expected.text;
    default: return value.number >= expected.number && value.number <= expected.high;
  }
}

}  // namespace

std::optional<TestValue> ValueOf(const Expectation& expectation, const Observed& observed, std::string* why) {
  const ClientAnswer& answer = observed.answer;
  switch (expectation.subject) {
    case TestSubject::kStatus: return answer.status == 0 ? TestValue() : Number(answer.status);
    case TestSubject::kBody: return Text(answer.body);
    case TestSubject::kJson: return MemberOf(answer.body, expectation.path);
    case TestSubject::kHeader: {
      const auto found = std::find_if(answer.headers.begin(), answer.headers.end(), [&](const auto& header) {
        return http::EqualsIgnoreCase(header.first, expectation.key);
      });
      return found == answer.headers.end() ? TestValue() : Text(found->second);
    }
    case TestSubject::kFirstToken:
      if (!answer.first_token_at) {
        *why = "no content came";
        return std::nullopt;
      }
      return Number(static_cast<double>((*answer.first_token_at - answer.sent_at).count()), Kind::kDuration);
    case TestSubject::kSentMethod: return observed.sent == nullptr ? TestValue() : Text(observed.sent->method);
    case TestSubject::kSentPath: return observed.sent == nullptr ? TestValue() : Text(observed.sent->target);
    case TestSubject::kSentBody: return observed.sent == nullptr ? TestValue() : Text(observed.sent->body);
    case TestSubject::kSentJson: return observed.sent == nullptr ? TestValue() : MemberOf(observed.sent->body, expectation.path);
    case TestSubject::kSentHeader: {
      if (observed.sent == nullptr) return TestValue();
      const auto found = std::find_if(observed.sent->headers.begin(), observed.sent->headers.end(), [&](const auto& header) {
        return http::EqualsIgnoreCase(header.first, expectation.key);
      });
      return found == observed.sent->headers.end() ? TestValue() : Text(found->second);
    }
    case TestSubject::kServedBy: return Text(observed.record.served_by);
    case TestSubject::kRoute: return NameOrNone(observed.record.route);
    case TestSubject::kFallback: return NameOrNone(observed.record.fallback);
    case TestSubject::kEnded:
      if (answer.left) return Text("left");
      if (observed.record.how.empty()) return Text(answer.is_whole ? "complete" : "cut");
      return Text(observed.record.how == "own" ? "complete" : observed.record.how);
    case TestSubject::kElapsed:
      return Number(static_cast<double>((answer.ended_at - answer.sent_at).count()), Kind::kDuration);
    case TestSubject::kAttempts: {
      const auto found = observed.attempts.find(expectation.upstream.value);
      return Number(found == observed.attempts.end() ? 0 : static_cast<double>(found->second));
    }
    case TestSubject::kBreakerState: {
      if (observed.breaker == nullptr) {
        *why = "it has no breaker in the policy that is in force since the reload";
        return std::nullopt;
      }
      switch (observed.breaker->Look(observed.world.network.now()).state) {
        case engine::BreakerState::kClosed: return Text("closed");
        case engine::BreakerState::kHalfOpen: return Text("half_open");
        case engine::BreakerState::kOpen: return Text("open");
        case engine::BreakerState::kResting: return Text("resting");
      }
      return std::nullopt;
    }
    case TestSubject::kMetric: return MetricOf(expectation, observed, why);
  }
  return std::nullopt;
}

bool Holds(const Expectation& expectation, const TestValue& value) {
  const TestValue& first = expectation.values.front();
  const bool same_kind = value.kind == first.kind;
  bool holds = false;
  switch (expectation.op) {
    case TestOp::kEq:
    case TestOp::kIn:
      holds = std::any_of(expectation.values.begin(), expectation.values.end(),
                          [&](const TestValue& expected) { return Equal(value, expected); });
      break;
    case TestOp::kNe: holds = !Equal(value, first); break;
    case TestOp::kLt: holds = same_kind && value.number < first.number; break;
    case TestOp::kLe: holds = same_kind && value.number <= first.number; break;
    case TestOp::kGt: holds = same_kind && value.number > first.number; break;
    case TestOp::kGe: holds = same_kind && value.number >= first.number; break;
    case TestOp::kContains: holds = same_kind && value.text.find(first.text) != std::string::npos; break;
    case TestOp::kStartsWith: holds = same_kind && value.text.starts_with(first.text); break;
    case TestOp::kEndsWith: holds = same_kind && value.text.ends_with(first.text); break;
  }
  return holds != expectation.negated;
}

std::string Describe(const TestValue& value) {
  char number[64];
  switch (value.kind) {
    case Kind::kNone: return "none";
    case Kind::kBool: return value.number != 0 ? "true" : "false";
    case Kind::kText: return value.text;
    case Kind::kNumber: std::snprintf(number, sizeof number, "%.15g", value.number); return number;
    case Kind::kDuration: {
      const double ms = value.number / 1e6;
      std::snprintf(number, sizeof number, ms < 1000 ? "%.6gms" : "%.9gs", ms < 1000 ? ms : ms / 1000);
      return number;
    }
  }
  return "";
}

}  // namespace runtime::tester
