// What a request may lose by an upstream that fails, and an upstream by a client that means it badly: the whole proxy on a network
// without sockets.
#include <gtest/gtest.h>

#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests

bool Holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string Chat(size_t size, bool stream, const std::string& path = "/v1/chat/completions") {
  std::string body = std::string("{\"model\":\"m\",\"stream\":") + (stream ? "true" : "false") +
                     ",\"messages\":[{\"role\":\"user\",\"content\":\"" + std::string(size, 'x') + "\"}]}";
  return "POST " + path + " HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

constexpr std::string_view kStream =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string Chunk(const std::string& data) {
  char size[32];
  snprintf(size, sizeof(size), "%zx\r\n", data.size());
  return size + data + "\r\n";
}

std::string Frame(const std::string& content, const std::string& reason) {
  return Chunk("data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" +
               content + "\"},\"finish_reason\":" + (reason.empty() ? "null" : "\"" + reason + "\"") + "}]}\n\n");
}

// A whole request is here; takes it off.
bool TakeRequest(SimPeer& peer, std::string* request = nullptr) {
  const size_t head = peer.received.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  const size_t at = peer.received.find("Content-Length: ");
  const size_t length = at == std::string::npos || at > head ? 0 : std::stoul(peer.received.substr(at + 16));
  if (peer.received.size() < head + 4 + length) return false;
  if (request != nullptr) *request = peer.received.substr(0, head + 4 + length);
  peer.received.erase(0, head + 4 + length);
  return true;
}

// Answers chats, as an object or a stream.
std::function<void(SimPeer&)> Chats(int* answered = nullptr) {
  return [answered](SimPeer& peer) {
    std::string request;
    while (TakeRequest(peer, &request)) {
      if (answered != nullptr) ++*answered;
      if (Holds(request, "\"stream\":true")) {
        peer.Send(std::string(kStream) + Frame("ans", "") + Frame("wer", "stop") + Chunk("data: [DONE]\n\n") + "0\r\n\r\n");
      } else {
        const std::string body =
            "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
            "\"content\":\"answer\"},\"finish_reason\":\"stop\"}]}";
        peer.Send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
      }
    }
  };
}

std::function<void(SimPeer&)> Answers(const std::string& answer) {
  return [answer](SimPeer& peer) {
    while (TakeRequest(peer)) peer.Send(answer);
  };
}

const std::string kTwo =
    "upstream a { url = \"http://10.0.0.1:80\" }\nupstream b { url = \"http://10.0.0.2:80\" }\nroute r { to = [a, b] }\n";

TEST(Failover, AFailingFirstUpstreamOfThePlainestPolicyCostsNoChat) {
  struct Fault {
    const char* name;
    std::function<void(SimPeer&)> does;  // null: nobody listens
  };
  const std::vector<Fault> faults = {
      {"refuses", nullptr},
      {"answers 500", Answers("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops")},
      {"answers 503", Answers("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")},
      {"resets", [](SimPeer& peer) { if (TakeRequest(peer)) peer.stream->Reset(); }},
      {"begins a stream and cuts it", [](SimPeer& peer) {
         if (!TakeRequest(peer)) return;
         peer.Send(std::string(kStream) + Chunk(": wait\n\n"));
         peer.stream->FinishWriting();
       }},
  };
  for (const Fault& fault : faults) {
    for (const size_t size : {size_t{1} << 10, size_t{8} << 20}) {
      for (const bool stream : {false, true}) {
        SimGateway gateway(kTwo);
        std::optional<SimServer> a;
        if (fault.does) a.emplace(&gateway.network, "10.0.0.1", 80, fault.does);
        int answered = 0;
        SimServer b(&gateway.network, "10.0.0.2", 80, Chats(&answered));
        auto client = gateway.NewClient();
        client->Send(Chat(size, stream));
        EXPECT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, stream ? "[DONE]" : "answer"); }, 10min))
            << fault.name << " " << size << " " << stream << ": " << client->received.substr(0, 300);
        EXPECT_TRUE(client->received.starts_with("HTTP/1.1 200 ")) << fault.name << " " << client->received.substr(0, 300);
        EXPECT_EQ(answered, 1) << fault.name;
      }
    }
  }
}

