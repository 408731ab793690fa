// Breaker with written-down times.
#include "runtime/engine/breaker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "base/random.h"
#include "tests/support/policy_builder.h"

namespace runtime::engine {
namespace {

using compiler::abi::WindowMeasureKind;
using tests::PolicyBuilder;
using namespace std::chrono_literals;  // NOLINT: times in tests

constexpr Duration kLease = 15s;
TimePoint T(Duration since_start) { return TimePoint(1h) + since_start; }

class BreakerTest : public testing::Test {
 protected:
  // failures(60s) >= 5 opens for 15s; three probes; successes(30s) >= 3 closes.
  void Make(WindowMeasureKind kind = WindowMeasureKind::kFailures, int probes = 3) {
    settings_ = builder_.Breaker(kind, 60s, 5, 30s, 3);
    settings_.open_for = 15s;
    settings_.probes = probes;
    Finish();
  }
  void Finish() {
    policy_ = builder_.Build();
    breaker_ = std::make_unique<Breaker>(settings_, policy_->predicates);
  }

  Ticket Admit(Duration t) {
    const Breaker::Admission admission = breaker_->Admit(T(t), kLease);
    EXPECT_TRUE(admission.ticket.has_value()) << "rejected at " << t.count();
    return admission.ticket.value_or(Ticket{});
  }
  bool IsRejected(Duration t) { return !breaker_->Admit(T(t), kLease).ticket.has_value(); }
  std::optional<BreakerTransition> Fail(Duration t) { return breaker_->Record(Admit(t), OutcomeClass::kFailure, T(t)); }
  std::optional<BreakerTransition> Succeed(Duration t) {
    return breaker_->Record(Admit(t), OutcomeClass::kSuccess, T(t));
  }
  void OpenAt(Duration t) {
    for (int i = 0; i < 5; ++i) Fail(t);
    ASSERT_EQ(Look(t).state, BreakerState::kOpen);
  }
  Breaker::Snapshot Look(Duration t) { return breaker_->Look(T(t)); }

