// From a policy's text to a gateway that runs its bundle, with the executable alone: no compiler is there where it runs.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <algorithm>

#include <filesystem>
#include <fstream>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

namespace fs = std::filesystem;

struct Ran {
  int code = -1;
  std::string err;
};

Ran Breakwater(std::vector<std::string> arguments, const support::ChildProcess::Environment& environment = {}) {
  arguments.insert(arguments.begin(), BREAKWATER_EXECUTABLE);
  support::ChildProcess process(arguments, environment);
  Ran ran;
  ran.code = process.WaitForExit().value_or(-99);
  for (const std::string& line : process.err()) ran.err += line + "\n";
  return ran;
}

// What the process has mapped.
std::string MapsOf(pid_t pid) { return support::ReadFile("/proc/" + std::to_string(pid) + "/maps"); }

std::string Routes(const std::string& upstream) {
  return Gateway() + Upstream("main", upstream) +
         "route chat { when request.path == \"/api/chat\" and request.header[\"X-Key\"] matches /^k[0-9]$/  to = main }\n"
         "route otherwise { reply = none_such }\n"
         "reply none_such { status = 404  body = json { \"error\": \"no such route\", \"by\": \"${env(\"WHO\", default: \"nobody\")}\" } }\n";
}

class Bundles : public testing::Test {
 protected:
  std::string Compile(const std::string& policy, std::vector<std::string> more = {}) {
    const std::string text = folder_.Write("some.policy", policy);
    const std::string bundle = (folder_.path() / "some.bundle").string();
    std::vector<std::string> arguments = {"compile", text, "-o", bundle};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = Breakwater(arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return bundle;
  }
  support::TempDir folder_;
};

TEST_F(Bundles, ServeWithTheExecutableAloneAndMapNoCompiler) {
  ScriptedUpstream upstream(AnswerWell);
  const std::string bundle = Compile(Routes(upstream.url()));
  fs::copy_file(BREAKWATER_EXECUTABLE, folder_.path() / "breakwater");  // no JIT library stands beside it
  GatewayOptions options;
  options.executable = (folder_.path() / "breakwater").string();
  options.environment = {{"BREAKWATER_JIT_LIBRARY", ""}, {"WHO", "the \"operator\""}};
  GatewayProcess gateway(support::ReadFile(bundle), options);
  EXPECT_EQ(gateway.WaitForEvent("ready")["bundle"], "unsigned");
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Key", "k1"}}).status, 200);
  const Answer other = Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Key", "k"}});
  EXPECT_EQ(other.status, 404);
  EXPECT_EQ(support::Json::parse(other.body)["by"], "the \"operator\"");
  const std::string maps = MapsOf(gateway.process().pid());
  EXPECT_NE(maps.find("breakwater-predicates"), std::string::npos) << "machine code of the bundle";
  EXPECT_EQ(maps.find("LLVM"), std::string::npos) << maps;
  EXPECT_EQ(maps.find("antlr"), std::string::npos) << maps;
  EXPECT_EQ(maps.find("rwxp"), std::string::npos) << "nothing is writable and executable";
  // What is looked for can be found: the tests of a policy are run in the process that compiles it, and it links the C library.
  EXPECT_NE(maps.find("libc"), std::string::npos) << maps;
}

TEST_F(Bundles, AreTheSameBytesFromAnotherFolderAndEnvironment) {
  const std::string policy = Routes("http://127.0.0.1:9");
  const std::string first = support::ReadFile(Compile(policy));
  support::TempDir other;
  const std::string text = other.Write("some.policy", policy);
  const Ran ran = Breakwater({"compile", text, "-o", (other.path() / "x").string()}, {{"WHO", "me"}, {"HOME", "/"}, {"TZ", "Asia/Tokyo"}, {"LANG", "de_DE"}});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(support::ReadFile(other.path() / "x"), first);
  EXPECT_GT(first.size(), 100u);
}

TEST_F(Bundles, RunOnlySignedByTheTrustedKey) {
  ScriptedUpstream upstream(AnswerWell);
  const std::string key = (folder_.path() / "ours").string();
  const std::string foreign = (folder_.path() / "theirs").string();
  ASSERT_EQ(Breakwater({"key", "new", "--signing", "-o", key}).code, 0);
  ASSERT_EQ(Breakwater({"key", "new", "--signing", "-o", foreign}).code, 0);
  struct stat rights {};
  ASSERT_EQ(stat((key + ".key").c_str(), &rights), 0);
  EXPECT_EQ(rights.st_mode & 0777, 0600u);
  EXPECT_EQ(Breakwater({"key", "new", "--signing", "-o", key}).code, 2) << "no key is written over";

  const std::string policy = Routes(upstream.url());
  const std::string bundle = Compile(policy, {"--sign", key + ".key"});
  GatewayOptions trusting;
  trusting.arguments = {"--workers", "1", "--trust", key + ".pub"};
  GatewayProcess gateway(support::ReadFile(bundle), trusting);
  EXPECT_EQ(gateway.WaitForEvent("ready")["bundle"], "signed");
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Key", "k1"}}).status, 200);

  const auto refused = [&](const std::string& file, const std::string& why) {
    const Ran ran = Breakwater({"run", file, "--trust", key + ".pub"});
    EXPECT_EQ(ran.code, 1) << file;
    EXPECT_NE(ran.err.find(why), std::string::npos) << ran.err;
  };
  refused(folder_.Write("text.policy", policy), "no bundle");
  refused(Compile(policy, {"--sign", foreign + ".key"}), "another key");
  refused(Compile(policy), "not signed");
  EXPECT_EQ(Breakwater({"compile", folder_.Write("a.policy", policy), "-o", "/dev/null", "--sign", key + ".pub"}).code, 2);
}

TEST_F(Bundles, WhatIsDamagedIsASentence) {
  std::string bytes = support::ReadFile(Compile(Routes("http://127.0.0.1:9")));
  bytes[bytes.size() / 2] ^= 4;
  const Ran ran = Breakwater({"run", folder_.Write("damaged.bundle", bytes)});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("damaged.bundle: the bundle is damaged"), std::string::npos) << ran.err;
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
}

TEST_F(Bundles, AreTestedAndExplainedAsTheirTextIs) {
  const std::string bundle = Compile(Routes("http://127.0.0.1:9") +
                                     "test \"somebody else\" { send GET \"/x\"  expect status == 404 }\n");
  EXPECT_EQ(Breakwater({"test", bundle}).code, 0);
  EXPECT_EQ(Breakwater({"explain", bundle, "--request", "GET /x"}).code, 0);
  const std::string failing = Compile(Routes("http://127.0.0.1:9") + "test \"wrong\" { send GET \"/x\"  expect status == 200 }\n");
  EXPECT_EQ(Breakwater({"test", failing}).code, 1);
}

}  // namespace
}  // namespace tests::e2e
