// The real proxy on a simulated network: one worker, a virtual clock, clients and upstreams that do what a test says.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "compiler/compile.h"
#include "runtime/proxy/worker.h"
#include "tests/support/sim_transport.h"

namespace tests {

using runtime::base::Duration;
using support::SimNetwork;
using support::SimTransport;

// A socket end that keeps what it got.
class SimPeer final : public runtime::net::StreamObserver {
 public:
  explicit SimPeer(std::unique_ptr<runtime::net::Stream> accepted) : stream(std::move(accepted)) {
    stream->SetObserver(this);
  }
  SimPeer(SimTransport* transport, uint16_t port) { stream = transport->Connect({"10.9.9.9", port}, this); }

  void OnData(std::string_view bytes) override {
    received.append(bytes);
    if (on_data) on_data(*this);
  }
  void OnEnd() override { ended = true; }
  void OnError(runtime::net::NetError) override {
    ended = true;
    was_reset = true;
  }
  void Send(std::string_view bytes) { stream->Write(bytes); }

  std::unique_ptr<runtime::net::Stream> stream;
  std::string received;
  bool ended = false;
  bool was_reset = false;
  std::function<void(SimPeer&)> on_data;
};

// A server at one address. `serve` is called with each connection's bytes so far, at every arrival.
class SimServer {
 public:
  SimServer(SimNetwork* network, const std::string& ip, uint16_t port, std::function<void(SimPeer&)> serve)
      : transport_(network, ip), serve_(std::move(serve)) {
    auto listener = transport_.Listen(ip, port, false, [this](std::unique_ptr<runtime::net::Stream> stream) {
      peers.push_back(std::make_unique<SimPeer>(std::move(stream)));
      peers.back()->on_data = serve_;
    });
    EXPECT_TRUE(listener.ok());
    listener_ = std::move(*listener);
  }

  std::vector<std::unique_ptr<SimPeer>> peers;

 private:
  SimTransport transport_;
  std::function<void(SimPeer&)> serve_;
  std::unique_ptr<runtime::net::Listener> listener_;
};

// Answers every request that has no body with a 200 that names the server.
inline std::function<void(SimPeer&)> Answering(const std::string& text) {
  return [text](SimPeer& peer) {
    while (peer.received.find("\r\n\r\n") != std::string::npos) {
      peer.received.erase(0, peer.received.find("\r\n\r\n") + 4);
      peer.Send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text);
    }
  };
}

class SimGateway {
 public:
  static constexpr uint16_t kPort = 8080;

  // `gateway_settings`: more lines of the gateway's block.
  explicit SimGateway(const std::string& upstream_settings, const std::string& gateway_settings = "")
      : network(1), transport(&network, "10.9.9.9"), client_transport(&network, "10.0.0.99"), events_(null_fd_), access_(null_fd_) {
    compiler::diagnostics::Diagnostics diagnostics;
    const std::string text = "edition 1\ngateway { listen = \"10.9.9.9:8080\"  admin = \"10.9.9.9:8080\"  " + gateway_settings + " }\n" +
                             upstream_settings;
    compiler::CompileOptions options;
    options.without_checks = {  // what they advise against is what many tests are about
#define CHECK(code, Function) code,
#include "compiler/analysis/checks.def"
#undef CHECK
    };
    compiled = compiler::CompileInterpreted(text, options, &diagnostics);
    for (const auto& item : diagnostics.items()) {
      if (item.code != "PL0610") ADD_FAILURE() << item.message;  // the price of keep_alive, told to all who use it
    }
    state = std::make_unique<runtime::proxy::GatewayState>(compiled, 1, events_, &access_);
    worker = std::make_unique<runtime::proxy::Worker>(*state, transport, 0, 1);
    state->is_ready = true;
    EXPECT_TRUE(worker->Listen({"10.9.9.9", kPort}, runtime::proxy::ListenerRole::kShared, false).ok());
  }

  std::unique_ptr<SimPeer> NewClient() { return std::make_unique<SimPeer>(&client_transport, kPort); }

  // Sends one GET on a connection of its own and waits for the whole answer.
  std::string Get(const std::string& path = "/") {
    auto client = NewClient();
    client->Send("GET " + path + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(network.RunUntil([&] { return client->ended; }));
    return client->received;
  }

 private:
  struct NullFile {
    NullFile() : fd(open("/dev/null", O_WRONLY | O_CLOEXEC)) {}
    ~NullFile() { close(fd); }
    int fd;
  } null_file_;
  const int null_fd_ = null_file_.fd;

 public:
  SimNetwork network;
  SimTransport transport;
  SimTransport client_transport;
  std::shared_ptr<const compiler::CompiledPolicy> compiled;

 private:
  runtime::proxy::LineLog events_;
  runtime::proxy::LineLog access_;

 public:
  std::unique_ptr<runtime::proxy::GatewayState> state;
  std::unique_ptr<runtime::proxy::Worker> worker;
};

}  // namespace tests
