// Settings are merged whole or not at all.
#include "examples/flaky_ollama/settings.h"

#include <gtest/gtest.h>

namespace examples::flaky_ollama {
namespace {

using nlohmann::json;

TEST(Settings, EveryDefaultIsWithinItsRange) {
  for (const SettingInfo& info : AllSettings()) {
    Settings settings;
    EXPECT_EQ(Set(info.name, info.default_value, &settings), "");
    EXPECT_FALSE(info.doc.empty()) << info.name;
  }
}

TEST(Settings, EverySettingCanBeSetToItsBoundsAndNotBeyond) {
  for (const SettingInfo& info : AllSettings()) {
    for (const double bound : {info.least, info.most}) {
      Settings settings;
      EXPECT_EQ(Set(info.name, bound, &settings), "") << info.name;
      EXPECT_EQ(ToJson(settings)[std::string(info.name)].get<double>(), bound) << info.name;
    }
    Settings settings;
    EXPECT_NE(Set(info.name, info.least - 1, &settings), "") << info.name;
    EXPECT_NE(Set(info.name, info.most * 2 + 1, &settings), "") << info.name;
    EXPECT_NE(Set(info.name, std::numeric_limits<double>::quiet_NaN(), &settings), "") << info.name;
  }
}

TEST(Settings, MergeChangesWhatIsNamedOnly) {
  Settings settings;
  EXPECT_EQ(Merge(json::parse(R"({"oom_rate": 0.25, "tokens": 3})"), &settings), "");
  EXPECT_EQ(settings.oom_rate, 0.25);
  EXPECT_EQ(settings.tokens, 3);
  EXPECT_EQ(settings.parallel, 8);
}

TEST(Settings, AWrongMergeChangesNothingAndSaysWhy) {
  Settings settings;
  EXPECT_EQ(Merge(json::parse(R"({"tokens": 3, "oom_rate": 2})"), &settings), "oom_rate = 2 is outside 0 to 1");
  EXPECT_EQ(Merge(json::parse(R"({"tokens": 3, "oom_rat": 0})"), &settings),
            "there is no setting 'oom_rat'; GET /control shows all of them");
  EXPECT_EQ(Merge(json::parse(R"({"tokens": 1.5})"), &settings), "tokens = 1.5 must be a whole number");
  EXPECT_EQ(Merge(json::parse(R"({"tokens": "3"})"), &settings), "tokens must be a number");
  EXPECT_NE(Merge(json::parse("[]"), &settings), "");
  EXPECT_EQ(Merge(json::parse(R"({"oom_rate": 0.6, "cut_rate": 0.5})"), &settings),
            "the rates add up to 1.1; together they can be 1 at most");
  EXPECT_EQ(ToJson(settings), ToJson(Settings{}));
}

}  // namespace
}  // namespace examples::flaky_ollama
