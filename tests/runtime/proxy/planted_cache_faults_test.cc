// Each fault that is planted in the caches is found within a thousand histories.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/runtime/proxy/cache_histories.h"

namespace tests {
namespace {

constexpr const char* kFaults[] = {
    "vary_is_ignored",       // an answer in one language to who asked for another
    "vary_by_client_only",   // what the gateway writes anew is taken for the client's
    "private_is_kept",
    "no_store_is_kept",
    "coded_is_kept",         // gzip bytes to who did not ask for them
    "unbounded_is_kept",     // what ends with its connection may be cut
    "empty_is_kept",
    "parts_are_kept",
    "methods_share",         // PUT and DELETE answered from a GET's entry
    "queries_share",
    "hidden_headers_count",  // Connection takes a header away, the key has it
    "shapes_share",          // a stream to who reads an object
    "stale_is_fresh",
    "users_share",
};

TEST(PlantedCacheFaults, NothingIsFoundWhereNothingIsPlanted) {
  unsetenv("BREAKWATER_PLANTED_FAULT");
  EXPECT_EQ(RunCacheHistories(7, 100).first_violation, "");
}

class EachCacheFault : public testing::TestWithParam<const char*> {};

TEST_P(EachCacheFault, IsFound) {
  setenv("BREAKWATER_PLANTED_FAULT", GetParam(), 1);
  EXPECT_NE(RunCacheHistories(7, 1000).first_violation, "") << "nobody saw that " << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Fault, EachCacheFault, testing::ValuesIn(kFaults),
                         [](const testing::TestParamInfo<const char*>& fault) { return std::string(fault.param); });

}  // namespace
}  // namespace tests
