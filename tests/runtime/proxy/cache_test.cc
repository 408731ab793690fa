// Which clients share an answer of a cache: on a simulated network.
#include <string>

#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

class SharedCache : public testing::Test {
 protected:
  SharedCache()
      : gateway_("cache answers { key = \"${request.json.model}\"  ttl = 1h  shared = true }\n"
                 "upstream u { url = \"http://10.0.0.1:11434\" }\nroute all { to = u  cache = answers }\n"),
        server_(&gateway_.network, "10.0.0.1", 11434, [this](SimPeer& peer) {
          const size_t head = peer.received.find("\r\n\r\n");
          if (head == std::string::npos || peer.received.size() < head + 4 + kBody.size()) return;
          const std::string path = peer.received.substr(5, peer.received.find(' ', 5) - 5);
          peer.received.clear();
          ++asked_;
          const std::string body = path == "/api/chat"
                                       ? R"({"message":{"role":"assistant","content":"lines"},"done":true})"
                                       : R"({"choices":[{"index":0,"message":{"role":"assistant","content":")" + path +
                                             R"("},"finish_reason":"stop"}]})";
          peer.Send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                    "\r\n\r\n" + body);
        }) {}

  std::string Ask(const std::string& path) {
    auto client = gateway_.NewClient();
    client->Send("POST " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " +
                 std::to_string(kBody.size()) + "\r\n\r\n" + kBody);
    EXPECT_TRUE(gateway_.network.RunUntil([&] { return client->ended; }));
    return client->received;
  }

  const std::string kBody = R"({"model":"m","stream":false})";
  int asked_ = 0;
  SimGateway gateway_;
  SimServer server_;
};

TEST_F(SharedCache, ClientsOfDifferentApisNeverGetEachOthersAnswers) {
  EXPECT_NE(Ask("/api/chat").find("\"message\":{"), std::string::npos);
  const std::string other = Ask("/v1/chat/completions");
  EXPECT_NE(other.find("\"choices\""), std::string::npos) << other;
  EXPECT_EQ(asked_, 2);
}

TEST_F(SharedCache, ClientsOfOneApiDo) {
  for (const std::string path : {"/api/chat", "/v1/chat/completions"}) {
    const int before = asked_;
    const std::string first = Ask(path);
    const std::string again = Ask(path);
    EXPECT_EQ(asked_, before + 1) << path;
    EXPECT_EQ(again.substr(again.find("\r\n\r\n")), first.substr(first.find("\r\n\r\n")));
  }
}

}  // namespace
}  // namespace tests
