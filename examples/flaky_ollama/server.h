// flaky_ollama on sockets: accepts, hands each connection to a Connection, and goes down and up again. All on one loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "examples/flaky_ollama/state.h"
#include "base/result.h"
#include "runtime/net/transport.h"

namespace examples::flaky_ollama {

class Connection;

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 11434;            // 0: the system chooses
  bool any_host = false;            // answer whatever Host a request names; Ollama on a loopback address does not
  std::string base;                 // in front of the API's paths: "/openai"; /control stands by itself
  std::string model = "qwen3:32b";  // in /api/tags and /api/ps; requests may name any
  Settings settings;
};

class Server {
 public:
  // `transport` outlives the server.
  Server(runtime::net::Transport* transport, const ServerOptions& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens. Returns the port, or why not. Call it on the loop's thread or before Run().
  base::Result<uint16_t> Start();

  // For connections.
  State& state() { return state_; }
  runtime::net::Transport& transport() { return *transport_; }
  const ServerOptions& options() const { return options_; }
  // As Ollama does: only a server that listens on a loopback address is picky.
  bool checks_hosts() const;
  int64_t SinceStartMs() const;

  // Closes the listening socket and resets every connection but one, for a while: as a server that was stopped.
  void GoDown(base::Duration time, const Connection* spared);

  // Takes a connection that is done off the list; it is destroyed at the end of the turn.
  void Forget(uint64_t connection);

 private:
  base::Result<uint16_t> Listen(uint16_t port);
  void ComeUp();
  void PlanNextDown();

  runtime::net::Transport* const transport_;
  const ServerOptions options_;
  const base::TimePoint started_;
  State state_;
  uint16_t port_ = 0;
  uint64_t last_connection_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::unique_ptr<runtime::net::Listener> listener_;  // none while down
  std::unique_ptr<runtime::net::Timer> up_timer_;
  std::unique_ptr<runtime::net::Timer> down_timer_;  // down_every_ms; looks once a second whether it is asked for
  base::TimePoint last_down_;
};

}  // namespace examples::flaky_ollama
