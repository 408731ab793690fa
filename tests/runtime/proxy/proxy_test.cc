// What the proxy does with names, time and limits, on a simulated network and a virtual clock: no socket, no sleep.
#include <chrono>

#include "runtime/proxy/limits.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {

namespace {

using namespace std::chrono_literals;
namespace proxy = runtime::proxy;

constexpr const char* kNamed = "upstream u { url = \"http://ollama-service:11434\"  timeouts { connect = 2s } }\n";
constexpr const char* kNumeric = "upstream u { url = \"http://10.0.0.1:11434\" }\n";

bool Holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// ---- Names -----------------------------------------------------------------------------------------------------------

TEST(Names, RestartedContainerIsFoundAtItsNewAddress) {
  SimGateway gateway(
      "upstream u { url = \"http://ollama-service:11434\"\n"
      "  retry { max_retries = 1  when error in {connect_failure, refused}  wait = exponential(from: 100ms, factor: 2, cap: 1s) } }\n");
  gateway.network.SetName("ollama-service", {"10.0.0.1"});
  auto old_container = std::make_unique<SimServer>(&gateway.network, "10.0.0.1", 11434, Answering("old"));
  EXPECT_TRUE(Holds(gateway.Get(), "old"));

  old_container.reset();
  SimServer new_container(&gateway.network, "10.0.0.2", 11434, Answering("new"));
  gateway.network.SetName("ollama-service", {"10.0.0.2"});
  // The cached address refuses: the retry looks the name up again and finds the new one.
  EXPECT_TRUE(Holds(gateway.Get(), "new"));
}

TEST(Names, AddressIsRefreshedInTheBackgroundWithoutAFailure) {
  SimGateway gateway(kNamed);
  gateway.network.SetName("ollama-service", {"10.0.0.1"});
  SimServer first(&gateway.network, "10.0.0.1", 11434, Answering("first"));
  SimServer second(&gateway.network, "10.0.0.2", 11434, Answering("second"));
  EXPECT_TRUE(Holds(gateway.Get(), "first"));
  gateway.network.SetName("ollama-service", {"10.0.0.2"});
  gateway.network.RunFor(60s + 1s);      // no pooled connection is left
  EXPECT_TRUE(Holds(gateway.Get(), "first"));             // the old address still serves while the name is asked for again
  gateway.network.RunFor(60s + 1s);
  EXPECT_TRUE(Holds(gateway.Get(), "second"));
}

TEST(Names, LastGoodAddressServesWhileTheNameServiceIsAway) {
  SimGateway gateway(kNamed);
  gateway.network.SetName("ollama-service", {"10.0.0.1"});
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering("here"));
  EXPECT_TRUE(Holds(gateway.Get(), "here"));
  gateway.network.FailName("ollama-service", runtime::net::NetError::kNameFailure);
  gateway.network.RunFor(proxy::kNameStale - 1min);
  EXPECT_TRUE(Holds(gateway.Get(), "here"));
  gateway.network.RunFor(2min);
  EXPECT_TRUE(Holds(gateway.Get(), "dns_failure"));
}

TEST(Names, UnknownNameIsABadGatewayThatSaysSo) {
  SimGateway gateway(kNamed);
  const std::string answer = gateway.Get();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 502 ")) << answer;
  EXPECT_TRUE(Holds(answer, "dns_failure")) << answer;
}

TEST(Names, NextAddressIsTriedWithinTheAttempt) {
  SimGateway gateway(kNamed);
  gateway.network.SetName("ollama-service", {"10.0.0.1", "10.0.0.2"});
  SimServer second(&gateway.network, "10.0.0.2", 11434, Answering("second"));  // nobody listens at the first
  EXPECT_TRUE(Holds(gateway.Get(), "second"));
}

TEST(Connect, SilentAddressEndsAtItsTimeLimit) {
  SimGateway gateway(kNamed);
  gateway.network.SetName("ollama-service", {"10.0.0.1"});
  gateway.network.SetRoute("10.0.0.1", 11434, SimNetwork::Route::kBlackHole);
  const auto before = gateway.network.now();
  const std::string answer = gateway.Get();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 504 ")) << answer;
  EXPECT_TRUE(Holds(answer, "connect_timeout")) << answer;
  EXPECT_GE(gateway.network.now() - before, 2s);
  EXPECT_LT(gateway.network.now() - before, 2s + 100ms);
}

