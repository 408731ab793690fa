// What servers mean that refuse, are silent for long, or stand behind a path: the tables refusals, silences and bases, through the whole
// proxy on a network without sockets.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "compiler/model/model_paths.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests::field {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests
using Json = nlohmann::json;

Json Table(const std::string& name) {
  std::ifstream in(std::string(BREAKWATER_FIELD_TABLES) + "/" + name + ".json");
  Json entries = Json::parse(in).at("entries");
  for (const Json& entry : entries) {
    for (const char* member : {"server", "source", "date"}) {
      if (entry.at(member).get<std::string>().empty()) throw std::invalid_argument(name + ": a line without " + member);
    }
  }
  return entries;
}

std::string Words(const Json& entry) { return entry.at("server").get<std::string>() + ", " + entry.value("name", entry.value("base", "")); }

Duration Seconds(double seconds) { return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)); }

bool TakeRequest(SimPeer& peer) {
  const size_t head = peer.received.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  const size_t at = peer.received.find("Content-Length: ");
  const size_t length = at == std::string::npos || at > head ? 0 : std::stoul(peer.received.substr(at + 16));
  if (peer.received.size() < head + 4 + length) return false;
  peer.received.erase(0, head + 4 + length);
  return true;
}

std::string Chat(bool stream, const std::string& path = "/v1/chat/completions") {
  const std::string body = std::string(R"({"model":"m","stream":)") + (stream ? "true" : "false") + R"(,"messages":[{"role":"user","content":"x"}]})";
  return "POST " + path + " HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string PathOf(const Json& entry) { return entry.value("path", "/v1/chat/completions"); }

std::string Answer(int status, const std::string& type, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

const std::string kGood = Answer(200, "application/json", R"({"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"well"},"finish_reason":"stop"}]})");

std::string Ask(SimGateway& gateway, bool stream = false, Duration longest = 1h, const std::string& path = "/v1/chat/completions") {
  auto client = gateway.NewClient();
  client->Send(Chat(stream, path));
  EXPECT_TRUE(gateway.network.RunUntil([&] { return client->ended; }, longest));
  return client->received;
}

// ---- Whose fault it is -----------------------------------------------------------------------------------------------

// One client that makes the same mistake again and again does not open the breaker for all others, whatever status its server gives that;
// a server that really fails still opens it within its rule's count. Head and body in one piece, or the body later.
TEST(Refusals, OpenTheBreakerWhereTheServerIsAtFaultAlone) {
  for (const Json& entry : Table("refusals")) {
    for (const bool body_comes_later : {false, true}) {
      std::string answer = Answer(entry.at("status"), entry.value("type", "application/json"), entry.at("body"));
      const size_t head = answer.find("\r\n\r\n") + 4;
      bool is_well = false;
      SimGateway gateway("upstream u {\n  url = \"http://10.0.0.1:80\"\n  breaker { open when failures(60s) >= 3 }\n}\n");
      SimServer server(&gateway.network, "10.0.0.1", 80, [&](SimPeer& peer) {
        if (!TakeRequest(peer)) return;
        if (is_well) return peer.Send(kGood);
        peer.Send(body_comes_later ? answer.substr(0, head) : answer);
      });
      for (int i = 0; i < 4; ++i) {
        auto client = gateway.NewClient();
        client->Send(Chat(false, PathOf(entry)));
        if (body_comes_later) {
          gateway.network.RunFor(200ms);
          if (!server.peers.empty() && !server.peers.back()->ended && !server.peers.back()->was_reset) server.peers.back()->Send(answer.substr(head));
        }
        ASSERT_TRUE(gateway.network.RunUntil([&] { return client->ended; }, 1min)) << Words(entry);
      }
      is_well = true;
      const bool is_open = Ask(gateway).rfind("HTTP/1.1 200 ", 0) != 0;
      EXPECT_EQ(is_open, entry.at("fault") == "server") << Words(entry) << (body_comes_later ? ", the body later" : "");
    }
  }
}

// They are somebody else's to answer all the same: what is too long here may have room there.
TEST(Refusals, MoveOnWhoeverIsAtFault) {
  for (const Json& entry : Table("refusals")) {
    if (entry.at("status") < 500) continue;
    SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\" }\nupstream b { url = \"http://10.0.0.2:80\" }\nroute r { to = [a, b] }\n");
    SimServer a(&gateway.network, "10.0.0.1", 80, [&](SimPeer& peer) {
      if (TakeRequest(peer)) peer.Send(Answer(entry.at("status"), entry.value("type", "application/json"), entry.at("body")));
    });
    SimServer b(&gateway.network, "10.0.0.2", 80, [&](SimPeer& peer) {
      if (TakeRequest(peer)) peer.Send(kGood);
    });
    const std::string got = Ask(gateway, false, 1h, PathOf(entry));
    EXPECT_NE(got.find("well"), std::string::npos) << Words(entry) << "\n" << got;
  }
}

