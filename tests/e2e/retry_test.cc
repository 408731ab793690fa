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

  EXPECT_EQ(gateway.CountEvents("retry attempt 1/2", 1), 1);
  EXPECT_EQ(gateway.CountEvents("retry attempt 2/2", 1), 1);
  const Json denied = gateway.WaitForEvent("retry denied");
  EXPECT_EQ(denied["reason"], "attempts_exhausted");
  EXPECT_EQ(denied["request_id"], "three-attempts");
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

}  // namespace
}  // namespace tests::e2e
