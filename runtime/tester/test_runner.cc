#include "runtime/tester/test_runner.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include <nlohmann/json.hpp>

#include "runtime/tester/observed.h"
#include "runtime/tester/scripted_upstream.h"
#include "runtime/tester/story.h"
#include "runtime/tester/test_client.h"
#include "runtime/tester/sim_world.h"

namespace runtime::tester {
namespace {

using compiler::model::Given;
using compiler::model::Reload;
using compiler::model::Send;
using compiler::model::TestAct;
using compiler::model::TestCase;
using compiler::model::UpstreamId;
using compiler::model::Wait;
using sim::SimNetwork;

// One test while it runs.
class Run {
 public:
  Run(const std::shared_ptr<const compiler::CompiledPolicy>& compiled, const std::map<std::string, NextPolicy>& next,
      const SimulatedServers& servers, const TestCase& test, std::string_view text)
      : test_(test),
        text_(text),
        first_(compiled),
        next_(next),
        servers_(servers),
        world_(compiled, OptionsOf(*this, compiled->policy.gateway)),
        story_(world_.network.now()) {
    for (const auto& upstream : first_->policy.upstreams) {
      std::vector<net::Address> addresses;
      for (const auto& server : servers_.servers) {
        if (server.upstream == upstream.name) addresses.push_back(server.address);
      }
      upstreams_.push_back(std::make_unique<ScriptedUpstream>(&world_.network, upstream, addresses));
    }
    world_.network.SetRouter([this](const net::Address& server) { return OnConnect(server); });
    result_.test = &test;
    listens_ = true;
  }
  ~Run() { listens_ = false; }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  TestResult Finish() {
    const base::TimePoint began = world_.network.now();
    for (const auto& step : test_.steps) {
      std::visit([this](const auto& s) { Do(s); }, step);
      if (is_stopped_) break;
    }
    result_.took = world_.network.now() - began;
    if (!is_stopped_) ReportUnused();
    if (!result_.passed()) result_.story = story_.Tell();
    return std::move(result_);
  }

 private:
  static sim::SimWorldOptions OptionsOf(Run& run, const compiler::model::GatewaySettings& gateway) {
    sim::SimWorldOptions options;
    const bool is_shared = gateway.admin && std::find(gateway.listen.begin(), gateway.listen.end(), *gateway.admin) !=
                                                gateway.listen.end();
    options.role = is_shared ? proxy::ListenerRole::kShared : proxy::ListenerRole::kTraffic;
    options.network.latency_least = options.network.latency_most = {};  // times are those that the test names
    options.events = [&run](std::string_view line) { run.OnEvent(line); };
    options.access = [&run](std::string_view line) { run.access_lines_.emplace_back(line); };
    return options;
  }

  // The world is made and dies while this does: what it logs then is about itself.
  void OnEvent(std::string_view line) {
    if (listens_) story_.AddEvent(world_.network.now(), line);
  }

  // The upstream of that name in a policy; nothing: it has none.
  static std::optional<UpstreamId> Find(const compiler::model::Policy& policy, std::string_view name) {
    for (int32_t i = 0; i < static_cast<int32_t>(policy.upstreams.size()); ++i) {
      if (policy.upstreams[UpstreamId(i)].name == name) return UpstreamId(i);
    }
    return std::nullopt;
  }
  // Of the policy in force; null: it has no such upstream, or that has no breaker.
  const engine::Breaker* BreakerOf(std::string_view name) const {
    const auto id = Find(world_.compiled->policy, name);
    return id ? world_.state->objects.breaker(*id) : nullptr;
  }

