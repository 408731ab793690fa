// ExchangeMachine with cold_load: who begins the load, who waits, who goes elsewhere, and what an answer tells of the model.
#include "tests/runtime/engine/machine_fixtures.h"

namespace tests {
namespace {

using runtime::engine::LoadNews;
using runtime::engine::ModelLoads;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using News = ModelLoads::News;

class ColdLoad : public TwoUpstreams {
 protected:
  ColdLoad() {
    b[a].cold_load = 60s;
    b[a].timeouts = {2s, 4s, 3s, 20s};
  }
  ModelLoads& loads() { return *scene().objects.loads(a); }
  RequestReady Asking(const std::string& model = "m") {
    RequestReady ready{model::RouteId(0), true, true};
    ready.model_at = [model](model::UpstreamId) { return model; };
    return ready;
  }
  void OnlyOne() { b[route].to = {a}; }
};

TEST_F(ColdLoad, TheFirstBeginsTheLoadAndBothAskOnceItIsOver) {
  TestExchange first(scene(), 0s);
  EXPECT_THAT(first.On(0s, Asking()), ElementsAre("start_load a m", "wait_for_load a"));
  TestExchange second(scene(), 100ms);
  EXPECT_THAT(second.On(100ms, Asking()), ElementsAre("wait_for_load a"));
  loads().End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(700ms));
  EXPECT_EQ(first.wake_ups, 1);
  EXPECT_THAT(first.On(700ms, LoadNews{}), ElementsAre("record_load_wait a 700ms", "start a 1"));
  EXPECT_THAT(second.On(700ms, LoadNews{}), ElementsAre("record_load_wait a 600ms", "start a 1"));
  TestExchange third(scene(), 1s);
  EXPECT_THAT(third.On(1s, Asking()), ElementsAre("start a 1")) << "it is there";
}

TEST_F(ColdLoad, AfterASecondWhoCanBeServedElsewhereGoesThere) {
  TestExchange x(scene(), 0s);
  x.On(0s, Asking());
  EXPECT_EQ(x.next_deadline(), 1s);
  EXPECT_THAT(x.On(999ms, TimeReached{}), IsEmpty());
  EXPECT_THAT(x.On(1s, TimeReached{}), ElementsAre("stop_waiting", "record_load_wait a 1000ms in vain", "start c 1"));
  EXPECT_EQ(scene().breaker().Look(At(1s)).failure_count, 0) << "loading is no failure";
}

TEST_F(ColdLoad, WhereTheNextIsNoQuickerItStays) {
  b[c].cold_load = 60s;
  TestExchange x(scene(), 0s);
  x.On(0s, Asking());
  EXPECT_THAT(x.On(1s, TimeReached{}), IsEmpty());
  EXPECT_EQ(x.next_deadline(), 2s);
  scene().objects.loads(c)->Ask("m", At(1s));
  scene().objects.loads(c)->End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(1500ms));
  EXPECT_THAT(x.On(2s, TimeReached{}), Contains("start c 1")) << "now it is";
}

TEST_F(ColdLoad, WithoutAChoiceItWaitsForTheDeadline) {
  OnlyOne();
  b[route].deadline = 30s;
  TestExchange x(scene(), 0s);
  x.On(0s, Asking());
  EXPECT_EQ(x.next_deadline(), 30s);
  EXPECT_THAT(x.On(30s, TimeReached{}),
              ElementsAre("stop_waiting", "record_load_wait a 30000ms in vain", "send_error 504 deadline"));
}

TEST_F(ColdLoad, ALoadThatTakesTooLongLeadsToTheNextUpstreamOrAnError) {
  OnlyOne();
  TestExchange x(scene(), 0s);
  x.On(0s, Asking());
  EXPECT_EQ(x.next_deadline(), 60s);
  loads().End("m", News::kTooLong, ModelLoads::Outcome::kFailed, At(60s));
  EXPECT_THAT(x.On(60s, LoadNews{}),
              ElementsAre("record_load_wait a 60000ms in vain", "send_error 504 first_token_timeout"));
}

TEST_F(ColdLoad, WithoutNewsItGivesUpByItself) {
  OnlyOne();
  TestExchange x(scene(), 0s);
  x.On(0s, Asking());
  EXPECT_THAT(x.On(60s, TimeReached{}),
              ElementsAre("stop_waiting", "record_load_wait a 60000ms in vain", "send_error 504 first_token_timeout"));
}

