#include "runtime/engine/engine_objects.h"

#include <utility>

#include "compiler/model/print.h"

namespace runtime::engine {
namespace {

// Loads take no place of max_in_flight, but a server that serves so few at a time loads no more than that.
size_t MostLoading(const compiler::model::UpstreamSettings& upstream) {
  return upstream.max_in_flight ? std::min<size_t>(static_cast<size_t>(*upstream.max_in_flight), ModelLoads::kMaxLoading) : ModelLoads::kMaxLoading;
}

// What is known of health and of models belongs to it: an upstream that has got another server begins anew.
std::string ServerOf(const compiler::model::UpstreamSettings& upstream) {
  const auto& url = upstream.url;
  if (!url.unix_path.empty()) return url.unix_path;
  return (url.is_tls ? "https://" : "http://") + url.host + ":" + std::to_string(url.port);
}

using compiler::abi::FamilyId;
using compiler::model::Expr;
using compiler::model::Policy;

// What the numbers of slots stand for in one policy.
void AppendSlots(const Policy& policy, const Expr& expr, std::string* out) {
  if (expr.kind == compiler::model::ExprKind::kSlot) {
    const auto slot = static_cast<size_t>(expr.slot);
    if (expr.family == FamilyId::k_request_header) *out += policy.slots.request_headers[slot] + "\n";
    if (expr.family == FamilyId::k_request_query) *out += policy.slots.request_queries[slot] + "\n";
    if (expr.family == FamilyId::k_request_json) {
      for (const std::string& member : policy.slots.request_json[slot]) *out += member + "\n.";
    }
  }
  for (const Expr& operand : expr.operands) AppendSlots(policy, operand, out);
}

// How the keys of a cache are made: equal for two policies only if equal requests have equal keys under both.
std::string KeyOf(const Policy& policy, const compiler::model::CacheSettings& cache) {
  std::string text;
  const auto add = [&](const Expr& expr) {
    text += "\n" + compiler::model::Print(expr) + "\n";
    AppendSlots(policy, expr, &text);
  };
  for (const auto& part : cache.key.parts) {
    if (const auto* constant = std::get_if<std::string>(&part))
      text += std::to_string(constant->size()) + ":" + *constant;
    if (const auto* value = std::get_if<Expr>(&part)) add(*value);
    if (const auto* hash = std::get_if<compiler::model::HashOf>(&part)) {
      text += "\nhash";
      for (const Expr& value : hash->values) add(value);
    }
  }
  return text;
}

}  // namespace

EngineObjects::EngineObjects(std::shared_ptr<const compiler::CompiledPolicy> compiled, uint64_t seed)
    : policy_(std::move(compiled)) {
  const compiler::CompiledPolicy& policy = *policy_;
  for (const compiler::model::UpstreamSettings& upstream : policy.policy.upstreams) {
    breakers_.push_back(upstream.breaker ? std::make_shared<Breaker>(*upstream.breaker, policy.predicates, seed++)
                                         : nullptr);
    limiters_.push_back(upstream.max_in_flight ? std::make_shared<Limiter>(*upstream.max_in_flight, upstream.queue)
                                               : nullptr);
    const bool has_budget = upstream.retry && upstream.retry->budget;
    budgets_.push_back(has_budget ? std::make_shared<RetryBudget>(*upstream.retry->budget) : nullptr);
    const bool has_loads = upstream.cold_load || upstream.keep_warm;
    loads_.push_back(has_loads ? std::make_shared<ModelLoads>(upstream.cold_load, upstream.keep_warm, MostLoading(upstream)) : nullptr);
    drained_.push_back(std::make_shared<std::atomic<bool>>(false));
  }
  for (const compiler::model::CacheSettings& cache : policy.policy.caches) {
    caches_.push_back(std::make_shared<Cache>(cache));
  }
}

void EngineObjects::TakeOver(const EngineObjects& before, base::TimePoint now) {
  const auto& upstreams = policy_->policy.upstreams;
  const auto& old_upstreams = before.policy_->policy.upstreams;
  for (size_t i = 0; i < upstreams.size(); ++i) {
    const auto& upstream = upstreams[compiler::model::UpstreamId(static_cast<int32_t>(i))];
    for (size_t j = 0; j < old_upstreams.size(); ++j) {
      const auto& old = old_upstreams[compiler::model::UpstreamId(static_cast<int32_t>(j))];
      if (old.name != upstream.name) continue;
      drained_[i] = before.drained_[j];
      const bool is_same_server = ServerOf(old) == ServerOf(upstream);
      if (breakers_[i] != nullptr && before.breakers_[j] != nullptr &&
          (is_same_server || before.breakers_[j]->IsHeld(now))) {
        breakers_[i] = before.breakers_[j];
        breakers_[i]->Reconfigure(*upstream.breaker, policy_->predicates, policy_);
      }
      if (limiters_[i] != nullptr && before.limiters_[j] != nullptr) {
        limiters_[i] = before.limiters_[j];
        limiters_[i]->Reconfigure(*upstream.max_in_flight, upstream.queue, now);
      }
      if (budgets_[i] != nullptr && before.budgets_[j] != nullptr) {
        budgets_[i] = before.budgets_[j];
        budgets_[i]->SetShare(*upstream.retry->budget);
      }
      if (is_same_server && loads_[i] != nullptr && before.loads_[j] != nullptr) {
        loads_[i] = before.loads_[j];
        loads_[i]->Reconfigure(upstream.cold_load, upstream.keep_warm, MostLoading(upstream));
      }
    }
  }
  const auto& caches = policy_->policy.caches;
  const auto& old_caches = before.policy_->policy.caches;
  for (size_t i = 0; i < caches.size(); ++i) {
    const auto& cache = caches[compiler::model::CacheId(static_cast<int32_t>(i))];
    for (size_t j = 0; j < old_caches.size(); ++j) {
      const auto& old = old_caches[compiler::model::CacheId(static_cast<int32_t>(j))];
      const bool is_same = old.name == cache.name && old.shared == cache.shared &&
                           KeyOf(before.policy_->policy, old) == KeyOf(policy_->policy, cache);
      if (!is_same) continue;
      caches_[i] = before.caches_[j];
      caches_[i]->Reconfigure(cache);
    }
  }
}

KeptState EngineObjects::Keep() const {
  KeptState kept;
  const auto& upstreams = policy_->policy.upstreams;
  for (size_t i = 0; i < upstreams.size(); ++i) {
    const auto& upstream = upstreams[compiler::model::UpstreamId(static_cast<int32_t>(i))];
    KeptUpstream item;
    item.name = upstream.name;
    item.server = ServerOf(upstream);
    item.is_drained = drained_[i]->load();
    if (breakers_[i] != nullptr) item.breaker = breakers_[i]->Keep();
    if (budgets_[i] != nullptr) item.budget = budgets_[i]->Keep();
    if (limiters_[i] != nullptr) item.service_time = limiters_[i]->Look().service_time;
    if (loads_[i] != nullptr) loads_[i]->Keep(&item);
    kept.upstreams.push_back(std::move(item));
  }
  return kept;
}

size_t EngineObjects::Restore(const KeptState& kept, base::TimePoint now) {
  size_t known = 0;
  const auto& upstreams = policy_->policy.upstreams;
  for (size_t i = 0; i < upstreams.size(); ++i) {
    const auto& upstream = upstreams[compiler::model::UpstreamId(static_cast<int32_t>(i))];
    for (const KeptUpstream& item : kept.upstreams) {
      if (item.name != upstream.name) continue;
      ++known;
      drained_[i]->store(item.is_drained);
      const bool is_same_server = item.server == ServerOf(upstream);
      const bool is_held =
          item.breaker && (now < item.breaker->held_open_until || now < item.breaker->held_closed_until);
      if (breakers_[i] != nullptr && item.breaker && (is_same_server || is_held))
        breakers_[i]->Restore(*item.breaker, now);
      if (budgets_[i] != nullptr && item.budget) budgets_[i]->Restore(*item.budget, now);
      if (limiters_[i] != nullptr && item.service_time) limiters_[i]->RestorePace(*item.service_time);
      if (loads_[i] != nullptr && is_same_server) loads_[i]->Restore(item, now);
      break;
    }
  }
  return known;
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
