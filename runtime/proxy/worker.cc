#include "runtime/proxy/worker.h"

#include <algorithm>
#include <utility>

#include "runtime/proxy/client_origin.h"
#include "runtime/proxy/limits.h"

namespace runtime::proxy {

Worker::Worker(GatewayState& gateway, net::Transport& transport, int index, uint64_t seed)
    : context_(gateway, transport, index, seed),
      places_(std::make_shared<PlaceCounts>(PlaceCounts{context_.metrics, gateway.addresses})) {
  context_.start_load = [this](compiler::model::UpstreamId upstream, std::string model) {
    StartLoad(upstream, std::move(model));
  };
  if (index != 0) return;
  if (gateway.events.may_drop() || (gateway.access != nullptr && gateway.access->may_drop())) {
    lost_lines_timer_ = transport.NewTimer([this] { TellLostLines(); });
    lost_lines_timer_->Set(transport.Now() + kLostLinesEvery);
  }
  const auto& upstreams = context_.policy().upstreams;
  for (size_t i = 0; i < upstreams.size(); ++i) {
    const compiler::model::UpstreamId id(static_cast<int32_t>(i));
    if (upstreams[id].health) health_checks_.push_back(std::make_unique<HealthCheck>(context_, id));
    if (upstreams[id].keep_warm) keeps_warm_.push_back(std::make_unique<KeepWarm>(context_, id));
  }
}

Worker::~Worker() = default;

// Once a minute: whoever reads the log shall know that it has gaps.
void Worker::TellLostLines() {
  const uint64_t lost = context_.gateway.LostLogLines();
  if (lost > lost_lines_told_) {
    JsonLine line = context_.Event("warn", "log lines lost");
    line.Add("lines", static_cast<int64_t>(lost - lost_lines_told_))
        .Add("help", "what reads the log is too slow, or the disk is full");
    context_.Log(line);
    lost_lines_told_ = lost;
  }
  lost_lines_timer_->Set(context_.transport.Now() + kLostLinesEvery);
}

base::Result<uint16_t> Worker::Listen(const compiler::model::ListenAddress& address, ListenerRole role,
                                      bool shared_port) {
  auto listener = context_.transport.Listen(
      address.host, address.port, shared_port,
      [this, role](std::unique_ptr<net::Stream> stream) { OnAccept(role, std::move(stream)); });
  if (!listener) return base::Error{listener.error()};
  const uint16_t port = (*listener)->port();
  (role == ListenerRole::kAdmin ? admin_listeners_ : listeners_).push_back(std::move(*listener));
  return port;
}

void Worker::OnAccept(ListenerRole role, std::unique_ptr<net::Stream> stream) {
  const auto& limits = context_.policy().gateway.limits;
  const bool is_trusted = IsTrusted(context_.policy().gateway.trusted_proxies, stream->peer().ip);
  std::optional<std::string> group;
  if (role != ListenerRole::kAdmin) {
    const int most = context_.gateway.MostConnections();
    if (context_.gateway.metrics.connections() >= most) {
      Refuse("connections", most, *stream);
      return;  // closed
    }
    if (limits.per_address && !is_trusted) {
      group = AddressGroup(stream->peer().ip);
      if (!context_.gateway.addresses.Add(*group, *limits.per_address)) {
        Refuse("per_address", *limits.per_address, *stream);
        return;
      }
    }
  }
  auto connection = std::make_unique<ClientConnection>(context_, *this, role, std::move(stream), is_trusted,
                                                       std::make_shared<ConnectionPlace>(places_, std::move(group)));
  ClientConnection* const key = connection.get();
  connections_.emplace(key, std::move(connection));
}

void Worker::Refuse(std::string_view limit, int value, const net::Stream& stream) {
  context_.metrics.CountBy(CounterById::kRefusedConnections, limit);
  JsonLine line = context_.Event("warn", "connection refused: too many are open");
  line.Add("limit", limit).Add("value", static_cast<int64_t>(value)).Add("client", stream.peer().ip);
  context_.Log(line);
}

void Worker::OnConnectionOver(ClientConnection* connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  context_.transport.DeleteLater(std::move(found->second));
  connections_.erase(found);
  CheckDrained();
}

void Worker::StartLoad(compiler::model::UpstreamId upstream, std::string model) {
  loads_.push_back(std::make_unique<ModelLoad>(context_, upstream, std::move(model), [this](ModelLoad* over) {
    const auto found = std::find_if(loads_.begin(), loads_.end(), [over](const auto& load) { return load.get() == over; });
    context_.transport.DeleteLater(std::move(*found));
    loads_.erase(found);
  }));
  loads_.back()->Start();
}

void Worker::Drain(base::Duration limit, std::function<void()> done) {
  listeners_.clear();
  health_checks_.clear();
  keeps_warm_.clear();  // loads go on: somebody may wait for them
  std::vector<ClientConnection*> connections;
  connections.reserve(connections_.size());
  for (const auto& item : connections_) connections.push_back(item.first);
  for (ClientConnection* connection : connections) connection->Drain();
  for (auto& pool : context_.pools) pool->Clear();

  drained_ = std::move(done);
  drain_timer_ = context_.transport.NewTimer([this] { BreakOffAll("drain limit reached"); });
  drain_timer_->Set(context_.transport.Now() + limit);
  CheckDrained();
}

void Worker::BreakOffAll(std::string_view why) {
  JsonLine line = context_.Event("warn", why);
  line.Add("broken_off", static_cast<int64_t>(connections_.size()));
  context_.Log(line);
  drained_by_ = context_.transport.Now() + kLinger;
  while (!connections_.empty()) connections_.begin()->first->BreakOff();
  CheckDrained();
}

void Worker::EndDrain() {
  if (drained_ == nullptr || drained_by_) return;
  drain_timer_->Cancel();
  BreakOffAll("drain ended");
}

void Worker::CheckDrained() {
  if (drained_ == nullptr || !connections_.empty()) return;
  // Last answers are still on their way to clients. Each of them is bounded in time where nothing is read of it, all by drained_by_.
  const bool is_late = drained_by_ && context_.transport.Now() >= *drained_by_;
  if (context_.transport.closing_gracefully() > 0 && !is_late) {
    drain_poll_ = context_.transport.NewTimer([this] { CheckDrained(); });
    drain_poll_->Set(context_.transport.Now() + kDrainPoll);
    return;
  }
  drain_timer_->Cancel();
  const auto done = std::exchange(drained_, nullptr);
  done();
}

}  // namespace runtime::proxy
