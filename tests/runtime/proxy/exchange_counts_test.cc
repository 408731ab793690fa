// What an exchange holds and gives back: room in the budget of memory, places that are shown as taken, entries and flights of caches; and
// what one attempt leaves to the next.
#include "tests/runtime/proxy/exchange_scene.h"

namespace tests {
namespace {

const std::string kOneUpstream = "upstream a { url = \"http://10.0.0.1:80\"  replay_body = 64KiB }\n";

// Where an upstream stands still, for a while.
bool HasAsked(SimGateway& gateway, const Answerer& server, size_t requests) {
  return gateway.network.RunUntil([&] { return server.requests.size() >= requests; }, 1s);
}

// ---- Memory ----------------------------------------------------------------------------------------------------------

TEST(ExchangeMemory, AnUploadCountsUntilItsUpstreamHasTakenIt) {
  SimGateway gateway(kOneUpstream);
  SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer& peer) {
    if (peer.received.size() < 1000) peer.stream->PauseReading();
  });
  auto client = gateway.NewClient();
  client->Send("POST /x HTTP/1.1\r\nHost: g\r\nContent-Length: 5000000\r\n\r\n" + std::string(2'000'000, 'x'));
  gateway.network.RunFor(1s);
  EXPECT_GT(gateway.state->memory.held(), 100'000) << "queued towards it";
  ASSERT_EQ(server.peers.size(), 1u);
  server.peers[0]->stream->ResumeReading();
  gateway.network.RunFor(1s);
  EXPECT_EQ(gateway.state->memory.held(), 0);
}

TEST(ExchangeMemory, AnAnswerOfTheGatewayCountsUntilItsClientHasReadIt) {
  SimGateway gateway("cache c { key = \"${request.path}\"  ttl = 1h  shared = true  max_entry = 8MiB }\n" +
                     kOneUpstream + "route r { to = a  cache = c }\n");
  const std::string small(100'000, 'x'), large(4'000'000, 'x');
  const Answerer a(&gateway.network, 1, {Whole(200, "text/plain", small), Whole(200, "text/plain", large)});
  AskAndWait(gateway, GetOf("/small"));
  AskAndWait(gateway, GetOf("/large"));
  gateway.network.RunFor(1s);
  ASSERT_EQ(a.requests.size(), 2u);

  auto quick = gateway.NewClient();
  quick->Send(GetOf("/small"));
  int64_t most = 0;
  gateway.network.RunUntil([&] {
    most = std::max(most, gateway.state->memory.held());
    return quick->received.size() > small.size();
  });
  EXPECT_LE(most, 300'000) << "no more than it is";

  auto slow = gateway.NewClient();
  slow->stream->PauseReading();
  slow->Send(GetOf("/large"));
  gateway.network.RunFor(1s);
  EXPECT_GT(gateway.state->memory.held(), 3'000'000);
  EXPECT_LT(gateway.state->memory.held(), 5'000'000);
  slow->stream->ResumeReading();
  ASSERT_TRUE(gateway.network.RunUntil([&] { return slow->received.size() > large.size(); }, 10s));
  gateway.network.RunFor(1s);
  EXPECT_EQ(gateway.state->memory.held(), 0);
  EXPECT_EQ(a.requests.size(), 2u);
}

// A request that is whole does not give way; an upload for which there is no room does, and its room is free at once.
TEST(ExchangeMemory, WhoAsksForMoreThanThereIsGivesWay) {
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\" }\n", "limits { memory = 1MiB }");
  const Answerer silent(&gateway.network, 1, {""});
  auto whole = gateway.NewClient();
  whole->Send(Post("/v1/chat/completions", std::string(180'000, ' ')));
  gateway.network.RunFor(100ms);
  ASSERT_EQ(silent.requests.size(), 1u);
  auto second = gateway.NewClient();
  second->Send("POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: 190000\r\n\r\n" +
               std::string(180'000, ' '));
  gateway.network.RunFor(100ms);
  EXPECT_TRUE(second->received.starts_with("HTTP/1.1 413 ")) << second->received;
  EXPECT_EQ(whole->received, "");
  EXPECT_TRUE(Holds(gateway.events, "upload gives way")) << gateway.events;
  whole.reset();
  gateway.network.RunFor(100ms);
  EXPECT_EQ(gateway.state->memory.held(), 0) << "though the second is still there";
}

// ---- Attempts --------------------------------------------------------------------------------------------------------

TEST(ExchangeAttempts, BetweenTwoOfThemNoneIsUnderWay) {
  const std::string waits =
      "upstream a { url = \"http://10.0.0.1:80\"  retry { max_retries = 1  when status == 503 or error == reset  wait "
      "= exponential(from: 8s, cap: 8s) } }\n";
  const std::string shown = "upstream_in_flight{upstream=\"a\"}";
  for (const std::string& failure : {Whole(503, "text/plain", "full"), std::string("\x03")}) {
    SimGateway gateway(waits);
    const Answerer a(&gateway.network, 1, {failure, ""});
    auto client = gateway.NewClient();
    client->Send(GetOf("/x"));
    gateway.network.RunFor(1s);
    EXPECT_EQ(a.requests.size(), 1u);
    EXPECT_EQ(gateway.Metric(shown), 0) << failure;
    gateway.network.RunFor(20s);
    EXPECT_EQ(a.requests.size(), 2u);
    EXPECT_EQ(gateway.Metric(shown), 1) << failure;
  }
}

// What one attempt's head said is nothing that another one without a head can be judged by.
TEST(ExchangeAttempts, AHeadIsForgottenWithItsAttempt) {
  SimGateway gateway(
      "upstream a { url = \"http://10.0.0.1:80\"  retry { max_retries = 3  when response.header[\"x-shed\"] == \"1\"  "
      "wait = exponential(from: 10ms) } }\n");
  const Answerer a(&gateway.network, 1, {Whole(503, "text/plain", "shed", "X-Shed: 1\r\n"), "\x03"});
  AskAndWait(gateway, GetOf("/x"));
  EXPECT_EQ(a.requests.size(), 2u);
}

// ---- Caches ----------------------------------------------------------------------------------------------------------

std::string Cached(const std::string& settings, const std::string& key = "${request.path}") {
  return "cache c { key = \"" + key + "\"  ttl = 1h  shared = true  " + settings +
         " }\nupstream a { url = \"http://10.0.0.1:80\" }\nroute r { to = a  cache = c }\n";
}

// An answer that no cache will have is not waited for: it becomes known with its head, with its length, or with its reader.
TEST(ExchangeCaches, WhoFollowsGoesItsOwnWayOnceThereIsNothingToWaitFor) {
  const std::string body(2000, 'x');
  for (const std::string& answer :
       {std::string("HTTP/1.1 200 X\r\nCache-Control: no-store\r\nContent-Length: 9000\r\n\r\n"),
        std::string("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n\x01") + Chunk(body)}) {
    SimGateway gateway(Cached("max_entry = 1KiB"));
    const Answerer a(&gateway.network, 1, {answer});
    auto leader = gateway.NewClient();
    leader->Send(GetOf("/x"));
    ASSERT_TRUE(HasAsked(gateway, a, 1));
    auto follower = gateway.NewClient();
    follower->Send(GetOf("/x"));
    EXPECT_TRUE(HasAsked(gateway, a, 2)) << answer;
  }
  SimGateway gateway(Cached("max_entry = 8MiB"));
  const Answerer a(&gateway.network, 1, {Whole(200, "text/plain", std::string(4'000'000, 'x'))});
  auto leader = gateway.NewClient();
  leader->stream->PauseReading();
  leader->Send(GetOf("/x"));
  ASSERT_TRUE(HasAsked(gateway, a, 1));
  auto follower = gateway.NewClient();
  follower->Send(GetOf("/x"));
  EXPECT_TRUE(HasAsked(gateway, a, 2)) << "nobody knows when its client reads on";
}

TEST(ExchangeCaches, FollowersGetTheAnswerThatTheyWaitedFor) {
  SimGateway gateway(Cached(""));
  const Answerer a(&gateway.network, 1, {"\x01" + Whole(200, "text/plain", "answer")});
  std::vector<std::unique_ptr<SimPeer>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(gateway.NewClient());
    clients.back()->Send(GetOf("/x"));
  }
  gateway.network.RunFor(1s);
  for (const auto& client : clients) EXPECT_TRUE(Holds(client->received, "answer")) << client->received;
  EXPECT_EQ(a.requests.size(), 1u);
  EXPECT_EQ(gateway.worker->context().followers(), 0u);
}

// One that leaves while it waits is waited for no more: by the flight, or a place.
TEST(ExchangeWaits, WhoLeavesIsForgotten) {
  for (const std::string& policy :
       {Cached(""),
        std::string(
            "upstream a { url = \"http://10.0.0.1:80\"  max_in_flight = 1  queue { length = 5  timeout = 30s } }\n")}) {
    SimGateway gateway(policy);
    const Answerer a(&gateway.network, 1, {"", "answer"});
    auto first = gateway.NewClient();
    first->Send(GetOf("/x"));
    ASSERT_TRUE(HasAsked(gateway, a, 1));
    auto second = gateway.NewClient();
    second->Send(GetOf("/x"));
    gateway.network.RunFor(100ms);
    EXPECT_EQ(gateway.worker->context().followers(), 1u) << policy;
    second.reset();
    gateway.network.RunFor(100ms);
    EXPECT_EQ(gateway.worker->context().followers(), 0u) << policy;
    first.reset();
    gateway.network.RunFor(100ms);
    EXPECT_EQ(a.requests.size(), 1u) << policy;
  }
}

const auto kGet = RequestHead(http::BodyFraming::kNone, 0, compiler::abi::Method::kGET);

TEST(ExchangeWaits, WhoIsDestroyedWhileItWaitsIsForgotten) {
  for (const std::string& policy :
       {Cached(""),
        std::string(
            "upstream a { url = \"http://10.0.0.1:80\"  max_in_flight = 1  queue { length = 5  timeout = 30s } }\n")}) {
    SimGateway gateway(policy);
    const Answerer a(&gateway.network, 1, {""});
    Alone first(gateway, kGet);
    first.exchange.OnRequestEnd();
    {
      Alone second(gateway, kGet);
      second.exchange.OnRequestEnd();
      EXPECT_EQ(gateway.worker->context().followers(), 1u) << policy;
    }
    EXPECT_EQ(gateway.worker->context().followers(), 0u) << policy;
    Alone third(gateway, kGet);
    third.exchange.OnRequestEnd();
    EXPECT_EQ(gateway.worker->context().followers(), 1u) << policy;
    third.exchange.OnClientGone();
    EXPECT_EQ(gateway.worker->context().followers(), 0u) << policy;
    first.exchange.OnClientGone();
    gateway.network.RunFor(100ms);
    EXPECT_EQ(a.requests.size(), 0u) << policy;
  }
  SimGateway gateway(kOneUpstream);
  {
    Alone upload(gateway, RequestHead(http::BodyFraming::kLength, 50'000));
    upload.exchange.OnRequestBody(One(std::string(40'000, 'x')));
    EXPECT_EQ(gateway.worker->context().followers(), 1u) << "it would hear that it is to give way";
    EXPECT_GT(gateway.state->memory.held(), 0);
  }
  EXPECT_EQ(gateway.worker->context().followers(), 0u);
  EXPECT_EQ(gateway.state->memory.held(), 0);
}

// A limit that stood still while the client was waited for runs again: its connection has to hear of that.
TEST(ExchangeTimes, ThatAClientReadsAgainMovesTheDeadline) {
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\"  timeouts { idle = 3s } }\n");
  const Answerer a(&gateway.network, 1,
                   {"HTTP/1.1 200 X\r\nContent-Length: 3000000\r\n\r\n" + std::string(100'000, 'x')});
  Alone alone(gateway, kGet);
  alone.host.queues = true;
  alone.exchange.OnRequestEnd();
  gateway.network.RunFor(1s);
  ASSERT_GT(alone.host.queued, 64u << 10);
  const auto while_awaited = alone.exchange.NextDeadline();
  const int told = alone.host.deadlines;
  alone.host.queued = 0;
  alone.exchange.OnClientDrained();
  EXPECT_EQ(alone.host.deadlines, told + 1);
  ASSERT_TRUE(alone.exchange.NextDeadline());
  EXPECT_TRUE(!while_awaited || *alone.exchange.NextDeadline() < *while_awaited);
  alone.exchange.OnClientGone();
  gateway.network.RunFor(1s);
}

TEST(ExchangeTimes, WithItsFirstBytesABodyMovesTheDeadline) {
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\"  attempt_timeout = 40s  timeouts { idle = 3s } }\n");
  const Answerer a(&gateway.network, 1,
                   {"HTTP/1.1 200 X\r\nContent-Length: 40\r\n\r\n\x01"
                    "begun"});
  Alone alone(gateway, kGet);
  alone.exchange.OnRequestEnd();
  gateway.network.RunFor(50ms);
  ASSERT_TRUE(Holds(alone.host.sent, "\r\n\r\n"));
  const int told = alone.host.deadlines;
  gateway.network.RunFor(100ms);
  ASSERT_TRUE(Holds(alone.host.sent, "begun"));
  EXPECT_GT(alone.host.deadlines, told);
  ASSERT_TRUE(alone.exchange.NextDeadline());
  EXPECT_LT(*alone.exchange.NextDeadline(), gateway.network.now() + 3s);
  alone.exchange.OnClientGone();
  gateway.network.RunFor(1s);
}

// What its upstream takes at once, or later, counts no more, though nothing more comes; then it is the client that is waited for.
TEST(ExchangeMemory, AnUploadIsFreeOnceItsUpstreamHasTakenIt) {
  for (const bool stands_still : {false, true}) {
    SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\"  replay_body = 64KiB  attempt_timeout = 3s }\n");
    SimServer server(&gateway.network, "10.0.0.1", 80, [&](SimPeer& peer) {
      if (stands_still) peer.stream->PauseReading();
    });
    const std::string sent(stands_still ? 2'000'000 : 100'000, 'x');
    Alone alone(gateway, RequestHead(http::BodyFraming::kLength, 5'000'000));
    alone.exchange.OnRequestBody(One(sent));
    EXPECT_GT(gateway.state->memory.held(), 0);
    gateway.network.RunFor(1s);
    if (stands_still) {
      EXPECT_GT(gateway.state->memory.held(), 0);
      ASSERT_EQ(server.peers.size(), 1u);
      server.peers[0]->on_data = nullptr;
      server.peers[0]->stream->ResumeReading();
      gateway.network.RunFor(1s);
    }
    EXPECT_EQ(gateway.state->memory.held(), 0) << stands_still;
    const auto deadline = alone.exchange.NextDeadline();
    EXPECT_TRUE(!deadline || *deadline > gateway.network.now() + 4s) << stands_still;
    alone.exchange.OnClientGone();
    gateway.network.RunFor(1s);
  }
}

// An answer of the gateway's own that its client takes slowly, while that still uploads for an attempt that is gone.
TEST(ExchangeAttempts, AnUploadHasNoAttemptAnyMoreOnceItWasDropped) {
  const std::string large(300'000, 'x');
  SimGateway gateway(kOneUpstream + "route r { to = a  fallback = sorry }\nreply sorry { status = 503  text = \"" +
                     large + "\" }\n");
  const Answerer a(&gateway.network, 1, {""});
  Alone alone(gateway, RequestHead(http::BodyFraming::kLength, 5'000'000));
  alone.host.queues = true;
  alone.exchange.OnRequestBody(One(std::string(100'000, 'x')));
  gateway.network.RunFor(100ms);
  gateway.network.ResetConnectionsTo({"10.0.0.1", 80});
  gateway.network.RunFor(100ms);
  ASSERT_TRUE(Holds(alone.host.sent, "X-Breakwater-Fallback: sorry")) << alone.host.sent;
  ASSERT_LT(alone.host.sent.size(), large.size());
  alone.host.calls.clear();
  alone.exchange.OnRequestBody(One(std::string(100'000, 'x')));
  EXPECT_EQ(alone.host.calls, "pause ") << "nobody takes it";
  alone.exchange.OnClientGone();
  gateway.network.RunFor(1s);
}

TEST(ExchangeCaches, SayWhyTheyKeepNothing) {
  for (const auto& [answer, reason] : std::vector<std::pair<std::string, std::string>>{
           {Whole(200, "text/plain", ""), "empty"},
           {"HTTP/1.1 200 X\r\nContent-Type: text/plain\r\n\r\nuntil it closes\x02", "unbounded"}}) {
    SimGateway gateway(Cached(""));
    const Answerer a(&gateway.network, 1, {answer});
    AskAndWait(gateway, GetOf("/x"));
    EXPECT_EQ(gateway.Metric("cache_not_stored_total{reason=\"" + reason + "\"}"), 1);
  }
}

// Headers by which a client of an API says what shape it reads are a part of the question.
TEST(ExchangeCaches, CountTheVersionOfAnApiAsAPartOfTheQuestion) {
  SimGateway gateway(Cached("", "${request.body}"));
  const Answerer a(
      &gateway.network, 1,
      {Whole(
          200, "application/json",
          R"({"type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"})")});
  const auto ask = [&](std::string_view more) { AskAndWait(gateway, Post("/v1/messages", kObjectAsked, more)); };
  ask("anthropic-beta: a\r\n");
  ask("anthropic-beta: a\r\n");
  EXPECT_EQ(a.requests.size(), 1u);
  ask("anthropic-beta: b\r\n");
  EXPECT_EQ(a.requests.size(), 2u);
  ask("");
  EXPECT_EQ(a.requests.size(), 3u);
}

}  // namespace
}  // namespace tests
