// What is known of the models of an upstream, and who waits for one, with written-down times.
#include "runtime/engine/model_loads.h"

#include <gtest/gtest.h>

#include <vector>

namespace runtime::engine {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests
using Answer = ModelLoads::Answer;
using News = ModelLoads::News;

TimePoint At(Duration t) { return TimePoint(std::chrono::hours(1)) + t; }

TEST(ModelLoads, TheFirstBeginsTheOthersWait) {
  ModelLoads loads(3min, std::nullopt);
  EXPECT_TRUE(loads.WouldWait("m", At(0s)));
  const auto first = loads.Ask("m", At(0s));
  const auto second = loads.Ask("m", At(1s));
  EXPECT_EQ(first.answer, Answer::kBegin);
  EXPECT_EQ(second.answer, Answer::kWaits);
  EXPECT_EQ(loads.Ask("other", At(1s)).answer, Answer::kBegin) << "each model by itself";
  int woken = 0;
  EXPECT_TRUE(loads.OnNews(first.waiter, [&] { ++woken; }));
  EXPECT_TRUE(loads.OnNews(second.waiter, [&] { ++woken; }));
  EXPECT_EQ(loads.Look(first.waiter), News::kLoading);
  loads.End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(20s));
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(loads.Look(first.waiter), News::kOver);
  EXPECT_FALSE(loads.OnNews(second.waiter, [&] { ++woken; })) << "it is over";
  EXPECT_EQ(loads.Ask("m", At(20s)).answer, Answer::kWarm);
}

TEST(ModelLoads, WhoLeftIsNotWoken) {
  ModelLoads loads(3min, std::nullopt);
  const auto first = loads.Ask("m", At(0s));
  EXPECT_TRUE(loads.OnNews(first.waiter, [] { FAIL(); }));
  loads.Leave(first.waiter);
  loads.End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(1s));
}

TEST(ModelLoads, AModelIsTakenToStayForFiveMinutesAfterItsLastContent) {
  ModelLoads loads(3min, std::nullopt);
  loads.Ask("m", At(0s));
  loads.End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(0s));
  loads.ObserveContent("m", At(60s));
  EXPECT_EQ(loads.Ask("m", At(60s + 5min - 1ns)).answer, Answer::kWarm);
  EXPECT_EQ(loads.Ask("m", At(60s + 5min)).answer, Answer::kBegin);
}

TEST(ModelLoads, AFailedLoadAndSilenceSayThatNobodyKnows) {
  ModelLoads loads(3min, std::nullopt);
  loads.Ask("m", At(0s));
  loads.End("m", News::kOver, ModelLoads::Outcome::kFailed, At(1s));
  EXPECT_EQ(loads.Ask("m", At(1s)).answer, Answer::kBegin);
  loads.End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(2s));
  loads.ObserveSilence("m");
  const auto entry = loads.Ask("m", At(3s));
  EXPECT_EQ(entry.answer, Answer::kBegin);
  loads.End("m", News::kTooLong, ModelLoads::Outcome::kFailed, At(3s + 3min));
  EXPECT_EQ(loads.Look(entry.waiter), News::kTooLong);
}

TEST(ModelLoads, NamesThatClientsMakeUpAreBounded) {
  ModelLoads loads(3min, std::nullopt);
  for (size_t i = 0; i < ModelLoads::kMaxLoading; ++i) EXPECT_EQ(loads.Ask("m" + std::to_string(i), At(0s)).answer, Answer::kBegin);
  for (int i = 0; i < 61; ++i) {
    EXPECT_EQ(loads.Ask("x" + std::to_string(i), At(0s)).answer, Answer::kWarm) << "nobody waits for it, and nobody loads it";
    EXPECT_FALSE(loads.WouldWait("x" + std::to_string(i), At(0s)));
  }
  EXPECT_EQ(loads.Ask("m1", At(0s)).answer, Answer::kWaits);
  loads.End("m3", News::kOver, ModelLoads::Outcome::kLoaded, At(1s));
  EXPECT_EQ(loads.Ask("one more", At(1s)).answer, Answer::kBegin) << "one is over";
  EXPECT_EQ(loads.Ask(std::string(ModelLoads::kMaxModelName + 1, 'x'), At(1s)).answer, Answer::kWarm);
  EXPECT_EQ(loads.Ask("", At(1s)).answer, Answer::kWarm);
}

