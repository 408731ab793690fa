#include "runtime/proxy/worker_context.h"

#include <bit>
#include <string>
#include <utility>

#include "compiler/abi/fact_table.h"
#include "compiler/model/print.h"

namespace runtime::proxy {
namespace {

// {"failures(60s)":5,"failure_ratio(30s)":0.5}: what this rule of a breaker read when it held.
std::string Measured(const compiler::model::BreakerSettings& breaker, const std::vector<int64_t>& values, std::string_view rule) {
  std::string json = "{";
  for (size_t i = 0; i < values.size() && i < breaker.measures.size(); ++i) {
    const auto& measure = breaker.measures[i];
    const std::string name = compiler::model::Print(measure);
    if (rule.find(name) == std::string_view::npos) continue;  // another rule's
    if (json.size() > 1) json.push_back(',');
    observe::AppendJsonString(name, &json);
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

observe::BreakerNews::Opening WorkerContext::OpeningOf(compiler::model::UpstreamId id, const engine::BreakerTransition& transition) const {
  const compiler::model::BreakerSettings& breaker = *policy().upstreams[id].breaker;
  const auto& upstreams = gateway.compiled->places.upstreams;
  const auto* places = upstreams.Has(id) ? &upstreams[id] : nullptr;
  observe::BreakerNews::Opening opening;
  opening.at = transport.WallNow();
  opening.until = opening.at + transition.open_for;
  opening.state = engine::Name(transition.to);
  opening.counts = "{}";
  const auto rule = static_cast<size_t>(transition.rule);
  if (transition.rule >= 0 && rule < breaker.open_when.size()) {
    opening.rule = compiler::model::PrintRule(policy().predicates[breaker.open_when[rule]].expr, breaker.measures);
    opening.counts = Measured(breaker, transition.measured, opening.rule);
    if (places != nullptr && rule < places->open_when.size()) opening.place = places->open_when[rule];
  } else if (transition.by_hand) {
    opening.rule = "by hand";
  } else if (transition.to == engine::BreakerState::kResting) {
    opening.rule = "rest when";
    if (places != nullptr) opening.place = places->rest_when;
  } else {
    opening.rule = "a probe failed";
    if (places != nullptr) opening.place = places->breaker;
    if (const auto first = gateway.common->breakers.Last(policy().upstreams[id].name); first != nullptr && transition.from == engine::BreakerState::kHalfOpen) {
      opening.probes_failed = first->probes_failed + 1;
      opening.last_probe = std::exchange(opening.at, first->at);
      opening.rule = first->rule;
      opening.place = first->place;
      opening.counts = first->counts;
    }
  }
  return opening;
}

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
    observe::BreakerNews::Opening opening = OpeningOf(id, transition);
    opening.last_error = cause;
    opening.request_id = request_id;
    line.Add("rule", opening.probes_failed > 0 ? "a probe failed" : opening.rule);
    if (!opening.place.at.empty()) line.Add("decided", opening.place.at);
    if (transition.rule >= 0) line.AddRaw("counts", opening.counts);
    if (!cause.empty()) line.Add("last_error", cause);
    line.Add("until", observe::Rfc3339Millis(opening.until));
    gateway.common->breakers.Note(upstream.name, std::move(opening));
  }
  Log(line);
}

}  // namespace runtime::proxy