TEST_F(ColdLoad, WhatTheServerSaysOfALoadEveryoneHearsForHimself) {
  TestExchange x(scene(), 0s);
  x.On(0s, Asking());
  loads().End("m", News::kOver, ModelLoads::Outcome::kFailed, At(10ms));  // refused, or 500
  EXPECT_THAT(x.On(10ms, LoadNews{}), ElementsAre("record_load_wait a 10ms", "start a 1"));
  EXPECT_THAT(x.On(20ms, AttemptFailed{ErrorKind::k_refused, false}), Contains("start c 1"));
}

TEST_F(ColdLoad, AnUpstreamThatIsLeftAloneLoadsNothing) {
  FailRequest(scene(), 0s);  // both breakers have one failure
  FailRequest(scene(), 1s);  // … and are open
  ASSERT_EQ(scene().StateAt(2s), BreakerState::kOpen);
  TestExchange x(scene(), 2s);
  EXPECT_THAT(x.On(2s, Asking()), testing::Not(Contains("start_load a m")));
}

TEST_F(ColdLoad, SilenceMakesTheNextRequestLoadAgain) {
  OnlyOne();
  loads().Ask("m", At(0s));
  loads().End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(0s));
  TestExchange x(scene(), 1s);
  EXPECT_THAT(x.On(1s, Asking()), ElementsAre("start a 1"));
  x.On(1s, AttemptConnected{});
  EXPECT_THAT(x.On(5s, TimeReached{}), Contains("record_ended a 1 first_token_timeout failure 4000ms"));
  TestExchange y(scene(), 6s);
  EXPECT_THAT(y.On(6s, Asking()), ElementsAre("start_load a m", "wait_for_load a"));
}

TEST_F(ColdLoad, ContentSaysThatTheModelIsThere) {
  OnlyOne();
  loads().Ask("m", At(0s));
  loads().End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(0s));
  TestExchange x(scene(), 4min);
  x.On(4min, Asking());
  x.Succeed(4min);
  TestExchange y(scene(), 8min);
  EXPECT_THAT(y.On(8min, Asking()), ElementsAre("start a 1"));
}

TEST_F(ColdLoad, AnErrorStatusSaysNothing) {
  OnlyOne();
  loads().Ask("m", At(0s));
  loads().End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(0s));
  TestExchange x(scene(), 4min);
  x.On(4min, Asking());
  x.On(4min, AttemptHead{404});
  x.On(4min, AttemptContent{});
  x.On(4min, AttemptEnded{});
  EXPECT_TRUE(loads().WouldWait("m", At(5min)));
}

TEST_F(ColdLoad, ARetryWaitsForNoSecondLoad) {
  OnlyOne();
  model::RetrySettings retry;
  retry.max_retries = 1;
  retry.when = b.When(expr::ErrorIn({ErrorKind::k_refused}));
  retry.wait = {100ms, 2, 1s, 0};
  b[a].retry = retry;
  TestExchange x(scene(), 0s);
  x.On(0s, Asking());
  loads().End("m", News::kOver, ModelLoads::Outcome::kFailed, At(10ms));
  x.On(10ms, LoadNews{});
  x.On(20ms, AttemptFailed{ErrorKind::k_refused, false});
  EXPECT_THAT(x.On(120ms, TimeReached{}), ElementsAre("start_load a m", "start a 2")) << "beside the load";
}

TEST_F(ColdLoad, AClientThatLeavesLeavesTheLoadAlone) {
  TestExchange x(scene(), 0s);
  x.On(0s, Asking());
  EXPECT_THAT(x.On(1ms, ClientGone{}), ElementsAre("stop_waiting", "record_load_wait a 1ms in vain"));
  TestExchange y(scene(), 2ms);
  EXPECT_THAT(y.On(2ms, Asking()), ElementsAre("wait_for_load a")) << "it is still being loaded";
  y.Destroy();
  loads().End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(1s));
  EXPECT_EQ(y.wake_ups, 0);
}

TEST_F(ColdLoad, APlaceIsTakenOnlyOnceTheModelIsThere) {
  b[a].max_in_flight = 1;
  TestExchange x(scene(), 0s);
  x.On(0s, Asking());
  EXPECT_EQ(scene().limiter().Look().in_flight, 0);
  loads().End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(1ms));
  EXPECT_THAT(x.On(1ms, LoadNews{}), ElementsAre("record_load_wait a 1ms", "record_queued a 0ms", "start a 1"));
}

TEST_F(ColdLoad, WhoAsksForNoModelWaitsForNone) {
  TestExchange x(scene(), 0s);
  EXPECT_THAT(x.On(0s, Asking("")), ElementsAre("start a 1"));
  TestExchange y(scene(), 0s);
  EXPECT_THAT(y.Ready(0s), ElementsAre("start a 1"));
}

}  // namespace
}  // namespace tests
