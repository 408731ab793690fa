// A connection of the simulated network: two endpoints and, for each direction, the segments on their way. Only for sim_transport.cc.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "runtime/net/sim/sim_transport.h"

namespace runtime::sim::sim_internal {

struct ListenerState {
  std::string ip;  // "" for all
  uint16_t port = 0;
  bool shared = false;
  bool open = true;
  bool paused = false;
  std::deque<std::function<void()>> backlog;  // accepted by the kernel, not yet by the owner
  net::Transport::AcceptCallback on_accept;
};

struct Segment {
  TimePoint arrival;
  enum class Kind { kData, kFin, kRst } kind = Kind::kData;
  std::string data;
};

struct Endpoint {
  net::StreamObserver* observer = nullptr;
  bool owned = true;  // the Stream object exists
  bool connected = false;
  bool dead = false;  // no callback any more
  bool paused = false;
  bool finish_asked = false;
  bool fin_sent = false;
  bool saw_end = false;
  bool peer_reset = false;  // an RST arrived, though a paused reader may not know it
  bool delivery_planned = false;
  std::string queue;  // written, not yet in flight
  std::deque<Segment> inbound;
  size_t inbound_bytes = 0;  // in flight or unread
  TimePoint last_arrival{};
  Address peer;
};

struct Connection : std::enable_shared_from_this<Connection> {
  explicit Connection(SimNetwork* n) : network(n) {}

  SimNetwork* network;
  Address server;
  Endpoint ends[2];  // 0: the one that connected

  bool is_open() const { return !ends[0].dead || !ends[1].dead; }

  void Send(int from, Segment::Kind kind, std::string data);
  // Moves what fits the window from the queue into flight.
  void Pump(int from);
  void Write(int from, std::span<const std::string_view> pieces);
  void PlanDelivery(int to);
  // Hands over the next piece, at most one for each event.
  void Deliver(int to);
  void Fail(int which, NetError error);
  void Close(int which, bool reset);
};

}  // namespace runtime::sim::sim_internal
