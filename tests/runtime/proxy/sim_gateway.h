// The real proxy on a simulated network: one worker, a virtual clock, clients and upstreams that do what a test says.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
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

// Before the world that writes into them.
struct SimLogs {
  std::string access;  // the lines of the two logs
  std::string events;
};

class SimGateway : public SimLogs, public runtime::sim::SimWorld {
 public:
  // `gateway_settings`: more lines of the gateway's block.
  explicit SimGateway(const std::string& upstream_settings, const std::string& gateway_settings = "")
      : SimWorld(Compiled(upstream_settings, gateway_settings), Logging(this)) {}

  // Sends one GET on a connection of its own and waits for the whole answer.
  std::string Get(const std::string& path = "/") {
    auto client = NewClient();
    client->Send("GET " + path + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(network.RunUntil([&] { return client->ended; }));
    return client->received;
  }

  // The value of a series, whose name lacks its breakwater_; nothing: there is none.
  std::optional<double> Metric(const std::string& series) {
    const std::string page = state->metrics.Expose(transport.Now(), 0);
    const std::string line = "\nbreakwater_" + series + " ";
    const size_t at = page.find(line);
    return at == std::string::npos ? std::nullopt
                                   : std::optional(std::strtod(page.c_str() + at + line.size(), nullptr));
  }

 private:
  static runtime::sim::SimWorldOptions Logging(SimLogs* logs) {
    runtime::sim::SimWorldOptions options;
    options.access = [logs](std::string_view line) { logs->access.append(line).append("\n"); };
    options.events = [logs](std::string_view line) { logs->events.append(line).append("\n"); };
    return options;
  }
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
    if (compiled == nullptr) throw std::logic_error("the policy of this test is wrong");
    return compiled;
  }
};

}  // namespace tests
