// Every code has its page, and what the page says is so: its bad example has the finding, its good one has none, and the fix does
// what is promised.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "cli/explain.h"
#include "compiler/diagnostics/codes.h"
#include "compiler/diagnostics/render.h"
#include "compiler/fix.h"

namespace {

using compiler::diagnostics::CodeInfo;
using compiler::diagnostics::Codes;
using compiler::diagnostics::Diagnostics;
using compiler::diagnostics::FixKind;

struct Example {
  std::string policy;
  compiler::CompileOptions options;
};

// The block behind ```policy KIND, with the options that stand behind it.
std::optional<Example> ExampleOf(std::string_view page, const std::string& kind) {
  const std::string fence = "\n```policy " + kind;
  const size_t begin = page.find(fence);
  if (begin == std::string_view::npos) return std::nullopt;
  const size_t line_end = page.find('\n', begin + 1);
  std::istringstream flags(std::string(page.substr(begin + fence.size(), line_end - begin - fence.size())));
  Example example;
  for (std::string flag; flags >> flag;) {
    if (flag == "deny_mock") example.options.deny_mock = true;
    else if (flag == "for_run") example.options.for_run = true;
    else ADD_FAILURE() << "unknown option " << flag;
  }
  example.policy = page.substr(line_end + 1, page.find("\n```\n", line_end) - line_end);
  return example;
}

std::string Findings(const Example& example, std::set<std::string>* codes) {
  Diagnostics diagnostics;
  compiler::CheckPolicy(example.policy, example.options, &diagnostics);
  for (const auto& item : diagnostics.items()) codes->emplace(item.code);
  return compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("example", example.policy), diagnostics);
}

TEST(CheckPages, EveryCodeOfTheCompilerIsInTheTableOnce) {
  std::set<std::string_view> known;
  for (const CodeInfo& info : Codes()) EXPECT_TRUE(known.insert(info.code).second) << info.code;
  std::set<std::string_view> used;
  for (const auto& kind : compiler::diagnostics::Kinds()) used.insert(kind.code);
  EXPECT_EQ(known, used);
  EXPECT_TRUE(std::is_sorted(Codes().begin(), Codes().end(), [](auto& a, auto& b) { return a.code < b.code; }));
}

TEST(CheckPages, EachBeginsWithItsTitleAndEndsWithItsFix) {
  for (const CodeInfo& info : Codes()) {
    const std::string page(cli::CheckPage(info.code));
    EXPECT_TRUE(page.starts_with("# " + std::string(info.code) + ": " + std::string(info.title) + "\n\n")) << info.code;
    const char* command = info.fix == FixKind::kSafe      ? "`breakwater fix`: "
                          : info.fix == FixKind::kOffered ? "`breakwater fix --unsafe`: "
                                                          : "None: ";
    EXPECT_TRUE(page.ends_with("\n\n## Fix\n\n" + std::string(command) + std::string(info.why) + ".\n"))
        << info.code << " must end with\n"
        << command << info.why;
  }
}

TEST(CheckPages, ExamplesDoWhatTheyAreShownFor) {
  // Limits that no example of reasonable size breaks, and what depends on the version or the installation.
  const std::set<std::string_view> without = {"PL0132", "PL0140", "PL0141", "PL0142", "PL0143", "PL0170"};
  for (const CodeInfo& info : Codes()) {
    const auto bad = ExampleOf(cli::CheckPage(info.code), "bad");
    const auto good = ExampleOf(cli::CheckPage(info.code), "good");
    ASSERT_EQ(bad.has_value(), without.count(info.code) == 0) << info.code;
    ASSERT_EQ(good.has_value(), bad.has_value()) << info.code;
    if (!bad) continue;
    std::set<std::string> codes;
    const std::string findings = Findings(*bad, &codes);
    EXPECT_EQ(codes, std::set<std::string>{std::string(info.code)}) << info.code << "\n" << bad->policy << findings;
    codes.clear();
    EXPECT_EQ(Findings(*good, &codes), "") << info.code << "\n" << good->policy;
  }
}

// What a fix brings to light is for the next run.
compiler::FixResult FixAll(const std::string& policy, const compiler::FixOptions& options) {
  compiler::FixResult result = compiler::FixPolicy(policy, options);
  for (int run = 0; run < 3 && !result.diagnostics.empty() && !result.applied.empty(); ++run) {
    compiler::FixResult next = compiler::FixPolicy(result.text, options);
    if (next.applied.empty()) break;
    result = std::move(next);
  }
  return result;
}

TEST(CheckPages, FixesTakeTheFindingAwayAndBringNoOther) {
  int fixed = 0;
  for (const CodeInfo& info : Codes()) {
    const auto bad = ExampleOf(cli::CheckPage(info.code), "bad");
    if (!bad) continue;
    compiler::FixOptions options;
    options.compile = bad->options;
    const auto safe = compiler::FixPolicy(bad->policy, options);
    EXPECT_EQ(safe.applied.empty(), info.fix != FixKind::kSafe) << info.code << "\n" << safe.text;
    options.unsafe = true;
    const auto all = FixAll(bad->policy, options);
    EXPECT_EQ(all.applied.empty(), info.fix == FixKind::kNone) << info.code << "\n" << all.text;
    if (info.fix == FixKind::kNone) continue;
    EXPECT_TRUE(all.diagnostics.empty())
        << info.code << "\n"
        << all.text
        << compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("fixed", all.text), all.diagnostics);
    ++fixed;
  }
  EXPECT_GE(fixed, 65);
}

// A code counts if `breakwater fix`, with --unsafe at most, takes the finding of its example away and leaves no other. What has no
// fix says why. Mistakes of writing (01) are for most part places where only the writer knows what was meant; the checks of what a
// policy will do (02 to 08) know what to do in four of five cases.
TEST(CheckPages, FourOfFiveChecksOfWhatAPolicyDoesHaveAFix) {
  std::map<bool, int> all;
  std::map<bool, int> fixed;
  std::string without;
  for (const CodeInfo& info : Codes()) {
    const bool is_check = info.code >= "PL02";
    ++all[is_check];
    const auto bad = ExampleOf(cli::CheckPage(info.code), "bad");
    bool is_fixed = false;
    if (bad) {
      compiler::FixOptions options;
      options.compile = bad->options;
      options.unsafe = true;
      const auto result = FixAll(bad->policy, options);
      is_fixed = !result.applied.empty() && result.diagnostics.empty();
    }
    fixed[is_check] += is_fixed ? 1 : 0;
    if (is_fixed) continue;
    EXPECT_EQ(info.fix, FixKind::kNone) << info.code;
    EXPECT_GE(info.why.size(), 20u) << info.code << " has no fix and does not say why";
    if (is_check)
      without += "\n  " + std::string(info.code) + " " + std::string(info.title) + ": " + std::string(info.why);
  }
  std::cout << "with a fix: " << fixed[true] << " of " << all[true] << " checks, " << fixed[false] << " of "
            << all[false] << " mistakes of writing\n";
  EXPECT_GE(all[true], 35);
  EXPECT_GE(fixed[true] * 5, all[true] * 4) << "checks without a fix:" << without;
  EXPECT_GE(fixed[false] * 2, all[false]);
}

}  // namespace