TEST(Failover, ABodyBeyondWhatIsKeptMovesOnUntilItsFirstByteWentOut) {
  SimGateway gateway(
      "upstream a { url = \"http://10.0.0.1:80\"  replay_body = 64KiB }\n"
      "upstream b { url = \"http://10.0.0.2:80\"  replay_body = 64KiB }\nroute r { to = [a, b] }\n");
  int answered = 0;
  SimServer b(&gateway.network, "10.0.0.2", 80, Chats(&answered));
  auto client = gateway.NewClient();
  client->Send(Chat(2 << 20, false));  // nobody listens at a
  EXPECT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "answer"); }, 1min)) << client->received.substr(0, 300);
  EXPECT_EQ(answered, 1);
}

TEST(Failover, WhatMayNotBeSentTwiceIsNotAndTheLogSaysSo) {
  SimGateway gateway(kTwo);
  SimServer a(&gateway.network, "10.0.0.1", 80, Answers("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"));
  int answered = 0;
  SimServer b(&gateway.network, "10.0.0.2", 80, Chats(&answered));
  for (const char* path : {"/v1/threads/t/messages", "/v1/files", "/v1/chat/completions/c/cancel"}) {
    auto client = gateway.NewClient();
    client->Send(Chat(10, false, path));
    EXPECT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "HTTP/1.1 500"); }, 1min)) << path;
  }
  EXPECT_EQ(answered, 0);
  auto client = gateway.NewClient();
  client->Send("POST /v1/responses HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: 52\r\n\r\n"
               "{\"model\":\"m\",\"input\":\"x\",\"tools\":[{\"type\":\"mcp\"}]}  ");
  EXPECT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "HTTP/1.1 500"); }, 1min)) << client->received;
  EXPECT_EQ(answered, 0) << "its tools run at the server";
  const std::string page = gateway.state->metrics.Expose(gateway.transport.Now(), 0);
  EXPECT_TRUE(Holds(page, "\nbreakwater_move_denied_total{upstream=\"a\",reason=\"not_repeat_safe\"} 4\n")) << page.substr(page.find("breakwater_move_denied"), 300);
}

TEST(Failover, ARefusalWithoutAnotherUpstreamKeepsItsOwnWords) {
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\"  retry { max_retries = 1  when status == 429  wait = exponential(from: 1ms) } }\n");
  SimServer a(&gateway.network, "10.0.0.1", 80, Answers("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nslow"));
  auto client = gateway.NewClient();
  client->Send(Chat(10, false));
  EXPECT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "slow"); }, 1min)) << client->received;
  EXPECT_TRUE(Holds(client->received, "Retry-After: 7")) << client->received;
}

TEST(Failover, WhereNobodyAnswersTheRefusalGoesOutAfterAll) {
  constexpr std::string_view kRefusal = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"error\":\"wait\"} ";
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\"  retry { max_retries = 1  when status == 429  wait = exponential(from: 1ms)  honour = retry_after(cap: 1s) } }\n"
                     "upstream b { url = \"http://10.0.0.2:80\" }\nroute r { to = [a, b] }\n");
  SimServer a(&gateway.network, "10.0.0.1", 80, Answers(std::string(kRefusal)));
  auto client = gateway.NewClient();
  client->Send(Chat(10, false));
  ASSERT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "\r\n\r\n"); }, 1min)) << client->received;
  EXPECT_TRUE(Holds(client->received, "HTTP/1.1 429")) << client->received;
  EXPECT_TRUE(Holds(client->received, "Retry-After: 7")) << client->received;
  EXPECT_TRUE(Holds(client->received, "{\"error\":\"wait\"} ")) << client->received;
}

