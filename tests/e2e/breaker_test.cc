// One exact breaker for all workers of the process, under many clients at once.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

constexpr int kClients = 200;

std::string State(const GatewayProcess& gateway) { return gateway.Health("main").value("state", ""); }

// Clients that all send one request, each on a connection of its own that is already open, as nearly at once as can be.
class Crowd {
 public:
  Crowd(uint16_t port, int size) {
    for (int i = 0; i < size; ++i) {
      threads_.emplace_back([this, port, i] {
        RawClient client(port);
        ++ready_;
        start_.Wait();
        const Answer answer =
            client.Request({.headers = {{"X-Request-Id", "crowd-" + std::to_string(i)}}, .body = Chat("x")});
        if (answer.is_fallback()) {
          ++fallbacks_;
        } else if (answer.status == 200) {
          ++successes_;
        } else {
          ++failures_;
        }
      });
    }
    WaitUntil([this, size] { return ready_ == size; });
    start_.Set();
  }
  ~Crowd() { Join(); }

  void Join() {
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  int fallbacks() const { return fallbacks_; }
  int successes() const { return successes_; }
  int failures() const { return failures_; }

 private:
  std::atomic<int> ready_{0};
  std::atomic<int> fallbacks_{0};
  std::atomic<int> successes_{0};
  std::atomic<int> failures_{0};
  Signal start_;
  std::vector<std::thread> threads_;
};

// Workers that served a request, and those at which an attempt failed, as the access log tells.
struct Workers {
  std::set<int> served;
  std::set<int> failed;
};
Workers WorkersOf(const GatewayProcess& gateway) {
  Workers workers;
  for (const Json& access : gateway.accesses()) {
    if (!access.is_object() || !access.contains("worker")) continue;
    workers.served.insert(access["worker"].get<int>());
    for (const Json& attempt : access["attempts"]) {
      if (attempt.value("status", 0) == 500) workers.failed.insert(access["worker"].get<int>());
    }
  }
  return workers;
}

constexpr int kFailuresToOpen = 40;

std::string Policy(const ScriptedUpstream& upstream) {
  return Gateway() + Upstream("main", upstream.url(), R"(
  breaker {
    open when failures(60s) >= 40
    open_for = 300ms
    probes = 3
    close when successes(30s) >= 3
  }
  fallback = [busy])") +
         "reply busy { status = 200  body = json { \"is_fallback\": true } }\n";
}

// Opens the breaker with failures that came over both workers, each recorded by the worker that served it.
void OpenByBothWorkers(GatewayProcess& gateway, ScriptedUpstream& upstream) {
  for (int i = 1; i < kFailuresToOpen; ++i) Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(State(gateway), "CLOSED") << "one failure less than the rule asks for";
  EXPECT_EQ(gateway.Health("main").value("failure_count", -1), kFailuresToOpen - 1);
  Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(upstream.request_count(), kFailuresToOpen);
  EXPECT_EQ(gateway.Metric("breakwater_circuit_breaker_open_total{service=\"main\"}"), 1);
  ASSERT_TRUE(WaitUntil([&] { return gateway.accesses().size() >= kFailuresToOpen; }));
  const Workers workers = WorkersOf(gateway);
  EXPECT_EQ(workers.served, (std::set<int>{0, 1}));
  EXPECT_EQ(workers.failed, (std::set<int>{0, 1}));
  ASSERT_TRUE(WaitUntil([&] { return State(gateway) == "HALF_OPEN"; }));
}

TEST(Breaker, HalfOpenLetsAtMostItsProbesThroughAndClosesOnce) {
  Signal answer_probes;
  std::atomic<bool> fails{true};
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (fails) return AnswerFailure(exchange);
    if (exchange.WaitFor(answer_probes)) AnswerWell(exchange);
  });
  GatewayProcess gateway(Policy(upstream));
  OpenByBothWorkers(gateway, upstream);
  fails = false;

  Crowd crowd(gateway.port(), kClients);
  EXPECT_TRUE(WaitUntil([&] { return crowd.fallbacks() == kClients - 3 && upstream.in_flight() == 3; })) << crowd.fallbacks();
  EXPECT_EQ(upstream.max_in_flight(), 3);
  EXPECT_EQ(upstream.request_count(), kFailuresToOpen + 3);
  EXPECT_EQ(gateway.Health("main").value("probes_in_flight", -1), 3);
  EXPECT_EQ(State(gateway), "HALF_OPEN");
  answer_probes.Set();
  crowd.Join();
  EXPECT_EQ(crowd.successes(), 3);
  EXPECT_EQ(crowd.failures(), 0);

  EXPECT_EQ(State(gateway), "CLOSED");
  EXPECT_TRUE(WaitUntil([&] { return gateway.CountEvents("breaker closed") > 0; })) << "the log comes a moment later";
  EXPECT_EQ(gateway.CountEvents("breaker opened", 1), 1);
  EXPECT_EQ(gateway.CountEvents("breaker half-open", 1), 1);
  EXPECT_EQ(gateway.CountEvents("breaker closed", 1), 1);
  EXPECT_EQ(gateway.Metric("breakwater_circuit_breaker_open_total{service=\"main\"}"), 1);
}

