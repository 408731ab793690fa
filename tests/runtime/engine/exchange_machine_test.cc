// The founding behaviour and everything that one request can meet, row by row. Times are written down; the founding policy is
// AddFoundingPolicy of tests/support/policy_builder.h.
#include "runtime/engine/exchange_machine.h"

#include "tests/runtime/engine/machine_scene.h"

namespace tests {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class FoundingPolicy : public testing::Test {
 protected:
  FoundingPolicy() {
    PolicyBuilder b;
    ids_ = AddFoundingPolicy(&b);
    scene_ = std::make_unique<Scene>(b.Build());
  }
  Scene& scene() { return *scene_; }

  FoundingIds ids_;
  std::unique_ptr<Scene> scene_;
};

TEST_F(FoundingPolicy, PassesAnAnswerOnAndKeepsIt) {
  TestExchange x(scene(), 0ms);
  EXPECT_THAT(x.Ready(0ms), ElementsAre("start ollama 1"));
  EXPECT_THAT(x.On(1ms, AttemptConnected{}), IsEmpty());
  EXPECT_THAT(x.On(1ms, AttemptRequestSent{}), IsEmpty());
  EXPECT_THAT(x.On(900ms, AttemptHead{200}), IsEmpty()) << "nothing is sent before there is content";
  EXPECT_THAT(x.On(1s, AttemptContent{}), ElementsAre("commit ollama"));
  EXPECT_THAT(x.On(2s, AttemptEnded{}),
              ElementsAre("note_ended ollama 1 status_200 success 2000ms", "finish", "store cache_fallback"));
  EXPECT_TRUE(x.done());
  EXPECT_EQ(x.next_deadline(), std::nullopt);
  EXPECT_EQ(scene().breaker().Look(At(2s)).success_count, 1);
}

TEST_F(FoundingPolicy, WaitsHalfASecondThenASecondAndNeverMakesAFourthAttempt) {
  TestExchange x(scene(), 0ms);
  x.Ready(0ms);
  EXPECT_THAT(x.On(10ms, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("note_ended ollama 1 refused failure 10ms", "note_retry ollama 1/2 wait 500ms refused"));
  EXPECT_EQ(x.next_deadline(), 510ms);
  EXPECT_THAT(x.On(510ms - 1ns, TimeReached{}), IsEmpty()) << "woken early";
  EXPECT_THAT(x.On(510ms, TimeReached{}), ElementsAre("start ollama 2"));
  EXPECT_THAT(x.On(520ms, AttemptFailed{ErrorKind::k_connect_failure, false}),
              ElementsAre("note_ended ollama 2 connect_failure failure 10ms",
                          "note_retry ollama 2/2 wait 1000ms connect_failure"));
  EXPECT_EQ(x.next_deadline(), 1520ms);
  EXPECT_THAT(x.On(1520ms, TimeReached{}), ElementsAre("start ollama 3"));
  EXPECT_THAT(x.On(1530ms, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("note_denied ollama attempts_exhausted", "note_ended ollama 3 refused failure 10ms",
                          "send_reply static_response fallback refused"));
  EXPECT_TRUE(x.done());
}

TEST_F(FoundingPolicy, A500IsRetriedAtItsHeadAndTheClientSeesTheSuccess) {
  TestExchange x(scene(), 0ms);
  x.Ready(0ms);
  EXPECT_THAT(x.On(100ms, AttemptHead{500}),
              ElementsAre("abort", "note_ended ollama 1 status_500 failure 100ms", "note_retry ollama 1/2 wait 500ms status_500"));
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
              ElementsAre("note_ended ollama 1 status_" + std::to_string(GetParam()) + " neutral 101ms", "finish"));
  EXPECT_EQ(scene().breaker().Look(At(1s)).failure_count, 0);
}
INSTANTIATE_TEST_SUITE_P(NeutralStatuses, NotRetried, testing::Values(400, 401, 404, 422, 429));

TEST_F(FoundingPolicy, ATimeoutIsNotRetriedAndTheFallbackAnswers) {
  TestExchange x(scene(), 0ms);
  x.Ready(0ms);
  x.On(1ms, AttemptConnected{});
  x.On(1ms, AttemptRequestSent{});
  EXPECT_EQ(x.next_deadline(), 15s);
  EXPECT_THAT(x.On(15s, TimeReached{}),
              ElementsAre("abort", "note_ended ollama 1 attempt_timeout failure 15000ms",
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
              ElementsAre("note_denied ollama attempts_exhausted", "note_ended ollama 3 refused failure 0ms",
                          "note_breaker ollama CLOSED>OPEN", "send_reply static_response fallback refused"));
  EXPECT_EQ(scene().breaker().Look(At(22s)).failure_count, 5);

  TestExchange sixth(scene(), 22s);
  EXPECT_THAT(sixth.Ready(22s), ElementsAre("note_rejected ollama", "send_reply static_response fallback breaker_open"));
  EXPECT_TRUE(sixth.done());
}

TEST_F(FoundingPolicy, HalfOpenLetsThreeProbesThroughAndThreeSuccessesClose) {
  for (int i = 0; i < 5; ++i) FailRequest(scene(), 0s);  // the last answer at 1.5s
  ASSERT_EQ(scene().StateAt(2s), BreakerState::kOpen);
  TestExchange too_early(scene(), 16s);
  EXPECT_THAT(too_early.Ready(16s), Contains("note_rejected ollama"));

  TestExchange a(scene(), 17s);
  TestExchange b(scene(), 17s);
  TestExchange c(scene(), 17s);
  TestExchange d(scene(), 17s);
  EXPECT_THAT(a.Ready(17s), ElementsAre("note_breaker ollama OPEN>HALF_OPEN", "start ollama 1"));
  EXPECT_THAT(b.Ready(17s), ElementsAre("start ollama 1"));
  EXPECT_THAT(c.Ready(17s), ElementsAre("start ollama 1"));
  EXPECT_THAT(d.Ready(17s), ElementsAre("note_rejected ollama", "send_reply static_response fallback breaker_open"));
  a.Succeed(18s);
  b.Succeed(18s);
  EXPECT_EQ(scene().StateAt(18s), BreakerState::kHalfOpen);
  c.On(18s, AttemptHead{200});
  EXPECT_THAT(c.On(18s, AttemptContent{}), ElementsAre("note_breaker ollama HALF_OPEN>CLOSED", "commit ollama"))
      << "recovery doesn't wait for the end of a long answer";
  TestExchange e(scene(), 18s);
  EXPECT_THAT(e.Ready(18s), ElementsAre("start ollama 1"));
}

TEST_F(FoundingPolicy, AProbeThatFailsOpensAgainAndIsNotRetried) {
  for (int i = 0; i < 5; ++i) FailRequest(scene(), 0s);
  TestExchange a(scene(), 17s);
  a.Ready(17s);
  EXPECT_THAT(a.On(18s, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("note_breaker ollama HALF_OPEN>OPEN", "note_denied ollama breaker_open",
                          "note_ended ollama 1 refused failure 1000ms", "send_reply static_response fallback refused"));
  EXPECT_EQ(scene().breaker().Look(At(18s)).retry_at, At(33s));
}

TEST_F(FoundingPolicy, TheCacheAnswersBeforeTheStaticReply) {
  TestExchange good(scene(), 0s);
  good.Ready(0s);
  good.Succeed(1s);
  for (int i = 0; i < 5; ++i) FailRequest(scene(), 10s);
  TestExchange x(scene(), 20s);
  EXPECT_THAT(x.Ready(20s), ElementsAre("note_rejected ollama", "send_cached cache_fallback fallback breaker_open"));
  TestExchange other_question(scene(), 20s);
  other_question.facts.request_body = abi::Str::Of("another question");
  EXPECT_THAT(other_question.Ready(20s),
              ElementsAre("note_rejected ollama", "send_reply static_response fallback breaker_open"));
}

TEST_F(FoundingPolicy, AnAnswerThatIsCutAfterCommitIsBrokenOffAndNeverRepeated) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  x.On(1s, AttemptContent{});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_truncated, false}),
              ElementsAre("note_ended ollama 1 truncated failure 2000ms", "break_off truncated"));
  EXPECT_TRUE(x.done());
  EXPECT_EQ(scene().breaker().Look(At(2s)).failure_count, 1) << "a failed request, too";
}

