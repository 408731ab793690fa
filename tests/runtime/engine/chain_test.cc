// What comes after an upstream: the next one, fallbacks, the cache in front.
#include "runtime/engine/fallback.h"
#include "tests/runtime/engine/machine_fixtures.h"

namespace tests {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// ---- Chain ----------------------------------------------------------------------------------------------------------

TEST_F(TwoUpstreams, TheSecondTakesOverWhereTheFirstFails) {
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.Ready(0s), ElementsAre("start a 1"));
  EXPECT_THAT(x.On(1s, AttemptHead{502}),
              ElementsAre("abort", "record_ended a 1 status_502 failure 1000ms", "start c 1"));
  x.On(2s, AttemptHead{200});
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit c"));
}

TEST_F(TwoUpstreams, ANeutralAnswerIsPassedOnAndNotMovedOn) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_THAT(x.On(1s, AttemptHead{404}), IsEmpty());
  EXPECT_THAT(x.On(1s, AttemptContent{}), ElementsAre("commit a"));
}

TEST_F(TwoUpstreams, NextWhenMovesANeutralAnswerOn) {
  b[route].next_when = b.When(expr::StatusIs(404), abi::Phase::kAnswer);
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_THAT(x.On(1s, AttemptHead{404}),
              ElementsAre("abort", "record_ended a 1 status_404 neutral 1000ms", "start c 1"));
  EXPECT_THAT(x.On(2s, AttemptHead{404}), IsEmpty()) << "nothing is behind the last one";
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit c"));
}

TEST_F(TwoUpstreams, NextWhenNamesTheOneThatAnswered) {
  b[route].next_when = b.When(expr::ServedBy("c"), abi::Phase::kAnswer);
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_THAT(x.On(1s, AttemptHead{404}), IsEmpty());
}

TEST_F(TwoUpstreams, NextWhenKeepsAnAnswerThatNobodyElseWouldGive) {
  b[route].next_when = b.When(expr::StatusIs(404), abi::Phase::kAnswer);
  const model::ReplyId reply = b.Reply("sorry");
  b[route].fallback = {reply};
  for (int i = 0; i < 2; ++i)
    scene().breaker(c.value).Record(*scene().breaker(c.value).Admit(At(0s), 1s).ticket,
                                    runtime::engine::OutcomeClass::kFailure, At(0s));
  TestExchange x(scene(), 1s);
  x.Ready(1s);
  EXPECT_THAT(x.On(2s, AttemptHead{404}), IsEmpty()) << "a fallback is for failures";
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit a"));
}

TEST_F(TwoUpstreams, AnOpenBreakerIsPassedByAtOnce) {
  for (int i = 0; i < 2; ++i) {
    TestExchange x(scene(), 0s);
    x.Ready(0s);
    x.On(0s, AttemptFailed{ErrorKind::k_refused, false});
    x.Succeed(0s);
  }
  TestExchange x(scene(), 1s);
  EXPECT_THAT(x.Ready(1s), ElementsAre("record_rejected a", "start c 1"));
}

TEST_F(TwoUpstreams, BothOpenIsA503ThatSaysWhenToComeBack) {
  for (int i = 0; i < 2; ++i) {
    TestExchange x(scene(), 0s);
    x.Ready(0s);
    x.On(0s, AttemptFailed{ErrorKind::k_refused, false});
    x.On(2s, AttemptFailed{ErrorKind::k_refused, false});
  }
  TestExchange x(scene(), 5s);
  EXPECT_THAT(x.Ready(5s),
              ElementsAre("record_rejected a", "record_rejected c", "send_error 503 breaker_open retry_after 10000ms"))
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
  EXPECT_THAT(x.Ready(16s), ElementsAre("record_rejected a", "send_error 503 breaker_open retry_after 1000ms"));
}

TEST_F(TwoUpstreams, TheLastStatusIsWhatRemainsWhenAllFailed) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptHead{507});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_refused, false}),
              ElementsAre("record_ended c 1 refused failure 1000ms", "send_error 507 status_507"));
}

TEST_F(TwoUpstreams, TheLastAnswerIsPassedOnWhenAllFailed) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptFailed{ErrorKind::k_reset, false});
  EXPECT_THAT(x.On(2s, AttemptHead{500}), IsEmpty());
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit c"));
}

TEST_F(TwoUpstreams, AFailingAnswerIsKeptWhereTheNextUpstreamWouldRefuse) {
  for (int i = 0; i < 2; ++i)
    scene().breaker(c.value).Record(*scene().breaker(c.value).Admit(At(0s), 1s).ticket,
                                    runtime::engine::OutcomeClass::kFailure, At(0s));
  TestExchange x(scene(), 1s);
  x.Ready(1s);
  EXPECT_THAT(x.On(2s, AttemptHead{500}), IsEmpty());
  EXPECT_THAT(x.On(2s, AttemptContent{}), ElementsAre("commit a"));
}

