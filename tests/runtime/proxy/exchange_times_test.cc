// What an exchange does at which moment: when limits fall due, whose time it is that passes, when the client sees a head. On a virtual
// clock.
#include "runtime/proxy/limits.h"
#include "tests/runtime/proxy/exchange_scene.h"

namespace tests {
namespace {

using runtime::proxy::kRefusalBody;

const std::string kTwoUpstreams =
    "upstream a { url = \"http://10.0.0.1:80\" }\nupstream b { url = \"http://10.0.0.2:80\" }\nroute r { to = [a, b] "
    "}\n";
const std::string kImpatient =
    "upstream a { url = \"http://10.0.0.1:80\"  replay_body = 64KiB  attempt_timeout = 40s  timeouts { idle = 3s } }\n";

// How long it was until the client had this, or its connection ended.
Duration Until(SimGateway& gateway, const SimPeer& client, std::string_view part) {
  const auto began = gateway.network.now();
  gateway.network.RunUntil([&] { return client.ended || Holds(client.received, part); }, 5min);
  return gateway.network.now() - began;
}

void ExpectAbout(Duration is, Duration expected, const std::string& what) {
  EXPECT_GE(is, expected - 20ms) << what;
  EXPECT_LE(is, expected + 220ms) << what;
}

// A refusal may say in its body whose fault it is: that is waited for, and not for long.
TEST(ExchangeTimes, TheBodyOfARefusalIsWaitedForASecond) {
  const std::string refusal = "HTTP/1.1 503 X\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n";
  for (const auto& [first, expected] :
       std::vector<std::pair<std::string, Duration>>{{refusal, kRefusalBody},
                                                     {refusal + "{\"error\"", kRefusalBody},
                                                     {refusal + "\x01{\"error\":\"full\"}", 100ms}}) {
    SimGateway gateway(kTwoUpstreams);
    const Answerer a(&gateway.network, 1, {first});
    const Answerer b(&gateway.network, 2, {Whole(200, "application/json", kChatAnswer)});
    auto client = gateway.NewClient();
    client->Send(Post("/v1/chat/completions", kObjectAsked));
    ExpectAbout(Until(gateway, *client, "Hi"), expected, first);
    EXPECT_TRUE(Holds(client->received, "200 OK")) << client->received;
  }
}

// A head that came without its body goes out at once; one whose body came with it leaves with that.
TEST(ExchangeTimes, AHeadIsNotHeldBackForItsBody) {
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\" }\n");
  const Answerer a(&gateway.network, 1,
                   {"HTTP/1.1 200 X\r\nContent-Length: 4\r\n\r\n\x01"
                    "body"});
  auto client = gateway.NewClient();
  client->Send(GetOf("/x"));
  ExpectAbout(Until(gateway, *client, "\r\n\r\n"), 0ms, "head");
  EXPECT_FALSE(Holds(client->received, "body"));
  ExpectAbout(Until(gateway, *client, "body"), 100ms, "body");
}

// The idle limit runs from the first byte of the body, however that came.
TEST(ExchangeTimes, SilenceInTheMiddleOfABodyIsIdle) {
  const std::string head = "HTTP/1.1 200 X\r\nContent-Length: 40\r\n\r\n";
  for (const auto& [answer, expected] : std::vector<std::pair<std::string, Duration>>{{head + "begun", 3s},
                                                                                      {head + "\x01"
                                                                                              "begun",
                                                                                       3100ms},
                                                                                      {head + "beg\x01un", 3100ms}}) {
    SimGateway gateway(kImpatient);
    const Answerer a(&gateway.network, 1, {answer});
    auto client = gateway.NewClient();
    client->Send(GetOf("/x"));
    ExpectAbout(Until(gateway, *client, "never"), expected, answer);
    EXPECT_TRUE(client->ended);
    EXPECT_TRUE(Holds(client->received, "beg")) << client->received;
  }
}

// Content every two seconds is none that stands still for three.
TEST(ExchangeTimes, EachContentIsProgress) {
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\"  attempt_timeout = 3s  timeouts { stall = 3s } }\n");
  std::string answer = StreamHead(kLines);
  for (int i = 0; i < 5; ++i) answer += Chunk(kSaid) + std::string(20, '\x01');
  const Answerer a(&gateway.network, 1, {answer + Chunk(kSaidAll) + kLastChunk});
  auto client = gateway.NewClient();
  client->Send(Post("/api/chat", kStreamAsked));
  ExpectAbout(Until(gateway, *client, kSaidAll), 10s, "whole");
  EXPECT_TRUE(Holds(client->received, kSaidAll)) << client->received;
}