TEST_F(FoundingPolicy, ACutBeforeCommitIsAnOrdinaryFailure) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_truncated, false}),
              ElementsAre("note_ended ollama 1 truncated failure 2000ms", "send_reply static_response fallback truncated"));
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
              ElementsAre("note_denied ollama breaker_open", "note_ended ollama 1 refused failure 2000ms",
                          "send_reply static_response fallback refused"));
}

TEST_F(FoundingPolicy, ABreakerThatOpensDuringTheWaitStopsTheRetry) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(0s, AttemptFailed{ErrorKind::k_refused, false});
  for (int i = 0; i < 5; ++i) FailRequest(scene(), 100ms, ErrorKind::k_reset);
  EXPECT_THAT(x.On(500ms, TimeReached{}),
              ElementsAre("note_rejected ollama", "send_reply static_response fallback breaker_open"));
}

// ---- Reuse races, bodies, repeats -----------------------------------------------------------------------------------

TEST_F(FoundingPolicy, AReuseRaceIsTakenUpAtOnceOnAFreshConnectionAndCountsNowhere) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1ms, AttemptConnected{});
  x.On(1ms, AttemptRequestSent{});
  EXPECT_THAT(x.On(2ms, AttemptFailed{ErrorKind::k_reset, true}),
              ElementsAre("note_ended ollama 1 reset neutral 2ms", "start ollama 1 fresh"));
  EXPECT_EQ(scene().breaker().Look(At(2ms)).failure_count, 0);
  EXPECT_THAT(x.On(10ms, AttemptFailed{ErrorKind::k_reset, true}),
              ElementsAre("note_ended ollama 1 reset failure 10ms", "send_reply static_response fallback reset"))
      << "only once; then it is a reset";
}

TEST_F(FoundingPolicy, AReuseRaceTakesNothingFromTheRetries) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(0s, AttemptFailed{ErrorKind::k_reset, true});
  EXPECT_THAT(x.On(1s, AttemptFailed{ErrorKind::k_refused, false}), Contains("note_retry ollama 1/2 wait 500ms refused"));
  x.On(1500ms, TimeReached{});
  EXPECT_THAT(x.On(1500ms, AttemptFailed{ErrorKind::k_reset, true}),
              ElementsAre("note_ended ollama 2 reset neutral 0ms", "start ollama 2 fresh"));
  EXPECT_THAT(x.On(1600ms, AttemptFailed{ErrorKind::k_refused, false}), Contains("note_retry ollama 2/2 wait 1000ms refused"));
}

