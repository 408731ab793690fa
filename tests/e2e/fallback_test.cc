// What answers when the upstream can't, as far as only processes show it: replies, what caches keep, one request in flight for all
// workers. Shipped policies tell the rest (policies_test.cc).
#include <gtest/gtest.h>

#include <thread>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

const std::string kSorry = "reply sorry { status = 200  body = json { \"is_fallback\": true } }\n";

TEST(Fallback, RouteRepliesAreAnswersAndNotFallbacks) {
  GatewayProcess gateway(Gateway() +
                         "route all { reply = hello }\nreply hello { status = 203  body = json { \"a\": 1 } }\n");
  const Answer answer = Post(gateway.port(), "/x", "{}");
  EXPECT_EQ(answer.status, 203);
  EXPECT_EQ(answer.body, R"({"a":1})") << "whatever its layout in the policy";
  EXPECT_FALSE(answer.is_fallback());
  EXPECT_EQ(gateway.Metric("breakwater_fallback_response_total{fallback=\"hello\"}"), 0);
}

TEST(Cache, KeepsNoErrorsAndNoFallbacks) {
  ScriptedUpstream upstream(AnswerFailure);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "fallback = [answers, sorry]") + kSorry +
                         "cache answers { key = \"k ${request.body}\"  ttl = 10min  shared = true }\n"
                         "route all { to = main  cache = answers }\n");
  EXPECT_TRUE(Post(gateway.port(), "/v1/embeddings", "same").is_fallback());
  upstream.SetScript([](UpstreamExchange& exchange) { exchange.Answer(404, "{}"); });
  EXPECT_EQ(Post(gateway.port(), "/v1/embeddings", "same").status, 404);
  upstream.SetScript([](UpstreamExchange& exchange) { exchange.Answer(200, "{\"fresh\":true}"); });
  EXPECT_EQ(Post(gateway.port(), "/v1/embeddings", "same").json().value("fresh", false), true);
  EXPECT_EQ(upstream.request_count(), 3);
}

TEST(Cache, CutAnswersAreNotKept) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    exchange.SendHead(200, {{"Content-Type", "application/x-ndjson"}, {"Transfer-Encoding", "chunked"}});
    exchange.SendChunk(Frame("Hel"));
    exchange.Finish();
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()) +
                         "cache answers { key = \"k ${request.body}\"  ttl = 10min  shared = true }\n"
                         "route all { to = main  cache = answers }\n");
  EXPECT_FALSE(Post(gateway.port(), "/api/chat", Chat("same", true)).looks_complete());
  EXPECT_FALSE(Post(gateway.port(), "/api/chat", Chat("same", true)).looks_complete());
  EXPECT_EQ(upstream.request_count(), 2);
}

TEST(Cache, OneRequestInFlightForEachKeyAndTheOthersGetItsAnswer) {
  Signal go;
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (exchange.WaitFor(go)) exchange.Answer(200, "{\"n\":" + std::to_string(exchange.request().number) + "}");
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()) +
                         "cache answers { key = \"k ${request.body}\"  ttl = 10min  shared = true }\n"
                         "route all { to = main  cache = answers }\n");
  std::vector<std::thread> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back([&] { EXPECT_EQ(Post(gateway.port(), "/v1/embeddings", "same").body, "{\"n\":1}"); });
  }
  EXPECT_TRUE(WaitUntil([&] { return gateway.Metric("breakwater_requests_in_flight") == 20 && upstream.request_count() > 0; }));
  EXPECT_EQ(upstream.request_count(), 1);
  go.Set();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(upstream.request_count(), 1);
}

}  // namespace
}  // namespace tests::e2e
