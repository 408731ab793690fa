#include "runtime/gateway/health_check.h"

#include <algorithm>
#include <utility>

#include "compiler/abi/fact_table.h"
#include "runtime/gateway/own_request.h"

namespace runtime::gateway {

HealthCheck::HealthCheck(proxy::WorkerContext& worker, proxy::UpstreamId upstream)
    : worker_(worker),
      upstream_(upstream),
      request_(OwnRequest(worker.policy().upstreams[upstream], "GET", worker.policy().upstreams[upstream].health->path, {},
                          "health")),
      timer_(worker.transport.NewTimer([this] { OnTimer(); })) {
  timer_->Set(worker_.transport.Now() + worker_.policy().upstreams[upstream_].health->interval);
}

HealthCheck::~HealthCheck() = default;

void HealthCheck::OnTimer() {
  if (attempt_ != nullptr) return End(false, "timeout");
  const auto& settings = *worker_.policy().upstreams[upstream_].health;
  const base::TimePoint now = worker_.transport.Now();
  const engine::Breaker::Snapshot breaker = worker_.gateway.objects.breaker(upstream_)->Look(now);
  if (!engine::LeavesAlone(breaker.state)) {
    timer_->Set(now + settings.interval);
    return;
  }
  generation_ = breaker.generation;
  started_ = now;
  timer_->Set(now + settings.timeout);
  attempt_ = std::make_unique<proxy::Attempt>(worker_, upstream_, *this);
  proxy::Attempt::Request request;
  request.head = request_;
  request.fresh_connection = true;  // a pooled one says little about a server that may have been restarted
  attempt_->Start(std::move(request));
}

void HealthCheck::OnAttemptHead(const http::ResponseHead& head) {
  End(head.status >= 200 && head.status < 300, std::to_string(head.status));
}

void HealthCheck::OnAttemptFailed(proxy::ErrorKind error, bool) { End(false, compiler::abi::Name(error)); }

void HealthCheck::End(bool is_well, std::string_view outcome) {
  const auto& upstream = worker_.policy().upstreams[upstream_];
  const base::TimePoint now = worker_.transport.Now();
  attempt_->Abort();
  worker_.transport.DeleteLater(std::move(attempt_));
  timer_->Set(std::max(started_ + upstream.health->interval, now));
  worker_.metrics.CountBy(observe::LabelledCounter::kHealthChecks, upstream.name + std::string(1, '\0') + std::string(outcome));
  if (!is_well || !worker_.gateway.objects.breaker(upstream_)->EndOpenEarly(generation_, now)) return;
  observe::JsonLine line = worker_.Event("info", "health check passed");
  line.Add("upstream", upstream.name).AddMillis("after_ms", (now - started_).count());
  worker_.Log(line);
}

}  // namespace runtime::gateway