TEST_F(FoundingPolicy, ARaceKeepsTheTimeLimitOfItsAttempt) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptConnected{});
  x.On(14s, AttemptFailed{ErrorKind::k_reset, true});
  EXPECT_EQ(x.next_deadline(), 15s);
}

TEST_F(FoundingPolicy, ABodyThatIsNotKeptGetsOneAttemptOnAFreshConnection) {
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.On(0s, RequestReady{ids_.route, false, false}), ElementsAre("start ollama 1 fresh"));
  EXPECT_THAT(x.On(1s, AttemptHead{503}),
              ElementsAre("note_denied ollama body_too_large", "abort", "note_ended ollama 1 status_503 failure 1000ms",
                          "send_reply static_response fallback status_503"));
}

TEST_F(FoundingPolicy, ABodyThatIsNotKeptIsNeverAKey) {
  TestExchange good(scene(), 0s);
  good.On(0s, RequestReady{ids_.route, false, false});
  good.On(1s, AttemptHead{200});
  good.On(1s, AttemptContent{});
  EXPECT_THAT(good.On(1s, AttemptEnded{}), Not(Contains("store cache_fallback")));
}

class OneUpstream : public testing::Test {
 protected:
  OneUpstream() {
    a = b.Upstream("a");
    model::RetrySettings retry;
    retry.max_retries = 1;
    retry.when = b.When(expr::Or(expr::StatusIn({{429, 429}, {500, 599}}),
                                 expr::ErrorIn({ErrorKind::k_refused, ErrorKind::k_reset, ErrorKind::k_idle_timeout})));
    retry.wait = {100ms, 2, 1s, 0};
    b[a].retry = retry;
    b[a].timeouts = {2s, 4s, 3s, 20s};
    route = b.Route({a});
  }
  Scene& scene() {
    if (scene_ == nullptr) scene_ = std::make_unique<Scene>(b.Build());
    return *scene_;
  }

  PolicyBuilder b;
  model::UpstreamId a;
  model::RouteId route;

 private:
  std::unique_ptr<Scene> scene_;
};

TEST_F(OneUpstream, APostThatWasSentIsNotRepeatedWithoutRepeatSafe) {
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.Ready(0s), ElementsAre("start a 1 fresh")) << "it could not be repeated after a reuse race";
  x.On(1s, AttemptConnected{});
  x.On(1s, AttemptRequestSent{});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_reset, false}),
              ElementsAre("note_denied a not_repeat_safe", "note_ended a 1 reset failure 2000ms", "send_error 502 reset"));
}

TEST_F(OneUpstream, APostThatWasNotSentMayBeRepeated) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptConnected{});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_refused, false}), Contains("note_retry a 1/1 wait 100ms refused"));
}

TEST_F(OneUpstream, IdempotentMethodsMayAlwaysBeRepeated) {
  TestExchange x(scene(), 0s, abi::Method::kGET);
  EXPECT_THAT(x.Ready(0s), ElementsAre("start a 1"));
  x.On(1s, AttemptRequestSent{});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_reset, false}), Contains("note_retry a 1/1 wait 100ms reset"));
}

TEST_F(OneUpstream, A429ThatMayNotBeRetriedAgainIsPassedOn) {
  TestExchange x(scene(), 0s, abi::Method::kGET);
  x.Ready(0s);
  EXPECT_THAT(x.On(1s, AttemptHead{429}),
              ElementsAre("abort", "note_ended a 1 status_429 neutral 1000ms", "note_retry a 1/1 wait 100ms status_429"));
  x.On(1100ms, TimeReached{});
  EXPECT_THAT(x.On(2s, AttemptHead{429}), ElementsAre("note_denied a attempts_exhausted"));
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit a"));
}

TEST_F(OneUpstream, AFailingAnswerIsPassedOnWhereNothingElseCanAnswer) {
  TestExchange x(scene(), 0s, abi::Method::kGET);
  x.Ready(0s);
  x.On(1s, AttemptHead{500});
  x.On(1100ms, TimeReached{});
  EXPECT_THAT(x.On(2s, AttemptHead{503}), ElementsAre("note_denied a attempts_exhausted"));
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit a"));
  EXPECT_THAT(x.On(3s, AttemptEnded{}), ElementsAre("note_ended a 2 status_503 failure 1900ms", "finish"));
}

TEST_F(OneUpstream, AFailingAnswerThatBreaksWhileItIsHeldLeavesItsStatus) {
  TestExchange x(scene(), 0s, abi::Method::kGET);
  x.Ready(0s);
  x.On(1s, AttemptHead{500});
  x.On(1100ms, TimeReached{});
  x.On(2s, AttemptHead{503});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_reset, false}),
              ElementsAre("note_ended a 2 reset failure 900ms", "send_error 503 status_503"));
}

// ---- Time limits ----------------------------------------------------------------------------------------------------

TEST_F(OneUpstream, ConnectIsLimited) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_EQ(x.next_deadline(), 2s);
  EXPECT_THAT(x.On(2s, TimeReached{}),
              ElementsAre("abort", "note_ended a 1 connect_timeout failure 2000ms", "send_error 504 connect_timeout"));
}

