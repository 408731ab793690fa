// Asks one upstream whether it is well while its breaker is open (`health { … }`). A success brings half-open earlier and
// does nothing else: only requests close a breaker. One for each upstream and process, on the loop of the first worker;
// its requests are no attempts.
#pragma once

#include <memory>
#include <string>

#include "runtime/proxy/attempt.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::gateway {

class HealthCheck final : public proxy::AttemptObserver {
 public:
  // The upstream has `health` and `breaker`. `worker` must outlive it.
  HealthCheck(proxy::WorkerContext& worker, proxy::UpstreamId upstream);
  ~HealthCheck() override;

 private:
  // AttemptObserver
  void OnAttemptHead(const http::ResponseHead& head) override;
  void OnAttemptFailed(proxy::ErrorKind error, bool is_reuse_race) override;

  void OnTimer();
  void End(bool is_well, std::string_view outcome);

  proxy::WorkerContext& worker_;
  const proxy::UpstreamId upstream_;
  std::string request_;
  std::unique_ptr<net::Timer> timer_;  // the next check, or the end of the one under way
  std::unique_ptr<proxy::Attempt> attempt_;
  base::TimePoint started_;
  uint64_t generation_ = 0;  // of the breaker, when the check began
};

}  // namespace runtime::gateway