TEST(Connect, SilentAddressIsNotTheFirstForEver) {
  SimGateway gateway(kNamed);
  gateway.network.SetName("ollama-service", {"10.0.0.1", "10.0.0.2"});
  gateway.network.SetRoute("10.0.0.1", 11434, SimNetwork::Route::kBlackHole);
  SimServer second(&gateway.network, "10.0.0.2", 11434, Answering("second"));
  EXPECT_TRUE(Holds(gateway.Get(), "connect_timeout"));
  EXPECT_TRUE(Holds(gateway.Get(), "second"));
  gateway.network.RunFor(60s + 1s);  // nor after the name was asked for again
  EXPECT_TRUE(Holds(gateway.Get(), "second"));
}

TEST(Credentials, OfAClientDoNotGoToASecondUpstream) {
  SimGateway gateway(
      "upstream first { url = \"http://10.0.0.1:11434\" }\n"
      "upstream second { url = \"http://10.0.0.2:11434\" }\n"
      "route all { to = [first, second] }\n");
  std::string seen;
  const auto keep = [&](SimPeer& peer) {
    seen = peer.received;
    Answering("ok")(peer);
  };
  const auto ask = [&] {
    auto client = gateway.NewClient();
    client->Send("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer mine\r\nCookie: a=b\r\nX-Other: kept\r\nConnection: close\r\n\r\n");
    ASSERT_TRUE(gateway.network.RunUntil([&] { return client->ended; }));
    ASSERT_TRUE(client->received.starts_with("HTTP/1.1 200 ")) << client->received;
  };
  SimServer second(&gateway.network, "10.0.0.2", 11434, keep);  // nobody listens at the first
  ask();
  EXPECT_TRUE(Holds(seen, "X-Other: kept")) << seen;
  EXPECT_FALSE(Holds(seen, "Bearer mine")) << seen;
  EXPECT_FALSE(Holds(seen, "a=b")) << seen;
  SimServer first(&gateway.network, "10.0.0.1", 11434, keep);
  ask();
  EXPECT_TRUE(Holds(seen, "Bearer mine")) << seen;
}

// ---- Limits on clients -----------------------------------------------------------------------------------------------

TEST(ClientLimits, HeadThatDoesNotArriveInTimeIsA408) {
  SimGateway gateway(kNumeric);
  auto client = gateway.NewClient();
  client->Send("GET / HTTP/1.1\r\nHost:");
  gateway.network.RunFor(9s);
  client->Send(" x\r\nA:");  // progress does not help: the limit is absolute
  gateway.network.RunFor(900ms);
  EXPECT_FALSE(client->ended);
  gateway.network.RunFor(200ms);
  EXPECT_TRUE(client->received.starts_with("HTTP/1.1 408 ")) << client->received;
}

TEST(ClientLimits, BodyThatStandsStillIsA408) {
  SimGateway gateway(kNumeric);
  auto client = gateway.NewClient();
  client->Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n12");
  gateway.network.RunFor(29s);
  client->Send(std::string(90'000, '3'));  // progress helps here, for 30 s
  gateway.network.RunFor(29s);
  EXPECT_EQ(client->received, "");
  gateway.network.RunFor(7s);
  EXPECT_TRUE(client->received.starts_with("HTTP/1.1 408 ")) << client->received;
}

TEST(ClientLimits, IdleConnectionIsClosedWithoutAWord) {
  SimGateway gateway(kNumeric);
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering("hello"));
  auto client = gateway.NewClient();
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "hello"); }));
  gateway.network.RunFor(74s);
  EXPECT_FALSE(client->ended);
  client->received.clear();
  gateway.network.RunFor(2s);
  EXPECT_TRUE(client->ended);
  EXPECT_EQ(client->received, "");
}

