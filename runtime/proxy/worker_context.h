// What one worker's connections, exchanges and attempts use. One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "compiler/base/id.h"
#include "runtime/base/random.h"
#include "runtime/net/transport.h"
#include "runtime/proxy/access_log.h"
#include "runtime/proxy/gateway_state.h"
#include "runtime/proxy/name_cache.h"
#include "runtime/proxy/request_parsers.h"
#include "runtime/proxy/upstream_pool.h"
#include "runtime/proxy/wall_clock.h"

namespace runtime::proxy {

struct WorkerContext {
  WorkerContext(GatewayState& gateway_state, net::Transport& worker_transport, int worker_index, uint64_t seed)
      : gateway(gateway_state),
        transport(worker_transport),
        index(worker_index),
        metrics(gateway_state.metrics.shard(static_cast<size_t>(worker_index))),
        random(seed),
        names(worker_transport),
        parsers(gateway_state.policy().gateway.limits) {
    if (gateway.access != nullptr) access.emplace(*gateway.access, transport);
    for (const auto& upstream : gateway.policy().upstreams) {
      pools.Add(std::make_unique<UpstreamPool>(worker_transport, upstream.pool));
    }
  }

  const compiler::model::Policy& policy() const { return gateway.policy(); }

  // A line of the event log with time, level and message; add fields, then hand it to Log.
  JsonLine Event(std::string_view level, std::string_view message) const {
    JsonLine line;
    line.Add("time", Rfc3339Millis(transport.WallNow())).Add("level", level).Add("message", message);
    return line;
  }
  void Log(JsonLine& line) const { gateway.events.Write(line.Finish()); }

  // The Date header's value, made once a second.
  const std::string& Date() {
    const base::WallTime now = transport.WallNow();
    const int64_t second = now.time_since_epoch().count() / 1'000'000'000;
    if (second != date_second_) {
      date_second_ = second;
      date_ = HttpDate(now);
    }
    return date_;
  }

  // Log and metrics of a breaker that changed. `request_id`: of the request that did it, and `cause` its outcome; empty: none did.
  void NoteBreaker(compiler::model::UpstreamId id, const engine::BreakerTransition& transition, std::string_view request_id,
                   std::string_view cause = {}) const;

  // Exchanges that follow another one's cache flight. An id is unique in the gateway; the wake-up may come from any thread.
  uint64_t AddFollower(std::function<void()> settled) {
    const uint64_t id = (static_cast<uint64_t>(index) << 48) | next_follower_++;
    followers_.emplace(id, std::move(settled));
    return id;
  }
  void RemoveFollower(uint64_t id) { followers_.erase(id); }
  std::function<void()> WakeUp(uint64_t id) {
    return [this, id] {
      transport.Post([this, id] {
        const auto found = followers_.find(id);
        if (found == followers_.end()) return;
        const auto settled = std::move(found->second);
        followers_.erase(found);
        settled();
      });
    };
  }

  GatewayState& gateway;
  net::Transport& transport;
  const int index;
  MetricsShard& metrics;
  std::optional<AccessLog> access;  // none: no access log
  base::Random random;
  NameCache names;
  RequestParsers parsers;
  compiler::base::IdVector<compiler::model::UpstreamId, std::unique_ptr<UpstreamPool>> pools;
  // Begins a load (model_load.h), which this worker owns.
  std::function<void(compiler::model::UpstreamId, std::string model)> start_load;

 private:
  uint64_t next_follower_ = 1;
  std::unordered_map<uint64_t, std::function<void()>> followers_;
  int64_t date_second_ = -1;
  std::string date_;
};

}  // namespace runtime::proxy
