// When an answer of a model is over for its client, for the upstream's places and for the connection: the whole proxy on a network without
// sockets.
#include <gtest/gtest.h>

#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests

bool Holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string Chunk(const std::string& data) {
  char size[32];
  snprintf(size, sizeof(size), "%zx\r\n", data.size());
  return size + data + "\r\n";
}

std::string Delta(const std::string& content, const std::string& reason) {
  return "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + content +
         "\"},\"finish_reason\":" + (reason.empty() ? "null" : "\"" + reason + "\"") + "}]}\n\n";
}

constexpr std::string_view kDone = "data: [DONE]\n\n";

// A stream of an API, and the mark that ends it.
struct Spoken {
  std::string path, type, begin, mark;
};
const std::vector<Spoken>& Apis() {
  static const std::vector<Spoken> kApis = {
      {"/v1/chat/completions", "text/event-stream", Delta("He", "") + Delta("llo", "stop"), std::string(kDone)},
      {"/api/chat", "application/x-ndjson", "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"Hello\"},\"done\":false}\n",
       "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n"},
      {"/v1/messages", "text/event-stream",
       "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"content\":[]}}\n\n"
       "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n"
       "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
       "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
      {"/v1/responses", "text/event-stream",
       "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hello\"}\n\n",
       "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[]}}\n\n"},
  };
  return kApis;
}

std::string Ask(const std::string& path) {
  const std::string body = "{\"model\":\"m\",\"stream\":true,\"messages\":[]}";
  return "POST " + path + " HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string Head(const Spoken& api) { return "HTTP/1.1 200 OK\r\nContent-Type: " + api.type + "\r\nTransfer-Encoding: chunked\r\n\r\n"; }

const std::string kOne = "upstream u { url = \"http://10.0.0.1:80\"  max_in_flight = 1  queue { length = 5  timeout = 30s } }\n";

std::function<void(SimPeer&)> Sends(const std::string& answer) {
  return [answer](SimPeer& peer) {
    if (!Holds(peer.received, "\r\n\r\n") || peer.received.back() != '}') return;
    peer.received.clear();
    peer.Send(answer);
  };
}

// Asks, and says how long it was until the last chunk was there; then `then` is played.
Duration TimeOf(SimGateway& gateway, const std::string& path, std::string* received = nullptr) {
  const auto began = gateway.network.now();
  auto client = gateway.NewClient();
  client->Send(Ask(path));
  EXPECT_TRUE(gateway.network.RunUntil([&] { return client->received.ends_with("\r\n0\r\n\r\n"); }, 1min)) << path << "\n" << client->received;
  if (received != nullptr) *received = client->received;
  return gateway.network.now() - began;
}

TEST(Ends, BehindTheMarkTheClientIsDoneThePlaceIsFreeAndTheConnectionGoes) {
  for (const Spoken& api : Apis()) {
    SimGateway gateway(kOne);
    SimServer server(&gateway.network, "10.0.0.1", 80, Sends(Head(api) + Chunk(api.begin) + Chunk(api.mark)));  // and never the last chunk
    EXPECT_LT(TimeOf(gateway, api.path), 100ms) << api.path;
    EXPECT_LT(TimeOf(gateway, api.path), 100ms) << api.path << ": the place is free";
    ASSERT_EQ(server.peers.size(), 2u) << api.path << ": nobody may use the connection meanwhile";
    gateway.network.RunFor(2s);
    EXPECT_TRUE(server.peers[0]->ended && server.peers[1]->ended) << api.path << ": nobody waits longer for an end";
  }
}

TEST(Ends, CommentsBehindTheMarkHoldNothing) {
  SimGateway gateway(kOne);
  const Spoken& api = Apis().front();
  SimServer server(&gateway.network, "10.0.0.1", 80, Sends(Head(api) + Chunk(api.begin) + Chunk(api.mark) + Chunk(": keep-alive\n\n")));
  EXPECT_LT(TimeOf(gateway, api.path), 100ms);
  for (int i = 0; i < 5 && !server.peers[0]->ended; ++i) {
    gateway.network.RunFor(500ms);
    if (!server.peers[0]->ended) server.peers[0]->Send(Chunk(": keep-alive\n\n"));
  }
  EXPECT_TRUE(server.peers[0]->ended);
}

TEST(Ends, AConnectionWhoseAnswerEndsInTimeIsKept) {
  for (const Spoken& api : Apis()) {
    SimGateway gateway(kOne);
    SimServer server(&gateway.network, "10.0.0.1", 80, Sends(Head(api) + Chunk(api.begin) + Chunk(api.mark)));
    for (int i = 0; i < 3; ++i) {
      TimeOf(gateway, api.path);
      server.peers[0]->Send("0\r\n\r\n");
      gateway.network.RunFor(100ms);
    }
    EXPECT_EQ(server.peers.size(), 1u) << api.path;
  }
}

// As the client openai does: it is gone before HTTP has ended.
TEST(Ends, AClientThatClosesAtTheMarkGotAWholeAnswer) {
  SimGateway gateway(kOne);
  const Spoken& api = Apis().front();
  SimServer server(&gateway.network, "10.0.0.1", 80, Sends(Head(api) + Chunk(api.begin) + Chunk(api.mark) + "0\r\n\r\n"));
  for (int i = 0; i < 3; ++i) {
    auto client = gateway.NewClient();
    client->on_data = [](SimPeer& peer) {
      if (peer.stream != nullptr && Holds(peer.received, "[DONE]")) peer.stream->Reset();
    };
    client->Send(Ask(api.path));
    gateway.network.RunFor(500ms);
    EXPECT_TRUE(Holds(client->received, "[DONE]"));
  }
  EXPECT_EQ(server.peers.size(), 1u) << "the upstream's connection is kept";
  const std::string page = gateway.state->metrics.Expose(gateway.transport.Now(), 0);
  EXPECT_TRUE(Holds(page, "breakwater_stream_end_total{how=\"complete\"} 3\n")) << page.substr(page.find("stream_end_total"), 400);
}

// No time ends an answer while its server still has something to say: the usage comes when it comes.
TEST(Ends, UsageThatComesLateIsWaitedFor) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\"  timeouts { idle = 5s } }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80, Sends(Head(Apis().front()) + Chunk(Delta("Hello", "")) + Chunk(Delta("", "stop"))));
  auto client = gateway.NewClient();
  client->Send(Ask("/v1/chat/completions"));
  gateway.network.RunFor(2200ms);
  EXPECT_FALSE(Holds(client->received, "[DONE]")) << client->received;
  server.peers[0]->Send(Chunk("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n") + Chunk(std::string(kDone)) + "0\r\n\r\n");
  gateway.network.RunFor(100ms);
  EXPECT_TRUE(Holds(client->received, "\"completion_tokens\":2")) << client->received;
  EXPECT_TRUE(Holds(client->received, "[DONE]")) << client->received;
}

TEST(Ends, SilenceBehindAReasonEndsTheAnswerWholeAndContentTakesItBack) {
  for (const bool goes_on : {false, true}) {
    SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\"  timeouts { idle = 3s } }\n");
    std::string answer = Head(Apis().front()) + Chunk(Delta("He", "stop"));
    if (goes_on) answer += Chunk(Delta("llo", "stop").substr(0, Delta("llo", "stop").size() - 2));  // its end is missing, and it is read all the same
    SimServer server(&gateway.network, "10.0.0.1", 80, Sends(answer));
    auto client = gateway.NewClient();
    client->Send(Ask("/v1/chat/completions"));
    gateway.network.RunFor(10s);
    EXPECT_EQ(Holds(client->received, "[DONE]"), !goes_on) << client->received;
    EXPECT_EQ(Holds(client->received, "idle_timeout"), goes_on) << client->received;
  }
}

