// What upstreams do wrong, or merely seldom, and what a client sees of it. The numbers are those of the list of HTTP
// cases that the project keeps to.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

constexpr size_t kMiB = 1 << 20;

// Answers with these bytes, as they are, and ends the connection.
ScriptedUpstream::Script Raw(const std::string& bytes) {
  return [bytes](UpstreamExchange& exchange) {
    exchange.Send(bytes);
    exchange.Finish();
  };
}

struct Nonsense {
  std::string name;
  std::string bytes;
};
std::ostream& operator<<(std::ostream& out, const Nonsense& nonsense) { return out << nonsense.name; }

class BadResponse : public testing::TestWithParam<Nonsense> {};

TEST_P(BadResponse, IsA502AndNothingOfItIsPassedOn) {
  ScriptedUpstream upstream(Raw(GetParam().bytes));
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "breaker { open when failures(60s) >= 5 }"));
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Request-Id", "bad"}});
  EXPECT_EQ(answer.status, 502) << testing::PrintToString(answer);
  EXPECT_TRUE(answer.looks_complete());
  EXPECT_EQ(answer.body.find("smuggled"), std::string::npos);
  EXPECT_EQ(answer.json()["code"], "bad_response");
  EXPECT_EQ(gateway.WaitForAccess("bad")["attempts"][0]["error"], "bad_response");
  EXPECT_EQ(gateway.Health("main").value("failure_count", -1), 1);
}

INSTANTIATE_TEST_SUITE_P(
    Upstream, BadResponse,
    testing::Values(Nonsense{"LengthAndChunked",
                             "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nTransfer-Encoding: chunked\r\n\r\nsmuggled"},
                    Nonsense{"TwoLengths", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Length: 9\r\n\r\nsmuggled"},
                    Nonsense{"FoldedHeader", "HTTP/1.1 200 OK\r\nX: a\r\n smuggled: b\r\nContent-Length: 0\r\n\r\n"},
                    Nonsense{"NoHttp", "smuggled\r\n\r\n"},
                    Nonsense{"SwitchingProtocolsUnasked",
                             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nsmuggled"},
                    Nonsense{"HeadTooLarge",
                             "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\nsmuggled"}),
    [](const testing::TestParamInfo<Nonsense>& nonsense) { return nonsense.param.name; });

TEST(Upstream, InterimResponsesComeBeforeTheAnswerAndAreNoAnswer) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    exchange.Send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    AnswerWell(exchange);
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()));
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x")).body, kOllamaAnswer);
}

TEST(Upstream, BytesBeyondTheLengthAreNeverDelivered) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    exchange.Send(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}HTTP/1.1 200 "
        "OK\r\nContent-Length: 8\r\n\r\nsmuggled");
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "repeat_safe = true"));
  RawClient client(gateway.port());
  EXPECT_EQ(client.Request({.body = Chat("x")}).body, "{}");
  EXPECT_EQ(client.Request({.body = Chat("y")}).body, "{}") << "the surplus is not the answer to the next request";
  EXPECT_EQ(upstream.connection_count(), 2);
}

TEST(Upstream, AnswersWithoutABodyHaveNone) {
  for (const int status : {204, 304}) {
    ScriptedUpstream upstream([status](UpstreamExchange& exchange) { exchange.SendHead(status, {{"X-Model", "m"}}); });
    GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()));
    RawClient client(gateway.port());
    const Answer answer = client.Request({.method = "GET", .target = "/x"});
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.header("x-model"), "m");
    EXPECT_EQ(answer.body, "");
    EXPECT_FALSE(answer.has_header("transfer-encoding"));
    EXPECT_EQ(client.Request({.method = "GET", .target = "/health/live"}).status, 200);
  }
}

TEST(Upstream, CloseDelimitedAnswersAreTakenWhereTheirContentTellsTheEnd) {
  ScriptedUpstream json(Raw("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + kOllamaAnswer));
  GatewayProcess whole(Gateway() + Upstream("main", json.url()));
  const Answer answer = Post(whole.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(answer.body, kOllamaAnswer);
  EXPECT_TRUE(answer.looks_complete());

  ScriptedUpstream cut(Raw("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + kOllamaAnswer.substr(0, 60)));
  GatewayProcess half(Gateway() + Upstream("main", cut.url()));
  EXPECT_EQ(Post(half.port(), "/api/chat", Chat("x")).status, 502) << "it must be whole JSON";

  ScriptedUpstream stream(
      Raw("HTTP/1.0 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n" + Frame("a") + Frame("", true)));
  GatewayProcess streamed(Gateway() + Upstream("main", stream.url()));
  const Answer frames = Post(streamed.port(), "/api/chat", Chat("x", true));
  EXPECT_TRUE(frames.looks_complete());
  EXPECT_EQ(frames.framing, support::BodyReader::Framing::kChunked)
      << "its mark was seen, so the end can be vouched for";
}

TEST(Upstream, RedirectsArePassedThroughAndNotFollowed) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    exchange.Answer(302, "", {{"Location", "http://169.254.169.254/"}});
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()));
  const Answer answer = Get(gateway.port(), "/x");
  EXPECT_EQ(answer.status, 302);
  EXPECT_EQ(answer.header("location"), "http://169.254.169.254/");
}

TEST(Upstream, EarlyAnswerToAnUploadIsPassedOn) {
  Signal answered;
  ScriptedUpstream upstream(
      [&](UpstreamExchange& exchange) {
        exchange.Answer(413, R"({"error":"too large"})");
        answered.Set();
        exchange.Hang();
      },
      ScriptedUpstream::Options{.reads_bodies = false});
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "replay_body = 1KiB"));
  RawClient client(gateway.port());
  client.Send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(10 * kMiB) + "\r\n\r\n" +
              std::string(200'000, 'x'));
  Answer answer = client.ReadHead();
  client.ReadToEnd(&answer);
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.json().value("error", ""), "too large");
  EXPECT_TRUE(client.WaitForClose()) << "the rest of the upload is not waited for";
}

TEST(Client, IsToldToContinueBeforeItSendsItsBody) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()));
  RawClient client(gateway.port());
  const std::string body = Chat("x");
  client.Send("POST /api/chat HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n");
  std::string interim;
  while (interim.find("\r\n\r\n") == std::string::npos)
    ASSERT_EQ(client.socket().Read(&interim), support::ReadResult::kData);
  EXPECT_TRUE(interim.starts_with("HTTP/1.1 100 ")) << interim;
  client.Send(body);
  Answer answer = client.ReadHead();
  client.ReadToEnd(&answer);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(upstream.last_request().body, body);
}

TEST(Client, ThatLeavesDuringTheWaitCostsNoFurtherAttempt) {
  ScriptedUpstream upstream(AnswerFailure);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), R"(
  repeat_safe = true
  retry { max_retries = 2  when status in 5xx  wait = exponential(from: 1h, cap: 1h) })"));
  RawClient client(gateway.port());
  client.Send(ToText({.headers = {{"X-Request-Id", "left"}}, .body = Chat("x")}));
  gateway.WaitForEvent("retry attempt 1/2");
  client.Close();
  EXPECT_EQ(gateway.WaitForAccess("left")["how"], "client_gone");
  EXPECT_EQ(upstream.request_count(), 1);
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
