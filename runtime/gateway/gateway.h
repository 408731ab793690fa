// The gateway: its shared state, one worker for each loop and thread, start and drain. `breakwater run` is a thin shell
// around this.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/gateway/state_keeper.h"
#include "runtime/gateway/worker.h"
#include "runtime/net/uv_transport.h"
#include "runtime/observe/line_log.h"
#include "runtime/proxy/gateway_state.h"

namespace runtime::gateway {

struct GatewayOptions {
  int workers = 0;            // 0: the policy's setting, else as many as CPUs may be used
  uint64_t seed = 0;          // of request ids and jitter
  std::string file;           // where the policy came from, and
  std::string version;        // of the program: for people
  std::function<void()> stop; // what the admin action `stop` calls, on a loop; null: it is refused
  std::string bundle;         // "unsigned" or "signed", for people; "": the policy came as text
};

class Gateway {
 public:
  // Listens, then starts the threads. An address that can't be bound is an error that names it, and so is a certificate that can't be
  // used; only the default admin address is merely logged. The logs must outlive the gateway.
  static base::Result<std::unique_ptr<Gateway>> Start(std::shared_ptr<const compiler::CompiledPolicy> compiled,
                                                      const GatewayOptions& options, observe::LineLog& events, observe::LineLog* access);
  ~Gateway();

  // From now on this policy is in force. Requests that are under way end under the one that they began with; what is known of upstreams,
  // caches and counts goes on, by name; new addresses are listened on before anything changes, those that are gone are closed. The same
  // policy again reads its certificates anew. An error says why everything stays as it was. Any thread but a loop's; returns once every
  // loop has it.
  // `warms`: first, models are loaded (warm_up.h), each within its upstream's cold_load; a server that is down delays nothing, and what can't
  // be loaded comes in cold. Meanwhile `meanwhile` is called now and then.
  base::Result<bool> Reload(std::shared_ptr<const compiler::CompiledPolicy> next, bool warms = false,
                            const std::function<void()>& meanwhile = nullptr);

  // Digests of the files of certificates, as they are now and as they are in use.
  std::string CertificateFiles() const { return proxy::TlsFingerprint(state()->policy()); }
  std::string certificates_in_use() const { return state()->tls.fingerprint; }

  // Policies that are still held: 1, or more while requests go on under older ones. Frees what nobody holds any more; call it now and
  // then.
  size_t policies_alive();

  // Whether every loop has turned since the last call; asks each to turn once more. For a watchdog. One thread.
  bool EveryLoopTurned();

  // For the counter of reloads.
  void CountReload(bool is_good);

  // The policy in force.
  std::shared_ptr<const compiler::CompiledPolicy> policy() const { return state()->compiled; }
  // What outlives the policies.
  proxy::GatewayCommon& common() { return *common_; }

  // Says not ready, goes on accepting for the policy's `drain_delay`, then finishes what is under way within its `drain` and stops.
  // Thread-safe; returns at once. A second call is ignored.
  void Drain();
  // While draining: breaks off what is under way. Thread-safe; returns at once.
  void EndDrain();
  bool is_draining() const { return common_->is_draining.load(); }
  // Whether every worker has stopped.
  bool is_over() const { return is_over_.load(); }
  // Waits until every worker has stopped.
  void Join();

 private:
  Gateway(std::shared_ptr<proxy::GatewayState> state, uint64_t seed);

  struct Address {
    compiler::model::ListenAddress address;
    proxy::ListenerRole role = proxy::ListenerRole::kTraffic;
    bool is_tls = false;

    bool operator==(const Address&) const = default;
  };
  static std::vector<Address> AddressesOf(const compiler::model::Policy& policy);

  std::shared_ptr<proxy::GatewayState> state() const;
  base::Result<bool> ListenAll();
  void FitConnections();
  // On the loops if they run.
  base::Result<uint16_t> ListenOn(const Address& address, bool held);
  void StopListening(const Address& address);
  base::Result<bool> ListenToNew(const compiler::model::Policy& next);
  void SetTlsPort();
  void MakeToken();
  // Runs it on the loop of a worker and waits for that. False: the loop has stopped.
  bool OnLoop(size_t worker, std::function<void()> task);
  // The models that are there now.
  std::vector<ColdModel> WarmUp(const std::shared_ptr<proxy::GatewayState>& next, const proxy::GatewayState& before,
                                const std::function<void()>& meanwhile);
  void DropRetired();
  void TellMetrics();
  observe::JsonLine Event(std::string_view level, std::string_view message) const;
  void Log(observe::JsonLine& line) const { common_->events.Write(line.Finish()); }
  void LogListening(const Address& address, uint16_t port);
  void LogCertificates();
  void StartKeeper();

  const std::shared_ptr<proxy::GatewayCommon> common_;
  mutable std::mutex state_mutex_;
  std::shared_ptr<proxy::GatewayState> state_;  // guarded by state_mutex_
  std::mutex reload_mutex_;              // one at a time
  uint64_t seed_;
  std::vector<std::shared_ptr<proxy::GatewayState>> retired_;   // still held by requests; freed here, not on a loop
  std::vector<std::pair<Address, uint16_t>> listening_;  // and the port that the system chose
  std::vector<std::unique_ptr<net::UvTransport>> transports_;
  size_t traffic_workers_ = 0;
  // Those, and behind them one for an admin address of its own: no request waits while a scrape is written.
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  uint16_t admin_port_ = 0;  // of an admin address of its own; 0: there is none
  std::string token_file_;   // removed at the end
  std::unique_ptr<StateKeeper> keeper_;  // null: no `state`, or it can't be kept
  std::atomic<size_t> turned_{0};
  bool asked_to_turn_ = false;
  std::atomic<size_t> draining_workers_{0};
  std::atomic<bool> is_over_{false};
};

}  // namespace runtime::gateway
