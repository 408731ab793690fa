// An answer that was committed and then cut, and the upstreams that are to go on with it: the state Continuing.
#include "tests/runtime/engine/machine_fixtures.h"

namespace tests {
namespace {

using runtime::engine::Continuation;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class Continuing : public testing::Test {
 protected:
  Continuing() {
    for (const char* name : {"a", "c", "d"}) {
      const model::UpstreamId id = b.Upstream(name);
      b[id].timeouts = {2s, 4s, 3s, 20s};
      b[id].on_cut = model::OnCut::kContinue;
      all.push_back(id);
    }
    route = b.Route(all);
  }
  Scene& scene() {
    if (scene_ == nullptr) scene_ = std::make_unique<Scene>(b.Build());
    return *scene_;
  }
  // Arrived at 0s; a committed its answer at 1s.
  std::unique_ptr<TestExchange> Committed(Continuation possible = Continuation::kPrefill) {
    auto x = std::make_unique<TestExchange>(scene(), 0s);
    EXPECT_THAT(x->On(0s, RequestReady{route, true, true}), ElementsAre("start a 1"));
    x->On(0s, AttemptConnected{});
    x->On(0s, AttemptRequestSent{});
    x->On(1s, AttemptHead{200});
    EXPECT_THAT(x->On(1s, AttemptContent{}), ElementsAre("commit a"));
    x->ObserveSent(possible);
    return x;
  }
  // … and was cut at 2s: c is asked to go on.
  std::unique_ptr<TestExchange> Cut() {
    auto x = Committed();
    EXPECT_THAT(x->On(2s, AttemptFailed{ErrorKind::k_truncated}),
                ElementsAre("record_ended a 1 truncated failure 2000ms", "start c 1 prefill"));
    return x;
  }
  static void TakeRequest(TestExchange& x, std::chrono::nanoseconds t) {
    x.On(t, AttemptConnected{});
    x.On(t, AttemptRequestSent{});
  }

  PolicyBuilder b;
  std::vector<model::UpstreamId> all;
  model::RouteId route;

 private:
  std::unique_ptr<Scene> scene_;
};

// It asked for nothing else meanwhile, and nobody came before it.
TEST_F(Continuing, AskedAfreshTheSameUpstreamItKeepsItsPlaceThere) {
  b[all[1]].max_in_flight = 1;
  auto x = Committed();
  EXPECT_THAT(x->On(2s, AttemptFailed{ErrorKind::k_truncated}),
              ElementsAre("record_ended a 1 truncated failure 2000ms", "record_queued c 0ms", "start c 1 prefill"));
  EXPECT_THAT(x->On(3s, AttemptHead{400}),
              ElementsAre("abort", "record_ended c 1 status_400 neutral 1000ms", "start c 2 afresh"));
  x->On(4s, AttemptHead{200});
  x->On(4s, AttemptContent{});
  EXPECT_THAT(x->On(5s, AttemptEnded{}), Contains("release_place c"));
}

// ---- Who is asked, and for what -------------------------------------------------------------------------------------

TEST_F(Continuing, TheNextUpstreamGoesOnAndTheAnswerEndsWell) {
  auto x = Cut();
  TakeRequest(*x, 2s);
  EXPECT_THAT(x->On(3s, AttemptHead{200}), IsEmpty());
  EXPECT_THAT(x->On(4s, AttemptContent{}), ElementsAre("resume c"));
  EXPECT_THAT(x->On(5s, AttemptEnded{}), ElementsAre("record_ended c 1 status_200 success 3000ms", "finish"));
  EXPECT_TRUE(x->done());
  EXPECT_EQ(x->next_deadline(), std::nullopt);
}

TEST_F(Continuing, AnAnswerThatHasNothingToAddEndsItAsWell) {
  auto x = Cut();
  x->On(3s, AttemptHead{200});
  EXPECT_THAT(x->On(3s, AttemptEnded{}),
              ElementsAre("resume c", "record_ended c 1 status_200 success 1000ms", "finish"));
}

TEST_F(Continuing, WhatCanOnlyBeSaidAgainIsAskedAfresh) {
  auto x = Committed(Continuation::kAfresh);
  EXPECT_THAT(x->On(2s, AttemptFailed{ErrorKind::k_truncated}), Contains("start c 1 afresh"));
}

TEST_F(Continuing, RestartAndUpstreamsWithoutPrefillAreAskedAfresh) {
  b[all[0]].on_cut = model::OnCut::kRestart;
  auto x = Committed();
  EXPECT_THAT(x->On(2s, AttemptFailed{ErrorKind::k_stream_error}), Contains("start c 1 afresh"));
}

TEST_F(Continuing, EachUpstreamIsAskedAsItCan) {
  b[all[1]].prefill = false;
  auto x = Committed();
  EXPECT_THAT(x->On(2s, AttemptFailed{ErrorKind::k_truncated}), Contains("start c 1 afresh"));
  EXPECT_THAT(x->On(3s, AttemptFailed{ErrorKind::k_refused}), Contains("start d 1 prefill"));
}

TEST_F(Continuing, NobodyIsAskedWhereTheAnswerCannotGoOn) {
  auto x = Committed(Continuation::kNone);
  EXPECT_THAT(x->On(2s, AttemptFailed{ErrorKind::k_truncated}),
              ElementsAre("record_ended a 1 truncated failure 2000ms", "break_off truncated"));
  EXPECT_TRUE(x->done());
}

TEST_F(Continuing, NobodyIsAskedUnlessThePolicyWantsIt) {
  b[all[0]].on_cut = model::OnCut::kError;
  auto x = Committed();
  EXPECT_THAT(x->On(2s, AttemptFailed{ErrorKind::k_truncated}), Contains("break_off truncated"));
}

TEST_F(Continuing, NobodyIsAskedWithoutTheWholeBody) {
  TestExchange x(scene(), 0s);
  x.On(0s, RequestReady{route, false, true});
  x.On(1s, AttemptHead{200});
  x.On(1s, AttemptContent{});
  x.ObserveSent(Continuation::kPrefill);
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_truncated}), Contains("break_off truncated"));
}

