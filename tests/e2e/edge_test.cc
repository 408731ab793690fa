// What browsers, clients and operators need from the first day: ids, error bodies, CORS, headers, secrets, guarded
// paths.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

const std::string kSorry = "reply sorry { status = 200  body = json { \"is_fallback\": true } }\n";

TEST(RequestId, IsOnEveryAnswerAndLine) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()));
  const Answer made = Post(gateway.port(), "/api/chat", Chat("x"));
  const std::string id = made.header("x-request-id");
  EXPECT_GE(id.size(), 16u);
  EXPECT_EQ(gateway.WaitForAccess(id)["status"], 200);
  EXPECT_EQ(upstream.last_request().header("x-request-id"), id);

  const Answer kept = Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Request-Id", "mine-1"}});
  EXPECT_EQ(kept.header("x-request-id"), "mine-1");
  EXPECT_EQ(upstream.last_request().header("x-request-id"), "mine-1");

  const std::string insane(300, 'a');
  EXPECT_NE(Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Request-Id", insane}}).header("x-request-id"), insane);
  EXPECT_NE(Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Request-Id", "a b"}}).header("x-request-id"), "a b");

  EXPECT_TRUE(Get(gateway.admin_port(), "/health/live").has_header("x-request-id"));
  EXPECT_TRUE(Get(gateway.admin_port(), "/metrics").has_header("x-request-id"));
  RawClient broken(gateway.port());
  broken.Send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
  Answer refused = broken.ReadHead();
  broken.ReadToEnd(&refused);
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(refused.has_header("x-request-id"));
  EXPECT_EQ(refused.json().value("request_id", ""), refused.header("x-request-id"));
  EXPECT_TRUE(broken.WaitForClose());
}

TEST(ErrorBody, SpeaksTheDialectOfTheClient) {
  ScriptedUpstream upstream(AnswerWell);
  upstream.Stop();
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()));
  const HeaderList id = {{"X-Request-Id", "err"}};

  const Answer ollama = Post(gateway.port(), "/api/chat", Chat("x", true), id);
  EXPECT_EQ(ollama.status, 502);
  EXPECT_EQ(ollama.header("content-type"), "application/json");
  EXPECT_TRUE(ollama.json()["error"].is_string());
  EXPECT_EQ(ollama.json()["code"], "refused");
  EXPECT_EQ(ollama.json()["request_id"], "err");
  EXPECT_EQ(ollama.header("cache-control"), "no-store");

  const Answer openai = Post(gateway.port(), "/v1/chat/completions", Chat("x"), id);
  EXPECT_EQ(openai.status, 502);
  EXPECT_TRUE(openai.json()["error"]["message"].is_string());
  EXPECT_EQ(openai.json()["error"]["type"], "server_error");
  EXPECT_EQ(openai.json()["error"]["code"], "refused");
  EXPECT_EQ(openai.json()["request_id"], "err");

  const Answer plain = Get(gateway.port(), "/api/tags", id);
  EXPECT_EQ(plain.status, 502);
  EXPECT_EQ(plain.json()["code"], "refused");
}

TEST(ErrorBody, OpenBreakerSaysWhenToComeBack) {
  ScriptedUpstream upstream(AnswerFailure);
  GatewayProcess gateway(Gateway() +
                         Upstream("main", upstream.url(), "breaker { open when failures(60s) >= 1  open_for = 30s }"));
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x")).status, 500);
  const Answer open = Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(open.status, 503);
  EXPECT_EQ(open.json()["code"], "breaker_open");
  const int retry_after = std::atoi(open.header("retry-after").c_str());
  EXPECT_GE(retry_after, 1);
  EXPECT_LE(retry_after, 33);
  EXPECT_EQ(open.header("x-should-retry"), "false") << "client SDKs retry by themselves otherwise";
}

TEST(Cors, OnAnswersAndErrorsOfTheGatewayAndOnPreflights) {
  ScriptedUpstream upstream(AnswerFailure);
  GatewayProcess gateway(Gateway("cors = \"https://chat.example\"") +
                         Upstream("main", upstream.url(), "fallback = [sorry]") + kSorry +
                         "route chat { when request.path == \"/api/chat\"  to = main }\n");
  const HeaderList page = {{"Origin", "https://chat.example"}};
  const HeaderList other = {{"Origin", "https://evil.example"}};

  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x"), page).header("access-control-allow-origin"),
            "https://chat.example");
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x"), other).has_header("access-control-allow-origin"), false);
  EXPECT_EQ(Post(gateway.port(), "/nowhere", "{}", page).status, 404);
  EXPECT_EQ(Post(gateway.port(), "/nowhere", "{}", page).header("access-control-allow-origin"), "https://chat.example");
  const Answer exposing = Post(gateway.port(), "/api/chat", Chat("x"), page);
  EXPECT_NE(exposing.header("access-control-expose-headers").find("X-Request-Id"), std::string::npos);
  EXPECT_NE(exposing.header("vary").find("Origin"), std::string::npos);

  HeaderList ask = page;
  ask.emplace_back("Access-Control-Request-Method", "POST");
  ask.emplace_back("Access-Control-Request-Headers", "content-type, x-tenant");
  const int asked_before = upstream.request_count();
  const Answer preflight = Fetch(gateway.port(), {.method = "OPTIONS", .target = "/api/chat", .headers = ask});
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header("access-control-allow-origin"), "https://chat.example");
  EXPECT_NE(preflight.header("access-control-allow-methods").find("POST"), std::string::npos);
  EXPECT_NE(preflight.header("access-control-allow-headers").find("x-tenant"), std::string::npos);
  EXPECT_TRUE(preflight.has_header("x-request-id"));
  EXPECT_EQ(upstream.request_count(), asked_before) << "the gateway answers preflights itself";
}