TEST_F(TwoUpstreams, WhatMustNotBeRepeatedIsNotSentToTheSecond) {
  b[a].repeat_safe = model::RepeatSafe::kFalse;
  const model::ReplyId reply = b.Reply("sorry");
  b[route].fallback = {reply};
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptRequestSent{});
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_reset, false}),
              ElementsAre("record_move_denied a not_repeat_safe", "record_ended a 1 reset failure 2000ms", "send_reply sorry fallback reset"));
}

TEST_F(TwoUpstreams, APathOfAModelApiMayBeSentTwice) {
  b[a].repeat_safe = model::RepeatSafe::kAuto;
  for (const bool repeats : {true, false}) {
    TestExchange x(scene(), 0s);
    RequestReady ready{route};
    std::vector<model::UpstreamId> asked;
    ready.repeats_at = [&](model::UpstreamId id) {
      asked.push_back(id);
      return repeats;
    };
    EXPECT_THAT(x.On(0s, ready), ElementsAre("start a 1"));
    x.On(0s, AttemptRequestSent{});
    EXPECT_THAT(asked, IsEmpty()) << "read only where something failed";
    const Lines lines = x.On(0s, AttemptHead{500});
    EXPECT_EQ(repeats, std::count(lines.begin(), lines.end(), "start c 1") == 1) << testing::PrintToString(lines);
    EXPECT_EQ(!repeats, std::count(lines.begin(), lines.end(), "record_move_denied a not_repeat_safe") == 1) << testing::PrintToString(lines);
    EXPECT_THAT(asked, ElementsAre(a)) << "and once";
  }
}

TEST_F(TwoUpstreams, ABodyThatIsNotKeptMovesOnUntilItsFirstByteWentOut) {
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.On(0s, RequestReady{route, false, false}), ElementsAre("start a 1 fresh"));
  EXPECT_THAT(x.On(1s, AttemptFailed{ErrorKind::k_refused}), ElementsAre("record_ended a 1 refused failure 1000ms", "start c 1 fresh"));
  x.On(1s, AttemptRequestSent{});
  TestExchange sent(scene(), 2s);
  sent.On(2s, RequestReady{route, false, false});
  sent.On(2s, AttemptRequestSent{});
  EXPECT_THAT(sent.On(2s, AttemptFailed{ErrorKind::k_reset}), Contains("record_move_denied a body_too_large"));
}

class NamesRefusals : public TwoUpstreams {
 protected:
  NamesRefusals() {
    model::RetrySettings retry;
    retry.max_retries = 1;
    retry.when = b.When(expr::StatusIs(429));
    b[a].retry = b[c].retry = retry;
  }
  // Both of them refuse, each twice: what the last refusal leads to.
  Lines AllRefuse() {
    TestExchange x(scene(), 0s);
    x.Ready(0s);
    x.On(0s, AttemptHead{429, 5s});
    x.On(100ms, TimeReached{});
    EXPECT_THAT(x.On(1s, AttemptHead{429, 5s}), Contains("start c 1"));
    x.On(1s, AttemptHead{429, 7s});
    x.On(1100ms, TimeReached{});
    return x.On(2s, AttemptHead{429, 7s});
  }
};

TEST_F(NamesRefusals, TheyMoveOnAndTheLastOneIsPassedOn) {
  EXPECT_THAT(AllRefuse(), ElementsAre("record_denied c attempts_exhausted")) << "with its own Retry-After";
}

TEST_F(NamesRefusals, AFallbackAnswersThem) {
  const model::ReplyId reply = b.Reply("sorry");
  b[route].fallback = {reply};
  EXPECT_THAT(AllRefuse(), Contains("send_reply sorry fallback status_429"));
}

TEST_F(TwoUpstreams, AnAnswerThatSaysRetriesAreInVainIsNotRetried) {
  model::RetrySettings retry;
  retry.max_retries = 1;
  retry.when = b.When(expr::StatusIs(500));
  b[a].retry = retry;
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_THAT(x.On(0s, AttemptHead{500, std::nullopt, false, true}),
              ElementsAre("record_denied a x_should_retry", "abort", "record_ended a 1 status_500 failure 0ms", "start c 1"));
}

TEST_F(TwoUpstreams, ARejectedFirstUpstreamDoesNotNeedARepeat) {
  b[a].repeat_safe = b[c].repeat_safe = model::RepeatSafe::kFalse;
  for (int i = 0; i < 2; ++i)
    scene().breaker(a.value).Record(*scene().breaker(a.value).Admit(At(0s), 1s).ticket,
                                    runtime::engine::OutcomeClass::kFailure, At(0s));
  TestExchange x(scene(), 1s);
  EXPECT_THAT(x.On(1s, RequestReady{route, false, false}), ElementsAre("record_rejected a", "start c 1 fresh"));
}

