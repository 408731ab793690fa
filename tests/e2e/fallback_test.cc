// What answers when the upstream can't: replies, caches asked first and last, mocks, the next upstream.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

const std::string kSorry = "reply sorry { status = 200  body = json { \"is_fallback\": true } }\n";

TEST(Fallback, ReplyWithTextIsShapedAsTheClientReads) {
  ScriptedUpstream upstream(AnswerFailure);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "fallback = [busy]") +
                         "reply busy { status = 200  text = \"The model is busy.\"  header[\"X-Extra\"] = \"1\" }\n");
  const Answer chat = Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(chat.json()["message"]["content"], "The model is busy.");
  EXPECT_EQ(chat.json()["model"], "qwen3:32b");
  EXPECT_EQ(chat.json()["done"], true);
  EXPECT_EQ(chat.header("x-extra"), "1");

  const Answer stream = Post(gateway.port(), "/api/chat", Chat("x", true));
  EXPECT_EQ(std::count(stream.body.begin(), stream.body.end(), '\n'), 2) << stream.body;
  EXPECT_NE(stream.body.find("\"done\":true"), std::string::npos);

  const Answer generate = Post(gateway.port(), "/api/generate", R"({"model":"m","prompt":"x","stream":false})");
  EXPECT_EQ(generate.json()["response"], "The model is busy.");

  const Answer openai = Post(gateway.port(), "/v1/chat/completions", R"({"model":"m","messages":[]})");
  EXPECT_EQ(openai.json()["choices"][0]["message"]["content"], "The model is busy.");

  const Answer sse = Post(gateway.port(), "/v1/chat/completions", R"({"model":"m","messages":[],"stream":true})");
  EXPECT_EQ(sse.header("content-type"), "text/event-stream");
  EXPECT_TRUE(sse.body.ends_with("data: [DONE]\n\n")) << sse.body;

  const Answer plain = Get(gateway.port(), "/anything");
  EXPECT_EQ(plain.header("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(plain.body, "The model is busy.");
}

TEST(Fallback, RouteRepliesAreAnswersAndNotFallbacks) {
  GatewayProcess gateway(Gateway() +
                         "route all { reply = hello }\nreply hello { status = 203  body = json { \"a\": 1 } }\n");
  const Answer answer = Post(gateway.port(), "/x", "{}");
  EXPECT_EQ(answer.status, 203);
  EXPECT_EQ(answer.body, R"({"a":1})") << "whatever its layout in the policy";
  EXPECT_FALSE(answer.is_fallback());
  EXPECT_EQ(gateway.Metric("breakwater_fallback_response_total{fallback=\"hello\"}"), 0);
}

TEST(Fallback, NextUpstreamAnswersWhenTheFirstCannot) {
  ScriptedUpstream first(AnswerFailure);
  ScriptedUpstream second([](UpstreamExchange& exchange) { exchange.Answer(200, "{\"from\":\"second\"}"); });
  GatewayProcess gateway(
      Gateway() + Upstream("first", first.url(), "repeat_safe = true\n  breaker { open when failures(60s) >= 2 }") +
      Upstream("second", second.url(), "repeat_safe = true") + kSorry +
      "route all { to = [first, second]  fallback = [sorry] }\n");
  for (int i = 0; i < 3; ++i) {
    const std::string id = "next-" + std::to_string(i);
    const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Request-Id", id}});
    EXPECT_EQ(answer.json().value("from", ""), "second");
    EXPECT_FALSE(answer.is_fallback());
    const Json access = gateway.WaitForAccess(id);
    EXPECT_EQ(access["served_by"], "second");
    EXPECT_EQ(access["attempts"].size(), i < 2 ? 2u : 1u) << "the third finds the first breaker open";
  }
  EXPECT_EQ(first.request_count(), 2);
  second.Stop();
  EXPECT_TRUE(Post(gateway.port(), "/api/chat", Chat("x")).is_fallback());
}

TEST(Cache, AskedFirstAnswersWithoutTheUpstream) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    exchange.Answer(200, "{\"n\":" + std::to_string(exchange.request().number) + "}",
                    {{"Content-Type", "application/json"}, {"X-Model", "m"}});
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()) +
                         "cache answers { key = \"k ${request.body}\"  ttl = 10min  shared = true }\n"
                         "route all { to = main  cache = answers }\n");
  const Answer first = Post(gateway.port(), "/v1/embeddings", "same");
  const Answer again = Post(gateway.port(), "/v1/embeddings", "same", {{"X-Request-Id", "hit"}});
  EXPECT_EQ(first.body, "{\"n\":1}");
  EXPECT_EQ(again.body, "{\"n\":1}");
  EXPECT_EQ(again.header("x-model"), "m");
  EXPECT_TRUE(again.has_header("age"));
  EXPECT_FALSE(again.is_fallback()) << "asked first, it is an answer";
  EXPECT_EQ(Post(gateway.port(), "/v1/embeddings", "other").body, "{\"n\":2}");
  EXPECT_EQ(upstream.request_count(), 2);
  EXPECT_EQ(gateway.WaitForAccess("hit")["served_by"], "answers");
  EXPECT_EQ(gateway.Metric("breakwater_cache_hits_total{cache=\"answers\"}"), 1);
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

TEST(Cache, StaleAnswersServeOnlyWhileTheUpstreamIsDown) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    exchange.Answer(200, "{\"n\":" + std::to_string(exchange.request().number) + "}");
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "fallback = [answers]") +
                         "cache answers { key = \"k ${request.body}\"  ttl = 1ms  stale = 1h  shared = true }\n");
  EXPECT_EQ(Post(gateway.port(), "/v1/embeddings", "same").body, "{\"n\":1}");
  EXPECT_EQ(Post(gateway.port(), "/v1/embeddings", "same").body, "{\"n\":2}");
  upstream.Stop();
  const Answer stale = Post(gateway.port(), "/v1/embeddings", "same");
  EXPECT_EQ(stale.body, "{\"n\":2}");
  EXPECT_EQ(stale.header("x-breakwater-fallback"), "answers");
}

TEST(Mock, AnswersInDevelopmentAndIsDeniedInProduction) {
  ScriptedUpstream upstream(AnswerFailure);
  const std::string policy = Gateway() + Upstream("main", upstream.url(), "fallback = [pretend]") +
                             "mock pretend { status = 200  delay = 100ms  text = \"Mocked.\" }\n";
  GatewayProcess gateway(policy);
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(answer.json()["message"]["content"], "Mocked.");
  EXPECT_GE(answer.took, milliseconds(100));
  EXPECT_EQ(answer.header("x-breakwater-fallback"), "pretend");

  GatewayOptions options;
  options.arguments.push_back("--deny-mock");
  options.waits_for_ready = false;
  GatewayProcess denied(policy, options);
  EXPECT_EQ(denied.process().WaitForExit(), 1);
  std::string printed;
  for (const std::string& line : denied.process().err()) printed += line + "\n";
  EXPECT_NE(printed.find("mock"), std::string::npos) << printed;
}

}  // namespace
}  // namespace tests::e2e
