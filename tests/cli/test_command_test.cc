// `breakwater test`: exit codes, filters, and what is said of a test that fails.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command_line.h"

namespace {

namespace fs = std::filesystem;

const std::string kPolicy = R"(edition 1

gateway { listen = "127.0.0.1:8080" }

let is_chat = request.path == "/api/chat"

upstream model { url = "http://127.0.0.1:11434" }

route chat {
  when is_chat
  to = model
}
route otherwise { reply = not_found }
reply not_found { status = 404  body = json { "error": "no such route" } }

)";
const std::string kPassing = R"(test "the model answers" {
  given model replies 200 after 1s
  send POST "/api/chat" json { }
  expect status == 200
}
)";
const std::string kFailing = R"(test "the model äußert sich" {
  given model replies 503 after 250ms text "no"
  send POST "/api/chat" json { }
  expect status == 200
}
)";

struct Result {
  int code = 0;
  std::string out;
  std::string err;
};

class TestCommand : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("breakwater_test_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) const {
    const fs::path path = folder_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }

  Result Test(std::vector<std::string> arguments, const std::string& input = "") const {
    arguments.insert(arguments.begin(), {"breakwater", "test"});
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    std::ostringstream out, err;
    std::istringstream in(input);
    std::streambuf* const old_out = std::cout.rdbuf(out.rdbuf());
    std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
    std::streambuf* const old_in = std::cin.rdbuf(in.rdbuf());
    std::cin.clear();
    Result result;
    result.code = cli::CommandLine().Run(static_cast<int>(argv.size()), argv.data());
    std::cout.rdbuf(old_out);
    std::cerr.rdbuf(old_err);
    std::cin.rdbuf(old_in);
    result.out = out.str();
    result.err = err.str();
    return result;
  }

  // Paths are long and differ: they become "F".
  std::string Short(std::string text) const {
    for (size_t at; (at = text.find(folder_.string())) != std::string::npos;)
      text.replace(at, folder_.string().size(), "F");
    return text;
  }

  fs::path folder_;
};

TEST_F(TestCommand, PassesQuietly) {
  const Result result = Test({Write("a.policy", kPolicy + kPassing)});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "1 test: 1 passed\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(TestCommand, ShowsWhereItFailedWhatCameAndWhatHappened) {
  const Result result = Test({Write("a.policy", kPolicy + kPassing + kFailing)});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(Short(result.out), R"(FAIL  the model äußert sich
  F/a.policy:24:10
    24 |   expect status == 200
       |          ^^^^^^^^^^^^^
    - status == 200
    + 503
  what happened:
    0ms       send POST /api/chat
    250ms     attempt 1 at model: status 503 after 250ms
    250ms     answer: status 503 by model, route chat

2 tests: 1 passed, 1 failed
)");
}

TEST_F(TestCommand, RunsWhatTheFilterLets) {
  const std::string path = Write("a.policy", kPolicy + kPassing + kFailing);
  EXPECT_EQ(Test({path, "--filter", "answers"}).out, "1 test: 1 passed\n");
  EXPECT_EQ(Test({path, "--filter", "nothing is called so"}).out, "0 tests: 0 passed\n");
}

TEST_F(TestCommand, TakesFilesFoldersAndStandardInput) {
  Write("a.policy", kPolicy + kPassing);
  Write("b.policy", kPolicy + kPassing);
  EXPECT_EQ(Test({folder_.string()}).out, "2 tests: 2 passed\n");
  const Result piped = Test({"-", folder_.string()}, kPolicy + kFailing);
  EXPECT_EQ(piped.code, 1);
  EXPECT_NE(piped.out.find("  <stdin>:19:10\n"), std::string::npos) << piped.out;
}

TEST_F(TestCommand, SaysWhatItCannotTest) {
  const Result gone = Test({(folder_ / "gone.policy").string(), Write("a.policy", kPolicy + kPassing)});
  EXPECT_EQ(gone.code, 2);
  EXPECT_EQ(Short(gone.err), "F/gone.policy: no such file\n");
  EXPECT_EQ(gone.out, "1 test: 1 passed, 1 policy not tested\n");

  const Result wrong = Test({Write("b.policy", kPolicy + "test \"x\" { send GET \"/\"  expect statu == 200 }\n")});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("error[PL0101]: a test knows no `statu`"), std::string::npos) << wrong.err;
  EXPECT_EQ(Test({Write("c.policy", "edition 1\ngateway {\n")}).code, 2);
  EXPECT_EQ(Test({}).code, 2);
}

