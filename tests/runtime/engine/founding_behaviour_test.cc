// The founding behaviour, row by row, on the founding policy made by hand (AddFoundingPolicy). Times are written down.
#include "tests/runtime/engine/machine_fixtures.h"

namespace tests {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(FoundingPolicy, PassesAnAnswerOnAndKeepsIt) {
  TestExchange x(scene(), 0ms);
  EXPECT_THAT(x.Ready(0ms), ElementsAre("start ollama 1"));
  EXPECT_THAT(x.On(1ms, AttemptConnected{}), IsEmpty());
  EXPECT_THAT(x.On(1ms, AttemptRequestSent{}), IsEmpty());
  EXPECT_THAT(x.On(900ms, AttemptHead{200}), IsEmpty()) << "nothing is sent before there is content";
  EXPECT_THAT(x.On(1s, AttemptContent{}), ElementsAre("commit ollama"));
  EXPECT_THAT(x.On(2s, AttemptEnded{}),
              ElementsAre("record_ended ollama 1 status_200 success 2000ms", "finish", "store cache_fallback"));
  EXPECT_TRUE(x.done());
  EXPECT_EQ(x.next_deadline(), std::nullopt);
  EXPECT_EQ(scene().breaker().Look(At(2s)).success_count, 1);
}

TEST_F(FoundingPolicy, WaitsHalfASecondThenASecondAndNeverMakesAFourthAttempt) {
  TestExchange x(scene(), 0ms);
  x.Ready(0ms);
  EXPECT_THAT(x.On(10ms, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("record_ended ollama 1 refused failure 10ms", "record_retry ollama 1/2 wait 500ms refused"));
  EXPECT_EQ(x.next_deadline(), 510ms);
  EXPECT_THAT(x.On(510ms - 1ns, TimeReached{}), IsEmpty()) << "woken early";
  EXPECT_THAT(x.On(510ms, TimeReached{}), ElementsAre("start ollama 2"));
  EXPECT_THAT(x.On(520ms, AttemptFailed{ErrorKind::k_connect_failure, false}),
              ElementsAre("record_ended ollama 2 connect_failure failure 10ms",
                          "record_retry ollama 2/2 wait 1000ms connect_failure"));
  EXPECT_EQ(x.next_deadline(), 1520ms);
  EXPECT_THAT(x.On(1520ms, TimeReached{}), ElementsAre("start ollama 3"));
  EXPECT_THAT(x.On(1530ms, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("record_denied ollama attempts_exhausted", "record_ended ollama 3 refused failure 10ms",
                          "send_reply static_response fallback refused"));
  EXPECT_TRUE(x.done());
}

TEST_F(FoundingPolicy, A500IsRetriedAtItsHeadAndTheClientSeesTheSuccess) {
  TestExchange x(scene(), 0ms);
  x.Ready(0ms);
  EXPECT_THAT(x.On(100ms, AttemptHead{500}), ElementsAre("abort", "record_ended ollama 1 status_500 failure 100ms",
                                                         "record_retry ollama 1/2 wait 500ms status_500"));
  EXPECT_THAT(x.On(600ms, TimeReached{}), ElementsAre("start ollama 2"));
  EXPECT_THAT(x.On(700ms, AttemptHead{200}), IsEmpty());
  EXPECT_THAT(x.On(700ms, AttemptContent{}), ElementsAre("commit ollama"));
  EXPECT_THAT(x.On(800ms, AttemptEnded{}), Contains("finish"));
}

class NotRetried : public FoundingPolicy, public testing::WithParamInterface<int> {};

TEST_P(NotRetried, IsPassedOnAsItIs) {
  TestExchange x(scene(), 0ms);
  x.Ready(0ms);
  EXPECT_THAT(x.On(100ms, AttemptHead{GetParam()}), IsEmpty());
  EXPECT_THAT(x.On(100ms, AttemptContent{}), ElementsAre("commit ollama"));
  EXPECT_THAT(x.On(101ms, AttemptEnded{}),
              ElementsAre("record_ended ollama 1 status_" + std::to_string(GetParam()) + " neutral 101ms", "finish"));
  EXPECT_EQ(scene().breaker().Look(At(1s)).failure_count, 0);
}
INSTANTIATE_TEST_SUITE_P(NeutralStatuses, NotRetried, testing::Values(400, 401, 404, 422, 429));

TEST_F(FoundingPolicy, ATimeoutIsNotRetriedAndTheFallbackAnswers) {
  TestExchange x(scene(), 0ms);
  x.Ready(0ms);
  x.On(1ms, AttemptConnected{});
  x.On(1ms, AttemptRequestSent{});
  EXPECT_EQ(x.next_deadline(), 15s);
  EXPECT_THAT(x.On(15s, TimeReached{}), ElementsAre("abort", "record_ended ollama 1 attempt_timeout failure 15000ms",
                                                    "send_reply static_response fallback attempt_timeout"));
}

TEST_F(FoundingPolicy, FiveFailedRequestsOpenTheBreakerAndNotBefore) {
  for (int i = 0; i < 4; ++i) {
    FailRequest(scene(), i * 5s);
    EXPECT_EQ(scene().StateAt(i * 5s + 2s), BreakerState::kClosed) << i;
    EXPECT_EQ(scene().breaker().Look(At(i * 5s + 2s)).failure_count, i + 1) << "requests are counted, not attempts";
  }
  TestExchange fifth(scene(), 20s);
  fifth.Ready(20s);
  fifth.On(20s, AttemptFailed{ErrorKind::k_refused, false});
  fifth.On(20500ms, TimeReached{});
  fifth.On(20500ms, AttemptFailed{ErrorKind::k_refused, false});
  fifth.On(21500ms, TimeReached{});
  EXPECT_THAT(fifth.On(21500ms, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("record_denied ollama attempts_exhausted", "record_ended ollama 3 refused failure 0ms",
                          "record_breaker ollama CLOSED>OPEN", "send_reply static_response fallback refused"));
  EXPECT_EQ(scene().breaker().Look(At(22s)).failure_count, 5);

  TestExchange sixth(scene(), 22s);
  EXPECT_THAT(sixth.Ready(22s),
              ElementsAre("record_rejected ollama", "send_reply static_response fallback breaker_open"));
  EXPECT_TRUE(sixth.done());
}

TEST_F(FoundingPolicy, HalfOpenLetsThreeProbesThroughAndThreeSuccessesClose) {
  for (int i = 0; i < 5; ++i) FailRequest(scene(), 0s);  // the last answer at 1.5s
  ASSERT_EQ(scene().StateAt(2s), BreakerState::kOpen);
  TestExchange too_early(scene(), 16s);
  EXPECT_THAT(too_early.Ready(16s), Contains("record_rejected ollama"));

  TestExchange a(scene(), 17s);
  TestExchange b(scene(), 17s);
  TestExchange c(scene(), 17s);
  TestExchange d(scene(), 17s);
  EXPECT_THAT(a.Ready(17s), ElementsAre("record_breaker ollama OPEN>HALF_OPEN", "start ollama 1"));
  EXPECT_THAT(b.Ready(17s), ElementsAre("start ollama 1"));
  EXPECT_THAT(c.Ready(17s), ElementsAre("start ollama 1"));
  EXPECT_THAT(d.Ready(17s), ElementsAre("record_rejected ollama", "send_reply static_response fallback breaker_open"));
  a.Succeed(18s);
  b.Succeed(18s);
  EXPECT_EQ(scene().StateAt(18s), BreakerState::kHalfOpen);
  c.On(18s, AttemptHead{200});
  EXPECT_THAT(c.On(18s, AttemptContent{}), ElementsAre("record_breaker ollama HALF_OPEN>CLOSED", "commit ollama"))
      << "recovery doesn't wait for the end of a long answer";
  TestExchange e(scene(), 18s);
  EXPECT_THAT(e.Ready(18s), ElementsAre("start ollama 1"));
}

TEST_F(FoundingPolicy, AProbeThatFailsOpensAgainAndIsNotRetried) {
  for (int i = 0; i < 5; ++i) FailRequest(scene(), 0s);
  TestExchange a(scene(), 17s);
  a.Ready(17s);
  EXPECT_THAT(a.On(18s, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("record_breaker ollama HALF_OPEN>OPEN", "record_denied ollama breaker_open",
                          "record_ended ollama 1 refused failure 1000ms", "send_reply static_response fallback refused"));
  EXPECT_EQ(scene().breaker().Look(At(18s)).retry_at, At(33s));
}

TEST_F(FoundingPolicy, TheCacheAnswersBeforeTheStaticReply) {
  TestExchange good(scene(), 0s);
  good.Ready(0s);
  good.Succeed(1s);
  for (int i = 0; i < 5; ++i) FailRequest(scene(), 10s);
  TestExchange x(scene(), 20s);
  EXPECT_THAT(x.Ready(20s), ElementsAre("record_rejected ollama", "send_cached cache_fallback fallback breaker_open"));
  TestExchange other_question(scene(), 20s);
  other_question.facts.request_body = abi::Str::Of("another question");
  EXPECT_THAT(other_question.Ready(20s),
              ElementsAre("record_rejected ollama", "send_reply static_response fallback breaker_open"));
}

TEST_F(FoundingPolicy, AnAnswerThatIsCutAfterCommitIsBrokenOffAndNeverRepeated) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  x.On(1s, AttemptContent{});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_truncated, false}),
              ElementsAre("record_ended ollama 1 truncated failure 2000ms", "break_off truncated"));
  EXPECT_TRUE(x.done());
  EXPECT_EQ(scene().breaker().Look(At(2s)).failure_count, 1) << "a failed request, too";
}

TEST_F(FoundingPolicy, ACutBeforeCommitIsAnOrdinaryFailure) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  EXPECT_THAT(
      x.On(2s, AttemptFailed{ErrorKind::k_truncated, false}),
      ElementsAre("record_ended ollama 1 truncated failure 2000ms", "send_reply static_response fallback truncated"));
}

TEST_F(FoundingPolicy, FailuresCountAtTheHeadAndTheSecondRequestSeesThem) {
  for (int i = 0; i < 4; ++i) FailRequest(scene(), 0s);
  TestExchange x(scene(), 5s);
  x.Ready(5s);
  TestExchange y(scene(), 5s);
  y.Ready(5s);
  x.On(6s, AttemptFailed{ErrorKind::k_reset, false});  // not retried: the fifth failed request
  ASSERT_EQ(scene().StateAt(6s), BreakerState::kOpen);
  EXPECT_THAT(y.On(7s, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("record_denied ollama breaker_open", "record_ended ollama 1 refused failure 2000ms",
                          "send_reply static_response fallback refused"));
}

TEST_F(FoundingPolicy, ABreakerThatOpensDuringTheWaitStopsTheRetry) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(0s, AttemptFailed{ErrorKind::k_refused, false});
  for (int i = 0; i < 5; ++i) FailRequest(scene(), 100ms, ErrorKind::k_reset);
  EXPECT_THAT(x.On(500ms, TimeReached{}),
              ElementsAre("record_rejected ollama", "send_reply static_response fallback breaker_open"));
}

}  // namespace
}  // namespace tests