TEST_F(TwoUpstreams, TheDeadlineMeansNoFurtherUpstream) {
  b[route].deadline = 5s;
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  x.On(1s, AttemptConnected{});
  EXPECT_THAT(x.On(5s, TimeReached{}),
              ElementsAre("abort", "record_ended a 1 attempt_timeout failure 5000ms", "send_error 504 deadline"));
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
  EXPECT_THAT(x.On(200ms, AttemptFailed{ErrorKind::k_refused, false}), Contains("record_retry c 1/1 wait 100ms refused"));
}

// ---- Fallbacks ------------------------------------------------------------------------------------------------------

TEST_F(OneUpstream, AMockAnswersAfterItsDelay) {
  const model::MockId mock = b.Mock("m", 300ms);
  b[route].fallback = {mock};
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_THAT(x.On(1s, AttemptFailed{ErrorKind::k_bad_response, false}),
              ElementsAre("record_ended a 1 bad_response failure 1000ms"));
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
  EXPECT_THAT(first.On(1s, AttemptEnded{}),
              ElementsAre("record_ended a 1 status_200 success 1000ms", "finish", "store answers", "end_flight answers"))
      << "stored once, though it stands in both places";
  TestExchange fresh(scene(), 5s);
  EXPECT_THAT(fresh.Ready(5s), ElementsAre("send_cached answers"));
  TestExchange stale(scene(), 20s);
  EXPECT_THAT(stale.Ready(20s), ElementsAre("start a 1"));
  EXPECT_THAT(stale.On(21s, AttemptFailed{ErrorKind::k_dns_failure, false}),
              ElementsAre("record_ended a 1 dns_failure failure 1000ms", "send_cached answers fallback dns_failure",
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
  EXPECT_THAT(x.On(0s, runtime::engine::Refused{runtime::engine::refusals::no_route}), ElementsAre("send_error 404 no_route"));
}

// ---- Cache in front -------------------------------------------------------------------------------------------------

TEST_F(CacheInFront, AnswersAreFoundUnderTheFormOfAllClientsAndUnderTheirOwn) {
  const auto ask = [&](uint8_t own) {
    TestExchange x(scene(), 0s);
    RequestReady ready{route};
    ready.answer_form = own;
    ready.shared_form = 7;
    return x.On(0s, ready);
  };
  const abi::Facts facts = TestExchange(scene(), 0s).facts;
  const auto store = [&](uint8_t form, std::chrono::nanoseconds t) {
    const model::CacheSettings& settings = scene().policy.policy.caches[cache];
    scene().objects.cache(cache)->Store(runtime::engine::CacheKey(settings, facts, form), {200, {}, "x", {}}, At(t));
  };
  EXPECT_THAT(ask(4), ElementsAre("start a 1"));
  store(4, 0s);
  EXPECT_THAT(ask(4), ElementsAre("send_cached answers"));
  EXPECT_THAT(ask(5), ElementsAre("start a 1")) << "another form";
  store(7, 0s);
  EXPECT_THAT(ask(5), ElementsAre("send_cached answers"));
}

TEST_F(CacheInFront, OnlyTheFirstOfTheSameRequestsAsksTheUpstream) {
  TestExchange leader(scene(), 0s);
  TestExchange follower(scene(), 0s);
  TestExchange other(scene(), 0s);
  other.facts.request_body = abi::Str::Of("another question");
  EXPECT_THAT(leader.Ready(0s), ElementsAre("start a 1"));
  EXPECT_THAT(follower.Ready(0s), ElementsAre("follow answers"));
  EXPECT_THAT(other.Ready(0s), ElementsAre("start a 1"));
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
  EXPECT_THAT(follower.On(1s, CacheSettled{}), ElementsAre("start a 1"));
}

TEST_F(CacheInFront, FollowersGoOnAloneWhenTheLeadersClientLeaves) {
  TestExchange leader(scene(), 0s);
  TestExchange follower(scene(), 0s);
  leader.Ready(0s);
  follower.Ready(0s);
  EXPECT_THAT(leader.On(1s, ClientGone{}),
              ElementsAre("abort", "record_ended a 1 nothing neutral 1000ms", "end_flight answers"));
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
  EXPECT_THAT(x.On(1s, AttemptEnded{}),
              ElementsAre("record_ended a 1 status_404 neutral 1000ms", "finish", "end_flight answers"));
}

}  // namespace
}  // namespace tests