// One address may hold a quarter of 1 MiB: the text of an answer that might be continued is forgotten beyond that, and nothing else happens.
TEST(Memory, WhatIsRememberedOfAnswersCounts) {
  for (const bool is_tight : {false, true}) {
    SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\"  on_cut = continue }\nupstream b { url = \"http://10.0.0.2:80\" }\nroute r { to = [a, b] }\n",
                       std::string("limits { memory = ") + (is_tight ? "1MiB" : "64MiB") + " }");
    std::string start(kStream);
    for (int i = 0; i < 24; ++i) start += Frame(std::string(8 << 10, 'a'), "");
    SimServer a(&gateway.network, "10.0.0.1", 80, [&](SimPeer& peer) {
      if (!TakeRequest(peer)) return;
      peer.Send(start);
      peer.stream->Reset();
    });
    int continued = 0;
    SimServer b(&gateway.network, "10.0.0.2", 80, Chats(&continued));
    std::vector<std::unique_ptr<SimPeer>> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(gateway.NewClient());
      clients.back()->Send(Chat(10, true));
    }
    gateway.network.RunFor(20s);
    for (const auto& client : clients) {
      EXPECT_TRUE(Holds(client->received, "[DONE]") || Holds(client->received, "truncated")) << client->received.substr(client->received.size() - 300);
    }
    EXPECT_EQ(continued < 4, is_tight);
    EXPECT_EQ(gateway.state->memory.held(), 0);
  }
}

TEST(Pool, TwentyPostsOneByOneOpenOneConnection) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\" }\n");
  int answered = 0;
  SimServer server(&gateway.network, "10.0.0.1", 80, Chats(&answered));
  for (int i = 0; i < 20; ++i) {
    auto client = gateway.NewClient();
    client->Send(Chat(100, i % 2 == 0));
    ASSERT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, i % 2 == 0 ? "[DONE]" : "answer"); }, 10s)) << i;
    gateway.network.RunFor(100ms);
  }
  EXPECT_EQ(answered, 20);
  EXPECT_EQ(server.peers.size(), 1u);
}

TEST(Pool, AConnectionThatTheUpstreamEndsIsLookedAtFirst) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\" }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80, Chats());
  for (const bool says_something : {false, true}) {
    auto client = gateway.NewClient();
    client->Send(Chat(10, false));
    ASSERT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "answer"); }, 10s));
    gateway.network.RunFor(1s);
    if (says_something) server.peers.back()->Send("HTTP/1.1 408 Request Timeout\r\n\r\n");
    else server.peers.back()->stream->FinishWriting();
    auto next = gateway.NewClient();
    next->Send(Chat(10, false, "/v1/files"));  // that may not be sent twice
    EXPECT_TRUE(gateway.network.RunUntil([&] { return Holds(next->received, "answer"); }, 10s)) << next->received;
  }
}

