// `breakwater check`: exit codes, what is printed, which files are taken.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "cli/check.h"

namespace {

namespace fs = std::filesystem;

const std::string kGood = "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a:1\" }\n";

class CliCheck : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("breakwater_check_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "inner");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }

  int Run(const cli::CheckOptions& options) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = cli::RunCheck(options);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return code;
  }
  int Run(std::vector<std::string> paths) {
    cli::CheckOptions options;
    options.paths = std::move(paths);
    return Run(options);
  }

  fs::path folder_;
  std::string out_;
  std::string err_;
};

TEST_F(CliCheck, PrintsNothingForACleanFile) {
  EXPECT_EQ(Run({Write("a.policy", kGood)}), 0);
  EXPECT_EQ(out_ + err_, "");
}

TEST_F(CliCheck, FindingsExitWithOneAndNameTheirPlace) {
  const std::string path = Write("a.policy", kGood + "route r { to = b }\n");
  EXPECT_EQ(Run({path}), 1);
  EXPECT_EQ(out_.find(path + ":4:16: error[PL0101]: there is no upstream `b`"), 0u) << out_;
  EXPECT_EQ(out_.find('\x1B'), std::string::npos);  // no colours into a pipe
}

TEST_F(CliCheck, WhatCannotBeParsedExitsWithTwo) { EXPECT_EQ(Run({Write("a.policy", kGood + "route r {\n")}), 2); }

TEST_F(CliCheck, WhatCannotBeReadExitsWithTwo) {
  EXPECT_EQ(Run({(folder_ / "none.policy").string()}), 2);
  EXPECT_NE(err_.find("no such file"), std::string::npos);
  EXPECT_EQ(Run({(folder_ / "inner").string()}), 2);
  EXPECT_NE(err_.find("holds no .policy file"), std::string::npos);
}

TEST_F(CliCheck, WarningsCountOnlyWhenDenied) {
  cli::CheckOptions options;
  options.paths = {Write("a.policy", kGood + "let x = client.tls\n")};
  EXPECT_EQ(Run(options), 0);
  EXPECT_NE(out_.find("warning[PL0102]"), std::string::npos);
  options.deny_warnings = true;
  EXPECT_EQ(Run(options), 1);
}

TEST_F(CliCheck, MocksCountOnlyWhenDenied) {
  cli::CheckOptions options;
  options.paths = {Write("a.policy", kGood + "mock m { text = \"x\" }\nroute r { to = a fallback = [m] }\n")};
  EXPECT_EQ(Run(options), 0);
  EXPECT_EQ(out_, "");
  options.deny_mock = true;
  EXPECT_EQ(Run(options), 1);
  EXPECT_NE(out_.find("PL0407"), std::string::npos);
}

TEST_F(CliCheck, FoldersAreWalkedAndTheWorstFileCounts) {
  Write("good.policy", kGood);
  Write("inner/bad.policy", kGood + "route r { to = b }\n");
  Write("inner/other.txt", "not a policy");
  EXPECT_EQ(Run({folder_.string()}), 1);
  EXPECT_NE(out_.find("bad.policy:4:16"), std::string::npos);
  EXPECT_EQ(out_.find("other.txt"), std::string::npos);
  EXPECT_EQ(Run({folder_.string(), Write("worse.policy", "edition 1 }")}), 2);
}

TEST_F(CliCheck, StandardInputIsReadAsADash) {
  std::istringstream text(kGood + "route r { to = b }\n");
  std::streambuf* before = std::cin.rdbuf(text.rdbuf());
  EXPECT_EQ(Run({"-"}), 1);
  std::cin.rdbuf(before);
  EXPECT_EQ(out_.find("<stdin>:4:16: error[PL0101]"), 0u) << out_;
}

TEST_F(CliCheck, NeverLoadsLlvm) {
  EXPECT_EQ(Run({BREAKWATER_POLICIES_DIR}), 0);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    EXPECT_EQ(line.find("libLLVM"), std::string::npos) << line;
    EXPECT_EQ(line.find("libbreakwater_jit"), std::string::npos) << line;
  }
}

TEST_F(CliCheck, ShippedPoliciesAreClean) {
  cli::CheckOptions options;
  options.paths = {BREAKWATER_POLICIES_DIR};
  options.deny_warnings = true;
  EXPECT_EQ(Run(options), 0);
  EXPECT_EQ(out_ + err_, "");
}

}  // namespace
