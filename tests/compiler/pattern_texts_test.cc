// PL0705: text that looks like a pattern, where it is found, what is written instead, and what is left alone.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "compiler/fix.h"

namespace {

using compiler::diagnostics::Diagnostics;

std::string PolicyOf(const std::string& condition, const std::string& in_file = "") {
  return "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a\" }\nreply no { status = "
         "404 }\n" +
         in_file + "route r { when " + condition + "  to = a }\nroute s { reply = no }\n";
}

std::string Findings(const std::string& policy) {
  Diagnostics diagnostics;
  compiler::CheckPolicy(policy, {}, &diagnostics);
  std::string found;
  for (const auto* item : diagnostics.InSourceOrder()) {
    found += (found.empty() ? "" : " ") + std::string(item->code) + " " +
             policy.substr(item->range.begin, item->range.end - item->range.begin);
  }
  return found;
}

struct Found {
  std::string condition;
  std::string at;
  std::string fixed;  // what `fix --unsafe` makes of it: the condition itself where there is no fix
};

const std::vector<Found> kFound = {
    {R"(request.path == "/api/*")", R"("/api/*")", R"(request.path starts_with "/api/")"},
    {R"(request.path == "/api*")", R"("/api*")", R"(request.path starts_with "/api")"},
    {R"(request.path == "/api/**")", R"("/api/**")", R"(request.path starts_with "/api/")"},
    {R"(client.tls and request.path != "/api/*")", R"("/api/*")",
     R"(client.tls and not request.path starts_with "/api/")"},
    {R"(request.path starts_with "/v1/*")", R"("/v1/*")", R"(request.path starts_with "/v1/")"},
    {R"(request.path == "/v1/*/chat.json")", R"("/v1/*/chat.json")",
     R"(request.path matches /^\/v1\/[^\/]*\/chat\.json$/)"},
    {R"(request.path in {"/v1/**/x/*"})", R"("/v1/**/x/*")", R"(request.path matches /^\/v1\/.*\/x\//)"},
    {R"(request.path in {"/api/*"})", R"("/api/*")", R"(request.path starts_with "/api/")"},
    {R"(request.path not in {"/api/*"})", R"("/api/*")", R"(not request.path starts_with "/api/")"},
    // No fix: others stand beside it, it would always hold, or the constant stands first.
    {R"(request.path in {"/api/*", "/b"})", R"("/api/*")", R"(request.path in {"/api/*", "/b"})"},
    {R"(request.path == "/*")", R"("/*")", R"(request.path == "/*")"},
    {R"("/api/*" == request.path)", R"("/api/*")", R"("/api/*" == request.path)"},
    {R"(client.ip starts_with "10.0.*")", R"("10.0.*")", R"(client.ip starts_with "10.0.")"},
    {R"(client.ip == "10.0.0.0/8")", R"("10.0.0.0/8")", R"(client.ip in 10.0.0.0/8)"},
    {R"(client.ip != "fd00::/8")", R"("fd00::/8")", R"(client.ip not in fd00::/8)"},
    {R"(client.ip in {"10.0.0.0/8", "192.168.1.1"})", R"("10.0.0.0/8")", R"(client.ip in {10.0.0.0/8, "192.168.1.1"})"},
    {R"(client.ip not in {"10.0.0.0/8"})", R"("10.0.0.0/8")", R"(client.ip not in {10.0.0.0/8})"},
};

TEST(PatternTexts, AreFoundAtTheText) {
  for (const Found& found : kFound)
    EXPECT_EQ(Findings(PolicyOf(found.condition)), "PL0705 " + found.at) << found.condition;
}

TEST(PatternTexts, AreWrittenAsTheLanguageSaysIt) {
  for (const Found& found : kFound) {
    compiler::FixOptions options;
    const std::string as_written = PolicyOf(found.condition);
    EXPECT_EQ(compiler::FixPolicy(as_written, options).text, as_written);  // it compiles: no safe fix
    options.unsafe = true;
    EXPECT_EQ(compiler::FixPolicy(PolicyOf(found.condition), options).text, PolicyOf(found.fixed)) << found.condition;
  }
}

TEST(PatternTexts, AreFoundInALetAndWhereItIsNamed) {
  EXPECT_EQ(Findings(PolicyOf("is_api", "let is_api = request.path == \"/api/*\"\n")), "PL0705 \"/api/*\"");
  EXPECT_EQ(Findings(PolicyOf("request.path == api", "let api = \"/api/*\"\n")), "PL0705 api");
  EXPECT_EQ(Findings(PolicyOf("client.ip == office", "let office = \"10.0.0.0/8\"\n")), "PL0705 office");
  EXPECT_EQ(Findings(PolicyOf("request.path in paths", "let paths = [\"/api/*\", \"/b\"]\n")), "PL0705 \"/api/*\"");
}

TEST(PatternTexts, OtherTextIsLeftAlone) {
  for (const char* condition : {
           R"(request.path == "/api/")",
           R"(request.path in {"/a*b", "/x/y*z/c"})",  // a star in the middle of a word is one
           R"(request.path contains "*")",             // who looks for it means it
           R"(request.path matches /^\/api\/.*/)",
           R"(request.header["Accept"] == "*/*")",  // neither a path nor an address
           R"(request.json.model == "llama*")",
           R"(client.ip == "10.0.0.1")",
           R"(client.ip in 10.0.0.0/8)",
           R"(client.ip in {10.0.0.0/8, "192.168.1.1"})",
           R"(request.header["X-Forwarded-For"] == "10.0.0.0/8")",
           R"(request.path == "10.0.0.0/8")",
       })
    EXPECT_EQ(Findings(PolicyOf(condition)).find("PL0705"), std::string::npos) << condition;
}

TEST(PatternTexts, CanBeAllowed) {
  const std::string allow = "\n  allow PL0705 because \"the path ends in a star\"\n ";
  EXPECT_EQ(Findings(PolicyOf("request.path == \"/api/*\"" + allow)), "");
  EXPECT_EQ(Findings(PolicyOf("request.path == \"/api/\"" + allow)), "PL0102 PL0705");
}

}  // namespace
