// BREAKWATER_CACHE_HISTORIES=100000 for the long run.
#include "tests/runtime/proxy/cache_histories.h"

#include <gtest/gtest.h>

#include <iostream>

#include "tests/runtime/proxy/stream_scene.h"

namespace tests {
namespace {

TEST(CacheHistories, AreThoseOfAListThatIsLookedThrough) {
  const auto histories = static_cast<int64_t>(FromEnvironment("BREAKWATER_CACHE_HISTORIES", 1000));
  const CacheReport report = RunCacheHistories(FromEnvironment("BREAKWATER_CACHE_SEED", 1), histories);
  std::cout << report.histories << " histories, " << report.requests << " requests: " << report.from_memory << " from memory, " << report.stale << " stale, " << report.failures
            << " failures of the upstream, " << report.at_once << " at once" << std::endl;
  EXPECT_EQ(report.first_violation, "");
  EXPECT_EQ(report.histories, histories);
  EXPECT_GT(report.from_memory, report.requests / 20);
  EXPECT_GT(report.stale, histories / 50);
  EXPECT_GT(report.failures, histories / 4);
  EXPECT_GT(report.at_once, histories);
}

}  // namespace
}  // namespace tests
