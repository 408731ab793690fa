// The gateway: its shared state, one worker for each loop and thread, start and drain. `breakwater run` is a thin shell
// around this.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/result.h"
#include "runtime/net/uv_transport.h"
#include "runtime/proxy/gateway_state.h"
#include "runtime/proxy/worker.h"

namespace runtime::proxy {

struct GatewayOptions {
  int workers = 0;            // 0: the policy's setting, else as many as CPUs may be used
  uint64_t seed = 0;          // of request ids and jitter
  std::string bundle;         // "unsigned" or "signed", for people; "": the policy came as text
};

class Gateway {
 public:
  // Listens, then starts the threads. An address that can't be bound is an error that names it; only the default admin
  // address is merely logged. The logs must outlive the gateway.
  static base::Result<std::unique_ptr<Gateway>> Start(std::shared_ptr<const compiler::CompiledPolicy> compiled,
                                                      const GatewayOptions& options, LineLog& events, LineLog* access);
  ~Gateway();

  // Says not ready, stops accepting, finishes what is under way within the policy's `drain`, then stops. Thread-safe;
  // returns at once. A second call is ignored.
  void Drain();
  // While draining: breaks off what is under way. Thread-safe; returns at once.
  void EndDrain();
  // Whether every worker has stopped.
  bool is_over() const { return is_over_.load(); }
  // Waits until every worker has stopped.
  void Join();

 private:
  Gateway(std::shared_ptr<const compiler::CompiledPolicy> compiled, size_t workers, LineLog& events, LineLog* access,
          uint64_t seed);

  base::Result<bool> ListenAll();
  void FitConnections();
  void LogListening(const compiler::model::ListenAddress& address, uint16_t port, ListenerRole role);

  GatewayState state_;
  std::vector<std::unique_ptr<net::UvTransport>> transports_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::atomic<size_t> draining_workers_{0};
  std::atomic<bool> is_over_{false};
};

}  // namespace runtime::proxy
