// Bodies in both directions: streams without delay, bodies too large to keep, slow readers.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

constexpr size_t kMiB = 1 << 20;

TEST(Stream, PassesEachFrameOnBeforeTheNextIsMade) {
  constexpr int kFrames = 20;
  std::atomic<int> acknowledged{0};
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    exchange.SendHead(200, {{"Content-Type", "application/x-ndjson"}, {"Transfer-Encoding", "chunked"}});
    for (int i = 0; i < kFrames; ++i) {
      exchange.SendChunk(Frame("<" + std::to_string(i) + ">"));
      if (!exchange.WaitUntil([&] { return acknowledged > i; })) return;
    }
    exchange.SendChunk(Frame("", true));
    exchange.SendLastChunk();
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()));
  RawClient client(gateway.port());
  client.Send(ToText({.body = Chat("x", true)}));
  Answer answer = client.ReadHead();
  EXPECT_EQ(answer.header("content-type"), "application/x-ndjson");
  for (int i = 0; i < kFrames; ++i) {
    ASSERT_TRUE(client.ReadUntil("<" + std::to_string(i) + ">", &answer)) << i;
    acknowledged = i + 1;
  }
  client.ReadToEnd(&answer);
  EXPECT_TRUE(answer.looks_complete());
  EXPECT_NE(answer.body.find("\"done\":true"), std::string::npos);
  EXPECT_EQ(client.Request({.method = "GET", .target = "/health/live"}).status, 200) << "the connection is kept";
}

// By the compiled predicate: the client gets all of it, and the breaker counts what the frame said.
TEST(Stream, AFrameThatThePolicyCallsAFailureCounts) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    const bool is_degraded = exchange.request().body.find("degraded") != std::string::npos;
    exchange.SendHead(200, {{"Content-Type", "application/x-ndjson"}, {"Transfer-Encoding", "chunked"}});
    exchange.SendChunk(Frame("one "));
    exchange.SendChunk(is_degraded ? R"({"message":{"content":"two"},"quality":"low","done":false})" "\n" : Frame("two"));
    exchange.SendChunk(Frame("", true));
    exchange.SendLastChunk();
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), R"(
  breaker {
    open when failures(60s) >= 100
    failure when status in 5xx or chunk.json.quality == "low"
  })"));
  const auto failures = [&] { return gateway.Health("main").value("failure_count", -1); };
  for (const auto& [content, expected] : {std::pair("fine", 0), std::pair("degraded", 1), std::pair("fine", 1)}) {
    const Answer answer = Post(gateway.port(), "/api/chat", Chat(content, true));
    EXPECT_TRUE(answer.looks_complete()) << testing::PrintToString(answer);
    EXPECT_NE(answer.body.find("two"), std::string::npos);
    EXPECT_TRUE(WaitUntil([&, expected = expected] { return failures() == expected; })) << content << ": " << failures();
  }
}

TEST(Stream, ThatStandsStillEndsWithAnErrorFrame) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    exchange.SendHead(200, {{"Content-Type", "application/x-ndjson"}, {"Transfer-Encoding", "chunked"}});
    exchange.SendChunk(Frame("Hel"));
    exchange.Hang();
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "timeouts { idle = 100ms }"));
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x", true));
  EXPECT_FALSE(answer.looks_complete());
  EXPECT_NE(answer.body.find("\"code\":\"idle_timeout\""), std::string::npos) << answer.body;
  EXPECT_TRUE(WaitUntil([&] { return upstream.in_flight() == 0; }));
}

