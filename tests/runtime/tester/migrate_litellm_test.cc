// Published configurations of LiteLLM become policies that do what they said: a request for each model that they name arrives at its
// server, path and model, and with the first server down at what stands in for it. Run as tests of the policy.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "compiler/migrate/migrate.h"
#include "runtime/tester/test_runner.h"
#include "tests/support/litellm_models.h"

namespace {

using tests::support::kLiteLlmModels;
using tests::support::LiteLlmModel;
using tests::support::PathAt;

compiler::migrate::Migration MigrationOf(const std::string& file) {
  std::ifstream in(std::string(BREAKWATER_SOURCE_DIR) + "/tests/compiler/data/litellm/" + file + ".yaml");
  std::ostringstream text;
  text << in.rdbuf();
  return compiler::migrate::MigrateGatewayYaml(text.str());
}

std::string TestsOf(const LiteLlmModel& wanted) {
  const std::string ask = "  send POST \"/v1/chat/completions\" json { \"model\": \"" + wanted.asked +
                          "\", \"messages\": [{ \"role\": \"user\", \"content\": \"hi\" }] }\n";
  std::string text = "test \"" + wanted.asked + " arrives\" {\n  given " + wanted.upstream + " replies 200\n" + ask +
                     "  expect status == 200\n  expect served_by == " + wanted.upstream + "\n  expect sent(" +
                     wanted.upstream + ").json.model == \"" + wanted.sent + "\"\n  expect sent(" + wanted.upstream +
                     ").path == \"" + PathAt(wanted) + "\"\n}\n";
  text += "test \"" + wanted.asked + " without its server\" {\n  given " + wanted.upstream + " refuses always\n";
  if (wanted.other.empty()) return text + ask + "  expect status == 503\n}\n";
  return text + "  given " + wanted.other + " replies 200\n" + ask + "  expect status == 200\n  expect served_by == " + wanted.other + "\n}\n";
}

class LiteLlmFiles : public testing::TestWithParam<std::string> {};

TEST_P(LiteLlmFiles, ARequestForEachModelArrives) {
  const auto migration = MigrationOf(GetParam());
  ASSERT_NE(migration.policy, "");
  std::string text = migration.policy + "\n";
  size_t wanted_here = 0;
  for (const LiteLlmModel& wanted : kLiteLlmModels) {
    if (wanted.file != GetParam()) continue;
    text += TestsOf(wanted);
    ++wanted_here;
    EXPECT_NE(migration.policy.find("\"" + wanted.url + "\""), std::string::npos) << wanted.url << "\n" << migration.policy;
  }
  ASSERT_GT(wanted_here, 0u);
  compiler::CompileOptions options;
  options.environment = [](const std::string&) { return std::nullopt; };
  compiler::diagnostics::Diagnostics diagnostics;
  auto written = compiler::CheckWritten(text, options, &diagnostics);
  const auto explain = [&] { return compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("migrated", text), diagnostics); };
  ASSERT_TRUE(written) << explain() << text;
  EXPECT_TRUE(std::none_of(diagnostics.items().begin(), diagnostics.items().end(),
                           [](const auto& item) { return item.severity != compiler::diagnostics::Severity::kNote; }))
      << explain();
  auto compiled = compiler::CompileChecked(written->policy, written->hash, &diagnostics);
  ASSERT_NE(compiled, nullptr) << explain();
  const runtime::tester::TestRunner runner(std::move(compiled));
  EXPECT_EQ(written->tests.size(), 2 * wanted_here);
  for (const auto& test : written->tests) {
    const auto result = runner.Run(test, text);
    for (const auto& failure : result.failures)
      ADD_FAILURE() << test.name << ": " << (failure.message.empty() ? failure.expected + " but got " + failure.got : failure.message);
  }
}

INSTANTIATE_TEST_SUITE_P(Published, LiteLlmFiles, testing::Values("ollama_farm", "lodestar", "victor", "local_gateway", "coprocessor", "frugal"),
                         [](const auto& test) { return test.param; });

std::string ProblemsOf(const std::string& file) {
  std::string text;
  for (const auto& problem : MigrationOf(file).problems) text += std::to_string(problem.line) + ": " + problem.text + "\n";
  return text;
}

TEST(LiteLlm, WhatHasNoPlaceIsToldWithItsLine) {
  const std::string lodestar = ProblemsOf("lodestar");
  EXPECT_NE(lodestar.find("23: `anthropic/claude-sonnet-4-5-20250929`: the API of anthropic is another one"), std::string::npos) << lodestar;
  EXPECT_NE(lodestar.find("`gemini-1.5-flash`: the API of gemini is another one"), std::string::npos) << lodestar;
  EXPECT_NE(lodestar.find("`routing_strategy`"), std::string::npos) << lodestar;
  const std::string gateway = ProblemsOf("local_gateway");
  EXPECT_NE(gateway.find("35: `ollama_chat/`: LiteLLM translates to /api/chat"), std::string::npos) << gateway;
  EXPECT_NE(gateway.find("`master_key`"), std::string::npos) << gateway;
  const std::string coprocessor = ProblemsOf("coprocessor");
  EXPECT_NE(coprocessor.find("`claude-escalation` cannot stand in for `claude-qwen-coding`"), std::string::npos) << coprocessor;
  EXPECT_NE(coprocessor.find("`temperature` is not taken over"), std::string::npos) << coprocessor;
  const std::string frugal = ProblemsOf("frugal");
  EXPECT_NE(frugal.find("`include` has no place"), std::string::npos) << frugal;
}

TEST(LiteLlm, AKeyInTheFileDoesNotReachThePolicy) {
  const auto migration = compiler::migrate::MigrateGatewayYaml(
      "model_list:\n  - model_name: a\n    litellm_params:\n      model: openai/x\n      api_base: http://h:1/v1\n      api_key: sk-proj-abcdefgh12345678\n");
  EXPECT_EQ(migration.policy.find("sk-proj"), std::string::npos) << migration.policy;
  EXPECT_NE(migration.policy.find("secret(\"A_API_KEY\")"), std::string::npos) << migration.policy;
}

TEST(LiteLlm, WithoutAnyModelThereIsNoPolicy) {
  const auto migration = compiler::migrate::MigrateGatewayYaml("model_list:\n  - model_name: a\n    litellm_params:\n      model: bedrock/x\n");
  EXPECT_EQ(migration.policy, "");
  EXPECT_FALSE(migration.problems.empty());
}

}  // namespace
