// keep_alive of a route: a client that waits for the first token is sent something, and what that costs.
#include <gtest/gtest.h>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

const std::string kRoute = "route all { to = main  keep_alive = 100ms }\n";

struct Dialect {
  std::string path;
  std::string content_type;
  std::string keep_alive;
  std::string answer;
};
std::ostream& operator<<(std::ostream& out, const Dialect& dialect) { return out << dialect.path; }

class KeepAlive : public testing::TestWithParam<Dialect> {
 protected:
  // The answer's head, and two of what keeps the client alive.
  Answer Wait(RawClient& client) {
    client.Send(ToText({.target = GetParam().path, .headers = {{"X-Request-Id", "waits"}}, .body = Chat("x", true)}));
    Answer answer = client.ReadHead();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("content-type"), GetParam().content_type);
    EXPECT_TRUE(client.ReadUntil(GetParam().keep_alive + GetParam().keep_alive, &answer));
    return answer;
  }
};

TEST_P(KeepAlive, TheAnswerFollowsWhatWasSentMeanwhile) {
  Signal go;
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (!exchange.WaitFor(go)) return;
    exchange.SendHead(200, {{"Content-Type", GetParam().content_type}, {"Transfer-Encoding", "chunked"}});
    exchange.SendChunk(GetParam().answer);
    exchange.SendLastChunk();
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()) + kRoute);
  RawClient client(gateway.port());
  Answer answer = Wait(client);
  go.Set();
  client.ReadToEnd(&answer);
  EXPECT_TRUE(answer.looks_complete()) << testing::PrintToString(answer);
  EXPECT_TRUE(answer.body.ends_with(GetParam().answer)) << answer.body;
  EXPECT_EQ(client.Request({.method = "GET", .target = "/health/live"}).status, 200) << "the connection is kept";
  const Json access = gateway.WaitForAccess("waits");
  EXPECT_EQ(access["how"], "complete");
  EXPECT_GE(access["keep_alives"], 2);
  EXPECT_GE(gateway.Metric("breakwater_keep_alive_total{route=\"all\"}"), 2);
}

TEST_P(KeepAlive, AFailureAfterwardsIsToldInsideTheStream) {
  Signal go;
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (exchange.WaitFor(go)) exchange.Reset();
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()) + kRoute);
  RawClient client(gateway.port());
  Answer answer = Wait(client);
  go.Set();
  client.ReadToEnd(&answer);
  EXPECT_FALSE(answer.looks_complete()) << testing::PrintToString(answer);
  EXPECT_NE(answer.body.find("\"error\""), std::string::npos) << answer.body;
  const Json access = gateway.WaitForAccess("waits");
  EXPECT_EQ(access["how"], "cut");
  EXPECT_EQ(access["fallback_reason"], "reset");
  EXPECT_EQ(gateway.Metric("breakwater_late_failures_total{route=\"all\",reason=\"reset\"}"), 1);
}

INSTANTIATE_TEST_SUITE_P(
    Dialects, KeepAlive,
    testing::Values(Dialect{"/api/chat", "application/x-ndjson", " ", Frame("4") + Frame("", true)},
                    Dialect{"/v1/chat/completions", "text/event-stream", ": keep-alive\n\n",
                            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"4\"},\"finish_reason\":\"stop\"}]}\n\n"
                            "data: [DONE]\n\n"}),
    [](const auto& dialect) { return std::string(dialect.index == 0 ? "Ndjson" : "Sse"); });

}  // namespace
}  // namespace tests::e2e
