#include "runtime/gateway/gateway.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <string>
#include <utility>

#include "runtime/gateway/fixed_settings.h"
#include "runtime/proxy/admin_token.h"

namespace runtime::gateway {
namespace {

size_t UsableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<size_t>(std::max(CPU_COUNT(&set), 1));
  return std::max(std::thread::hardware_concurrency(), 1U);
}

std::string_view Name(proxy::ListenerRole role) {
  switch (role) {
    case proxy::ListenerRole::kTraffic: return "traffic";
    case proxy::ListenerRole::kAdmin: return "admin";
    case proxy::ListenerRole::kShared: return "traffic and admin";
  }
  return "";
}

}  // namespace

Gateway::Gateway(std::shared_ptr<proxy::GatewayState> state, uint64_t seed)
    : common_(state->common), state_(std::move(state)), seed_(seed) {}

Gateway::~Gateway() {
  Drain();
  Join();
}

std::shared_ptr<proxy::GatewayState> Gateway::state() const {
  std::lock_guard lock(state_mutex_);
  return state_;
}

base::Result<std::unique_ptr<Gateway>> Gateway::Start(std::shared_ptr<const compiler::CompiledPolicy> compiled,
                                                      const GatewayOptions& options, observe::LineLog& events, observe::LineLog* access) {
  size_t workers = static_cast<size_t>(std::max(options.workers, 0));
  if (workers == 0) workers = static_cast<size_t>(std::max(compiled->policy.gateway.workers, 0));
  if (workers == 0) workers = UsableCpus();

  auto tls = proxy::MakeTls(compiled->policy, net::WallTime(std::chrono::system_clock::now()), nullptr, nullptr);
  if (!tls) return base::Error{tls.error()};
  auto state =
      std::make_shared<proxy::GatewayState>(std::move(compiled), workers + 1, events, access, options.seed, std::move(*tls));
  std::unique_ptr<Gateway> gateway(new Gateway(state, options.seed));
  gateway->common_->stop = options.stop;
  gateway->traffic_workers_ = workers;
  const auto& settings = state->policy().gateway;
  const bool has_own_admin = settings.admin && std::find(settings.listen.begin(), settings.listen.end(), *settings.admin) == settings.listen.end();
  for (size_t i = 0; i < workers + (has_own_admin ? 1 : 0); ++i) {
    gateway->transports_.push_back(std::make_unique<net::UvTransport>());
    gateway->workers_.push_back(std::make_unique<Worker>(state, *gateway->transports_.back(), static_cast<int>(i),
                                                         options.seed + i * 0x9e3779b97f4a7c15));
  }
  gateway->FitConnections();
  if (auto listening = gateway->ListenAll(); !listening) return base::Error{listening.error()};
  gateway->LogCertificates();
  state->since = gateway->transports_.front()->Now();
  state->since_wall = gateway->transports_.front()->WallNow();
  gateway->TellMetrics();
  gateway->StartKeeper();

  for (auto& transport : gateway->transports_) {
    gateway->threads_.emplace_back([&transport = *transport] { transport.Run(); });
  }
  if (gateway->keeper_ != nullptr) gateway->keeper_->Begin();
  gateway->common_->is_ready.store(true);
  observe::JsonLine line = gateway->Event("info", "ready");
  line.Add("workers", static_cast<int64_t>(workers)).Add("policy", state->compiled->hash);
  if (!options.file.empty()) line.Add("file", options.file);
  if (!options.version.empty()) line.Add("version", options.version);
  if (!options.bundle.empty()) line.Add("bundle", options.bundle);
  gateway->Log(line);
  return gateway;
}

void Gateway::StartKeeper() {
  const std::string& path = state_->policy().gateway.state_path;
  if (path.empty()) return;
  StateKeeper::World world;
  world.keep = [this] { return state()->objects.Keep(); };
  world.now = [this] { return MomentOf(transports_.front()->Now(), transports_.front()->WallNow()); };
  world.event = [this](std::string_view level, std::string_view message) { return Event(level, message); };
  world.log = [this](observe::JsonLine& line) { Log(line); };
  keeper_ = StateKeeper::Start(path, &state_->objects, std::move(world));
}

// ---- Addresses ------------------------------------------------------------------------------------------------------

std::vector<Gateway::Address> Gateway::AddressesOf(const compiler::model::Policy& policy) {
  const auto& settings = policy.gateway;
  std::vector<Address> addresses;
  for (const auto& address : settings.listen) {
    const bool is_shared = settings.admin && *settings.admin == address;
    addresses.push_back({address, is_shared ? proxy::ListenerRole::kShared : proxy::ListenerRole::kTraffic, false});
  }
  for (const auto& address : settings.listen_tls) addresses.push_back({address, proxy::ListenerRole::kTraffic, true});
  return addresses;
}

