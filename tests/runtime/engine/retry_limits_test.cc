// ExchangeMachine: retries within a budget, and no earlier than the upstream asked for.
#include "tests/runtime/engine/machine_fixtures.h"

namespace tests {
namespace {

using testing::ElementsAre;

class HonouringUpstream : public OneUpstream {
 protected:
  HonouringUpstream() {
    b[a].repeat_safe = model::RepeatSafe::kTrue;
    b[a].retry->honour_cap = 8s;
  }
  // What a 429 leads to that asks for `wait`.
  Lines On429(std::optional<std::chrono::nanoseconds> wait) {
    TestExchange exchange(scene(), 0ms);
    exchange.Ready(0ms);
    return exchange.On(10ms, AttemptHead{429, wait});
  }
};

TEST_F(HonouringUpstream, TheRetryComesNoEarlierThanAskedFor) {
  EXPECT_THAT(On429(2s), ElementsAre("abort", "record_ended a 1 status_429 neutral 10ms",
                                     "record_retry a 1/1 wait 2000ms status_429"));
}

TEST_F(HonouringUpstream, AShorterWaitDoesNotShortenTheBackOff) {
  EXPECT_THAT(On429(50ms).back(), "record_retry a 1/1 wait 100ms status_429");
}

TEST_F(HonouringUpstream, WithoutAWaitTheBackOffDecides) {
  EXPECT_THAT(On429(std::nullopt).back(), "record_retry a 1/1 wait 100ms status_429");
}

TEST_F(HonouringUpstream, AWaitBeyondTheCapIsNoRetryAndThe429PassesThrough) {
  EXPECT_THAT(On429(8s).back(), "record_retry a 1/1 wait 8000ms status_429");
  EXPECT_THAT(On429(3600s), ElementsAre("record_denied a retry_after"));
}

TEST_F(HonouringUpstream, AWaitBeyondTheDeadlineIsNoRetry) {
  b[route].deadline = 2s;
  EXPECT_THAT(On429(2s), ElementsAre("record_denied a deadline"));
}

TEST_F(HonouringUpstream, UnlessThePolicyHonoursItTheWaitIsTheBackOff) {
  b[a].retry->honour_cap.reset();
  EXPECT_THAT(On429(2s).back(), "record_retry a 1/1 wait 100ms status_429");
}

class BudgetedUpstream : public OneUpstream {
 protected:
  BudgetedUpstream() {
    b[a].repeat_safe = model::RepeatSafe::kTrue;
    b[a].retry->budget = 0.2;
  }
  runtime::engine::RetryBudget& budget() { return *scene().objects.budget(a); }
  // One request whose attempts all fail at once, at t; whether it was retried.
  bool IsRetried(std::chrono::nanoseconds t) {
    TestExchange exchange(scene(), t);
    exchange.Ready(t);
    const Lines lines = exchange.On(t, AttemptFailed{ErrorKind::k_refused, false});
    if (exchange.done()) return false;
    exchange.On(t + 100ms, TimeReached{});
    exchange.On(t + 100ms, AttemptFailed{ErrorKind::k_refused, false});
    return true;
  }
};

TEST_F(BudgetedUpstream, ATwentyPercentBudgetEndsAStormOfRetries) {
  int retried = 0;
  for (int i = 0; i < 100; ++i) retried += IsRetried(0ms) ? 1 : 0;
  // 10 that were there and 20 % of 100.
  EXPECT_EQ(retried, 30);
}

TEST_F(BudgetedUpstream, TheDenialIsNamed) {
  for (int i = 0; i < 12; ++i) IsRetried(0ms);
  while (budget().Take(At(100ms))) {
  }
  TestExchange exchange(scene(), 200ms);
  exchange.Ready(200ms);
  EXPECT_THAT(
      exchange.On(200ms, AttemptFailed{ErrorKind::k_refused, false}),
      ElementsAre("record_denied a budget_spent", "record_ended a 1 refused failure 0ms", "send_error 502 refused"));
}

// Looked at when the retry is decided, taken when it starts: nothing is held through the wait.
TEST_F(BudgetedUpstream, ATokenThatIsGoneAfterTheWaitIsNoRetry) {
  TestExchange exchange(scene(), 0ms);
  exchange.Ready(0ms);
  EXPECT_THAT(exchange.On(0ms, AttemptFailed{ErrorKind::k_refused, false}).back(),
              "record_retry a 1/1 wait 100ms refused");
  while (budget().Take(At(50ms))) {
  }
  EXPECT_THAT(exchange.On(100ms, TimeReached{}), ElementsAre("record_denied a budget_spent", "send_error 502 refused"));
}

}  // namespace
}  // namespace tests
