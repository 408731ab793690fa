#include "runtime/engine/engine_objects.h"

namespace runtime::engine {

EngineObjects::EngineObjects(const compiler::CompiledPolicy& policy, uint64_t seed) {
  for (const compiler::model::UpstreamSettings& upstream : policy.policy.upstreams) {
    breakers_.push_back(upstream.breaker ? std::make_unique<Breaker>(*upstream.breaker, policy.predicates, seed++)
                                         : nullptr);
    limiters_.push_back(upstream.max_in_flight ? std::make_unique<Limiter>(*upstream.max_in_flight, upstream.queue)
                                               : nullptr);
    const bool has_budget = upstream.retry && upstream.retry->budget;
    budgets_.push_back(has_budget ? std::make_unique<RetryBudget>(*upstream.retry->budget) : nullptr);
    const bool has_loads = upstream.cold_load || upstream.keep_warm;
    loads_.push_back(has_loads ? std::make_unique<ModelLoads>(upstream.cold_load, upstream.keep_warm) : nullptr);
  }
  for (const compiler::model::CacheSettings& cache : policy.policy.caches) {
    caches_.push_back(std::make_unique<Cache>(cache));
  }
}

Breaker* EngineObjects::breaker(compiler::model::UpstreamId id) const {
  return breakers_[static_cast<size_t>(id.value)].get();
}
Limiter* EngineObjects::limiter(compiler::model::UpstreamId id) const {
  return limiters_[static_cast<size_t>(id.value)].get();
}
RetryBudget* EngineObjects::budget(compiler::model::UpstreamId id) const {
  return budgets_[static_cast<size_t>(id.value)].get();
}
ModelLoads* EngineObjects::loads(compiler::model::UpstreamId id) const {
  return loads_[static_cast<size_t>(id.value)].get();
}
Cache* EngineObjects::cache(compiler::model::CacheId id) const { return caches_[static_cast<size_t>(id.value)].get(); }

}  // namespace runtime::engine
