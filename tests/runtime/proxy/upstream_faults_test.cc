// What upstreams do wrong, on a simulated network and a virtual clock. The numbers are those of the list of HTTP cases that
// the gateway is held to; what only real sockets can show is in tests/e2e, the content of streams in tests/e2e/stream_test.cc.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

using namespace std::chrono_literals;

bool Holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

const std::string kJson = "{\"message\":{\"content\":\"Hello.\"},\"done\":true}";
const std::string kWell =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(kJson.size()) + "\r\n\r\n" + kJson;

std::string Policy(const std::string& more) {
  return "upstream u {\n  url = \"http://10.0.0.1:11434\"\n  " + more +
         "\n  breaker { open when failures(60s) >= 1000 }\n  fallback = [sorry]\n}\n"
         "reply sorry { status = 200  body = json { \"is_fallback\": true } }\n";
}
const std::string kRetry =
    "repeat_safe = true\n  retry { max_retries = 1  when error in {refused, connect_failure, reset, truncated} or status in 5xx"
    "  wait = exponential(from: 10ms) }";

enum class Ending { kOpen, kFin, kRst };

// An upstream that takes whole requests and fails the first of them: it sends these bytes and ends the connection so. Those
// that come after are answered well.
class FaultyServer {
 public:
  FaultyServer(SimNetwork* network, std::string bytes, Ending ending, int failures)
      : bytes_(std::move(bytes)), ending_(ending), failures_(failures), server_(network, "10.0.0.1", 11434, [this](SimPeer& peer) {
          const size_t end = peer.received.find("\r\n\r\n");
          if (end == std::string::npos) return;
          const size_t at = peer.received.find("Content-Length: ");
          const size_t length = at < end ? std::stoul(peer.received.substr(at + 16)) : 0;
          if (peer.received.size() < end + 4 + length) return;
          peer.received.erase(0, end + 4 + length);
          ++requests;
          if (requests <= skip) {
            peer.Send(kWell);
            return;
          }
          if (requests > skip + failures_) {
            peer.Send(kWell);
            return;
          }
          if (!bytes_.empty()) peer.Send(bytes_);
          if (ending_ == Ending::kFin) peer.stream->FinishWriting();
          if (ending_ == Ending::kRst) peer.stream->Reset();
        }) {}

  int requests = 0;
  int skip = 0;  // so many are answered well before the failures begin
  size_t connections() const { return server_.peers.size(); }
  SimServer& server() { return server_; }

 private:
  const std::string bytes_;
  const Ending ending_;
  const int failures_;
  SimServer server_;
};

std::string PostChat(SimGateway* gateway, Duration at_most = 1min) {
  auto client = gateway->NewClient();
  client->Send("POST /api/chat HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 16\r\n\r\n{\"stream\":false}");
  EXPECT_TRUE(gateway->network.RunUntil([&] { return client->ended; }, at_most));
  return client->received;
}

// failure_count of the breaker.
std::string Failures(SimGateway* gateway) {
  const std::string health = gateway->Get("/health/circuit-breaker/u");
  const size_t at = health.find("\"failure_count\":");
  return at == std::string::npos ? health : health.substr(at + 16, health.find(',', at) - at - 16);
}

struct Fault {
  const char* name;
  std::string bytes;
  Ending ending;
  const char* error;
  bool is_retried;
};
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

const std::string kHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