TEST(BasePath, StandsInFrontAndIsNotDoubled) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:80/openai/v1\" }\n");
  std::vector<std::string> targets;
  SimServer server(&gateway.network, "10.0.0.1", 80, [&](SimPeer& peer) {
    std::string request;
    if (!TakeRequest(peer, &request)) return;
    targets.push_back(request.substr(0, request.find("\r\n")));
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  for (const char* target : {"/v1/models?x=1", "/models", "/v1", "/v1x/y", "/openai/v1/models"}) gateway.Get(target);
  EXPECT_EQ(targets, (std::vector<std::string>{"GET /openai/v1/models?x=1 HTTP/1.1", "GET /openai/v1/models HTTP/1.1", "GET /openai/v1 HTTP/1.1",
                                               "GET /openai/v1/v1x/y HTTP/1.1", "GET /openai/v1/models HTTP/1.1"}));
}

TEST(Credentials, AreForTheFirstUpstreamOnly) {
  SimGateway gateway(kTwo);
  std::string seen;
  SimServer b(&gateway.network, "10.0.0.2", 80, [&](SimPeer& peer) {
    if (TakeRequest(peer, &seen)) peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  auto client = gateway.NewClient();
  client->Send("GET /v1/models?api-version=1&key=SECRET&access_token=SECRET&api%5Fkey=SECRET&sig=SECRET&max_tokens=5 HTTP/1.1\r\nHost: g\r\nAuthorization: SECRET\r\n"
               "x-goog-api-key: SECRET\r\nOcp-Apim-Subscription-Key: SECRET\r\nX-Litellm-Api-Key: SECRET\r\nHelicone-Auth: SECRET\r\n"
               "X-Amz-Security-Token: SECRET\r\nCookie: SECRET\r\nApiKey: SECRET\r\nX-Client-Secret: SECRET\r\nX-Max-Tokens: 7\r\n"
               "Authentication: SECRET\r\nx-functions-key: SECRET\r\nX-User-Key: SECRET\r\nX-Password: SECRET\r\nX-JWT-Assertion: SECRET\r\n"
               "X-Signature: SECRET\r\nIdempotency-Key: 1\r\nX-Tenant: shop\r\n\r\n");
  ASSERT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "ok"); }, 10s)) << client->received;
  EXPECT_TRUE(Holds(seen, "Idempotency-Key: 1")) << seen;
  EXPECT_FALSE(Holds(seen, "SECRET")) << seen;
  EXPECT_TRUE(Holds(seen, "/v1/models?api-version=1&max_tokens=5 ")) << seen;
  EXPECT_TRUE(Holds(seen, "X-Tenant: shop")) << seen;
  EXPECT_TRUE(Holds(seen, "X-Max-Tokens: 7")) << seen;
}

// ---- Signs of life -----------------------------------------------------------------------------------------------------

TEST(LifeSigns, CommentsKeepAStreamAliveBeforeAndBehindItsContent) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\"  timeouts { idle = 1s } }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer&) {});
  auto client = gateway.NewClient();
  client->Send(Chat(10, true));
  ASSERT_TRUE(gateway.network.RunUntil([&] { return !server.peers.empty() && !server.peers.back()->received.empty(); }, 10s));
  SimPeer& peer = *server.peers.back();
  peer.Send(std::string(kStream));
  gateway.network.RunFor(40s);  // a head and no content: idle has not begun
  for (int i = 0; i < 6; ++i) {
    peer.Send(Chunk(": keep-alive\n\n"));
    gateway.network.RunFor(500ms);
  }
  peer.Send(Frame("a", ""));
  for (int i = 0; i < 600; ++i) {  // five minutes and more
    peer.Send(Chunk(": keep-alive\n\n"));
    gateway.network.RunFor(500ms);
  }
  peer.Send(Frame("b", "stop") + Chunk("data: [DONE]\n\n") + "0\r\n\r\n");
  EXPECT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "[DONE]"); }, 10s)) << client->received.substr(0, 500);
}

TEST(LifeSigns, AStreamThatFlowsIsCutByNoDefault) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\"  attempt_timeout = 15s }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer&) {});
  auto client = gateway.NewClient();
  client->Send(Chat(10, true));
  ASSERT_TRUE(gateway.network.RunUntil([&] { return !server.peers.empty() && !server.peers.back()->received.empty(); }, 10s));
  SimPeer& peer = *server.peers.back();
  peer.Send(std::string(kStream));
  for (int i = 0; i < 420; ++i) {
    peer.Send(Frame("t", ""));
    gateway.network.RunFor(1s);
  }
  peer.Send(Frame("", "stop") + Chunk("data: [DONE]\n\n") + "0\r\n\r\n");
  EXPECT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "[DONE]"); }, 10s)) << client->received.substr(0, 500);
}