TEST(RequestBody, LargerThanReplayBodyStreamsAndSaysSo) {
  Signal got_beginning;
  std::atomic<size_t> received{0};
  ScriptedUpstream upstream(
      [&](UpstreamExchange& exchange) {
        while (exchange.ReadMoreBody()) {
          received = exchange.request().body.size();
          got_beginning.Set();
        }
        received = exchange.request().body.size();
        AnswerFailure(exchange);
      },
      ScriptedUpstream::Options{.reads_bodies = false});
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), R"(
  repeat_safe = true
  replay_body = 64KiB
  retry { max_retries = 2  when status in 5xx  wait = exponential(from: 1ms) })"));
  const std::string half(kMiB, 'x');
  RawClient client(gateway.port());
  client.Send("POST /upload HTTP/1.1\r\nHost: a\r\nX-Request-Id: large\r\nContent-Length: " + std::to_string(2 * kMiB) +
              "\r\n\r\n" + half);
  ASSERT_TRUE(got_beginning.Wait()) << "the body streams before it is whole";
  client.Send(half);
  Answer answer = client.ReadHead();
  client.ReadToEnd(&answer);
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(received, 2 * kMiB);
  EXPECT_EQ(upstream.request_count(), 1);
  const Json access = gateway.WaitForAccess("large");
  EXPECT_EQ(access["retry_denied"], "body_too_large");
  EXPECT_EQ(access["bytes_in"], 2 * kMiB);
  EXPECT_EQ(gateway.Metric("breakwater_retry_denied_total{upstream=\"main\",reason=\"body_too_large\"}"), 1);

  // A chunked body of unknown length does likewise.
  client = RawClient(gateway.port());
  client.Send("POST /upload HTTP/1.1\r\nHost: a\r\nX-Request-Id: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" +
              support::Chunk(half) + support::Chunk(half) + "0\r\n\r\n");
  answer = client.ReadHead();
  client.ReadToEnd(&answer);
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(received, 2 * kMiB);
  EXPECT_EQ(gateway.WaitForAccess("chunked")["retry_denied"], "body_too_large");
}

TEST(BackPressure, KeepsMemoryBoundedWhileTheClientDoesNotRead) {
  constexpr size_t kAnswer = 100 * kMiB;
  std::atomic<size_t> sent{0};
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    exchange.SendHead(200, {{"Content-Type", "application/octet-stream"}, {"Content-Length", std::to_string(kAnswer)}});
    const std::string piece(kMiB, 'x');
    while (sent < kAnswer && exchange.Send(piece)) sent += kMiB;
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()), ForMemory());
  RawClient client(gateway.port(), 64 << 10);
  ASSERT_EQ(client.Request({.method = "GET", .target = "/health/live"}).status, 200);
  const size_t before = gateway.process().resident_bytes();
  client.Send(ToText({.method = "GET", .target = "/large"}));
  Answer answer = client.ReadHead();
  ASSERT_TRUE(client.ReadUntil("x", &answer));

  // The upstream stands still once the buffers between are full: that is seen when it sends nothing more over many
  // looks.
  size_t last = 0;
  int unchanged = 0;
  ASSERT_TRUE(WaitUntil([&] {
    unchanged = sent == last ? unchanged + 1 : 0;
    last = sent;
    return unchanged > 200;
  }));
  EXPECT_LT(sent, kAnswer / 2);
  const size_t grown = gateway.process().resident_bytes() - before;
  RecordProperty("grown_kib", static_cast<int>(grown >> 10));
  EXPECT_LT(grown, kMemoryAllowance);

  client.ReadToEnd(&answer);
  EXPECT_TRUE(answer.looks_complete());
  EXPECT_EQ(answer.body.size(), kAnswer);
}

TEST(BackPressure, KeepsMemoryBoundedWhileTheUpstreamDoesNotRead) {
  constexpr size_t kBody = 15 * kMiB;  // below the limit of bodies
  Signal go_on;
  std::atomic<size_t> received{0};
  ScriptedUpstream upstream(
      [&](UpstreamExchange& exchange) {
        if (!exchange.WaitFor(go_on)) return;
        while (exchange.ReadMoreBody()) {
        }
        received = exchange.request().body.size();
        AnswerWell(exchange);
      },
      ScriptedUpstream::Options{.reads_bodies = false});
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "replay_body = 64KiB"), ForMemory());
  ASSERT_EQ(Get(gateway.port(), "/health/live").status, 200);
  const size_t before = gateway.process().resident_bytes();
  RawClient client(gateway.port());
  client.Send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n");
  const std::string piece(64 << 10, 'x');
  size_t sent = 0;
  std::thread sending([&] {
    while (sent < kBody && client.Send(piece)) sent += piece.size();
  });
  ASSERT_TRUE(WaitUntil([&] { return upstream.in_flight() == 1; }));
  size_t most = 0;
  for (int look = 0; look < 200; ++look) {
    most = std::max(most, gateway.process().resident_bytes());
    WaitUntil([] { return false; }, milliseconds(1));
  }
  EXPECT_LT(most, before + kMemoryAllowance);
  go_on.Set();
  sending.join();
  Answer answer = client.ReadHead();
  client.ReadToEnd(&answer);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(received, kBody);
}

}  // namespace
}  // namespace tests::e2e
