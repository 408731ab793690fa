// The tools of the end-to-end tests, tried on each other: a test is worth what its eyes are worth.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/child_process.h"
#include "tests/support/raw_client.h"
#include "tests/support/scripted_upstream.h"

namespace tests::support {
namespace {

using End = Answer::End;

TEST(Harness, ClientReadsAnswersOfEveryFraming) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    const std::string& target = exchange.request().target;
    if (target == "/length") {
      exchange.Answer(200, "abc");
    } else if (target == "/chunked") {
      exchange.SendHead(200, {{"Transfer-Encoding", "chunked"}});
      exchange.SendChunk("ab");
      exchange.SendChunk("c");
      exchange.SendLastChunk();
    } else {
      exchange.SendHead(200, {}, 0);
      exchange.Send("abc");
      exchange.Finish();
    }
  });
  RawClient client(upstream.port());
  for (const char* target : {"/length", "/chunked", "/length", "/close"}) {
    const Answer answer = client.Request({.target = target, .body = "hello"});
    EXPECT_EQ(answer.status, 200) << target;
    EXPECT_EQ(answer.body, "abc") << target;
    EXPECT_EQ(answer.end, End::kComplete) << target;
  }
  EXPECT_EQ(upstream.request_count(), 4);
  EXPECT_EQ(upstream.connection_count(), 1);
  EXPECT_EQ(upstream.last_request().body, "hello");
  EXPECT_EQ(upstream.last_request().method, "POST");
}

TEST(Harness, ClientTellsCutAnswersFromWholeOnes) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    const std::string& target = exchange.request().target;
    if (target.starts_with("/length")) exchange.SendHead(200, {{"Content-Length", "10"}});
    if (target.starts_with("/chunked")) exchange.SendHead(200, {{"Transfer-Encoding", "chunked"}});
    if (target.starts_with("/length")) exchange.Send("abc");
    if (target.starts_with("/chunked")) exchange.SendChunk("abc");
    if (target.starts_with("/halfhead")) exchange.Send("HTTP/1.1 200 O");
    if (target.ends_with("reset")) {
      exchange.Reset();
    } else {
      exchange.Finish();
    }
  });
  EXPECT_EQ(Get(upstream.port(), "/length/fin").end, End::kCut);
  EXPECT_EQ(Get(upstream.port(), "/chunked/fin").end, End::kCut);
  EXPECT_EQ(Get(upstream.port(), "/halfhead/fin").end, End::kCut);
  EXPECT_EQ(Get(upstream.port(), "/nothing/fin").end, End::kNone);
  EXPECT_EQ(Get(upstream.port(), "/nothing/reset").end, End::kReset);
  EXPECT_EQ(Get(upstream.port(), "/chunked/reset").looks_complete(), false);
}

TEST(Harness, ClientReadsAPieceAtATime) {
  Signal seen;
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    exchange.SendHead(200, {{"Transfer-Encoding", "chunked"}});
    exchange.SendChunk("first");
    EXPECT_TRUE(exchange.WaitFor(seen));
    exchange.SendChunk("second");
    exchange.SendLastChunk();
  });
  RawClient client(upstream.port());
  client.Send(ToText({}));
  Answer answer = client.ReadHead();
  EXPECT_TRUE(client.ReadUntil("first", &answer));
  EXPECT_EQ(answer.body, "first");
  seen.Set();
  client.ReadToEnd(&answer);
  EXPECT_EQ(answer.body, "firstsecond");
  EXPECT_TRUE(answer.looks_complete());
}

TEST(Harness, StoppedUpstreamRefusesAndComesBackOnItsPort) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) { exchange.Answer(200, "{}"); });
  RawClient kept(upstream.port());
  EXPECT_EQ(kept.Request({}).status, 200);
  upstream.Stop();
  EXPECT_FALSE(RawClient(upstream.port()).connected());
  EXPECT_TRUE(kept.WaitForClose());
  upstream.Start();
  EXPECT_EQ(Post(upstream.port(), "/", "x").status, 200);
  EXPECT_EQ(upstream.connection_count(), 2);
}

TEST(Harness, UpstreamCountsRequestsInFlight) {
  Signal go;
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    exchange.WaitFor(go);
    exchange.Answer(200, "{}");
  });
  std::vector<std::thread> clients;
  for (int i = 0; i < 5; ++i) clients.emplace_back([&] { EXPECT_EQ(Post(upstream.port(), "/", "x").status, 200); });
  EXPECT_TRUE(WaitUntil([&] { return upstream.in_flight() == 5; }));
  go.Set();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(upstream.max_in_flight(), 5);
  EXPECT_TRUE(WaitUntil([&] { return upstream.in_flight() == 0; }));
}

TEST(Harness, UpstreamSeesTheClientGo) {
  Signal gone;
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (exchange.WaitForClose()) gone.Set();
  });
  RawClient client(upstream.port());
  client.Send(ToText({}));
  EXPECT_TRUE(WaitUntil([&] { return upstream.in_flight() == 1; }));
  EXPECT_FALSE(gone.is_set());
  client.Close();
  EXPECT_TRUE(gone.Wait());
}

TEST(Harness, UpstreamReadsChunkedRequestsAndBodiesPieceByPiece) {
  Signal got_first;
  ScriptedUpstream upstream(
      [&](UpstreamExchange& exchange) {
        EXPECT_TRUE(exchange.WaitUntil([&] { return exchange.request().body == "first" || !exchange.ReadMoreBody(); }));
        got_first.Set();
        while (exchange.ReadMoreBody()) {
        }
        exchange.Answer(200, exchange.request().body);
      },
      ScriptedUpstream::Options{.reads_bodies = false});
  RawClient client(upstream.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + Chunk("first"));
  EXPECT_TRUE(got_first.Wait());
  client.Send(Chunk("second") + "0\r\n\r\n");
  Answer answer = client.ReadHead();
  client.ReadToEnd(&answer);
  EXPECT_EQ(answer.body, "firstsecond");
}

TEST(Harness, StallingUpstreamDiesWithItsStreamOpen) {
  ChildProcess stalling({STALLING_UPSTREAM}, {});
  ASSERT_TRUE(WaitUntil([&] { return !stalling.out().empty(); }));
  const auto port = static_cast<uint16_t>(std::stoi(stalling.out()[0]));
  RawClient client(port);
  client.Send(ToText({.target = "/api/chat?chunked", .body = "{}"}));
  Answer answer = client.ReadHead();
  EXPECT_TRUE(client.ReadUntil("beginning", &answer));
  EXPECT_GT(stalling.resident_bytes(), 100'000u);
  EXPECT_GT(stalling.open_files(), 3u);
  EXPECT_TRUE(WaitUntil([&] { return stalling.out().back() == "begun"; }));
  stalling.Signal(SIGKILL);
  EXPECT_EQ(stalling.WaitForExit(), -SIGKILL);
  client.ReadToEnd(&answer);
  EXPECT_FALSE(answer.looks_complete());
}

TEST(Harness, ReplacingNothingIsAnError) {
  EXPECT_EQ(ReplaceAll("a-b-a", "a", "ab"), "ab-b-ab");
  EXPECT_THROW(ReplaceAll("abc", "x", "y"), std::runtime_error);
}

}  // namespace
}  // namespace tests::support