TEST(ClientLimits, ClientThatDoesNotReadIsResetAndTheUpstreamIsLetGo) {
  SimGateway gateway(kNumeric);
  SimServer server(&gateway.network, "10.0.0.1", 11434, [](SimPeer& peer) {
    if (peer.received.find("\r\n\r\n") == std::string::npos) return;
    peer.received.clear();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + std::string(4'000'000, 'x'));
  });
  auto client = gateway.NewClient();
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(gateway.network.RunUntil([&] { return client->received.size() > 1000; }));
  client->stream->PauseReading();
  gateway.network.RunFor(29s);
  EXPECT_EQ(gateway.worker->connections(), 1U);
  // The limit runs anew where bytes were taken meanwhile: two periods are the most.
  ASSERT_TRUE(gateway.network.RunUntil([&] { return gateway.worker->connections() == 0; }, 32s));
  ASSERT_TRUE(gateway.network.RunUntil([&] { return server.peers.front()->ended; }, 1s));
  EXPECT_LT(client->received.size(), 4'000'000U);
}

TEST(ClientLimits, SlowReaderThatGoesOnReadingIsNotReset) {
  SimGateway gateway(kNumeric);
  const std::string body(40'000'000, 'x');
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering(body));
  auto client = gateway.NewClient();
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; i < 10; ++i) {  // 100 s, far beyond the limit, and the queue is never empty
    client->stream->PauseReading();
    gateway.network.RunFor(10s);
    client->stream->ResumeReading();
    gateway.network.RunFor(300us);
  }
  EXPECT_FALSE(client->ended);
  EXPECT_LT(client->received.size(), body.size());
  ASSERT_TRUE(gateway.network.RunUntil([&] { return client->received.size() > body.size(); }, 10s));
}

TEST(ClientLimits, AnswersThatNobodyReadsStopTheReadingOfRequests) {
  SimGateway gateway(kNumeric);
  auto client = gateway.NewClient();
  client->stream->PauseReading();
  const std::string one = "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Filler: " + std::string(4000, 'x') + "\r\n\r\n";
  constexpr int kRequests = 500;
  for (int i = 0; i < kRequests; ++i) client->Send(one);
  gateway.network.RunFor(1s);
  EXPECT_GT(client->stream->queued_bytes(), 500'000U);  // of 2 MB
  client->stream->ResumeReading();
  const auto answers = [&] {
    int count = 0;
    for (size_t at = 0; (at = client->received.find("HTTP/1.1 200 OK", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  ASSERT_TRUE(gateway.network.RunUntil([&] { return answers() == kRequests; }, 20s)) << answers();
}

TEST(ClientLimits, UploadThatTheUpstreamTakesSlowlyIsNoFaultOfTheClient) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:11434\"  timeouts { idle = 4min } }\n");
  constexpr size_t kBody = 3'000'000;
  size_t taken = 0;
  SimServer server(&gateway.network, "10.0.0.1", 11434, [&](SimPeer& peer) {
    taken += peer.received.size();
    peer.received.clear();
    if (taken > kBody) peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
  });
  auto client = gateway.NewClient();
  client->Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n" + std::string(kBody, 'b'));
  ASSERT_TRUE(gateway.network.RunUntil([&] { return !server.peers.empty(); }));
  server.peers.front()->stream->PauseReading();
  gateway.network.RunFor(60s);  // the upstream loads a model
  EXPECT_FALSE(client->ended) << client->received;
  server.peers.front()->stream->ResumeReading();
  ASSERT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "done"); }, 10s)) << client->received;
  gateway.network.RunFor(31s);
  EXPECT_FALSE(client->ended);
}

TEST(ClientLimits, PipeliningIsReadAheadOnlySoFar) {
  SimGateway gateway(kNumeric);
  SimServer server(&gateway.network, "10.0.0.1", 11434, [](SimPeer&) {});  // never answers
  auto client = gateway.NewClient();
  const std::string one = "GET / HTTP/1.1\r\nHost: x\r\nX-Filler: " + std::string(4000, 'x') + "\r\n\r\n";
  for (int i = 0; i < 300; ++i) client->Send(one);
  gateway.network.RunFor(1s);
  // What the gateway does not read stays with the client, beyond the window of the connection.
  EXPECT_GT(client->stream->queued_bytes(), 300 * one.size() - 2 * proxy::kMaxPipelinedBytes - (512 << 10));
}

