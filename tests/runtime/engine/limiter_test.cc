// Limiter: who gets a place, who waits, who is refused, and what becomes of places that are given back. Times are
// written down.
#include "runtime/engine/limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace runtime::engine {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests
using Answer = Limiter::Answer;
using testing::ElementsAre;

TimePoint At(Duration since_start) { return TimePoint(1h) + since_start; }

compiler::model::QueueSettings Queue(int length, Duration timeout) { return {length, timeout}; }

// Asks for a place and writes down the name of whoever is woken.
class Line {
 public:
  explicit Line(Limiter& limiter) : limiter_(limiter) {}

  Limiter::Entry Enter(const std::string& name, Duration t, std::optional<TimePoint> deadline = std::nullopt) {
    const Limiter::Entry entry = limiter_.Enter(At(t), deadline);
    if (entry.answer == Answer::kWaits) {
      EXPECT_TRUE(limiter_.OnNews(entry.place, [this, name] { woken.push_back(name); }));
    }
    return entry;
  }
  std::vector<std::string> woken;

 private:
  Limiter& limiter_;
};

TEST(Limiter, LetsInAsManyAsItHasPlaces) {
  Limiter limiter(2, std::nullopt);
  const auto first = limiter.Enter(At(0s), std::nullopt);
  const auto second = limiter.Enter(At(0s), std::nullopt);
  EXPECT_EQ(first.answer, Answer::kIn);
  EXPECT_EQ(second.answer, Answer::kIn);
  EXPECT_NE(first.place, second.place);
  EXPECT_EQ(limiter.Look().in_flight, 2);
}

TEST(Limiter, IsFullAtOnceWithoutAQueue) {
  Limiter limiter(1, std::nullopt);
  const auto holder = limiter.Enter(At(0s), std::nullopt);
  EXPECT_FALSE(limiter.WouldTake(At(1s), std::nullopt));
  EXPECT_EQ(limiter.Enter(At(1s), std::nullopt).answer, Answer::kFull);
  limiter.Release(holder.place, At(2s));
  EXPECT_EQ(limiter.Enter(At(2s), std::nullopt).answer, Answer::kIn);
}

TEST(Limiter, ServesInTheOrderOfArrival) {
  Limiter limiter(1, Queue(8, 1min));
  Line line(limiter);
  auto holder = line.Enter("a", 0s);
  const auto b = line.Enter("b", 1s);
  const auto c = line.Enter("c", 1s);
  EXPECT_EQ(b.answer, Answer::kWaits);
  EXPECT_EQ(b.give_up_at, At(1s + 1min));
  EXPECT_EQ(limiter.Look().waiting, 2);
  EXPECT_FALSE(limiter.HasSlot(b.place));

  limiter.Release(holder.place, At(2s));
  EXPECT_THAT(line.woken, ElementsAre("b"));
  EXPECT_TRUE(limiter.HasSlot(b.place));
  EXPECT_FALSE(limiter.HasSlot(c.place));
  // The place is b's although b has not come for it yet: a newcomer stands behind c.
  const auto d = line.Enter("d", 2s);
  EXPECT_EQ(d.answer, Answer::kWaits);
  limiter.Release(b.place, At(3s));
  limiter.Release(c.place, At(4s));
  EXPECT_THAT(line.woken, ElementsAre("b", "c", "d"));
  EXPECT_EQ(limiter.Look().in_flight, 1);
  EXPECT_EQ(limiter.Look().waiting, 0);
}

TEST(Limiter, TurnsAwayOneMoreThanTheQueueHolds) {
  Limiter limiter(1, Queue(2, 1min));
  Line line(limiter);
  line.Enter("a", 0s);
  EXPECT_EQ(line.Enter("b", 0s).answer, Answer::kWaits);
  const auto c = line.Enter("c", 0s);
  EXPECT_EQ(c.answer, Answer::kWaits);
  EXPECT_EQ(line.Enter("d", 0s).answer, Answer::kFull);
  limiter.Leave(c.place);  // the client of c is gone: its place in the queue is free at once
  EXPECT_EQ(line.Enter("e", 0s).answer, Answer::kWaits);
}

TEST(Limiter, WhoLeavesTheQueueIsNotServed) {
  Limiter limiter(1, Queue(8, 1min));
  Line line(limiter);
  const auto a = line.Enter("a", 0s);
  const auto b = line.Enter("b", 0s);
  line.Enter("c", 0s);
  limiter.Leave(b.place);
  limiter.Release(a.place, At(1s));
  EXPECT_THAT(line.woken, ElementsAre("c"));
}

TEST(Limiter, ASlotThatNobodyUsedGoesToTheNext) {
  Limiter limiter(1, Queue(8, 1min));
  Line line(limiter);
  const auto a = line.Enter("a", 0s);
  const auto b = line.Enter("b", 0s);
  const auto c = line.Enter("c", 0s);
  limiter.Release(a.place, At(1s));
  limiter.Leave(b.place);  // it had got the slot and its client was gone before the news arrived
  EXPECT_THAT(line.woken, ElementsAre("b", "c"));
  EXPECT_TRUE(limiter.HasSlot(c.place));
  EXPECT_EQ(limiter.Look().service_time, 1s);  // what was not used says nothing about the pace
}

