// What a machine makes of one attempt: races, bodies, repeats, time limits, the deadline, classification.
#include "tests/runtime/engine/machine_fixtures.h"

namespace tests {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// ---- Reuse races, bodies, repeats -----------------------------------------------------------------------------------

TEST_F(FoundingPolicy, AReuseRaceIsTakenUpAtOnceOnAFreshConnectionAndCountsNowhere) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1ms, AttemptConnected{});
  x.On(1ms, AttemptRequestSent{});
  EXPECT_THAT(x.On(2ms, AttemptFailed{ErrorKind::k_reset, true}),
              ElementsAre("record_ended ollama 1 reset neutral 2ms", "start ollama 1 fresh"));
  EXPECT_EQ(scene().breaker().Look(At(2ms)).failure_count, 0);
  EXPECT_THAT(x.On(10ms, AttemptFailed{ErrorKind::k_reset, true}),
              ElementsAre("record_ended ollama 1 reset failure 10ms", "send_reply static_response fallback reset"))
      << "only once; then it is a reset";
}

TEST_F(FoundingPolicy, AReuseRaceTakesNothingFromTheRetries) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(0s, AttemptFailed{ErrorKind::k_reset, true});
  EXPECT_THAT(x.On(1s, AttemptFailed{ErrorKind::k_refused, false}),
              Contains("record_retry ollama 1/2 wait 500ms refused"));
  x.On(1500ms, TimeReached{});
  EXPECT_THAT(x.On(1500ms, AttemptFailed{ErrorKind::k_reset, true}),
              ElementsAre("record_ended ollama 2 reset neutral 0ms", "start ollama 2 fresh"));
  EXPECT_THAT(x.On(1600ms, AttemptFailed{ErrorKind::k_refused, false}),
              Contains("record_retry ollama 2/2 wait 1000ms refused"));
}

TEST_F(FoundingPolicy, ARaceKeepsTheTimeLimitOfItsAttempt) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptConnected{});
  x.On(1500ms, AttemptFailed{ErrorKind::k_reset, true});
  EXPECT_EQ(x.next_deadline(), 2s) << "what is left of the time for a connection";
  x.On(1600ms, AttemptConnected{});
  EXPECT_EQ(x.next_deadline(), 15s);
}

TEST_F(FoundingPolicy, ABodyThatIsNotKeptGetsOneAttemptOnAFreshConnection) {
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.On(0s, RequestReady{ids_.route, false, false}), ElementsAre("start ollama 1 fresh"));
  EXPECT_THAT(x.On(1s, AttemptHead{503}),
              ElementsAre("record_denied ollama body_too_large", "abort", "record_ended ollama 1 status_503 failure 1000ms",
                          "send_reply static_response fallback status_503"));
}

TEST_F(FoundingPolicy, ABodyThatIsNotKeptIsNeverAKey) {
  TestExchange good(scene(), 0s);
  good.On(0s, RequestReady{ids_.route, false, false});
  good.On(1s, AttemptHead{200});
  good.On(1s, AttemptContent{});
  EXPECT_THAT(good.On(1s, AttemptEnded{}), Not(Contains("store cache_fallback")));
}

TEST_F(OneUpstream, APostThatWasSentIsNotRepeatedWithoutRepeatSafe) {
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.Ready(0s), ElementsAre("start a 1")) << "a pooled connection is looked at first";
  x.On(1s, AttemptConnected{});
  x.On(1s, AttemptRequestSent{});
  EXPECT_THAT(
      x.On(2s, AttemptFailed{ErrorKind::k_reset, false}),
      ElementsAre("record_denied a not_repeat_safe", "record_ended a 1 reset failure 2000ms", "send_error 502 reset"));
}

TEST_F(OneUpstream, APostThatWasNotSentMayBeRepeated) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptConnected{});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_refused, false}), Contains("record_retry a 1/1 wait 100ms refused"));
}

TEST_F(OneUpstream, IdempotentMethodsMayAlwaysBeRepeated) {
  TestExchange x(scene(), 0s, abi::Method::kGET);
  EXPECT_THAT(x.Ready(0s), ElementsAre("start a 1"));
  x.On(1s, AttemptRequestSent{});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_reset, false}), Contains("record_retry a 1/1 wait 100ms reset"));
}