base::Result<bool> Gateway::ListenAll() {
  const auto& settings = state_->policy().gateway;
  bool admin_is_shared = false;
  for (const Address& address : AddressesOf(state_->policy())) {
    admin_is_shared = admin_is_shared || address.role == proxy::ListenerRole::kShared;
    auto bound = ListenOn(address, /*held=*/false);
    if (!bound) return base::Error{bound.error()};
  }
  SetTlsPort();
  if (!settings.admin || admin_is_shared) return true;
  auto bound = workers_.back()->Listen(*settings.admin, proxy::ListenerRole::kAdmin, net::PortUse::kAlone);
  if (bound) {
    LogListening({*settings.admin, proxy::ListenerRole::kAdmin, false}, *bound);
    admin_port_ = *bound;
    if (!settings.admin_token) MakeToken();
    state_->admin_token = proxy::AdminTokenOf(state_->policy(), common_->made_token);
    return true;
  }
  if (!settings.admin_is_default) {
    return base::Error{"the admin address: " + bound.error()};
  }
  observe::JsonLine line = Event("warn", "no admin address");
  line.Add("address", settings.admin->ToString())
      .Add("reason", bound.error())
      .Add("help", "health and metrics are not served; write admin = \"host:port\" or admin = off in gateway { }");
  Log(line);
  return true;
}

// For whoever runs as the same user, where the policy writes no token.
void Gateway::MakeToken() {
  common_->made_token = proxy::MakeAdminToken();
  const std::string path = token_file_ = proxy::LeaveAdminToken(common_->made_token, std::to_string(admin_port_));
  observe::JsonLine line =
      Event(path.empty() ? "warn" : "info", path.empty() ? "no place for the admin token" : "admin token written");
  if (path.empty()) {
    line.Add("help",
             "admin actions can't be done: write admin_token = secret(\"NAME\"), or give the process a folder in "
             "RUNTIME_DIRECTORY");
  } else {
    line.Add("file", path);
  }
  Log(line);
}

base::Result<uint16_t> Gateway::ListenOn(const Address& address, bool held) {
  uint16_t port = address.address.port;
  std::string problem;
  const auto on = [&](size_t worker, const std::function<void()>& task) {
    if (threads_.empty()) {
      task();
    } else if (!OnLoop(worker, task)) {
      problem = "the gateway is stopping";
    }
  };
  // Also where it is another host's on the same port: from 0.0.0.0:8080 to 127.0.0.1:8080.
  const bool is_ours = port != 0 && std::any_of(listening_.begin(), listening_.end(),
                                                [&](const auto& item) { return item.second == port; });
  for (size_t i = 0; i < traffic_workers_ && problem.empty();
       ++i) {  // every loop listens by itself; the kernel spreads connections
    on(i, [&] {
      auto bound = workers_[i]->Listen(address.address, address.role, i == 0 && !is_ours ? net::PortUse::kFirst : net::PortUse::kMore, address.is_tls, port, held);
      if (bound) {
        port = *bound;
      } else {
        problem = bound.error();
      }
    });
  }
  if (!problem.empty()) {
    StopListening(address);
    return base::Error{problem};
  }
  listening_.emplace_back(address, port);
  LogListening(address, port);
  return port;
}

void Gateway::StopListening(const Address& address) {
  for (size_t i = 0; i < traffic_workers_ && !threads_.empty(); ++i) {
    OnLoop(i, [&] { workers_[i]->StopListening(address.address, address.is_tls); });
  }
  std::erase_if(listening_, [&](const auto& item) { return item.first == address; });
}

// Those of the next policy that are not listened on yet: all of them, or none and an error.
base::Result<bool> Gateway::ListenToNew(const compiler::model::Policy& next) {
  std::vector<Address> made;
  for (const Address& address : AddressesOf(next)) {
    const bool is_known =
        std::any_of(listening_.begin(), listening_.end(), [&](const auto& item) { return item.first == address; });
    if (is_known) continue;
    auto bound = ListenOn(address, /*held=*/true);
    if (bound) {
      made.push_back(address);
      continue;
    }
    for (const Address& undo : made) StopListening(undo);
    return base::Error{bound.error()};
  }
  return true;
}

void Gateway::SetTlsPort() {
  for (const auto& [address, port] : listening_) {
    const auto& wanted = state_->policy().gateway.listen_tls;
    if (address.is_tls && !wanted.empty() && address.address == wanted.front()) common_->tls_port.store(port);
  }
}

