// cold_load on real sockets, over several workers: one load for the clients of all of them, whoever leaves.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

// A server that has to load its model: it does so as long as the test wants, and chats once it has it.
class ColdServer {
 public:
  ColdServer()
      : upstream_([this](UpstreamExchange& exchange) {
          if (exchange.request().target == "/api/generate") {
            ++loads_;
            const bool stayed = exchange.WaitUntil([&] { return is_loaded_.load(); });
            if (stayed) exchange.Answer(200, R"({"model":"qwen3:32b","response":"","done_reason":"load","done":true})");
            return;
          }
          if (!is_loaded_) ++too_early_;
          AnswerWell(exchange);
        }) {}

  void FinishLoad() { is_loaded_ = true; }
  int loads() const { return loads_; }
  int too_early() const { return too_early_; }
  int chats() const { return upstream_.request_count() - loads_; }
  int open_connections() const { return upstream_.open_connections(); }
  std::string url() const { return upstream_.url(); }

 private:
  std::atomic<int> loads_{0};
  std::atomic<int> too_early_{0};
  std::atomic<bool> is_loaded_{false};
  ScriptedUpstream upstream_;
};

std::string Policy(const ColdServer& server) {
  return Gateway() + Upstream("main", server.url(), "cold_load = 2min") + "route all { to = main  deadline = 3min }\n";
}

std::string Id(int number) { return "cold-" + std::to_string(number); }

std::vector<std::unique_ptr<RawClient>> Ask(const GatewayProcess& gateway, int clients, int first = 0) {
  std::vector<std::unique_ptr<RawClient>> all;
  for (int i = 0; i < clients; ++i) {
    all.push_back(std::make_unique<RawClient>(gateway.port()));
    all.back()->Send(ToText({.headers = {{"X-Request-Id", Id(first + i)}}, .body = Chat(std::to_string(i))}));
  }
  return all;
}

double InFlight(const GatewayProcess& gateway) { return gateway.Metric("breakwater_requests_in_flight").value_or(-1); }

TEST(ColdLoad, OneLoadIsForTheClientsOfAllWorkers) {
  constexpr int kClients = 60;
  ColdServer server;
  GatewayProcess gateway(Policy(server));
  auto clients = Ask(gateway, kClients);
  ASSERT_TRUE(WaitUntil([&] { return InFlight(gateway) == kClients; }));
  ASSERT_TRUE(WaitUntil([&] { return server.loads() > 0; }));
  EXPECT_EQ(server.chats(), 0);
  server.FinishLoad();

  std::set<int> workers;
  for (int i = 0; i < kClients; ++i) {
    Answer answer = clients[i]->ReadHead();
    clients[i]->ReadToEnd(&answer);
    EXPECT_EQ(answer.status, 200) << testing::PrintToString(answer);
    EXPECT_NE(answer.body.find("Hello."), std::string::npos);
    workers.insert(gateway.WaitForAccess(Id(i))["worker"].get<int>());
  }
  EXPECT_EQ(workers, (std::set<int>{0, 1}));
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("later")).status, 200);
  EXPECT_EQ(server.loads(), 1);
  EXPECT_EQ(server.chats(), kClients + 1);
  EXPECT_EQ(server.too_early(), 0);
  EXPECT_EQ(gateway.Metric("breakwater_model_loads_total{upstream=\"main\",outcome=\"200\"}"), 1);
  EXPECT_EQ(gateway.Metric("breakwater_load_wait_seconds_count{upstream=\"main\"}"), kClients);
}

TEST(ColdLoad, GoesOnWhenEveryClientHasLeft) {
  constexpr int kClients = 12;
  ColdServer server;
  GatewayProcess gateway(Policy(server));
  auto clients = Ask(gateway, kClients);
  ASSERT_TRUE(WaitUntil([&] { return InFlight(gateway) == kClients && server.loads() == 1; }));
  clients.clear();
  ASSERT_TRUE(WaitUntil([&] { return InFlight(gateway) == 0; }));
  EXPECT_EQ(server.open_connections(), 1) << "the load is still under way";

  auto others = Ask(gateway, kClients, kClients);
  ASSERT_TRUE(WaitUntil([&] { return InFlight(gateway) == kClients; }));
  server.FinishLoad();
  for (const auto& client : others) {
    Answer answer = client->ReadHead();
    client->ReadToEnd(&answer);
    EXPECT_EQ(answer.status, 200) << testing::PrintToString(answer);
  }
  EXPECT_EQ(server.loads(), 1);
  EXPECT_EQ(server.too_early(), 0);
}

TEST(ColdLoad, AServerThatDiesMeanwhileIsAFailureForAllAndLoadedAnew) {
  constexpr int kClients = 12;
  std::atomic<int> loads{0};
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (exchange.request().target != "/api/generate") return AnswerWell(exchange);
    if (++loads > 1) return AnswerWell(exchange);
    exchange.Hang();
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "cold_load = 2min") +
                         "route all { to = main  deadline = 3min }\n");
  auto clients = Ask(gateway, kClients);
  ASSERT_TRUE(WaitUntil([&] { return InFlight(gateway) == kClients && loads == 1; }));
  upstream.Stop();
  for (const auto& client : clients) {
    Answer answer = client->ReadHead();
    client->ReadToEnd(&answer);
    EXPECT_GE(answer.status, 500) << testing::PrintToString(answer);
  }
  upstream.Start();
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("again")).status, 200);
  EXPECT_EQ(loads, 2);
}

}  // namespace
}  // namespace tests::e2e
