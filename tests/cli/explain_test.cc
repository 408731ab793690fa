// `breakwater explain FILE`: bounds, values with where they came from, and the route of a request with the reasons.
#include "cli/explain.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

namespace {

struct Result {
  int code;
  std::string out, err;
};

cli::ExplainOptions Of(std::string what, std::string request = "") {
  cli::ExplainOptions options;
  options.what = std::move(what);
  options.request = std::move(request);
  return options;
}

Result Explain(const cli::ExplainOptions& options) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = cli::RunExplain(options);
  std::string out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

std::string Shipped(const std::string& name) { return std::string(BREAKWATER_POLICIES_DIR) + "/" + name; }

// Of this test alone: others run at the same time.
std::string TempFile(const std::string& name) {
  return testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name() + "." + name;
}

std::string Written(const std::string& text) {
  const std::string path = TempFile("policy");
  std::ofstream(path) << text;
  return path;
}

// The first line that begins so, however wide the space between its words is.
std::string LineOf(const std::string& text, const std::string& begin) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = text.find('\n', at);
    std::string line;
    for (const char c : text.substr(at, end - at)) {
      if (c != ' ' || (!line.empty() && line.back() != ' ')) line += c;
    }
    if (line.starts_with(begin)) return line;
    at = end + 1;
  }
  return "none begins with " + begin + "\n" + text;
}

TEST(ExplainPolicy, TheFoundingPolicyHasItsBoundWithTheArithmetic) {
  const Result result = Explain(Of(Shipped("qwen3-32b.policy")));
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(LineOf(result.out, "longest wait"), "longest wait 46.5 s = 3 × 15 s + 0.5 s + 1 s");
  EXPECT_EQ(LineOf(result.out, "3 × 15 s"), "3 × 15 s attempts at `ollama_qwen3_32b` (attempt_timeout)");
  EXPECT_EQ(LineOf(result.out, "upstreams get"), "upstreams get 3 attempts at `ollama_qwen3_32b`");
}

TEST(ExplainPolicy, AStopSaysWhatTheSupervisorMustAllow) {
  Result result = Explain(Of(Shipped("qwen3-32b.policy")));
  EXPECT_EQ(LineOf(result.out, "longest 30"), "longest 30 s; what is under way then is broken off");
  EXPECT_EQ(LineOf(result.out, "supervisor"),
            "supervisor TimeoutStopSec=35 (systemd), terminationGracePeriodSeconds: 35 (Kubernetes), "
            "stop_grace_period: 35s (Compose)");
  result =
      Explain(Of(Written("edition 1\ngateway { listen = \"127.0.0.1:0\"  drain_delay = 5s  drain = 5min300ms "
                         "}\nupstream a { url = \"http://a\" }\n")));
  EXPECT_EQ(LineOf(result.out, "longest 5 min"),
            "longest 5 min 5.3 s = 5 s (drain_delay) + 5 min 0.3 s (drain); what is under way then is broken off");
  EXPECT_EQ(LineOf(result.out, "supervisor").substr(0, 29), "supervisor TimeoutStopSec=311");
}

