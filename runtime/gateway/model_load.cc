#include "runtime/gateway/model_load.h"

#include <utility>

#include "compiler/abi/fact_table.h"
#include "base/json_text.h"
#include "runtime/gateway/own_request.h"

namespace runtime::gateway {

ModelLoad::ModelLoad(proxy::WorkerContext& worker, proxy::UpstreamId upstream, std::string model,
                     std::function<void(ModelLoad*)> over)
    : worker_(worker),
      keeps_(worker.shared_from_this()),
      upstream_(upstream),
      model_(std::move(model)),
      over_(std::move(over)),
      timer_(worker.transport.NewTimer([this] { End(engine::ModelLoads::News::kTooLong, Outcome::kFailed, "timeout"); })) {}

ModelLoad::~ModelLoad() = default;

void ModelLoad::Start() {
  const auto& upstream = worker_.policy().upstreams[upstream_];
  started_ = worker_.transport.Now();
  timer_->Set(started_ + upstream.cold_load.value_or(upstream.timeouts.most()));
  std::string body = "{\"model\":\"";
  base::AppendJsonEscaped(model_, &body);
  body += "\",\"stream\":false}";
  attempt_ = std::make_unique<proxy::Attempt>(worker_, upstream_, *this);
  proxy::Attempt::Request request;
  request.head = OwnRequest(upstream, "POST", "/api/generate", body, "load");
  request.fresh_connection = true;
  attempt_->Start(std::move(request));
}

// Ollama answers once the model is there. Another server may know nothing of such a request (404): then it has no models to load,
// and whoever waits may ask.
void ModelLoad::OnAttemptHead(const http::ResponseHead& head) {
  const Outcome outcome = head.status < 300 ? Outcome::kLoaded : head.status < 500 ? Outcome::kUnknown : Outcome::kFailed;
  End(engine::ModelLoads::News::kOver, outcome, std::to_string(head.status));
}

void ModelLoad::OnAttemptFailed(proxy::ErrorKind error, bool) {
  End(engine::ModelLoads::News::kOver, Outcome::kFailed, compiler::abi::Name(error));
}

void ModelLoad::End(engine::ModelLoads::News news, Outcome outcome, std::string_view told) {
  const bool loaded = outcome == Outcome::kLoaded;
  const auto& upstream = worker_.policy().upstreams[upstream_];
  const base::TimePoint now = worker_.transport.Now();
  timer_->Cancel();
  attempt_->Abort();
  worker_.transport.DeleteLater(std::move(attempt_));
  worker_.metrics.CountBy(observe::LabelledCounter::kModelLoads, upstream.name + std::string(1, '\0') + std::string(told));
  observe::JsonLine line = worker_.Event(loaded ? "info" : "warn", loaded ? "model loaded" : "model not loaded");
  line.Add("upstream", upstream.name).Add("model", model_).Add("outcome", told).AddMillis("after_ms", (now - started_).count());
  worker_.Log(line);
  if (news == engine::ModelLoads::News::kTooLong) CountFailure();
  worker_.gateway.objects.loads(upstream_)->End(model_, news, outcome, now);
  over_(this);
}

// A load that outlasts cold_load is one failure, however many wait for it.
void ModelLoad::CountFailure() {
  engine::Breaker* const breaker = worker_.gateway.objects.breaker(upstream_);
  if (breaker == nullptr) return;
  const base::TimePoint now = worker_.transport.Now();
  const auto admission = breaker->Admit(now, base::Duration::zero());
  if (admission.transition) worker_.RecordBreaker(upstream_, *admission.transition, {});
  if (!admission.ticket) return;
  const auto transition = breaker->Record(*admission.ticket, engine::OutcomeClass::kFailure, now, now - started_);
  if (transition) worker_.RecordBreaker(upstream_, *transition, {});
}

KeepWarm::KeepWarm(proxy::WorkerContext& worker, proxy::UpstreamId upstream)
    : worker_(worker), upstream_(upstream), timer_(worker.transport.NewTimer([this] { OnTimer(); })) {
  timer_->Set(worker.transport.Now() + *worker.policy().upstreams[upstream].keep_warm);
}

void KeepWarm::OnTimer() {
  const base::TimePoint now = worker_.transport.Now();
  const engine::Breaker* const breaker = worker_.gateway.objects.breaker(upstream_);
  if (breaker != nullptr && breaker->Look(now).state != engine::BreakerState::kClosed) {
    timer_->Set(now + *worker_.policy().upstreams[upstream_].keep_warm);
    return;
  }
  base::TimePoint next;
  const auto model = worker_.gateway.objects.loads(upstream_)->Due(now, &next);
  timer_->Set(next);
  if (model) worker_.start_load(upstream_, *model);
}

}  // namespace runtime::gateway
