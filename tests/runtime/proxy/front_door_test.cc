// What the gateway answers whatever its routes say, and what it holds of sockets and time: pages of foreign origins, CORS on refusals,
// protocols that it doesn't speak, places, the end of a drain.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "runtime/proxy/connection_place.h"
#include "runtime/proxy/cors.h"
#include "runtime/proxy/limits.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

using namespace std::chrono_literals;
using runtime::proxy::AddressGroup;
using runtime::proxy::JudgeOrigin;
using runtime::proxy::OriginKind;

constexpr const char* kPolicy = "upstream u { url = \"http://10.0.0.1:11434\" }\n";

bool Holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct Asked {
  std::string answer;
  bool closed = false;
};

Asked Ask(SimGateway& gateway, const std::string& bytes) {
  auto client = gateway.NewClient();
  client->Send(bytes);
  gateway.network.RunFor(100ms);
  return {client->received, client->ended};
}

std::string Chat(const std::string& lines) {
  return "POST /x HTTP/1.1\r\nHost: gw.example:8080\r\n" + lines + "Content-Length: 2\r\n\r\n{}";
}

TEST(ForeignOrigin, StartsNothingAndReadsNothing) {
  SimGateway gateway(kPolicy, "cors = [\"https://chat.example\"]");
  std::vector<std::string> asked;
  SimServer server(&gateway.network, "10.0.0.1", 11434, [&](SimPeer& peer) {
    if (!Holds(peer.received, "{}")) return;
    asked.push_back(std::exchange(peer.received, ""));
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"choices\":[]}");
  });
  for (const char* origin : {"https://evil.example", "null", "http://chat.example", "https://chat.example:444", "https://chat.example.evil.example"}) {
    const std::string answer = Ask(gateway, Chat("Origin: " + std::string(origin) + "\r\n")).answer;
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 ")) << origin << "\n" << answer;
    EXPECT_TRUE(Holds(answer, "foreign_origin") && !Holds(answer, "Allow-Origin")) << answer;
    EXPECT_TRUE(Ask(gateway, "OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: " + std::string(origin) +
                                 "\r\nAccess-Control-Request-Method: POST\r\n\r\n").answer.starts_with("HTTP/1.1 403 "));
  }
  EXPECT_TRUE(asked.empty());
  for (const char* lines : {"Origin: https://chat.example\r\n", "Origin: http://gw.example:8080\r\n", ""}) {
    EXPECT_TRUE(Ask(gateway, Chat(lines)).answer.starts_with("HTTP/1.1 200 ")) << lines;
  }
  EXPECT_EQ(asked.size(), 3u);
  EXPECT_TRUE(Holds(gateway.Get("/metrics"), "bad_request_total{reason=\"foreign_origin\"} 10"));
}

TEST(ForeignOrigin, IsTheUpstreamsToJudgeWhereCorsIsOff) {
  const compiler::model::Cors off;
  EXPECT_EQ(JudgeOrigin(off, "https://evil.example", "a"), OriginKind::kNone);
  compiler::model::Cors any;
  any.enabled = any.any_origin = true;
  EXPECT_EQ(JudgeOrigin(any, "https://evil.example", "a"), OriginKind::kAllowed);
  compiler::model::Cors one;
  one.enabled = true;
  one.origins = {"https://chat.example"};
  EXPECT_EQ(JudgeOrigin(one, "https://gw.example", "GW.example:443"), OriginKind::kOwn);
  EXPECT_EQ(JudgeOrigin(one, "https://gw.example", "gw.example:80"), OriginKind::kForeign);
  EXPECT_EQ(JudgeOrigin(one, std::nullopt, "gw.example"), OriginKind::kNone);
  one.origins = {"https://chat.example:443", "http://lab.example:80",
                 "http://other.example"};  // browsers leave those ports out
  for (const char* origin : {"https://chat.example", "http://lab.example", "http://other.example"}) {
    EXPECT_EQ(JudgeOrigin(one, origin, "a"), OriginKind::kAllowed) << origin;
  }
  EXPECT_EQ(JudgeOrigin(one, "http://chat.example:443", "a"), OriginKind::kForeign);
  EXPECT_EQ(JudgeOrigin(one, "https://lab.example:80", "a"), OriginKind::kForeign);
}

TEST(CorsHeaders, StandOnWhateverTheGatewayRefuses) {
  SimGateway gateway(kPolicy, "cors = [\"https://chat.example\", \"https://other.example\"]  limits { body = 10B  header_line = 200B }");
  const std::string origin = "Origin: https://other.example\r\n";
  const std::pair<std::string, std::string> refused[] = {
      {"413", "POST / HTTP/1.1\r\nHost: a\r\n" + origin + "Content-Length: 11\r\n\r\n"},
      {"413", "POST / HTTP/1.1\r\nHost: a\r\n" + origin + "Transfer-Encoding: chunked\r\n\r\nb\r\n"},
      {"431", "GET / HTTP/1.1\r\nHost: a\r\n" + origin + "X: " + std::string(300, 'x') + "\r\n\r\n"},
      {"400", "GET / HTTP/1.1\r\nHost: a\r\n" + origin + "Bad Line\r\n\r\n"},
      {"400", "GET /%zz HTTP/1.1\r\nHost: a\r\n" + origin + "\r\n"},
      {"426", "GET /v1/realtime HTTP/1.1\r\nHost: a\r\n" + origin + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
  };
  for (const auto& [status, bytes] : refused) {
    const std::string answer = Ask(gateway, bytes).answer;
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status)) << answer;
    EXPECT_TRUE(Holds(answer, "Access-Control-Allow-Origin: https://other.example\r\n")) << answer;
    EXPECT_TRUE(Holds(answer, "Vary: Origin\r\n")) << answer;
  }
  SimGateway one(kPolicy, "cors = \"https://chat.example\"  limits { header_line = 200B }");
  const std::string early = Ask(one, "GET / HTTP/1.1\r\nX: " + std::string(300, 'x') + "\r\n").answer;
  EXPECT_TRUE(Holds(early, "Access-Control-Allow-Origin: https://chat.example\r\n")) << "its Origin was not read yet\n" << early;
}