TEST(ExplainPolicy, EveryValueSaysWhereItCameFrom) {
  const Result result = Explain(Of(Written(R"(edition 1
let patience = slow
let slow     = 20s
gateway { listen = env("LISTEN", default: "127.0.0.1:8080") }
upstream a {
  url             = "http://a"
  attempt_timeout = patience
  header["X-A"]   = secret("KEY")
  breaker { open when failures(60s) >= 5  open_for = 20s }
}
)")));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(LineOf(result.out, "listen"),
            "listen env(\"LISTEN\", default: \"127.0.0.1:8080\") line 4, LISTEN is not set");
  EXPECT_EQ(LineOf(result.out, "attempt_timeout"),
            "attempt_timeout 20s line 7, from `let patience`, line 2, from `let slow`, line 3");
  EXPECT_EQ(LineOf(result.out, "header["), "header[\"X-A\"] secret(\"KEY\") line 8, from the environment");
  EXPECT_EQ(LineOf(result.out, "repeat_safe"), "repeat_safe auto default");
  EXPECT_EQ(LineOf(result.out, "open_for"), "open_for 20s line 9");
  EXPECT_EQ(LineOf(result.out, "close when"), "close when successes(30s) >= probes default");
  EXPECT_EQ(LineOf(result.out, "retry"), "retry off");
}

TEST(ExplainPolicy, AVariableThatIsSetShowsWhatItHolds) {
  ASSERT_EQ(setenv("EXPLAIN_TEST_URL", "http://10.0.0.7:11434", 1), 0);
  const Result result = Explain(Of(Written(R"(edition 1
gateway { listen = "127.0.0.1:8080" }
upstream a { url = env("EXPLAIN_TEST_URL", default: "http://a") }
)")));
  unsetenv("EXPLAIN_TEST_URL");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(LineOf(result.out, "url"), "url \"http://10.0.0.7:11434\" line 3, EXPLAIN_TEST_URL of the environment");
}

TEST(ExplainPolicy, WhatIsImportedSaysWhere) {
  const std::string shared = TempFile("shared");
  std::ofstream(shared) << "edition 1\nretry gentle {\n  max_retries = 2\n  when error == refused\n}\n"
                           "reply busy { status = 503  header[\"Retry-After\"] = \"30\" }\n";
  const Result result = Explain(Of(Written("edition 1\nimport \"" + shared.substr(shared.rfind('/') + 1) +
                                           "\" as llm\ngateway { listen = \"127.0.0.1:1\" }\n"
                                           "upstream a { url = \"http://a\"  retry = llm.gentle  fallback = [llm.busy] }\n")));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(LineOf(result.out, "max_retries"), "max_retries 2 line 3 of " + shared);
  EXPECT_EQ(LineOf(result.out, "reply llm"), "reply llm.busy");
}

TEST(ExplainPolicy, RoutesAreNamedWithWhatTheyLackedAndWhy) {
  cli::ExplainOptions options = Of(Shipped("tenants.policy"), "POST /api/chat");
  options.headers = {"X-Tenant: school"};
  const Result result = Explain(options);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(LineOf(result.out, "no route strangers"), "no route strangers");
  EXPECT_EQ(LineOf(result.out, "no route shop"), "no route shop");
  EXPECT_NE(result.out.find(
                "fails  (request.header[\"x-tenant\"] ?? \"nobody\") == \"shop\"; request.header[\"x-tenant\"] is "
                "\"school\""),
            std::string::npos)
      << result.out;
  EXPECT_EQ(LineOf(result.out, "takes it"), "takes it route school");
  EXPECT_EQ(LineOf(result.out, "asked:"), "asked: school");
  EXPECT_EQ(result.out.find("otherwise"), std::string::npos);
}

TEST(ExplainPolicy, WhereItComesFromCounts) {
  cli::ExplainOptions options = Of(Shipped("tenants.policy"), "/");
  options.client = "192.0.2.7";
  EXPECT_EQ(LineOf(Explain(options).out, "takes it"), "takes it route strangers");
}

TEST(ExplainPolicy, BodiesAreReadFromFilesToo) {
  const std::string policy = R"(edition 1
gateway { listen = "127.0.0.1:8080" }
upstream a { url = "http://a" }
reply no { status = 404 }
route small {
  when request.json.model == "small" and request.query["x"] == none
  to = a
}
)";
  const std::string body = TempFile("body.json");
  std::ofstream(body) << "{\"model\": \"small\"}";
  cli::ExplainOptions options = Of(Written(policy), "POST /api/chat");
  options.body = "@" + body;
  EXPECT_EQ(LineOf(Explain(options).out, "takes it"), "takes it route small");
  options.body = "{\"model\": \"large\"}";
  const Result result = Explain(options);
  EXPECT_NE(result.out.find("fails  request.json.model == \"small\"; request.json.model is large"), std::string::npos)
      << result.out;
  EXPECT_NE(result.out.find("no route takes it: the gateway answers 404"), std::string::npos);
  options.body = "@" + body + ".gone";
  EXPECT_EQ(Explain(options).code, 2);
}

TEST(ExplainPolicy, WhatIsNoRequestOrNoPolicyIsRefused) {
  cli::ExplainOptions options = Of(Shipped("qwen3-32b.policy"), "POST /api chat");
  EXPECT_EQ(Explain(options).code, 2);
  EXPECT_EQ(Explain(Of(testing::TempDir() + "no.policy")).code, 2);
  const Result broken = Explain(Of(Written("edition 1\n")));
  EXPECT_EQ(broken.code, 1);
  EXPECT_NE(broken.err.find("PL0136"), std::string::npos) << broken.err;
}

TEST(ExplainPolicy, CodesStillHaveTheirPages) {
  EXPECT_EQ(Explain(Of("pl0201")).out.substr(0, 8), "# PL0201");
  EXPECT_EQ(Explain(Of("PL9999")).code, 2);
  EXPECT_NE(Explain(Of("")).out.find("PL0201"), std::string::npos);
}

// ---- a setting

TEST(ExplainSetting, SaysWhatTheTableHas) {
  const Result result = Explain(Of("upstream.timeouts.idle"));
  EXPECT_EQ(result.code, 0);
  EXPECT_TRUE(result.out.starts_with("upstream.timeouts.idle\n")) << result.out;
  EXPECT_NE(result.out.find("default: 5min; from 1ms to 24h"), std::string::npos) << result.out;
  // What is above it may be left out, and two may have the name.
  EXPECT_EQ(Explain(Of("timeouts.connect")).code, 0);
  const Result several = Explain(Of("timeouts.idel"));
  EXPECT_EQ(several.code, 2);
  EXPECT_NE(several.err.find("there is no setting timeouts.idel"), std::string::npos) << several.err;
}

TEST(ExplainSetting, SaysWhatIsInForce) {
  cli::ExplainOptions options = Of("upstream.timeouts.idle");
  options.policy = Written("edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a\"  timeouts { idle = 7s } }\nupstream b { url = \"http://b\" }\nroute r { to = [a, b] }\n");
  const Result result = Explain(options);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("upstream a: 7s"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("line 3"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("upstream b: 5min  (default)"), std::string::npos) << result.out;
}

// ---- what stands in front of the gateway, and what never gets to a route

TEST(ExplainRequest, BelievesTrustedProxies) {
  const std::string policy = Written("edition 1\ngateway { listen = \"127.0.0.1:8080\"  trusted_proxies = [10.0.0.0/8]  limits { body = 10B } }\nupstream a { url = \"http://a\" }\n"
                                     "route office { when client.ip in 192.0.2.0/24  to = a }\nroute rest { to = a }\n");
  cli::ExplainOptions options = Of(policy, "POST /x");
  options.client = "10.1.1.1";
  options.headers = {"X-Forwarded-For: 192.0.2.7"};
  EXPECT_NE(Explain(options).out.find("takes it  route office"), std::string::npos) << Explain(options).out;
  options.client = "11.1.1.1";
  EXPECT_NE(Explain(options).out.find("takes it  route rest"), std::string::npos) << Explain(options).out;
  options.body = "more than ten bytes";
  EXPECT_NE(Explain(options).out.find("the gateway answers 413"), std::string::npos) << Explain(options).out;
  options.client = "foo";
  EXPECT_EQ(Explain(options).code, 2);
  EXPECT_NE(Explain(options).err.find("`foo` is no address"), std::string::npos) << Explain(options).err;
}

TEST(ExplainRequest, TakesAWholeAddress) {
  const std::string policy = Written("edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a\" }\nroute chat { when request.host == \"llm.example.com\" and request.path == \"/api/chat\"  to = a }\nroute rest { to = a }\n");
  const Result result = Explain(Of(policy, "POST https://llm.example.com/api/chat"));
  EXPECT_NE(result.out.find("takes it  route chat"), std::string::npos) << result.out << result.err;
}

}  // namespace
