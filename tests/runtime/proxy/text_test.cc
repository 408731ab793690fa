// Values of a request in what the gateway writes itself, and bodies rewritten for an upstream: on a simulated network.
#include <string>

#include <nlohmann/json.hpp>

#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

bool Holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
std::string BodyOf(const std::string& message) { return message.substr(message.find("\r\n\r\n") + 4); }

std::string Exchange(SimGateway& gateway, const std::string& request) {
  auto client = gateway.NewClient();
  client->Send(request);
  EXPECT_TRUE(gateway.network.RunUntil([&] { return client->ended; }));
  return client->received;
}

std::string PostOf(const std::string& body, const std::string& headers = "", const std::string& path = "/plain") {
  return "POST " + path + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Keeps each request that is complete by its Content-Length, and answers it with `status`.
struct Recorder {
  std::vector<std::string> requests;
  std::function<void(SimPeer&)> Answering(int status) {
    return [this, status](SimPeer& peer) {
      const size_t head = peer.received.find("\r\n\r\n");
      if (head == std::string::npos) return;
      const size_t length = peer.received.find("Content-Length: ");
      const size_t body = length < head ? std::stoul(peer.received.substr(length + 16)) : 0;
      if (peer.received.size() < head + 4 + body) return;
      requests.push_back(std::exchange(peer.received, ""));
      peer.Send("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 2\r\n\r\n{}");
    };
  }
};

// ---- Replies ---------------------------------------------------------------------------------------------------------

constexpr const char* kEchoes =
    "reply it { status = 200  body = json { \"path\": \"<${request.path}>\", \"model\": \"${request.json.model}\",\n"
    "  \"who\": \"${request.header[\"X-Who\"] ?? \"nobody\"}\" }\n"
    "  header[\"X-Model\"] = \"model ${request.json.model}\" }\nroute all { reply = it }\n";

TEST(Replies, AQuoteInAValueCannotBreakTheJsonAroundIt) {
  SimGateway gateway(kEchoes);
  const std::string answer = Exchange(
      gateway, PostOf("{\"model\":\"a\\\"b\\\\\\n\\u0000\"}", "X-Who: \", \"admin\": true, \"x\": \"\xff\r\n"));
  const auto body = nlohmann::json::parse(BodyOf(answer));
  EXPECT_EQ(body["path"], "</plain>");
  EXPECT_EQ(body["model"], std::string("a\"b\\\n\0", 6));
  EXPECT_EQ(body["who"], "\", \"admin\": true, \"x\": \"\xEF\xBF\xBD");
  EXPECT_EQ(body.size(), 3u);
}

TEST(Replies, AValueCannotBeginAnotherHeader) {
  SimGateway gateway(kEchoes);
  const std::string answer = Exchange(gateway, PostOf("{\"model\":\"a\\r\\nSet-Cookie: x=1\"}"));
  EXPECT_TRUE(Holds(answer, "\r\nX-Model: model a  Set-Cookie: x=1\r\n")) << answer;
}

TEST(Replies, WhatIsAbsentAddsNothing) {
  SimGateway gateway(kEchoes);
  const auto body = nlohmann::json::parse(BodyOf(Exchange(gateway, PostOf("{}"))));
  EXPECT_EQ(body["model"], "");
  EXPECT_EQ(body["who"], "nobody");
}

TEST(Replies, TextIsShapedWithItsValues) {
  SimGateway gateway(
      "reply it { status = 200  text = \"sorry, ${request.json.model} rests\" }\nroute all { reply = it }\n");
  EXPECT_EQ(BodyOf(Exchange(gateway, PostOf("{\"model\":\"q\\\"8\"}"))), "sorry, q\"8 rests");
  const std::string chat = Exchange(gateway, PostOf("{\"model\":\"q\\\"8\",\"stream\":false}", "", "/api/chat"));
  EXPECT_EQ(nlohmann::json::parse(BodyOf(chat))["message"]["content"], "sorry, q\"8 rests") << chat;
}

// ---- Rewritten bodies ------------------------------------------------------------------------------------------------

constexpr const char* kSmall =
    "upstream u { url = \"http://10.0.0.1:1\"  rewrite = json { \"model\": \"small\", \"seed\": null } }\n";

TEST(Rewrite, PatchesTheBodyAndItsLength) {
  SimGateway gateway(kSmall);
  Recorder seen;
  SimServer server(&gateway.network, "10.0.0.1", 1, seen.Answering(200));
  Exchange(gateway, PostOf("{ \"model\": \"large\",  \"seed\": 7, \"t\": 1.50 }"));
  ASSERT_EQ(seen.requests.size(), 1u);
  EXPECT_EQ(BodyOf(seen.requests[0]), "{ \"model\": \"small\", \"t\": 1.50 }");
  EXPECT_TRUE(Holds(seen.requests[0], "Content-Length: 31\r\n")) << seen.requests[0];
}

TEST(Rewrite, RefusesWhatIsNoJsonObjectAndPassesOnWhatHasNoMembers) {
  SimGateway gateway(kSmall);
  Recorder seen;
  SimServer server(&gateway.network, "10.0.0.1", 1, seen.Answering(200));
  for (const char* body : {"[1]", "model=large", "{\"model\":\"large\"", "\"x\""}) Exchange(gateway, PostOf(body));
  EXPECT_EQ(seen.requests.size(), 0u);
  Exchange(gateway, "GET / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
  Exchange(gateway, "POST / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Type: audio/wav\r\nContent-Length: 4\r\n\r\nRIFF");
  ASSERT_EQ(seen.requests.size(), 2u);
  EXPECT_EQ(BodyOf(seen.requests[1]), "RIFF");
}

TEST(Rewrite, EachUpstreamGetsItsOwn) {
  SimGateway gateway(
      "upstream a { url = \"http://10.0.0.1:1\"  repeat_safe = true }\n"
      "upstream b { url = \"http://10.0.0.2:1\"  rewrite = json { \"model\": \"small\", \"user\": "
      "\"${request.header[\"X-Who\"]}\" } }\n"
      "route all { to = [a, b] }\n");
  Recorder first, second;
  SimServer a(&gateway.network, "10.0.0.1", 1, first.Answering(503));
  SimServer b(&gateway.network, "10.0.0.2", 1, second.Answering(200));
  Exchange(gateway, PostOf("{\"model\":\"large\"}", "X-Who: a\"b\r\n"));
  ASSERT_EQ(first.requests.size(), 1u);
  ASSERT_EQ(second.requests.size(), 1u);
  EXPECT_EQ(BodyOf(first.requests[0]), "{\"model\":\"large\"}");
  EXPECT_EQ(BodyOf(second.requests[0]), "{\"model\":\"small\",\"user\":\"a\\\"b\"}");
}

TEST(Rewrite, KeepsABodyThatIsRewrittenWhateverReplayBodySays) {
  SimGateway gateway(
      "upstream u { url = \"http://10.0.0.1:1\"  replay_body = 1KiB  rewrite = json { \"model\": \"small\" } }\n");
  Recorder seen;
  SimServer server(&gateway.network, "10.0.0.1", 1, seen.Answering(200));
  for (const size_t size : {50'000, 100'000, 3'000'000}) {
    Exchange(gateway, PostOf("{\"model\":\"large\",\"x\":\"" + std::string(size, 'x') + "\"}"));
    EXPECT_TRUE(Holds(seen.requests.back(), "{\"model\":\"small\",")) << size;
  }
  EXPECT_EQ(seen.requests.size(), 3u);
}

// Padding must not lead around a route that looks into bodies.
TEST(RoutesByBody, KeepABodyThatDecidesAndNoOther) {
  SimGateway gateway(
      "upstream u { url = \"http://10.0.0.1:1\"  replay_body = 1KiB }\n"
      "reply no { status = 403 }\n"
      "route early { when request.path == \"/upload\"  to = u }\n"
      "route guarded { when request.path starts_with \"/v1/\" and request.json.model == \"large\"  reply = no }\n"
      "route rest { to = u }\n");
  Recorder seen;
  SimServer server(&gateway.network, "10.0.0.1", 1, seen.Answering(200));
  EXPECT_TRUE(Exchange(gateway, PostOf("{\"model\":\"large\"}", "", "/v1/x")).starts_with("HTTP/1.1 403 "));
  const std::string padded = "{\"model\":\"large\",\"x\":\"" + std::string(2'000'000, 'x') + "\"}";
  EXPECT_TRUE(Exchange(gateway, PostOf(padded, "", "/v1/x")).starts_with("HTTP/1.1 403 ")) << "padding leads around nothing";
  EXPECT_EQ(seen.requests.size(), 0u);
  Exchange(gateway, PostOf(padded, "", "/upload"));
  EXPECT_EQ(seen.requests.size(), 1u) << "chosen before anybody looks into bodies";
  Exchange(gateway, PostOf(padded, "", "/v2/audio"));
  EXPECT_EQ(seen.requests.size(), 2u) << "its path alone rules the other route out";
}

TEST(Rewrite, RefusesWhatIsNestedTooDeepToRead) {
  SimGateway gateway(kSmall);
  Recorder seen;
  SimServer server(&gateway.network, "10.0.0.1", 1, seen.Answering(200));
  const std::string answer = Exchange(gateway, PostOf("{\"a\":" + std::string(80, '[') + std::string(80, ']') + "}"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_EQ(seen.requests.size(), 0u);
}

}  // namespace
}  // namespace tests
