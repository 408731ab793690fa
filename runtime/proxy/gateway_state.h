// What all workers of a gateway share. GatewayState is one generation of it: a policy in force and what is made from that; a reload
// makes the next one (GatewayCommon is what outlives them all). Every exchange holds the generation that it began with, and the last
// to hold it frees it. Everything here is immutable or thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "compiler/compiled_policy.h"
#include "runtime/engine/exchange_machine.h"
#include "runtime/proxy/address_counts.h"
#include "runtime/proxy/admin_access.h"
#include "runtime/proxy/answer_use.h"
#include "runtime/proxy/body_use.h"
#include "runtime/proxy/gateway_tls.h"
#include "runtime/observe/breaker_news.h"
#include "runtime/observe/line_log.h"
#include "runtime/proxy/memory_budget.h"
#include "runtime/observe/metrics.h"
#include "runtime/observe/recent_lines.h"
#include "runtime/proxy/path_guard.h"
#include "runtime/proxy/reload_status.h"

namespace runtime::proxy {

struct GatewayCommon {
  GatewayCommon(observe::LineLog& event_log, observe::LineLog* access_log) : events(event_log), access(access_log) {}

  // Made for the first generation.
  observe::Metrics& MetricsOf(const compiler::CompiledPolicy& compiled, const engine::EngineObjects& objects, size_t workers) {
    if (!metrics) metrics.emplace(compiled, objects, workers);
    return *metrics;
  }

  MemoryBudget& MemoryOf(const compiler::model::Policy& policy) {
    if (!memory) memory.emplace(MemoryLimitOf(policy));
    return *memory;
  }
  static int64_t MemoryLimitOf(const compiler::model::Policy& policy) {
    return policy.gateway.limits.memory.value_or(DefaultMemoryLimit());
  }

  observe::LineLog& events;
  observe::LineLog* const access;
  std::optional<observe::Metrics> metrics;
  std::optional<MemoryBudget> memory;
  AddressCounts addresses;
  std::atomic<bool> told_dropped_header{false};
  std::atomic<int> connections_that_fit{std::numeric_limits<int>::max()};
  std::atomic<bool> is_ready{false};
  std::atomic<bool> is_draining{false};
  std::atomic<uint16_t> tls_port{0};
  ReloadStatus reload;
  observe::BreakerNews breakers;
  // Lines of the access log of requests that did not go well. Those that no upstream was asked for apart: while a breaker is open they
  // are many, and would leave no room for the attempts that opened it.
  observe::RecentLines troubles, refusals;
  observe::LineLog troubles_log{[this](std::string_view line) {
    (line.find("\"attempts\":[]") == std::string_view::npos ? troubles : refusals).Add(line);
  }};
  AdminAccess admin;
  std::string made_token;      // of the admin address, where the policy writes none; set before the loops run
  std::function<void()> stop;  // as SIGTERM; null: nobody asked for it
};

// The token that a policy writes, or `made`.
inline std::string AdminTokenOf(const compiler::model::Policy& policy, const std::string& made) {
  if (!policy.gateway.admin_token) return made;
  std::string token;
  for (const auto& part : policy.gateway.admin_token->parts) {
    if (const auto* text = std::get_if<std::string>(&part)) token += *text;
  }
  return token;
}

struct GatewayState {
  // The first one. `access` may be null: no access log. The logs must outlive this. `seed`: of what chance adds to open_for.
  GatewayState(std::shared_ptr<const compiler::CompiledPolicy> compiled_policy, size_t workers, observe::LineLog& event_log,
               observe::LineLog* access_log, uint64_t seed = 0, GatewayTls with_tls = {})
      : GatewayState(std::move(compiled_policy), std::make_shared<GatewayCommon>(event_log, access_log), workers, seed,
                     std::move(with_tls)) {}
  // The next one. It shares nothing of the engine with the one before until TakeOver.
  GatewayState(std::shared_ptr<const compiler::CompiledPolicy> compiled_policy,
               std::shared_ptr<GatewayCommon> with_common, size_t workers, uint64_t seed, GatewayTls with_tls)
      : common(std::move(with_common)),
        compiled(std::move(compiled_policy)),
        body_use(compiled->policy),
        path_guard(compiled->policy),
        answer_use(compiled->policy),
        objects(compiled, seed),
        tls(std::move(with_tls)),
        admin_token(AdminTokenOf(compiled->policy, common->made_token)),
        metrics(common->MetricsOf(*compiled, objects, workers)),
        memory(common->MemoryOf(compiled->policy)),
        addresses(common->addresses),
        events(common->events),
        access(common->access),
        told_dropped_header(common->told_dropped_header),
        connections_that_fit(common->connections_that_fit),
        is_ready(common->is_ready),
        is_draining(common->is_draining),
        tls_port(common->tls_port) {}

  const compiler::model::Policy& policy() const { return compiled->policy; }

  // What `before` knows of breakers, budgets, queues, caches and models goes on here, by name. Before any worker sees this.
  void TakeOver(const GatewayState& before, base::TimePoint now) {
    objects.TakeOver(before.objects, now);
    metrics.Use(*compiled, objects);
    memory.SetLimit(GatewayCommon::MemoryLimitOf(compiled->policy));
  }

  const std::shared_ptr<GatewayCommon> common;
  const std::shared_ptr<const compiler::CompiledPolicy> compiled;
  const BodyUse body_use;
  const PathGuard path_guard;
  const AnswerUse answer_use;
  engine::EngineObjects objects;
  const GatewayTls tls;
  std::string admin_token;    // asked for at the admin address; empty: nobody can act there. Set before the loops run
  base::TimePoint since;      // when it came into force; set once, before that
  base::WallTime since_wall;  // likewise, of the policy
  observe::Metrics& metrics;
  MemoryBudget& memory;      // of the bodies of all requests
  AddressCounts& addresses;  // of clients; counted where limits.per_address is set
  observe::LineLog& events;
  observe::LineLog* const access;
  uint64_t LostLogLines() const { return events.dropped() + (access != nullptr ? access->dropped() : 0); }
  // limits.connections, or what the open-file limit of the process leaves of it.
  int MostConnections() const { return std::min(policy().gateway.limits.connections, connections_that_fit.load(std::memory_order_relaxed)); }
  std::atomic<bool>& told_dropped_header;  // an event said that names with "_" are dropped
  std::atomic<int>& connections_that_fit;
  std::atomic<bool>& is_ready;      // what /health/ready says
  std::atomic<bool>& is_draining;   // answers say Connection: close
  std::atomic<uint16_t>& tls_port;  // of the first address of listen_tls, once it is open
};

}  // namespace runtime::proxy