TEST_F(OneUpstream, A429ThatMayNotBeRetriedAgainIsPassedOn) {
  TestExchange x(scene(), 0s, abi::Method::kGET);
  x.Ready(0s);
  EXPECT_THAT(x.On(1s, AttemptHead{429}), ElementsAre("abort", "record_ended a 1 status_429 neutral 1000ms",
                                                      "record_retry a 1/1 wait 100ms status_429"));
  x.On(1100ms, TimeReached{});
  EXPECT_THAT(x.On(2s, AttemptHead{429}), ElementsAre("record_denied a attempts_exhausted"));
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit a"));
}

TEST_F(OneUpstream, AFailingAnswerIsPassedOnWhereNothingElseCanAnswer) {
  TestExchange x(scene(), 0s, abi::Method::kGET);
  x.Ready(0s);
  x.On(1s, AttemptHead{500});
  x.On(1100ms, TimeReached{});
  EXPECT_THAT(x.On(2s, AttemptHead{503}), ElementsAre("record_denied a attempts_exhausted"));
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit a"));
  EXPECT_THAT(x.On(3s, AttemptEnded{}), ElementsAre("record_ended a 2 status_503 failure 1900ms", "finish"));
}

TEST_F(OneUpstream, AFailingAnswerThatBreaksWhileItIsHeldLeavesItsStatus) {
  TestExchange x(scene(), 0s, abi::Method::kGET);
  x.Ready(0s);
  x.On(1s, AttemptHead{500});
  x.On(1100ms, TimeReached{});
  x.On(2s, AttemptHead{503});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_reset, false}),
              ElementsAre("record_ended a 2 reset failure 900ms", "send_error 503 status_503"));
}

// ---- Time limits ----------------------------------------------------------------------------------------------------

TEST_F(OneUpstream, ConnectIsLimited) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_EQ(x.next_deadline(), 2s);
  EXPECT_THAT(x.On(2s, TimeReached{}),
              ElementsAre("abort", "record_ended a 1 connect_timeout failure 2000ms", "send_error 504 connect_timeout"));
}

TEST_F(OneUpstream, FirstTokenIsLimitedOnlyForClientsThatReadAStream) {
  TestExchange stream(scene(), 0s);
  stream.On(0s, RequestReady{route, true, true});
  stream.On(1s, AttemptConnected{});
  EXPECT_EQ(stream.next_deadline(), 4s);
  stream.On(2s, AttemptHead{200});
  EXPECT_EQ(stream.next_deadline(), 4s) << "a head is no content; idle doesn't run yet";
  EXPECT_THAT(stream.On(4s, TimeReached{}), ElementsAre("abort", "record_ended a 1 first_token_timeout failure 4000ms",
                                                        "send_error 504 first_token_timeout"));

  TestExchange plain(scene(), 0s);
  plain.Ready(0s);
  plain.On(1s, AttemptConnected{});
  EXPECT_EQ(plain.next_deadline(), 20s);
}

TEST_F(OneUpstream, IdleRunsFromProgressToProgress) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  EXPECT_EQ(x.next_deadline(), 20s) << "it begins with the first content";
  x.ObserveProgress(3s);
  EXPECT_EQ(x.next_deadline(), 20s);
  x.On(5s, AttemptContent{});
  EXPECT_EQ(x.next_deadline(), 8s);
  EXPECT_THAT(x.On(6s, TimeReached{}), IsEmpty());
  x.ObserveProgress(7s);
  EXPECT_THAT(x.On(10s, TimeReached{}),
              ElementsAre("abort", "record_ended a 1 idle_timeout failure 10000ms", "break_off idle_timeout"));
}

TEST_F(OneUpstream, IdleStartsWithTheFirstContentWhereFirstTokenRuns) {
  TestExchange x(scene(), 0s);
  x.On(0s, RequestReady{route, true, true});
  x.On(500ms, AttemptHead{200});
  x.On(3s, AttemptContent{});
  EXPECT_EQ(x.next_deadline(), 6s);
}

TEST_F(OneUpstream, ATimeoutIsRetriedWhereThePolicySaysSo) {
  b[a].repeat_safe = model::RepeatSafe::kTrue;
  b[a].timeouts.stall = 4s;
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  EXPECT_THAT(x.On(4s, TimeReached{}), ElementsAre("abort", "record_ended a 1 idle_timeout failure 4000ms",
                                                   "record_retry a 1/1 wait 100ms idle_timeout"));
}

TEST_F(OneUpstream, TheWholeAttemptIsLimitedEvenWhileItMakesProgress) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  x.On(1s, AttemptContent{});
  for (auto t = 2s; t < 20s; t += 1s) x.ObserveProgress(t);
  EXPECT_EQ(x.next_deadline(), 20s);
  EXPECT_THAT(x.On(20s, TimeReached{}),
              ElementsAre("abort", "record_ended a 1 attempt_timeout failure 20000ms", "break_off attempt_timeout"));
}