TEST(UpstreamRequest, CarriesTheHostOfTheUpstreamAndTheHeadersOfThePolicy) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayOptions options;
  options.environment = {{"E2E_UPSTREAM_KEY", "s3cr3t-value"}};
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url() + "/api/chat", R"(
  header["Authorization"] = secret("E2E_UPSTREAM_KEY")
  header["X-Set"]         = "by the policy"
  remove_header           = ["Cookie", "X-Internal"])"),
                         options);
  const Answer answer = Post(gateway.port(), "/somewhere/else?a=1", Chat("x"),
                             {{"Host", "public.example"},
                              {"Cookie", "session=1"},
                              {"X-Internal", "1"},
                              {"X-Kept", "yes"},
                              {"X-Set", "by the client"},
                              {"Authorization", "Bearer of-the-client"},
                              {"Connection", "keep-alive, X-Hop"},
                              {"X-Hop", "1"}});
  EXPECT_EQ(answer.status, 200);
  const SeenRequest seen = upstream.last_request();
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/api/chat?a=1") << "an endpoint replaces the path and keeps the query";
  EXPECT_EQ(seen.header("host"), upstream.authority());
  EXPECT_EQ(seen.header("authorization"), "s3cr3t-value");
  EXPECT_EQ(seen.header("x-set"), "by the policy");
  EXPECT_EQ(seen.header("x-kept"), "yes");
  EXPECT_EQ(seen.header("x-forwarded-for"), "127.0.0.1");
  for (const char* name : {"cookie", "x-internal", "x-hop"}) EXPECT_FALSE(seen.head.Find(name)) << name;
  EXPECT_EQ(std::count_if(seen.head.headers.begin(), seen.head.headers.end(),
                          [](const auto& h) { return h.first == "authorization"; }),
            1);
  EXPECT_EQ(seen.body, Chat("x"));

  // The secret is nowhere that an operator's tools would keep it.
  gateway.WaitForAccess([](const Json& access) { return access.value("status", 0) == 200; });
  for (const std::string& line : gateway.process().out()) EXPECT_EQ(line.find("s3cr3t"), std::string::npos) << line;
  for (const std::string& line : gateway.process().err()) EXPECT_EQ(line.find("s3cr3t"), std::string::npos) << line;
}

TEST(UpstreamRequest, KeepsThePathWhereTheUpstreamIsNoEndpointAndAHostThatThePolicySets) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "header[\"Host\"] = \"inner.example\""));
  Get(gateway.port(), "/api/tags?x=%20y");
  EXPECT_EQ(upstream.last_request().target, "/api/tags?x=%20y");
  EXPECT_EQ(upstream.last_request().header("host"), "inner.example");
}

TEST(UpstreamRequest, UnsetSecretStopsTheGatewayFromStarting) {
  GatewayOptions options;
  options.waits_for_ready = false;
  GatewayProcess gateway(
      Gateway() + Upstream("main", "http://127.0.0.1:9", "header[\"Authorization\"] = secret(\"E2E_NOT_SET\")"),
      options);
  EXPECT_EQ(gateway.process().WaitForExit(), 1);
  std::string printed;
  for (const std::string& line : gateway.process().err()) printed += line + "\n";
  EXPECT_NE(printed.find("E2E_NOT_SET"), std::string::npos) << printed;
}

TEST(Answers, OfTheUpstreamPassWithTheirHeadersAndWithoutHopByHopOnes) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    exchange.Answer(201, "{}",
                    {{"Content-Type", "application/json"},
                     {"X-Model", "qwen"},
                     {"Set-Cookie", "a=1"},
                     {"Set-Cookie", "b=2"},
                     {"Connection", "keep-alive, X-Hop"},
                     {"X-Hop", "1"},
                     {"Keep-Alive", "timeout=5"}});
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()));
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.header("x-model"), "qwen");
  EXPECT_FALSE(answer.has_header("x-hop"));
  EXPECT_FALSE(answer.has_header("keep-alive"));
  EXPECT_EQ(std::count_if(answer.head.headers.begin(), answer.head.headers.end(),
                          [](const auto& h) { return h.first == "set-cookie"; }),
            2);
}

}  // namespace
}  // namespace tests::e2e
