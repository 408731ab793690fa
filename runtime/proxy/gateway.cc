#include "runtime/proxy/gateway.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

namespace runtime::proxy {
namespace {

size_t UsableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<size_t>(std::max(CPU_COUNT(&set), 1));
  return std::max(std::thread::hardware_concurrency(), 1U);
}

std::string_view Name(ListenerRole role) {
  switch (role) {
    case ListenerRole::kTraffic: return "traffic";
    case ListenerRole::kAdmin: return "admin";
    case ListenerRole::kShared: return "traffic and admin";
  }
  return "";
}

}  // namespace

Gateway::Gateway(std::shared_ptr<const compiler::CompiledPolicy> compiled, size_t workers, LineLog& events,
                 LineLog* access, uint64_t seed)
    : state_(std::move(compiled), workers, events, access, seed) {}

Gateway::~Gateway() {
  Drain();
  Join();
}

base::Result<std::unique_ptr<Gateway>> Gateway::Start(std::shared_ptr<const compiler::CompiledPolicy> compiled,
                                                      const GatewayOptions& options, LineLog& events, LineLog* access) {
  size_t workers = static_cast<size_t>(std::max(options.workers, 0));
  if (workers == 0) workers = static_cast<size_t>(std::max(compiled->policy.gateway.workers, 0));
  if (workers == 0) workers = UsableCpus();

  std::unique_ptr<Gateway> gateway(new Gateway(std::move(compiled), workers, events, access, options.seed));
  for (size_t i = 0; i < workers; ++i) {
    gateway->transports_.push_back(std::make_unique<net::UvTransport>());
    gateway->workers_.push_back(std::make_unique<Worker>(gateway->state_, *gateway->transports_.back(),
                                                         static_cast<int>(i), options.seed + i * 0x9e3779b97f4a7c15));
  }
  gateway->FitConnections();
  if (auto listening = gateway->ListenAll(); !listening) return base::Error{listening.error()};

  for (auto& transport : gateway->transports_) {
    gateway->threads_.emplace_back([&transport = *transport] { transport.Run(); });
  }
  gateway->state_.is_ready.store(true);
  JsonLine line = gateway->workers_.front()->context().Event("info", "ready");
  line.Add("workers", static_cast<int64_t>(workers)).Add("policy", gateway->state_.compiled->hash);
  if (!options.bundle.empty()) line.Add("bundle", options.bundle);
  gateway->workers_.front()->context().Log(line);
  return gateway;
}

base::Result<bool> Gateway::ListenAll() {
  const auto& settings = state_.policy().gateway;
  bool admin_is_shared = false;
  for (const auto& address : settings.listen) {
    const bool is_shared = settings.admin && *settings.admin == address;
    admin_is_shared = admin_is_shared || is_shared;
    const ListenerRole role = is_shared ? ListenerRole::kShared : ListenerRole::kTraffic;
    uint16_t port = address.port;
    if (port != 0) {  // shared ports would let a second gateway in unseen: first see that nobody else is there
      auto probe = transports_.front()->Listen(address.host, port, /*shared_port=*/false, [](auto) {});
      if (!probe) return base::Error{probe.error()};  // it names the address
    }
    for (auto& worker : workers_) {  // every loop listens on the port by itself; the kernel spreads connections
      auto bound = worker->Listen({address.host, port}, role, /*shared_port=*/true);
      if (!bound) return base::Error{bound.error()};
      port = *bound;
    }
    LogListening(address, port, role);
  }
  if (!settings.admin || admin_is_shared) return true;
  auto bound = workers_.front()->Listen(*settings.admin, ListenerRole::kAdmin, /*shared_port=*/false);
  if (bound) {
    LogListening(*settings.admin, *bound, ListenerRole::kAdmin);
    return true;
  }
  if (!settings.admin_is_default) {
    return base::Error{"the admin address: " + bound.error()};
  }
  JsonLine line = workers_.front()->context().Event("warn", "no admin address");
  line.Add("address", settings.admin->ToString())
      .Add("reason", bound.error())
      .Add("help", "health and metrics are not served; write admin = \"host:port\" or admin = off in gateway { }");
  workers_.front()->context().Log(line);
  return true;
}

void Gateway::LogListening(const compiler::model::ListenAddress& address, uint16_t port, ListenerRole role) {
  JsonLine line = workers_.front()->context().Event("info", "listening");
  line.Add("address", compiler::model::ListenAddress{address.host, port}.ToString()).Add("role", Name(role));
  workers_.front()->context().Log(line);
}

void Gateway::Drain() {
  if (state_.is_draining.exchange(true)) return;
  if (threads_.empty()) return;
  state_.is_ready.store(false);
  JsonLine line = workers_.front()->context().Event("info", "draining");
  line.AddMillis("limit_ms", state_.policy().gateway.drain.count());
  workers_.front()->context().Log(line);
  // All loops stop together: the admin address is served by one of them and must answer until the last request has ended.
  draining_workers_.store(workers_.size());
  for (size_t i = 0; i < workers_.size(); ++i) {
    transports_[i]->Post([this, i] {
      workers_[i]->Drain(state_.policy().gateway.drain, [this] {
        if (draining_workers_.fetch_sub(1) > 1) return;
        is_over_.store(true);
        for (const auto& transport : transports_) transport->Stop();
      });
    });
  }
}

void Gateway::EndDrain() {
  if (!state_.is_draining.load()) return;
  for (size_t i = 0; i < workers_.size(); ++i) {
    transports_[i]->Post([this, i] { workers_[i]->EndDrain(); });
  }
}

// Each request may need a socket towards the client and one towards an upstream; without them one would be taken for a failure of the
// other.
void Gateway::FitConnections() {
  constexpr int64_t kOwn = 32;            // listeners, logs, names
  constexpr int64_t kOwnOfWorker = 8;
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return;
  const int64_t left = static_cast<int64_t>(files.rlim_cur) - kOwn - kOwnOfWorker * static_cast<int64_t>(workers_.size());
  const int64_t fit = std::max<int64_t>(left / 2, 1);
  const int wanted = state_.policy().gateway.limits.connections;
  if (fit >= wanted) return;
  state_.connections_that_fit.store(static_cast<int>(fit));
  JsonLine line = workers_.front()->context().Event("warn", "fewer connections than limits.connections");
  line.Add("connections", fit).Add("wanted", static_cast<int64_t>(wanted)).Add("open_files", static_cast<int64_t>(files.rlim_cur))
      .Add("help", "raise the limit of open files of the process (ulimit -n, LimitNOFILE), or lower gateway.limits.connections");
  workers_.front()->context().Log(line);
}

void Gateway::Join() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace runtime::proxy
