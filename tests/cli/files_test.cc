// Commands that write: `fix`, and the writing itself.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "cli/command_line.h"
#include "cli/write_file.h"

namespace {

namespace fs = std::filesystem;

const std::string kFixable =
    "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a:1\"  attempt_timeout = 15sec }\n";
const std::string kFixed =
    "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a:1\"  attempt_timeout = 15s }\n";

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("breakwater_files_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }
  static std::string Read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }

  int Run(std::vector<std::string> arguments, const std::string& input = "") {
    std::vector<const char*> argv = {"breakwater"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    std::istringstream text(input);
    std::streambuf* before = std::cin.rdbuf(text.rdbuf());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = cli::CommandLine().Run(static_cast<int>(argv.size()), argv.data());
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    std::cin.rdbuf(before);
    return code;
  }

  fs::path folder_;
  std::string out_;
  std::string err_;
};

TEST_F(Files, FixWritesTheFileAndSaysWhat) {
  const std::string path = Write("a.policy", kFixable);
  EXPECT_EQ(Run({"fix", path}), 0);
  EXPECT_EQ(Read(path), kFixed);
  EXPECT_NE(err_.find(path + ": fixed PL0206: `15sec`"), std::string::npos) << err_;
  EXPECT_EQ(out_, "");
  EXPECT_EQ(Run({"fix", path}), 0);
  EXPECT_EQ(err_, "");
}

TEST_F(Files, FixDryRunShowsTheDifferenceAndWritesNothing) {
  const std::string path = Write("a.policy", kFixable);
  EXPECT_EQ(Run({"fix", "--dry-run", path}), 0);
  EXPECT_EQ(Read(path), kFixable);
  EXPECT_NE(out_.find("\n-upstream a { url = \"http://a:1\"  attempt_timeout = 15sec }\n+"), std::string::npos) << out_;
}

TEST_F(Files, FixExitsWithOneWhileFindingsAreLeft) {
  const std::string path = Write("a.policy", "edition 1\nupstream a { url = \"http://a:1\"  attempt_timeout = 15 }\ngateway { listen = \"127.0.0.1:0\" }\n");
  EXPECT_EQ(Run({"fix", path}), 1);
  EXPECT_NE(err_.find("1 finding left; --unsafe would try 1"), std::string::npos) << err_;
  EXPECT_EQ(Run({"fix", "--unsafe", path}), 0);
  EXPECT_NE(Read(path).find("15s"), std::string::npos);
}

TEST_F(Files, FixOfStandardInputGoesToStandardOutput) {
  EXPECT_EQ(Run({"fix", "-"}, kFixable), 0);
  EXPECT_EQ(out_, kFixed);
}

TEST_F(Files, FixOfAFolderTakesAllItsPolicies) {
  const std::string a = Write("a.policy", kFixable);
  const std::string b = Write("b.policy", kFixable);
  EXPECT_EQ(Run({"fix", folder_.string(), (folder_ / "none.policy").string()}), 2);
  EXPECT_EQ(Read(a), kFixed);
  EXPECT_EQ(Read(b), kFixed);
}

// A folder that cannot be read is named, and hides nothing else.
TEST_F(Files, AClosedFolderIsNamedAndTheRestIsRead) {
  fs::create_directories(folder_ / "closed");
  Write("closed/hidden.policy", kFixed);
  Write("z.policy", kFixable);
  fs::permissions(folder_ / "closed", fs::perms::none);
  fs::permissions(folder_, fs::perms::owner_all | fs::perms::group_all | fs::perms::others_all);
  const bool is_root = geteuid() == 0;  // no folder is closed to root, as which CI runs
  EXPECT_EQ(is_root ? seteuid(65534) : 0, 0);
  const int code = Run({"check", folder_.string()});
  EXPECT_EQ(is_root ? seteuid(0) : 0, 0);
  fs::permissions(folder_ / "closed", fs::perms::owner_all);
  EXPECT_EQ(code, 2);
  EXPECT_NE(err_.find((folder_ / "closed").string() + ": Permission denied"), std::string::npos) << err_;
  EXPECT_NE((out_ + err_).find("15sec"), std::string::npos) << out_ << err_;
}

TEST_F(Files, ALinkThatLeadsNowhereIsNamedAndTheRestIsRead) {
  fs::create_symlink(folder_ / "gone.policy", folder_ / "a.policy");
  fs::create_directories(folder_ / "deep" / "er");
  const std::string path = Write("deep/er/b.policy", kFixable);
  EXPECT_EQ(Run({"fix", folder_.string()}), 2);
  EXPECT_NE(err_.find("a.policy: no such file"), std::string::npos) << err_;
  EXPECT_EQ(Read(path), kFixed);
}

TEST_F(Files, WritingKeepsPermissionsAndFollowsLinks) {
  const std::string path = Write("real.policy", "old");
  chmod(path.c_str(), 0640);
  const fs::path link = folder_ / "link.policy";
  fs::create_symlink(path, link);
  std::string why;
  ASSERT_TRUE(cli::WriteFileAtomically(link.string(), "new", &why)) << why;
  EXPECT_EQ(Read(path), "new");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(static_cast<unsigned>(fs::status(path).permissions()), 0640u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 2);  // nothing is left behind
}

TEST_F(Files, WhatCannotBeWrittenStaysAsItWas) {
  std::string why;
  EXPECT_FALSE(cli::WriteFileAtomically((folder_ / "none" / "a.policy").string(), "new", &why));
  EXPECT_FALSE(why.empty());
}

}  // namespace
