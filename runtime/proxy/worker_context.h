// What one worker's connections, exchanges and attempts use: WorkerCommon as long as the worker lives, WorkerContext under one
// generation of the policy. Whatever outlives a turn of the loop and uses a context holds it (shared_from_this). One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/id.h"
#include "base/random.h"
#include "runtime/net/transport.h"
#include "runtime/proxy/access_log.h"
#include "runtime/proxy/exchange_memory.h"
#include "runtime/proxy/gateway_state.h"
#include "runtime/proxy/name_cache.h"
#include "runtime/proxy/request_parsers.h"
#include "runtime/proxy/upstream_pool.h"
#include "runtime/observe/wall_clock.h"

namespace runtime::proxy {

class Attempt;

struct WorkerCommon {
  WorkerCommon(net::Transport& worker_transport, int worker_index, uint64_t seed, observe::LineLog* access_log,
               observe::LineLog& troubles_log)
      : transport(worker_transport), index(worker_index), troubles(troubles_log, worker_transport), random(seed), names(worker_transport) {
    if (access_log != nullptr) access.emplace(*access_log, transport);
  }

  net::Transport& transport;
  const int index;
  std::optional<AccessLog> access;
  // Of requests that did not go well, for the live page; of many at the same time a few.
  static constexpr base::Duration kBetweenTroubles = std::chrono::milliseconds(50);
  AccessLog troubles;
  base::TimePoint next_trouble, next_refusal;
  base::Random random;
  NameCache names;
  uint64_t next_follower = 1;
  std::unordered_map<uint64_t, std::function<void()>> followers;
  observe::Rfc3339Clock event_clock;
  int64_t date_second = -1;
  std::string date;
};

struct WorkerContext : std::enable_shared_from_this<WorkerContext> {
  // `worker` must outlive it. `before`: its connections to the same addresses go on.
  WorkerContext(std::shared_ptr<GatewayState> generation, WorkerCommon& worker, const WorkerContext* before = nullptr)
      : gateway(*generation),
        transport(worker.transport),
        index(worker.index),
        own_metrics_(gateway.metrics.NewShard(gateway.policy(), static_cast<size_t>(worker.index))),
        metrics(*own_metrics_),
        access(worker.access),
        troubles(worker.troubles),
        random(worker.random),
        names(worker.names),
        parsers(gateway.policy().gateway.limits),
        memories(gateway.policy()),
        generation_(std::move(generation)),
        worker_(worker) {
    for (size_t i = 0; i < policy().upstreams.size(); ++i) {
      const compiler::model::UpstreamId id(static_cast<int32_t>(i));
      auto pool = before == nullptr ? nullptr : before->PoolTo(policy().upstreams[id].url, TlsOf(id));
      if (pool == nullptr) pool = std::make_shared<UpstreamPool>(transport, policy().upstreams[id].pool);
      pool->Reconfigure(policy().upstreams[id].pool);
      pools.Add(std::move(pool));
    }
  }

  const compiler::model::Policy& policy() const { return gateway.policy(); }

  // A line of the event log with time, level and message; add fields, then hand it to Log.
  observe::JsonLine Event(std::string_view level, std::string_view message) const {
    observe::JsonLine line;
    line.Add("time", worker_.event_clock.Millis(transport.WallNow())).Add("level", level).Add("message", message);
    return line;
  }
  void Log(observe::JsonLine& line) const { gateway.events.Write(line.Finish()); }

  // The Date header's value, made once a second.
  const std::string& Date() {
    const base::WallTime now = transport.WallNow();
    const int64_t second = now.time_since_epoch().count() / 1'000'000'000;
    if (second != worker_.date_second) {
      worker_.date_second = second;
      worker_.date = observe::HttpDate(now);
    }
    return worker_.date;
  }

  // Whether the live page has room for a request that did not go well, now. `was_tried`: an upstream was asked.
  bool TakesTrouble(bool was_tried) {
    const base::TimePoint now = transport.Now();
    base::TimePoint& next = was_tried ? worker_.next_trouble : worker_.next_refusal;
    if (now < next) return false;
    next = now + WorkerCommon::kBetweenTroubles;
    return true;
  }

  // Log and metrics of a breaker that changed. `request_id`: of the request that did it, and `cause` its outcome; empty: none did.
  void RecordBreaker(compiler::model::UpstreamId id, const engine::BreakerTransition& transition, std::string_view request_id,
                   std::string_view cause = {}) const;

  // Exchanges that follow another one's cache flight. An id is unique in the gateway; the wake-up may come from any thread.
  uint64_t AddFollower(std::function<void()> settled) {
    const uint64_t id = (static_cast<uint64_t>(index) << 48) | worker_.next_follower++;
    worker_.followers.emplace(id, std::move(settled));
    return id;
  }
  void RemoveFollower(uint64_t id) { worker_.followers.erase(id); }
  size_t followers() const { return worker_.followers.size(); }
  std::function<void()> WakeUp(uint64_t id) {
    return [&worker = worker_, id] {
      worker.transport.Post([&worker, id] {
        const auto found = worker.followers.find(id);
        if (found == worker.followers.end()) return;
        const auto settled = std::move(found->second);
        worker.followers.erase(found);
        settled();
      });
    };
  }

  // The pool of an upstream with this address and TLS; null where there is none.
  std::shared_ptr<UpstreamPool> PoolTo(const compiler::model::Url& url, const net::TlsClient* tls) const {
    for (size_t i = 0; i < policy().upstreams.size(); ++i) {
      const compiler::model::UpstreamId id(static_cast<int32_t>(i));
      const compiler::model::Url& other = policy().upstreams[id].url;
      const bool is_same = other.host == url.host && other.port == url.port && other.unix_path == url.unix_path;
      if (is_same && TlsOf(id) == tls) return pools[id];
    }
    return nullptr;
  }

  GatewayState& gateway;
  net::Transport& transport;
  const int index;

 private:
  const std::unique_ptr<observe::MetricsShard> own_metrics_;

 public:
  observe::MetricsShard& metrics;
  std::optional<AccessLog>& access;  // none: no access log
  AccessLog& troubles;               // asked first: TakesTrouble
  LineParts line_parts;
  base::Random& random;
  NameCache& names;
  RequestParsers parsers;
  ExchangeMemories memories;
  base::IdVector<compiler::model::UpstreamId, std::shared_ptr<UpstreamPool>> pools;
  // Begins a load (model_load.h), which the worker owns.
  std::function<void(compiler::model::UpstreamId, std::string model)> start_load;
  // Waits for the end of what has nothing more to say (attempt_tail.h), likewise.
  std::function<void(std::unique_ptr<Attempt>)> await_end;

 private:
  observe::BreakerNews::Opening OpeningOf(compiler::model::UpstreamId id, const engine::BreakerTransition& transition) const;
  const net::TlsClient* TlsOf(compiler::model::UpstreamId id) const {
    return gateway.tls.is_on ? gateway.tls.upstreams[id].get() : nullptr;
  }

  const std::shared_ptr<GatewayState> generation_;
  WorkerCommon& worker_;
};

}  // namespace runtime::proxy
