// Asks one upstream to load a model, or to keep it, by a request of the gateway's own that waits for the answer whoever leaves
// meanwhile (`cold_load`, `keep_warm`; engine/model_loads.h says why). Such a request is no attempt: it takes no place and no
// probe. What is asked is what Ollama loads a model by: /api/generate without a prompt.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "runtime/engine/model_loads.h"
#include "runtime/proxy/attempt.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::gateway {

class ModelLoad final : public proxy::AttemptObserver, public net::Deletable {
 public:
  // Begins at once. `worker` must outlive it. `over` is called once, when it is over, and hands it to Transport::DeleteLater.
  ModelLoad(proxy::WorkerContext& worker, proxy::UpstreamId upstream, std::string model, std::function<void(ModelLoad*)> over);
  ~ModelLoad() override;
  void Start();

 private:
  // AttemptObserver
  void OnAttemptHead(const http::ResponseHead& head) override;
  void OnAttemptFailed(proxy::ErrorKind error, bool is_reuse_race) override;

  using Outcome = engine::ModelLoads::Outcome;
  void End(engine::ModelLoads::News news, Outcome outcome, std::string_view told);
  void CountFailure();

  proxy::WorkerContext& worker_;
  const std::shared_ptr<proxy::WorkerContext> keeps_;
  const proxy::UpstreamId upstream_;
  const std::string model_;
  std::function<void(ModelLoad*)> over_;
  std::unique_ptr<net::Timer> timer_;  // cold_load
  std::unique_ptr<proxy::Attempt> attempt_;
  base::TimePoint started_;
};

// Looks now and again whether a model of one upstream wants to be kept (`keep_warm`). On the loop of the first worker.
class KeepWarm {
 public:
  KeepWarm(proxy::WorkerContext& worker, proxy::UpstreamId upstream);

 private:
  void OnTimer();

  proxy::WorkerContext& worker_;
  const proxy::UpstreamId upstream_;
  std::unique_ptr<net::Timer> timer_;
};

}  // namespace runtime::gateway
