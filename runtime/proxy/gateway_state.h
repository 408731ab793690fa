// What all workers of a gateway share: one generation of the policy, its breakers and caches, metrics and logs. Everything
// here is immutable or thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>

#include "compiler/compiled_policy.h"
#include "runtime/engine/exchange_machine.h"
#include "runtime/proxy/address_counts.h"
#include "runtime/proxy/body_use.h"
#include "runtime/proxy/line_log.h"
#include "runtime/proxy/memory_budget.h"
#include "runtime/proxy/metrics.h"
#include "runtime/proxy/path_guard.h"

namespace runtime::proxy {

struct GatewayState {
  // `access` may be null: no access log. The logs must outlive this. `seed`: of what chance adds to open_for.
  GatewayState(std::shared_ptr<const compiler::CompiledPolicy> compiled_policy, size_t workers, LineLog& event_log,
               LineLog* access_log, uint64_t seed = 0)
      : compiled(std::move(compiled_policy)),
        body_use(compiled->policy),
        path_guard(compiled->policy),
        objects(*compiled, seed),
        metrics(*compiled, objects, workers),
        memory(compiled->policy.gateway.limits.memory.value_or(DefaultMemoryLimit())),
        events(event_log),
        access(access_log) {}

  const compiler::model::Policy& policy() const { return compiled->policy; }

  const std::shared_ptr<const compiler::CompiledPolicy> compiled;
  const BodyUse body_use;
  const PathGuard path_guard;
  engine::EngineObjects objects;
  Metrics metrics;
  MemoryBudget memory;                   // of the bodies of all requests
  AddressCounts addresses;               // of clients; counted where limits.per_address is set
  LineLog& events;
  LineLog* const access;
  uint64_t LostLogLines() const { return events.dropped() + (access != nullptr ? access->dropped() : 0); }
  // limits.connections, or what the open-file limit of the process leaves of it.
  int MostConnections() const { return std::min(policy().gateway.limits.connections, connections_that_fit.load(std::memory_order_relaxed)); }
  std::atomic<bool> told_dropped_header{false};  // an event said that names with "_" are dropped
  std::atomic<int> connections_that_fit{std::numeric_limits<int>::max()};
  std::atomic<bool> is_ready{false};     // what /health/ready says
  std::atomic<bool> is_draining{false};  // answers say Connection: close
};

}  // namespace runtime::proxy