TEST_F(OneUpstream, FirstTokenIsLimitedOnlyForClientsThatReadAStream) {
  TestExchange stream(scene(), 0s);
  stream.On(0s, RequestReady{route, true, true});
  stream.On(1s, AttemptConnected{});
  EXPECT_EQ(stream.next_deadline(), 4s);
  stream.On(2s, AttemptHead{200});
  EXPECT_EQ(stream.next_deadline(), 4s) << "a head is no content; idle doesn't run yet";
  EXPECT_THAT(stream.On(4s, TimeReached{}),
              ElementsAre("abort", "note_ended a 1 first_token_timeout failure 4000ms", "send_error 504 first_token_timeout"));

  TestExchange plain(scene(), 0s);
  plain.Ready(0s);
  plain.On(1s, AttemptConnected{});
  EXPECT_EQ(plain.next_deadline(), 20s);
}

TEST_F(OneUpstream, IdleRunsFromProgressToProgress) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  EXPECT_EQ(x.next_deadline(), 4s);
  x.NoteProgress(3s);
  EXPECT_EQ(x.next_deadline(), 6s);
  x.On(5s, AttemptContent{});
  EXPECT_EQ(x.next_deadline(), 8s);
  EXPECT_THAT(x.On(6s, TimeReached{}), IsEmpty());
  x.NoteProgress(7s);
  EXPECT_THAT(x.On(10s, TimeReached{}),
              ElementsAre("abort", "note_ended a 1 idle_timeout failure 10000ms", "break_off idle_timeout"));
}

TEST_F(OneUpstream, IdleStartsWithTheFirstContentWhereFirstTokenRuns) {
  TestExchange x(scene(), 0s);
  x.On(0s, RequestReady{route, true, true});
  x.On(500ms, AttemptHead{200});
  x.On(3s, AttemptContent{});
  EXPECT_EQ(x.next_deadline(), 6s);
}

TEST_F(OneUpstream, ATimeoutIsRetriedWhereThePolicySaysSo) {
  b[a].repeat_safe = true;
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  EXPECT_THAT(x.On(4s, TimeReached{}),
              ElementsAre("abort", "note_ended a 1 idle_timeout failure 4000ms", "note_retry a 1/1 wait 100ms idle_timeout"));
}

TEST_F(OneUpstream, TheWholeAttemptIsLimitedEvenWhileItMakesProgress) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  x.On(1s, AttemptContent{});
  for (auto t = 2s; t < 20s; t += 1s) x.NoteProgress(t);
  EXPECT_EQ(x.next_deadline(), 20s);
  EXPECT_THAT(x.On(20s, TimeReached{}),
              ElementsAre("abort", "note_ended a 1 attempt_timeout failure 20000ms", "break_off attempt_timeout"));
}

// ---- Deadline -------------------------------------------------------------------------------------------------------

TEST_F(OneUpstream, TheDeadlineRunsFromTheArrivalOfTheRequest) {
  b[route].deadline = 10s;
  TestExchange x(scene(), 0s);
  x.Ready(4s);
  x.On(4s, AttemptConnected{});
  EXPECT_EQ(x.next_deadline(), 10s);
  EXPECT_THAT(x.On(10s, TimeReached{}),
              ElementsAre("abort", "note_ended a 1 attempt_timeout failure 6000ms", "send_error 504 deadline"));
}

TEST_F(OneUpstream, ARetryThatWouldComeTooLateIsNotMade) {
  b[route].deadline = 10s;
  b[a].repeat_safe = true;
  TestExchange x(scene(), 0s);
  x.Ready(9s);
  EXPECT_THAT(x.On(9950ms, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("note_denied a deadline", "note_ended a 1 refused failure 950ms", "send_error 502 refused"));
}

TEST_F(OneUpstream, TheDeadlineEndsInAFallbackWhereThereIsOne) {
  b[route].deadline = 10s;
  const model::ReplyId reply = b.Reply("late");
  b[route].fallback = {reply};
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  x.NoteProgress(8s);
  EXPECT_THAT(x.On(10s, TimeReached{}),
              ElementsAre("abort", "note_ended a 1 attempt_timeout failure 10000ms", "send_reply late fallback deadline"));
}

TEST_F(OneUpstream, TheDeadlineDuringAWaitEndsIt) {
  b[route].deadline = 10s;
  b[a].repeat_safe = true;
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(9s, AttemptFailed{ErrorKind::k_refused, false});
  EXPECT_EQ(x.next_deadline(), 9100ms);
  EXPECT_THAT(x.On(11s, TimeReached{}), ElementsAre("send_error 504 deadline")) << "a driver that was held up";
}

TEST_F(OneUpstream, ARequestThatCameTooSlowlyReachesNoUpstream) {
  b[route].deadline = 10s;
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.Ready(10s), ElementsAre("send_error 504 deadline"));
}

TEST_F(OneUpstream, AFailureAfterTheDeadlineIsNotFollowedByAnotherUpstream) {
  b[route].deadline = 10s;
  const model::UpstreamId second = b.Upstream("second");
  b[route].to.push_back(second);
  TestExchange x(scene(), 0s);
  x.Ready(9s);
  EXPECT_THAT(x.On(10s, AttemptFailed{ErrorKind::k_dns_failure, false}),
              ElementsAre("note_ended a 1 dns_failure failure 1000ms", "send_error 504 deadline"))
      << "the timer would have come a moment later";
}

TEST_F(OneUpstream, TheDeadlineBreaksACommittedAnswerOff) {
  b[route].deadline = 10s;
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(9s, AttemptHead{200});
  x.On(9s, AttemptContent{});
  EXPECT_THAT(x.On(10s, TimeReached{}),
              ElementsAre("abort", "note_ended a 1 attempt_timeout failure 10000ms", "break_off attempt_timeout"));
}

// ---- Classification -------------------------------------------------------------------------------------------------

