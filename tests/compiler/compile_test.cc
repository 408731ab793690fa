// The driver: what it returns, the hash, the environment, secrets, and what happens when the JIT is not there.
#include "compiler/compile.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "compiler/diagnostics/kinds.h"
#include "compiler/model/print.h"

namespace {

using compiler::diagnostics::Diagnostics;
using compiler::diagnostics::Kind;

const std::string kPolicy =
    "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a:1\" header[\"Authorization\"] = "
    "secret(\"TEST_KEY\") }\n";

compiler::CompileOptions WithVariables(std::initializer_list<std::pair<std::string, std::string>> variables) {
  compiler::CompileOptions options;
  const std::vector<std::pair<std::string, std::string>> copy(variables);
  options.environment = [copy](const std::string& name) -> std::optional<std::string> {
    for (const auto& [key, value] : copy) {
      if (key == name) return value;
    }
    return std::nullopt;
  };
  return options;
}

std::string HeaderOf(const compiler::model::Policy& policy) {
  const auto& value = policy.upstreams[compiler::model::UpstreamId(0)].headers.at(0).value;
  EXPECT_TRUE(value.is_secret);
  return std::get<std::string>(value.parts.at(0));
}

TEST(Compile, InterpretedPoliciesRunTheirPredicates) {
  Diagnostics diagnostics;
  const auto compiled = compiler::CompileInterpreted(kPolicy, {}, &diagnostics);
  ASSERT_NE(compiled, nullptr);
  ASSERT_EQ(compiled->policy.routes.size(), 2u);
  const auto when = *compiled->policy.routes[compiler::model::RouteId(0)].when;
  compiler::abi::Facts facts;
  facts.request_path = compiler::abi::Str::Of("/api/pull");
  EXPECT_TRUE(compiled->predicates.Test(when, facts));
  facts.request_path = compiler::abi::Str::Of("/api/chat");
  EXPECT_FALSE(compiled->predicates.Test(when, facts));
}

TEST(Compile, NothingIsReturnedBesideAnErrorThatTheParserMendedByGuessing) {
  Diagnostics diagnostics;
  const std::string text =
      "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nreply r { status = 503 text = \"a\\q\" }\nroute x { reply = r }\n";
  EXPECT_EQ(compiler::CompileInterpreted(text, {}, &diagnostics), nullptr);
  EXPECT_TRUE(diagnostics.has_errors());
  Diagnostics again;
  EXPECT_EQ(compiler::CheckPolicy(text, {}, &again), std::nullopt);
}

TEST(Compile, TheHashIsTheBeginningOfSha256OfTheText) {
  Diagnostics diagnostics;
  const std::string text =
      "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nreply r { status = 404 text = \"x\" }\nroute q { reply = r "
      "}\n";
  const auto compiled = compiler::CompileInterpreted(text, {}, &diagnostics);
  ASSERT_NE(compiled, nullptr);
  EXPECT_EQ(compiled->hash, "fdcf12ad09daafa0");
}

TEST(Compile, ErrorsReturnNothing) {
  Diagnostics diagnostics;
  EXPECT_EQ(compiler::CompileInterpreted("edition 1\n", {}, &diagnostics), nullptr);
  EXPECT_TRUE(diagnostics.has_errors());
}

TEST(Compile, ASecretIsTheVariableOrTheFileThatItNames) {
  Diagnostics diagnostics;
  auto options = WithVariables({{"TEST_KEY", "from the variable"}});
  options.for_run = true;
  auto policy = compiler::CheckPolicy(kPolicy, options, &diagnostics);
  ASSERT_TRUE(policy);
  EXPECT_EQ(HeaderOf(*policy), "from the variable");

  const std::string path = testing::TempDir() + "breakwater_secret_test";
  std::ofstream(path) << "from the file\n";
  options = WithVariables({{"TEST_KEY_FILE", path}});
  options.for_run = true;
  policy = compiler::CheckPolicy(kPolicy, options, &diagnostics);
  ASSERT_TRUE(policy);
  EXPECT_EQ(HeaderOf(*policy), "from the file");
  std::remove(path.c_str());
}

TEST(Compile, AMissingVariableIsAnErrorOnlyWhenThePolicyIsToRun) {
  Diagnostics checked;
  EXPECT_TRUE(compiler::CheckPolicy(kPolicy, WithVariables({}), &checked));
  auto options = WithVariables({});
  options.for_run = true;
  Diagnostics to_run;
  EXPECT_FALSE(compiler::CheckPolicy(kPolicy, options, &to_run));
  ASSERT_EQ(to_run.size(), 1u);
  EXPECT_EQ(to_run.items()[0].kind, Kind::kSecretMissing);
}

// By itself, and once for all that use it. A count is another one in each breaker.
TEST(Compile, ALetIsNotCheckedAgainAtEachUse) {
  const auto reads = [](int routes, const std::string& let, const std::string& upstream) {
    std::string text = "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a:1\" " +
                       upstream + " }\n" + let;
    for (int i = 0; i < routes; ++i)
      text +=
          "route r" + std::to_string(i) + " { when is_it and request.path == \"/" + std::to_string(i) + "\" to = a }\n";
    int asked = 0;
    compiler::CompileOptions options;
    options.environment = [&asked](const std::string&) -> std::optional<std::string> {
      ++asked;
      return "x";
    };
    Diagnostics diagnostics;
    EXPECT_TRUE(compiler::CheckPolicy(text, options, &diagnostics));
    return asked;
  };
  const std::string let =
      "let inner = request.host == env(\"HOST\")\nlet is_it = inner or request.header[\"X\"] == env(\"X\")\n";
  const int once = reads(1, let, "");
  EXPECT_GT(once, 0);
  EXPECT_EQ(reads(50, let, ""), once);
  // The predicates are those of conditions that are written out.
  Diagnostics diagnostics;
  const std::string head = "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a:1\" }\n";
  const auto with =
      compiler::CheckPolicy(head +
                                "let p = request.header[\"X\"] == \"a\"\nroute r { when p and request.header[\"Y\"] == "
                                "\"b\" to = a }\nroute s { when request.header[\"Z\"] == \"c\" or p to = a }\n",
                            {}, &diagnostics);
  const auto without = compiler::CheckPolicy(
      head +
          "route r { when request.header[\"X\"] == \"a\" and request.header[\"Y\"] == \"b\" to = a }\nroute s { when "
          "request.header[\"Z\"] == \"c\" or request.header[\"X\"] == \"a\" to = a }\n",
      {}, &diagnostics);
  ASSERT_TRUE(with && without);
  EXPECT_EQ(compiler::model::Print(*with), compiler::model::Print(*without));
}

TEST(Compile, WithoutTheJitThereIsOneErrorThatSaysWhy) {
  // The library is looked for once in a process: this test runs in a process of its own under ctest.
  setenv("BREAKWATER_JIT_LIBRARY", "/nonexistent/libbreakwater_jit.so", 1);
  Diagnostics diagnostics;
  const auto compiled = compiler::CompilePolicy(kPolicy, WithVariables({}), &diagnostics);
  if (compiled != nullptr) GTEST_SKIP() << "the library stands beside the test and was taken";
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics.items()[0].kind, Kind::kJitFailed);
  EXPECT_NE(diagnostics.items()[0].message.find("could not be compiled"), std::string::npos);
}

}  // namespace
