// Which outcomes are tried again, after what wait, and how often: measured where it matters, at the upstream.
#include <gtest/gtest.h>

#include <atomic>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

// How much later than promised an attempt may come on a busy machine. Never earlier: that is exact.
constexpr milliseconds kLate{400};

// The founding retry block. `more`: further settings of the upstream.
std::string RetryingUpstream(const ScriptedUpstream& upstream, const std::string& more = "") {
  return Upstream("main", upstream.url(), R"(
  repeat_safe = true
  retry {
    max_retries = 2
    when status in 5xx or error in {connect_failure, refused}
    wait = exponential(from: 500ms, factor: 2, cap: 2s)
  }
  )" + more);
}

TEST(Retry, WaitsAreHalfASecondAndASecondAndThereIsNoFourthAttempt) {
  ScriptedUpstream upstream(AnswerFailure);
  GatewayProcess gateway(Gateway() + RetryingUpstream(upstream));
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Request-Id", "three-attempts"}});
  EXPECT_EQ(answer.status, 500) << "without a fallback the upstream's own answer is passed on";
  EXPECT_EQ(answer.json().value("error", ""), "CUDA out of memory");
  EXPECT_EQ(answer.header("x-should-retry"), "false");

  const Json access = gateway.WaitForAccess("three-attempts");
  ASSERT_EQ(access["attempts"].size(), 3u) << access;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(access["attempts"][i]["status"], 500);
    EXPECT_EQ(access["attempts"][i]["upstream"], "main");
    EXPECT_EQ(access["attempts"][i]["number"], i + 1);
  }
  EXPECT_EQ(access["retry_denied"], "attempts_exhausted");

  const std::vector<SeenRequest> seen = upstream.requests();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_GE(Gap(seen[0], seen[1]), milliseconds(500));
  EXPECT_LE(Gap(seen[0], seen[1]), milliseconds(500) + kLate);
  EXPECT_GE(Gap(seen[1], seen[2]), milliseconds(1000));
  EXPECT_LE(Gap(seen[1], seen[2]), milliseconds(1000) + kLate);
  EXPECT_EQ(seen[0].body, seen[2].body);
  RecordProperty("first_wait_ms", static_cast<int>(Gap(seen[0], seen[1]).count()));
  RecordProperty("second_wait_ms", static_cast<int>(Gap(seen[1], seen[2]).count()));

  EXPECT_EQ(gateway.CountEvents("retry attempt 1/2"), 1);
  EXPECT_EQ(gateway.CountEvents("retry attempt 2/2"), 1);
  const Json denied = gateway.WaitForEvent("retry denied");
  EXPECT_EQ(denied["reason"], "attempts_exhausted");
  EXPECT_EQ(denied["request_id"], "three-attempts");
}

TEST(Retry, WaitNeverGrowsBeyondItsCap) {
  ScriptedUpstream upstream(AnswerFailure);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), R"(
  repeat_safe = true
  retry {
    max_retries = 3
    when status == 500
    wait = exponential(from: 100ms, factor: 10, cap: 150ms)
  })"));
  Post(gateway.port(), "/api/chat", Chat("x"));
  const std::vector<SeenRequest> seen = upstream.requests();
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_GE(Gap(seen[2], seen[3]), milliseconds(150));
  EXPECT_LE(Gap(seen[2], seen[3]), milliseconds(150) + kLate);
}

TEST(Retry, LogLineIsWrittenBeforeTheWait) {
  std::atomic<bool> was_asked_again{false};
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (exchange.request().number > 1) was_asked_again = true;
    AnswerFailure(exchange);
  });
  GatewayProcess gateway(Gateway() + RetryingUpstream(upstream));
  RawClient client(gateway.port());
  client.Send(ToText({.body = Chat("x")}));
  const Json event = gateway.WaitForEvent("retry attempt 1/2");
  EXPECT_FALSE(was_asked_again) << "500 ms lie between the line and the attempt";
  EXPECT_EQ(event["upstream"], "main");
  EXPECT_TRUE(event.contains("request_id"));
  EXPECT_TRUE(event.contains("time"));
  EXPECT_TRUE(event.contains("level"));
}

