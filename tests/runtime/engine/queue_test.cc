// ExchangeMachine with max_in_flight and a queue: who waits, who moves on, when a place is given back.
#include "tests/runtime/engine/machine_fixtures.h"

namespace tests {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class OnePlace : public TwoUpstreams {
 protected:
  OnePlace() {
    b[a].max_in_flight = 1;
    b[a].queue = model::QueueSettings{2, 5s};
  }
};

TEST_F(OnePlace, TheSecondRequestWaitsForTheFirst) {
  TestExchange first(scene(), 0ms);
  EXPECT_THAT(first.Ready(0ms), ElementsAre("record_queued a 0ms", "start a 1"));
  TestExchange second(scene(), 10ms);
  EXPECT_THAT(second.Ready(10ms), ElementsAre("wait_for_place a"));
  EXPECT_EQ(second.next_deadline(), 5010ms);
  first.On(20ms, AttemptHead{200});
  first.On(20ms, AttemptContent{});
  EXPECT_EQ(second.wake_ups, 0);
  // The place is free when the answer is complete.
  EXPECT_THAT(first.On(30ms, AttemptEnded{}),
              ElementsAre("record_ended a 1 status_200 success 30ms", "release_place a", "finish"));
  EXPECT_EQ(second.wake_ups, 1);
  EXPECT_THAT(second.On(31ms, PlaceNews{}), ElementsAre("record_queued a 21ms", "start a 1"));
}

TEST_F(OnePlace, APlaceIsFreeOnceTheConnectionIsClosed) {
  TestExchange first(scene(), 0ms);
  first.Ready(0ms);
  TestExchange second(scene(), 0ms);
  second.Ready(0ms);
  // The client is gone: the upstream's connection is closed first, then the place given back.
  EXPECT_THAT(first.On(10ms, ClientGone{}),
              ElementsAre("abort", "record_ended a 1 nothing neutral 10ms", "release_place a"));
  EXPECT_EQ(second.wake_ups, 1);
}

TEST_F(OnePlace, AFullQueueLeadsToTheNextUpstream) {
  TestExchange first(scene(), 0ms);
  first.Ready(0ms);
  TestExchange second(scene(), 0ms);
  second.Ready(0ms);
  TestExchange third(scene(), 0ms);
  third.Ready(0ms);
  TestExchange fourth(scene(), 0ms);
  EXPECT_THAT(fourth.Ready(0ms), ElementsAre("record_queued a 0ms queue_full", "start c 1"));
  EXPECT_EQ(scene().breaker().Look(At(0ms)).failure_count, 0);
}

TEST_F(OnePlace, TheQueuesTimeoutLeadsToTheNextUpstream) {
  TestExchange first(scene(), 0ms);
  first.Ready(0ms);
  TestExchange second(scene(), 0ms);
  second.Ready(0ms);
  EXPECT_THAT(second.On(4999ms, TimeReached{}), IsEmpty());
  EXPECT_THAT(second.On(5000ms, TimeReached{}),
              ElementsAre("stop_waiting", "record_queued a 5000ms queue_timeout", "start c 1"));
  EXPECT_EQ(scene().limiter().Look().waiting, 0);
}

TEST_F(OnePlace, WithoutAnythingElseTheClientHearsWhenToComeBack) {
  b[route].to = {a};
  b[a].queue.reset();
  TestExchange slow(scene(), 0ms);
  slow.Ready(0ms);
  slow.Succeed(4s);
  TestExchange first(scene(), 4s);
  first.Ready(4s);
  TestExchange second(scene(), 4s);
  EXPECT_THAT(second.Ready(4s),
              ElementsAre("record_queued a 0ms queue_full", "send_error 503 queue_full retry_after 4000ms"));
}

TEST_F(OnePlace, WhoseTurnComesTooLateIsRefusedAtOnce) {
  b[route].to = {a};
  b[route].deadline = 3s;
  TestExchange slow(scene(), 0ms);
  slow.Ready(0ms);
  slow.Succeed(2900ms);  // the pace
  TestExchange first(scene(), 3s);
  first.Ready(3s);
  TestExchange second(scene(), 3s);
  EXPECT_THAT(second.Ready(3s), ElementsAre("wait_for_place a"));  // 2.9 s of 3 s
  TestExchange third(scene(), 3s);
  EXPECT_THAT(third.Ready(3s),
              ElementsAre("record_queued a 0ms queue_timeout", "send_error 503 queue_timeout retry_after 5800ms"));
}

TEST_F(OnePlace, TheDeadlineEndsTheWait) {
  b[route].deadline = 1s;
  TestExchange first(scene(), 500ms);
  first.Ready(500ms);
  TestExchange second(scene(), 0ms);
  second.Ready(600ms);
  EXPECT_EQ(second.next_deadline(), 1000ms);
  EXPECT_THAT(second.On(1000ms, TimeReached{}),
              ElementsAre("stop_waiting", "record_queued a 400ms", "send_error 504 deadline"));
  EXPECT_EQ(scene().limiter().Look().waiting, 0);
}

// Found by the simulation.
TEST_F(OnePlace, NewsThatComeAfterTheDeadlineStartNothing) {
  b[route].deadline = 1s;
  TestExchange first(scene(), 500ms);
  first.Ready(500ms);
  TestExchange second(scene(), 0ms);
  second.Ready(600ms);
  first.Succeed(999ms);
  EXPECT_EQ(second.wake_ups, 1);
  EXPECT_THAT(second.On(1001ms, PlaceNews{}),
              ElementsAre("stop_waiting", "record_queued a 401ms", "send_error 504 deadline"));
  EXPECT_EQ(scene().limiter().Look().in_flight, 0);
}

TEST_F(OnePlace, AClientThatLeavesLosesItsPlaceAtOnce) {
  TestExchange first(scene(), 0ms);
  first.Ready(0ms);
  TestExchange second(scene(), 0ms);
  second.Ready(0ms);
  TestExchange third(scene(), 0ms);
  third.Ready(0ms);
  EXPECT_THAT(second.On(10ms, ClientGone{}), ElementsAre("stop_waiting", "record_queued a 10ms"));
  EXPECT_TRUE(second.done());
  first.Succeed(20ms);
  EXPECT_EQ(second.wake_ups, 0);
  EXPECT_EQ(third.wake_ups, 1);
}

TEST_F(OnePlace, APlaceThatWasGivenToSomebodyWhoIsGoneGoesOn) {
  TestExchange first(scene(), 0ms);
  first.Ready(0ms);
  TestExchange second(scene(), 0ms);
  second.Ready(0ms);
  TestExchange third(scene(), 0ms);
  third.Ready(0ms);
  first.Succeed(20ms);
  EXPECT_EQ(second.wake_ups, 1);
  second.On(21ms, ClientGone{});  // before it heard the news
  EXPECT_EQ(third.wake_ups, 1);
  EXPECT_THAT(third.On(22ms, PlaceNews{}), ElementsAre("record_queued a 22ms", "start a 1"));
}

TEST_F(OnePlace, AWaiterMovesOnWhenTheBreakerOpens) {
  TestExchange failing(scene(), 0ms);
  failing.Ready(0ms);
  failing.On(1ms, AttemptFailed{ErrorKind::k_refused, false});  // goes on to c
  TestExchange first(scene(), 0ms);
  first.Ready(2ms);
  TestExchange second(scene(), 0ms);
  second.Ready(3ms);
  TestExchange third(scene(), 0ms);
  third.Ready(3ms);
  first.On(4ms, AttemptFailed{ErrorKind::k_refused, false});  // the second failure: open
  EXPECT_EQ(scene().StateAt(4ms), BreakerState::kOpen);
  EXPECT_EQ(second.wake_ups, 1);
  EXPECT_EQ(third.wake_ups, 1);
  // It had got the place meanwhile, and gives it back.
  EXPECT_THAT(second.On(5ms, PlaceNews{}), ElementsAre("record_queued a 2ms", "record_rejected a", "start c 1"));
  EXPECT_THAT(third.On(5ms, PlaceNews{}), ElementsAre("record_queued a 2ms", "record_rejected a", "start c 1"));
  EXPECT_EQ(scene().limiter().Look().in_flight, 0);
  EXPECT_EQ(scene().limiter().Look().waiting, 0);
}

TEST_F(OnePlace, AnOpenBreakerIsAskedBeforeTheQueue) {
  for (int i = 0; i < 2; ++i) {
    TestExchange failing(scene(), 0ms);
    failing.Ready(0ms);
    failing.On(1ms, AttemptFailed{ErrorKind::k_refused, false});
  }
  TestExchange next(scene(), 2ms);
  EXPECT_THAT(next.Ready(2ms), ElementsAre("record_rejected a", "start c 1"));
}

TEST_F(OnePlace, NewsWithoutAPlaceLetsItWaitOn) {
  TestExchange first(scene(), 0ms);
  first.Ready(0ms);
  TestExchange second(scene(), 0ms);
  second.Ready(0ms);
  EXPECT_THAT(second.On(1ms, PlaceNews{}), ElementsAre("wait_for_place a"));
  first.Succeed(2ms);
  EXPECT_THAT(second.On(3ms, PlaceNews{}), ElementsAre("record_queued a 3ms", "start a 1"));
}

TEST_F(OnePlace, ARetryGivesItsPlaceBackAndQueuesUpAnew) {
  model::RetrySettings retry;
  retry.max_retries = 1;
  retry.when = b.When(expr::Status5xx());
  retry.wait = {100ms, 2, 1s, 0};
  b[a].retry = retry;
  TestExchange first(scene(), 0ms);
  first.Ready(0ms);
  TestExchange second(scene(), 0ms);
  second.Ready(0ms);
  EXPECT_THAT(first.On(10ms, AttemptHead{500}),
              ElementsAre("abort", "record_ended a 1 status_500 failure 10ms", "release_place a",
                          "record_retry a 1/1 wait 100ms status_500"));
  EXPECT_THAT(second.On(10ms, PlaceNews{}), ElementsAre("record_queued a 10ms", "start a 1"));
  EXPECT_THAT(first.On(110ms, TimeReached{}), ElementsAre("wait_for_place a"));
  second.Succeed(120ms);
  EXPECT_THAT(first.On(121ms, PlaceNews{}), ElementsAre("record_queued a 11ms", "start a 2"));
}

TEST_F(OnePlace, AMachineThatIsDestroyedGivesBackWhatItHolds) {
  TestExchange first(scene(), 0ms);
  first.Ready(0ms);
  TestExchange second(scene(), 0ms);
  second.Ready(0ms);
  TestExchange third(scene(), 0ms);
  third.Ready(0ms);
  second.Destroy();
  first.Destroy();
  EXPECT_EQ(third.wake_ups, 1);
  third.Destroy();
  EXPECT_EQ(scene().limiter().Look().in_flight, 0);
  EXPECT_EQ(scene().limiter().Look().waiting, 0);
}

// A failing answer is let go of only if somebody else can answer: a full upstream can't.
TEST_F(OnePlace, AFullNextUpstreamIsNobodyToGoOnTo) {
  b[a].max_in_flight.reset();
  b[a].queue.reset();
  b[c].max_in_flight = 1;
  TestExchange holder(scene(), 0ms);
  scene().limiter(1).Enter(At(0ms), std::nullopt);
  holder.Ready(0ms);
  EXPECT_THAT(holder.On(1ms, AttemptHead{500}), IsEmpty());
  EXPECT_THAT(holder.On(2ms, AttemptContent{}), ElementsAre("commit a"));
}

}  // namespace
}  // namespace tests
