// The closed list: what machine code may call, what it may not, and what each helper says at the edges.
#include "compiler/abi/helpers.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string_view>

#include "compiler/jit/jit_core.h"

namespace tests::oracle {
namespace {

using compiler::abi::JsonKind;
using compiler::abi::JsonValue;
using compiler::abi::Str;
using compiler::jit::WhyUnresolved;

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
constexpr int64_t kSmallest = std::numeric_limits<int64_t>::min();

TEST(ClosedList, EveryHelperCanBeCalled) {
  std::set<std::string_view> names;
  for (const compiler::abi::HelperInfo& helper : compiler::abi::Helpers()) {
    EXPECT_NE(helper.address, nullptr) << helper.name;
    EXPECT_TRUE(names.insert(helper.name).second) << helper.name << " stands twice in the table";
    EXPECT_EQ(WhyUnresolved(std::string(helper.name)), "");
  }
  EXPECT_FALSE(names.empty());
}

TEST(ClosedList, NothingElseOfTheProcessCanBeCalled) {
  for (const char* name :
       {"system", "execve", "dlopen", "malloc", "memcmp", "puts", "_exit", "breakwater_jit_compile"}) {
    EXPECT_NE(WhyUnresolved(name).find(name), std::string::npos) << name << " is within reach of a predicate";
  }
}

TEST(ClosedList, AnUnknownHelperIsAnErrorThatNamesIt) {
  EXPECT_NE(WhyUnresolved("bw_string_equals").find("Symbols not found: [ bw_string_equals ]"), std::string::npos);
}

template <typename Helper>
int32_t Ask(Helper* helper, std::string_view a, std::string_view b) {
  return helper(a.data(), static_cast<int64_t>(a.size()), b.data(), static_cast<int64_t>(b.size()));
}

TEST(Helpers, CompareTextsByteByByte) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(Ask(&bw_string_equal, "a\0b"sv, "a\0b"sv), 1);
  EXPECT_EQ(Ask(&bw_string_equal, "a\0b"sv, "a\0c"sv), 0);
  EXPECT_EQ(Ask(&bw_string_equal, {}, ""), 1);
  EXPECT_EQ(Ask(&bw_string_order, "a", "ab"), -1);
  EXPECT_EQ(Ask(&bw_string_order, "ab", "a"), 1);
  EXPECT_EQ(Ask(&bw_string_order, "\xff", "a"), 1);
  EXPECT_EQ(Ask(&bw_string_order, {}, {}), 0);
}

TEST(Helpers, FindAnEmptyTextEverywhere) {
  EXPECT_EQ(Ask(&bw_starts_with, "a", ""), 1);
  EXPECT_EQ(Ask(&bw_ends_with, "a", ""), 1);
  EXPECT_EQ(Ask(&bw_contains, "a", ""), 1);
  EXPECT_EQ(Ask(&bw_contains, {}, {}), 1);
  EXPECT_EQ(Ask(&bw_contains, {}, "a"), 0);
}

TEST(Helpers, LookAtTheRightEnd) {
  EXPECT_EQ(Ask(&bw_starts_with, "abc", "ab"), 1);
  EXPECT_EQ(Ask(&bw_starts_with, "abc", "bc"), 0);
  EXPECT_EQ(Ask(&bw_ends_with, "abc", "bc"), 1);
  EXPECT_EQ(Ask(&bw_ends_with, "abc", "ab"), 0);
  EXPECT_EQ(Ask(&bw_ends_with, "bc", "abc"), 0);
  EXPECT_EQ(Ask(&bw_contains, "abc", "b"), 1);
  EXPECT_EQ(Ask(&bw_contains, "abc", "ac"), 0);
}

TEST(Helpers, OrderIntegersAndDoublesExactly) {
  constexpr int64_t kTwoTo53 = 1LL << 53;
  EXPECT_EQ(bw_integer_number_order(1, 1.0), 0);
  EXPECT_EQ(bw_integer_number_order(1, 1.5), -1);
  EXPECT_EQ(bw_integer_number_order(-1, -1.5), 1);
  EXPECT_EQ(bw_integer_number_order(0, -0.0), 0);
  EXPECT_EQ(bw_integer_number_order(kTwoTo53 + 1, static_cast<double>(kTwoTo53)), 1);
  EXPECT_EQ(bw_integer_number_order(kLargest, 9223372036854775808.0), -1);
  EXPECT_EQ(bw_integer_number_order(kSmallest, -9223372036854775808.0), 0);
  EXPECT_EQ(bw_integer_number_order(kSmallest, -1e300), 1);
  EXPECT_EQ(bw_integer_number_order(kLargest, std::numeric_limits<double>::infinity()), -1);
}

JsonValue Json(JsonKind kind, int64_t integer, double number, const char* text) {
  return {kind, 0, integer, number, Str::Of(text)};
}

TEST(Helpers, CompareJsonByValueWithinItsType) {
  const JsonValue one = Json(JsonKind::kInteger, 1, 0, "");
  const JsonValue one_point_zero = Json(JsonKind::kNumber, 0, 1.0, "");
  const JsonValue text_one = Json(JsonKind::kString, 0, 0, "1");
  const JsonValue yes = Json(JsonKind::kBool, 1, 0, "");
  EXPECT_EQ(bw_json_equals_json(&one, &one_point_zero), 1);
  EXPECT_EQ(bw_json_equals_json(&one_point_zero, &one), 1);
  EXPECT_EQ(bw_json_equals_json(&one, &text_one), 0);
  EXPECT_EQ(bw_json_equals_json(&one, &yes), 0);
  EXPECT_EQ(bw_json_equals_json(&yes, &yes), 1);
  EXPECT_EQ(bw_json_equals_integer(&one_point_zero, 1), 1);
  EXPECT_EQ(bw_json_equals_integer(&text_one, 1), 0);
  EXPECT_EQ(bw_json_equals_number(&one, 1.0), 1);
  EXPECT_EQ(bw_json_equals_number(&yes, 1.0), 0);
}

TEST(Helpers, AbsentJsonEqualsNothing) {
  const JsonValue absent;
  const JsonValue null = Json(JsonKind::kNull, 0, 0, "");
  EXPECT_EQ(bw_json_equals_json(&absent, &absent), 0);
  EXPECT_EQ(bw_json_equals_json(&null, &null), 0);
  EXPECT_EQ(bw_json_equals_integer(&absent, 0), 0);
}

}  // namespace
}  // namespace tests::oracle
