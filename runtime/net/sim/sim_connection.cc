#include "runtime/net/sim/sim_connection.h"

#include <algorithm>
#include <utility>

namespace runtime::sim::sim_internal {

void Connection::Send(int from, Segment::Kind kind, std::string data) {
  Endpoint& to = ends[1 - from];
  const TimePoint arrival = std::max(to.last_arrival, network->now() + network->Latency());
  to.last_arrival = arrival;
  to.inbound_bytes += data.size();
  to.inbound.push_back({arrival, kind, std::move(data)});
  network->At(arrival, [self = shared_from_this(), from, kind] {
    if (kind == Segment::Kind::kRst) self->ends[1 - from].peer_reset = true;
    self->Deliver(1 - from);
  });
}

void Connection::Pump(int from) {
  Endpoint& end = ends[from];
  if (!end.connected || end.dead) return;
  const size_t window = network->options().window;
  Endpoint& to = ends[1 - from];
  const bool had_queue = !end.queue.empty();
  if (had_queue && to.inbound_bytes < window) {
    const size_t n = std::min(end.queue.size(), window - to.inbound_bytes);
    std::string data = end.queue.substr(0, n);
    end.queue.erase(0, n);
    Send(from, Segment::Kind::kData, std::move(data));
  }
  if (end.queue.empty() && end.finish_asked && !end.fin_sent) {
    end.fin_sent = true;
    Send(from, Segment::Kind::kFin, "");
  }
}

void Connection::Write(int from, std::span<const std::string_view> pieces) {
  Endpoint& end = ends[from];
  if (end.dead || end.finish_asked) return;
  if (end.peer_reset) {
    if (!end.paused && !end.inbound.empty()) return;  // what came before the RST is read first, then the RST is seen
    network->Soon([self = shared_from_this(), from] { self->Fail(from, NetError::kReset); });
    return;
  }
  for (std::string_view piece : pieces) end.queue.append(piece);
  Pump(from);
}

void Connection::PlanDelivery(int to) {
  if (std::exchange(ends[to].delivery_planned, true)) return;
  network->Soon([self = shared_from_this(), to] {
    self->ends[to].delivery_planned = false;
    self->Deliver(to);
  });
}

void Connection::Deliver(int to) {
  Endpoint& end = ends[to];
  if (end.inbound.empty() || end.inbound.front().arrival > network->now()) return;
  Segment& segment = end.inbound.front();
  if (end.dead) {
    // Bytes for a closed socket are answered with RST.
    const bool had_data = segment.kind == Segment::Kind::kData;
    end.inbound_bytes -= segment.data.size();
    end.inbound.pop_front();
    if (had_data && !ends[1 - to].dead) Send(to, Segment::Kind::kRst, "");
    if (!end.inbound.empty()) PlanDelivery(to);
    return;
  }
  if (end.paused || !end.connected) return;
  switch (segment.kind) {
    case Segment::Kind::kRst:
      end.inbound.clear();
      end.inbound_bytes = 0;
      Fail(to, NetError::kReset);
      return;
    case Segment::Kind::kFin:
      end.inbound.pop_front();
      end.saw_end = true;
      if (!end.inbound.empty()) PlanDelivery(to);
      if (end.observer != nullptr) end.observer->OnEnd();
      return;
    case Segment::Kind::kData: break;
  }
  const size_t piece = network->options().piece;
  const size_t n =
      piece == 0 ? segment.data.size() : std::min<size_t>(segment.data.size(), 1 + network->random_.Below(piece));
  const std::string bytes = segment.data.substr(0, n);
  segment.data.erase(0, n);
  end.inbound_bytes -= n;
  if (segment.data.empty()) end.inbound.pop_front();
  if (!end.inbound.empty()) PlanDelivery(to);
  // The window opened: the writer goes on.
  const int writer = 1 - to;
  if (!ends[writer].queue.empty()) {
    Pump(writer);
    if (ends[writer].queue.empty()) {
      network->Soon([self = shared_from_this(), writer] {
        Endpoint& w = self->ends[writer];
        if (!w.dead && w.observer != nullptr && w.queue.empty()) w.observer->OnWriteDrained();
      });
    }
  }
  if (end.observer != nullptr) end.observer->OnData(bytes);
}

void Connection::Fail(int which, NetError error) {
  Endpoint& end = ends[which];
  if (end.dead) return;
  end.dead = true;
  end.queue.clear();
  if (end.observer != nullptr) end.observer->OnError(error);
}

void Connection::Close(int which, bool reset) {
  Endpoint& end = ends[which];
  if (end.dead) return;
  end.dead = true;
  end.queue.clear();
  if (!end.connected) return;
  const bool unread = !end.inbound.empty() && end.inbound.front().arrival <= network->now() &&
                      end.inbound.front().kind == Segment::Kind::kData;
  if (end.peer_reset) return;
  if (reset || unread) {
    Send(which, Segment::Kind::kRst, "");
  } else if (!end.fin_sent) {
    Send(which, Segment::Kind::kFin, "");
  }
  end.fin_sent = true;
  if (!end.inbound.empty()) PlanDelivery(which);
}

}  // namespace runtime::sim::sim_internal