TEST(Retry, BadRequestsAndTooManyRequestsAreNotRetried) {
  for (const int status : {400, 429}) {
    ScriptedUpstream upstream([status](UpstreamExchange& exchange) {
      exchange.Answer(status, R"({"error":"no"})", {{"Content-Type", "application/json"}, {"Retry-After", "7"}});
    });
    GatewayProcess gateway(Gateway() + RetryingUpstream(upstream, "fallback = [sorry]") +
                           "reply sorry { status = 200  body = json { \"is_fallback\": true } }\n");
    const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"));
    EXPECT_EQ(answer.status, status) << "neutral answers pass through";
    EXPECT_EQ(answer.json().value("error", ""), "no");
    EXPECT_EQ(answer.header("retry-after"), "7");
    EXPECT_EQ(upstream.request_count(), 1) << status;
  }
}

TEST(Retry, TimeoutsAreNotRetried) {
  ScriptedUpstream upstream(Hang);
  GatewayProcess gateway(Gateway() + RetryingUpstream(upstream, "attempt_timeout = 300ms"));
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Request-Id", "late"}});
  EXPECT_EQ(answer.status, 504);
  EXPECT_GE(answer.took, milliseconds(300));
  const Json access = gateway.WaitForAccess("late");
  ASSERT_EQ(access["attempts"].size(), 1u);
  EXPECT_EQ(access["attempts"][0]["error"], "attempt_timeout");
  EXPECT_EQ(upstream.request_count(), 1);
  EXPECT_TRUE(WaitUntil([&] { return upstream.in_flight() == 0; })) << "a late attempt is cancelled";
}

TEST(Retry, RefusedConnectionsAreRetriedAndCountedInTheFoundingMetric) {
  ScriptedUpstream upstream(AnswerWell);
  upstream.Stop();
  GatewayProcess gateway(Gateway() + support::ReplaceAll(RetryingUpstream(upstream), "500ms", "1ms"));
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Request-Id", "refused"}});
  EXPECT_EQ(answer.status, 502);
  const Json access = gateway.WaitForAccess("refused");
  ASSERT_EQ(access["attempts"].size(), 3u);
  EXPECT_EQ(access["attempts"][2]["error"], "refused");
  EXPECT_EQ(gateway.Metric("breakwater_upstream_retry_total{upstream=\"main\"}"), 2);
}

TEST(Retry, ResetIsRetriedOnlyIfThePolicySaysSoAndARepeatIsSafe) {
  const std::string retry = "retry { max_retries = 1  when error == reset  wait = exponential(from: 1ms) }";
  for (const bool repeat_safe : {true, false}) {
    ScriptedUpstream upstream([](UpstreamExchange& exchange) {
      if (exchange.request().number == 1) return exchange.Reset();
      AnswerWell(exchange);
    });
    // Idempotent methods may always be repeated.
    const std::string route =
        "route reads { when request.method in {GET, PUT}  to = main }\nroute writes { to = main }\n";
    GatewayProcess gateway(
        Gateway() + Upstream("main", upstream.url(), retry + (repeat_safe ? "\n  repeat_safe = true" : "\n  repeat_safe = false")) + route);
    const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Request-Id", "cut"}});
    EXPECT_EQ(answer.status, repeat_safe ? 200 : 502);
    EXPECT_EQ(upstream.request_count(), repeat_safe ? 2 : 1);
    if (!repeat_safe) {
      EXPECT_EQ(gateway.WaitForAccess("cut")["retry_denied"], "not_repeat_safe");
      EXPECT_EQ(Fetch(gateway.port(), {.method = "PUT", .target = "/x", .body = "{}"}).status, 200);
    }
  }
}

TEST(Retry, DeadlineEndsARetryThatWouldComeTooLate) {
  ScriptedUpstream upstream(AnswerFailure);
  GatewayProcess gateway(Gateway() + RetryingUpstream(upstream) + "route all { to = main  deadline = 800ms }\n");
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Request-Id", "deadline"}});
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(upstream.request_count(), 2) << "the second wait of 1 s ends after the deadline";
  EXPECT_EQ(gateway.WaitForAccess("deadline")["retry_denied"], "deadline");
}

TEST(Retry, DeadlineCutsAnAttemptShort) {
  ScriptedUpstream upstream(Hang);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()) + "route all { to = main  deadline = 200ms }\n");
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(answer.status, 504);
  EXPECT_GE(answer.took, milliseconds(200));
}

}  // namespace
}  // namespace tests::e2e