  SimNetwork::Route OnConnect(const net::Address& server) {
    const SimulatedServers::Server* const known = servers_.At(server.ip);
    if (known == nullptr) return SimNetwork::Route::kNormal;
    const std::string& name = known->upstream;
    const auto first = Find(first_->policy, name);
    if (!first) {
      unscripted_ = "`" + name +
                    "` is in the policy that was reloaded only, and a test gives answers to the upstreams of its own "
                    "file: write it there, too";
      return SimNetwork::Route::kRefused;
    }
    const UpstreamId id = *first;
    const auto index = static_cast<size_t>(id.value);
    const auto now = Find(world_.compiled->policy, name);
    const auto* breaker = BreakerOf(name);
    // While a breaker is open, nobody asks but the health check.
    const bool is_check = now && world_.compiled->policy.upstreams[*now].health && breaker != nullptr &&
                          engine::LeavesAlone(breaker->Look(world_.network.now()).state);
    const Given* given = upstreams_[index]->OnConnect(is_check);
    if (!is_check) story_.AddAttempt(world_.network.now());
    if (given == nullptr && !is_check) {
      unscripted_ = "`" + name + "` was asked " +
                    (CountOf(id) > 0 ? "once more than was given: " : "and nothing is given for it: ") +
                    "write for example `given " + name + " replies 200`";
    }
    if (given != nullptr && !is_check) ++asked_[id.value];
    if (given == nullptr || given->act == TestAct::kRefuses) return SimNetwork::Route::kRefused;
    if (given->act == TestAct::kDnsFailure) return SimNetwork::Route::kNoAddress;
    return given->act == TestAct::kConnectTimeout ? SimNetwork::Route::kBlackHole : SimNetwork::Route::kNormal;
  }
  int64_t CountOf(UpstreamId id) const {
    const auto found = asked_.find(id.value);
    return found == asked_.end() ? 0 : found->second;
  }

  void Do(const Given& given) { upstreams_[static_cast<size_t>(given.upstream.value)]->Give(given); }

  void Do(const Wait& wait) {
    story_.Add(world_.network.now(), "wait " + Readable(wait.time));
    world_.network.RunFor(wait.time);
  }

  void Do(const Reload& reload) {
    const NextPolicy& next = next_.at(reload.file);
    story_.Add(world_.network.now(), "reload \"" + reload.file + "\"");
    const std::string why = next.compiled == nullptr ? next.why : world_.Reload(next.compiled);
    if (!why.empty()) return Stop(reload.name, "the gateway would refuse this reload and go on as it was: " + why);
    world_.network.RunFor({});  // who waited for something that there is now more of
  }

  void Do(const Send& send) {
    for (const auto& upstream : upstreams_) upstream->BeginSend();
    int left = send.times;
    std::vector<std::unique_ptr<TestClient>> clients;  // those that wait
    while ((left > 0 || !clients.empty()) && !is_stopped_) {
      for (; left > 0 && clients.size() < static_cast<size_t>(send.at_a_time); --left) {
        story_.AddSend(world_.network.now(), "send " + send.method + " " + send.target);
        clients.push_back(std::make_unique<TestClient>(world_, send));
      }
      const auto is_over = [](const auto& client) { return client->is_over(); };
      world_.network.RunUntil([&] { return std::any_of(clients.begin(), clients.end(), is_over); }, kMostWaited);
      auto done = std::find_if(clients.begin(), clients.end(), is_over);
      if (done == clients.end()) done = clients.begin();  // none came
      answer_ = (*done)->Take();
      clients.erase(done);
      world_.network.RunFor({});  // what the gateway still does at this moment: its records
      Record(send);
    }
  }

  // What the answer that came last was.
  void Record(const Send& send) {
    record_ = {};
    const std::string line = access_lines_.empty() ? std::string() : std::move(access_lines_.front());
    if (!access_lines_.empty()) access_lines_.pop_front();
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_discarded()) {
      record_.route = json.value("route", "");
      record_.served_by = json.value("served_by", "");
      record_.fallback = json.value("fallback", "");
      record_.how = json.value("how", "");
      for (const auto& attempt : json.value("attempts", nlohmann::json::array()))
        CountAttempt(attempt.value("upstream", ""));
      story_.AddRequest(world_.network.now(), line);
    } else {
      story_.Add(world_.network.now(), "answer: status " + std::to_string(answer_->status) + " by the gateway");
    }
    if (!unscripted_.empty()) Stop(send.place, unscripted_);
    else if (answer_->status == 0 && !answer_->left && world_.network.now() - answer_->sent_at >= kMostWaited)
      Stop(send.place, "no answer came within a day");
  }

