#include "runtime/gateway/worker.h"

#include <algorithm>
#include <utility>

#include "runtime/proxy/client_origin.h"
#include "runtime/proxy/limits.h"

namespace runtime::gateway {

Worker::Worker(std::shared_ptr<proxy::GatewayState> gateway, net::Transport& transport, int index, uint64_t seed)
    : common_(transport, index, seed, gateway->access, gateway->common->troubles_log),
      places_(std::make_shared<proxy::PlaceCounts>(
          proxy::PlaceCounts{gateway->metrics.shard(static_cast<size_t>(index)), gateway->addresses})) {
  const bool tells_lost_lines =
      index == 0 && (gateway->events.may_drop() || (gateway->access != nullptr && gateway->access->may_drop()));
  context_ = std::make_shared<proxy::WorkerContext>(std::move(gateway), common_);
  BeginGeneration();
  if (!tells_lost_lines) return;
  lost_lines_timer_ = transport.NewTimer([this] { TellLostLines(); });
  lost_lines_timer_->Set(transport.Now() + proxy::kLostLinesEvery);
}

void Worker::BeginGeneration() {
  context_->start_load = [this, used = context_.get()](compiler::model::UpstreamId upstream, std::string model) {
    StartLoad(*used, upstream, std::move(model));
  };
  context_->await_end = [this, used = context_.get()](std::unique_ptr<proxy::Attempt> attempt) {
    tails_.push_back(std::make_unique<proxy::AttemptTail>(*used, std::move(attempt), [this](proxy::AttemptTail* over) {
      const auto found = std::find_if(tails_.begin(), tails_.end(), [over](const auto& tail) { return tail.get() == over; });
      common_.transport.DeleteLater(std::move(*found));
      tails_.erase(found);
    }));
  };
  if (common_.index != 0) return;
  const auto& upstreams = context_->policy().upstreams;
  for (size_t i = 0; i < upstreams.size(); ++i) {
    const compiler::model::UpstreamId id(static_cast<int32_t>(i));
    if (upstreams[id].health) health_checks_.push_back(std::make_unique<HealthCheck>(*context_, id));
    if (upstreams[id].keep_warm) keeps_warm_.push_back(std::make_unique<KeepWarm>(*context_, id));
  }
}

void Worker::Adopt(std::shared_ptr<proxy::GatewayState> next) {
  if (drained_ != nullptr) return;  // it ends as it is
  health_checks_.clear();
  keeps_warm_.clear();
  context_ = std::make_shared<proxy::WorkerContext>(std::move(next), common_, context_.get());
  BeginGeneration();
  for (const auto& [connection, owned] : connections_) connection->RenewContext();
  for (const Listening& listening : listeners_) listening.listener->ResumeAccepting();
  if (handshakes_ >= context_->policy().gateway.limits.handshakes) return;
  for (const Listening& listening : tls_listeners_) listening.listener->ResumeAccepting();
}

void Worker::StopListening(const compiler::model::ListenAddress& address, bool is_tls) {
  std::erase_if(is_tls ? tls_listeners_ : listeners_,
                [&](const Listening& listening) { return listening.address == address; });
}

Worker::~Worker() = default;

// Once a minute: whoever reads the log shall know that it has gaps.
void Worker::TellLostLines() {
  const uint64_t lost = context_->gateway.LostLogLines();
  if (lost > lost_lines_told_) {
    observe::JsonLine line = context_->Event("warn", "log lines lost");
    line.Add("lines", static_cast<int64_t>(lost - lost_lines_told_))
        .Add("help", "what reads the log is too slow, or the disk is full");
    context_->Log(line);
    lost_lines_told_ = lost;
  }
  lost_lines_timer_->Set(context_->transport.Now() + proxy::kLostLinesEvery);
}

base::Result<uint16_t> Worker::Listen(const compiler::model::ListenAddress& address, proxy::ListenerRole role,
                                      net::PortUse use, bool is_tls, std::optional<uint16_t> port, bool held) {
  auto listener = common_.transport.Listen(
      address.host, port.value_or(address.port), use,
      [this, role, is_tls](std::unique_ptr<net::Stream> stream) { OnAccept(role, is_tls, std::move(stream)); });
  if (!listener) return base::Error{listener.error()};
  const uint16_t bound = (*listener)->port();
  if (held) (*listener)->PauseAccepting();
  auto& listeners = role == proxy::ListenerRole::kAdmin ? admin_listeners_ : is_tls ? tls_listeners_ : listeners_;
  listeners.push_back({address, std::move(*listener)});
  return bound;
}

void Worker::OnAccept(proxy::ListenerRole role, bool is_tls, std::unique_ptr<net::Stream> stream) {
  if (is_tls && context_->gateway.tls.server == nullptr) return;  // a reload has just taken the address away
  const auto& limits = context_->policy().gateway.limits;
  const bool is_trusted = proxy::IsTrusted(context_->policy().gateway.trusted_proxies, stream->peer().ip);
  std::optional<std::string> group;
  if (role != proxy::ListenerRole::kAdmin) {
    const int most = context_->gateway.MostConnections();
    if (context_->gateway.metrics.connections() >= most) {
      Refuse("connections", most, *stream);
      return;  // closed
    }
    if (limits.per_address && !is_trusted) {
      group = proxy::AddressGroup(stream->peer().ip);
      if (!context_->gateway.addresses.Add(*group, *limits.per_address)) {
        Refuse("per_address", *limits.per_address, *stream);
        return;
      }
    }
  }
  if (is_tls) {
    // Its observer is set by the connection, before anything can come.
    stream = context_->gateway.tls.server->Accept(context_->transport, std::move(stream), nullptr);
    // A handshake is work that a client gets for nothing: beyond the limit, clients wait in the kernel's backlog.
    if (++handshakes_ >= limits.handshakes) {
      for (const Listening& listening : tls_listeners_) listening.listener->PauseAccepting();
    }
  }
  auto connection = std::make_unique<proxy::ClientConnection>(
      *this, role, std::move(stream), is_trusted, std::make_shared<proxy::ConnectionPlace>(places_, std::move(group)), is_tls);
  proxy::ClientConnection* const key = connection.get();
  connections_.emplace(key, std::move(connection));
}

void Worker::Refuse(std::string_view limit, int value, const net::Stream& stream) {
  context_->metrics.CountBy(observe::LabelledCounter::kRefusedConnections, limit);
  observe::JsonLine line = context_->Event("warn", "connection refused: too many are open");
  line.Add("limit", limit).Add("value", static_cast<int64_t>(value)).Add("client", stream.peer().ip);
  context_->Log(line);
}

void Worker::OnHandshakeOver() {
  if (handshakes_-- < context_->policy().gateway.limits.handshakes) return;
  for (const Listening& listening : tls_listeners_) listening.listener->ResumeAccepting();
}

void Worker::OnConnectionOver(proxy::ClientConnection* connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  context_->transport.DeleteLater(std::move(found->second));
  connections_.erase(found);
  CheckDrained();
}

void Worker::StartLoad(proxy::WorkerContext& context, compiler::model::UpstreamId upstream, std::string model, std::function<void()> done) {
  loads_.push_back(std::make_unique<ModelLoad>(context, upstream, std::move(model), [this, done = std::move(done)](ModelLoad* over) {
    const auto found = std::find_if(loads_.begin(), loads_.end(), [over](const auto& load) { return load.get() == over; });
    common_.transport.DeleteLater(std::move(*found));
    loads_.erase(found);
    if (done != nullptr) done();
  }));
  loads_.back()->Start();
}

void Worker::WarmUp(const std::shared_ptr<proxy::GatewayState>& next, const std::vector<ColdModel>& models, std::function<void()> done) {
  const auto context = std::make_shared<proxy::WorkerContext>(next, common_, context_.get());  // each load keeps it
  auto left = std::make_shared<size_t>(models.size() + 1);
  const auto end_one = [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
  for (const ColdModel& cold : models) {
    engine::ModelLoads* const loads = next->objects.loads(cold.upstream);
    const auto entry = loads->Ask(cold.model, common_.transport.Now());
    if (entry.answer == engine::ModelLoads::Answer::kBegin) {
      StartLoad(*context, cold.upstream, cold.model, [loads, waiter = entry.waiter, end_one] {
        loads->Leave(waiter);
        end_one();
      });
    } else {
      if (entry.waiter != 0) loads->Leave(entry.waiter);
      end_one();
    }
  }
  end_one();
}

void Worker::DrainAfter(base::Duration delay, base::Duration limit, std::function<void()> done) {
  if (delay <= base::Duration::zero()) return Drain(limit, std::move(done));
  delayed_drain_ = [this, limit, done = std::move(done)] { Drain(limit, done); };
  drain_timer_ = common_.transport.NewTimer([this] { BeginDelayedDrain(); });
  drain_timer_->Set(common_.transport.Now() + delay);
}

void Worker::BeginDelayedDrain() {
  if (delayed_drain_ == nullptr) return;
  const auto drain = std::exchange(delayed_drain_, nullptr);
  const auto timer = std::move(drain_timer_);  // this may be its callback, and Drain makes another
  drain();
}

void Worker::Drain(base::Duration limit, std::function<void()> done) {
  listeners_.clear();
  tls_listeners_.clear();
  health_checks_.clear();
  keeps_warm_.clear();  // loads go on: somebody may wait for them
  std::vector<proxy::ClientConnection*> connections;
  connections.reserve(connections_.size());
  for (const auto& item : connections_) connections.push_back(item.first);
  for (proxy::ClientConnection* connection : connections) connection->Drain();
  for (auto& pool : context_->pools) pool->Clear();

  drained_ = std::move(done);
  drain_timer_ = context_->transport.NewTimer([this] { BreakOffAll("drain limit reached"); });
  drain_timer_->Set(context_->transport.Now() + limit);
  CheckDrained();
}

void Worker::BreakOffAll(std::string_view why) {
  observe::JsonLine line = context_->Event("warn", why);
  line.Add("broken_off", static_cast<int64_t>(connections_.size()));
  context_->Log(line);
  drained_by_ = context_->transport.Now() + proxy::kLinger;
  while (!connections_.empty()) connections_.begin()->first->BreakOff();
  CheckDrained();
}

void Worker::EndDrain() {
  BeginDelayedDrain();
  if (drained_ == nullptr || drained_by_) return;
  drain_timer_->Cancel();
  BreakOffAll("drain ended");
}

void Worker::CheckDrained() {
  if (drained_ == nullptr || !connections_.empty()) return;
  // Last answers are still on their way to clients. Each of them is bounded in time where nothing is read of it, all by drained_by_.
  const bool is_late = drained_by_ && context_->transport.Now() >= *drained_by_;
  if (context_->transport.closing_gracefully() > 0 && !is_late) {
    drain_poll_ = context_->transport.NewTimer([this] { CheckDrained(); });
    drain_poll_->Set(context_->transport.Now() + proxy::kDrainPoll);
    return;
  }
  drain_timer_->Cancel();
  const auto done = std::exchange(drained_, nullptr);
  done();
}

}  // namespace runtime::gateway
