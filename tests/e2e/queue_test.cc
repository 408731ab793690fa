// max_in_flight and queue on real sockets, over two workers: what the upstream counts, in which order requests come to
// it, and what those hear who find no place.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

constexpr int kPlaces = 4;
constexpr int kQueue = 16;

// An upstream with slots: for it a request is over when it begins to answer. Each takes `work`, or waits for Release.
class SlotUpstream {
 public:
  explicit SlotUpstream(std::optional<milliseconds> work = std::nullopt)
      : upstream_([this, work](UpstreamExchange& exchange) {
          const int under_way = ++under_way_;
          for (int most = most_; most < under_way && !most_.compare_exchange_weak(most, under_way);) {
          }
          const int turn = ++begun_;
          const bool left = work ? exchange.WaitForClose(*work)
                                 : !exchange.WaitUntil([&] { return released_ >= turn || Gone(exchange); });
          --under_way_;
          if (!left) AnswerWell(exchange);
        }) {}

  void Release(int requests) { released_ += requests; }
  int under_way() const { return under_way_; }
  int begun() const { return begun_; }
  int most_under_way() const { return most_; }
  std::vector<std::string> order() const {
    std::vector<std::string> ids;
    for (const SeenRequest& request : upstream_.requests()) ids.push_back(request.header("x-request-id"));
    return ids;
  }
  std::string url() const { return upstream_.url(); }

 private:
  static bool Gone(UpstreamExchange& exchange) { return exchange.WaitForClose(milliseconds(0)); }

  std::atomic<int> under_way_{0};
  std::atomic<int> most_{0};
  std::atomic<int> begun_{0};
  std::atomic<int> released_{0};
  ScriptedUpstream upstream_;
};

std::string Policy(const SlotUpstream& upstream, const std::string& timeout, const std::string& deadline) {
  return Gateway() +
         Upstream("main", upstream.url(), "max_in_flight = 4\n  queue { length = 16  timeout = " + timeout + " }") +
         "route all { to = main  deadline = " + deadline + " }\n";
}

std::string Id(const std::string& name, int number) { return name + "-" + std::to_string(number); }
std::string Request(const std::string& id) { return ToText({.headers = {{"X-Request-Id", id}}, .body = Chat("x")}); }

double Waiting(const GatewayProcess& gateway) {
  return gateway.Metric("breakwater_queue_length{upstream=\"main\"}").value_or(-1);
}

TEST(Queue, AThousandClientsAtOnceMeetFourPlaces) {
  constexpr int kClients = 1000;
  constexpr int kRounds = 3;
  constexpr double kDeadlineMs = 3000;
  SlotUpstream upstream(milliseconds(20));
  GatewayProcess gateway(Policy(upstream, "2s", "3s"), ForMemory());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(std::make_unique<RawClient>(gateway.port()));

  int served = 0;
  std::map<std::string, int> refused;
  size_t memory_after_first = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kClients; ++i) {
      ASSERT_TRUE(clients[static_cast<size_t>(i)]->Send(Request(Id("r" + std::to_string(round), i))));
    }
    for (const auto& client : clients) {
      Answer answer = client->ReadHead();
      client->ReadToEnd(&answer);
      ASSERT_TRUE(answer.looks_complete()) << testing::PrintToString(answer);
      if (answer.status == 200) {
        ++served;
        continue;
      }
      ASSERT_EQ(answer.status, 503) << testing::PrintToString(answer);
      EXPECT_GE(std::atoi(answer.header("retry-after").c_str()), 1);
      ++refused[answer.json().value("code", "")];
    }
    if (round == 0) memory_after_first = gateway.process().resident_bytes();
  }
  EXPECT_LE(upstream.most_under_way(), kPlaces);
  EXPECT_EQ(upstream.begun(), served) << "who was refused never reached the upstream";
  EXPECT_GE(served, kRounds * (kPlaces + kQueue));
  EXPECT_GT(refused["queue_full"], 0);
  EXPECT_EQ(served + refused["queue_full"] + refused["queue_timeout"], kRounds * kClients);
  EXPECT_LE(gateway.process().resident_bytes(), memory_after_first + kMemoryAllowance);

  // By the gateway's own clock: the test reads one answer after another.
  std::set<int> workers;
  double longest_ms = 0;
  WaitUntil([&] { return gateway.process().out().size() >= static_cast<size_t>(kRounds * kClients); });
  for (const Json& line : gateway.accesses()) {
    workers.insert(line["worker"].get<int>());
    longest_ms = std::max(longest_ms, line["duration_ms"].get<double>());
    EXPECT_LE(line.value("queued_ms", 0.0), 2000 + 200);
  }
  EXPECT_LE(longest_ms, kDeadlineMs);
  EXPECT_EQ(workers.size(), 2u);
  EXPECT_EQ(gateway.Metric("breakwater_upstream_in_flight{upstream=\"main\"}"), 0);
  EXPECT_EQ(Waiting(gateway), 0);
  RecordProperty("served", served);
  RecordProperty("longest_ms", std::to_string(longest_ms));
}

TEST(Queue, IsServedInTheOrderOfArrivalOverBothWorkers) {
  SlotUpstream upstream;
  GatewayProcess gateway(Policy(upstream, "60s", "60s"));
  std::vector<std::unique_ptr<RawClient>> clients;
  const auto send = [&](const std::string& id) {
    clients.push_back(std::make_unique<RawClient>(gateway.port()));
    clients.back()->Send(Request(id));
  };
  std::vector<std::string> expected;
  for (int i = 0; i < kPlaces; ++i) {
    send(Id("place", i));
    expected.push_back(Id("place", i));
    WaitUntil([&] { return upstream.begun() == i + 1; });
  }
  for (int i = 0; i < kQueue; ++i) {
    send(Id("waits", i));
    WaitUntil([&] { return Waiting(gateway) == i + 1; });
  }
  EXPECT_EQ(upstream.begun(), kPlaces);
  const Answer refused = Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.json().value("code", ""), "queue_full");
  EXPECT_GE(std::atoi(refused.header("retry-after").c_str()), 1);
  EXPECT_EQ(gateway.Metric("breakwater_queue_refused_total{upstream=\"main\",reason=\"queue_full\"}"), 1);

  // Whose client leaves is out of the queue at once, and never asked for.
  clients[kPlaces + 5]->Reset();
  WaitUntil([&] { return Waiting(gateway) == kQueue - 1; });

  for (int i = 0; i < kQueue; ++i) {
    if (i == 5) continue;
    expected.push_back(Id("waits", i));
    upstream.Release(1);
    WaitUntil([&] { return upstream.begun() == static_cast<int>(expected.size()); });
    EXPECT_LE(upstream.most_under_way(), kPlaces);
  }
  upstream.Release(kPlaces);
  EXPECT_EQ(upstream.order(), expected);
  std::set<int> workers;
  for (const std::string& id : expected) workers.insert(gateway.WaitForAccess(id)["worker"].get<int>());
  EXPECT_EQ(workers.size(), 2u) << "an order over one worker only says nothing";
  EXPECT_GT(gateway.WaitForAccess("waits-0").value("queued_ms", 0.0), 0);
  EXPECT_EQ(gateway.WaitForAccess("waits-5").value("status", 0), 499);
}

}  // namespace
}  // namespace tests::e2e