  PolicyBuilder builder_;
  compiler::model::BreakerSettings settings_;
  std::unique_ptr<compiler::CompiledPolicy> policy_;
  std::unique_ptr<Breaker> breaker_;
};

TEST_F(BreakerTest, OpensAtTheFifthFailureAndNotBefore) {
  Make();
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(Fail(i * 1s).has_value()) << i;
  EXPECT_EQ(Look(3s).failure_count, 4);
  const auto transition = Fail(4s);
  ASSERT_TRUE(transition.has_value());
  EXPECT_EQ(transition->from, BreakerState::kClosed);
  EXPECT_EQ(transition->to, BreakerState::kOpen);
  EXPECT_EQ(transition->generation, 1u);
  EXPECT_TRUE(IsRejected(4s));
}

TEST_F(BreakerTest, FailuresThatAreAMomentTooOldDoNotCount) {
  Make();
  for (int i = 0; i < 4; ++i) Fail(0s);
  EXPECT_FALSE(Fail(60s + 1ns).has_value()) << "the first four are older than 60s";
  EXPECT_EQ(Look(60s + 1ns).failure_count, 1);
}

TEST_F(BreakerTest, AFailureExactlyAsOldAsTheWindowCounts) {
  Make();
  for (int i = 0; i < 4; ++i) Fail(0s);
  EXPECT_TRUE(Fail(60s).has_value());
}

TEST_F(BreakerTest, SuccessesDoNotEmptyTheWindow) {
  Make();
  for (int i = 0; i < 4; ++i) Fail(i * 1s);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(Succeed(5s).has_value());
  EXPECT_TRUE(Fail(6s).has_value());
}

TEST_F(BreakerTest, NeutralOutcomesCountNowhere) {
  Make();
  for (int i = 0; i < 20; ++i) breaker_->Record(Admit(1s), OutcomeClass::kNeutral, T(1s));
  EXPECT_EQ(Look(1s).failure_count, 0);
  EXPECT_EQ(Look(1s).success_count, 0);
  EXPECT_EQ(Look(1s).state, BreakerState::kClosed);
}

TEST_F(BreakerTest, FailedRequestsAreCountedApartFromAttempts) {
  Make(WindowMeasureKind::kFailedRequests);
  for (int i = 0; i < 30; ++i) EXPECT_FALSE(Fail(1s).has_value()) << "attempts open nothing";
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(breaker_->RecordFailedRequest(Admit(2s), T(2s)).has_value());
  const auto transition = breaker_->RecordFailedRequest(Admit(3s), T(3s));
  ASSERT_TRUE(transition.has_value());
  EXPECT_EQ(transition->to, BreakerState::kOpen);
  EXPECT_EQ(Look(3s).failure_count, 5);
}

TEST_F(BreakerTest, RejectionSaysWhenToComeBack) {
  Make();
  OpenAt(10s);
  const Breaker::Admission admission = breaker_->Admit(T(12s), kLease);
  EXPECT_FALSE(admission.ticket.has_value());
  EXPECT_EQ(admission.retry_at, T(25s));
  EXPECT_EQ(Look(12s).retry_at, T(25s));
}

TEST_F(BreakerTest, BecomesHalfOpenWithTheFirstRequestAfterOpenFor) {
  Make();
  OpenAt(0s);
  EXPECT_TRUE(IsRejected(15s - 1ns));
  EXPECT_FALSE(breaker_->WouldAdmit(T(15s - 1ns)));
  EXPECT_TRUE(breaker_->WouldAdmit(T(15s)));
  const Breaker::Admission admission = breaker_->Admit(T(15s), kLease);
  ASSERT_TRUE(admission.ticket.has_value());
  EXPECT_NE(admission.ticket->probe, 0u);
  ASSERT_TRUE(admission.transition.has_value());
  EXPECT_EQ(admission.transition->to, BreakerState::kHalfOpen);
  EXPECT_EQ(admission.transition->generation, 2u);
}

TEST_F(BreakerTest, HalfOpenLetsThreeProbesThroughAndNoMore) {
  Make();
  OpenAt(0s);
  const Ticket first = Admit(15s);
  Admit(15s);
  Admit(15s);
  EXPECT_TRUE(IsRejected(15s));
  EXPECT_FALSE(breaker_->WouldAdmit(T(15s)));
  EXPECT_TRUE(breaker_->WouldAdmit(T(15s), &first)) << "its own probe would be given back first";
  EXPECT_EQ(Look(15s).probes_in_flight, 3);
  breaker_->Release(first);
  EXPECT_EQ(Look(16s).probes_in_flight, 2);
  Admit(16s);
  EXPECT_TRUE(IsRejected(16s));
}

TEST_F(BreakerTest, NeutralGivesAProbeBack) {
  Make(WindowMeasureKind::kFailures, 1);
  OpenAt(0s);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(breaker_->Record(Admit(15s), OutcomeClass::kNeutral, T(15s)).has_value());
  }
  EXPECT_EQ(Look(15s).state, BreakerState::kHalfOpen);
  EXPECT_EQ(Look(15s).success_count, 0);
}

TEST_F(BreakerTest, TheFirstFailureInHalfOpenOpensAgain) {
  Make();
  OpenAt(0s);
  const Ticket a = Admit(15s);
  const Ticket b = Admit(15s);
  const auto transition = breaker_->Record(a, OutcomeClass::kFailure, T(16s));
  ASSERT_TRUE(transition.has_value());
  EXPECT_EQ(transition->from, BreakerState::kHalfOpen);
  EXPECT_EQ(transition->to, BreakerState::kOpen);
  EXPECT_EQ(Look(16s).retry_at, T(31s));
  EXPECT_FALSE(breaker_->Record(b, OutcomeClass::kSuccess, T(17s)).has_value()) << "of an older generation";
  EXPECT_EQ(Look(17s).state, BreakerState::kOpen);
}

TEST_F(BreakerTest, ClosesAfterThreeSuccessesAndStartsWithEmptyWindows) {
  Make();
  OpenAt(0s);
  EXPECT_FALSE(Succeed(15s).has_value());
  EXPECT_FALSE(Succeed(16s).has_value());
  EXPECT_EQ(Look(16s).success_count, 2);
  const auto transition = Succeed(17s);
  ASSERT_TRUE(transition.has_value());
  EXPECT_EQ(transition->to, BreakerState::kClosed);
  EXPECT_EQ(transition->generation, 3u);
  EXPECT_EQ(Look(17s).failure_count, 0);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(Fail(18s).has_value()) << "the old failures are forgotten";
  EXPECT_TRUE(Fail(18s).has_value());
}

TEST_F(BreakerTest, TheCloseRuleSeesOnlyWhatCameSinceHalfOpen) {
  Make();
  for (int i = 0; i < 20; ++i) Succeed(0s);
  OpenAt(0s);
  EXPECT_FALSE(Succeed(15s).has_value()) << "twenty successes of before are within 30s and don't count";
}

TEST_F(BreakerTest, SuccessesThatLieTooFarApartDoNotClose) {
  Make();
  OpenAt(0s);
  Succeed(15s);
  Succeed(30s);
  EXPECT_FALSE(Succeed(45s + 1ns).has_value());
  EXPECT_TRUE(Succeed(46s).has_value()) << "30s, 45s and 46s are within 30s";
}

TEST_F(BreakerTest, AProbeThatOutlivesItsLeaseCountsAsAFailure) {
  Make(WindowMeasureKind::kFailures, 1);
  OpenAt(0s);
  Admit(15s);  // never given back
  EXPECT_TRUE(IsRejected(29s));
  EXPECT_EQ(Look(29s).state, BreakerState::kHalfOpen);
  EXPECT_EQ(Look(30s).state, BreakerState::kOpen) << "as the next request will find it";
  const Breaker::Admission admission = breaker_->Admit(T(30s), kLease);
  EXPECT_FALSE(admission.ticket.has_value());
  ASSERT_TRUE(admission.transition.has_value());
  EXPECT_EQ(admission.transition->to, BreakerState::kOpen);
  EXPECT_EQ(admission.retry_at, T(45s));
  EXPECT_FALSE(IsRejected(45s)) << "it never sticks";
}

TEST_F(BreakerTest, AnotherProbesOutcomeFindsTheLeaseThatIsOver) {
  Make();
  OpenAt(0s);
  Admit(15s);  // lost
  const Ticket late = Admit(20s);
  const auto transition = breaker_->Record(late, OutcomeClass::kSuccess, T(31s));
  ASSERT_TRUE(transition.has_value());
  EXPECT_EQ(transition->to, BreakerState::kOpen);
}

TEST_F(BreakerTest, FirstContentCountsAProbeOnce) {
  Make();
  OpenAt(0s);
  Ticket a = Admit(15s);
  EXPECT_FALSE(breaker_->RecordFirstContent(&a, T(16s)).has_value());
  EXPECT_EQ(Look(16s).success_count, 1);
  EXPECT_EQ(Look(16s).probes_in_flight, 0) << "how long the rest of its answer takes is nobody's business";
  EXPECT_FALSE(breaker_->RecordFirstContent(&a, T(17s)).has_value());
  EXPECT_FALSE(breaker_->Record(a, OutcomeClass::kSuccess, T(18s)).has_value());
  EXPECT_EQ(Look(18s).success_count, 1) << "the same probe doesn't count twice";
}

TEST_F(BreakerTest, AProbeThatFailsAfterItsFirstContentOpensAgain) {
  Make();
  OpenAt(0s);
  Ticket a = Admit(15s);
  breaker_->RecordFirstContent(&a, T(16s));
  const auto transition = breaker_->Record(a, OutcomeClass::kFailure, T(17s));
  ASSERT_TRUE(transition.has_value());
  EXPECT_EQ(transition->to, BreakerState::kOpen);
}

TEST_F(BreakerTest, AProbeWhoseContentClosedTheBreakerStillCountsWhenItFails) {
  Make();
  OpenAt(0s);
  Succeed(15s);
  Succeed(15s);
  Ticket c = Admit(15s);
  const auto transition = breaker_->RecordFirstContent(&c, T(16s));
  ASSERT_TRUE(transition.has_value());
  EXPECT_EQ(transition->to, BreakerState::kClosed);
  breaker_->Record(c, OutcomeClass::kFailure, T(17s));
  EXPECT_EQ(Look(17s).failure_count, 1);
}

TEST_F(BreakerTest, FirstContentOfAnOrdinaryAttemptCountsNothing) {
  Make();
  Ticket a = Admit(1s);
  EXPECT_FALSE(breaker_->RecordFirstContent(&a, T(1s)).has_value());
  EXPECT_EQ(Look(1s).success_count, 0);
}

TEST_F(BreakerTest, OutcomesOfAnOlderGenerationAreNotCounted) {
  Make();
  std::vector<Ticket> old;
  for (int i = 0; i < 10; ++i) old.push_back(Admit(0s));
  OpenAt(0s);
  EXPECT_FALSE(breaker_->Record(old[0], OutcomeClass::kFailure, T(1s)).has_value());
  for (int i = 0; i < 3; ++i) Succeed(15s);
  ASSERT_EQ(Look(15s).state, BreakerState::kClosed);
  for (const Ticket& ticket : old) {
    EXPECT_FALSE(breaker_->Record(ticket, OutcomeClass::kFailure, T(16s)).has_value());
    EXPECT_FALSE(breaker_->RecordFailedRequest(ticket, T(16s)).has_value());
    breaker_->Release(ticket);
  }
  EXPECT_EQ(Look(16s).failure_count, 0);
}

TEST_F(BreakerTest, CountsAreKeptWhileOpenAndTheLastFailureAlways) {
  Make();
  EXPECT_FALSE(Look(0s).last_failure_time.has_value());
  Succeed(0s);
  Succeed(1s);
  OpenAt(2s);
  EXPECT_EQ(Look(2s).success_count, 2);
  EXPECT_EQ(Look(16s).failure_count, 5);
  const Breaker::Snapshot due = Look(2h);
  EXPECT_EQ(due.state, BreakerState::kHalfOpen) << "as it would be for a request now";
  EXPECT_EQ(due.failure_count, 5);
  EXPECT_EQ(due.success_count, 0);
  EXPECT_EQ(due.last_failure_time, T(2s));
}

TEST_F(BreakerTest, AnyOfSeveralOpenRulesOpens) {
  settings_ = builder_.Breaker(WindowMeasureKind::kFailures, 60s, 5, 30s, 3);
  settings_.measures.push_back({WindowMeasureKind::kFailures, 1s, 2});
  settings_.open_when.push_back(builder_.When(tests::expr::WindowAtLeast(2, 2), compiler::abi::Phase::kWindow));
  Finish();
  EXPECT_FALSE(Fail(0s).has_value());
  EXPECT_FALSE(Fail(2s).has_value());
  EXPECT_TRUE(Fail(3s).has_value()) << "two within a second";
}

TEST_F(BreakerTest, RequestsCountSuccessesAndFailures) {
  settings_ = builder_.Breaker(WindowMeasureKind::kRequests, 60s, 3, 30s, 1);
  Finish();
  EXPECT_FALSE(Succeed(0s).has_value());
  EXPECT_FALSE(Fail(0s).has_value());
  EXPECT_TRUE(Succeed(0s).has_value());
}

TEST_F(BreakerTest, FailuresAreShownWhereNoRuleCountsThem) {
  settings_ = builder_.Breaker(WindowMeasureKind::kRequests, 60s, 9, 30s, 1);
  Finish();
  Fail(0s);
  Fail(10s);
  EXPECT_EQ(Look(10s).failure_count, 2);
  EXPECT_EQ(Look(61s).failure_count, 1);
}

// Eight threads make attempts of every outcome through many openings and closings; time is one shared counter.
TEST_F(BreakerTest, StaysExactUnderEightThreads) {
  settings_ = builder_.Breaker(WindowMeasureKind::kFailures, 1s, 5, 1s, 3);
  settings_.open_for = 1ms;
  settings_.probes = 3;
  Finish();
  constexpr int kThreads = 8;
  constexpr int kAttempts = 20'000;
  std::atomic<int64_t> ticks{0};
  std::array<std::atomic<int>, 4096> out_by_generation{};
  std::atomic<bool> too_many{false};
  std::vector<std::vector<BreakerTransition>> seen(kThreads);
  std::vector<std::thread> threads;
  for (int n = 0; n < kThreads; ++n) {
    threads.emplace_back([&, n] {
      base::Random random(static_cast<uint64_t>(n) + 1);
      const auto note = [&](const std::optional<BreakerTransition>& t) {
        if (t) seen[static_cast<size_t>(n)].push_back(*t);
      };
      for (int i = 0; i < kAttempts; ++i) {
        const TimePoint now = T(ticks.fetch_add(1) * 10us);
        const Breaker::Admission admission = breaker_->Admit(now, 1h);
        note(admission.transition);
        if (!admission.ticket) continue;
        Ticket ticket = *admission.ticket;
        if (ticket.probe != 0) {
          // Counted from after Admit to before the probe is given back, and for each generation: never more than are
          // out.
          std::atomic<int>& out = out_by_generation[ticket.generation % out_by_generation.size()];
          if (out.fetch_add(1) + 1 > 3) too_many = true;
          out.fetch_sub(1);
        }
        const uint64_t dice = random.Below(10);
        if (dice == 0) {
          breaker_->Release(ticket);
        } else if (dice == 1) {
          note(breaker_->RecordFirstContent(&ticket, now));
          note(breaker_->Record(ticket, OutcomeClass::kSuccess, now));
        } else {
          note(breaker_->Record(ticket, dice < 4 ? OutcomeClass::kFailure : OutcomeClass::kSuccess, now));
        }
        const Breaker::Snapshot look = breaker_->Look(now);
        EXPECT_LE(look.probes_in_flight, 3);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  // Each generation was entered by exactly one transition, and each one begins where the one before ended.
  std::vector<BreakerTransition> all;
  for (const auto& list : seen) all.insert(all.end(), list.begin(), list.end());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.generation < b.generation; });
  ASSERT_GT(all.size(), 30u) << "the run must open and close often to show anything";
  BreakerState state = BreakerState::kClosed;
  for (size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i].generation, i + 1);
    ASSERT_EQ(all[i].from, state) << "generation " << i + 1;
    state = all[i].to;
  }
  EXPECT_EQ(breaker_->Look(T(ticks.load() * 10us)).generation, all.size());
  EXPECT_FALSE(too_many.load());
}

// ---- Neutral outcomes, rest, Retry-After ------------------------------------------------------------------------------

TEST_F(BreakerTest, AnswersThatAreNoFaultOfTheServersCloseHalfOpenInTime) {
  Make(WindowMeasureKind::kFailures, 1);
  OpenAt(0s);
  Breaker::Said life;
  life.shows_life = true;
  EXPECT_EQ(breaker_->Record(Admit(15s), OutcomeClass::kNeutral, T(15s), {}, life), std::nullopt) << "it lets the next one in";
  EXPECT_EQ(breaker_->Record(Admit(29s), OutcomeClass::kNeutral, T(29s), {}, life), std::nullopt);
  EXPECT_EQ(breaker_->Record(Admit(31s), OutcomeClass::kNeutral, T(31s)), std::nullopt) << "a 429 shows nothing";
  const auto closed = breaker_->Record(Admit(31s), OutcomeClass::kNeutral, T(31s), {}, life);
  ASSERT_TRUE(closed.has_value()) << "half-open for as long as it was open, without a failure";
  EXPECT_EQ(closed->to, BreakerState::kClosed);
}

TEST_F(BreakerTest, RestsWhereItIsAskedToAndProbesAfterwards) {
  Make();
  Breaker::Said rest;
  rest.wants_rest = true;
  const auto transition = breaker_->Record(Admit(0s), OutcomeClass::kNeutral, T(0s), {}, rest);
  ASSERT_TRUE(transition.has_value());
  EXPECT_EQ(transition->to, BreakerState::kResting);
  EXPECT_EQ(Look(1s).state, BreakerState::kResting);
  EXPECT_EQ(Look(1s).last_failure_time, std::nullopt);
  EXPECT_FALSE(breaker_->WouldAdmit(T(14s)));
  EXPECT_TRUE(IsRejected(14s));
  const Breaker::Admission probe = breaker_->Admit(T(15s), kLease);
  ASSERT_TRUE(probe.transition.has_value());
  EXPECT_EQ(probe.transition->from, BreakerState::kResting);
  EXPECT_EQ(probe.transition->to, BreakerState::kHalfOpen);
  const auto again = breaker_->Record(*probe.ticket, OutcomeClass::kNeutral, T(16s), {}, rest);
  EXPECT_EQ(again->to, BreakerState::kResting);
}

TEST_F(BreakerTest, IsOpenAsLongAsTheLastFailureAsked) {
  settings_ = builder_.Breaker(WindowMeasureKind::kFailures, 60s, 1, 30s, 3);
  settings_.open_for = 15s;
  settings_.open_for.cap = 5min;
  settings_.open_for.by_retry_after = true;
  Finish();
  const auto fail = [&](Duration t, std::optional<Duration> asked) {
    Breaker::Said said;
    said.retry_after = asked;
    breaker_->Record(Admit(t), OutcomeClass::kFailure, T(t), {}, said);
    return *Look(t).retry_at - T(t);
  };
  EXPECT_EQ(fail(0s, 60s), 60s);
  EXPECT_EQ(fail(60s, std::nullopt), 15s) << "it did not say";
  EXPECT_EQ(fail(75s, 1h), 5min) << "the cap";
}

TEST_F(BreakerTest, WhatMayNotProbeIsLetThroughWhileClosedOnly) {
  Make();
  EXPECT_TRUE(breaker_->Admit(T(0s), kLease, false).ticket.has_value());
  OpenAt(0s);
  EXPECT_FALSE(breaker_->WouldAdmit(T(15s), nullptr, false));
  EXPECT_FALSE(breaker_->Admit(T(15s), kLease, false).ticket.has_value());
  EXPECT_EQ(Look(14s).state, BreakerState::kOpen) << "it begins no half-open either";
  Admit(15s);
  EXPECT_FALSE(breaker_->Admit(T(15s), kLease, false).ticket.has_value());
}

TEST_F(BreakerTest, AProbeIsGivenBackWithItsFirstContent) {
  Make(WindowMeasureKind::kFailures, 1);
  OpenAt(0s);
  Ticket probe = Admit(15s);
  EXPECT_TRUE(IsRejected(16s));
  EXPECT_EQ(breaker_->RecordFirstContent(&probe, T(17s)), std::nullopt);
  EXPECT_EQ(Look(17s).probes_in_flight, 0);
  EXPECT_FALSE(IsRejected(17s));
  EXPECT_EQ(breaker_->Record(probe, OutcomeClass::kSuccess, T(20s)), std::nullopt) << "counted once";
}

}  // namespace
}  // namespace runtime::engine
