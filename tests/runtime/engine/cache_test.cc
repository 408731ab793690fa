#include "runtime/engine/cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace runtime::engine {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests

TimePoint T(Duration since_start) { return TimePoint(1h) + since_start; }

compiler::model::CacheSettings Settings(int64_t max_entry = 1000, int64_t max_bytes = 10'000) {
  compiler::model::CacheSettings settings;
  settings.name = "c";
  settings.ttl = 600s;
  settings.stale = 60s;
  settings.max_entry_bytes = max_entry;
  settings.max_bytes = max_bytes;
  return settings;
}

CachedResponse Response(size_t body_bytes) { return {200, {}, std::string(body_bytes, 'x'), {}}; }

TEST(Cache, FindsWhatWasStoredUntilItsTimeIsOver) {
  const auto settings = Settings();
  Cache cache(settings);
  EXPECT_EQ(cache.Find("k", false, T(0s)), nullptr);
  ASSERT_TRUE(cache.Store("k", {201, {{"X-A", "b"}}, "text", {}}, T(0s)));
  const auto found = cache.Find("k", false, T(600s - 1ns));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->status, 201);
  EXPECT_EQ(found->body, "text");
  EXPECT_EQ(found->stored_at, T(0s));
  EXPECT_EQ(cache.Find("k", false, T(600s)), nullptr);
  EXPECT_EQ(cache.Find("other", false, T(0s)), nullptr);
}

// What its server allows is less than the cache's time, or more, which changes nothing.
TEST(Cache, AnAnswerIsFreshNoLongerThanItsServerSays) {
  Cache cache(Settings());
  CachedResponse response = Response(10);
  response.fresh_for = 5s;
  ASSERT_TRUE(cache.Store("short", response, T(0s)));
  response.fresh_for = 9000s;
  ASSERT_TRUE(cache.Store("long", response, T(0s)));
  EXPECT_NE(cache.Find("short", false, T(5s - 1ns)), nullptr);
  EXPECT_EQ(cache.Find("short", false, T(5s)), nullptr);
  EXPECT_NE(cache.Find("short", true, T(65s - 1ns)), nullptr) << "while its upstream is down";
  EXPECT_EQ(cache.Find("short", true, T(65s)), nullptr);
  EXPECT_NE(cache.Find("long", false, T(600s - 1ns)), nullptr);
  EXPECT_EQ(cache.Find("long", false, T(600s)), nullptr);
}

TEST(Cache, StaleAnswersServeOnlyWhereTheyAreAllowedAndNotForEver) {
  const auto settings = Settings();
  Cache cache(settings);
  cache.Store("k", Response(1), T(0s));
  EXPECT_EQ(cache.Find("k", false, T(650s)), nullptr);
  EXPECT_NE(cache.Find("k", true, T(650s)), nullptr);
  EXPECT_NE(cache.Find("k", true, T(660s - 1ns)), nullptr);
  EXPECT_EQ(cache.Find("k", true, T(660s)), nullptr);
  EXPECT_EQ(cache.stats().entries, 0u) << "what can serve nobody any more is dropped";
}

TEST(Cache, TheOldestUseGoesFirst) {
  const auto settings = Settings(100, 303);  // three entries of 100 + 1
  Cache cache(settings);
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(cache.Store(key, Response(100), T(0s)));
  cache.Find("a", false, T(1s));
  cache.Store("d", Response(100), T(2s));
  EXPECT_EQ(cache.Find("b", false, T(3s)), nullptr);
  for (const char* key : {"a", "c", "d"}) EXPECT_NE(cache.Find(key, false, T(3s)), nullptr) << key;
  EXPECT_EQ(cache.stats().evicted, 1u);
}

TEST(Cache, CountsBytesExactly) {
  const auto settings = Settings(100, 300);
  Cache cache(settings);
  cache.Store("key", {200, {{"Name", "value"}}, std::string(50, 'x'), {}}, T(0s));
  EXPECT_EQ(cache.stats().bytes, 3u + 4u + 5u + 50u);
  cache.Store("key", Response(10), T(0s));
  EXPECT_EQ(cache.stats().bytes, 13u) << "the older one is gone";
  EXPECT_EQ(cache.stats().entries, 1u);
  cache.Store("abc", Response(97), T(0s));
  cache.Store("def", Response(97), T(0s));
  cache.Store("ghi", Response(84), T(0s));
  EXPECT_EQ(cache.stats().bytes, 300u) << "13 + 100 + 100 + 87: full to the byte, nothing evicted";
  EXPECT_EQ(cache.stats().evicted, 0u);
  cache.Store("jkl", Response(1), T(0s));
  EXPECT_EQ(cache.stats().evicted, 1u);
  EXPECT_EQ(cache.stats().bytes, 291u);
  cache.Purge();
  EXPECT_EQ(cache.stats().bytes, 0u);
  EXPECT_EQ(cache.stats().entries, 0u);
}

TEST(Cache, RefusesWhatIsTooLarge) {
  const auto settings = Settings(100, 150);
  Cache cache(settings);
  EXPECT_TRUE(cache.Store("a", Response(100), T(0s)));
  EXPECT_FALSE(cache.Store("b", Response(101), T(0s))) << "max_entry";
  EXPECT_FALSE(cache.Store(std::string(60, 'k'), Response(100), T(0s))) << "max_bytes, the key included";
  EXPECT_NE(cache.Find("a", false, T(0s)), nullptr) << "nothing was evicted for what could not be kept";
}