TEST_F(TestCommand, CoverageListsEachCondition) {
  const std::string path = Write("a.policy", kPolicy + kPassing);
  const Result one = Test({path, "--coverage"});
  EXPECT_EQ(one.code, 0);
  EXPECT_EQ(Short(one.out), R"(coverage of F/a.policy: 2 conditions, 0 true and false, 0 never true, 2 never false
  never false     F/a.policy:5:15  let is_chat
  never false     F/a.policy:10:8  route chat: when

1 test: 1 passed
)");
  const Result none = Test({path, "--coverage", "--filter", "nothing"});
  EXPECT_NE(none.out.find("2 never true, 2 never false\n  never asked     "), std::string::npos) << none.out;
  const Result both = Test(
      {Write("b.policy", kPolicy + kPassing + "test \"b\" { send GET \"/\"  expect status == 404 }\n"), "--coverage"});
  EXPECT_NE(both.out.find("2 conditions, 2 true and false, 0 never true, 0 never false\n"), std::string::npos)
      << both.out;
}

TEST_F(TestCommand, CoverageNamesTheFileOfAnImportedCondition) {
  Write("shared.policy", "edition 1\n\nretry gentle {\n  max_retries = 2\n  when error == refused\n}\n");
  const Result result = Test({Write("a.policy",
                                    "edition 1\nimport \"shared.policy\" as llm\ngateway { listen = \"127.0.0.1:0\" }\n"
                                    "upstream a { url = \"http://a\"  retry = llm.gentle }\n"),
                              "--coverage"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(Short(result.out).find("F/shared.policy:5:8  upstream a: retry when"), std::string::npos) << result.out;
}

// A folder may hold what its policies import.
TEST_F(TestCommand, AFileThatOthersImportIsNoBrokenPolicy) {
  Write("shared.policy", "edition 1\n\nretry gentle {\n  max_retries = 2\n  when error == refused\n}\n");
  Write("a.policy",
        "edition 1\nimport \"shared.policy\" as llm\ngateway { listen = \"127.0.0.1:0\" }\n"
        "upstream a { url = \"http://a\"  retry = llm.gentle }\n"
        "test \"up\" { given a replies 200  send GET \"/\"  expect status == 200 }\n");
  const Result result = Test({folder_.string()});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "1 test: 1 passed\n");
}

TEST_F(TestCommand, WritesJunit) {
  const Result result = Test({Write("a & b.policy", kPolicy + kPassing + kFailing), "--format", "junit", "--coverage",
                              (folder_ / "gone.policy").string()});
  EXPECT_EQ(result.code, 2);
  const std::string out = Short(result.out);
  EXPECT_TRUE(
      out.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                      "<testsuites name=\"breakwater test\" tests=\"3\" failures=\"1\" errors=\"1\">\n"
                      "  <testsuite name=\"F/a &amp; b.policy\" tests=\"2\" failures=\"1\" errors=\"0\">\n"
                      "    <testcase classname=\"F/a &amp; b.policy\" name=\"the model answers\"/>\n"))
      << out;
  EXPECT_NE(out.find("<failure type=\"expect\" message=\"status == 200, got 503\">"), std::string::npos) << out;
  EXPECT_NE(out.find("<error message=\"no such file\"/>"), std::string::npos) << out;
  EXPECT_NE(result.err.find("coverage of "), std::string::npos);
}

TEST_F(TestCommand, TheDemoPassesItsTests) {
  EXPECT_EQ(Test({BREAKWATER_SOURCE_DIR "/examples/demo"}).out, "2 tests: 2 passed\n");
}

// What stands in the tree passes its own tests, and asks for every condition once.
TEST_F(TestCommand, ShippedPoliciesPassTheirTests) {
  const Result result = Test({BREAKWATER_POLICIES_DIR, "--coverage"});
  EXPECT_EQ(result.code, 0) << result.out << result.err;
  for (const auto& entry : fs::directory_iterator(BREAKWATER_POLICIES_DIR)) {
    if (entry.path().extension() != ".policy") continue;
    EXPECT_NE(result.out.find("coverage of " + entry.path().string() + ": "), std::string::npos) << entry.path();
  }
  EXPECT_EQ(result.out.find("never asked"), std::string::npos) << result.out;
}

}  // namespace
