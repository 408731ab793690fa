// The real proxy on a simulated network: one worker, a virtual clock, chance from a seed. Clients and upstreams are whoever connects
// to the network. The same policy, seed and deeds give the same run, byte for byte.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "compiler/compiled_policy.h"
#include "runtime/gateway/worker.h"
#include "runtime/net/sim/sim_peer.h"
#include "runtime/net/sim/sim_transport.h"
#include "runtime/observe/line_log.h"

namespace runtime::sim {

struct SimWorldOptions {
  uint64_t seed = 1;
  SimOptions network;
  observe::LineLog::TakeLine events;  // lines of the two logs, as they are written
  observe::LineLog::TakeLine access;
  bool access_is_for_people = false;
  // Whether the operators' pages are served beside the traffic.
  proxy::ListenerRole role = proxy::ListenerRole::kShared;
};

class SimWorld {
 public:
  explicit SimWorld(std::shared_ptr<const compiler::CompiledPolicy> policy, SimWorldOptions options = {});
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  // Where the proxy listens, whatever the policy says.
  static constexpr const char* kIp = "10.9.9.9";
  static constexpr uint16_t kPort = 8080;
  std::unique_ptr<SimPeer> NewClient() {
    return std::make_unique<SimPeer>(&client_transport, net::Address{kIp, kPort});
  }

  // From now on this policy is in force, as over a reload of the gateway; models are not loaded first. Why it is refused, as a sentence; "": it is
  // in force.
  std::string Reload(std::shared_ptr<const compiler::CompiledPolicy> next);

  SimNetwork network;
  SimTransport transport;
  SimTransport client_transport;
  std::shared_ptr<const compiler::CompiledPolicy> compiled;  // in force

 private:
  observe::LineLog events_;
  observe::LineLog access_;
  uint64_t seed_;

 public:
  std::shared_ptr<proxy::GatewayState> state;  // of the policy in force
  const std::unique_ptr<gateway::Worker> worker;
};

}  // namespace runtime::sim
