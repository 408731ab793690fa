// An in-memory network with a virtual clock: the real proxy runs on it without sockets, sleeping or luck. A SimNetwork is
// the world (clock, names, addresses, faults); each SimTransport in it is one process or worker loop.
//
// Everything happens in one thread, in events ordered by virtual time; a seed repeats a run byte for byte. What TCP does
// that matters to a proxy is kept: bytes arrive late and in pieces, a full window holds the writer back, closing with
// unread bytes is a reset, a paused reader sees neither FIN nor RST.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "base/random.h"
#include "runtime/net/transport.h"

namespace runtime::sim {

using base::Duration;
using base::TimePoint;
using net::Address;
using net::NetError;

struct SimOptions {
  Duration latency_least = std::chrono::microseconds(50);
  Duration latency_most = std::chrono::microseconds(200);  // of one way, drawn for each write
  size_t window = 256 << 10;  // bytes in flight or unread in one direction; more are queued at the writer
  size_t piece = 0;           // bytes are delivered in pieces of 1 … piece; 0: as they were written
};

namespace sim_internal {
struct Connection;
struct ListenerState;
}  // namespace sim_internal

class SimNetwork {
 public:
  explicit SimNetwork(uint64_t seed, SimOptions options = {});
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  TimePoint now() const { return now_; }
  void set_options(const SimOptions& options) { options_ = options; }
  const SimOptions& options() const { return options_; }

  // Names. Unknown ones are not found; "localhost" is 127.0.0.1. May change at any time, also under a running look-up.
  void SetName(const std::string& name, std::vector<std::string> ips, Duration delay = {});
  void FailName(const std::string& name, NetError error, Duration delay = {});

  // Addresses. Where nobody listens a connection is refused. `ip` may be "" for every address.
  // kBlackHole: a SYN is never answered. kNoAddress: as if the name that led there had none any more.
  enum class Route { kNormal, kBlackHole, kUnreachable, kRefused, kNoAddress };
  void SetRoute(const std::string& ip, uint16_t port, Route route);
  // Asked about each connection when its SYN arrives, where no SetRoute says anything; null: kNormal. If it says so, the listener's
  // callback follows before anything else happens.
  void SetRouter(std::function<Route(const Address& server)> router) { router_ = std::move(router); }

  // Every connection to that address is reset on both sides, as when the process behind it is killed.
  void ResetConnectionsTo(const Address& server);
  size_t open_connections() const;

  // Runs events in order of time. RunUntil returns whether the condition became true before `at_most` had passed; the
  // clock stands at the event that made it true. AdvanceTo and RunFor end exactly at their time.
  bool RunUntil(const std::function<bool()>& condition, Duration at_most = std::chrono::hours(1));
  void RunFor(Duration duration) { AdvanceTo(now_ + duration); }
  void AdvanceTo(TimePoint time);
  // Somebody sets the clock on the wall, or a machine with a wrong one hears of the right time.
  void StepWall(Duration by) { wall_offset_ += by; }
  // The machine is suspended: that much later nothing has happened yet, and everything that was due happens now.
  void Suspend(Duration duration) { now_ += duration; }

  // For SimTransport and its objects.
  void At(TimePoint time, std::function<void()> task);
  void Soon(std::function<void()> task) { At(now_, std::move(task)); }
  Duration Latency();

 private:
  friend class SimTransport;
  friend struct sim_internal::Connection;
  struct Event {
    TimePoint time;
    uint64_t order;
    std::function<void()> task;
    bool operator<(const Event& other) const {  // the earliest on top
      return time != other.time ? time > other.time : order > other.order;
    }
  };
  struct NameEntry {
    std::vector<std::string> ips;
    NetError error = NetError::kNameNotFound;
    Duration delay{};
  };

  bool RunOne(TimePoint until);
  Route RouteTo(const Address& address) const;
  sim_internal::ListenerState* ListenerFor(const Address& address);

  SimOptions options_;
  base::Random random_;
  TimePoint now_{std::chrono::seconds(1000)};  // not 0: code that takes 0 for "never" shows
  Duration wall_offset_{};
  uint64_t next_order_ = 0;
  uint16_t next_port_ = 20000;
  std::priority_queue<Event> events_;
  std::map<std::string, NameEntry> names_;
  std::map<std::pair<std::string, uint16_t>, Route> routes_;
  std::function<Route(const Address&)> router_;
  std::vector<std::shared_ptr<sim_internal::ListenerState>> listeners_;
  std::vector<std::weak_ptr<sim_internal::Connection>> connections_;
  size_t prune_connections_at_ = 64;
  std::vector<std::unique_ptr<net::Deletable>> graveyard_;
};

// The network must outlive it.
class SimTransport final : public net::Transport {
 public:
  // `ip`: what peers see of its connections.
  explicit SimTransport(SimNetwork* network, std::string ip = "127.0.0.1");
  ~SimTransport() override;

  TimePoint Now() const override;
  net::WallTime WallNow() const override;
  base::Result<std::unique_ptr<net::Listener>> Listen(const std::string& host, uint16_t port, net::PortUse use,
                                                      AcceptCallback on_accept) override;
  std::unique_ptr<net::Stream> Connect(const Address& address, net::StreamObserver* observer) override;
  std::unique_ptr<net::Resolution> Resolve(const std::string& host, uint16_t port, ResolveCallback done) override;
  std::unique_ptr<net::Timer> NewTimer(std::function<void()> on_fire) override;
  using Transport::CloseGracefully;
  void CloseGracefully(std::unique_ptr<net::Stream> stream, Duration limit, std::shared_ptr<void> holds) override;
  size_t closing_gracefully() const override { return lingering_.size(); }
  void DeleteLater(std::unique_ptr<net::Deletable> object) override;
  void Post(std::function<void()> task) override;  // from the one thread
  void Run() override;                             // the whole network, until Stop of this transport
  void Stop() override;

  size_t look_ups() const { return look_ups_; }  // Resolve calls for names so far

 private:
  SimNetwork* network_;
  std::string ip_;
  bool stopped_ = false;
  size_t look_ups_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::map<net::Deletable*, std::unique_ptr<net::Deletable>> lingering_;
};

}  // namespace runtime::sim