TEST(Limiter, APlaceIsGivenBackOnce) {
  Limiter limiter(1, Queue(8, 1min));
  Line line(limiter);
  const auto a = line.Enter("a", 0s);
  line.Enter("b", 0s);
  line.Enter("c", 0s);
  limiter.Release(a.place, At(1s));
  limiter.Release(a.place, At(1s));
  limiter.Leave(a.place);
  EXPECT_THAT(line.woken, ElementsAre("b"));
  EXPECT_EQ(limiter.Look().in_flight, 1);
}

// Two slots, each taken for 4 s: one every 2 s. The third in the queue would wait for 6 s.
TEST(Limiter, RefusesAtOnceWhatWouldWaitBeyondTheTimeout) {
  Limiter limiter(2, Queue(8, 5s));
  Line line(limiter);
  const auto first = line.Enter("x", 0s);
  const auto second = line.Enter("y", 0s);
  limiter.Release(first.place, At(4s));
  limiter.Release(second.place, At(4s));
  line.Enter("a", 4s);
  line.Enter("b", 4s);
  EXPECT_EQ(line.Enter("c", 4s).answer, Answer::kWaits);  // 2 s
  EXPECT_EQ(line.Enter("d", 4s).answer, Answer::kWaits);  // 4 s
  const auto late = line.Enter("e", 4s);                  // 6 s
  EXPECT_EQ(late.answer, Answer::kTooLate);
  EXPECT_EQ(late.retry_at, At(4s + 6s));
  EXPECT_FALSE(limiter.WouldTake(At(4s), std::nullopt));
}

TEST(Limiter, RefusesAtOnceWhatWouldMissItsDeadline) {
  Limiter limiter(1, Queue(8, 1min));
  Line line(limiter);
  limiter.Release(line.Enter("x", 0s).place, At(3s));
  line.Enter("a", 3s);
  EXPECT_EQ(line.Enter("b", 3s, At(3s + 3s)).answer, Answer::kTooLate);  // its turn would come at the deadline
  EXPECT_EQ(line.Enter("c", 3s, At(3s + 4s)).answer, Answer::kWaits);
}

TEST(Limiter, AnUnknownPaceRefusesNobody) {
  Limiter limiter(1, Queue(2, 1ms));
  Line line(limiter);
  line.Enter("a", 0s);
  EXPECT_EQ(line.Enter("b", 0s).answer, Answer::kWaits);
  EXPECT_EQ(line.Enter("c", 0s).answer, Answer::kWaits);
}

TEST(Limiter, ThePaceFollowsTheNewestTimes) {
  Limiter limiter(1, std::nullopt);
  EXPECT_EQ(limiter.Look().service_time, std::nullopt);
  limiter.Release(limiter.Enter(At(0s), std::nullopt).place, At(10s));
  EXPECT_EQ(limiter.Look().service_time, 10s);
  limiter.Release(limiter.Enter(At(10s), std::nullopt).place, At(10s));
  EXPECT_EQ(limiter.Look().service_time, 8s);
  for (int i = 0; i < 40; ++i) limiter.Release(limiter.Enter(At(10s), std::nullopt).place, At(11s));
  EXPECT_NEAR(std::chrono::duration<double>(*limiter.Look().service_time).count(), 1, 0.01);
}

TEST(Limiter, NewsThatCameBeforeAnybodyListenedIsTold) {
  Limiter limiter(1, Queue(8, 1min));
  const auto a = limiter.Enter(At(0s), std::nullopt);
  const auto b = limiter.Enter(At(0s), std::nullopt);
  limiter.Release(a.place, At(1s));
  EXPECT_FALSE(limiter.OnNews(b.place, [] { FAIL() << "it was told already"; }));
  EXPECT_TRUE(limiter.HasSlot(b.place));
}

TEST(Limiter, WakeAllTellsEveryWaiterAndKeepsTheOrder) {
  Limiter limiter(1, Queue(8, 1min));
  Line line(limiter);
  const auto a = line.Enter("a", 0s);
  const auto b = line.Enter("b", 0s);
  line.Enter("c", 0s);
  limiter.WakeAll();
  limiter.WakeAll();
  EXPECT_THAT(line.woken, ElementsAre("b", "c"));
  EXPECT_EQ(limiter.Look().waiting, 2);
  EXPECT_TRUE(limiter.OnNews(b.place, [&] { line.woken.push_back("b again"); }));
  limiter.Release(a.place, At(1s));
  EXPECT_THAT(line.woken, ElementsAre("b", "c", "b again"));
}

TEST(Limiter, NeverLetsTooManyInOverManyThreads) {
  constexpr int kPlaces = 4;
  Limiter limiter(kPlaces, Queue(1000, 1h));
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> served{0};
  const auto work = [&] {
    for (int i = 0; i < 2000; ++i) {
      const auto entry = limiter.Enter(At(0s), std::nullopt);
      if (entry.answer == Answer::kWaits) {
        std::atomic<bool> told{false};
        if (limiter.OnNews(entry.place, [&told] { told = true; })) {
          while (!told) std::this_thread::yield();
        }
      }
      const int now_inside = ++inside;
      int seen = most.load();
      while (seen < now_inside && !most.compare_exchange_weak(seen, now_inside)) {
      }
      --inside;
      ++served;
      limiter.Release(entry.place, At(0s));
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, kPlaces);
  EXPECT_EQ(served, 8 * 2000);
  EXPECT_EQ(limiter.Look().in_flight, 0);
  EXPECT_EQ(limiter.Look().waiting, 0);
}

}  // namespace
}  // namespace runtime::engine