TEST(Upgrade, ToWebSocketIsRefusedAtOnceInWordsThatClientsRead) {
  SimGateway gateway(kPolicy);
  const Asked asked = Ask(gateway,
                          "GET /v1/responses HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
                          "Sec-WebSocket-Version: 13\r\n\r\n");
  EXPECT_TRUE(asked.answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n")) << asked.answer;
  EXPECT_TRUE(Holds(asked.answer, "Upgrade: websocket\r\n"));
  EXPECT_TRUE(Holds(asked.answer, "Connection: close, upgrade\r\n"));
  EXPECT_TRUE(Holds(asked.answer, "Content-Type: application/json"));
  EXPECT_TRUE(asked.closed);
}

TEST(Expectation, AnEarlyFinalAnswerClosesTheConnection) {
  SimGateway gateway(kPolicy);
  const Asked asked = Ask(gateway, "POST /health/live HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_TRUE(asked.answer.starts_with("HTTP/1.1 405 ")) << asked.answer;
  EXPECT_TRUE(Holds(asked.answer, "Connection: close\r\n"));
}

TEST(Places, AConnectionThatLingersKeepsIts) {
  SimGateway gateway(kPolicy, "limits { connections = 5  per_address = 3 }");
  std::vector<std::unique_ptr<SimPeer>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(gateway.NewClient());
    clients.back()->Send("BAD\r\n\r\n");
    gateway.network.RunFor(1ms);
  }
  EXPECT_EQ(gateway.transport.closing_gracefully(), 3u);
  gateway.network.RunFor(3s);
  EXPECT_EQ(gateway.transport.closing_gracefully(), 0u);
  EXPECT_EQ(gateway.state->addresses.size(), 0u);
  EXPECT_TRUE(Ask(gateway, "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n").answer.starts_with("HTTP/1.1 200 "));
}

TEST(Places, AnIpv6HostIsItsNetwork) {
  EXPECT_EQ(AddressGroup("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(AddressGroup("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(AddressGroup("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(AddressGroup("2001:db8:1:2:ffff::1"), AddressGroup("2001:db8:1:2::"));
  EXPECT_NE(AddressGroup("2001:db8:1:3::1"), AddressGroup("2001:db8:1:2::1"));
  EXPECT_EQ(AddressGroup("fe80::1%eth0"), "fe80::/64");
}

TEST(Health, OnePageListsAllBreakers) {
  SimGateway gateway(
      "upstream a { url = \"http://10.0.0.1:1\"  breaker { open when consecutive_failures >= 5 } }\n"
      "upstream b { url = \"http://10.0.0.1:2\" }\n"
      "upstream c { url = \"http://10.0.0.1:3\"  breaker { open when consecutive_failures >= 5 } }\n"
      "route r { to = [a, b, c] }\n");
  const std::string page = gateway.Get("/health/circuit-breaker");
  EXPECT_TRUE(page.starts_with("HTTP/1.1 200 ")) << page;
  EXPECT_TRUE(Holds(page, "\"name\":\"a\",\"state\":\"CLOSED\"") && Holds(page, "\"name\":\"c\"") && !Holds(page, "\"name\":\"b\"")) << page;
}

TEST(DroppedHeaders, AreCounted) {
  SimGateway gateway(kPolicy);
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering("hello"));
  Ask(gateway, "GET / HTTP/1.1\r\nHost: a\r\nX_A: 1\r\nX_B: 2\r\n\r\n");
  EXPECT_TRUE(Holds(gateway.Get("/metrics"), "dropped_header_total{reason=\"underscore\"} 2"));
}

// A client that reads nothing of a large answer; the gateway is to stop.
class SlowReader : public testing::Test {
 protected:
  SlowReader() {
    client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    gateway.network.RunUntil([&] { return client->received.size() > 1000; });
    client->stream->PauseReading();
    gateway.network.RunFor(1s);
    began = gateway.network.now();
  }

  SimGateway gateway{kPolicy};
  SimServer server{&gateway.network, "10.0.0.1", 11434, Answering(std::string(8'000'000, 'y'))};
  std::unique_ptr<SimPeer> client = gateway.NewClient();
  base::TimePoint began;
  bool drained = false;
};

TEST_F(SlowReader, DoesNotHoldADrainBeyondItsLimit) {
  gateway.worker->Drain(2s, [&] { drained = true; });
  ASSERT_TRUE(gateway.network.RunUntil([&] { return drained; }, 1min));
  EXPECT_LE(gateway.network.now() - began, 2s + runtime::proxy::kLinger + 100ms);
}

TEST_F(SlowReader, IsBrokenOffWhereTheDrainIsEnded) {
  gateway.worker->Drain(1h, [&] { drained = true; });
  gateway.network.RunFor(1s);
  EXPECT_FALSE(drained);
  gateway.worker->EndDrain();
  ASSERT_TRUE(gateway.network.RunUntil([&] { return drained; }, 1min));
  EXPECT_LE(gateway.network.now() - began, 1s + runtime::proxy::kLinger + 100ms);
}

}  // namespace
}  // namespace tests