// ---- Deadline -------------------------------------------------------------------------------------------------------

TEST_F(OneUpstream, TheDeadlineRunsFromTheArrivalOfTheRequest) {
  b[route].deadline = 10s;
  TestExchange x(scene(), 0s);
  x.Ready(4s);
  x.On(4s, AttemptConnected{});
  EXPECT_EQ(x.next_deadline(), 10s);
  EXPECT_THAT(x.On(10s, TimeReached{}),
              ElementsAre("abort", "record_ended a 1 attempt_timeout neutral 6000ms", "send_error 504 deadline"));
}

TEST_F(OneUpstream, ARetryThatWouldComeTooLateIsNotMade) {
  b[route].deadline = 10s;
  b[a].repeat_safe = model::RepeatSafe::kTrue;
  TestExchange x(scene(), 0s);
  x.Ready(9s);
  EXPECT_THAT(x.On(9950ms, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("record_denied a deadline", "record_ended a 1 refused failure 950ms", "send_error 502 refused"));
}

TEST_F(OneUpstream, TheDeadlineEndsInAFallbackWhereThereIsOne) {
  b[route].deadline = 10s;
  const model::ReplyId reply = b.Reply("late");
  b[route].fallback = {reply};
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{200});
  x.ObserveProgress(8s);
  EXPECT_THAT(x.On(10s, TimeReached{}), ElementsAre("abort", "record_ended a 1 attempt_timeout failure 10000ms",
                                                    "send_reply late fallback deadline"));
}

TEST_F(OneUpstream, TheDeadlineDuringAWaitEndsIt) {
  b[route].deadline = 10s;
  b[a].repeat_safe = model::RepeatSafe::kTrue;
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
              ElementsAre("record_ended a 1 dns_failure failure 1000ms", "send_error 504 deadline"))
      << "the timer would have come a moment later";
}

TEST_F(OneUpstream, TheDeadlineBreaksACommittedAnswerOff) {
  b[route].deadline = 10s;
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(9s, AttemptHead{200});
  x.On(9s, AttemptContent{});
  EXPECT_THAT(x.On(10s, TimeReached{}),
              ElementsAre("abort", "record_ended a 1 attempt_timeout neutral 10000ms", "break_off attempt_timeout"))
      << "it delivered";
}

// ---- Whose time it is -------------------------------------------------------------------------------------------------

TEST_F(OneUpstream, AStreamThatFlowsIsCutByAWrittenTotalAlone) {
  b[a].timeouts.total = 30s;
  TestExchange x(scene(), 0s);
  x.On(0s, RequestReady{route, true, true});
  x.On(1s, AttemptHead{200, std::nullopt, true});
  x.On(1s, AttemptContent{});
  for (auto t = 2s; t < 29s; t += 1s) {
    x.ObserveContent(t);
    EXPECT_EQ(x.next_deadline(), std::min<std::chrono::nanoseconds>(t + 3s, 30s)) << "attempt_timeout is 20s";
  }
  EXPECT_THAT(x.On(30s, TimeReached{}),
              ElementsAre("abort", "record_ended a 1 attempt_timeout neutral 30000ms", "break_off attempt_timeout"));
}

TEST_F(OneUpstream, PingsForEverEnd) {
  b[a].timeouts.stall = 10s;
  TestExchange x(scene(), 0s);
  x.On(0s, RequestReady{route, true, true});
  x.On(1s, AttemptHead{200, std::nullopt, true});
  x.On(2s, AttemptContent{});
  for (auto t = 3s; t < 12s; t += 1s) {
    EXPECT_EQ(x.next_deadline(), std::min<std::chrono::nanoseconds>(t + 2s, 12s));
    x.ObserveProgress(t);
  }
  EXPECT_THAT(x.On(12s, TimeReached{}), ElementsAre("abort", "record_ended a 1 idle_timeout failure 12000ms", "break_off idle_timeout"));
}

TEST_F(OneUpstream, WhileTheClientIsAwaitedNoLimitOfTheAttemptRuns) {
  b[a].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  TestExchange x(scene(), 0s);
  x.On(0s, RequestReady{route, true, true});
  x.On(1s, AttemptConnected{});
  x.ObserveClientAwaited(true, 2s);
  EXPECT_EQ(x.next_deadline(), std::nullopt);
  x.ObserveClientAwaited(false, 62s);
  EXPECT_EQ(x.next_deadline(), 64s) << "first_token is 4s, and two of them were the upstream's";
  x.On(63s, AttemptHead{200, std::nullopt, true});
  x.On(63s, AttemptContent{});
  EXPECT_EQ(x.next_deadline(), 66s);
  x.ObserveClientAwaited(true, 64s);
  x.ObserveClientAwaited(false, 100s);
  EXPECT_EQ(x.next_deadline(), 102s) << "one second of idle was the upstream's";
  x.On(101s, AttemptEnded{});
  EXPECT_EQ(scene().StateAt(101s), BreakerState::kClosed);
}

