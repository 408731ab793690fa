// One event loop of the gateway: its listeners, connections, pools and name cache. Runs on one thread; written against
// net::Transport, so the same code runs on libuv and on the simulated network.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/base/result.h"
#include "runtime/net/transport.h"
#include "runtime/proxy/client_connection.h"
#include "runtime/proxy/health_check.h"
#include "runtime/proxy/model_load.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {

class Worker final : public ConnectionOwner {
 public:
  // All must outlive it. `seed` feeds request ids and jitter.
  Worker(GatewayState& gateway, net::Transport& transport, int index, uint64_t seed);
  ~Worker() override;

  // Returns the port. Only before the transport runs.
  base::Result<uint16_t> Listen(const compiler::model::ListenAddress& address, ListenerRole role, bool shared_port);

  // Stops accepting, closes idle connections, lets busy ones finish; what is under way after `limit` is broken off. `done` is
  // called once, on the loop, when no connection is left. On the loop only.
  void Drain(base::Duration limit, std::function<void()> done);

  // While draining: what is under way is broken off now. On the loop only.
  void EndDrain();

  WorkerContext& context() { return context_; }
  size_t connections() const { return connections_.size(); }

 private:
  void OnAccept(ListenerRole role, std::unique_ptr<net::Stream> stream);
  void Refuse(std::string_view limit, int value, const net::Stream& stream);
  void OnConnectionOver(ClientConnection* connection) override;
  void CheckDrained();
  void TellLostLines();
  void BreakOffAll(std::string_view why);
  void StartLoad(compiler::model::UpstreamId upstream, std::string model);

  WorkerContext context_;
  const std::shared_ptr<PlaceCounts> places_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::vector<std::unique_ptr<net::Listener>> admin_listeners_;  // open until the loop stops: it says not ready meanwhile
  std::unordered_map<ClientConnection*, std::unique_ptr<ClientConnection>> connections_;
  std::vector<std::unique_ptr<HealthCheck>> health_checks_;  // of the first worker
  std::vector<std::unique_ptr<KeepWarm>> keeps_warm_;        // likewise
  std::vector<std::unique_ptr<ModelLoad>> loads_;
  std::unique_ptr<net::Timer> lost_lines_timer_;  // of the first worker, where lines can get lost
  uint64_t lost_lines_told_ = 0;
  std::unique_ptr<net::Timer> drain_timer_;
  std::unique_ptr<net::Timer> drain_poll_;
  std::optional<base::TimePoint> drained_by_;  // when last answers that are still being read are given up
  std::function<void()> drained_;
};

}  // namespace runtime::proxy
