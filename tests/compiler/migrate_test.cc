// gateway.yaml to a policy: the founding file becomes the founding policy, and nothing is dropped without a word.
#include "compiler/migrate/migrate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "compiler/model/print.h"

namespace {

using compiler::migrate::Migration;
using compiler::migrate::MigrateGatewayYaml;

std::string Read(const std::string& path) {
  std::ifstream in(std::string(BREAKWATER_SOURCE_DIR) + "/" + path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string FoundingYaml() { return Read("tests/compiler/data/founding_gateway.yaml"); }

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// `finding`: the code of the one finding that it has.
std::string ModelOf(const std::string& policy, std::string_view finding = "") {
  compiler::diagnostics::Diagnostics diagnostics;
  const auto model = compiler::CheckPolicy(policy, {}, &diagnostics);
  std::string found;
  for (const auto& item : diagnostics.items()) found += item.code;
  EXPECT_TRUE(model && found == finding)
      << compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("policy", policy), diagnostics) << policy;
  return model ? compiler::model::Print(*model) : "";
}

std::string ProblemsOf(const Migration& migration) {
  std::string out;
  for (const auto& problem : migration.problems) out += std::to_string(problem.line) + ": " + problem.text + "\n";
  return out;
}

std::string ProblemsOf(const std::string& yaml) {
  const Migration migration = MigrateGatewayYaml(yaml);
  EXPECT_EQ(migration.policy, "") << migration.policy;
  return ProblemsOf(migration);
}

bool Chose(const Migration& migration, const std::string& words) {
  return std::any_of(migration.choices.begin(), migration.choices.end(),
                     [&](const auto& choice) { return choice.text.find(words) != std::string::npos; });
}

TEST(Migrate, TheFoundingFileBecomesTheFoundingPolicy) {
  const Migration migration = MigrateGatewayYaml(FoundingYaml());
  EXPECT_EQ(ProblemsOf(migration), "");
  EXPECT_EQ(ModelOf(migration.policy), ModelOf(Read("policies/qwen3-32b.policy"))) << migration.policy;
}

TEST(Migrate, WhatTheFoundingFileLeftUnsaidIsListed) {
  const Migration migration = MigrateGatewayYaml(FoundingYaml());
  for (const char* unsaid : {"how long the breaker stays open: 15s", "whether tries or requests count as failures",
                             "whether `timeout` is for one try", "whether the cache is asked before or after",
                             "two users who send the same share", "while half-open: 3", "the first wait",
                             "what becomes of a Retry-After", "where the gateway listens", "whether a request may be sent twice"}) {
    EXPECT_TRUE(Chose(migration, unsaid)) << unsaid;
  }
  EXPECT_NE(migration.policy.find("open_for = 15s                      # unsaid"), std::string::npos) << migration.policy;
}

TEST(Migrate, UnknownKeysAreReportedAndKeptAsComments) {
  const Migration migration = MigrateGatewayYaml(
      Replaced(FoundingYaml(), "    max_retries: 2\n", "    max_retries: 2\n    max_retrys: 7\n    pool:\n      size: 3\n"));
  EXPECT_EQ(ProblemsOf(migration),
            "7: `upstream.ollama_qwen3_32b.max_retrys` is not known, and not taken over; did you mean `max_retries`?\n"
            "9: `upstream.ollama_qwen3_32b.pool` is not known, and not taken over\n");
  EXPECT_NE(migration.policy.find("# not taken over: max_retrys: 7\n"), std::string::npos) << migration.policy;
  EXPECT_NE(migration.policy.find("# not taken over: pool: a map\n"), std::string::npos) << migration.policy;
  ModelOf(migration.policy);
}

TEST(Migrate, UnknownKeysAreSeenAtEveryLevel) {
  std::string yaml = FoundingYaml() + "    charset: utf-8\nextra: 1\n";
  yaml = Replaced(yaml, "      ttl: 600s\n", "      ttl: 600s\n      size: 1\n");
  yaml = Replaced(yaml, "    success_threshold: 3\n", "    success_threshold: 3\n    recovery: 5s\n");
  const Migration migration = MigrateGatewayYaml(yaml);
  EXPECT_EQ(migration.problems.size(), 4u) << ProblemsOf(migration);
  EXPECT_NE(migration.policy.find("# not taken over: extra: 1\n"), std::string::npos) << migration.policy;
}

TEST(Migrate, WrongTypesAreErrorsWithTheirPlace) {
  EXPECT_EQ(ProblemsOf(Replaced(FoundingYaml(), "timeout: 15s", "timeout: 15")),
            "5: `upstream.ollama_qwen3_32b.timeout` takes a duration with its unit, such as 15s or 500ms, not `15`\n");
  EXPECT_EQ(ProblemsOf(Replaced(FoundingYaml(), "max_retries: 2", "max_retries: two")),
            "6: `upstream.ollama_qwen3_32b.max_retries` takes a whole number from 0 to 100, not `two`\n");
  EXPECT_EQ(ProblemsOf(Replaced(FoundingYaml(), "enabled: true", "enabled: yes")),
            "11: `upstream.ollama_qwen3_32b.cache_fallback.enabled` takes true or false, not `yes`\n");
  EXPECT_EQ(ProblemsOf(Replaced(FoundingYaml(), "timeout: 15s", "timeout: [15s]")),
            "5: `upstream.ollama_qwen3_32b.timeout` takes a duration such as 15s, not a list\n");
  EXPECT_EQ(ProblemsOf(Replaced(FoundingYaml(), "fallback: \"static_response\"", "fallback: other")),
            "21: there is no fallback `other` under `fallbacks`\n");
  EXPECT_EQ(ProblemsOf(Replaced(FoundingYaml(), "5xx,connect_failure", "5xx,conect_failure")),
            "7: `retry_on` does not know `conect_failure`\n");
  EXPECT_EQ(ProblemsOf(Replaced(FoundingYaml(), "${request.body}", "${request.bdy}")),
            "13: `cache_key` reads `${request.bdy}`, which is not known\n");
  EXPECT_EQ(ProblemsOf("upstream: 3\n"), "1: `upstream` is a map of keys and values, not `3`\n");
  EXPECT_NE(ProblemsOf("upstream: { a: { url: \"http://a:1\" } }\nupstream: { }\n").find("2: `upstream` stands there twice"),
            std::string::npos);
}

TEST(Migrate, ABodyMustBeOneJsonObjectOrText) {
  const std::string head = "upstream: { a: { url: \"http://a:1\" } }\ncircuit_breaker: { a: { fallback: f } }\n";
  EXPECT_NE(ProblemsOf(head + "fallbacks: { f: { body: 'try again' } }\n").find("3: `body` is no JSON object"), std::string::npos);
  EXPECT_NE(ProblemsOf(head + "fallbacks: { f: { body: '{ \"a\": 1, }' } }\n").find("nothing follows the comma"), std::string::npos);
  EXPECT_NE(ProblemsOf(head + "fallbacks: { f: { body: '{ } } reply evil { status = 200' } }\n").find("no JSON object"), std::string::npos);
  const Migration text = MigrateGatewayYaml(head + "fallbacks: { f: { status_code: 503, content_type: text/plain, body: 'say \"${x}\"' } }\n");
  EXPECT_NE(text.policy.find("= \"say \\\"\\${x}\\\"\"\n"), std::string::npos) << text.policy << ProblemsOf(text);
  ModelOf(text.policy, "PL0405");  // no Retry-After: the YAML had none
}

TEST(Migrate, WhatIsNoYamlSaysWhere) {
  const Migration migration = MigrateGatewayYaml("upstream:\n  a: [1\n");
  EXPECT_FALSE(migration.is_yaml);
  EXPECT_EQ(migration.problems.size(), 1u);
  EXPECT_GT(migration.problems[0].line, 0);
  EXPECT_EQ(ProblemsOf(""), "0: the file is empty\n");
  EXPECT_EQ(ProblemsOf("a: 1\n---\nb: 2\n"), "2: a second document begins here: give each gateway a file of its own\n");
  // YAML::LoadAll never comes back from this one.
  EXPECT_EQ(ProblemsOf(", a\n"), "1: this is not YAML: no document begins with this\n");
  EXPECT_TRUE(MigrateGatewayYaml(std::string(20000, '[')).policy.empty());
}

TEST(Migrate, WhatIsLeftOutGetsADefaultThatIsSaid) {
  const Migration migration = MigrateGatewayYaml("upstream:\n  Big-Model:\n    url: http://a:1\n    retry_on: \"429\"\n");
  ModelOf(migration.policy);
  EXPECT_NE(migration.policy.find("upstream big_model {"), std::string::npos) << migration.policy;
  EXPECT_NE(migration.policy.find("when status == 429\n"), std::string::npos) << migration.policy;
  EXPECT_TRUE(Chose(migration, "how long a try may take"));
  EXPECT_TRUE(Chose(migration, "how often a request is tried again: twice"));
  EXPECT_TRUE(Chose(migration, "is left alone: never"));
}

TEST(Migrate, SeveralUpstreamsGetARouteThatIsSaid) {
  const Migration migration = MigrateGatewayYaml("upstream:\n  a: { url: http://a:1 }\n  b: { url: http://b:1 }\n");
  ModelOf(migration.policy);
  EXPECT_TRUE(Chose(migration, "which requests go to which upstream"));
}

TEST(Migrate, DurationsOfTheYamlAreThoseOfThePolicy) {
  const Migration migration = MigrateGatewayYaml("upstream:\n  a: { url: http://a:1, timeout: 1m30s, max_retries: 1, retry_max_delay: 0.25s }\n");
  EXPECT_NE(migration.policy.find("= 90s"), std::string::npos) << migration.policy;
  EXPECT_NE(migration.policy.find("exponential(from: 250ms, factor: 2, cap: 250ms)"), std::string::npos) << migration.policy;
}

TEST(Migrate, ASwitchedOffCacheIsNotTakenOverButSaid) {
  const Migration migration = MigrateGatewayYaml(Replaced(FoundingYaml(), "enabled: true", "enabled: false"));
  EXPECT_EQ(migration.policy.find("cache cache_fallback"), std::string::npos);
  EXPECT_NE(migration.policy.find("# not taken over: cache_fallback"), std::string::npos) << migration.policy;
  ModelOf(migration.policy);
}

}  // namespace
