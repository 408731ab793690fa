// gateway.limits, one test for each setting, with values that are not the defaults and a virtual clock. What a head may hold
// is in client_cases_test.cc (RequestLimits).
#include <gtest/gtest.h>

#include <chrono>

#include "runtime/proxy/limits.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPolicy = "upstream u { url = \"http://10.0.0.1:11434\" }\n";
const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

bool Is408(const SimPeer& client) { return client.received.starts_with("HTTP/1.1 408 "); }

TEST(Limits, ConnectionsInAll) {
  SimGateway gateway(kPolicy, "limits { connections = 3 }");
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering("hello"));
  std::vector<std::unique_ptr<SimPeer>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(gateway.NewClient());
    gateway.network.RunFor(1ms);
  }
  EXPECT_FALSE(clients[2]->ended);
  EXPECT_TRUE(clients[3]->ended);
  EXPECT_EQ(clients[3]->received, "");
  clients[0].reset();  // its place is free again
  gateway.network.RunFor(1ms);
  EXPECT_NE(gateway.Get().find("hello"), std::string::npos);
  EXPECT_NE(gateway.Get("/metrics").find("refused_connections_total{limit=\"connections\"} 1"), std::string::npos);
}

TEST(Limits, ConnectionsOfOneAddress) {
  SimGateway gateway(kPolicy, "limits { per_address = 2 }");
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering("hello"));
  auto first = gateway.NewClient();
  auto second = gateway.NewClient();
  gateway.network.RunFor(1ms);
  auto third = gateway.NewClient();
  SimTransport other_host(&gateway.network, "10.0.0.98");
  SimPeer other(&other_host, {SimGateway::kIp, SimGateway::kPort});
  gateway.network.RunFor(1ms);
  EXPECT_FALSE(second->ended);
  EXPECT_TRUE(third->ended);
  EXPECT_FALSE(other.ended) << "another address has places of its own";
  first.reset();
  gateway.network.RunFor(1ms);
  EXPECT_NE(gateway.Get().find("hello"), std::string::npos);
  second.reset();
  other.stream.reset();
  gateway.network.RunFor(10s);
  EXPECT_EQ(gateway.state->addresses.size(), 0u) << "every place was given back";
}

TEST(Limits, ConnectionsOfATrustedProxyAreNotCounted) {
  SimGateway gateway(kPolicy, "trusted_proxies = [10.0.0.0/24]  limits { per_address = 1 }");
  auto first = gateway.NewClient();
  auto second = gateway.NewClient();
  gateway.network.RunFor(1ms);
  EXPECT_FALSE(first->ended);
  EXPECT_FALSE(second->ended);
}

TEST(Limits, TimeOfAHeadThatDripsIn) {
  SimGateway gateway(kPolicy, "limits { header_time = 3s }");
  auto client = gateway.NewClient();
  for (const char c : std::string("GET / HT")) {  // slow loris
    client->Send(std::string(1, c));
    gateway.network.RunFor(370ms);
    EXPECT_EQ(client->received, "");
  }
  gateway.network.RunFor(100ms);
  EXPECT_TRUE(Is408(*client)) << client->received;
  EXPECT_TRUE(client->ended);
}

TEST(Limits, RateOfABody) {
  SimGateway gateway(kPolicy, "limits { body_rate = 1KiB/s }");
  SimServer server(&gateway.network, "10.0.0.1", 11434, [](SimPeer&) {});
  const auto head = [](size_t size) { return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n"; };
  auto slow = gateway.NewClient();     // half the rate
  auto steady = gateway.NewClient();   // the rate
  slow->Send(head(200 << 10));
  steady->Send(head(200 << 10));
  int seconds = 0;
  for (; seconds < 190 && !slow->ended; ++seconds) {
    slow->Send(std::string(512, 'x'));
    steady->Send(std::string(1024, 'x'));
    gateway.network.RunFor(1s);
  }
  // Over as soon as there are 30 s to look back at.
  EXPECT_GE(seconds, 30);
  EXPECT_LE(seconds, 32);
  EXPECT_TRUE(Is408(*slow)) << slow->received;
  for (; seconds < 199; ++seconds) {
    steady->Send(std::string(1024, 'x'));
    gateway.network.RunFor(1s);
  }
  EXPECT_FALSE(steady->ended) << steady->received;
  steady->Send(std::string(1024, 'x'));
  gateway.network.RunFor(1s);
  EXPECT_EQ(server.peers.size(), 1u) << "the whole body is on its way";
}

TEST(Limits, BodyThatNeverComesAfter100Continue) {
  SimGateway gateway(kPolicy);
  auto client = gateway.NewClient();
  client->Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  gateway.network.RunFor(29s);
  EXPECT_EQ(client->received, "HTTP/1.1 100 Continue\r\n\r\n");
  gateway.network.RunFor(2s);
  EXPECT_NE(client->received.find("HTTP/1.1 408 "), std::string::npos) << client->received;
  EXPECT_TRUE(client->ended);
}

TEST(Limits, RestBetweenRequests) {
  SimGateway gateway(kPolicy, "limits { idle = 5s }");
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering("hello"));
  auto fresh = gateway.NewClient();
  auto used = gateway.NewClient();
  gateway.network.RunFor(2s);
  used->Send(kGet);
  gateway.network.RunFor(4s);
  EXPECT_TRUE(fresh->ended);
  EXPECT_FALSE(used->ended);
  gateway.network.RunFor(2s);
  EXPECT_TRUE(used->ended);
}