TEST_F(Continuing, TheFirstIsClosedBeforeTheNextIsAsked) {
  auto x = Committed();
  EXPECT_EQ(x->next_deadline(), 4s) << "idle, from the content on";
  EXPECT_THAT(x->On(4s, TimeReached{}),
              ElementsAre("abort", "record_ended a 1 idle_timeout failure 4000ms", "start c 1 prefill"));
}

// ---- Refusals --------------------------------------------------------------------------------------------------------

TEST_F(Continuing, WhoRefusesTheBeginningIsAskedAfresh) {
  auto x = Cut();
  EXPECT_THAT(x->On(3s, AttemptHead{400}),
              ElementsAre("abort", "record_ended c 1 status_400 neutral 1000ms", "start c 2 afresh"));
  x->On(4s, AttemptHead{200});
  EXPECT_THAT(x->On(4s, AttemptContent{}), ElementsAre("resume c"));
}

TEST_F(Continuing, WhoRefusesThatAsWellIsLeft) {
  auto x = Cut();
  x->On(3s, AttemptHead{422});
  EXPECT_THAT(x->On(4s, AttemptHead{422}),
              ElementsAre("abort", "record_ended c 2 status_422 neutral 1000ms", "start d 1 prefill"));
}

TEST_F(Continuing, BusyBrokenAndElsewhereAreNoRefusalsOfTheBeginning) {
  for (const int status : {429, 503, 302}) {
    auto x = Cut();
    EXPECT_THAT(x->On(3s, AttemptHead{status}), Contains("start d 1 prefill")) << status;
  }
}

TEST_F(Continuing, TheCauseOfTheCutIsReportedNotTheRefusal) {
  b[route].to = {all[0], all[1]};
  auto x = Cut();
  x->On(3s, AttemptHead{400});
  EXPECT_THAT(x->On(4s, AttemptHead{400}),
              ElementsAre("abort", "record_ended c 2 status_400 neutral 1000ms", "break_off truncated"));
  EXPECT_TRUE(x->done());
}

TEST_F(Continuing, AnAnswerThatCannotBeJoinedIsNobodysFailure) {
  b[route].to = {all[0], all[1]};
  b[all[1]].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  auto x = Cut();
  x->On(3s, AttemptHead{200});
  EXPECT_THAT(x->On(3s, AttemptFailed{ErrorKind::k_bad_response, false, true}),
              ElementsAre("record_ended c 1 bad_response neutral 1000ms", "break_off truncated"));
  EXPECT_EQ(scene().StateAt(3s, 1), BreakerState::kClosed);
}

