// Breakers with the rules of a policy's text: shares, percentiles, failures in a row, and an open_for that grows.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "compiler/source/source_buffer.h"
#include "runtime/engine/engine_objects.h"

namespace runtime::engine {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests

constexpr Duration kLease = 15s;
TimePoint T(Duration since_start) { return TimePoint(1h) + since_start; }

class BreakerOfText {
 public:
  explicit BreakerOfText(const std::string& rules, uint64_t seed = 0) {
    const std::string text =
        "edition 1\ngateway { listen = \"127.0.0.1:0\" }\nupstream a {\n  url = \"http://a:1\"\n  breaker {\n" + rules +
        "\n  }\n}\n";
    compiler::diagnostics::Diagnostics diagnostics;
    policy_ = compiler::CompileInterpreted(text, {}, &diagnostics);
    if (policy_ == nullptr) {
      const compiler::source::SourceBuffer source("policy", text);
      throw std::runtime_error(compiler::diagnostics::RenderAll(source, diagnostics, {}));
    }
    objects_ = std::make_unique<EngineObjects>(*policy_, seed);
  }
  Breaker& operator*() { return *objects_->breaker(compiler::model::UpstreamId(0)); }
  Breaker* operator->() { return &**this; }

  // One attempt that began and ended at t; whether it led to a transition.
  bool Attempt(Duration t, OutcomeClass outcome, Duration took = 1ms) {
    const auto ticket = (*this)->Admit(T(t), kLease).ticket;
    if (!ticket) throw std::runtime_error("rejected");
    return (*this)->Record(*ticket, outcome, T(t), took).has_value();
  }
  bool Fail(Duration t, Duration took = 1ms) { return Attempt(t, OutcomeClass::kFailure, took); }
  bool Succeed(Duration t, Duration took = 1ms) { return Attempt(t, OutcomeClass::kSuccess, took); }

  // When it lets the first probe through.
  Duration RetryAt(Duration t) { return *(*this)->Look(T(t)).retry_at - T(0s); }

 private:
  std::shared_ptr<const compiler::CompiledPolicy> policy_;
  std::unique_ptr<EngineObjects> objects_;
};

// ---- Rules ----------------------------------------------------------------------------------------------------------

TEST(BreakerRules, AShareOfFailuresOpensItOnceThereAreEnoughRequests) {
  BreakerOfText breaker("open when failure_ratio(60s) > 50% and requests(60s) >= 10");
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(breaker.Fail(1s)) << i;
  EXPECT_TRUE(breaker.Fail(1s));
}

TEST(BreakerRules, ExactlyHalfIsNotMoreThanHalf) {
  BreakerOfText breaker("open when failure_ratio(60s) > 50% and requests(60s) >= 10");
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(breaker.Succeed(1s));
    EXPECT_FALSE(breaker.Fail(1s));
  }
  EXPECT_TRUE(breaker.Fail(1s));
}

TEST(BreakerRules, NeutralOutcomesAreNoPartOfTheShare) {
  BreakerOfText breaker("open when failure_ratio(60s) >= 100% and requests(60s) >= 3");
  breaker.Fail(1s);
  breaker.Fail(1s);
  breaker.Attempt(1s, OutcomeClass::kNeutral);
  EXPECT_TRUE(breaker.Fail(1s));
}

TEST(BreakerRules, TooManySlowAttemptsOpenItAlthoughTheySucceed) {
  BreakerOfText breaker("open when slow_ratio(60s, over: 5s) >= 50% and requests(60s) >= 4");
  EXPECT_FALSE(breaker.Succeed(10s, 5s));  // as long as that is not longer
  EXPECT_FALSE(breaker.Succeed(20s, 6s));
  EXPECT_FALSE(breaker.Succeed(21s, 1s));
  EXPECT_TRUE(breaker.Succeed(30s, 9s));
}

TEST(BreakerRules, APercentileOpensIt) {
  BreakerOfText breaker("open when latency(p90, 60s) > 40s and requests(60s) >= 10");
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(breaker.Succeed(1s, 10s));
  EXPECT_FALSE(breaker.Succeed(1s, 60s));  // one in ten
  EXPECT_TRUE(breaker.Succeed(1s, 60s));   // two in eleven
}

TEST(BreakerRules, FailuresInARowAreEndedByASuccess) {
  BreakerOfText breaker("open when consecutive_failures >= 3");
  EXPECT_FALSE(breaker.Fail(1s));
  EXPECT_FALSE(breaker.Fail(1000s));
  EXPECT_FALSE(breaker.Succeed(1001s));
  EXPECT_FALSE(breaker.Fail(1002s));
  EXPECT_FALSE(breaker.Fail(1003s));
  EXPECT_FALSE(breaker.Attempt(1003s, OutcomeClass::kNeutral));
  EXPECT_TRUE(breaker.Fail(5000s));
}

TEST(BreakerRules, WhatIsOlderThanTheWindowIsForgotten) {
  BreakerOfText breaker("open when failure_ratio(60s) > 50% and requests(60s) >= 2");
  EXPECT_FALSE(breaker.Fail(0s));
  EXPECT_FALSE(breaker.Fail(61s));
  EXPECT_TRUE(breaker.Fail(62s));
}

TEST(BreakerRules, ClosingForgetsSharesToo) {
  BreakerOfText breaker("open when failure_ratio(60s) >= 50% and requests(60s) >= 2\nopen_for = 1s");
  breaker.Fail(0s);
  EXPECT_TRUE(breaker.Fail(0s));
  EXPECT_TRUE(breaker.Succeed(2s));  // the probe closes it
  EXPECT_FALSE(breaker.Fail(3s));
  EXPECT_FALSE(breaker.Attempt(3s, OutcomeClass::kNeutral));
  EXPECT_TRUE(breaker.Fail(4s));
}

