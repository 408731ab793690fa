// A client that leaves, in every state.
#include "tests/runtime/engine/machine_fixtures.h"

namespace tests {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

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
  EXPECT_THAT(x.On(18s, ClientGone{}), ElementsAre("abort", "record_ended ollama 1 nothing neutral 1000ms"));
  EXPECT_TRUE(x.done());
  EXPECT_EQ(probes(18s), 0);
  EXPECT_EQ(scene().StateAt(18s), BreakerState::kHalfOpen);
}

TEST_F(ClientGoes, WhileHeldGivesTheProbeBack) {
  OpenThenWait();
  TestExchange x(scene(), 17s);
  x.Ready(17s);
  x.On(17s, AttemptHead{200});
  EXPECT_THAT(x.On(18s, ClientGone{}), ElementsAre("abort", "record_ended ollama 1 status_200 neutral 1000ms"));
  EXPECT_EQ(probes(18s), 0);
}

TEST_F(ClientGoes, WhileCommittedGivesTheProbeBackAndKeepsItsSuccess) {
  OpenThenWait();
  TestExchange x(scene(), 17s);
  x.Ready(17s);
  x.On(17s, AttemptHead{200});
  x.On(17s, AttemptContent{});
  EXPECT_THAT(x.On(18s, ClientGone{}), ElementsAre("abort", "record_ended ollama 1 status_200 neutral 1000ms"));
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
