#include "runtime/net/sim/sim_peer.h"

#include <stdexcept>
#include <utility>

namespace runtime::sim {

SimPeer::SimPeer(std::unique_ptr<net::Stream> accepted) : stream(std::move(accepted)) { stream->SetObserver(this); }

SimPeer::SimPeer(SimTransport* transport, const net::Address& server) { stream = transport->Connect(server, this); }

void SimPeer::OnData(std::string_view bytes) {
  received.append(bytes);
  if (on_data) on_data(*this);
}

void SimPeer::OnError(net::NetError) {
  ended = true;
  was_reset = true;
}

SimServer::SimServer(SimNetwork* network, const std::string& ip, uint16_t port, std::function<void(SimPeer&)> serve)
    : transport_(network, ip), serve_(std::move(serve)) {
  auto listener = transport_.Listen(ip, port, net::PortUse::kAlone, [this](std::unique_ptr<net::Stream> stream) {
    peers.push_back(std::make_unique<SimPeer>(std::move(stream)));
    peers.back()->on_data = serve_;
  });
  if (!listener) throw std::logic_error(listener.error());
  listener_ = std::move(*listener);
}

}  // namespace runtime::sim