// ---- Whose time it is ----------------------------------------------------------------------------------------------------

TEST(WhoseTime, SilentUploadsOpenNoBreaker) {
  SimGateway gateway(
      "upstream u { url = \"http://10.0.0.1:80\"  attempt_timeout = 2s  replay_body = 64KiB\n  breaker { open when failures(60s) >= 3 } }\n"
      "route r { to = u  deadline = 20s }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80, Chats());
  for (const size_t first : {size_t{0}, size_t{100'000}}) {
    std::vector<std::unique_ptr<SimPeer>> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(gateway.NewClient());
      clients.back()->Send("POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: 2000000\r\n\r\n" + std::string(first, 'x'));
    }
    gateway.network.RunFor(2min);
    if (first == 0) {
      EXPECT_TRUE(server.peers.empty()) << "nothing is taken for an upload that has not begun";
    }
  }
  auto client = gateway.NewClient();
  client->Send(Chat(10, false));
  EXPECT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "answer"); }, 10s)) << client->received;
}

TEST(WhoseTime, ClientsThatDoNotReadOpenNoBreaker) {
  SimGateway gateway(
      "upstream u { url = \"http://10.0.0.1:80\"  attempt_timeout = 2s  timeouts { total = 5s  idle = 1s }\n"
      "  breaker { open when failures(60s) >= 3 } }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer& peer) {
    if (TakeRequest(peer)) peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n" + std::string(8'000'000, 'x'));
  });
  std::vector<std::unique_ptr<SimPeer>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(gateway.NewClient());
    clients.back()->stream->PauseReading();
    clients.back()->Send("GET /large HTTP/1.1\r\nHost: g\r\n\r\n");
  }
  gateway.network.RunFor(2min);
  EXPECT_EQ(gateway.worker->connections(), 0u) << "their own limits end them";
  EXPECT_TRUE(Holds(gateway.Get("/small"), "HTTP/1.1 200 "));
}

TEST(Drain, AStreamThatIsCutIsToldSo) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\" }\n");
  SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer&) {});
  auto client = gateway.NewClient();
  client->Send(Chat(10, true));
  auto waits = gateway.NewClient();
  waits->Send(Chat(10, false));
  ASSERT_TRUE(gateway.network.RunUntil([&] { return server.peers.size() == 2; }, 10s));
  gateway.network.RunFor(1s);
  const bool is_first = Holds(server.peers[0]->received, "\"stream\":true");
  server.peers[is_first ? 0 : 1]->Send(std::string(kStream) + Frame("a", ""));
  ASSERT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "\"a\""); }, 10s));
  bool drained = false;
  gateway.worker->Drain(5s, [&] { drained = true; });
  gateway.network.RunFor(10s);
  EXPECT_TRUE(drained);
  EXPECT_TRUE(Holds(client->received, "stopping")) << client->received;
  EXPECT_TRUE(Holds(client->received, "data: {\"error\"")) << client->received;
  EXPECT_FALSE(client->received.ends_with("0\r\n\r\n")) << "no proper end";
  EXPECT_TRUE(waits->received.starts_with("HTTP/1.1 503 ")) << waits->received;
}

// Strict clients wait for [DONE], and some servers leave it out.
TEST(MissingEnd, IsAddedWhereTheAnswerHasAllItsContent) {
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\" }\n");
  SimServer a(&gateway.network, "10.0.0.1", 80, [](SimPeer& peer) {
    if (TakeRequest(peer)) peer.Send(std::string(kStream) + Frame("answer", "") + Frame("", "stop") + "0\r\n\r\n");
  });
  auto client = gateway.NewClient();
  client->Send(Chat(10, true));
  EXPECT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "\r\n0\r\n\r\n"); }, 10s)) << client->received;
  EXPECT_TRUE(Holds(client->received, "data: [DONE]\n\n")) << client->received;
}

}  // namespace
}  // namespace tests
