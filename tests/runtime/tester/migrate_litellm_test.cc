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

namespace {

struct Wanted {
  std::string file;
  std::string asked;     // what the client calls the model
  std::string upstream;  // in the policy
  std::string url;
  std::string sent;      // what the server calls it
  std::string other;     // the upstream that stands in; "": none
};

const std::string kOpenAi = "https://api.openai.com/v1";
const std::string kLodestar = "http://192.168.120.211:11434/v1";
const std::string kHost = "http://host.docker.internal:";
const std::string kUnset = "http://127.0.0.1:8000/v1";  // where a variable is not set
const std::string kGemma = "/models/gemma-4-12b-it-Q5_K_M.gguf";

const std::vector<Wanted> kWanted = {
    {"ollama_farm", "local-chat", "local_chat", "http://ollama1:11434", "qwen3.5:0.8b", "local_chat_2"},
    {"lodestar", "gpt-3.5-turbo", "gpt_3_5_turbo", kLodestar, "qwen2.5-coder:3b", ""},
    {"lodestar", "local-llama", "local_llama", kLodestar, "llama3.2:1b", ""},
    {"lodestar", "local-reasoning", "local_reasoning", kLodestar, "deepseek-r1:1.5b", ""},
    {"lodestar", "gpt-4o", "gpt_4o", kOpenAi, "gpt-4o", ""},
    {"lodestar", "gpt-4o-mini", "gpt_4o_mini", kOpenAi, "gpt-4o-mini", ""},
    {"lodestar", "grok-beta", "grok_beta", "https://api.x.ai/v1", "grok-3-fast", ""},
    {"lodestar", "grok-3-mini", "grok_3_mini", "https://api.x.ai/v1", "grok-3-mini", ""},
    {"lodestar", "perplexity-sonar", "perplexity_sonar", "https://api.perplexity.ai", "sonar", ""},
    {"lodestar", "perplexity-sonar-pro", "perplexity_sonar_pro", "https://api.perplexity.ai", "sonar-pro", ""},
    {"victor", "dcs-codellama", "dcs_codellama", "http://localhost:11434", "codellama", "codellama"},
    {"victor", "dcs-llama3", "dcs_llama3", "http://localhost:11434", "llama3", "llama3"},
    {"victor", "codellama", "codellama", "http://localhost:11434", "codellama", ""},
    {"victor", "llama3", "llama3", "http://localhost:11434", "llama3", ""},
    {"victor", "dcs", "dcs_codellama", "http://localhost:11434", "codellama", "dcs_llama3"},
    {"victor", "general", "dcs_llama3", "http://localhost:11434", "llama3", "llama3"},
    {"local_gateway", "gpt-4o", "gpt_4o", kOpenAi, "gpt-4o", ""},
    {"local_gateway", "gpt-4o-mini", "gpt_4o_mini", kOpenAi, "gpt-4o-mini", ""},
    {"local_gateway", "groq-llama3", "groq_llama3", "https://api.groq.com/openai/v1", "llama-3.3-70b-versatile", ""},
    {"local_gateway", "openrouter-auto", "openrouter_auto", "https://openrouter.ai/api/v1", "auto", ""},
    {"local_gateway", "llama3-local", "llama3_local", kHost + "11434", "llama3", ""},
    {"local_gateway", "lmstudio-local", "lmstudio_local", kHost + "1234/v1", "local-model", ""},
    {"local_gateway", "llamacpp-local", "llamacpp_local", kHost + "8080/v1", "local", ""},
    {"local_gateway", "my-custom-endpoint", "my_custom_endpoint", "https://your-endpoint.example.com/v1", "<model-name-on-that-server>", ""},
    {"coprocessor", "claude-qwen-coding", "claude_qwen_coding", kUnset, "qwen3.6-27b-instruct", "claude_qwen_remote"},
    {"coprocessor", "claude-qwen-thinking", "claude_qwen_thinking", kUnset, "qwen3.6-27b-instruct", "claude_qwen_coding"},
    {"coprocessor", "claude-qwen-remote", "claude_qwen_remote", kUnset, "qwen3.6-35b-a3b", "claude_qwen_coding"},
    {"coprocessor", "claude-router-auto", "claude_router_auto", kUnset, "qwen3.6-27b-instruct", "claude_qwen_coding"},
    {"frugal", "auto", "auto", "http://100.80.59.45:8080/v1", kGemma, ""},
    {"frugal", "reasoning", "reasoning", "http://100.80.59.45:8080/v1", kGemma, ""},
    {"frugal", "local", "local", "http://127.0.0.1:11434", "hermes:latest", ""},
};

compiler::migrate::Migration MigrationOf(const std::string& file) {
  std::ifstream in(std::string(BREAKWATER_SOURCE_DIR) + "/tests/compiler/data/litellm/" + file + ".yaml");
  std::ostringstream text;
  text << in.rdbuf();
  return compiler::migrate::MigrateGatewayYaml(text.str());
}

// Where the policy's url of an upstream is.
std::string PathBelow(const std::string& url) {
  const size_t slash = url.find('/', url.find("://") + 3);
  return slash == std::string::npos ? "" : url.substr(slash);
}

std::string TestsOf(const Wanted& wanted) {
  const std::string ask = "  send POST \"/v1/chat/completions\" json { \"model\": \"" + wanted.asked + "\", \"messages\": [{ \"role\": \"user\", \"content\": \"hi\" }] }\n";
  // A base of /v1 is not doubled, and any other stands in front.
  std::string base = PathBelow(wanted.url);
  if (base.ends_with("/v1")) base.resize(base.size() - 3);
  std::string text = "test \"" + wanted.asked + " arrives\" {\n  given " + wanted.upstream + " replies 200\n" + ask + "  expect status == 200\n  expect served_by == " +
                     wanted.upstream + "\n  expect sent(" + wanted.upstream + ").json.model == \"" + wanted.sent + "\"\n  expect sent(" + wanted.upstream +
                     ").path == \"" + base + "/v1/chat/completions\"\n}\n";
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
  for (const Wanted& wanted : kWanted) {
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
