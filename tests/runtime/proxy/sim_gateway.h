// The real proxy on a simulated network: one worker, a virtual clock, clients and upstreams that do what a test says.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "compiler/compile.h"
#include "runtime/tester/sim_world.h"

namespace tests {

using base::Duration;
using runtime::sim::SimNetwork;
using runtime::sim::SimPeer;
using runtime::sim::SimServer;
using runtime::sim::SimTransport;

// Answers every request that has no body with a 200 that names the server.
inline std::function<void(SimPeer&)> Answering(const std::string& text) {
  return [text](SimPeer& peer) {
    while (peer.received.find("\r\n\r\n") != std::string::npos) {
      peer.received.erase(0, peer.received.find("\r\n\r\n") + 4);
      peer.Send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text);
    }
  };
}

class SimGateway : public runtime::sim::SimWorld {
 public:
  // `gateway_settings`: more lines of the gateway's block.
  explicit SimGateway(const std::string& upstream_settings, const std::string& gateway_settings = "")
      : SimWorld(Compiled(upstream_settings, gateway_settings)) {}

  // Sends one GET on a connection of its own and waits for the whole answer.
  std::string Get(const std::string& path = "/") {
    auto client = NewClient();
    client->Send("GET " + path + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(network.RunUntil([&] { return client->ended; }));
    return client->received;
  }

 private:
  static std::shared_ptr<const compiler::CompiledPolicy> Compiled(const std::string& upstream_settings,
                                                                  const std::string& gateway_settings) {
    compiler::diagnostics::Diagnostics diagnostics;
    const std::string text = "edition 1\ngateway { listen = \"10.9.9.9:8080\"  admin = \"10.9.9.9:8080\"  " + gateway_settings + " }\n" +
                             upstream_settings;
    compiler::CompileOptions options;
    options.without_checks = {  // what they advise against is what many tests are about
#define CHECK(code, Function) code,
#include "compiler/analysis/checks.def"
#undef CHECK
    };
    auto compiled = compiler::CompileInterpreted(text, options, &diagnostics);
    for (const auto& item : diagnostics.items()) {
      // The price of keep_alive and what a base is are told to all who use them.
      if (item.code != "PL0610" && item.code != "PL0190") ADD_FAILURE() << item.message;
    }
    return compiled;
  }
};

}  // namespace tests