// ---- Limits on upstreams ---------------------------------------------------------------------------------------------

TEST(UpstreamLimits, InterimAnswersAreTakenAndTooManyAreABadResponse) {
  const auto server_with = [](int interim) {
    return [interim](SimPeer& peer) {
      if (peer.received.find("\r\n\r\n") == std::string::npos) return;
      peer.received.clear();
      for (int i = 0; i < interim; ++i) peer.Send("HTTP/1.1 102 Processing\r\n\r\n");
      peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    };
  };
  SimGateway few(kNumeric);
  SimServer few_server(&few.network, "10.0.0.1", 11434, server_with(proxy::kMaxInterimResponses));
  EXPECT_TRUE(few.Get().starts_with("HTTP/1.1 200 "));
  SimGateway many(kNumeric);
  SimServer many_server(&many.network, "10.0.0.1", 11434, server_with(proxy::kMaxInterimResponses + 1));
  const std::string answer = many.Get();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 502 ")) << answer;
  EXPECT_TRUE(Holds(answer, "bad_response")) << answer;
}

TEST(UpstreamLimits, ProtocolSwitchThatNobodyAskedForIsABadResponse) {
  SimGateway gateway(kNumeric);
  SimServer server(&gateway.network, "10.0.0.1", 11434, [](SimPeer& peer) {
    peer.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
  });
  EXPECT_TRUE(gateway.Get().starts_with("HTTP/1.1 502 "));
}

TEST(UpstreamLimits, BytesBehindAnAnswerAreNeverDeliveredAndEndTheConnection) {
  SimGateway gateway(kNumeric);
  SimServer server(&gateway.network, "10.0.0.1", 11434, [](SimPeer& peer) {
    if (peer.received.find("\r\n\r\n") == std::string::npos) return;
    peer.received.clear();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  });
  EXPECT_FALSE(Holds(gateway.Get(), "evil"));
  EXPECT_FALSE(Holds(gateway.Get(), "evil"));
  EXPECT_EQ(server.peers.size(), 2U);  // not used again
}

TEST(Pool, ConnectionIsReusedUntilItIsTooOld) {
  SimGateway gateway(kNumeric);
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering("x"));
  gateway.Get();
  gateway.network.RunFor(60s - 1s);
  gateway.Get();
  EXPECT_EQ(server.peers.size(), 1U);
  gateway.network.RunFor(60s + 1s);
  gateway.Get();
  EXPECT_EQ(server.peers.size(), 2U);
}

// ---- Bytes in pieces -------------------------------------------------------------------------------------------------

TEST(Pieces, EveryByteOnItsOwnGivesTheSameAnswer) {
  SimGateway gateway(kNumeric);
  runtime::sim::SimOptions options;
  options.piece = 1;
  gateway.network.set_options(options);
  SimServer server(&gateway.network, "10.0.0.1", 11434, [](SimPeer& peer) {
    if (!Holds(peer.received, "the body")) return;
    peer.received.clear();
    peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
  });
  auto client = gateway.NewClient();
  client->Send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nthe bodyGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "\"live\""); }, 10s)) << client->received;
  EXPECT_LT(client->received.find("0\r\n\r\n"), client->received.find("\"live\""));
}

// ---- Drain -----------------------------------------------------------------------------------------------------------

TEST(Drain, WaitsForTheLastBytesOfTheLastAnswer) {
  SimGateway gateway(kNumeric);
  const std::string body(2'000'000, 'y');
  SimServer server(&gateway.network, "10.0.0.1", 11434, Answering(body));
  auto client = gateway.NewClient();
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(gateway.network.RunUntil([&] { return client->received.size() > 1000; }));
  bool drained = false;
  gateway.worker->Drain(30s, [&] { drained = true; });
  ASSERT_TRUE(gateway.network.RunUntil([&] { return drained; }, 30s));
  EXPECT_EQ(client->received.size() - client->received.find("\r\n\r\n") - 4, body.size());
}

}  // namespace
}  // namespace tests
