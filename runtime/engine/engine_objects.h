// The named objects of a policy that outlive a request and are shared by all workers: its breakers, limiters,
// retry budgets, loads of models and caches.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "compiler/compiled_policy.h"
#include "runtime/engine/breaker.h"
#include "runtime/engine/cache.h"
#include "runtime/engine/kept_state.h"
#include "runtime/engine/limiter.h"
#include "runtime/engine/model_loads.h"
#include "runtime/engine/retry_budget.h"

namespace runtime::engine {

// By id. Immutable once it is in use, so any thread may ask; the objects lock for themselves.
class EngineObjects {
 public:
  // `seed`: of what chance adds to open_for.
  explicit EngineObjects(std::shared_ptr<const compiler::CompiledPolicy> policy, uint64_t seed = 0);
  // The same for a policy that the caller keeps.
  explicit EngineObjects(const compiler::CompiledPolicy& policy, uint64_t seed = 0)
      : EngineObjects(std::shared_ptr<const compiler::CompiledPolicy>(&policy, [](const auto*) {}), seed) {}

  // What the policy before knew goes on here, by name, under the new settings: budgets, limiters with their queues, caches whose key is made in
  // the same way; breakers (state, windows, probes) and loads of models where the server is the same, or an operator holds the breaker. These objects are shared from
  // now on, so what is still under way there counts here. Once, before anybody else has this.
  void TakeOver(const EngineObjects& before, base::TimePoint now);

  // What outlives the process, and the same back from a process before, in times of this one's clock. By name, as above; caches and who waits
  // are not kept. Restore: before anybody else has this; how many upstreams it knew something of.
  KeptState Keep() const;
  size_t Restore(const KeptState& kept, base::TimePoint now);

  Breaker* breaker(compiler::model::UpstreamId id) const;  // null where the upstream has none
  Limiter* limiter(compiler::model::UpstreamId id) const;  // null where it has no max_in_flight
  RetryBudget* budget(compiler::model::UpstreamId id) const;  // null where its retries have none
  ModelLoads* loads(compiler::model::UpstreamId id) const;  // null where it has neither cold_load nor keep_warm
  Cache* cache(compiler::model::CacheId id) const;

  // An operator's word: an upstream that is drained gets no new attempts; what is under way there goes on. Any thread.
  bool is_drained(compiler::model::UpstreamId id) const { return drained_[static_cast<size_t>(id.value)]->load(std::memory_order_relaxed); }
  void SetDrained(compiler::model::UpstreamId id, bool is_drained) const { drained_[static_cast<size_t>(id.value)]->store(is_drained); }

 private:
  const std::shared_ptr<const compiler::CompiledPolicy> policy_;
  std::vector<std::shared_ptr<Breaker>> breakers_;
  std::vector<std::shared_ptr<Limiter>> limiters_;
  std::vector<std::shared_ptr<RetryBudget>> budgets_;
  std::vector<std::shared_ptr<ModelLoads>> loads_;
  std::vector<std::shared_ptr<std::atomic<bool>>> drained_;
  std::vector<std::shared_ptr<Cache>> caches_;
};

}  // namespace runtime::engine