TEST_F(OneUpstream, ADeadlineThatComesWhileTheClientIsAwaitedIsNobodysFailure) {
  b[route].deadline = 10s;
  b[a].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  TestExchange x(scene(), 0s);
  x.On(0s, RequestReady{route, false, false});
  x.On(1s, AttemptConnected{});
  x.ObserveClientAwaited(true, 1s);
  EXPECT_THAT(x.On(10s, TimeReached{}),
              ElementsAre("abort", "record_ended a 1 client_timeout neutral 10000ms", "send_error 504 deadline"));
  EXPECT_EQ(scene().StateAt(10s), BreakerState::kClosed);
}

TEST_F(OneUpstream, ADeadlineCountsForTheBreakerOnlyWhereTheAttemptHadItAll) {
  b[route].deadline = 10s;
  b[a].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  TestExchange late(scene(), 0s);
  late.Ready(9900ms);
  EXPECT_THAT(late.On(10s, TimeReached{}), Contains("record_ended a 1 attempt_timeout neutral 100ms")) << "its last byte came just before";
  EXPECT_EQ(scene().StateAt(10s), BreakerState::kClosed);
  TestExchange hung(scene(), 20s);
  hung.Ready(20100ms);
  hung.On(20100ms, AttemptConnected{});
  EXPECT_THAT(hung.On(30s, TimeReached{}), Contains("record_breaker a CLOSED>OPEN"));
}

TEST_F(OneUpstream, WhatTheGatewayLacksIsNobodysFailure) {
  b[a].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_THAT(x.On(0s, AttemptFailed{ErrorKind::k_exhausted}), ElementsAre("record_ended a 1 exhausted neutral 0ms", "send_error 503 exhausted"));
}

TEST_F(OneUpstream, AnErrorToldInAStreamCountsByItsKind) {
  b[a].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  for (const int told : {400, 401, 403, 404, 413, 422, 429}) {
    TestExchange x(scene(), 0s);
    x.Ready(0s);
    x.On(0s, AttemptHead{200, std::nullopt, true});
    x.On(0s, AttemptFailed{ErrorKind::k_stream_error, false, false, told});
    EXPECT_EQ(scene().StateAt(0s), BreakerState::kClosed) << told;
  }
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(0s, AttemptHead{200, std::nullopt, true});
  EXPECT_THAT(x.On(0s, AttemptFailed{ErrorKind::k_stream_error, false, false, 503}), Contains("record_breaker a CLOSED>OPEN"));
}

TEST_F(OneUpstream, AnUploadThatIsNotKeptIsNoProbe) {
  b[a].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  TestExchange opens(scene(), 0s);
  opens.Ready(0s);
  opens.On(0s, AttemptFailed{ErrorKind::k_dns_failure});
  TestExchange upload(scene(), 16s);
  EXPECT_THAT(upload.On(16s, RequestReady{route, false, false}), Contains("record_rejected a"));
  TestExchange x(scene(), 16s);
  EXPECT_THAT(x.Ready(16s), ElementsAre("record_breaker a OPEN>HALF_OPEN", "start a 1"));
}

TEST_F(OneUpstream, AProbeIsGivenBackWithItsFirstContent) {
  model::BreakerSettings breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 3);  // one probe, three successes
  b[a].breaker = breaker;
  TestExchange opens(scene(), 0s);
  opens.Ready(0s);
  opens.On(0s, AttemptFailed{ErrorKind::k_dns_failure});
  TestExchange reads_slowly(scene(), 16s);
  reads_slowly.Ready(16s);
  reads_slowly.On(16s, AttemptHead{200, std::nullopt, true});
  reads_slowly.On(16s, AttemptContent{});
  reads_slowly.ObserveClientAwaited(true, 17s);
  TestExchange next(scene(), 17s);
  EXPECT_THAT(next.Ready(17s), ElementsAre("start a 1"));
  reads_slowly.ObserveClientAwaited(false, 300s);
  EXPECT_THAT(reads_slowly.On(300s, AttemptFailed{ErrorKind::k_truncated}), Contains("record_breaker a HALF_OPEN>OPEN"))
      << "a failure behind it counts all the same";
}