TEST_F(OneUpstream, FailureWhenReplacesTheClassification) {
  model::BreakerSettings breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  breaker.failure_when = b.When(expr::Or(expr::StatusIs(404), expr::LongerThan(abi::FieldId::k_latency, 5s)));
  b[a].breaker = breaker;
  b[a].retry.reset();
  TestExchange server_error(scene(), 0s);
  server_error.Ready(0s);
  server_error.On(1s, AttemptHead{500});
  server_error.On(1s, AttemptContent{});
  EXPECT_THAT(server_error.On(1s, AttemptEnded{}), Contains("note_ended a 1 status_500 neutral 1000ms"));
  TestExchange slow(scene(), 10s);
  slow.Ready(10s);
  slow.On(11s, AttemptHead{200});
  slow.On(11s, AttemptContent{});
  EXPECT_THAT(slow.On(16s, AttemptEnded{}), Contains("note_breaker a CLOSED>OPEN")) << "slower than 5s";
  TestExchange missing(scene(), 40s);
  missing.Ready(40s);
  EXPECT_THAT(missing.On(41s, AttemptHead{404}), Contains("note_breaker a HALF_OPEN>OPEN"));
}

TEST_F(OneUpstream, ElapsedCountsFromTheArrivalAndLatencyFromTheAttempt) {
  model::BreakerSettings breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 9, 30s, 1);
  breaker.failure_when = b.When(expr::And(expr::LongerThan(abi::FieldId::k_elapsed, 5s),
                                          expr::Not(expr::LongerThan(abi::FieldId::k_latency, 2s))));
  b[a].breaker = breaker;
  TestExchange slow_arrival(scene(), 0s);
  slow_arrival.Ready(4s);
  slow_arrival.On(4s, AttemptHead{200});
  slow_arrival.On(4s, AttemptContent{});
  EXPECT_THAT(slow_arrival.On(6s, AttemptEnded{}), Contains("note_ended a 1 status_200 failure 2000ms"));
  TestExchange quick_arrival(scene(), 10s);
  quick_arrival.Ready(10s);
  quick_arrival.On(10s, AttemptHead{200});
  quick_arrival.On(10s, AttemptContent{});
  EXPECT_THAT(quick_arrival.On(12s, AttemptEnded{}), Contains("note_ended a 1 status_200 success 2000ms"));
}

TEST_F(OneUpstream, FirstTokenIsAbsentUntilThereIsContent) {
  const auto has_content = [] {
    return expr::Not(expr::Node(model::ExprKind::kIsNone, {expr::Field(abi::FieldId::k_first_token)}));
  };
  model::BreakerSettings breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 9, 30s, 1);
  breaker.failure_when = b.When(has_content());
  b[a].breaker = breaker;
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  EXPECT_EQ(scene().breaker().Look(At(1s)).failure_count, 0);
  x.On(2s, AttemptContent{});
  EXPECT_THAT(x.On(3s, AttemptEnded{}), Contains("note_ended a 1 status_200 failure 3000ms"));
}

TEST_F(OneUpstream, AProbeWithANeutralOutcomeMayRetryInItsOwnPlace) {
  b[a].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);  // one probe
  b[a].repeat_safe = true;
  TestExchange opens(scene(), 0s);
  opens.Ready(0s);
  opens.On(0s, AttemptFailed{ErrorKind::k_dns_failure, false});
  TestExchange x(scene(), 15s);
  EXPECT_THAT(x.Ready(15s), ElementsAre("note_breaker a OPEN>HALF_OPEN", "start a 1"));
  EXPECT_THAT(x.On(16s, AttemptHead{429}),
              ElementsAre("abort", "note_ended a 1 status_429 neutral 1000ms", "note_retry a 1/1 wait 100ms status_429"));
  EXPECT_THAT(x.On(16100ms, TimeReached{}), ElementsAre("start a 2"));
}

TEST_F(OneUpstream, WhereFailureWhenSaysNoACutAnswerIsNeutralAndNotASuccess) {
  model::BreakerSettings breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  breaker.failure_when = b.When(expr::StatusIs(599));
  b[a].breaker = breaker;
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  x.On(1s, AttemptContent{});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_truncated, false}),
              ElementsAre("note_ended a 1 truncated neutral 2000ms", "break_off truncated"));
}

TEST_F(OneUpstream, AnAnswerWithoutContentIsComplete) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{204});
  EXPECT_THAT(x.On(1s, AttemptEnded{}), ElementsAre("commit a", "note_ended a 1 status_204 success 1000ms", "finish"));
}

// ---- Chain ----------------------------------------------------------------------------------------------------------

class TwoUpstreams : public testing::Test {
 protected:
  TwoUpstreams() {
    a = b.Upstream("a");
    c = b.Upstream("c");
    for (const model::UpstreamId id : {a, c}) {
      b[id].repeat_safe = true;
      b[id].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 2, 30s, 1);
    }
    route = b.Route({a, c});
  }
  Scene& scene() {
    if (scene_ == nullptr) scene_ = std::make_unique<Scene>(b.Build());
    return *scene_;
  }

  PolicyBuilder b;
  model::UpstreamId a;
  model::UpstreamId c;
  model::RouteId route;

 private:
  std::unique_ptr<Scene> scene_;
};

TEST_F(TwoUpstreams, TheSecondTakesOverWhereTheFirstFails) {
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.Ready(0s), ElementsAre("start a 1"));
  EXPECT_THAT(x.On(1s, AttemptHead{502}), ElementsAre("abort", "note_ended a 1 status_502 failure 1000ms", "start c 1"));
  x.On(2s, AttemptHead{200});
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit c"));
}