TEST(BreakerRules, ASlowProbeCanBeKeptFromClosing) {
  BreakerOfText breaker(
      "open when failures(60s) >= 1\nopen_for = 1s\nclose when successes(30s) >= 1 and slow_ratio(30s, over: 2s) < "
      "50%");
  breaker.Fail(0s);
  EXPECT_FALSE(breaker.Succeed(2s, 3s));
  EXPECT_FALSE(breaker.Succeed(2s, 1s));
  EXPECT_TRUE(breaker.Succeed(2s, 1s));
}

// ---- open_for -------------------------------------------------------------------------------------------------------

constexpr const char* kGrows =
    "open when failures(60s) >= 1\nopen_for = exponential(from: 10s, factor: 2, cap: 1min)\nclose when successes(30s) "
    ">= 1";

// `open` is what it was open for, up to a tenth longer.
void ExpectOpenFor(BreakerOfText& breaker, Duration opened_at, Duration open) {
  const Duration for_time = breaker.RetryAt(opened_at) - opened_at;
  EXPECT_GE(for_time, open);
  EXPECT_LE(for_time, open + open / 10);
}

TEST(OpenFor, DoublesWhileProbesFailUpToItsCap) {
  BreakerOfText breaker(kGrows);
  Duration t = 0s;
  for (const Duration open : {10s, 20s, 40s, 60s, 60s}) {
    EXPECT_TRUE(breaker.Fail(t));
    ExpectOpenFor(breaker, t, open);
    t = breaker.RetryAt(t);
  }
}

TEST(OpenFor, IsJitteredUpwardsByATenthAtMost) {
  Duration least = 1h;
  Duration most = 0s;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    BreakerOfText breaker(kGrows, seed * 7919);
    breaker.Fail(0s);
    least = std::min(least, breaker.RetryAt(0s));
    most = std::max(most, breaker.RetryAt(0s));
  }
  EXPECT_GE(least, 10s);
  EXPECT_LT(least, 10'050ms);
  EXPECT_LE(most, 11s);
  EXPECT_GT(most, 10'950ms);
}

TEST(OpenFor, TripsSoonAfterClosingGoOnGrowing) {
  BreakerOfText breaker(kGrows);
  breaker.Fail(0s);  // 10 s
  EXPECT_TRUE(breaker.Succeed(12s));
  breaker.Fail(21s);  // closed for 9 s: shorter than it was open
  ExpectOpenFor(breaker, 21s, 20s);
}

TEST(OpenFor, HealthTakesItBackStepByStep) {
  BreakerOfText breaker(kGrows);
  Duration t = 0s;
  for (int i = 0; i < 3; ++i) {  // 10 s, 20 s, 40 s
    breaker.Fail(t);
    t = breaker.RetryAt(t);
  }
  EXPECT_TRUE(breaker.Succeed(t));  // closed at t; the next would be 60 s
  breaker.Fail(t + 41s);            // one step: 40 s
  ExpectOpenFor(breaker, t + 41s, 40s);
}

TEST(OpenFor, AfterALongHealthItBeginsAnew) {
  BreakerOfText breaker(kGrows);
  Duration t = 0s;
  for (int i = 0; i < 6; ++i) {
    breaker.Fail(t);
    t = breaker.RetryAt(t);
  }
  EXPECT_TRUE(breaker.Succeed(t));
  breaker.Fail(t + 10min);
  ExpectOpenFor(breaker, t + 10min, 10s);
}

TEST(OpenFor, AConstantNeverGrowsAndHasNoJitter) {
  BreakerOfText breaker("open when failures(60s) >= 1\nopen_for = 15s", 12345);
  Duration t = 0s;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(breaker.Fail(t));
    EXPECT_EQ(breaker.RetryAt(t), t + 15s);
    t += 15s;
  }
}

// ---- Health checks --------------------------------------------------------------------------------------------------

TEST(HealthCheckOfBreaker, BringsHalfOpenEarlierAndClosesNothing) {
  BreakerOfText breaker("open when failures(60s) >= 1\nopen_for = 60s\nclose when successes(30s) >= 1");
  breaker.Fail(0s);
  const uint64_t generation = breaker->Look(T(1s)).generation;
  EXPECT_FALSE(breaker->WouldAdmit(T(5s)));
  EXPECT_TRUE(breaker->EndOpenEarly(generation, T(5s)));
  EXPECT_FALSE(breaker->EndOpenEarly(generation, T(5s))) << "there is nothing left to end";
  EXPECT_EQ(breaker->Look(T(5s)).state, BreakerState::kHalfOpen);
  EXPECT_TRUE(breaker.Fail(6s)) << "a probe that fails opens it again";
  EXPECT_FALSE(breaker->WouldAdmit(T(7s)));
}

TEST(HealthCheckOfBreaker, SaysNothingAboutALaterOpening) {
  BreakerOfText breaker("open when failures(60s) >= 1\nopen_for = 1s\nclose when successes(30s) >= 1");
  breaker.Fail(0s);
  const uint64_t generation = breaker->Look(T(0s)).generation;  // the check begins
  breaker.Fail(2s);                                             // a probe; it opens again
  EXPECT_FALSE(breaker->EndOpenEarly(generation, T(2s)));
  EXPECT_FALSE(breaker->WouldAdmit(T(2s)));
}

TEST(HealthCheckOfBreaker, DoesNothingWhileClosed) {
  BreakerOfText breaker("open when failures(60s) >= 1");
  EXPECT_FALSE(breaker->EndOpenEarly(0, T(0s)));
  EXPECT_EQ(breaker->Look(T(0s)).state, BreakerState::kClosed);
}

}  // namespace
}  // namespace runtime::engine
