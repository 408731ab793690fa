// Conditions as sets against the interpreter: random conditions, each asked of every combination of the values that it can tell apart.
// Where it holds for none of them, the reasoning must say "never", and never else; likewise "always", and "implies".
#include "compiler/analysis/region.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/model/interpret.h"

namespace {

using compiler::abi::Facts;
using compiler::abi::Method;
using compiler::abi::Str;
using compiler::analysis::Always;
using compiler::analysis::Never;
using compiler::analysis::Region;
using compiler::model::Expr;
using compiler::model::Policy;

using Random = std::mt19937;

template <typename T>
const T& OneOf(const std::vector<T>& of, Random* random) {
  return of[(*random)() % of.size()];
}

// What conditions compare with. Each subject has one value more in the grid: another one than all of these.
const std::vector<std::string> kPaths = {"/api/chat", "/api/generate", "/v1/chat"};
const std::vector<std::string> kStarts = {"/api/", "/v1/"};
const std::vector<std::string> kHeaders = {"a", "b"};
const std::vector<std::string> kAddresses = {"10.1.2.3", "10.9.9.9", "192.0.2.7"};

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }

std::string SetOf(const std::vector<std::string>& of, Random* random) {
  std::string set;
  for (const std::string& text : of) {
    if ((*random)() % 2 == 0) set += (set.empty() ? "" : ", ") + Quoted(text);
  }
  return set.empty() ? "{" + Quoted(of[0]) + "}" : "{" + set + "}";
}

std::string Simple(Random* random) {
  const std::vector<std::string> methods = {"GET", "POST"};
  switch ((*random)() % 12) {
    case 0: return "request.path == " + Quoted(OneOf(kPaths, random));
    case 1: return "request.path != " + Quoted(OneOf(kPaths, random));
    case 2: return "request.path in " + SetOf(kPaths, random);
    case 3: return "request.path not in " + SetOf(kPaths, random);
    case 4: return "request.path starts_with " + Quoted(OneOf(kStarts, random));
    case 5: return "request.method == " + OneOf(methods, random);
    case 6: return "request.method not in {GET, POST}";
    case 7:
      return "request.header[\"X-A\"] == " +
             ((*random)() % 3 == 0 ? std::string("none") : Quoted(OneOf(kHeaders, random)));
    case 8:
      return "request.header[\"X-A\"] != " +
             ((*random)() % 3 == 0 ? std::string("none") : Quoted(OneOf(kHeaders, random)));
    case 9: return "(request.header[\"X-A\"] ?? \"b\") == " + Quoted(OneOf(kHeaders, random));
    case 10: return (*random)() % 2 == 0 ? "client.ip in {10.0.0.0/8}" : "client.ip in {10.1.0.0/16, 192.0.2.0/24}";
    default: return "client.tls";
  }
}

std::string Condition(int depth, Random* random) {
  if (depth == 0 || (*random)() % 4 == 0) return Simple(random);
  if ((*random)() % 4 == 0) return "not (" + Condition(depth - 1, random) + ")";
  const std::string word = (*random)() % 2 == 0 ? " and " : " or ";
  std::string text = "(" + Condition(depth - 1, random) + ")";
  for (unsigned n = (*random)() % 3; n > 0; --n) text += word + "(" + Condition(depth - 1, random) + ")";
  return text;
}

// The conditions of several routes in one policy.
std::optional<Policy> PolicyOf(const std::vector<std::string>& conditions) {
  std::string text = "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a\" }\n";
  for (size_t i = 0; i < conditions.size(); ++i)
    text += "route r" + std::to_string(i) + " { when " + conditions[i] + "  to = a }\n";
  text += "route rest { to = a }\n";
  compiler::diagnostics::Diagnostics diagnostics;
  auto policy = compiler::CheckPolicy(text, {}, &diagnostics);
  EXPECT_TRUE(policy) << text << (diagnostics.empty() ? "" : diagnostics.items()[0].message);
  return policy;
}