TEST_F(Continuing, ARedirectOfWhoIsToGoOnIsNobodysFailure) {
  b[route].to = {all[0], all[1]};
  b[all[1]].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  auto x = Cut();
  EXPECT_THAT(x->On(3s, AttemptHead{302}), Contains("record_ended c 1 status_302 neutral 1000ms"));
  EXPECT_EQ(scene().StateAt(3s, 1), BreakerState::kClosed);
}

// ---- Limits ----------------------------------------------------------------------------------------------------------

TEST_F(Continuing, ConnectStrikes) {
  auto x = Cut();
  EXPECT_EQ(x->next_deadline(), 4s);
  EXPECT_THAT(x->On(4s, TimeReached{}),
              ElementsAre("abort", "record_ended c 1 connect_timeout failure 2000ms", "start d 1 prefill"));
}

TEST_F(Continuing, FirstTokenRunsAnewForTheNextUpstream) {
  auto x = Cut();
  TakeRequest(*x, 2s);
  x->On(5s, AttemptHead{200});
  EXPECT_EQ(x->next_deadline(), 6s) << "from the start of the attempt, whatever the head";
  EXPECT_THAT(x->On(6s, TimeReached{}),
              ElementsAre("abort", "record_ended c 1 first_token_timeout failure 4000ms", "start d 1 prefill"));
}

TEST_F(Continuing, IdleStrikesWhereTheSecondStandsStillAfterItsContent) {
  b[route].to = {all[0], all[1]};
  auto x = Cut();
  TakeRequest(*x, 2s);
  x->On(3s, AttemptHead{200});
  x->On(4s, AttemptContent{});
  EXPECT_EQ(x->next_deadline(), 7s);
  x->ObserveProgress(6s);
  EXPECT_EQ(x->next_deadline(), 9s);
  EXPECT_THAT(x->On(9s, TimeReached{}),
              ElementsAre("abort", "record_ended c 1 idle_timeout failure 7000ms", "break_off idle_timeout"))
      << "the second cut is what ended it";
}

TEST_F(Continuing, TheAttemptIsLimitedBeforeTheContentWhereThereIsNoFirstToken) {
  for (const model::UpstreamId id : all) b[id].timeouts.first_token.reset();
  auto x = Cut();
  TakeRequest(*x, 2s);
  x->On(3s, AttemptHead{200});
  EXPECT_EQ(x->next_deadline(), 22s);
  EXPECT_THAT(x->On(22s, TimeReached{}), Contains("record_ended c 1 attempt_timeout failure 20000ms"));
}

TEST_F(Continuing, TheDeadlineEndsItWithTheCauseOfTheCut) {
  b[route].deadline = 5s;
  auto x = Cut();
  TakeRequest(*x, 2s);
  EXPECT_EQ(x->next_deadline(), 5s);
  EXPECT_THAT(x->On(5s, TimeReached{}),
              ElementsAre("abort", "record_ended c 1 attempt_timeout neutral 3000ms", "break_off truncated"))
      << "nobody else is asked";
  EXPECT_TRUE(x->done());
}

TEST_F(Continuing, NobodyIsAskedOnceTheDeadlineIsDue) {
  b[route].deadline = 3s;
  auto x = Committed();
  EXPECT_THAT(x->On(3s, AttemptFailed{ErrorKind::k_truncated}), Contains("break_off truncated"));
}

TEST_F(Continuing, ACompleteAnswerMayLackItsEndHereToo) {
  auto x = Cut();
  TakeRequest(*x, 2s);
  x->On(3s, AttemptHead{200});
  x->On(3s, AttemptContent{});
  x->ObserveComplete(3s);
  EXPECT_EQ(x->next_deadline(), 6s) << "the end is the server's to give, as long as idle allows";
  EXPECT_THAT(x->On(6s, TimeReached{}),
              ElementsAre("abort", "record_ended c 1 status_200 success 4000ms", "finish"));
}

// ---- One after the other -----------------------------------------------------------------------------------------------

TEST_F(Continuing, TwoCutsInARowTakeThreeUpstreams) {
  auto x = Cut();
  x->On(3s, AttemptHead{200});
  EXPECT_THAT(x->On(3s, AttemptContent{}), ElementsAre("resume c"));
  EXPECT_THAT(x->On(4s, AttemptFailed{ErrorKind::k_stream_error}),
              ElementsAre("record_ended c 1 stream_error failure 2000ms", "start d 1 prefill"));
  x->On(5s, AttemptHead{200});
  EXPECT_THAT(x->On(5s, AttemptContent{}), ElementsAre("resume d"));
  EXPECT_THAT(x->On(6s, AttemptFailed{ErrorKind::k_reset}),
              ElementsAre("record_ended d 1 reset failure 2000ms", "break_off reset"))
      << "no upstream is left; the last cut is the cause";
}