  // What was given and nobody asked for: the test does not show what its author meant it to.
  void ReportUnused() {
    for (const auto& upstream : upstreams_) {
      for (const Given* given : upstream->unused()) {
        if (given->is_common) continue;
        const std::string& name = first_->policy.upstreams[given->upstream].name;
        result_.failures.push_back({given->place, "this was never used: `" + name + "` was not asked again", "", ""});
      }
    }
  }

  void CountAttempt(const std::string& upstream) {
    if (const auto id = Find(first_->policy, upstream)) ++attempts_[id->value];
  }

  void Do(const Expectation& expectation) {
    const ScriptedUpstream* upstream = upstreams_.empty() ? nullptr : upstreams_[static_cast<size_t>(std::max(expectation.upstream.value, 0))].get();
    const auto* breaker =
        upstream == nullptr
            ? nullptr
            : BreakerOf(first_->policy.upstreams[UpstreamId(std::max(expectation.upstream.value, 0))].name);
    const Observed observed{world_, *answer_, record_, attempts_, upstream == nullptr ? nullptr : upstream->last(),
                            breaker};
    std::string why;
    const auto value = ValueOf(expectation, observed, &why);
    if (!value) {
      result_.failures.push_back({expectation.claim, why, "", ""});
    } else if (!Holds(expectation, *value)) {
      const auto claim = expectation.claim;
      result_.failures.push_back(
          {claim, "", std::string(text_.substr(claim.begin, claim.end - claim.begin)), Describe(*value)});
    }
  }

  // What follows would be about a run that was not meant.
  void Stop(compiler::source::SourceRange place, std::string message) {
    result_.failures.push_back({place, std::move(message), "", ""});
    is_stopped_ = true;
  }

  const TestCase& test_;
  const std::string_view text_;
  const std::shared_ptr<const compiler::CompiledPolicy> first_;  // whose names the test uses
  const std::map<std::string, NextPolicy>& next_;
  const SimulatedServers& servers_;
  TestResult result_;
  bool listens_ = false;
  std::deque<std::string> access_lines_;  // of requests that are over, in the order of their ends
  sim::SimWorld world_;
  Story story_;
  std::vector<std::unique_ptr<ScriptedUpstream>> upstreams_;
  std::map<int32_t, int64_t> asked_;     // connections
  std::map<int32_t, int64_t> attempts_;  // as the access log has them
  std::optional<ClientAnswer> answer_;
  LogRecord record_;
  std::string unscripted_;
  bool is_stopped_ = false;
};

}  // namespace

const net::Address& SimulatedServers::AddressOf(const std::string& upstream, const std::string& url, uint16_t port) {
  const auto found = std::find_if(servers.begin(), servers.end(), [&](const Server& server) {
    return server.upstream == upstream && server.url == url;
  });
  if (found != servers.end()) return found->address;
  const size_t number = servers.size();
  servers.push_back(
      {upstream, {"10.77." + std::to_string(number / 256) + "." + std::to_string(number % 256), port}, url});
  return servers.back().address;
}

const SimulatedServers::Server* SimulatedServers::At(std::string_view ip) const {
  const auto found =
      std::find_if(servers.begin(), servers.end(), [&](const Server& server) { return server.address.ip == ip; });
  return found == servers.end() ? nullptr : &*found;
}

TestRunner::TestRunner(std::shared_ptr<compiler::CompiledPolicy> compiled, std::map<std::string, NextPolicy> next) {
  const auto move = [this](compiler::CompiledPolicy& policy) {
    for (compiler::model::UpstreamSettings& upstream : policy.policy.upstreams) {
      compiler::model::Url& url = upstream.url;
      if (url.port == 0) url.port = 80;
      const std::string server = url.unix_path.empty() ? url.host + ":" + std::to_string(url.port) : url.unix_path;
      url.host = servers_.AddressOf(upstream.name, server, url.port).ip;
    }
  };
  move(*compiled);
  for (auto& [file, policy] : next) {
    if (policy.compiled != nullptr) move(*policy.compiled);
  }
  compiled_ = std::move(compiled);
  next_ = std::move(next);
}

TestResult TestRunner::Run(const TestCase& test, std::string_view text) const {
  return tester::Run(compiled_, next_, servers_, test, text).Finish();
}

}  // namespace runtime::tester