const std::vector<Fault>& Faults() {
  static const std::vector<Fault> faults = {
      {"5 accepts, then resets", "", Ending::kRst, "reset", true},
      {"5 accepts, then ends", "", Ending::kFin, "reset", true},
      {"8 reset within the head", "HTTP/1.1 200 OK\r\nContent-", Ending::kRst, "reset", true},
      {"8 end within the head", "HTTP/1.1 200 OK\r\nContent-", Ending::kFin, "reset", true},
      {"9 reset within a held body", kHead + "Content-Length: 50\r\n\r\n" + kJson.substr(0, 9), Ending::kRst, "truncated", true},
      {"11 shorter than its length", kHead + "Content-Length: 500\r\n\r\n" + kJson, Ending::kFin, "truncated", true},
      {"13 chunks without the last", kHead + "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n", Ending::kFin, "truncated", true},
      {"17 length and chunks", kHead + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Ending::kOpen, "bad_response", false},
      {"17 folded header", kHead + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", Ending::kOpen, "bad_response", false},
      {"17 status line", "HTTP/1.1 2000 OK\r\n\r\n", Ending::kOpen, "bad_response", false},
      {"17 NUL", kHead + std::string("X: \0\r\n\r\n", 8), Ending::kOpen, "bad_response", false},
      {"17 HTTP/0.9", "hello\r\n\r\n", Ending::kFin, "bad_response", false},
      {"18 10 MB of headers", kHead + "X: " + std::string(10'000'000, 'x') + "\r\n\r\n", Ending::kOpen, "bad_response", false},  // NOLINT(bugprone-string-constructor): it is meant
      {"18 5000 headers", [] {
         std::string head = kHead;
         for (int i = 0; i < 5000; ++i) head += "A: b\r\n";
         return head + "\r\n";
       }(), Ending::kOpen, "bad_response", false},
      {"26 21 interim answers", [] {
         std::string all;
         for (int i = 0; i < 21; ++i) all += "HTTP/1.1 102 Processing\r\n\r\n";
         return all + kWell;
       }(), Ending::kOpen, "bad_response", false},
      {"26 switches protocols unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Ending::kOpen, "bad_response", false},
      {"36 page for people with status 200", "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 13\r\n\r\n<html></html>",
       Ending::kOpen, "bad_response", false},
      {"36 page, compressed", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01",
       Ending::kOpen, "bad_response", false},
      {"27 close-delimited JSON, cut", kHead + "Connection: close\r\n\r\n" + kJson.substr(0, 20), Ending::kFin, "truncated", true},
  };
  return faults;
}

class UpstreamFault : public testing::TestWithParam<Fault> {};

TEST_P(UpstreamFault, OnceIsRetriedOrNotAndNothingOfItIsSeen) {
  SimGateway gateway(Policy(kRetry));
  FaultyServer server(&gateway.network, GetParam().bytes, GetParam().ending, 1);
  const std::string answer = PostChat(&gateway);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << answer;
  EXPECT_EQ(server.requests, GetParam().is_retried ? 2 : 1);
  EXPECT_EQ(answer.ends_with(kJson), GetParam().is_retried) << answer;
  EXPECT_EQ(Holds(answer, "X-Breakwater-Fallback: sorry\r\n"), !GetParam().is_retried) << answer;
  EXPECT_EQ(Failures(&gateway), "1");
  EXPECT_TRUE(PostChat(&gateway).ends_with(kJson)) << "what is left of the failed answer is not the next one";
}

TEST_P(UpstreamFault, AlwaysEndsInTheFallbackWithItsReason) {
  SimGateway gateway(Policy(kRetry));
  FaultyServer server(&gateway.network, GetParam().bytes, GetParam().ending, 1000);
  const std::string answer = PostChat(&gateway);
  EXPECT_TRUE(Holds(answer, "X-Breakwater-Fallback: sorry\r\n")) << answer;
  EXPECT_TRUE(Holds(answer, std::string("X-Breakwater-Fallback-Reason: ") + GetParam().error + "\r\n")) << answer;
  EXPECT_EQ(server.requests, GetParam().is_retried ? 2 : 1);
  EXPECT_EQ(Failures(&gateway), std::to_string(server.requests));
}

TEST_P(UpstreamFault, InPiecesOfAByteIsTheSame) {
  if (GetParam().bytes.size() > 100'000) GTEST_SKIP() << "too long for single bytes";
  SimGateway gateway(Policy(kRetry));
  runtime::sim::SimOptions options;
  options.piece = 1;
  gateway.network.set_options(options);
  FaultyServer server(&gateway.network, GetParam().bytes, GetParam().ending, 1);
  const std::string answer = PostChat(&gateway);
  EXPECT_EQ(answer.ends_with(kJson), GetParam().is_retried) << answer;
  EXPECT_EQ(Holds(answer, "X-Breakwater-Fallback: sorry\r\n"), !GetParam().is_retried) << answer;
}

INSTANTIATE_TEST_SUITE_P(Row, UpstreamFault, testing::ValuesIn(Faults()), [](const auto& param) {
  std::string name;
  for (const char c : std::string(param.param.name)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name + "_" + std::to_string(param.index);
});

TEST(Upstream, RefusedIsRetriedAndThenTheFallback) {
  SimGateway gateway(Policy(kRetry));  // nobody listens
  const auto before = gateway.network.now();
  const std::string answer = PostChat(&gateway);
  EXPECT_TRUE(Holds(answer, "X-Breakwater-Fallback-Reason: refused\r\n")) << answer;
  EXPECT_LT(gateway.network.now() - before, 10ms + 5ms) << "the wait and the network";
  EXPECT_EQ(Failures(&gateway), "2");
}

TEST(Upstream, SilentAddressEndsAtTheConnectLimitAndIsRetried) {
  SimGateway gateway(Policy("timeouts { connect = 1s }  repeat_safe = true  retry { max_retries = 1  when error == connect_timeout"
                            "  wait = exponential(from: 10ms) }"));
  gateway.network.SetRoute("10.0.0.1", 11434, SimNetwork::Route::kBlackHole);
  const auto before = gateway.network.now();
  EXPECT_TRUE(Holds(PostChat(&gateway), "X-Breakwater-Fallback-Reason: connect_timeout\r\n"));
  EXPECT_GE(gateway.network.now() - before, 2s);
  EXPECT_LT(gateway.network.now() - before, 2100ms);
}

TEST(Upstream, ReuseRaceCostsAFreshConnectionAndNoFailure) {
  for (const Ending ending : {Ending::kFin, Ending::kRst}) {
    SimGateway gateway(Policy("repeat_safe = true"));
    FaultyServer server(&gateway.network, "", ending, 1);
    server.skip = 1;
    EXPECT_TRUE(PostChat(&gateway).ends_with(kJson));
    EXPECT_TRUE(PostChat(&gateway).ends_with(kJson)) << "without a retry block";
    EXPECT_EQ(server.requests, 3);
    EXPECT_EQ(server.connections(), 2u);
    EXPECT_EQ(Failures(&gateway), "0");
    EXPECT_TRUE(Holds(gateway.Get("/metrics"), "upstream_reconnect_total{upstream=\"u\"} 1"));
  }
}

TEST(Upstream, ReuseRaceOfWhatMayNotBeRepeatedIsSentOnce) {
  SimGateway gateway(Policy("repeat_safe = false"));
  FaultyServer server(&gateway.network, "", Ending::kRst, 1);
  server.skip = 1;
  EXPECT_TRUE(PostChat(&gateway).ends_with(kJson));
  EXPECT_TRUE(Holds(PostChat(&gateway), "X-Breakwater-Fallback-Reason: reset\r\n"));
  EXPECT_EQ(server.requests, 2);
}

TEST(Upstream, SurplusIsNeverDelivered) {
  SimGateway gateway(Policy("repeat_safe = true"));
  FaultyServer server(&gateway.network, kWell + "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled", Ending::kOpen, 2);
  EXPECT_TRUE(PostChat(&gateway).ends_with(kJson));
  EXPECT_TRUE(PostChat(&gateway).ends_with(kJson));
  EXPECT_EQ(server.connections(), 2u);
  EXPECT_EQ(Failures(&gateway), "0");
}

TEST(Upstream, HangEndsAtItsLimitWithoutARetryThere) {
  SimGateway gateway(Policy("attempt_timeout = 15s\n  " + kRetry));
  FaultyServer server(&gateway.network, "", Ending::kOpen, 1000);
  const auto before = gateway.network.now();
  EXPECT_TRUE(Holds(PostChat(&gateway), "X-Breakwater-Fallback-Reason: attempt_timeout\r\n"));
  EXPECT_LT(gateway.network.now() - before, 15100ms);
  EXPECT_EQ(server.requests, 1);
  gateway.network.RunFor(1ms);
  EXPECT_TRUE(server.server().peers[0]->ended) << "the upstream may stop working on it";
}

TEST(Upstream, DripEndsAtTheTotal) {
  SimGateway gateway(Policy("timeouts { idle = 30s  total = 60s }"));
  FaultyServer server(&gateway.network, kHead + "Content-Length: 500\r\n\r\n", Ending::kOpen, 1000);
  auto client = gateway.NewClient();
  client->Send("POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\n{\"stream\":false}");
  for (int i = 0; i < 7 && client->received.empty(); ++i) {
    gateway.network.RunFor(10s);
    if (!server.server().peers.empty()) server.server().peers[0]->Send(" ");
  }
  EXPECT_TRUE(Holds(client->received, "X-Breakwater-Fallback-Reason: attempt_timeout\r\n")) << client->received;
  EXPECT_EQ(Failures(&gateway), "1");
}

TEST(Upstream, StallOfAPlainAnswerIsACutThatTheClientSees) {
  SimGateway gateway(Policy("timeouts { idle = 30s }"));
  FaultyServer server(&gateway.network, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nsome", Ending::kOpen, 1000);
  auto client = gateway.NewClient();
  client->Send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  gateway.network.RunFor(29s);
  EXPECT_TRUE(client->received.ends_with("some"));
  EXPECT_FALSE(client->ended);
  gateway.network.RunFor(2s);
  EXPECT_TRUE(client->ended);
  EXPECT_TRUE(client->received.ends_with("some")) << "short of its Content-Length";
  EXPECT_TRUE(server.server().peers[0]->ended);
  EXPECT_EQ(Failures(&gateway), "1");
}

TEST(Upstream, FloodIsHeldBackWhileTheClientDoesNotRead) {
  SimGateway gateway(Policy(""));
  const std::string body(8'000'000, 'f');
  FaultyServer server(&gateway.network, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body, Ending::kOpen, 1);
  auto client = gateway.NewClient();
  client->Send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  client->stream->PauseReading();
  gateway.network.RunFor(10s);
  EXPECT_GT(server.server().peers[0]->stream->queued_bytes(), 6'000'000u) << "of 8 MB; the rest is in windows and watermarks";
  client->stream->ResumeReading();
  ASSERT_TRUE(gateway.network.RunUntil([&] { return client->received.size() > body.size(); }, 20s));
  EXPECT_EQ(Failures(&gateway), "0");
}

TEST(Upstream, EarlyFailureOfAnUploadIsPassedOnAndNotRetried) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:11434\"  replay_body = 1KiB  " + kRetry + " }\n");
  int requests = 0;
  SimServer server(&gateway.network, "10.0.0.1", 11434, [&](SimPeer& peer) {
    if (!peer.received.starts_with("POST ")) return;
    peer.received.clear();
    ++requests;
    peer.Send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\nfull");
  });
  auto client = gateway.NewClient();
  client->Send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n" + std::string(100'000, 'x'));
  ASSERT_TRUE(gateway.network.RunUntil([&] { return client->ended; }, 10s));
  EXPECT_TRUE(client->received.starts_with("HTTP/1.1 500 ")) << client->received;
  EXPECT_TRUE(Holds(client->received, "Connection: close\r\n"));
  EXPECT_TRUE(client->received.ends_with("full"));
  EXPECT_EQ(requests, 1);
}

TEST(Upstream, CloseOnEveryAnswerIsNoFailure) {
  SimGateway gateway(Policy(""));
  FaultyServer server(&gateway.network, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(kJson.size()) + "\r\n\r\n" + kJson, Ending::kFin, 1000);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(PostChat(&gateway).ends_with(kJson));
  EXPECT_EQ(server.connections(), 3u);
  EXPECT_EQ(Failures(&gateway), "0");
  EXPECT_TRUE(Holds(gateway.Get("/metrics"), "upstream_reconnect_total{upstream=\"u\"} 0"));
}

TEST(Upstream, BodyWhereNoneMayBeIsDroppedAndTheConnectionWithIt) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 8\r\n\r\nsmuggled"},
      {"GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nsmuggled\r\n0\r\n\r\n"},
      {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\nsmuggled"},
      {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"},
      {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nsmuggled\r\n0\r\n\r\n"},
  };
  for (const auto& [method, bytes] : cases) {
    SimGateway gateway(Policy(""));
    FaultyServer server(&gateway.network, bytes, Ending::kOpen, 1);
    auto client = gateway.NewClient();
    client->Send(method + " /x HTTP/1.1\r\nHost: a\r\n\r\n");
    gateway.network.RunFor(10ms);
    EXPECT_TRUE(client->received.starts_with(bytes.substr(0, 12))) << client->received;
    EXPECT_TRUE(client->received.ends_with("\r\n\r\n")) << client->received;
    EXPECT_FALSE(Holds(client->received, "smuggled")) << client->received;
    client->received.clear();
    client->Send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    gateway.network.RunFor(10ms);
    EXPECT_TRUE(client->received.ends_with(kJson)) << bytes << "\n" << client->received;
    EXPECT_EQ(server.connections(), 2u) << bytes;
  }
}

TEST(Upstream, ClientErrorsPassAndAreNotRetried) {
  SimGateway gateway(Policy("repeat_safe = true  retry { max_retries = 1  when status in 5xx }"));
  const std::string error = "{\"error\":\"context_length_exceeded\"}";
  FaultyServer server(&gateway.network, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(error.size()) + "\r\n\r\n" + error, Ending::kOpen, 1000);
  const std::string answer = PostChat(&gateway);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_EQ(server.requests, 1);
  EXPECT_EQ(Failures(&gateway), "0");
}

TEST(Upstream, RedirectsArePassedOn) {
  SimGateway gateway(Policy(""));
  FaultyServer server(&gateway.network, "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.7/\r\nContent-Length: 0\r\n\r\n", Ending::kOpen, 1);
  EXPECT_TRUE(Holds(gateway.Get("/x"), "Location: http://10.0.0.7/\r\n"));
  EXPECT_EQ(server.requests, 1);
}

// Clients and routes know the paths in front of the gateway, not those behind it.
TEST(Upstream, ReferencesBehindABaseAreThoseOfTheClient) {
  struct Case {
    std::string base, path, location, told;
  };
  for (const Case& c :
       {Case{"/ollama", "/x", "/ollama/y", "/y"},
        Case{"/ollama", "/x", "http://10.0.0.1:11434/ollama/y?z=1", "http://gateway/y?z=1"},
        Case{"/ollama", "/x", "/other/y", "/other/y"}, Case{"/api/v3", "/v1/files", "/api/v3/files/1", "/v1/files/1"},
        Case{"/openai/v1", "/v1/files", "/openai/v1/files/1", "/v1/files/1"},
        Case{"/v1", "/v1/files", "/v1/files/1", "/v1/files/1"}, Case{"/v1", "/files", "/v1/files/1", "/files/1"}}) {
    SimGateway gateway("upstream u { url = \"http://10.0.0.1:11434" + c.base + "\" }\n");
    FaultyServer server(&gateway.network,
                        "HTTP/1.1 201 Created\r\nLocation: " + c.location + "\r\nContent-Length: 0\r\n\r\n",
                        Ending::kOpen, 1);
    const std::string answer = gateway.Get(c.path);
    EXPECT_TRUE(Holds(answer, "Location: " + c.told + "\r\n")) << c.base << " " << c.path << "\n" << answer;
  }
}

TEST(Upstream, DripOfAFrameThatNeverEndsIsASignOfLifeAndNoContent) {
  SimGateway gateway(Policy("timeouts { idle = 30s  total = 1h }"));
  FaultyServer server(&gateway.network, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n{\"message\":{\"content\":\"a\"},\"done\":false}\n",
                      Ending::kOpen, 1000);
  auto client = gateway.NewClient();
  client->Send("POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
  gateway.network.RunFor(1s);
  ASSERT_TRUE(Holds(client->received, "\"content\":\"a\"")) << client->received;
  int drips = 0;
  while (!client->ended && drips < 100) {
    server.server().peers[0]->Send("{");
    gateway.network.RunFor(10s);
    ++drips;
  }
  EXPECT_GE(drips, 59);
  EXPECT_LE(drips, 61) << "stall ends what brings no content for ten minutes";
  EXPECT_TRUE(Holds(client->received, "error")) << client->received;
  EXPECT_EQ(Failures(&gateway), "1");
}

TEST(Upstream, PageOfTheUpstreamThatTakesOverEndsTheStreamInTheClientsDialect) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:11434\"  repeat_safe = true  on_cut = continue }\n"
                     "upstream v { url = \"http://10.0.0.2:11434\"  repeat_safe = true  dialect = openai }\n"
                     "route all { to = [u, v] }\n");
  FaultyServer first(&gateway.network, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
                                       "{\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n", Ending::kRst, 1);
  int pages = 0;
  SimServer second(&gateway.network, "10.0.0.2", 11434, [&](SimPeer& peer) {
    if (peer.received.find("\r\n\r\n") == std::string::npos) return;
    peer.received.clear();
    ++pages;
    peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>");
  });
  auto client = gateway.NewClient();
  client->Send("POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 63\r\n\r\n"
               R"({"model":"m","messages":[{"role":"user","content":"question"}]})");
  gateway.network.RunFor(5s);
  EXPECT_EQ(pages, 1);
  EXPECT_TRUE(Holds(client->received, "\"content\":\"a\"")) << client->received;
  EXPECT_TRUE(Holds(client->received, "\n{\"error\":\"")) << "a line of Ollama's: " << client->received;
  EXPECT_FALSE(Holds(client->received, "html")) << client->received;
}

TEST(Upstream, PageOnAPathOfNoDialectPasses) {
  SimGateway gateway(Policy(kRetry));
  FaultyServer server(&gateway.network, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>", Ending::kOpen, 1);
  EXPECT_TRUE(Holds(gateway.Get("/docs"), "<html></html>"));
}

TEST(Upstream, ResetOfAllThatIsUnderWayIsRetriedWithinTheBudget) {
  SimGateway gateway(Policy("repeat_safe = true\n  retry { max_retries = 2  budget = 10%  when error in {reset, refused}"
                            "  wait = exponential(from: 10ms) }"));
  FaultyServer server(&gateway.network, "", Ending::kOpen, 1'000'000);  // every request hangs
  constexpr int kClients = 200;
  std::vector<std::unique_ptr<SimPeer>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(gateway.NewClient());
    clients.back()->Send("POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\n{\"stream\":false}");
  }
  gateway.network.RunFor(50ms);
  ASSERT_EQ(server.requests, kClients);
  gateway.network.ResetConnectionsTo({"10.0.0.1", 11434});
  gateway.network.RunFor(900ms);
  EXPECT_GT(server.requests, kClients) << "some are asked again";
  EXPECT_LE(server.requests, kClients * 12 / 10);
  int answered = 0;
  for (const auto& client : clients) answered += Holds(client->received, "X-Breakwater-Fallback-Reason: reset\r\n") ? 1 : 0;
  EXPECT_EQ(answered, 2 * kClients - server.requests) << "the others have the fallback at once";
}

TEST(Upstream, RestartFlushesThePoolAndAmplifiesNothing) {
  SimGateway gateway(Policy("repeat_safe = true"));
  FaultyServer server(&gateway.network, "", Ending::kOpen, 0);
  constexpr int kClients = 40;
  const auto ask_all = [&] {
    std::vector<std::unique_ptr<SimPeer>> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(gateway.NewClient());
      clients.back()->Send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    gateway.network.RunFor(50ms);
    for (const auto& client : clients) EXPECT_TRUE(client->received.ends_with(kJson)) << client->received;
  };
  ask_all();
  EXPECT_EQ(server.requests, kClients);
  EXPECT_GE(server.connections(), 30u) << "they were asked at one time";
  gateway.network.ResetConnectionsTo({"10.0.0.1", 11434});
  ask_all();
  EXPECT_LE(server.requests - kClients, kClients * 12 / 10);
  EXPECT_EQ(Failures(&gateway), "0");
}

}  // namespace
}  // namespace tests
