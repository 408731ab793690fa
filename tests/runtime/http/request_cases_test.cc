// The cases of request_cases.h, each fed to the parser whole, byte by byte and cut at every place.
#include "tests/runtime/http/request_cases.h"

#include <gtest/gtest.h>

#include "tests/runtime/http/parse_all_ways.h"

namespace runtime::http {
namespace {

class RefusedRequest : public testing::TestWithParam<cases::RefusedCase> {};

TEST_P(RefusedRequest, IsRefusedForTheRightReasonHoweverItIsCut) {
  const Parsed parsed = ParseAllWays(Role::kRequest, GetParam().input);
  EXPECT_EQ(Name(GetParam().error), Name(parsed.error));
  EXPECT_FALSE(parsed.message_complete);
}

INSTANTIATE_TEST_SUITE_P(Cases, RefusedRequest, testing::ValuesIn(cases::RefusedCases()),
                         [](const auto& param) { return cases::TestName(param.param, param.index); });

class AcceptedRequest : public testing::TestWithParam<cases::AcceptedCase> {};

TEST_P(AcceptedRequest, IsReadToItsEndHoweverItIsCut) {
  const Parsed parsed = ParseAllWays(Role::kRequest, GetParam().input);
  EXPECT_EQ("", Name(parsed.error));
  EXPECT_TRUE(parsed.message_complete);
  EXPECT_EQ(GetParam().head, parsed.head.substr(0, parsed.head.find('\n')));
  EXPECT_EQ(GetParam().body, parsed.body);
  EXPECT_EQ(GetParam().rest, GetParam().input.substr(parsed.consumed));
}

INSTANTIATE_TEST_SUITE_P(Cases, AcceptedRequest, testing::ValuesIn(cases::AcceptedCases()),
                         [](const auto& param) { return cases::TestName(param.param, param.index); });

}  // namespace
}  // namespace runtime::http
