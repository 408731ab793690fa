// What outlives a process: each kind of knowledge is there before and compared after, under the same settings and others, on a clock that went
// on and on one that began anew. Text that is damaged, foreign or impossible is refused whole, whatever its bytes.
#include <gtest/gtest.h>

#include <functional>
#include <iterator>
#include <limits>
#include <utility>

#include "base/digest.h"
#include "base/random.h"
#include "tests/runtime/engine/engine_scene.h"

namespace runtime::engine {
namespace {

using compiler::model::UpstreamId;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr UpstreamId kFirst(0);

// Another process, `later` on a clock that is `shift` behind, has read what the first one wrote.
std::unique_ptr<EngineObjects> Next(const EngineObjects& before, const std::string& policy, TimePoint now,
                                    Duration shift = {}) {
  auto kept = DecodeKept(EncodeKept(before.Keep()));
  EXPECT_TRUE(kept);
  ShiftTimes(&*kept, shift);
  auto objects = std::make_unique<EngineObjects>(Policy(policy));
  objects->Restore(*kept, now);
  return objects;
}

std::optional<BreakerTransition> Fail(Breaker* breaker, TimePoint at, Duration took = {}) {
  const auto admission = breaker->Admit(at, minutes(1));
  return admission.ticket ? breaker->Record(*admission.ticket, OutcomeClass::kFailure, at, took) : std::nullopt;
}

const std::string kBreaker = "breaker { open when failures(60s) >= 3  open_for = 2min }";

TEST(KeptState, AnOpenBreakerStaysOpenForTheRestOfItsTime) {
  const std::string policy = Upstream("a", kBreaker);
  const EngineObjects before(Policy(policy));
  for (int i = 0; i < 3; ++i) Fail(before.breaker(kFirst), At(seconds(i)));
  const auto was = before.breaker(kFirst)->Look(At(seconds(10)));
  ASSERT_EQ(was.state, BreakerState::kOpen);
  const auto after = Next(before, policy, At(seconds(10)));
  const auto is = after->breaker(kFirst)->Look(At(seconds(10)));
  EXPECT_EQ(is.state, BreakerState::kOpen);
  EXPECT_EQ(is.retry_at, was.retry_at);
  EXPECT_EQ(is.failure_count, was.failure_count);
  EXPECT_EQ(is.last_failure_time, was.last_failure_time);
  EXPECT_EQ(is.generation, was.generation);
  EXPECT_FALSE(after->breaker(kFirst)->Admit(At(seconds(121)), minutes(1)).ticket);
  EXPECT_TRUE(after->breaker(kFirst)->Admit(At(seconds(122)), minutes(1)).ticket)
      << "two minutes after the third failure";
}

TEST(KeptState, AClockThatBeganAnewMeansTheSameTimes) {
  const std::string policy = Upstream("a", kBreaker);
  const EngineObjects before(Policy(policy));
  for (int i = 0; i < 3; ++i) Fail(before.breaker(kFirst), At(seconds(i)));
  // The machine has started again: its clock says 5 s, and 20 s have passed since second 2.
  const TimePoint now = TimePoint(seconds(5));
  const auto after = Next(before, policy, now, now - At(seconds(22)));
  EXPECT_EQ(after->breaker(kFirst)->Look(now).state, BreakerState::kOpen);
  EXPECT_EQ(after->breaker(kFirst)->Look(now).retry_at, now + seconds(100));
}

TEST(KeptState, FailuresInAWindowCountOnAndTheRestartItselfTripsNothing) {
  const EngineObjects before(Policy(Upstream("a", kBreaker)));
  for (int i = 0; i < 2; ++i) Fail(before.breaker(kFirst), At(seconds(i)));
  const auto after =
      Next(before, Upstream("a", "breaker { open when failures(90s) >= 2  open_for = 1h }"), At(seconds(5)));
  EXPECT_EQ(after->breaker(kFirst)->Look(At(seconds(5))).state, BreakerState::kClosed) << "the threshold was lowered";
  EXPECT_EQ(after->breaker(kFirst)->Look(At(seconds(5))).failure_count, 2);
  EXPECT_TRUE(Fail(after->breaker(kFirst), At(seconds(6))));
  const auto late = Next(before, Upstream("a", kBreaker), At(seconds(70)));
  EXPECT_EQ(late->breaker(kFirst)->Look(At(seconds(70))).failure_count, 0) << "they are out of the window";
}

TEST(KeptState, HalfOpenBeginsAnewWithFreeProbes) {
  const std::string policy = Upstream("a", kBreaker);
  const EngineObjects before(Policy(policy));
  for (int i = 0; i < 3; ++i) Fail(before.breaker(kFirst), At(seconds(i)));
  ASSERT_TRUE(before.breaker(kFirst)->Admit(At(minutes(3)), hours(1)).ticket);
  ASSERT_FALSE(before.breaker(kFirst)->Admit(At(minutes(3)), hours(1)).ticket) << "its one probe is under way";
  const auto after = Next(before, policy, At(minutes(4)));
  EXPECT_EQ(after->breaker(kFirst)->Look(At(minutes(4))).state, BreakerState::kHalfOpen);
  EXPECT_TRUE(after->breaker(kFirst)->Admit(At(minutes(4)), hours(1)).ticket) << "who made that probe is gone";
}

TEST(KeptState, WhatGrewGoesOnGrowing) {
  const std::string policy = Upstream(
      "a", "breaker { open when consecutive_failures >= 1  open_for = exponential(from: 10s, factor: 2, cap: 1h) }");
  const EngineObjects before(Policy(policy));
  Fail(before.breaker(kFirst), At(seconds(0)));
  Fail(before.breaker(kFirst), At(seconds(20)));  // a probe
  const auto after = Next(before, policy, At(seconds(50)));
  const auto opened = Fail(after->breaker(kFirst), At(seconds(60)));
  ASSERT_TRUE(opened);
  EXPECT_GE(opened->open_for, seconds(40));
}

TEST(KeptState, WhatAnOperatorSaidHolds) {
  const std::string policy = Upstream("a", kBreaker) + Upstream("b", kBreaker) + "route all { to = [a, b] }\n";
  const EngineObjects before(Policy(policy));
  before.SetDrained(UpstreamId(1), true);
  before.breaker(kFirst)->CloseByHand(At(seconds(0)), hours(1));
  before.breaker(UpstreamId(1))->OpenByHand(At(seconds(0)), hours(1));
  const auto after = Next(before, policy, At(minutes(30)));
  EXPECT_FALSE(after->is_drained(kFirst));
  EXPECT_TRUE(after->is_drained(UpstreamId(1)));
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(Fail(after->breaker(kFirst), At(minutes(31)))) << "it is held closed";
  EXPECT_FALSE(after->breaker(UpstreamId(1))
                   ->EndOpenEarly(after->breaker(UpstreamId(1))->Look(At(minutes(31))).generation, At(minutes(31))));
  EXPECT_FALSE(after->breaker(UpstreamId(1))->WouldAdmit(At(minutes(59))));
  EXPECT_TRUE(after->breaker(UpstreamId(1))->WouldAdmit(At(minutes(61))));
}

TEST(KeptState, ABudgetKeepsWhatIsLeftOfIt) {
  const std::string policy = Upstream("a", "retry { max_retries = 3  when status == 500  budget = 20% }");
  const EngineObjects before(Policy(policy));
  for (int i = 0; i < 10; ++i) before.budget(kFirst)->Take(At(milliseconds(i)));
  before.budget(kFirst)->Deposit();
  const auto after = Next(before, policy, At(milliseconds(20)));
  EXPECT_DOUBLE_EQ(after->budget(kFirst)->balance(), 0.2);
  EXPECT_FALSE(after->budget(kFirst)->WouldAllow(At(milliseconds(900)))) << "the one a second has been taken, too";
  EXPECT_TRUE(after->budget(kFirst)->WouldAllow(At(milliseconds(1010))));
}

TEST(KeptState, ThePaceOfAQueueAndTheModelsThatAreThere) {
  const std::string policy = Upstream("a", "max_in_flight = 2  queue { length = 4  timeout = 60s }  cold_load = 5min");
  const EngineObjects before(Policy(policy));
  const auto place = before.limiter(kFirst)->Enter(At(seconds(0)), std::nullopt);
  before.limiter(kFirst)->Release(place.place, At(seconds(8)));
  before.loads(kFirst)->ObserveLoaded("qwen3:32b", At(seconds(9)));
  const auto after = Next(before, policy, At(seconds(20)));
  EXPECT_EQ(after->limiter(kFirst)->Look().service_time, seconds(8));
  EXPECT_EQ(after->limiter(kFirst)->Look().in_flight, 0);
  EXPECT_EQ(after->loads(kFirst)->Warm(At(seconds(20))), std::vector<std::string>{"qwen3:32b"});
  const auto elsewhere = Next(before, Upstream("a", "cold_load = 5min", "http://b:1"), At(seconds(20)));
  EXPECT_TRUE(elsewhere->loads(kFirst)->Warm(At(seconds(20))).empty()) << "another server has models of its own";
}

// As people ask of HAProxy's state file: what the policy says now goes before what was known of another server.
TEST(KeptState, ABreakerBelongsToItsServer) {
  const EngineObjects before(Policy(Upstream("a", kBreaker)));
  for (int i = 0; i < 3; ++i) Fail(before.breaker(kFirst), At(seconds(i)));
  for (const char* url : {"http://a:2", "http://b:1", "https://a:1"}) {
    const auto after = Next(before, Upstream("a", kBreaker, url), At(seconds(9)));
    EXPECT_EQ(after->breaker(kFirst)->Look(At(seconds(9))).state, BreakerState::kClosed) << url;
  }
  before.breaker(kFirst)->OpenByHand(At(seconds(5)), hours(1));
  const auto held = Next(before, Upstream("a", kBreaker, "http://b:1"), At(seconds(9)));
  EXPECT_EQ(held->breaker(kFirst)->Look(At(seconds(9))).state, BreakerState::kOpen)
      << "an operator said so, of the upstream";
}

TEST(KeptState, BelongsToNames) {
  const EngineObjects before(Policy(Upstream("a", kBreaker)));
  for (int i = 0; i < 3; ++i) Fail(before.breaker(kFirst), At(seconds(i)));
  const auto kept = before.Keep();
  EngineObjects other(Policy(Upstream("b", kBreaker)));
  EXPECT_EQ(other.Restore(kept, At(seconds(9))), 0u);
  EXPECT_EQ(other.breaker(kFirst)->Look(At(seconds(9))).state, BreakerState::kClosed);
  EngineObjects same(Policy(Upstream("b", "") + Upstream("a", kBreaker) + "route all { to = [b, a] }\n"));
  EXPECT_EQ(same.Restore(kept, At(seconds(9))), 1u);
  EXPECT_EQ(same.breaker(UpstreamId(1))->Look(At(seconds(9))).state, BreakerState::kOpen);
}

// ---- Every measure, random histories --------------------------------------------------------------------------------

const std::string kAllMeasures =
    Upstream("a",
             "breaker { open when failures(60s) >= 40 or failed_requests(60s) >= 30 or consecutive_failures >= 9\n"
             "open when failure_ratio(30s) >= 80% and requests(30s) >= 20\n"
             "open when slow_ratio(60s, over: 5s) >= 70% and successes(60s) >= 20\n"
             "open when latency(p95, 60s) >= 20s and requests(60s) >= 10\n"
             "open_for = exponential(from: 2s, factor: 2, cap: 30s)  probes = 2 }");

// One thing that happens; the same for the same numbers.
std::string Step(Breaker* breaker, base::Random* random, TimePoint now) {
  const auto admission = breaker->Admit(now, minutes(1));
  std::string text = admission.ticket ? "in" : "out";
  if (!admission.ticket) return text;
  const uint64_t draw = random->Next() % 10;
  const Duration took = milliseconds(random->Next() % 30'000);
  const auto outcome = draw < 4 ? OutcomeClass::kFailure : draw < 9 ? OutcomeClass::kSuccess : OutcomeClass::kNeutral;
  std::optional<BreakerTransition> transition;
  if (draw == 0) transition = breaker->RecordFailedRequest(*admission.ticket, now);
  if (const auto other = breaker->Record(*admission.ticket, outcome, now, took)) transition = other;
  return text + (transition ? std::string(Name(transition->to)) : "");
}

// Two that know the same act alike. `forget` is done to what the second one is given; how many of the histories tell them apart.
int Differences(const std::string& text_of_policy, int histories,
                const std::function<void(KeptBreaker*)>& forget = nullptr) {
  const auto policy = Policy(text_of_policy);
  int differences = 0;
  for (int seed = 0; seed < histories; ++seed) {
    const EngineObjects first(policy);
    base::Random random(static_cast<uint64_t>(seed));
    TimePoint now = At({});
    const uint64_t steps = 1 + random.Next() % 300;
    for (uint64_t i = 0; i < steps; ++i) Step(first.breaker(kFirst), &random, now += milliseconds(random.Next() % 900));
    // In half-open the second begins anew, which is another thing.
    if (first.breaker(kFirst)->Look(now).state == BreakerState::kHalfOpen) continue;
    auto kept = first.Keep();
    const std::string text = EncodeKept(kept);
    EXPECT_EQ(EncodeKept(*DecodeKept(text)), text);
    if (forget) forget(&*kept.upstreams[0].breaker);
    EngineObjects second(policy);
    second.Restore(kept, now);
    bool is_alike = true;
    base::Random again = random;
    for (int i = 0; i < 200 && is_alike; ++i) {
      now += milliseconds(random.Next() % 900);
      again.Next();
      is_alike = Step(first.breaker(kFirst), &random, now) == Step(second.breaker(kFirst), &again, now);
      // Chance adds to open_for: from here on they may differ.
      if (first.breaker(kFirst)->Look(now).state != BreakerState::kClosed) break;
    }
    differences += is_alike ? 0 : 1;
  }
  return differences;
}

std::string Opening(const std::string& rule) {
  return Upstream("a", "breaker { open when " + rule + "  open_for = 2s }");
}

TEST(KeptState, WhoKnowsTheSameActsAlikeAndALossOfEachMeasureIsNoticed) {
  using compiler::abi::WindowMeasureKind;
  const std::pair<WindowMeasureKind, const char*> rules[] = {
      {WindowMeasureKind::kFailures, "failures(60s) >= 20"},
      {WindowMeasureKind::kSuccesses, "successes(60s) >= 30"},
      {WindowMeasureKind::kRequests, "requests(60s) >= 50"},
      {WindowMeasureKind::kFailedRequests, "failed_requests(60s) >= 5"},
      {WindowMeasureKind::kConsecutiveFailures, "consecutive_failures >= 4"},
      {WindowMeasureKind::kFailureRatio, "failure_ratio(60s) >= 50% and requests(60s) >= 20"},
      {WindowMeasureKind::kSlowRatio, "slow_ratio(60s, over: 15s) >= 52% and requests(60s) >= 20"},
      {WindowMeasureKind::kLatency, "latency(p50, 60s) >= 15s and requests(60s) >= 20"},
  };
  EXPECT_EQ(std::size(rules), compiler::abi::WindowMeasures().size()) << "a measure has no rule here";
  EXPECT_EQ(Differences(kAllMeasures, 100), 0);
  for (const auto& [kind, rule] : rules) {
    EXPECT_EQ(Differences(Opening(rule), 100), 0) << rule;
    const int found = Differences(Opening(rule), 100, [kind = kind](KeptBreaker* kept) {
      for (KeptWindow& window : kept->windows) {
        if (window.kind != kind) continue;
        window.in_a_row = 0;
        window.times.clear();
        window.shares.clear();
        window.latencies.clear();
      }
    });
    EXPECT_GT(found, 0) << "what was counted of " << rule << " was lost, and nobody noticed";
  }
}

// ---- What comes from outside ----------------------------------------------------------------------------------------

const std::shared_ptr<const compiler::CompiledPolicy>& RichPolicy() {
  static const auto kPolicy = Policy(
      kAllMeasures +
      Upstream("b",
               "max_in_flight = 2  cold_load = 5min  retry { max_retries = 3  when status == 500  budget = 20% }") +
      "route all { to = [a, b] }\n");
  return kPolicy;
}

EngineObjects& Rich() {
  static auto* const kRich = [] {
    auto* objects = new EngineObjects(RichPolicy());
    base::Random random(5);
    TimePoint now = At({});
    for (int i = 0; i < 300; ++i) Step(objects->breaker(kFirst), &random, now += milliseconds(300));
    objects->budget(UpstreamId(1))->Take(now);
    objects->loads(UpstreamId(1))->ObserveLoaded("m", now);
    return objects;
  }();
  return *kRich;
}

TEST(KeptState, EveryBeginningAndEveryAdditionIsRefused) {
  const std::string text = EncodeKept(Rich().Keep());
  ASSERT_TRUE(DecodeKept(text));
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(DecodeKept(text.substr(0, size))) << size;
  EXPECT_FALSE(DecodeKept(text + '\0'));
  EXPECT_FALSE(DecodeKept("upstream main { url = \"http://a\" }"));
}

TEST(KeptState, ChangedBytesAreRefusedOrHarmless) {
  const std::string text = EncodeKept(Rich().Keep());
  base::Random random(9);
  int taken = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string other = text;
    for (uint64_t change = 0, count = 1 + random.Next() % 4; change < count; ++change) {
      other[random.Next() % other.size()] = static_cast<char>(random.Next() % 3 == 0 ? 0xff : random.Next());
    }
    auto kept = DecodeKept(other);
    if (!kept) continue;
    ++taken;
    ShiftTimes(&*kept, hours(static_cast<int64_t>(random.Next() % 400'000)) - hours(200'000));
    EngineObjects objects(RichPolicy());
    TimePoint now = At(hours(1));
    objects.Restore(*kept, now);
    for (int step = 0; step < 5; ++step) Step(objects.breaker(kFirst), &random, now += seconds(1));
    objects.budget(UpstreamId(1))->Take(now);
    objects.loads(UpstreamId(1))->Warm(now);
    EncodeKept(objects.Keep());
  }
  EXPECT_GT(taken, 100) << "some changes are in numbers, and harmless";
}

TEST(KeptState, ImpossibleKnowledgeIsRefused) {
  const auto refuses = [](const std::function<void(KeptUpstream*)>& change) {
    KeptState state = Rich().Keep();
    change(&state.upstreams[0]);
    return !DecodeKept(EncodeKept(state));
  };
  EXPECT_FALSE(refuses([](KeptUpstream*) {}));
  EXPECT_TRUE(refuses([](KeptUpstream* kept) { kept->name.clear(); }));
  EXPECT_TRUE(refuses([](KeptUpstream* kept) { kept->breaker->state = 4; }));
  EXPECT_TRUE(refuses([](KeptUpstream* kept) { kept->breaker->trips = -1; }));
  EXPECT_TRUE(refuses([](KeptUpstream* kept) { kept->breaker->last_open_for = Duration(-1); }));
  EXPECT_TRUE(refuses([](KeptUpstream* kept) { kept->breaker->open_until = TimePoint::max(); }));
  EXPECT_TRUE(refuses([](KeptUpstream* kept) {
    kept->breaker->windows.push_back({compiler::abi::WindowMeasureKind::kLatency, {}, {}, 0, {}, {}, {}});
  }));
  EXPECT_TRUE(refuses([](KeptUpstream* kept) { kept->breaker->shown_failures = {At(seconds(2)), At(seconds(1))}; }));
  EXPECT_TRUE(refuses([](KeptUpstream* kept) { kept->breaker->shown_failures.assign(10'001, At({})); }));
  EXPECT_TRUE(refuses([](KeptUpstream* kept) { kept->budget = KeptBudget{1e9, std::nullopt}; }));
  EXPECT_TRUE(refuses(
      [](KeptUpstream* kept) { kept->budget = KeptBudget{std::numeric_limits<double>::quiet_NaN(), std::nullopt}; }));
  EXPECT_TRUE(refuses([](KeptUpstream* kept) { kept->models.assign(65, KeptModel{"m", std::nullopt, At({}), true}); }));
}

// The layout of version 1. Where this fails because the layout is another one: raise kKeptStateVersion.
TEST(KeptState, TheLayoutChangesWithItsVersionOnly) {
  KeptState state;
  KeptUpstream upstream;
  upstream.name = "a";
  upstream.server = "a:1";
  upstream.is_drained = true;
  upstream.breaker.emplace();
  upstream.breaker->windows.push_back(
      {compiler::abi::WindowMeasureKind::kFailures, seconds(60), {}, 0, {At({})}, {}, {}});
  upstream.budget = KeptBudget{2.5, At({})};
  upstream.service_time = seconds(1);
  upstream.models.push_back({"m", At({}), At({}), true});
  upstream.last_model = "m";
  state.upstreams.push_back(upstream);
  EXPECT_EQ(kKeptStateVersion, 1u);
  EXPECT_EQ(base::Sha256Hex(EncodeKept(state), 16), "43dd1870b47c33d6");
}

}  // namespace
}  // namespace runtime::engine
