// A connection is two endpoints and, for each direction, the segments on their way. The owner's objects (SimStream …) are
// thin: the connection lives as long as an event or an owner holds it.
#include "runtime/net/sim/sim_transport.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "runtime/net/sim/sim_connection.h"

namespace runtime::sim {

using net::Deletable;
using net::Listener;
using net::Resolution;
using net::ResolveResult;
using net::Stream;
using net::StreamObserver;
using net::Timer;
using net::Transport;
using net::WallTime;

namespace {

using sim_internal::Connection;
using sim_internal::Endpoint;
using sim_internal::ListenerState;

bool IsNumeric(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

class SimStream final : public Stream {
 public:
  SimStream(std::shared_ptr<Connection> connection, int which) : connection_(std::move(connection)), which_(which) {}
  ~SimStream() override {
    end().observer = nullptr;
    end().owned = false;
    connection_->Close(which_, false);
  }
  void SetObserver(StreamObserver* observer) override { end().observer = observer; }
  void Write(std::span<const std::string_view> pieces) override { connection_->Write(which_, pieces); }
  size_t queued_bytes() const override { return connection_->ends[which_].queue.size(); }
  void PauseReading() override { end().paused = true; }
  void ResumeReading() override {
    if (!std::exchange(end().paused, false)) return;
    connection_->PlanDelivery(which_);
  }
  void FinishWriting() override {
    end().finish_asked = true;
    connection_->Pump(which_);
  }
  void Reset() override { connection_->Close(which_, true); }
  const Address& peer() const override { return connection_->ends[which_].peer; }
  net::Unread Look() const override {
    const Endpoint& mine = connection_->ends[which_];
    if (mine.dead || mine.saw_end || mine.peer_reset) return net::Unread::kEnd;
    if (mine.inbound.empty() || mine.inbound.front().arrival > connection_->network->now()) return net::Unread::kNothing;
    return mine.inbound.front().kind == sim_internal::Segment::Kind::kData ? net::Unread::kBytes : net::Unread::kEnd;
  }
  bool is_dead() const override { return connection_->ends[which_].dead; }
  bool saw_end() const override { return connection_->ends[which_].saw_end; }
  Endpoint& end() { return connection_->ends[which_]; }

 private:
  std::shared_ptr<Connection> connection_;
  int which_;
};

class SimListener final : public Listener {
 public:
  SimListener(SimNetwork* network, std::shared_ptr<ListenerState> state) : network_(network), state_(std::move(state)) {}
  ~SimListener() override {
    state_->open = false;
    state_->backlog.clear();
  }
  uint16_t port() const override { return state_->port; }
  void PauseAccepting() override { state_->paused = true; }
  void ResumeAccepting() override {
    if (!std::exchange(state_->paused, false)) return;
    while (!state_->backlog.empty() && !state_->paused && state_->open) {
      const auto next = std::move(state_->backlog.front());
      state_->backlog.pop_front();
      network_->Soon([state = state_, next] {
        if (state->open) next();
      });
    }
  }

 private:
  SimNetwork* network_;
  std::shared_ptr<ListenerState> state_;
};

class SimTimer final : public Timer {
 public:
  SimTimer(SimNetwork* network, std::function<void()> on_fire) : network_(network), state_(std::make_shared<State>()) {
    state_->on_fire = std::move(on_fire);
  }
  ~SimTimer() override { Cancel(); }
  void Set(TimePoint when) override {
    const uint64_t generation = ++state_->generation;
    network_->At(when, [state = state_, generation] {
      if (state->generation != generation) return;
      ++state->generation;
      state->on_fire();
    });
  }
  void Cancel() override { ++state_->generation; }

 private:
  struct State {
    std::function<void()> on_fire;
    uint64_t generation = 0;
  };
  SimNetwork* network_;
  std::shared_ptr<State> state_;
};

class SimResolution final : public Resolution {
 public:
  explicit SimResolution(std::shared_ptr<bool> wanted) : wanted_(std::move(wanted)) {}
  ~SimResolution() override { *wanted_ = false; }

 private:
  std::shared_ptr<bool> wanted_;
};

// A stream on its way out: see Transport::CloseGracefully.
class SimLinger final : public StreamObserver, public Deletable {
 public:
  SimLinger(SimTransport* transport, std::unique_ptr<Stream> stream, Duration limit,
            std::function<void(Deletable*)> done)
      : transport_(transport), stream_(std::move(stream)), limit_(limit), done_(std::move(done)) {
    timer_ = transport->NewTimer([this] { OnTimer(); });
    stream_->SetObserver(this);
    stream_->FinishWriting();
    stream_->ResumeReading();
    last_queued_ = stream_->queued_bytes();
    timer_->Set(transport->Now() + limit);
  }
  bool is_over() { return stream_->is_dead() || (stream_->saw_end() && stream_->queued_bytes() == 0); }

  void OnData(std::string_view) override {}
  void OnEnd() override {
    if (is_over()) Finish();
  }
  void OnError(NetError) override { Finish(); }
  void OnWriteDrained() override {
    last_queued_ = 0;
    if (is_over()) {
      Finish();
    } else {
      timer_->Set(transport_->Now() + limit_);
    }
  }

 private:
  void OnTimer() {
    if (stream_->queued_bytes() < last_queued_) {
      last_queued_ = stream_->queued_bytes();
      timer_->Set(transport_->Now() + limit_);
      return;
    }
    Finish();
  }
  void Finish() {
    timer_->Cancel();
    stream_->SetObserver(nullptr);
    done_(this);
  }

  SimTransport* transport_;
  std::unique_ptr<Stream> stream_;
  Duration limit_;
  std::function<void(Deletable*)> done_;
  std::unique_ptr<Timer> timer_;
  size_t last_queued_ = 0;
};

}  // namespace

SimNetwork::SimNetwork(uint64_t seed, SimOptions options) : options_(options), random_(seed) {
  SetName("localhost", {"127.0.0.1"});
}

SimNetwork::~SimNetwork() {
  graveyard_.clear();
  while (!events_.empty()) events_.pop();
}

void SimNetwork::SetName(const std::string& name, std::vector<std::string> ips, Duration delay) {
  names_[name] = {std::move(ips), NetError::kNameNotFound, delay};
}

void SimNetwork::FailName(const std::string& name, NetError error, Duration delay) {
  names_[name] = {{}, error, delay};
}

void SimNetwork::SetRoute(const std::string& ip, uint16_t port, Route route) { routes_[{ip, port}] = route; }

SimNetwork::Route SimNetwork::RouteTo(const Address& address) const {
  for (const std::string& ip : {address.ip, std::string()}) {
    if (const auto found = routes_.find({ip, address.port}); found != routes_.end()) return found->second;
  }
  return router_ ? router_(address) : Route::kNormal;
}

ListenerState* SimNetwork::ListenerFor(const Address& address) {
  std::erase_if(listeners_, [](const auto& listener) { return !listener->open; });
  std::vector<ListenerState*> candidates;
  for (const auto& listener : listeners_) {
    if (listener->port == address.port && (listener->ip.empty() || listener->ip == address.ip))
      candidates.push_back(listener.get());
  }
  return candidates.empty() ? nullptr : candidates[random_.Below(candidates.size())];
}

void SimNetwork::ResetConnectionsTo(const Address& server) {
  for (const std::weak_ptr<Connection>& weak : std::vector(connections_)) {
    const std::shared_ptr<Connection> connection = weak.lock();
    if (connection == nullptr || connection->server != server || !connection->ends[1].connected) continue;
    for (const int which : {0, 1}) {
      connection->ends[which].peer_reset = true;
      At(now_ + Latency(), [connection, which] {
        connection->ends[which].inbound.clear();
        connection->ends[which].inbound_bytes = 0;
        connection->Fail(which, NetError::kReset);
      });
    }
  }
}

size_t SimNetwork::open_connections() const {
  return static_cast<size_t>(std::count_if(connections_.begin(), connections_.end(), [](const auto& weak) {
    const auto connection = weak.lock();
    return connection != nullptr && connection->is_open();
  }));
}

void SimNetwork::At(TimePoint time, std::function<void()> task) {
  events_.push({std::max(time, now_), next_order_++, std::move(task)});
}

Duration SimNetwork::Latency() {
  const auto spread = static_cast<uint64_t>((options_.latency_most - options_.latency_least).count());
  return options_.latency_least + Duration(static_cast<int64_t>(random_.Below(spread + 1)));
}

bool SimNetwork::RunOne(TimePoint until) {
  if (events_.empty() || events_.top().time > until) return false;
  const Event event = events_.top();
  events_.pop();
  now_ = std::max(now_, event.time);  // later where the machine slept over it
  event.task();
  while (!graveyard_.empty()) {
    const auto dead = std::exchange(graveyard_, {});
  }
  return true;
}

bool SimNetwork::RunUntil(const std::function<bool()>& condition, Duration at_most) {
  const TimePoint until = now_ + at_most;
  while (!condition()) {
    if (RunOne(until)) continue;
    now_ = until;
    return condition();
  }
  return true;
}

void SimNetwork::AdvanceTo(TimePoint time) {
  while (RunOne(time)) {
  }
  now_ = std::max(now_, time);
}

SimTransport::SimTransport(SimNetwork* network, std::string ip) : network_(network), ip_(std::move(ip)) {}
SimTransport::~SimTransport() {
  *alive_ = false;
  lingering_.clear();
}

TimePoint SimTransport::Now() const { return network_->now(); }

WallTime SimTransport::WallNow() const {
  return WallTime(std::chrono::seconds(1'700'000'000)) + network_->now().time_since_epoch() + network_->wall_offset_;
}

base::Result<std::unique_ptr<Listener>> SimTransport::Listen(const std::string& host, uint16_t port, net::PortUse use,
                                                             AcceptCallback on_accept) {
  std::string ip = host;
  if (host == "0.0.0.0" || host == "::") {
    ip.clear();
  } else if (!IsNumeric(host)) {
    const auto found = network_->names_.find(host);
    if (found == network_->names_.end() || found->second.ips.empty()) {
      return base::Error{"can't listen on " + host + ": the name was not found"};
    }
    ip = found->second.ips.front();
  }
  auto state = std::make_shared<ListenerState>();
  state->ip = ip;
  state->port = port != 0 ? port : network_->next_port_++;
  state->shared = use != net::PortUse::kAlone;
  state->on_accept = std::move(on_accept);
  for (const auto& other : network_->listeners_) {
    if (other->open && other->port == state->port && (other->ip == ip || other->ip.empty() || ip.empty()) &&
        !(other->shared && use == net::PortUse::kMore)) {
      return base::Error{"can't listen on " + host + " port " + std::to_string(state->port) + ": the port is taken"};
    }
  }
  network_->listeners_.push_back(state);
  return std::unique_ptr<Listener>(std::make_unique<SimListener>(network_, std::move(state)));
}

std::unique_ptr<Stream> SimTransport::Connect(const Address& address, StreamObserver* observer) {
  SimNetwork* network = network_;
  auto connection = std::make_shared<Connection>(network);
  if (network->connections_.size() >= network->prune_connections_at_) {
    std::erase_if(network->connections_, [](const auto& weak) { return weak.expired(); });
    network->prune_connections_at_ = 64 + 2 * network->connections_.size();
  }
  network->connections_.push_back(connection);
  connection->server = address;
  Endpoint& client = connection->ends[0];
  Endpoint& server = connection->ends[1];
  client.observer = observer;
  client.peer = address;
  server.dead = true;  // until it is accepted
  server.peer = {ip_, network->next_port_++};
  auto stream = std::make_unique<SimStream>(connection, 0);
  if (!IsNumeric(address.ip)) {
    network->Soon([connection] { connection->Fail(0, NetError::kOther); });
    return stream;
  }
  network->At(network->now() + network->Latency(), [network, connection, address] {
    Endpoint& c = connection->ends[0];
    Endpoint& s = connection->ends[1];
    const SimNetwork::Route route = network->RouteTo(address);
    if (c.dead || route == SimNetwork::Route::kBlackHole) return;
    ListenerState* listener = route == SimNetwork::Route::kNormal ? network->ListenerFor(address) : nullptr;
    const TimePoint answer = network->now() + network->Latency();
    if (listener == nullptr) {
      const NetError error = route == SimNetwork::Route::kUnreachable ? NetError::kUnreachable
                             : route == SimNetwork::Route::kNoAddress  ? NetError::kNameNotFound
                                                                       : NetError::kRefused;
      network->At(answer, [connection, error] { connection->Fail(0, error); });
      return;
    }
    s.dead = false;
    s.connected = true;
    c.last_arrival = answer;
    network->At(answer, [connection] {
      Endpoint& end = connection->ends[0];
      if (end.dead) {  // gave up while the SYN was on its way
        connection->Send(0, sim_internal::Segment::Kind::kRst, "");
        return;
      }
      end.connected = true;
      const bool had_queue = !end.queue.empty();
      connection->Pump(0);
      connection->PlanDelivery(0);
      if (had_queue && end.queue.empty()) {
        connection->network->Soon([connection] {
          Endpoint& e = connection->ends[0];
          if (!e.dead && e.observer != nullptr && e.queue.empty()) e.observer->OnWriteDrained();
        });
      }
      if (end.observer != nullptr) end.observer->OnConnected();
    });
    const Transport::AcceptCallback on_accept = listener->on_accept;  // the callback may destroy the listener
    if (listener->paused) {
      listener->backlog.push_back([on_accept, connection] { on_accept(std::make_unique<SimStream>(connection, 1)); });
      return;
    }
    on_accept(std::make_unique<SimStream>(connection, 1));
  });
  return stream;
}

std::unique_ptr<Resolution> SimTransport::Resolve(const std::string& host, uint16_t port, ResolveCallback done) {
  auto wanted = std::make_shared<bool>(true);
  Duration delay{};
  if (!IsNumeric(host)) {
    ++look_ups_;
    if (const auto found = network_->names_.find(host); found != network_->names_.end()) delay = found->second.delay;
  }
  network_->At(network_->now() + delay, [network = network_, wanted, host, port, done = std::move(done)] {
    if (!*wanted) return;
    ResolveResult result;
    if (IsNumeric(host)) {
      result.addresses.push_back({host, port});
    } else if (const auto found = network->names_.find(host); found != network->names_.end()) {
      for (const std::string& ip : found->second.ips) result.addresses.push_back({ip, port});
      result.error = found->second.error;
    }
    done(std::move(result));
  });
  return std::make_unique<SimResolution>(std::move(wanted));
}

std::unique_ptr<Timer> SimTransport::NewTimer(std::function<void()> on_fire) {
  return std::make_unique<SimTimer>(network_, std::move(on_fire));
}

void SimTransport::CloseGracefully(std::unique_ptr<Stream> stream, Duration limit, std::shared_ptr<void> holds) {
  if (stream == nullptr || stream->is_dead()) return;
  auto linger = std::make_unique<SimLinger>(this, std::move(stream), limit, [this, holds = std::move(holds)](Deletable* self) {
    DeleteLater(std::move(lingering_.extract(self).mapped()));
  });
  if (linger->is_over()) return;
  Deletable* key = linger.get();
  lingering_.emplace(key, std::move(linger));
}

void SimTransport::DeleteLater(std::unique_ptr<Deletable> object) { network_->graveyard_.push_back(std::move(object)); }

void SimTransport::Post(std::function<void()> task) {
  network_->Soon([alive = alive_, task = std::move(task)] {
    if (*alive) task();
  });
}

void SimTransport::Run() {
  stopped_ = false;
  network_->RunUntil([this] { return stopped_; }, std::chrono::hours(24 * 365));
}

void SimTransport::Stop() { stopped_ = true; }

}  // namespace runtime::sim