// ---- Reload ---------------------------------------------------------------------------------------------------------

bool Gateway::OnLoop(size_t worker, std::function<void()> task) {
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> ended = done->get_future();
  transports_[worker]->Post([done, task = std::move(task)] {
    task();
    done->set_value();
  });
  done.reset();
  // A loop that stops drops what was posted to it.
  while (ended.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    if (is_over_.load()) return false;
  }
  try {
    ended.get();
  } catch (const std::future_error&) {
    return false;
  }
  return true;
}

std::vector<ColdModel> Gateway::WarmUp(const std::shared_ptr<proxy::GatewayState>& next, const proxy::GatewayState& before,
                                       const std::function<void()>& meanwhile) {
  const base::TimePoint began = transports_.front()->Now();
  std::vector<ColdModel> models = ColdModels(*next, before, began);
  if (models.empty()) return models;
  auto over = std::make_shared<std::promise<void>>();
  std::future<void> ended = over->get_future();
  OnLoop(0, [&] { workers_.front()->WarmUp(next, models, [over] { over->set_value(); }); });
  over.reset();
  while (ended.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    if (common_->is_draining.load()) return {};
    if (meanwhile != nullptr) meanwhile();
  }
  const base::TimePoint now = transports_.front()->Now();
  const size_t wanted = models.size();
  std::erase_if(models, [&](const ColdModel& cold) { return next->objects.loads(cold.upstream)->WouldWait(cold.model, now); });
  observe::JsonLine line = Event(models.size() == wanted ? "info" : "warn", models.size() == wanted ? "models warmed" : "models not warmed");
  line.Add("loaded", static_cast<int64_t>(models.size())).Add("wanted", static_cast<int64_t>(wanted)).AddMillis("after_ms", (now - began).count());
  Log(line);
  return models;
}

base::Result<bool> Gateway::Reload(std::shared_ptr<const compiler::CompiledPolicy> next, bool warms, const std::function<void()>& meanwhile) {
  std::lock_guard one(reload_mutex_);
  const std::shared_ptr<proxy::GatewayState> before = state();
  const auto& old_settings = before->policy().gateway;
  const auto& settings = next->policy.gateway;
  if (common_->is_draining.load()) return base::Error{"the gateway is stopping"};
  if (std::string why = WhyNoReload(old_settings, settings); !why.empty()) return base::Error{std::move(why)};
  if (admin_port_ != 0 && !settings.admin_token && common_->made_token.empty()) MakeToken();
  auto tls = proxy::MakeTls(next->policy, transports_.front()->WallNow(), &before->tls, &before->policy());
  if (!tls) return base::Error{tls.error()};
  const bool is_renewal = next == before->compiled;
  auto generation = std::make_shared<proxy::GatewayState>(std::move(next), common_, workers_.size(), ++seed_, std::move(*tls));
  const std::vector<ColdModel> warmed = warms ? WarmUp(generation, *before, meanwhile) : std::vector<ColdModel>();
  if (common_->is_draining.load()) return base::Error{"the gateway is stopping"};
  if (auto listening = ListenToNew(generation->policy()); !listening) return base::Error{listening.error()};

  // Nothing can fail from here on.
  generation->since = transports_.front()->Now();
  generation->since_wall = is_renewal ? before->since_wall : transports_.front()->WallNow();
  generation->TakeOver(*before, transports_.front()->Now());
  for (const ColdModel& model : warmed) generation->objects.loads(model.upstream)->ObserveLoaded(model.model, transports_.front()->Now());
  {
    std::lock_guard lock(state_mutex_);
    state_ = generation;
  }
  SetTlsPort();
  for (size_t i = 0; i < workers_.size(); ++i) {
    OnLoop(i, [&] { workers_[i]->Adopt(generation); });
  }
  const std::vector<Address> wanted = AddressesOf(generation->policy());
  for (const auto& [address, port] : std::vector(listening_)) {
    if (std::find(wanted.begin(), wanted.end(), address) == wanted.end()) StopListening(address);
  }
  if (generation->tls.server != before->tls.server) LogCertificates();
  retired_.push_back(before);
  DropRetired();
  TellMetrics();
  return !is_renewal;
}

// The code of an old policy is given back by this thread: on a loop, streams would stand still meanwhile.
void Gateway::DropRetired() {
  std::erase_if(retired_, [](const auto& old) { return old.use_count() == 1; });
}

