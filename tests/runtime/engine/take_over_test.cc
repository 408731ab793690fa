// What is known of upstreams and caches goes on under another policy, by name: each kind of state is there before and compared after, and
// what belongs to something else is not taken over.
#include <gtest/gtest.h>

#include "tests/runtime/engine/engine_scene.h"

namespace runtime::engine {
namespace {

using compiler::model::CacheId;
using compiler::model::UpstreamId;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// The objects of `next` once they have taken `before` over.
std::unique_ptr<EngineObjects> After(const EngineObjects& before, const std::string& next, Duration now = seconds(10)) {
  auto objects = std::make_unique<EngineObjects>(Policy(next));
  objects->TakeOver(before, At(now));
  return objects;
}

void Fail(Breaker* breaker, Duration at) {
  const auto admission = breaker->Admit(At(at), minutes(1));
  ASSERT_TRUE(admission.ticket);
  breaker->Record(*admission.ticket, OutcomeClass::kFailure, At(at));
}

TEST(TakeOver, AnOpenBreakerStaysOpenUnderOtherNumbersAndAtAnotherPlaceInTheFile) {
  const EngineObjects before(Policy(Upstream("a", "breaker { open when failures(60s) >= 1  open_for = 1h }")));
  Fail(before.breaker(UpstreamId(0)), seconds(1));
  ASSERT_EQ(before.breaker(UpstreamId(0))->Look(At(seconds(2))).state, BreakerState::kOpen);
  const auto after =
      After(before, Upstream("first", "") + Upstream("a", "breaker { open when failures(30s) >= 9  open_for = 5s }") +
                        "route r { to = [first, a] }\n");
  EXPECT_EQ(after->breaker(UpstreamId(0)), nullptr);
  EXPECT_EQ(after->breaker(UpstreamId(1))->Look(At(seconds(20))).state, BreakerState::kOpen);
  // Another name is another upstream.
  const auto other = After(before, Upstream("b", "breaker { open when failures(60s) >= 1 }"));
  EXPECT_EQ(other->breaker(UpstreamId(0))->Look(At(seconds(20))).state, BreakerState::kClosed);
}

// A box that has failed is replaced by another one: its breaker says nothing about that.
TEST(TakeOver, ABreakerBelongsToItsServer) {
  const std::string breaker = "breaker { open when failures(60s) >= 1  open_for = 1h }";
  const EngineObjects before(Policy(Upstream("a", breaker)));
  Fail(before.breaker(UpstreamId(0)), seconds(1));
  const auto state = [&](const std::string& url) {
    return After(before, Upstream("a", breaker, url))->breaker(UpstreamId(0))->Look(At(seconds(20))).state;
  };
  EXPECT_EQ(state("http://a:1/v1"), BreakerState::kOpen) << "another path of the same server";
  EXPECT_EQ(state("http://a:2"), BreakerState::kClosed);
  EXPECT_EQ(state("http://b:1"), BreakerState::kClosed);
  EXPECT_EQ(state("https://a:1"), BreakerState::kClosed);
  before.breaker(UpstreamId(0))->OpenByHand(At(seconds(5)), hours(1));
  EXPECT_EQ(state("http://b:1"), BreakerState::kOpen) << "an operator said so, of the upstream";
}

TEST(TakeOver, FailuresInAWindowCountOnAndTheReloadItselfTripsNothing) {
  const EngineObjects before(Policy(Upstream("a", "breaker { open when failures(60s) >= 5 }")));
  for (int i = 0; i < 3; ++i) Fail(before.breaker(UpstreamId(0)), seconds(i));
  const auto after = After(before, Upstream("a", "breaker { open when failures(90s) >= 2 }"));
  Breaker* const breaker = after->breaker(UpstreamId(0));
  EXPECT_EQ(breaker->Look(At(seconds(10))).state, BreakerState::kClosed)
      << "three are more than two, and nothing happened";
  EXPECT_EQ(breaker->Look(At(seconds(10))).failure_count, 3);
  Fail(breaker, seconds(11));
  EXPECT_EQ(breaker->Look(At(seconds(11))).state, BreakerState::kOpen) << "the next outcome counts";
}

TEST(TakeOver, AThresholdThatIsLoweredAndRaisedAgainForgetsNothing) {
  const EngineObjects first(Policy(Upstream("a", "breaker { open when failures(60s) >= 5 }")));
  for (int i = 0; i < 3; ++i) Fail(first.breaker(UpstreamId(0)), seconds(i));
  const auto low = After(first, Upstream("a", "breaker { open when failures(60s) >= 2 }"));
  const auto high = After(*low, Upstream("a", "breaker { open when failures(60s) >= 5 }"));
  EXPECT_EQ(high->breaker(UpstreamId(0))->Look(At(seconds(10))).failure_count, 3);
}

TEST(TakeOver, WhatAnOperatorSaidHolds) {
  const EngineObjects before(Policy(Upstream("a", "breaker { open when failures(60s) >= 1 }")));
  before.SetDrained(UpstreamId(0), true);
  before.breaker(UpstreamId(0))->CloseByHand(At(seconds(1)), hours(1));
  const auto after = After(before, Upstream("b", "") + Upstream("a", "breaker { open when failures(30s) >= 1 }") + "route r { to = [b, a] }\n");
  EXPECT_FALSE(after->is_drained(UpstreamId(0)));
  EXPECT_TRUE(after->is_drained(UpstreamId(1)));
  for (int i = 0; i < 3; ++i) Fail(after->breaker(UpstreamId(1)), seconds(11));
  EXPECT_EQ(after->breaker(UpstreamId(1))->Look(At(seconds(12))).state, BreakerState::kClosed) << "it is held closed";
  before.SetDrained(UpstreamId(0), false);
  EXPECT_FALSE(after->is_drained(UpstreamId(1))) << "one word for all policies that are alive";
}

TEST(TakeOver, AnAttemptThatBeganBeforeCountsAfter) {
  const EngineObjects before(Policy(Upstream("a", "breaker { open when failures(60s) >= 1 }")));
  const auto admission = before.breaker(UpstreamId(0))->Admit(At(seconds(1)), minutes(1));
  const auto after = After(before, Upstream("a", "breaker { open when failures(60s) >= 1 }"));
  before.breaker(UpstreamId(0))->Record(*admission.ticket, OutcomeClass::kFailure, At(seconds(20)));
  EXPECT_EQ(after->breaker(UpstreamId(0))->Look(At(seconds(20))).state, BreakerState::kOpen);
}

TEST(TakeOver, WhoWaitsKeepsItsPlaceAndNewPlacesAreGivenOut) {
  const EngineObjects before(Policy(Upstream("a", "max_in_flight = 1  queue { length = 8  timeout = 60s }")));
  Limiter* const limiter = before.limiter(UpstreamId(0));
  const auto holder = limiter->Enter(At(seconds(1)), std::nullopt);
  ASSERT_EQ(holder.answer, Limiter::Answer::kIn);
  int woken = 0;
  for (int i = 0; i < 3; ++i) {
    const auto waiter = limiter->Enter(At(seconds(1)), std::nullopt);
    ASSERT_EQ(waiter.answer, Limiter::Answer::kWaits);
    ASSERT_TRUE(limiter->OnNews(waiter.place, [&] { ++woken; }));
  }
  const auto after = After(before, Upstream("a", "max_in_flight = 3  queue { length = 1  timeout = 60s }"));
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(after->limiter(UpstreamId(0))->Look().in_flight, 3);
  EXPECT_EQ(after->limiter(UpstreamId(0))->Look().waiting, 1);
  EXPECT_EQ(after->limiter(UpstreamId(0))->Enter(At(seconds(11)), std::nullopt).answer, Limiter::Answer::kFull);
  // Fewer places: who has one keeps it, and nobody gets one before there are few enough.
  const auto fewer = After(*after, Upstream("a", "max_in_flight = 1  queue { length = 8  timeout = 60s }"));
  limiter->Release(holder.place, At(seconds(12)));
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(fewer->limiter(UpstreamId(0))->Look().in_flight, 2);
  EXPECT_EQ(fewer->limiter(UpstreamId(0))->Look().waiting, 1);
}

TEST(TakeOver, ABudgetKeepsWhatIsLeftOfIt) {
  const std::string retry = "retry { max_retries = 3  when status == 500  budget = ";
  const EngineObjects before(Policy(Upstream("a", retry + "20% }")));
  for (int i = 0; i < 4; ++i) before.budget(UpstreamId(0))->Take(At(seconds(i)));
  const double left = before.budget(UpstreamId(0))->balance();
  const auto after = After(before, Upstream("a", retry + "50% }"));
  EXPECT_EQ(after->budget(UpstreamId(0))->balance(), left);
  after->budget(UpstreamId(0))->Deposit();
  EXPECT_DOUBLE_EQ(after->budget(UpstreamId(0))->balance(), left + 0.5);
}

TEST(TakeOver, ACacheKeepsItsEntriesOnlyIfItsKeyIsMadeInTheSameWay) {
  const auto cache = [](const std::string& key, const std::string& more) {
    return Upstream("a", "") + "cache kept { key = " + key + "  ttl = 1h  " + more +
           " }\nroute r { to = a  cache = kept }\n";
  };
  const std::string key = "\"${request.header[\"X-A\"]} ${client.ip} ${request.json.model}\"";
  const EngineObjects before(Policy(cache(key, "")));
  for (int i = 0; i < 50; ++i) {
    before.cache(CacheId(0))->Store("k" + std::to_string(i), {200, {}, std::string(100, 'x'), {}}, At(seconds(1)));
  }
  const auto entries = [&](const std::string& next) { return After(before, next)->cache(CacheId(0))->stats().entries; };
  EXPECT_EQ(entries(cache(key, "stale = 1h")), 50u);
  EXPECT_EQ(entries(cache("\"${request.header[\"X-B\"]} ${client.ip} ${request.json.model}\"", "")), 0u)
      << "another header";
  EXPECT_EQ(entries(cache("\"${request.header[\"X-A\"]} ${client.ip} ${request.json.messages}\"", "")), 0u)
      << "another member";
  EXPECT_EQ(entries(cache(key, "shared = true")), 0u) << "for other callers";
  EXPECT_LT(entries(cache(key, "max_bytes = 2KiB")), 25u) << "a smaller one keeps the newest";
}

}  // namespace
}  // namespace runtime::engine