TEST_F(TwoUpstreams, ANeutralAnswerIsPassedOnAndNotMovedOn) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_THAT(x.On(1s, AttemptHead{404}), IsEmpty());
  EXPECT_THAT(x.On(1s, AttemptContent{}), ElementsAre("commit a"));
}

TEST_F(TwoUpstreams, AnOpenBreakerIsPassedByAtOnce) {
  for (int i = 0; i < 2; ++i) {
    TestExchange x(scene(), 0s);
    x.Ready(0s);
    x.On(0s, AttemptFailed{ErrorKind::k_refused, false});
    x.Succeed(0s);
  }
  TestExchange x(scene(), 1s);
  EXPECT_THAT(x.Ready(1s), ElementsAre("note_rejected a", "start c 1"));
}

TEST_F(TwoUpstreams, BothOpenIsA503ThatSaysWhenToComeBack) {
  for (int i = 0; i < 2; ++i) {
    TestExchange x(scene(), 0s);
    x.Ready(0s);
    x.On(0s, AttemptFailed{ErrorKind::k_refused, false});
    x.On(2s, AttemptFailed{ErrorKind::k_refused, false});
  }
  TestExchange x(scene(), 5s);
  EXPECT_THAT(x.Ready(5s), ElementsAre("note_rejected a", "note_rejected c", "send_error 503 breaker_open retry_after 10000ms"))
      << "a may be asked again at 15s, c at 17s";
}

TEST_F(OneUpstream, AFullHalfOpenBreakerSaysComeBackInASecond) {
  b[a].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  TestExchange opens(scene(), 0s);
  opens.Ready(0s);
  opens.On(0s, AttemptFailed{ErrorKind::k_dns_failure, false});
  TestExchange probe(scene(), 15s);
  probe.Ready(15s);
  TestExchange x(scene(), 16s);
  EXPECT_THAT(x.Ready(16s), ElementsAre("note_rejected a", "send_error 503 breaker_open retry_after 1000ms"));
}

TEST_F(TwoUpstreams, TheLastStatusIsWhatRemainsWhenAllFailed) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{507});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("note_ended c 1 refused failure 1000ms", "send_error 507 status_507"));
}

TEST_F(TwoUpstreams, TheLastAnswerIsPassedOnWhenAllFailed) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptFailed{ErrorKind::k_reset, false});
  EXPECT_THAT(x.On(2s, AttemptHead{500}), IsEmpty());
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit c"));
}

TEST_F(TwoUpstreams, AFailingAnswerIsKeptWhereTheNextUpstreamWouldRefuse) {
  for (int i = 0; i < 2; ++i) scene().breaker(c.value).Record(*scene().breaker(c.value).Admit(At(0s), 1s).ticket,
                                                              runtime::engine::OutcomeClass::kFailure, At(0s));
  TestExchange x(scene(), 1s);
  x.Ready(1s);
  EXPECT_THAT(x.On(2s, AttemptHead{500}), IsEmpty());
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit a"));
}

TEST_F(TwoUpstreams, WhatMustNotBeRepeatedIsNotSentToTheSecond) {
  b[a].repeat_safe = false;
  const model::ReplyId reply = b.Reply("sorry");
  b[route].fallback = {reply};
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptRequestSent{});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_reset, false}),
              ElementsAre("note_ended a 1 reset failure 2000ms", "send_reply sorry fallback reset"));
}

TEST_F(TwoUpstreams, ARejectedFirstUpstreamDoesNotNeedARepeat) {
  b[a].repeat_safe = b[c].repeat_safe = false;
  for (int i = 0; i < 2; ++i) scene().breaker(a.value).Record(*scene().breaker(a.value).Admit(At(0s), 1s).ticket,
                                                              runtime::engine::OutcomeClass::kFailure, At(0s));
  TestExchange x(scene(), 1s);
  EXPECT_THAT(x.On(1s, RequestReady{route, false, false}), ElementsAre("note_rejected a", "start c 1 fresh"));
}

TEST_F(TwoUpstreams, TheDeadlineMeansNoFurtherUpstream) {
  b[route].deadline = 5s;
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptConnected{});
  EXPECT_THAT(x.On(5s, TimeReached{}),
              ElementsAre("abort", "note_ended a 1 attempt_timeout failure 5000ms", "send_error 504 deadline"));
}

TEST_F(TwoUpstreams, EachUpstreamHasItsOwnRetries) {
  model::RetrySettings retry;
  retry.max_retries = 1;
  retry.when = b.When(expr::ErrorIn({ErrorKind::k_refused}));
  retry.wait = {100ms, 2, 1s, 0};
  for (const model::UpstreamId id : {a, c}) {
    b[id].retry = retry;
    b[id].breaker.reset();
  }
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(0s, AttemptFailed{ErrorKind::k_refused, false});
  x.On(100ms, TimeReached{});
  EXPECT_THAT(x.On(100ms, AttemptFailed{ErrorKind::k_refused, false}), Contains("start c 1"));
  EXPECT_THAT(x.On(200ms, AttemptFailed{ErrorKind::k_refused, false}), Contains("note_retry c 1/1 wait 100ms refused"));
}

// ---- Fallbacks ------------------------------------------------------------------------------------------------------

