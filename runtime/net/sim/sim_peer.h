// Ends of connections on a simulated network: a client, and a server that does what its owner says.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/net/transport.h"
#include "runtime/net/sim/sim_transport.h"

namespace runtime::sim {

// A socket end that keeps what it got.
class SimPeer final : public net::StreamObserver {
 public:
  explicit SimPeer(std::unique_ptr<net::Stream> accepted);
  SimPeer(SimTransport* transport, const net::Address& server);

  void OnData(std::string_view bytes) override;
  void OnEnd() override { ended = true; }
  void OnError(net::NetError error) override;
  void Send(std::string_view bytes) { stream->Write(bytes); }

  std::unique_ptr<net::Stream> stream;
  std::string received;
  bool ended = false;
  bool was_reset = false;
  std::function<void(SimPeer&)> on_data;
};

// A server at one address. `serve` is called with each connection's bytes so far, at every arrival.
class SimServer {
 public:
  // The network must outlive it, and nobody else may listen there.
  SimServer(SimNetwork* network, const std::string& ip, uint16_t port, std::function<void(SimPeer&)> serve);

  std::vector<std::unique_ptr<SimPeer>> peers;

 private:
  SimTransport transport_;
  std::function<void(SimPeer&)> serve_;
  std::unique_ptr<net::Listener> listener_;
};

}  // namespace runtime::sim
