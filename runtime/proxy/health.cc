#include "runtime/proxy/health.h"

#include <cctype>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/proxy/json_answer.h"

namespace runtime::proxy {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kBreakersPath = "/health/circuit-breaker";
constexpr std::string_view kBreakerPath = "/health/circuit-breaker/";

std::string WallText(const WorkerContext& worker, base::TimePoint time) {
  return observe::Rfc3339(worker.transport.WallNow() - (worker.transport.Now() - time));
}

ordered_json Describe(const WorkerContext& worker, std::string_view name, const engine::Breaker& breaker) {
  const auto snapshot = breaker.Look(worker.transport.Now());
  ordered_json body;
  body["name"] = name;
  body["state"] = engine::Name(snapshot.state);
  body["failure_count"] = snapshot.failure_count;
  body["success_count"] = snapshot.success_count;
  body["last_failure_time"] = nullptr;
  if (snapshot.last_failure_time) body["last_failure_time"] = WallText(worker, *snapshot.last_failure_time);
  body["retry_at"] = nullptr;
  if (snapshot.retry_at) body["retry_at"] = WallText(worker, *snapshot.retry_at);
  if (snapshot.state != engine::BreakerState::kClosed) {
    if (const auto opening = worker.gateway.common->breakers.Last(name)) body["opened_at"] = observe::Rfc3339(opening->at);
  }
  body["generation"] = snapshot.generation;
  body["probes_in_flight"] = snapshot.probes_in_flight;
  return body;
}

LocalAnswer AnswerBreakers(const WorkerContext& worker) {
  const auto& upstreams = worker.policy().upstreams;
  ordered_json all = ordered_json::array();
  for (size_t i = 0; i < upstreams.size(); ++i) {
    const compiler::model::UpstreamId id(static_cast<int32_t>(i));
    const engine::Breaker* breaker = worker.gateway.objects.breaker(id);
    if (breaker != nullptr) all.push_back(Describe(worker, upstreams[id].name, *breaker));
  }
  return JsonAnswer(200, {{"circuit_breakers", all}});
}

LocalAnswer AnswerBreaker(const WorkerContext& worker, std::string_view name) {
  const auto& upstreams = worker.policy().upstreams;
  for (size_t i = 0; i < upstreams.size(); ++i) {
    const compiler::model::UpstreamId id(static_cast<int32_t>(i));
    const engine::Breaker* breaker = worker.gateway.objects.breaker(id);
    if (breaker != nullptr && upstreams[id].name == name) return JsonAnswer(200, Describe(worker, name, *breaker));
  }
  std::vector<std::string> known;
  for (size_t i = 0; i < upstreams.size(); ++i) {
    const compiler::model::UpstreamId id(static_cast<int32_t>(i));
    if (worker.gateway.objects.breaker(id) != nullptr) known.push_back(upstreams[id].name);
  }
  return JsonRefusal(404, "no upstream of that name has a breaker; " + Listed(known));
}

}  // namespace

std::optional<LocalAnswer> AnswerHealth(WorkerContext& worker, const http::RequestHead& head, std::string_view path) {
  const compiler::abi::Method method = head.method;
  const bool is_health = path == "/health" || path.starts_with("/health/");
  if (!is_health && path != "/metrics") return std::nullopt;
  if (method != compiler::abi::Method::kGET && method != compiler::abi::Method::kHEAD) {
    LocalAnswer answer = JsonRefusal(405, "this address is read only: use GET");
    answer.headers.emplace_back("Allow", "GET, HEAD");
    return answer;
  }
  if (path == "/metrics") {
    LocalAnswer answer;
    const observe::MetricsFormat format = observe::FormatFor(head.headers.Find("accept").value_or(""));
    answer.content_type = observe::ContentTypeOf(format);
    const uint64_t dropped =
        worker.gateway.events.dropped() + (worker.gateway.access != nullptr ? worker.gateway.access->dropped() : 0);
    answer.body = worker.gateway.metrics.Expose(worker.transport.Now(), dropped, format);
    return answer;
  }
  if (path == "/health/live") return JsonAnswer(200, {{"status", "live"}});
  if (path == "/health/ready") {
    if (worker.gateway.is_draining.load()) return JsonAnswer(503, {{"status", "draining"}});
    if (!worker.gateway.is_ready.load()) return JsonAnswer(503, {{"status", "starting"}});
    return JsonAnswer(200, {{"status", "ready"}});
  }
  if (path == kBreakersPath) return AnswerBreakers(worker);
  if (path.starts_with(kBreakerPath)) return AnswerBreaker(worker, path.substr(kBreakerPath.size()));
  return JsonRefusal(404,
                     "no such page; there are /health/live, /health/ready, /health/circuit-breaker, "
                     "/health/circuit-breaker/NAME and /metrics");
}

}  // namespace runtime::proxy
