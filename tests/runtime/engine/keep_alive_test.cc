// What is sent to a client that waits for the first content of a stream (route.keep_alive).
#include "tests/runtime/engine/machine_fixtures.h"

namespace tests {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class KeepAlive : public OneUpstream {
 protected:
  KeepAlive() {
    b[a].timeouts = {2s, std::nullopt, 30s, 60s};
    b[route].keep_alive = 3s;
  }
  RequestReady Stream() {
    RequestReady ready{model::RouteId(0), true, true};
    ready.takes_keep_alive = true;
    return ready;
  }
};

TEST_F(KeepAlive, ComesEachTimeThatTheClientHasWaited) {
  TestExchange x(scene(), 0s);
  x.On(0s, Stream());
  x.On(1s, AttemptConnected{});
  for (const auto t : {3s, 6s, 9s}) {
    EXPECT_EQ(x.next_deadline(), t);
    EXPECT_THAT(x.On(t - 1ms, TimeReached{}), IsEmpty()) << "woken early";
    EXPECT_THAT(x.On(t, TimeReached{}), ElementsAre("keep_alive"));
  }
  x.On(10s, AttemptHead{200});
  EXPECT_THAT(x.On(12s, TimeReached{}), ElementsAre("keep_alive")) << "a head is no content";
  EXPECT_THAT(x.On(13s, AttemptContent{}), ElementsAre("commit a"));
  EXPECT_EQ(x.next_deadline(), 43s) << "idle: the client has its answer";
  EXPECT_THAT(x.On(15s, TimeReached{}), IsEmpty());
}

TEST_F(KeepAlive, ComesNotToClientsThatCantTakeIt) {
  TestExchange x(scene(), 0s);
  x.Ready(0s);
  EXPECT_EQ(x.next_deadline(), 2s);
  x.On(1s, AttemptConnected{});
  EXPECT_EQ(x.next_deadline(), 60s);
}

TEST_F(KeepAlive, GoesOnThroughBackOffAndTheNextAttempt) {
  b[a].retry->wait = {5s, 1, 5s, 0};
  b[a].repeat_safe = model::RepeatSafe::kTrue;
  TestExchange x(scene(), 0s);
  x.On(0s, Stream());
  x.On(1s, AttemptFailed{ErrorKind::k_refused, false});
  EXPECT_EQ(x.next_deadline(), 3s);
  EXPECT_THAT(x.On(3s, TimeReached{}), ElementsAre("keep_alive")) << "and the wait goes on";
  EXPECT_EQ(x.next_deadline(), 6s);
  EXPECT_THAT(x.On(6s, TimeReached{}), ElementsAre("start a 2", "keep_alive"));
  EXPECT_THAT(x.On(7s, AttemptFailed{ErrorKind::k_refused, false}), Contains("send_error 502 refused"));
  EXPECT_EQ(x.next_deadline(), std::nullopt);
}

TEST_F(KeepAlive, IsNotSentInTheMomentInWhichTheWaitEnds) {
  b[route].deadline = 3s;
  TestExchange x(scene(), 0s);
  x.On(0s, Stream());
  x.On(1s, AttemptConnected{});
  EXPECT_THAT(x.On(3s, TimeReached{}), Not(Contains("keep_alive"))) << "the true status can still be told";
  EXPECT_TRUE(x.done());
}

TEST_F(KeepAlive, ComesInTheQueueToo) {
  b[a].max_in_flight = 1;
  b[a].queue = model::QueueSettings{4, 20s};
  TestExchange first(scene(), 0s);
  first.Ready(0s);
  TestExchange x(scene(), 0s);
  x.On(0s, Stream());
  EXPECT_EQ(x.next_deadline(), 3s);
  EXPECT_THAT(x.On(3s, TimeReached{}), ElementsAre("keep_alive"));
  EXPECT_EQ(x.next_deadline(), 6s);
}

TEST_F(CacheInFront, FollowersAreKeptAliveToo) {
  b[route].keep_alive = 3s;
  TestExchange leader(scene(), 0s);
  TestExchange follower(scene(), 0s);
  leader.Ready(0s);
  RequestReady ready{model::RouteId(0), true, true};
  ready.takes_keep_alive = true;
  follower.On(0s, ready);
  EXPECT_THAT(follower.On(3s, TimeReached{}), ElementsAre("keep_alive"));
}

}  // namespace
}  // namespace tests
