// No setting without an effect in the policies that are shipped: whichever value is turned, somebody notices. A finding of the compiler
// counts, or a byte or its time at a client or a server in one of many scenes (shipped_world.cc); how the policy reads does not.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "compiler/compile.h"
#include "tests/coverage/knobs.h"
#include "tests/coverage/shipped_world.h"

namespace tests::coverage {
namespace {

namespace fs = std::filesystem;

// What a simulated network cannot show, and the case that does.
struct Elsewhere {
  std::string_view setting;
  std::string_view covered_by;  // test, and case in it
};
constexpr Elsewhere kElsewhere[] = {
    {"gateway.listen", "settings_walk_test: gateway.listen, real sockets"},
    {"gateway.admin", "settings_walk_test: gateway.admin, real sockets"},
    {"gateway.access_log", "settings_walk_test: gateway.access_log, what the process writes"},
    {"upstream.repeat_safe", "settings_walk_test: upstream.repeat_safe; at the paths of model APIs, which are asked here, the default says the same"},
};

// What cannot be noticed, by the file and what stands in it.
struct Idle {
  std::string_view file;
  std::string_view knob;
  std::string_view why;
};
constexpr Idle kIdle[] = {
    {"demo.policy", "key    = »\"demo ${request.body}\"«", "what stands before the value is for people"},
    {"experiment.policy", "key    = »\"qwen3_faq_${request.body}\"«", "the same"},
    {"qwen3-32b.policy", "key    = »\"qwen3_faq_${request.body}\"«", "the same"},
    {"experiment.policy", "fallback = [»cache_fallback«", "asked first as well: it gives only what came meanwhile"},
};

// Where to look first, to be fast; everything else is looked at as well.
struct Hint {
  std::string_view setting;
  std::string_view scene;
};
constexpr Hint kHints[] = {
    {"upstream.breaker.open_for", "an outage"},
    {"upstream.breaker.probes", "an outage"},
    {"upstream.health.path", "an outage"},
    {"upstream.health.interval", "an outage"},
    {"upstream.health.timeout", "an outage in silence"},
    {"upstream.retry.budget", "a crowd before a busy server"},
    {"upstream.max_in_flight", "a crowd"},
    {"upstream.queue.length", "a crowd"},
    {"upstream.queue.timeout", "a crowd"},
    {"cache.ttl", "memory"},
    {"cache.stale", "memory of an outage"},
    {"cache.max_entry", "sizes"},
    {"cache.max_bytes", "forgetting"},
    {"upstream.replay_body", "sizes"},
};

std::vector<fs::path> ShippedPolicies() {
  std::vector<fs::path> files;
  for (const char* folder : {"policies", "examples"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(BREAKWATER_SOURCE_DIR) / folder)) {
      if (entry.path().extension() == ".policy") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

enum class Checked : uint8_t { kClean, kWarned, kRefused };

Checked Check(const std::string& policy) {
  compiler::diagnostics::Diagnostics diagnostics;
  compiler::CompileOptions options;
  options.environment = [](const std::string& name) -> std::optional<std::string> {
    const std::string value = WorldVariable(name);
    return value.empty() ? std::nullopt : std::optional(value);
  };
  compiler::CheckPolicy(policy, options, &diagnostics);
  return diagnostics.has_errors() ? Checked::kRefused : diagnostics.empty() ? Checked::kClean : Checked::kWarned;
}

// Where a difference was noticed; nullopt if nowhere.
std::optional<std::string_view> NoticedIn(const Knob& knob, const std::string& policy,
                                          std::map<std::string_view, std::string>* seen) {
  std::vector<std::string> ways;
  for (const std::string& turned : knob.turned) {
    const Checked checked = Check(turned);
    // That a number is out of its range says nothing of what it is for.
    if (checked == Checked::kRefused && knob.is_number) continue;
    if (checked != Checked::kClean) return "a finding";
    ways.push_back(turned);
  }
  std::vector<const WorldScene*> scenes;
  for (const WorldScene& scene : WorldScenes()) scenes.push_back(&scene);
  const auto* hint =
      std::find_if(std::begin(kHints), std::end(kHints), [&](const Hint& h) { return h.setting == knob.setting; });
  if (hint != std::end(kHints))
    std::stable_partition(scenes.begin(), scenes.end(),
                          [&](const WorldScene* scene) { return scene->name == hint->scene; });
  for (const WorldScene* scene : scenes) {
    const auto [before, is_new] = seen->try_emplace(scene->name);
    if (is_new) before->second = scene->play(policy);
    for (const std::string& turned : ways) {
      if (scene->play(turned) != before->second) return scene->name;
    }
  }
  return std::nullopt;
}

bool IsIdle(const std::string& file, const Knob& knob) {
  return std::any_of(std::begin(kIdle), std::end(kIdle),
                     [&](const Idle& idle) { return file == idle.file && knob.name.ends_with(idle.knob); });
}

class ShippedKnobs : public testing::TestWithParam<fs::path> {};

TEST_P(ShippedKnobs, EachIsNoticedWhenItIsTurned) {
  const std::string policy = ReadFile(GetParam());
  const std::string file = GetParam().filename().string();
  ASSERT_EQ(Check(policy), Checked::kClean);
  std::map<std::string_view, std::string> seen;
  std::map<std::string_view, int> noticed;
  for (const Knob& knob : KnobsOf(file, policy)) {
    const bool is_elsewhere = std::any_of(std::begin(kElsewhere), std::end(kElsewhere),
                                          [&](const Elsewhere& other) { return other.setting == knob.setting; });
    if (is_elsewhere || IsIdle(file, knob)) continue;
    const std::optional<std::string_view> where = NoticedIn(knob, policy, &seen);
    EXPECT_TRUE(where) << knob.name << "\nchanges nothing (" << knob.setting << ")";
    if (where) ++noticed[*where];
  }
  // Two runs of one policy look the same: what is compared is the policy, not chance.
  EXPECT_EQ(WorldScenes()[0].play(policy), WorldScenes()[0].play(policy));
  for (const auto& [where, count] : noticed) std::cout << "  " << where << ": " << count << "\n";
}

// An exception for what is not there any more, or for a case that nobody has, hides something.
TEST(ShippedKnobsTables, HoldNothingStale) {
  std::vector<std::pair<std::string, Knob>> knobs;
  for (const fs::path& path : ShippedPolicies()) {
    for (Knob& knob : KnobsOf(path.filename().string(), ReadFile(path)))
      knobs.emplace_back(path.filename().string(), std::move(knob));
  }
  for (const Idle& idle : kIdle) {
    EXPECT_TRUE(
        std::any_of(knobs.begin(), knobs.end(),
                    [&](const auto& knob) { return knob.first == idle.file && knob.second.name.ends_with(idle.knob); }))
        << idle.file << " has no " << idle.knob;
  }
  const std::string walk = ReadFile(fs::path(BREAKWATER_SOURCE_DIR) / "tests/coverage/settings_walk_test.cc");
  for (const Elsewhere& other : kElsewhere) {
    EXPECT_NE(walk.find("cases[\"" + std::string(other.setting) + "\"]"), std::string::npos) << other.setting;
  }
}

INSTANTIATE_TEST_SUITE_P(Each, ShippedKnobs, testing::ValuesIn(ShippedPolicies()),
                         [](const testing::TestParamInfo<fs::path>& file) {
                           std::string name = file.param.stem().string();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tests::coverage
