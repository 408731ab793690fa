// See server.h.
#include "examples/flaky_ollama/server.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "examples/flaky_ollama/connection.h"

namespace examples::flaky_ollama {
namespace {

using base::Duration;
using base::Result;
using namespace std::chrono_literals;

constexpr Duration kListenAgain = 50ms;  // another process has the port: try until it is free
constexpr Duration kLookAgain = 1s;

}  // namespace

Server::Server(runtime::net::Transport* transport, const ServerOptions& options)
    : transport_(transport),
      options_(options),
      started_(transport->Now()),
      state_(options.settings),
      last_down_(started_) {
  up_timer_ = transport_->NewTimer([this] { ComeUp(); });
  down_timer_ = transport_->NewTimer([this] { PlanNextDown(); });
}

Server::~Server() = default;

bool Server::checks_hosts() const {
  const std::string& host = options_.host;
  return !options_.any_host && (host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0);
}

int64_t Server::SinceStartMs() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(transport_->Now() - started_).count();
}

Result<uint16_t> Server::Start() {
  PlanNextDown();
  return Listen(options_.port);
}

Result<uint16_t> Server::Listen(uint16_t port) {
  auto listener = transport_->Listen(options_.host, port, runtime::net::PortUse::kAlone,
                                     [this](std::unique_ptr<runtime::net::Stream> stream) {
                                       ++state_.connections;
                                       const uint64_t id = ++last_connection_;
                                       connections_[id] = std::make_unique<Connection>(this, id, std::move(stream));
                                     });
  if (!listener.ok()) return base::Error{listener.error()};
  listener_ = std::move(listener.value());
  port_ = listener_->port();
  return port_;
}

void Server::GoDown(Duration time, const Connection* spared) {
  ++state_.downs;
  last_down_ = transport_->Now();
  listener_.reset();
  // Connections take themselves off the list as they are cut.
  std::vector<Connection*> open;
  for (const auto& [id, connection] : connections_) {
    if (connection.get() != spared) open.push_back(connection.get());
  }
  for (Connection* connection : open) connection->CutByDown();
  up_timer_->Set(transport_->Now() + time);
}

void Server::ComeUp() {
  if (!Listen(port_).ok()) up_timer_->Set(transport_->Now() + kListenAgain);
}

void Server::PlanNextDown() {
  const Settings& settings = state_.settings;
  const base::TimePoint now = transport_->Now();
  base::TimePoint next = now + kLookAgain;
  if (settings.down_every_ms > 0) {
    const base::TimePoint due = last_down_ + std::chrono::milliseconds(settings.down_every_ms);
    if (due <= now && listener_ != nullptr) {
      GoDown(std::chrono::milliseconds(settings.down_for_ms), nullptr);
    } else if (due > now) {
      next = std::min(next, due);
    }
  }
  down_timer_->Set(next);
}

void Server::Forget(uint64_t connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  transport_->DeleteLater(std::move(found->second));
  connections_.erase(found);
}

}  // namespace examples::flaky_ollama