// A body that never comes holds nobody up.
TEST(Refusals, AreJudgedByTheirHeadWhereTheBodyStaysAway) {
  SimGateway gateway("upstream a { url = \"http://10.0.0.1:80\" }\nupstream b { url = \"http://10.0.0.2:80\" }\nroute r { to = [a, b] }\n");
  SimServer a(&gateway.network, "10.0.0.1", 80, [](SimPeer& peer) {
    if (TakeRequest(peer)) peer.Send("HTTP/1.1 503 X\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
  });
  SimServer b(&gateway.network, "10.0.0.2", 80, [](SimPeer& peer) {
    if (TakeRequest(peer)) peer.Send(kGood);
  });
  EXPECT_NE(Ask(gateway, false, 2s).find("well"), std::string::npos);
}

TEST(Refusals, AreNotAskedAgainEarlierThanTheirWordsWant) {
  for (const Json& entry : Table("refusals")) {
    if (entry.at("status") != 429 && !entry.contains("wait")) continue;
    SimGateway gateway(
        "upstream u {\n  url = \"http://10.0.0.1:80\"\n  retry { max_retries = 1  when status in {429, 503}  wait = exponential(from: 100ms)  honour = retry_after(cap: 5min) }\n}\n");
    std::vector<base::TimePoint> asked;
    SimServer server(&gateway.network, "10.0.0.1", 80, [&](SimPeer& peer) {
      if (!TakeRequest(peer)) return;
      asked.push_back(gateway.transport.Now());
      peer.Send(asked.size() == 1 ? Answer(entry.at("status"), "application/json", entry.at("body")) : kGood);
    });
    EXPECT_NE(Ask(gateway).find("well"), std::string::npos) << Words(entry);
    ASSERT_EQ(asked.size(), 2u) << Words(entry);
    const Duration waited = asked[1] - asked[0];
    const Duration wanted = Seconds(entry.value("wait", 0.1));
    EXPECT_GE(waited, wanted) << Words(entry);
    EXPECT_LT(waited, wanted + 1s) << Words(entry);
  }
}

// ---- How long it may be silent -----------------------------------------------------------------------------------------

std::string Chunk(const std::string& data) {
  char size[32];
  std::snprintf(size, sizeof(size), "%zx\r\n", data.size());
  return size + data + "\r\n";
}

TEST(Silences, OfServersThatDoWellAreEndedByNoDefault) {
  for (const Json& entry : Table("silences")) {
    const std::string needed = entry.value("attempt_timeout", "");
    SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\"" + (needed.empty() ? "" : "  attempt_timeout = " + needed) + " }\n");
    SimServer server(&gateway.network, "10.0.0.1", 80, [](SimPeer&) {});
    const bool stream = !entry.contains("whole");
    auto client = gateway.NewClient();
    client->Send(Chat(stream));
    ASSERT_TRUE(gateway.network.RunUntil([&] { return !server.peers.empty() && !server.peers.back()->received.empty(); }, 10s));
    SimPeer& peer = *server.peers.back();
    const auto wait = [&](const char* name) {
      const double comments = entry.value("comments", 0.0);
      double left = entry.value(name, 0.0);
      while (comments > 0 && left > comments) {
        gateway.network.RunFor(Seconds(comments));
        peer.Send(Chunk(": keep-alive\n\n"));
        left -= comments;
      }
      if (left > 0) gateway.network.RunFor(Seconds(left));
    };
    if (stream) {
      peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
      wait("first");
      peer.Send(Chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"We\"},\"finish_reason\":null}]}\n\n"));
      wait("within");
      peer.Send(Chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ll\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n") + "0\r\n\r\n");
    } else {
      wait("whole");
      peer.Send(kGood);
    }
    ASSERT_TRUE(gateway.network.RunUntil([&] { return client->ended; }, 1min)) << Words(entry);
    EXPECT_NE(client->received.find(stream ? "[DONE]" : "well"), std::string::npos) << Words(entry) << "\n" << client->received;
  }
}

// … and one that is silent for ever is ended.
TEST(Silences, EndInTheEnd) {
  for (const bool begins : {false, true}) {
    SimGateway gateway("upstream u { url = \"http://10.0.0.1:80\" }\n");
    SimServer server(&gateway.network, "10.0.0.1", 80, [begins](SimPeer& peer) {
      if (!TakeRequest(peer) || !begins) return;
      peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
                Chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"We\"},\"finish_reason\":null}]}\n\n"));
    });
    const std::string got = Ask(gateway, true, (begins ? 5min : 10min) + 5s);
    EXPECT_NE(got.find(begins ? "idle_timeout" : "attempt_timeout"), std::string::npos) << got;
  }
}

// ---- Where a url with a path leads -------------------------------------------------------------------------------------

TEST(Bases, LeadWhereTheirServersListen) {
  for (const Json& entry : Table("bases")) {
    const std::string path = entry.at("path");
    for (const char* slash : {"", "/"}) {
      SimGateway gateway("upstream u { url = \"http://10.0.0.1:80" + entry.at("base").get<std::string>() + slash + "\" }\n");
      std::string asked;
      SimServer server(&gateway.network, "10.0.0.1", 80, [&](SimPeer& peer) {
        if (asked.empty()) asked = peer.received.substr(0, peer.received.find(" HTTP/"));
        if (TakeRequest(peer)) peer.Send(kGood);
      });
      auto client = gateway.NewClient();
      client->Send("POST " + path + " HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
      ASSERT_TRUE(gateway.network.RunUntil([&] { return client->ended; }, 1min)) << Words(entry);
      EXPECT_EQ(asked, "POST " + entry.at("sent").get<std::string>()) << Words(entry);
    }
    compiler::model::Url url;
    url.path = entry.at("base");
    url.is_base = true;
    EXPECT_EQ(RepeatsAt(url, path) != compiler::model::Repeats::kNever, entry.at("repeats").get<bool>()) << Words(entry);
  }
}

}  // namespace
}  // namespace tests::field
