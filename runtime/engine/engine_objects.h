// The named objects of a policy that outlive a request and are shared by all workers: its breakers, limiters,
// retry budgets, loads of models and caches.
#pragma once

#include <memory>
#include <vector>

#include "compiler/compiled_policy.h"
#include "runtime/engine/breaker.h"
#include "runtime/engine/cache.h"
#include "runtime/engine/limiter.h"
#include "runtime/engine/model_loads.h"
#include "runtime/engine/retry_budget.h"

namespace runtime::engine {

// By id. Immutable after construction, so any thread may ask; the objects lock for themselves.
class EngineObjects {
 public:
  // `policy` must outlive it. `seed`: of what chance adds to open_for.
  explicit EngineObjects(const compiler::CompiledPolicy& policy, uint64_t seed = 0);

  Breaker* breaker(compiler::model::UpstreamId id) const;  // null where the upstream has none
  Limiter* limiter(compiler::model::UpstreamId id) const;  // null where it has no max_in_flight
  RetryBudget* budget(compiler::model::UpstreamId id) const;  // null where its retries have none
  ModelLoads* loads(compiler::model::UpstreamId id) const;  // null where it has neither cold_load nor keep_warm
  Cache* cache(compiler::model::CacheId id) const;

 private:
  std::vector<std::unique_ptr<Breaker>> breakers_;
  std::vector<std::unique_ptr<Limiter>> limiters_;
  std::vector<std::unique_ptr<RetryBudget>> budgets_;
  std::vector<std::unique_ptr<ModelLoads>> loads_;
  std::vector<std::unique_ptr<Cache>> caches_;
};

}  // namespace runtime::engine
