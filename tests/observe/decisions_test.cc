// What the gateway decided can be read from its log: of a run with faults every verdict is recomputed from policy, times and outcomes
// alone (recompute.h), and a verdict that was changed in the log is noticed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "compiler/compile.h"
#include "runtime/net/sim/sim_peer.h"
#include "runtime/tester/sim_world.h"
#include "tests/observe/recompute.h"

namespace tests {
namespace {

using runtime::sim::SimPeer;
using runtime::sim::SimServer;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr const char* kPolicy = R"(edition 1
gateway { listen = "10.9.9.9:8080"  admin = off }
upstream first {
  url         = "http://10.0.0.1:80"
  repeat_safe = true
  timeouts    { connect = 300ms  idle = 700ms }
  attempt_timeout = 2s
  retry {
    max_retries = 2
    when status in {500, 502, 503} or error in {refused, reset, attempt_timeout}
    wait   = exponential(from: 50ms, factor: 2, cap: 400ms)
    honour = retry_after(cap: 3s)
    budget = 20%
  }
  breaker {
    open when failed_requests(20s) >= 6
    open when consecutive_failures >= 9
    open_for = 3s
    probes   = 2
    close when successes(30s) >= 3
  }
}
upstream second {
  url      = "http://10.0.0.2:80"
  timeouts { connect = 300ms }
  attempt_timeout = 1s
  retry {
    max_retries = 1
    when status == 503 or error in {refused, reset}
    wait = exponential(from: 20ms, factor: 1, cap: 20ms)
  }
  breaker {
    failure when status in 5xx or error in {refused, connect_timeout, attempt_timeout, truncated, idle_timeout}
    open when failure_ratio(10s) >= 50% and requests(10s) >= 10
    open_for = 2s
  }
}
route both { when request.path starts_with "/both/"  to = [first, second]  fallback = [sorry]  deadline = 4s }
route one  { when request.path starts_with "/one/"   to = second }
route rest { reply = hello }
reply sorry { status = 503  text = "Busy." }
reply hello { status = 200  text = "Hello." }
)";

constexpr base::Duration kClock = std::chrono::seconds(1'700'000'000);  // of the simulated network

// What a server does with a request: by chance, and for a while worse than at other times.
class Faults {
 public:
  Faults(runtime::sim::SimNetwork* network, uint64_t seed) : network_(network), random_(seed) {}

  void Serve(SimPeer& peer) {
    while (peer.received.find("\r\n\r\n") != std::string::npos) {
      peer.received.erase(0, peer.received.find("\r\n\r\n") + 4);
      const base::Duration wait = microseconds(500 + random_.Below(40'000));
      const uint64_t draw = random_.Below(100);
      const uint64_t bad = is_bad ? 70 : 8;
      std::string answer = Answer(200, "well");
      base::Duration after = wait;
      bool resets = false;
      if (draw < bad) {
        switch (random_.Below(9)) {
          case 0: answer = Answer(500, "oops"); break;
          case 1: answer = Answer(503, "busy", "Retry-After: " + std::to_string(random_.Below(5)) + "\r\n"); break;
          case 2: answer = Answer(502, "bad"); break;
          case 3: answer = Answer(429, "slow down"); break;
          case 4: answer = Answer(404, "none"); break;
          case 5: after = std::chrono::seconds(10); break;  // too late
          case 6:
            answer.clear();
            resets = true;
            break;
          case 7:
            answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
            resets = true;
            break;
          default: answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"; break;  // and then nothing more
        }
      }
      network_->At(network_->now() + after, [&peer, answer, resets] {
        if (peer.stream->is_dead()) return;
        if (!answer.empty()) peer.Send(answer);
        if (resets) peer.stream->Reset();
      });
    }
  }
  bool is_bad = false;

 private:
  static std::string Answer(int status, const std::string& text, const std::string& header = "") {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + header + "Content-Length: " + std::to_string(text.size()) +
           "\r\n\r\n" + text;
  }
  runtime::sim::SimNetwork* network_;
  base::Random random_;
};

struct Played {
  std::shared_ptr<const compiler::CompiledPolicy> policy;
  std::vector<std::string> access;
  std::vector<std::string> events;
};

Played Play(size_t requests, uint64_t seed) {
  Played run;
  compiler::diagnostics::Diagnostics diagnostics;
  run.policy = compiler::CompileInterpreted(kPolicy, {}, &diagnostics);
  if (run.policy == nullptr) {
    for (const auto& item : diagnostics.items()) ADD_FAILURE() << item.message;
    return run;
  }
  runtime::sim::SimWorldOptions options;
  options.seed = seed;
  options.role = runtime::proxy::ListenerRole::kTraffic;
  options.access = [&run](std::string_view line) { run.access.emplace_back(line); };
  options.events = [&run](std::string_view line) { run.events.emplace_back(line); };
  runtime::sim::SimWorld world(run.policy, std::move(options));
  auto& network = world.network;
  Faults faults[] = {{&network, seed + 1}, {&network, seed + 2}};
  SimServer first(&network, "10.0.0.1", 80, [&](SimPeer& peer) { faults[0].Serve(peer); });
  SimServer second(&network, "10.0.0.2", 80, [&](SimPeer& peer) { faults[1].Serve(peer); });

  base::Random random(seed);
  std::vector<std::unique_ptr<SimPeer>> clients;
  using Route = runtime::sim::SimNetwork::Route;
  for (size_t i = 0; i < requests; ++i) {
    if (i % 200 == 0) {  // the weather changes
      faults[0].is_bad = random.Below(3) == 0;
      faults[1].is_bad = random.Below(3) == 0;
      network.SetRoute("10.0.0.1", 80,
                       random.Below(8) == 0    ? Route::kRefused
                       : random.Below(10) == 0 ? Route::kBlackHole
                                               : Route::kNormal);
    }
    network.RunFor(microseconds(random.Below(120'000)));
    const char* methods[] = {"GET", "POST"};
    const char* paths[] = {"/both/", "/both/", "/one/", "/own"};
    clients.push_back(world.NewClient());
    clients.back()->Send(std::string(methods[random.Below(2)]) + " " + paths[random.Below(4)] + std::to_string(i) +
                         " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    if (clients.size() > 2'000) {
      network.RunFor(std::chrono::seconds(30));
      clients.clear();
    }
  }
  network.RunFor(std::chrono::seconds(60));
  return run;
}

std::string Report(const Recomputed& recomputed) {
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(recomputed.differences.size(), 5); ++i)
    text += recomputed.differences[i] + "\n";
  return text;
}

TEST(Decisions, OfARunAreRecomputedFromItsLog) {
  const char* wanted = std::getenv("BREAKWATER_DECISIONS");
  const size_t requests = wanted != nullptr ? std::strtoul(wanted, nullptr, 10) : 10'000;
  const Played run = Play(requests, 17);
  ASSERT_NE(run.policy, nullptr);
  const Recomputed recomputed = Recompute(*run.policy, run.access, run.events, kClock);
  EXPECT_TRUE(recomputed.differences.empty()) << recomputed.differences.size() << " of " << recomputed.requests << ":\n"
                                              << Report(recomputed);
  EXPECT_EQ(recomputed.requests, requests);
  std::printf(
      "%zu requests, %zu attempts, %zu retries, %zu denied, %zu moves, %zu fallbacks, %zu transitions of breakers\n",
      recomputed.requests, recomputed.attempts, recomputed.retries, recomputed.denials, recomputed.moves,
      recomputed.fallbacks, recomputed.transitions);
  // The run has something of everything.
  EXPECT_GT(recomputed.retries, requests / 100);
  EXPECT_GT(recomputed.denials, requests / 100);
  EXPECT_GT(recomputed.moves, requests / 100);
  EXPECT_GT(recomputed.fallbacks, requests / 100);
  EXPECT_GT(recomputed.transitions, requests / 1000);
}

// One lie in a log of many lines: each kind of it is found.
TEST(Decisions, AChangedVerdictIsNoticed) {
  const Played run = Play(2'000, 18);
  ASSERT_NE(run.policy, nullptr);
  ASSERT_TRUE(Recompute(*run.policy, run.access, run.events, kClock).differences.empty());
  using Json = nlohmann::ordered_json;
  const auto last_attempt = [](Json& line) -> Json* {
    return line["attempts"].empty() ? nullptr : &line["attempts"].back();
  };
  const std::map<std::string, std::function<bool(Json&)>> lies = {
      {"a retry that was none",
       [](Json& line) {
         for (Json& attempt : line["attempts"]) {
           if (!attempt.contains("retry_ms")) continue;
           attempt.erase("retry_ms");
           attempt["retry_denied"] = "budget_spent";
           return true;
         }
         return false;
       }},
      {"another wait",
       [](Json& line) {
         for (Json& attempt : line["attempts"]) {
           if (!attempt.contains("retry_ms")) continue;
           attempt["retry_ms"] = attempt["retry_ms"].get<double>() + 1;
           return true;
         }
         return false;
       }},
      {"another reason of a denial",
       [&](Json& line) {
         Json* attempt = last_attempt(line);
         if (attempt == nullptr || attempt->value("retry_denied", "") != "attempts_exhausted") return false;
         (*attempt)["retry_denied"] = "budget_spent";
         return true;
       }},
      {"another fallback reason",
       [](Json& line) {
         if (line.value("fallback_reason", "") != "breaker_open" || !line.contains("fallback")) return false;
         line["fallback_reason"] = "refused";
         return true;
       }},
      {"a fallback that was an answer",
       [](Json& line) {
         if (line.value("fallback", "") != "sorry") return false;
         line.erase("fallback");
         line.erase("fallback_reason");
         return true;
       }},
      {"another class",
       [&](Json& line) {
         Json* attempt = last_attempt(line);
         if (attempt == nullptr || attempt->value("class", "") != "failure") return false;
         (*attempt)["class"] = "neutral";
         return true;
       }},
      {"another outcome",
       [&](Json& line) {
         Json* attempt = last_attempt(line);
         if (attempt == nullptr || attempt->value("status", 0) != 500) return false;
         (*attempt)["status"] = 404;
         return true;
       }},
  };
  for (const auto& [name, lie] : lies) {
    std::vector<std::string> access = run.access;
    bool was_told = false;
    for (size_t i = access.size() / 3; i < access.size() && !was_told; ++i) {
      Json line = Json::parse(access[i]);
      was_told = lie(line);
      access[i] = line.dump();
    }
    ASSERT_TRUE(was_told) << name;
    EXPECT_FALSE(Recompute(*run.policy, access, run.events, kClock).differences.empty()) << name << " was not noticed";
  }
  // A breaker that opened, as the events tell it.
  std::vector<std::string> events = run.events;
  for (std::string& event : events) {
    const size_t at = event.find("\"to\":\"OPEN\"");
    if (at == std::string::npos) continue;
    event.replace(at, 11, "\"to\":\"HALF_OPEN\"");
    break;
  }
  EXPECT_FALSE(Recompute(*run.policy, run.access, events, kClock).differences.empty());
}

}  // namespace
}  // namespace tests