TEST_F(Continuing, TheSecondCutIsForItsOwnUpstreamToDecide) {
  b[all[1]].on_cut = model::OnCut::kError;
  auto x = Cut();
  x->On(3s, AttemptHead{200});
  x->On(3s, AttemptContent{});
  EXPECT_THAT(x->On(4s, AttemptFailed{ErrorKind::k_stream_error}), Contains("break_off stream_error"));
}

TEST_F(Continuing, WhoFailsBeforeItAddsAnythingLeavesTheChoiceToTheFirst) {
  b[all[1]].on_cut = model::OnCut::kError;
  auto x = Cut();
  EXPECT_THAT(x->On(3s, AttemptFailed{ErrorKind::k_refused}), Contains("start d 1 prefill"));
  EXPECT_THAT(x->On(4s, AttemptFailed{ErrorKind::k_refused}),
              ElementsAre("record_ended d 1 refused failure 1000ms", "break_off truncated"));
}

TEST_F(Continuing, NobodyIsLeft) {
  b[route].to = {all[0]};
  auto x = Committed();
  EXPECT_THAT(x->On(2s, AttemptFailed{ErrorKind::k_truncated}),
              ElementsAre("record_ended a 1 truncated failure 2000ms", "break_off truncated"));
}

TEST_F(Continuing, BusyAndOpenUpstreamsArePassedBy) {
  b[all[1]].max_in_flight = 1;
  b[all[1]].queue = model::QueueSettings{4, 20s};
  b[all[2]].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  ASSERT_EQ(scene().limiter(1).Enter(At(0s), std::nullopt).answer, runtime::engine::Limiter::Answer::kIn);
  scene().breaker(2).Record(*scene().breaker(2).Admit(At(0s), 1s).ticket, runtime::engine::OutcomeClass::kFailure, At(0s));
  auto x = Committed();
  EXPECT_THAT(x->On(2s, AttemptFailed{ErrorKind::k_truncated}),
              ElementsAre("record_ended a 1 truncated failure 2000ms", "record_rejected d", "break_off truncated"))
      << "nobody waits in a queue in the middle of an answer";
  EXPECT_EQ(scene().limiter(1).Look().waiting, 0);
}

TEST_F(Continuing, AReuseRaceReconnectsAndStillGoesOn) {
  for (const model::UpstreamId id : all) b[id].repeat_safe = model::RepeatSafe::kTrue;
  TestExchange x(scene(), 0s);
  x.On(0s, RequestReady{route, true, true});
  x.On(1s, AttemptHead{200});
  x.On(1s, AttemptContent{});
  x.ObserveSent(Continuation::kPrefill);
  EXPECT_THAT(x.On(2s, AttemptFailed{ErrorKind::k_truncated}), Contains("start c 1 prefill"));
  EXPECT_THAT(x.On(3s, AttemptFailed{ErrorKind::k_reset, true}),
              ElementsAre("record_ended c 1 reset neutral 1000ms", "start c 1 fresh prefill"));
}

TEST_F(Continuing, PlaceAndTicketAreGivenBack) {
  b[all[1]].max_in_flight = 1;
  b[all[1]].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
  auto x = Committed();
  x->On(2s, AttemptFailed{ErrorKind::k_truncated});
  EXPECT_EQ(scene().limiter(1).Look().in_flight, 1);
  x->On(3s, AttemptHead{200});
  EXPECT_THAT(x->On(3s, AttemptContent{}), ElementsAre("resume c"));
  EXPECT_THAT(x->On(4s, AttemptEnded{}),
              ElementsAre("record_ended c 1 status_200 success 2000ms", "release_place c", "finish"));
  EXPECT_EQ(scene().limiter(1).Look().in_flight, 0);
}

TEST_F(Continuing, AClientThatLeavesStopsTheOneThatGoesOn) {
  b[all[1]].max_in_flight = 1;
  auto x = Committed();
  x->On(2s, AttemptFailed{ErrorKind::k_truncated});
  EXPECT_THAT(x->On(3s, ClientGone{}),
              ElementsAre("abort", "record_ended c 1 nothing neutral 1000ms", "release_place c"));
  EXPECT_TRUE(x->done());
  EXPECT_EQ(scene().limiter(1).Look().in_flight, 0);
}

}  // namespace
}  // namespace tests