TEST_F(OneUpstream, AGatewayThatStopsBreaksOffWhatWasBegunAndAnswersTheRest) {
  TestExchange begun(scene(), 0s);
  begun.Ready(0s);
  begun.On(1s, AttemptHead{200});
  begun.On(1s, AttemptContent{});
  EXPECT_THAT(begun.On(2s, runtime::engine::GatewayStops{}),
              ElementsAre("abort", "record_ended a 1 status_200 neutral 2000ms", "break_off nothing"));
  TestExchange waits(scene(), 0s);
  waits.Ready(0s);
  EXPECT_THAT(waits.On(2s, runtime::engine::GatewayStops{}),
              ElementsAre("abort", "record_ended a 1 nothing neutral 2000ms", "send_error 503 stopping"));
  EXPECT_TRUE(waits.done());
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
  EXPECT_THAT(server_error.On(1s, AttemptEnded{}), Contains("record_ended a 1 status_500 neutral 1000ms"));
  TestExchange slow(scene(), 10s);
  slow.Ready(10s);
  slow.On(11s, AttemptHead{200});
  slow.On(11s, AttemptContent{});
  EXPECT_THAT(slow.On(16s, AttemptEnded{}), Contains("record_breaker a CLOSED>OPEN")) << "slower than 5s";
  TestExchange missing(scene(), 40s);
  missing.Ready(40s);
  EXPECT_THAT(missing.On(41s, AttemptHead{404}), Contains("record_breaker a HALF_OPEN>OPEN"));
}

Lines EndUnfinished(Scene& scene, std::chrono::seconds begin) {
  TestExchange x(scene, begin);
  x.Ready(begin);
  x.On(begin + 1s, AttemptHead{200});
  x.On(begin + 1s, AttemptContent{});
  return x.On(begin + 2s, AttemptEnded{true});
}

TEST_F(OneUpstream, AnAnswerWithoutAReasonForItsEndIsNoFailureByItself) {
  EXPECT_THAT(EndUnfinished(scene(), 0s), Contains("record_ended a 1 unfinished success 2000ms"));
}

TEST_F(OneUpstream, AnAnswerWithoutAReasonForItsEndIsAFailureWhereThePolicySaysSo) {
  model::BreakerSettings breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 2, 30s, 1);
  breaker.failure_when = b.When(expr::ErrorIn({ErrorKind::k_unfinished}));
  b[a].breaker = breaker;
  EXPECT_THAT(EndUnfinished(scene(), 0s), Contains("record_ended a 1 unfinished failure 2000ms"));
  EXPECT_THAT(EndUnfinished(scene(), 10s), Contains("record_breaker a CLOSED>OPEN"));
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
  EXPECT_THAT(slow_arrival.On(6s, AttemptEnded{}), Contains("record_ended a 1 status_200 failure 2000ms"));
  TestExchange quick_arrival(scene(), 10s);
  quick_arrival.Ready(10s);
  quick_arrival.On(10s, AttemptHead{200});
  quick_arrival.On(10s, AttemptContent{});
  EXPECT_THAT(quick_arrival.On(12s, AttemptEnded{}), Contains("record_ended a 1 status_200 success 2000ms"));
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
  EXPECT_THAT(x.On(3s, AttemptEnded{}), Contains("record_ended a 1 status_200 failure 3000ms"));
}

TEST_F(OneUpstream, AProbeWithANeutralOutcomeMayRetryInItsOwnPlace) {
  b[a].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);  // one probe
  b[a].repeat_safe = model::RepeatSafe::kTrue;
  TestExchange opens(scene(), 0s);
  opens.Ready(0s);
  opens.On(0s, AttemptFailed{ErrorKind::k_dns_failure, false});
  TestExchange x(scene(), 15s);
  EXPECT_THAT(x.Ready(15s), ElementsAre("record_breaker a OPEN>HALF_OPEN", "start a 1"));
  EXPECT_THAT(x.On(16s, AttemptHead{429}), ElementsAre("abort", "record_ended a 1 status_429 neutral 1000ms",
                                                       "record_retry a 1/1 wait 100ms status_429"));
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
              ElementsAre("record_ended a 1 truncated neutral 2000ms", "break_off truncated"));
}

TEST_F(OneUpstream, AnAnswerWithoutContentIsComplete) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{204});
  EXPECT_THAT(x.On(1s, AttemptEnded{}), ElementsAre("commit a", "record_ended a 1 status_204 success 1000ms", "finish"));
}

}  // namespace
}  // namespace tests