TEST(ModelLoads, NamesThatClientsMakeUpPushNoRealOneOut) {
  ModelLoads loads(3min, 4min);
  loads.Ask("real", At(0s));
  loads.End("real", News::kOver, ModelLoads::Outcome::kLoaded, At(1s));
  loads.Ask("second", At(1s));
  loads.End("second", News::kOver, ModelLoads::Outcome::kLoaded, At(1s));
  loads.ObserveContent("second", At(2s));
  for (size_t i = 0; i < 3 * ModelLoads::kMaxModels; ++i) {
    const std::string name = "x" + std::to_string(i);
    EXPECT_EQ(loads.Ask(name, At(3s)).answer, Answer::kBegin);
    loads.End(name, News::kOver, ModelLoads::Outcome::kUnknown, At(3s));
    EXPECT_EQ(loads.Ask(name, At(4s)).answer, Answer::kWarm) << "the server knows none of that name: not asked for each request";
  }
  EXPECT_EQ(loads.Ask("real", At(5s)).answer, Answer::kWarm);
  TimePoint next;
  EXPECT_EQ(loads.Due(At(2s + 4min), &next), "second") << "what is kept warm is what answers";
}

TEST(ModelLoads, AsManyAreLoadedAsItsServerServesAtATime) {
  ModelLoads loads(3min, std::nullopt, 1);
  EXPECT_EQ(loads.Ask("a", At(0s)).answer, Answer::kBegin);
  EXPECT_EQ(loads.Ask("b", At(0s)).answer, Answer::kWarm) << "it asks in the queue, like anybody";
}

TEST(ModelLoads, TheModelThatAnsweredLastIsKeptWarm) {
  ModelLoads loads(std::nullopt, 4min);
  TimePoint next;
  EXPECT_EQ(loads.Due(At(0s), &next), std::nullopt) << "nobody has asked for one";
  EXPECT_EQ(next, At(4min));
  EXPECT_EQ(loads.Ask("a", At(0s)).answer, Answer::kWarm) << "without cold_load nobody waits";
  loads.ObserveContent("a", At(1s));
  loads.Ask("b", At(10s));
  loads.ObserveContent("b", At(20s));
  EXPECT_EQ(loads.Due(At(4min), &next), std::nullopt);
  EXPECT_EQ(next, At(20s + 4min));
  EXPECT_EQ(loads.Due(At(20s + 4min), &next), "b");
  EXPECT_EQ(loads.Due(At(21s + 4min), &next), std::nullopt) << "it is being asked";
  loads.End("b", News::kOver, ModelLoads::Outcome::kLoaded, At(22s + 4min));
  EXPECT_EQ(loads.Due(At(23s + 4min), &next), std::nullopt);
  EXPECT_EQ(next, At(22s + 8min));
  EXPECT_EQ(loads.Due(At(22s + 8min), &next), "b");
  loads.End("b", News::kOver, ModelLoads::Outcome::kFailed, At(23s + 8min));
  EXPECT_EQ(loads.Due(At(24s + 12min), &next), std::nullopt) << "the server is gone: the next request brings it back";
}

TEST(ModelLoads, AModelThatIsKeptIsTakenToStayAMinuteLonger) {
  ModelLoads loads(3min, 9min);
  loads.Ask("m", At(0s));
  loads.End("m", News::kOver, ModelLoads::Outcome::kLoaded, At(0s));
  EXPECT_EQ(loads.Ask("m", At(10min - 1ns)).answer, Answer::kWarm);
  EXPECT_EQ(loads.Ask("m", At(10min)).answer, Answer::kBegin);
}

}  // namespace
}  // namespace runtime::engine
