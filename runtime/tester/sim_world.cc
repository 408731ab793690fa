#include "runtime/tester/sim_world.h"

#include <stdexcept>
#include <utility>

namespace runtime::sim {

SimWorld::SimWorld(std::shared_ptr<const compiler::CompiledPolicy> policy, SimWorldOptions options)
    : network(options.seed, options.network),
      transport(&network, kIp),
      client_transport(&network, "10.0.0.99"),
      compiled(std::move(policy)),
      events_(std::move(options.events)),
      access_(std::move(options.access), options.access_is_for_people),
      state(std::make_unique<proxy::GatewayState>(compiled, 1, events_, &access_)),
      worker(std::make_unique<gateway::Worker>(*state, transport, 0, options.seed)) {
  state->is_ready = true;
  if (auto port = worker->Listen({kIp, kPort}, options.role, net::PortUse::kAlone); !port) throw std::logic_error(port.error());
}

}  // namespace runtime::sim