void Gateway::TellMetrics() {
  const auto now = state();
  observe::Metrics::Edge edge;
  edge.policies_alive = static_cast<int64_t>(retired_.size()) + 1;
  edge.oldest_policy = retired_.empty() ? now->since : retired_.front()->since;
  edge.last_success = std::chrono::duration_cast<std::chrono::seconds>(now->since_wall.time_since_epoch()).count();
  if (now->tls.server != nullptr) {
    for (const auto& identity : now->tls.server->identities())
      edge.certificates_end.push_back(identity.certificate.not_after);
  }
  now->metrics.SetEdge(std::move(edge));
}

bool Gateway::EveryLoopTurned() {
  if (asked_to_turn_ && turned_.load() < workers_.size()) return false;
  turned_.store(0);
  asked_to_turn_ = true;
  for (const auto& transport : transports_) transport->Post([this] { turned_.fetch_add(1); });
  return true;
}

void Gateway::CountReload(bool is_good) {
  state()->metrics.SetReload(is_good);
  transports_.front()->Post([this, is_good] {
    workers_.front()->context().metrics.CountBy(observe::LabelledCounter::kPolicyReloads, is_good ? "ok" : "refused");
  });
}

size_t Gateway::policies_alive() {
  std::lock_guard one(reload_mutex_);
  const size_t before = retired_.size();
  DropRetired();
  if (retired_.size() != before) TellMetrics();
  return retired_.size() + 1;
}

// ---- Logs -----------------------------------------------------------------------------------------------------------

observe::JsonLine Gateway::Event(std::string_view level, std::string_view message) const {
  observe::JsonLine line;
  line.Add("time", observe::Rfc3339Millis(transports_.front()->WallNow())).Add("level", level).Add("message", message);
  return line;
}

void Gateway::LogCertificates() {
  const auto now = state();
  if (now->tls.server == nullptr) return;
  for (const net::TlsServer::Identity& identity : now->tls.server->identities()) {
    const net::CertificateInfo& certificate = identity.certificate;
    std::string names;
    for (const std::string& name : certificate.names) names += (names.empty() ? "" : ", ") + name;
    observe::JsonLine line = Event(certificate.warning.empty() ? "info" : "warn", "certificate in use");
    line.Add("tls", identity.name)
        .Add("names", names)
        .Add("serial", certificate.serial)
        .Add("not_after", observe::Rfc3339(base::WallTime(std::chrono::seconds(certificate.not_after))));
    if (!certificate.warning.empty()) line.Add("warning", certificate.warning);
    Log(line);
  }
}

void Gateway::LogListening(const Address& address, uint16_t port) {
  observe::JsonLine line = Event("info", "listening");
  line.Add("address", compiler::model::ListenAddress{address.address.host, port}.ToString())
      .Add("role", Name(address.role));
  line.Add("protocol", address.is_tls ? "https" : "http");
  Log(line);
}

// ---- The end --------------------------------------------------------------------------------------------------------

void Gateway::Drain() {
  if (common_->is_draining.exchange(true)) return;
  if (threads_.empty()) return;
  common_->is_ready.store(false);
  const auto settings = state();
  const auto& gateway = settings->policy().gateway;
  observe::JsonLine line = Event("info", "draining");
  if (gateway.drain_delay != base::Duration::zero()) line.AddMillis("delay_ms", gateway.drain_delay.count());
  line.AddMillis("limit_ms", gateway.drain.count());
  Log(line);
  // All loops stop together: that of the admin address must answer until the last request has ended.
  draining_workers_.store(workers_.size());
  for (size_t i = 0; i < workers_.size(); ++i) {
    transports_[i]->Post([this, i, delay = gateway.drain_delay, limit = gateway.drain] {
      workers_[i]->DrainAfter(delay, limit, [this] {
        if (draining_workers_.fetch_sub(1) > 1) return;
        is_over_.store(true);
        for (const auto& transport : transports_) transport->Stop();
      });
    });
  }
}

void Gateway::EndDrain() {
  if (!common_->is_draining.load()) return;
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
  const int wanted = state_->policy().gateway.limits.connections;
  if (fit >= wanted) return;
  common_->connections_that_fit.store(static_cast<int>(fit));
  observe::JsonLine line = workers_.front()->context().Event("warn", "fewer connections than limits.connections");
  line.Add("connections", fit).Add("wanted", static_cast<int64_t>(wanted)).Add("open_files", static_cast<int64_t>(files.rlim_cur))
      .Add("help", "raise the limit of open files of the process (ulimit -n, LimitNOFILE), or lower gateway.limits.connections");
  workers_.front()->context().Log(line);
}

void Gateway::Join() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  if (keeper_ != nullptr) keeper_->End();
  if (!token_file_.empty()) unlink(std::exchange(token_file_, std::string()).c_str());
}

}  // namespace runtime::gateway