// Its head went out early, as that of a stream: anything else can't be told in it.
TEST(ExchangeTimes, WhatIsNoStreamIsAFailureBehindAnEarlyHead) {
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\" }\nroute r { to = a  keep_alive = 2s }\n");
  const Answerer a(&gateway.network, 1, {std::string(25, '\x01') + Whole(200, "application/json", kChatAnswer)});
  const auto client = AskAndWait(gateway, Post("/v1/chat/completions", kStreamAsked));
  EXPECT_TRUE(Holds(client->received, ": keep-alive")) << client->received;
  EXPECT_TRUE(Holds(client->received, "something that is no stream")) << client->received;
  EXPECT_FALSE(Holds(client->received, "\"Hi\"")) << client->received;
}

// ---- Whose time it is ------------------------------------------------------------------------------------------------

std::string Upload(size_t length) {
  return "POST /x HTTP/1.1\r\nHost: g\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

// An upload that its client stops in the middle of is the client's; once all of it is there, the server's limit runs.
TEST(ExchangeTimes, WhileTheClientOwesItsBodyTheUpstreamIsNotLate) {
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\"  replay_body = 64KiB  attempt_timeout = 3s }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer& peer) { peer.received.clear(); });
  auto client = gateway.NewClient();
  client->Send(Upload(200'001) + std::string(100'000, 'x'));
  gateway.network.RunFor(10s);
  EXPECT_EQ(client->received, "") << "it has owed the rest from the beginning";
  client->Send(std::string(100'000, 'x'));
  gateway.network.RunFor(10s);
  EXPECT_EQ(client->received, "") << "… and a byte";
  client->Send("x");
  ExpectAbout(Until(gateway, *client, "504"), 3s, "nothing is owed any more");
}

// … and an upstream that takes nothing of what is there is late, whoever owes the rest.
TEST(ExchangeTimes, AnUpstreamThatTakesNothingIsLate) {
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\"  replay_body = 64KiB  attempt_timeout = 3s }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer& peer) {
    if (peer.received.size() > 90'000) peer.stream->PauseReading();
  });
  auto client = gateway.NewClient();
  client->Send(Upload(10'000'000) + std::string(100'000, 'x'));
  gateway.network.RunFor(10s);
  EXPECT_EQ(client->received, "") << "it has all that there is";
  client->Send(std::string(2'000'000, 'x'));
  ExpectAbout(Until(gateway, *client, "504"), 3s, "it takes no more");
}

// The answer may begin before the request has ended: from then on its server is heard, not the client.
TEST(ExchangeTimes, BehindTheHeadOfAnAnswerItsServerIsAwaited) {
  SimGateway gateway(kImpatient);
  SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer& peer) {
    if (peer.received.size() < 100'000) return;
    peer.received.clear();
    peer.Send("HTTP/1.1 200 X\r\nContent-Length: 40\r\n\r\nbegun");
  });
  auto client = gateway.NewClient();
  client->Send(Upload(200'000) + std::string(100'000, 'x'));
  Until(gateway, *client, "begun");
  ExpectAbout(Until(gateway, *client, "never"), 3s, "it says no more");
  EXPECT_TRUE(client->ended);
}

// A client that reads nothing for a while is not its server's silence; once it has read, that counts.
TEST(ExchangeTimes, OnceTheClientReadsAgainItsServerIsAwaited) {
  SimGateway gateway(kImpatient);
  const size_t sent = 2'000'000;
  SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer& peer) {
    if (!Holds(peer.received, "\r\n\r\n")) return;
    peer.received.clear();
    peer.Send("HTTP/1.1 200 X\r\nContent-Length: 3000000\r\n\r\n" + std::string(sent, 'x'));
  });
  auto client = gateway.NewClient();
  client->Send(GetOf("/x"));
  gateway.network.RunFor(1ms);
  client->stream->PauseReading();
  gateway.network.RunFor(20s);
  EXPECT_GT(gateway.state->memory.held(), 0) << "what waits for it";
  client->stream->ResumeReading();
  gateway.network.RunFor(1s);
  ASSERT_GT(client->received.size(), sent);
  EXPECT_FALSE(client->ended);
  EXPECT_EQ(gateway.state->memory.held(), 0) << "nothing waits";
  ExpectAbout(Until(gateway, *client, "never"), 2s, "its server has said nothing since");
  EXPECT_TRUE(client->ended);
}

}  // namespace
}  // namespace tests