// Every combination of what the conditions above can tell apart.
template <typename Look>
void ForEachRequest(const Look& look) {
  std::vector<std::string> paths = kPaths;
  paths.insert(paths.end(), {"/api/tags", "/v1/models", "/elsewhere"});
  std::vector<std::string> addresses = kAddresses;
  addresses.emplace_back("203.0.113.1");
  std::vector<Str> headers = {Str(), Str::Of("a"), Str::Of("b"), Str::Of("another")};
  for (const std::string& path : paths) {
    for (const std::string& address : addresses) {
      for (const Str& header : headers) {
        for (const Method method : {Method::kGET, Method::kPOST, Method::kPUT, Method::kOther}) {
          for (const bool tls : {false, true}) {
            Facts facts;
            facts.request_path = Str::Of(path);
            facts.client_ip = Str::Of(address);
            facts.request_method = static_cast<int32_t>(method);
            facts.client_tls = tls ? 1 : 0;
            facts.request_header = &header;
            look(facts);
          }
        }
      }
    }
  }
}

int Conditions() {
  const char* text = std::getenv("BREAKWATER_CONDITIONS");
  return text == nullptr ? 2000 : std::atoi(text);
}

TEST(Region, SaysNeverAndAlwaysExactlyWhereItIsSo) {
  constexpr int kEach = 20;
  Random random(7);
  int never = 0;
  int always = 0;
  int exact = 0;
  for (int round = 0; round < Conditions() / kEach; ++round) {
    std::vector<std::string> texts;
    for (int i = 0; i < kEach; ++i) texts.push_back(Condition(3, &random));
    const auto policy = PolicyOf(texts);
    ASSERT_TRUE(policy);
    for (int i = 0; i < kEach; ++i) {
      const Expr& expr = policy->predicates[*policy->routes[compiler::model::RouteId(i)].when].expr;
      bool some = false;
      bool all = true;
      ForEachRequest([&](const Facts& facts) {
        const bool holds = compiler::model::Interpret(expr, facts);
        some = some || holds;
        all = all && holds;
      });
      EXPECT_FALSE(Never(expr) && some) << texts[static_cast<size_t>(i)];
      EXPECT_FALSE(Always(expr) && !all) << texts[static_cast<size_t>(i)];
      // Of a condition with too many cases something is left out, and it says so.
      if (!Region::Of(expr).is_exact() || !Region::Outside(expr).is_exact()) continue;
      ++exact;
      EXPECT_EQ(Never(expr), !some) << texts[static_cast<size_t>(i)];
      EXPECT_EQ(Always(expr), all) << texts[static_cast<size_t>(i)];
      never += !some;
      always += all;
    }
  }
  EXPECT_GT(never, 20);
  EXPECT_GT(always, 20);
  EXPECT_GT(exact, Conditions() * 9 / 10);
}

// Which is what "this route is never reached, because of that one" is made of.
TEST(Region, OneConditionImpliesAnotherExactlyWhereItDoes) {
  constexpr int kEach = 20;
  Random random(11);
  int implied = 0;
  for (int round = 0; round < Conditions() / kEach; ++round) {
    std::vector<std::string> texts;
    for (int i = 0; i < kEach; ++i) texts.push_back(Condition(2, &random));
    const auto policy = PolicyOf(texts);
    ASSERT_TRUE(policy);
    for (int i = 0; i + 1 < kEach; ++i) {
      const Expr& early = policy->predicates[*policy->routes[compiler::model::RouteId(i)].when].expr;
      const Expr& late = policy->predicates[*policy->routes[compiler::model::RouteId(i + 1)].when].expr;
      bool is_taken = true;
      ForEachRequest([&](const Facts& facts) {
        is_taken = is_taken && (!compiler::model::Interpret(late, facts) || compiler::model::Interpret(early, facts));
      });
      const Region left = Region::Of(late).And(Region::Outside(early));
      if (!left.is_exact()) continue;
      EXPECT_EQ(left.empty(), is_taken) << texts[static_cast<size_t>(i)] << "\n"
                                                                                << texts[static_cast<size_t>(i) + 1];
      implied += is_taken;
    }
  }
  EXPECT_GT(implied, 100);
}

}  // namespace