TEST(Breaker, ProbesThatFailTogetherOpenItOnce) {
  Signal answer_probes;
  std::atomic<bool> holds{false};
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (holds && !exchange.WaitFor(answer_probes)) return;
    AnswerFailure(exchange);
  });
  GatewayProcess gateway(Policy(upstream));
  OpenByBothWorkers(gateway, upstream);
  holds = true;

  Crowd crowd(gateway.port(), kClients);
  EXPECT_TRUE(WaitUntil([&] { return crowd.fallbacks() == kClients - 3 && upstream.in_flight() == 3; }));
  EXPECT_EQ(upstream.max_in_flight(), 3);
  answer_probes.Set();
  crowd.Join();
  EXPECT_EQ(crowd.fallbacks(), kClients);
  EXPECT_EQ(upstream.request_count(), kFailuresToOpen + 3);
  EXPECT_EQ(gateway.CountEvents("breaker opened", 2), 2);
  EXPECT_EQ(gateway.CountEvents("breaker half-open", 1), 1);
  EXPECT_EQ(gateway.CountEvents("breaker closed"), 0);
  EXPECT_EQ(gateway.Metric("breakwater_circuit_breaker_open_total{service=\"main\"}"), 2);
}

TEST(Breaker, ProbeWhoseClientLeavesIsGivenBack) {
  std::atomic<bool> fails{true};
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (fails) return AnswerFailure(exchange);
    exchange.Hang();
  });
  std::string policy = support::ReplaceAll(Policy(upstream), ">= 40", ">= 1");
  policy = support::ReplaceAll(policy, "probes = 3", "probes = 1");
  GatewayProcess gateway(policy);
  Post(gateway.port(), "/api/chat", Chat("x"));
  fails = false;
  ASSERT_TRUE(WaitUntil([&] { return State(gateway) == "HALF_OPEN"; }));

  RawClient leaving(gateway.port());
  leaving.Send(ToText({.body = Chat("x")}));
  ASSERT_TRUE(WaitUntil([&] { return gateway.Health("main").value("probes_in_flight", -1) == 1; }));
  EXPECT_TRUE(Post(gateway.port(), "/api/chat", Chat("x")).is_fallback()) << "the only probe is out";
  leaving.Close();
  ASSERT_TRUE(WaitUntil([&] { return gateway.Health("main").value("probes_in_flight", -1) == 0; }));
  EXPECT_EQ(State(gateway), "HALF_OPEN") << "a client that leaves says nothing about the upstream";
  upstream.SetScript(AnswerWell);
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x")).is_fallback(), false);
}

// A promise to users, so it is timed.
TEST(Breaker, WithAHealthCheckTheUpstreamServesAgainWithinFiveSecondsOfItsRecovery) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(),
                                              "breaker { open when failures(60s) >= 5  open_for = 10min }\n"
                                              "  health { path = \"/api/tags\" }"));
  upstream.Stop();
  for (int i = 0; i < 5; ++i) Post(gateway.port(), "/api/chat", Chat("x"));
  ASSERT_EQ(State(gateway), "OPEN");
  upstream.Start();
  const auto recovered = support::Clock::now();
  EXPECT_TRUE(WaitUntil([&] { return Post(gateway.port(), "/api/chat", Chat("x")).status == 200; }));
  EXPECT_LE(support::Clock::now() - recovered, seconds(5));
  EXPECT_EQ(State(gateway), "CLOSED");
  EXPECT_EQ(upstream.requests()[0].target, "/api/tags");
  EXPECT_EQ(gateway.WaitForEvent("health check passed")["upstream"], "main");
}

}  // namespace
}  // namespace tests::e2e
