// A setting that is added to the table, and nowhere else, is read, printed, explained, completed and in the manual. The files that are
// made from the table are compiled here once more, with one row behind those that it has.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/explain_setting.h"
#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "compiler/model/print.h"
#include "compiler/source/source_buffer.h"

namespace {

constexpr const char* kPolicy =
    "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a\"  pool { added_by_a_test = 16 } }\n";

TEST(AddedSetting, IsReadAndPrinted) {
  compiler::diagnostics::Diagnostics diagnostics;
  const auto written = compiler::CheckWritten(kPolicy, {}, &diagnostics);
  ASSERT_TRUE(written) << compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("policy", kPolicy), diagnostics);
  EXPECT_NE(compiler::model::Print(written->policy).find("added_by_a_test = 16"), std::string::npos) << compiler::model::Print(written->policy);
}

TEST(AddedSetting, IsExplainedAndCompleted) {
  const auto paths = cli::SettingPaths();
  EXPECT_NE(std::find(paths.begin(), paths.end(), "upstream.pool.added_by_a_test"), paths.end());
  std::string near;
  const auto told = cli::ExplainSetting("upstream.pool.added_by_a_test", nullptr, &near);
  ASSERT_TRUE(told);
  EXPECT_NE(told->find("what nothing but the table says of it"), std::string::npos) << *told;
}

TEST(AddedSetting, StandsInTheManual) {
  const std::string out = testing::TempDir() + "/manual_" + std::to_string(::getpid()) + ".md";
  const std::string source = BREAKWATER_SOURCE_DIR;
  ASSERT_EQ(std::system((source + "/scripts/tables --more " + source + "/tests/cli/more_settings.def --out " + out).c_str()), 0);
  std::ifstream in(out);
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_NE(text.str().find("| `pool` | `added_by_a_test` | 256 | 0..65536 | what nothing but the table says of it |"), std::string::npos);
  std::filesystem::remove(out);
}

TEST(Manual, HasTheTableOfSettings) {
  EXPECT_EQ(std::system((std::string(BREAKWATER_SOURCE_DIR) + "/scripts/tables --check").c_str()), 0);
}

}  // namespace