TEST(Ends, AMarkThatLacksItsEndIsOne) {
  for (const Spoken& api : Apis()) {
    SimGateway gateway(kOne);
    std::string mark = api.mark;
    while (mark.ends_with("\n")) mark.pop_back();
    SimServer server(&gateway.network, "10.0.0.1", 80, Sends(Head(api) + Chunk(api.begin) + Chunk(mark)));
    std::string received;
    EXPECT_LT(TimeOf(gateway, api.path, &received), 100ms) << api.path;
    EXPECT_TRUE(Holds(received, mark)) << received;
  }
}

// A stream that is one line: what it is was open until its end came, and that did not come.
TEST(Ends, TheOnlyLineOfAnAnswerCountsWithoutItsEnd) {
  struct Case {
    const char* path;
    const char* line;
    bool is_whole;
  };
  const Case cases[] = {
      {"/api/chat", R"({"model":"m","message":{"role":"assistant","content":"Hello"},"done":true,"done_reason":"stop"})", true},
      {"/api/generate", R"({"model":"m","response":"Hello","done":true})", true},
      {"/api/chat", R"({"model":"m","message":{"role":"assistant","content":"Hello"},"done":false})", false},
      {"/api/chat", R"({"model":"m","message":{"role":"assistant","content":"Hello"},"done":true,"done_reason":"stop")", false},
      {"/api/chat", R"({"model":"m","message":{"role":"assistant","content":"{\"done\":true}"})", false},
  };
  for (const Case& c : cases) {
    for (const bool breaks : {true, false}) {
      SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\"  timeouts { idle = 3s } }\n");
      SimServer server(&gateway.network, "10.0.0.1", 80, [&](SimPeer& peer) {
        if (!Holds(peer.received, "\r\n\r\n") || peer.received.back() != '}') return;
        peer.received.clear();
        peer.Send(Head(Apis()[1]) + Chunk(c.line));
        if (breaks) gateway.network.At(gateway.network.now() + 10ms, [&peer] { peer.stream->Reset(); });
      });
      auto client = gateway.NewClient();
      client->Send(Ask(c.path));
      gateway.network.RunUntil([&] { return Holds(client->received, "done\":true}") || Holds(client->received, "\"error\""); }, 30min);
      gateway.network.RunFor(1s);
      const std::string page = gateway.state->metrics.Expose(gateway.transport.Now(), 0);
      const std::string what = c.line + std::string(breaks ? ", reset\n" : ", silence\n") + client->received;
      EXPECT_EQ(Holds(page, "breakwater_upstream_attempts_total{upstream=\"u\",outcome=\"truncated\"} 1\n") || Holds(page, "timeout\"} 1\n"), !c.is_whole) << what;
      EXPECT_EQ(Holds(client->received, "\"error\""), !c.is_whole) << what;
      EXPECT_TRUE(!c.is_whole || Holds(client->received, c.line)) << what;
    }
  }
}

}  // namespace
}  // namespace tests