TEST_F(OneUpstream, AMockAnswersAfterItsDelay) {
  const model::MockId mock = b.Mock("m", 300ms);
  b[route].fallback = {mock};
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_THAT(x.On(1s, AttemptFailed{ErrorKind::k_bad_response, false}), ElementsAre("note_ended a 1 bad_response failure 1000ms"));
  EXPECT_EQ(x.next_deadline(), 1300ms);
  EXPECT_FALSE(x.done());
  EXPECT_THAT(x.On(1300ms, TimeReached{}), ElementsAre("send_mock m bad_response"));
  EXPECT_TRUE(x.done());
}

TEST_F(OneUpstream, AMockWithoutDelayAnswersAtOnce) {
  const model::MockId mock = b.Mock("m", 0s);
  b[route].fallback = {mock};
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_THAT(x.On(1s, AttemptFailed{ErrorKind::k_dns_failure, false}), Contains("send_mock m dns_failure"));
}

TEST_F(OneUpstream, AStaleAnswerServesOnlyAsAFallback) {
  const model::CacheId cache = b.Cache("answers", 10s, 1h);
  b[route].cache = cache;
  b[route].fallback = {cache};
  TestExchange first(scene(), 0s);
  first.Ready(0s);
  first.On(1s, AttemptHead{200});
  first.On(1s, AttemptContent{});
  EXPECT_THAT(first.On(1s, AttemptEnded{}), ElementsAre("note_ended a 1 status_200 success 1000ms", "finish", "store answers",
                                                        "end_flight answers"))
      << "stored once, though it stands in both places";
  TestExchange fresh(scene(), 5s);
  EXPECT_THAT(fresh.Ready(5s), ElementsAre("send_cached answers"));
  TestExchange stale(scene(), 20s);
  EXPECT_THAT(stale.Ready(20s), ElementsAre("start a 1 fresh"));
  EXPECT_THAT(stale.On(21s, AttemptFailed{ErrorKind::k_dns_failure, false}),
              ElementsAre("note_ended a 1 dns_failure failure 1000ms", "send_cached answers fallback dns_failure",
                          "end_flight answers"));
}

TEST_F(OneUpstream, ARouteThatRepliesNeedsNoUpstream) {
  const model::ReplyId reply = b.Reply("not_found");
  const model::RouteId replies = b.Route({});
  b[replies].reply = reply;
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.Ready(0s, replies.value), ElementsAre("send_reply not_found"));
  EXPECT_TRUE(x.done());
}

TEST_F(OneUpstream, NoRouteIsA404) {
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.Ready(0s, -1), ElementsAre("send_error 404 no_route"));
}

// ---- Cache in front -------------------------------------------------------------------------------------------------

class CacheInFront : public OneUpstream {
 protected:
  CacheInFront() {
    cache = b.Cache("answers", 10s);
    b[route].cache = cache;
    b[route].deadline = 30s;
  }
  model::CacheId cache;
};

TEST_F(CacheInFront, OnlyTheFirstOfTheSameRequestsAsksTheUpstream) {
  TestExchange leader(scene(), 0s);
  TestExchange follower(scene(), 0s);
  TestExchange other(scene(), 0s);
  other.facts.request_body = abi::Str::Of("another question");
  EXPECT_THAT(leader.Ready(0s), ElementsAre("start a 1 fresh"));
  EXPECT_THAT(follower.Ready(0s), ElementsAre("follow answers"));
  EXPECT_THAT(other.Ready(0s), ElementsAre("start a 1 fresh"));
  EXPECT_EQ(follower.next_deadline(), 30s);
  leader.Succeed(2s);
  EXPECT_EQ(follower.wake_ups, 1);
  EXPECT_EQ(other.wake_ups, 0);
  EXPECT_THAT(follower.On(2s, CacheSettled{}), ElementsAre("send_cached answers"));
}

TEST_F(CacheInFront, FollowersGoOnAloneWhenTheLeaderComesToNothing) {
  TestExchange leader(scene(), 0s);
  TestExchange follower(scene(), 0s);
  leader.Ready(0s);
  follower.Ready(0s);
  EXPECT_THAT(leader.On(1s, AttemptFailed{ErrorKind::k_dns_failure, false}), Contains("end_flight answers"));
  EXPECT_EQ(follower.wake_ups, 1);
  EXPECT_THAT(follower.On(1s, CacheSettled{}), ElementsAre("start a 1 fresh"));
}

TEST_F(CacheInFront, FollowersGoOnAloneWhenTheLeadersClientLeaves) {
  TestExchange leader(scene(), 0s);
  TestExchange follower(scene(), 0s);
  leader.Ready(0s);
  follower.Ready(0s);
  EXPECT_THAT(leader.On(1s, ClientGone{}), ElementsAre("abort", "note_ended a 1 nothing neutral 1000ms", "end_flight answers"));
  EXPECT_EQ(follower.wake_ups, 1);
}

TEST_F(CacheInFront, AMachineThatIsDestroyedEndsItsFlight) {
  TestExchange leader(scene(), 0s);
  TestExchange follower(scene(), 0s);
  leader.Ready(0s);
  follower.Ready(0s);
  leader.Destroy();
  EXPECT_EQ(follower.wake_ups, 1);
}

TEST_F(CacheInFront, FollowersWaitNoLongerThanTheirOwnDeadline) {
  TestExchange leader(scene(), 0s);
  TestExchange follower(scene(), 0s);
  leader.Ready(0s);
  follower.Ready(0s);
  EXPECT_THAT(follower.On(30s, TimeReached{}), ElementsAre("unfollow answers", "send_error 504 deadline"));
  leader.On(30s, TimeReached{});
  EXPECT_EQ(follower.wake_ups, 0);
}

