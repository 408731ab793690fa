#include "runtime/tester/sim_world.h"

#include <stdexcept>
#include <utility>

#include "runtime/gateway/fixed_settings.h"

namespace runtime::sim {

SimWorld::SimWorld(std::shared_ptr<const compiler::CompiledPolicy> policy, SimWorldOptions options)
    : network(options.seed, options.network),
      transport(&network, kIp),
      client_transport(&network, "10.0.0.99"),
      compiled(std::move(policy)),
      events_(std::move(options.events)),
      access_(std::move(options.access), options.access_is_for_people),
      seed_(options.seed),
      state(std::make_shared<proxy::GatewayState>(compiled, 1, events_, &access_)),
      worker(std::make_unique<gateway::Worker>(state, transport, 0, options.seed)) {
  state->is_ready = true;
  if (auto port = worker->Listen({kIp, kPort}, options.role, net::PortUse::kAlone); !port) throw std::logic_error(port.error());
}

std::string SimWorld::Reload(std::shared_ptr<const compiler::CompiledPolicy> next) {
  if (std::string why = gateway::WhyNoReload(compiled->policy.gateway, next->policy.gateway); !why.empty()) return why;
  auto generation = std::make_shared<proxy::GatewayState>(next, state->common, 1, ++seed_, proxy::GatewayTls());
  generation->TakeOver(*state, network.now());
  generation->since = network.now();
  compiled = std::move(next);
  state = generation;
  worker->Adopt(std::move(generation));
  return "";
}

}  // namespace runtime::sim
