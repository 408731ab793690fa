// The tutorial tells people to check its policies: each step is clean and has the layout, and the mistake is found and fixed as told.
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/test.h"
#include "compiler/diagnostics/render.h"
#include "compiler/fix.h"
#include "compiler/format/format.h"

namespace {

std::string Tutorial() {
  std::ifstream in(BREAKWATER_SOURCE_DIR "/docs/tutorial.md");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> Blocks(const std::string& kind) {
  const std::string page = Tutorial();
  const std::string fence = "```policy " + kind + "\n";
  std::vector<std::string> blocks;
  for (size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at + 1)) {
    const size_t begin = at + fence.size();
    blocks.push_back(page.substr(begin, page.find("\n```", begin) + 1 - begin));
  }
  return blocks;
}

TEST(Tutorial, EachStepIsCleanAndHasTheLayout) {
  const auto steps = Blocks("step");
  ASSERT_GE(steps.size(), 3u);
  for (const std::string& step : steps) {
    compiler::diagnostics::Diagnostics diagnostics;
    EXPECT_TRUE(compiler::CheckPolicy(step, {}, &diagnostics));
    EXPECT_TRUE(diagnostics.empty())
        << compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("step", step), diagnostics);
    std::string refusal;
    compiler::diagnostics::Diagnostics none;
    EXPECT_EQ(compiler::format::FormatPolicy(step, &none, &refusal), step);
  }
}

TEST(Tutorial, TheMistakeIsShownAsItIsFoundAndFixedAsItIsTold) {
  const std::string mistake = Blocks("mistake").at(0);
  compiler::diagnostics::Diagnostics diagnostics;
  compiler::CheckPolicy(mistake, {}, &diagnostics);
  const std::string shown =
      compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("chat.policy", mistake), diagnostics);
  EXPECT_NE(Tutorial().find("$ breakwater check chat.policy\n" + shown + "```"), std::string::npos) << shown;
  const auto fixed = compiler::FixPolicy(mistake, {});
  EXPECT_NE(fixed.text.find("attempt_timeout = 15s\n"), std::string::npos) << fixed.text;
  EXPECT_TRUE(fixed.diagnostics.empty());
}

TEST(Tutorial, ItsTestsPassAndAskForEveryCondition) {
  const std::string policy = Blocks("step").back() + "\n" + Blocks("tests").at(0);
  std::string refusal;
  compiler::diagnostics::Diagnostics diagnostics;
  EXPECT_EQ(compiler::format::FormatPolicy(policy, &diagnostics, &refusal), policy);
  std::istringstream in(policy);
  std::ostringstream out;
  std::streambuf* const old_in = std::cin.rdbuf(in.rdbuf());
  std::streambuf* const old_out = std::cout.rdbuf(out.rdbuf());
  std::cin.clear();
  cli::TestOptions options;
  options.paths = {"-"};
  options.coverage = true;
  const int code = cli::RunTests(options);
  std::cin.rdbuf(old_in);
  std::cout.rdbuf(old_out);
  EXPECT_EQ(code, 0) << out.str();
  EXPECT_NE(out.str().find("3 conditions, 3 true and false"), std::string::npos) << out.str();
  EXPECT_NE(Tutorial().find("$ breakwater test chat.policy\n2 tests: 2 passed\n```"), std::string::npos);
  EXPECT_TRUE(out.str().ends_with("2 tests: 2 passed\n")) << out.str();
}

}  // namespace
