// What is charged to whom: the time in which a client doesn't read, the silence in the middle of a whole answer, the tokens of an attempt
// that came to nothing, the wait of those that follow an answer which no cache will have. On a simulated network and a virtual clock.
#include <gtest/gtest.h>

#include <functional>

#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

using namespace std::chrono_literals;

bool Holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string Ask(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

std::string Chunk(const std::string& data) {
  char size[32];
  snprintf(size, sizeof(size), "%zx\r\n", data.size());
  return size + data + "\r\n";
}

// Answers each request that has come whole with these bytes.
std::function<void(SimPeer&)> Sends(const std::string& bytes) {
  return [bytes](SimPeer& peer) {
    if (!Holds(peer.received, "\r\n\r\n")) return;
    peer.received.clear();
    peer.Send(bytes);
  };
}

// An upstream may be silent for three seconds; its client reads nothing for twenty, and then all.
TEST(Accounts, TimeInWhichTheClientReadsNothingIsNotTheUpstreams) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\"  timeouts { idle = 3s }  breaker { open when failures(60s) >= 1  open_for = 30s } }\n");
  const std::string body(40'000'000, 'x');
  SimServer server(&gateway.network, "10.0.0.1", 80, Answering(body));
  auto client = gateway.NewClient();
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  gateway.network.RunFor(1ms);
  client->stream->PauseReading();
  gateway.network.RunFor(20s);
  ASSERT_LT(client->received.size(), body.size());
  client->stream->ResumeReading();
  ASSERT_TRUE(gateway.network.RunUntil([&] { return client->received.size() > body.size() || client->ended; }, 1min));
  EXPECT_GT(client->received.size(), body.size()) << (client->ended ? "ended" : "under way");
  EXPECT_TRUE(Holds(gateway.Get(), "200 OK")) << "its breaker has heard of nothing";
}

// The same silence of the server itself is its own.
TEST(Accounts, AWholeAnswerThatStallsInItsMiddleIsIdle) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\"  attempt_timeout = 60s  timeouts { idle = 3s } }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80,
                   Sends("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"model\":\"m\",\"message\":"));
  auto client = gateway.NewClient();
  const auto began = gateway.network.now();
  client->Send(Ask("/api/chat", R"({"model":"m","stream":false,"messages":[]})"));
  ASSERT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "\"error\"") || client->ended; }, 5min));
  EXPECT_LT(gateway.network.now() - began, 10s) << client->received;
  EXPECT_TRUE(Holds(client->received, "504 ")) << client->received;
}

TEST(Accounts, TokensOfAnAttemptThatCameToNothingAreNotTheAnswers) {
  const std::string policy =
      "edition 1\ngateway { listen = \"10.9.9.9:8080\" }\n"
      "upstream u { url = \"http://10.0.0.1:80\"  retry { max_retries = 1  when empty_answer  wait = exponential(from: 10ms) } }\n"
      "route chat { to = u  fallback = [sorry] }\n"
      "reply sorry { status = 503  text = \"sorry\" }\n";
  compiler::diagnostics::Diagnostics diagnostics;
  auto compiled = compiler::CompileInterpreted(policy, {}, &diagnostics);
  ASSERT_NE(compiled, nullptr) << (diagnostics.items().empty() ? "" : diagnostics.items().front().message);
  std::string log;
  runtime::sim::SimWorldOptions options;
  options.access = [&](std::string_view line) { log.append(line).append("\n"); };
  runtime::sim::SimWorld world(compiled, options);
  std::string content;
  SimServer server(&world.network, "10.0.0.1", 80, [&](SimPeer& peer) {
    if (!Holds(peer.received, "\r\n\r\n")) return;
    peer.received.clear();
    const std::string body = R"({"model":"m","message":{"role":"assistant","content":")" + content +
                             R"("},"done":true,"done_reason":"stop","prompt_eval_count":11,"eval_count":5})";
    peer.Send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  });
  auto client = world.NewClient();
  client->Send(Ask("/api/chat", R"({"model":"m","stream":false,"messages":[]})"));
  world.network.RunFor(1s);
  ASSERT_TRUE(Holds(client->received, "sorry")) << client->received;
  EXPECT_FALSE(Holds(log, "\"completion_tokens\"")) << log;
  content = "Hello";
  client->Send(Ask("/api/chat", R"({"model":"m","stream":false,"messages":[]})"));
  world.network.RunFor(1s);
  EXPECT_TRUE(Holds(log, "\"completion_tokens\":5")) << log;
}

// Its upstream has said all while the client still sends: what is in the middle of a request is nobody's any more.
TEST(Accounts, AnUploadThatIsUnderWayEndsWithItsAnswer) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\"  dialect = ollama  replay_body = 64KiB }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer& peer) {
    if (peer.received.size() < 200'000 || peer.received.starts_with("answered")) return;
    peer.received = "answered";
    peer.Send("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n" +
              Chunk("{\"model\":\"m\",\"message\":{\"content\":\"no\"},\"done\":true,\"done_reason\":\"stop\"}\n"));
  });
  auto client = gateway.NewClient();
  client->Send("POST /api/chat HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n" +
               std::string(300'000, ' '));
  ASSERT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "done_reason"); }, 10s)) << client->received;
  gateway.network.RunFor(10ms);
  EXPECT_TRUE(server.peers[0]->ended);
}

// The head of its answer went out early; that nobody may keep it is known with the upstream's.
TEST(Accounts, WhoFollowsAnAnswerThatIsNotKeptWaitsNoLongerThanItsHead) {
  SimGateway gateway(
      "upstream u { url = \"http://10.0.0.1:80\" }\ncache c { key = hash(request.path, request.body)  ttl = 1h  shared = true }\nroute all { to = u  cache = c  keep_alive = 2s }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer&) {});
  const std::string ask = Ask("/api/chat", R"({"model":"m","messages":[]})");
  auto leader = gateway.NewClient();
  leader->Send(ask);
  gateway.network.RunFor(5s);
  ASSERT_TRUE(Holds(leader->received, "200 OK")) << "early";
  auto follower = gateway.NewClient();
  follower->Send(ask);
  gateway.network.RunFor(100ms);
  ASSERT_EQ(server.peers.size(), 1u) << "it follows";
  server.peers[0]->Send("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n" +
                        Chunk("{\"model\":\"m\",\"message\":{\"content\":\"one\"},\"done\":false}\n"));
  gateway.network.RunFor(100ms);
  EXPECT_EQ(server.peers.size(), 2u) << "it asks by itself";
}

}  // namespace
}  // namespace tests
