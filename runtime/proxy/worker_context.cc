#include "runtime/proxy/worker_context.h"

#include <bit>
#include <string>

#include "compiler/abi/fact_table.h"
#include "compiler/model/print.h"

namespace runtime::proxy {
namespace {

// {"failures(60s)":5,"failure_ratio(30s)":0.5}: what the rules of a breaker read when one of them held.
std::string Measured(const compiler::model::BreakerSettings& breaker, const std::vector<int64_t>& values) {
  std::string json = "{";
  for (size_t i = 0; i < values.size() && i < breaker.measures.size(); ++i) {
    const auto& measure = breaker.measures[i];
    if (i > 0) json.push_back(',');
    observe::AppendJsonString(compiler::model::Print(measure), &json);
    json.push_back(':');
    switch (compiler::abi::WindowMeasures()[static_cast<size_t>(measure.kind)].type.base) {
      case compiler::abi::BaseType::kPercent: json += std::to_string(std::bit_cast<double>(values[i])); break;
      case compiler::abi::BaseType::kDuration: observe::AppendJsonString(compiler::model::PrintDuration(values[i]), &json); break;
      default: json += std::to_string(values[i]); break;
    }
  }
  return json + "}";
}

}  // namespace

void WorkerContext::RecordBreaker(compiler::model::UpstreamId id, const engine::BreakerTransition& transition, std::string_view request_id,
                                std::string_view cause) const {
  std::string_view message = "breaker closed";
  if (transition.to == engine::BreakerState::kOpen) {
    message = "breaker opened";
    metrics.Count(observe::CounterId::kBreakerOpen, static_cast<size_t>(id.value));
  } else if (transition.to == engine::BreakerState::kResting) {
    message = "breaker rests";
  } else if (transition.to == engine::BreakerState::kHalfOpen) {
    message = "breaker half-open";
  }
  const auto& upstream = policy().upstreams[id];
  observe::JsonLine line = Event("warn", message);
  line.Add("upstream", upstream.name)
      .Add("from", engine::Name(transition.from))
      .Add("to", engine::Name(transition.to))
      .Add("generation", static_cast<int64_t>(transition.generation));
  if (!request_id.empty()) line.Add("request_id", request_id);
  if (engine::LeavesAlone(transition.to) && upstream.breaker) {
    const auto rule = static_cast<size_t>(transition.rule);
    if (transition.rule >= 0 && rule < upstream.breaker->open_when.size()) {
      line.Add("rule", compiler::model::PrintRule(policy().predicates[upstream.breaker->open_when[rule]].expr, upstream.breaker->measures))
          .AddRaw("counts", Measured(*upstream.breaker, transition.measured));
    } else {
      line.Add("rule", transition.by_hand                                ? "by hand"
                       : transition.to == engine::BreakerState::kResting ? "rest when"
                                                                         : "a probe failed");
    }
    if (!cause.empty()) line.Add("last_error", cause);
    line.Add("until", observe::Rfc3339Millis(transport.WallNow() + transition.open_for));
  }
  Log(line);
}

}  // namespace runtime::proxy