TEST(Limits, ClientThatDoesNotRead) {
  SimGateway gateway(kPolicy, "limits { write_stall = 4s }");
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering(std::string(4'000'000, 'x')));
  auto client = gateway.NewClient();
  client->Send(kGet);
  ASSERT_TRUE(gateway.network.RunUntil([&] { return client->received.size() > 1000; }));
  client->stream->PauseReading();
  gateway.network.RunFor(3s);
  EXPECT_EQ(gateway.worker->connections(), 1u);
  ASSERT_TRUE(gateway.network.RunUntil([&] { return gateway.worker->connections() == 0; }, 6s));
}

TEST(Limits, QueuedTowardsAClientThatDoesNotRead) {
  SimGateway gateway(kPolicy);
  constexpr size_t kWindow = 16 << 10;  // of each of the two connections, and the most that one read gives
  runtime::sim::SimOptions options = gateway.network.options();
  options.window = kWindow;
  gateway.network.set_options(options);
  const std::string body(1'000'000, 'x');
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering(body));
  auto client = gateway.NewClient();
  client->Send(kGet);
  client->stream->PauseReading();
  gateway.network.RunFor(5s);
  const size_t taken = body.size() - server.peers.at(0)->stream->queued_bytes();
  EXPECT_GT(taken, runtime::proxy::kHighWater);
  EXPECT_LE(taken, runtime::proxy::kHighWater + 3 * kWindow);
  client->stream->ResumeReading();
  ASSERT_TRUE(gateway.network.RunUntil([&] { return client->received.size() > body.size(); }, 20s));
}

TEST(Limits, ManyRestingConnectionsHoldNoParser) {
  SimGateway gateway(kPolicy);
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering("hello"));
  std::vector<std::unique_ptr<SimPeer>> clients;
  for (int i = 0; i < 500; ++i) {
    clients.push_back(gateway.NewClient());
    clients.back()->Send(kGet);
    ASSERT_TRUE(gateway.network.RunUntil([&] { return !clients.back()->received.empty(); }));
  }
  EXPECT_EQ(gateway.worker->context().parsers.made(), 1u) << "one parser served them all, one after another";
}

// Of IPv6 a host has a /64 to choose its addresses from.
TEST(Limits, MemoryIsSharedByHostsNotByAddresses) {
  SimGateway gateway(kPolicy, "trusted_proxies = [\"10.0.0.99\"]  limits { memory = 1MiB }");
  const auto half_sent = [&gateway](const std::string& address) {
    auto client = gateway.NewClient();
    client->Send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " + address +
                 "\r\nContent-Length: 400000\r\n\r\n" + std::string(180'000, ' '));
    gateway.network.RunFor(100ms);
    return client;
  };
  const auto first = half_sent("2001:db8::1");
  const auto elsewhere = half_sent("2001:db8:0:1::1");
  EXPECT_EQ(first->received, "") << "another host's";
  const auto second = half_sent("2001:db8::2");
  EXPECT_TRUE(first->received.starts_with("HTTP/1.1 413 ")) << first->received;
  EXPECT_EQ(elsewhere->received + second->received, "");
}

TEST(EarlyHints, GoToClientsThatKnowThem) {
  SimGateway gateway(kPolicy);
  SimServer server(&gateway.network, "10.0.0.1", 11434, [](SimPeer& peer) {
    if (peer.received.find("\r\n\r\n") == std::string::npos) return;
    peer.received.clear();
    peer.Send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
              "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-Breakwater-Y: 1\r\n\r\n"
              "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  auto client = gateway.NewClient();
  client->Send(kGet);
  gateway.network.RunFor(5ms);
  EXPECT_TRUE(client->received.starts_with("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nVia: 1.1 breakwater\r\n\r\nHTTP/1.1 200 OK\r\n")) << client->received;
  auto old = gateway.NewClient();
  old->Send("GET / HTTP/1.0\r\n\r\n");
  gateway.network.RunFor(5ms);
  EXPECT_TRUE(old->received.starts_with("HTTP/1.1 200 OK\r\n")) << old->received;
}

}  // namespace
}  // namespace tests
