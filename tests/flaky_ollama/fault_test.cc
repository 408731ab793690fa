// Faults come as often as their rates say, at the moments that were asked for, and again with the same seed.
#include "examples/flaky_ollama/fault.h"

#include <gtest/gtest.h>

#include <map>

namespace examples::flaky_ollama {
namespace {

using nlohmann::json;

TEST(Faults, NothingFailsUnlessAskedTo) {
  for (uint64_t n = 1; n <= 1000; ++n) EXPECT_EQ(FaultByChance(Settings{}, n), Fault{});
}

TEST(Faults, ComeAsOftenAsTheirRatesSay) {
  Settings settings;
  settings.oom_rate = 0.10;
  settings.reset_rate = 0.05;
  settings.hang_rate = 0.01;
  std::map<FaultKind, int> seen;
  constexpr int kRequests = 100'000;
  for (uint64_t n = 1; n <= kRequests; ++n) ++seen[FaultByChance(settings, n).kind];
  // Five standard deviations of a binomial.
  EXPECT_NEAR(seen[FaultKind::k_oom], 10'000, 475);
  EXPECT_NEAR(seen[FaultKind::k_reset], 5'000, 345);
  EXPECT_NEAR(seen[FaultKind::k_hang], 1'000, 158);
  EXPECT_EQ(seen[FaultKind::k_cut], 0);
}

TEST(Faults, AreAFunctionOfSeedAndNumber) {
  Settings settings;
  settings.oom_rate = 0.5;
  Settings other = settings;
  other.seed = 2;
  int differences = 0;
  for (uint64_t n = 1; n <= 1000; ++n) {
    EXPECT_EQ(FaultByChance(settings, n), FaultByChance(settings, n));
    differences += FaultByChance(settings, n) == FaultByChance(other, n) ? 0 : 1;
  }
  EXPECT_NEAR(differences, 500, 80);
}

TEST(Faults, ARateOfOneFailsEveryRequest) {
  Settings settings;
  settings.busy_rate = 1;
  for (uint64_t n = 1; n <= 1000; ++n) EXPECT_EQ(FaultByChance(settings, n).status, 503);
}

TEST(FaultSchedule, PlannedFaultsComeFirstAndInOrder) {
  FaultSchedule schedule;
  const Settings settings;
  ASSERT_EQ(schedule.Plan(json::parse(R"(["oom", "ok", {"status": 502}, {"fault": "cut", "times": 2}])")), "");
  EXPECT_EQ(schedule.planned(), 5u);
  EXPECT_EQ(schedule.Next(settings, 1), (Fault{FaultKind::k_oom, 500}));
  EXPECT_EQ(schedule.Next(settings, 2), Fault{});
  EXPECT_EQ(schedule.Next(settings, 3), (Fault{FaultKind::k_status, 502}));
  EXPECT_EQ(schedule.Next(settings, 4).kind, FaultKind::k_cut);
  EXPECT_EQ(schedule.Next(settings, 5).kind, FaultKind::k_cut);
  EXPECT_EQ(schedule.Next(settings, 6), Fault{});
}

TEST(FaultSchedule, AWrongListChangesNothingAndSaysWhy) {
  FaultSchedule schedule;
  for (const char* wrong : {R"("oom")", R"(["oom", "bang"])", R"([{"status": 200}])", R"([{"status": "x"}])", "[7]",
                            R"([{"fault": "oom", "times": 0}])", R"([{"fault": "oom", "times": 1e6}])",
                            R"([{"fault": "oom", "times": 10001}])", R"(["status"])"}) {
    EXPECT_NE(schedule.Plan(json::parse(wrong)), "") << wrong;
  }
  EXPECT_EQ(schedule.planned(), 0u);
  EXPECT_NE(schedule.Plan(json::parse(R"(["bang"])")).find("oom, busy, reset"), std::string::npos);
}

TEST(FaultSchedule, HasALimit) {
  FaultSchedule schedule;
  EXPECT_EQ(schedule.Plan(json::parse(R"([{"fault": "oom", "times": 10000}])")), "");
  EXPECT_NE(schedule.Plan(json::parse(R"(["oom"])")), "");
  EXPECT_EQ(schedule.planned(), 10000u);
}

}  // namespace
}  // namespace examples::flaky_ollama