TEST_F(CacheInFront, OnlyA2xxIsStoredWhateverTheRuleSays) {
  b.policy().caches[cache].store_when = b.When(expr::True(), abi::Phase::kAnswer);
  const auto store_after = [this](int status, std::string_view question) {
    TestExchange x(scene(), 0s);
    x.facts.request_body = abi::Str::Of(question);
    x.Ready(0s);
    x.On(1s, AttemptHead{status});
    x.On(1s, AttemptContent{});
    return x.On(1s, AttemptEnded{});
  };
  EXPECT_THAT(store_after(201, "a"), Contains("store answers"));
  EXPECT_THAT(store_after(304, "b"), Not(Contains("store answers")));
  EXPECT_THAT(store_after(404, "c"), Not(Contains("store answers")));
}

TEST_F(CacheInFront, ErrorsAreNotStored) {
  TestExchange x(scene(), 0s, abi::Method::kGET);
  x.Ready(0s);
  x.On(1s, AttemptHead{404});
  x.On(1s, AttemptContent{});
  EXPECT_THAT(x.On(1s, AttemptEnded{}), ElementsAre("note_ended a 1 status_404 neutral 1000ms", "finish", "end_flight answers"));
}

// ---- Client gone, in every state ------------------------------------------------------------------------------------

class ClientGoes : public FoundingPolicy {
 protected:
  void OpenThenWait() {
    for (int i = 0; i < 5; ++i) FailRequest(scene(), 0s);
  }
  int probes(std::chrono::nanoseconds t) { return scene().breaker().Look(At(t)).probes_in_flight; }
};

TEST_F(ClientGoes, BeforeAnything) {
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.On(0s, ClientGone{}), IsEmpty());
  EXPECT_TRUE(x.done());
  EXPECT_THAT(x.Ready(0s), IsEmpty());
}

TEST_F(ClientGoes, WhileAttemptingGivesTheProbeBack) {
  OpenThenWait();
  TestExchange x(scene(), 17s);
  x.Ready(17s);
  EXPECT_EQ(probes(17s), 1);
  EXPECT_THAT(x.On(18s, ClientGone{}), ElementsAre("abort", "note_ended ollama 1 nothing neutral 1000ms"));
  EXPECT_TRUE(x.done());
  EXPECT_EQ(probes(18s), 0);
  EXPECT_EQ(scene().StateAt(18s), BreakerState::kHalfOpen);
}

TEST_F(ClientGoes, WhileHeldGivesTheProbeBack) {
  OpenThenWait();
  TestExchange x(scene(), 17s);
  x.Ready(17s);
  x.On(17s, AttemptHead{200});
  EXPECT_THAT(x.On(18s, ClientGone{}), ElementsAre("abort", "note_ended ollama 1 status_200 neutral 1000ms"));
  EXPECT_EQ(probes(18s), 0);
}

TEST_F(ClientGoes, WhileCommittedGivesTheProbeBackAndKeepsItsSuccess) {
  OpenThenWait();
  TestExchange x(scene(), 17s);
  x.Ready(17s);
  x.On(17s, AttemptHead{200});
  x.On(17s, AttemptContent{});
  EXPECT_THAT(x.On(18s, ClientGone{}), ElementsAre("abort", "note_ended ollama 1 status_200 neutral 1000ms"));
  EXPECT_EQ(probes(18s), 0);
  EXPECT_EQ(scene().breaker().Look(At(18s)).success_count, 1);
}

TEST_F(ClientGoes, WhileBackingOffEndsTheWait) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(0s, AttemptFailed{ErrorKind::k_refused, false});
  EXPECT_THAT(x.On(100ms, ClientGone{}), IsEmpty());
  EXPECT_TRUE(x.done());
  EXPECT_EQ(x.next_deadline(), std::nullopt);
  EXPECT_EQ(scene().breaker().Look(At(1s)).failure_count, 1) << "its last attempt failed";
}

TEST_F(ClientGoes, AfterTheEndChangesNothing) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.Succeed(1s);
  EXPECT_THAT(x.On(2s, ClientGone{}), IsEmpty());
}

TEST_F(ClientGoes, AndADestroyedMachineGivesItsProbeBack) {
  OpenThenWait();
  TestExchange x(scene(), 17s);
  x.Ready(17s);
  EXPECT_EQ(probes(17s), 1);
  x.Destroy();
  EXPECT_EQ(probes(17s), 0);
}

TEST_F(CacheInFront, AClientThatLeavesWhileFollowingIsNotWoken) {
  TestExchange leader(scene(), 0s);
  TestExchange follower(scene(), 0s);
  leader.Ready(0s);
  follower.Ready(0s);
  EXPECT_THAT(follower.On(1s, ClientGone{}), ElementsAre("unfollow answers"));
  leader.Succeed(2s);
  EXPECT_EQ(follower.wake_ups, 0);
}

TEST_F(OneUpstream, AClientThatLeavesDuringAMocksDelayEndsIt) {
  const model::MockId mock = b.Mock("m", 300ms);
  b[route].fallback = {mock};
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptFailed{ErrorKind::k_dns_failure, false});
  EXPECT_THAT(x.On(1100ms, ClientGone{}), IsEmpty());
  EXPECT_TRUE(x.done());
}

}  // namespace
}  // namespace tests