TEST(Cache, NumberOfEntriesIsBounded) {
  const auto settings = Settings(1000, 1 << 30);
  Cache cache(settings);
  for (size_t i = 0; i < Cache::kMaxEntries + 10; ++i) cache.Store(std::to_string(i), Response(0), T(0s));
  EXPECT_EQ(cache.stats().entries, Cache::kMaxEntries);
  EXPECT_EQ(cache.stats().evicted, 10u);
}

TEST(Cache, AnAnswerInUseOutlivesItsEntry) {
  const auto settings = Settings();
  Cache cache(settings);
  cache.Store("k", Response(5), T(0s));
  const auto held = cache.Find("k", false, T(0s));
  cache.Purge();
  EXPECT_EQ(held->body, "xxxxx");
}

TEST(Cache, HitsAndMissesAreCounted) {
  const auto settings = Settings();
  Cache cache(settings);
  cache.Find("k", false, T(0s));
  cache.Store("k", Response(5), T(0s));
  cache.Find("k", false, T(0s));
  cache.Find("k", false, T(610s));
  const Cache::Stats stats = cache.stats();
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.misses, 2u);
  EXPECT_EQ(stats.stored, 1u);
}

TEST(CacheFlights, OneLeadsAndTheOthersAreWokenOnce) {
  const auto settings = Settings();
  Cache cache(settings);
  int woken = 0;
  const auto wake = [&woken] { ++woken; };
  EXPECT_TRUE(cache.Lead("k"));
  EXPECT_FALSE(cache.Lead("k"));
  EXPECT_TRUE(cache.Follow("k", 2, wake));
  EXPECT_TRUE(cache.Follow("k", 3, wake));
  EXPECT_TRUE(cache.Lead("other")) << "another key is another flight";
  EXPECT_EQ(woken, 0);
  cache.EndFlight("k");
  EXPECT_EQ(woken, 2);
  cache.EndFlight("k");
  EXPECT_EQ(woken, 2);
  EXPECT_FALSE(cache.Follow("k", 5, wake)) << "nobody leads any more";
  EXPECT_TRUE(cache.Lead("k"));
  EXPECT_FALSE(cache.Lead("k"));
}

TEST(CacheFlights, WhoUnfollowsIsNotWoken) {
  const auto settings = Settings();
  Cache cache(settings);
  int woken = 0;
  cache.Lead("k");
  cache.Follow("k", 1, [&woken] { woken += 1; });
  cache.Follow("k", 2, [&woken] { woken += 10; });
  cache.Unfollow("k", 1);
  cache.EndFlight("k");
  EXPECT_EQ(woken, 10);
}

TEST(CacheFlights, WhereNothingWasStoredTheFirstFollowerLeadsNext) {
  const auto settings = Settings();
  Cache cache(settings);
  std::string woken;
  ASSERT_TRUE(cache.Lead("k"));
  for (uint64_t id = 1; id <= 4; ++id) cache.Follow("k", id, [&woken, id] { woken += std::to_string(id); });
  cache.EndFlight("k", false);
  EXPECT_EQ(woken, "1");
  EXPECT_FALSE(cache.Lead("k")) << "who comes now follows";
  EXPECT_TRUE(cache.TakeOver("k"));
  EXPECT_FALSE(cache.TakeOver("k"));
  cache.EndFlight("k", false);
  EXPECT_EQ(woken, "12");
  cache.Unfollow("k", 2);  // it is gone before it took over
  EXPECT_EQ(woken, "123");
  cache.Unfollow("k", 4);
  cache.Unfollow("k", 3);
  EXPECT_TRUE(cache.Lead("k")) << "nobody is left";
  cache.EndFlight("k", false);
  EXPECT_TRUE(cache.TakeOver("k"));
}

TEST(CacheFlights, AWakeUpMayAskTheCache) {
  const auto settings = Settings();
  Cache cache(settings);
  cache.Lead("k");
  bool leads_now = false;
  cache.Follow("k", 1, [&] { leads_now = cache.Lead("k"); });
  cache.EndFlight("k");
  EXPECT_TRUE(leads_now);
}

TEST(CacheFlights, ExactlyOneOfEightThreadsLeads) {
  const auto settings = Settings();
  Cache cache(settings);
  std::atomic<int> woken{0};
  std::atomic<int> led{0};
  std::atomic<int> followed{0};
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (uint64_t n = 0; n < 8; ++n) {
    threads.emplace_back([&, n] {
      for (uint64_t i = 0; i < 2000; ++i) {
        const std::string key = std::to_string(i % 7);
        while (true) {  // who led when this one asked may be done when it wants to follow
          if (cache.Lead(key)) {
            ++led;
            cache.Store(key, Response(10), T(0s));
            cache.EndFlight(key);
            break;
          }
          if (cache.Follow(key, n * 10'000 + i, [&woken] { ++woken; })) {
            ++followed;
            break;
          }
        }
        cache.Find(key, false, T(1s));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(led + followed, 16'000);
  EXPECT_EQ(woken.load(), followed.load());
}

}  // namespace
}  // namespace runtime::engine
