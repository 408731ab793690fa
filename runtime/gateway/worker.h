// One event loop of the gateway: its listeners, connections, pools and name cache. Runs on one thread; written against
// net::Transport, so the same code runs on libuv and on the simulated network.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "runtime/net/transport.h"
#include "runtime/proxy/attempt_tail.h"
#include "runtime/proxy/client_connection.h"
#include "runtime/gateway/health_check.h"
#include "runtime/gateway/model_load.h"
#include "runtime/gateway/warm_up.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::gateway {

class Worker final : public proxy::ConnectionOwner {
 public:
  // The transport must outlive it. `seed` feeds request ids and jitter.
  Worker(std::shared_ptr<proxy::GatewayState> gateway, net::Transport& transport, int index, uint64_t seed);
  // The same with a state that the caller keeps.
  Worker(proxy::GatewayState& gateway, net::Transport& transport, int index, uint64_t seed)
      : Worker(std::shared_ptr<proxy::GatewayState>(&gateway, [](proxy::GatewayState*) {}), transport, index, seed) {}
  ~Worker() override;

  // Returns the port: that of the address, or `port` where the system chose it for another worker.
  // `held`: connections wait until Adopt. Before the transport runs, or on the
  // loop.
  // `is_tls`: what is shown is tls.server of the gateway.
  base::Result<uint16_t> Listen(const compiler::model::ListenAddress& address, proxy::ListenerRole role, net::PortUse use,
                                bool is_tls = false, std::optional<uint16_t> port = std::nullopt, bool held = false);

  // Stops accepting, closes idle connections, lets busy ones finish; what is under way after `limit` is broken off. `done` is
  // called once, on the loop, when no connection is left. On the loop only.
  void Drain(base::Duration limit, std::function<void()> done);

  // While draining: what is under way is broken off now. On the loop only.
  void EndDrain();

  // From now on requests are served by the next generation; those under way go on with theirs. On the loop only.
  void Adopt(std::shared_ptr<proxy::GatewayState> next);

  // Loads models at upstreams of a generation that is not in force yet. `done`: once, on the loop, when each load has ended; what became of
  // them its ModelLoads know. On the loop only.
  void WarmUp(const std::shared_ptr<proxy::GatewayState>& next, const std::vector<ColdModel>& models, std::function<void()> done);

  // Closes the listeners of an address; their connections go on. On the loop only.
  void StopListening(const compiler::model::ListenAddress& address, bool is_tls);

  // Drain, after a while in which everything goes on.
  void DrainAfter(base::Duration delay, base::Duration limit, std::function<void()> done);

  proxy::WorkerContext& context() { return *context_; }
  size_t connections() const { return connections_.size(); }

 private:
  void OnAccept(proxy::ListenerRole role, bool is_tls, std::unique_ptr<net::Stream> stream);
  void Refuse(std::string_view limit, int value, const net::Stream& stream);
  void OnConnectionOver(proxy::ClientConnection* connection) override;
  void OnHandshakeOver() override;
  void CheckDrained();
  void TellLostLines();
  void BreakOffAll(std::string_view why);
  void BeginDelayedDrain();
  void StartLoad(proxy::WorkerContext& context, compiler::model::UpstreamId upstream, std::string model, std::function<void()> done = nullptr);
  void BeginGeneration();
  const std::shared_ptr<proxy::WorkerContext>& current_context() const override { return context_; }

  struct Listening {
    compiler::model::ListenAddress address;  // as the policy writes it
    std::unique_ptr<net::Listener> listener;
  };

  proxy::WorkerCommon common_;
  const std::shared_ptr<proxy::PlaceCounts> places_;
  std::shared_ptr<proxy::WorkerContext> context_;  // of the generation in force
  std::vector<Listening> listeners_;
  std::vector<Listening> tls_listeners_;
  int handshakes_ = 0;                      // under way
  std::vector<Listening> admin_listeners_;  // open until the loop stops: it says not ready meanwhile
  std::unordered_map<proxy::ClientConnection*, std::unique_ptr<proxy::ClientConnection>> connections_;
  std::vector<std::unique_ptr<HealthCheck>> health_checks_;  // of the first worker
  std::vector<std::unique_ptr<KeepWarm>> keeps_warm_;        // likewise
  std::vector<std::unique_ptr<ModelLoad>> loads_;
  std::unique_ptr<net::Timer> lost_lines_timer_;  // of the first worker, where lines can get lost
  uint64_t lost_lines_told_ = 0;
  std::vector<std::unique_ptr<proxy::AttemptTail>> tails_;
  std::unique_ptr<net::Timer> drain_timer_;
  std::unique_ptr<net::Timer> drain_poll_;
  std::optional<base::TimePoint> drained_by_;  // when last answers that are still being read are given up
  std::function<void()> drained_;
  std::function<void()> delayed_drain_;
};

}  // namespace runtime::gateway
