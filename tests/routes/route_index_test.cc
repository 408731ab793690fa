// What the index asks, on policies as people write them: few routes, however many there are.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/model/interpret.h"

namespace tests::routes {
namespace {

using compiler::abi::Facts;
using compiler::abi::JsonKind;
using compiler::abi::JsonValue;
using compiler::abi::Method;
using compiler::abi::Str;

struct Request {
  Method method = Method::kPOST;
  std::string path = "/api/chat";
  std::string host = "example.com";
  std::vector<std::string> headers = {};  // in the order of the slots; "" is absent
  std::string json = "";                  // of the one slot; "" is absent
};

class Routes {
 public:
  explicit Routes(const std::string& routes) {
    compiler::diagnostics::Diagnostics diagnostics;
    compiled_ = compiler::CompileInterpreted(
        "edition 1\ngateway { listen = \"127.0.0.1:0\" }\nreply ok { status = 200 text = \"ok\" }\n" + routes, {},
        &diagnostics);
    if (compiled_ == nullptr) ADD_FAILURE() << diagnostics.items().front().message;
    for (const auto& predicate : compiled_->policy.predicates) counting_.push_back({&predicate.expr, &asked_});
    std::vector<compiler::abi::Predicate> calls;
    for (const Counting& predicate : counting_) calls.push_back({&Counting::Call, &predicate});
    predicates_ = compiler::abi::PredicateTable(std::move(calls));
  }

  // The name of the route, "" for none.
  std::string Of(const Request& request) {
    std::vector<Str> headers;
    for (const std::string& header : request.headers) headers.push_back(header.empty() ? Str{} : Str::Of(header));
    JsonValue json;
    if (!request.json.empty()) {
      json.kind = JsonKind::kString;
      json.text = Str::Of(request.json);
    }
    Facts facts;
    facts.request_method = static_cast<int32_t>(request.method);
    facts.request_path = Str::Of(request.path);
    facts.request_host = Str::Of(request.host);
    facts.request_header = headers.data();
    facts.request_json = &json;
    asked_ = 0;
    const auto route = compiled_->routes.Find(facts, predicates_);
    return route ? compiled_->policy.routes[*route].name : "";
  }

  int asked() const { return asked_; }  // predicates, by the last request

 private:
  struct Counting {
    const compiler::model::Expr* expr;
    int* asked;
    static int32_t Call(const void* self, const Facts* facts) noexcept {
      const auto& predicate = *static_cast<const Counting*>(self);
      ++*predicate.asked;
      return compiler::model::Interpret(*predicate.expr, *facts) ? 1 : 0;
    }
  };

  std::shared_ptr<const compiler::CompiledPolicy> compiled_;
  std::vector<Counting> counting_;
  compiler::abi::PredicateTable predicates_;
  int asked_ = 0;
};

// `count` routes r0, r1 … each with the predicate that `when` makes of its number.
std::string Many(int count, const std::function<std::string(int)>& when) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "route r" + std::to_string(i) + " { when " + when(i) + " reply = ok }\n";
  return text;
}

std::string N(int number) { return std::to_string(number); }

TEST(RouteIndex, OfNoRoutesFindsNone) { EXPECT_EQ(compiler::routes::RouteIndex().Find(Facts(), {}), std::nullopt); }

TEST(RouteIndex, FindsTheFirstOfSeveralThatHold) {
  Routes routes(R"(
    route special { when request.path == "/api/chat" and request.header["x-tenant"] == "a" reply = ok }
    route api { when request.path starts_with "/api/" reply = ok }
    route chat { when request.path == "/api/chat" reply = ok }
    route rest { reply = ok })");
  EXPECT_EQ(routes.Of({.headers = {"a"}}), "special");
  EXPECT_EQ(routes.Of({.headers = {"b"}}), "api");
  EXPECT_EQ(routes.Of({.path = "/v1/models", .headers = {""}}), "rest");
}

TEST(RouteIndex, FindsNoneWhereNoneHolds) {
  Routes routes(Many(100, [](int i) { return "request.path == \"/p" + N(i) + "\""; }));
  EXPECT_EQ(routes.Of({.path = "/p100"}), "");
  EXPECT_EQ(routes.asked(), 0);
}

TEST(RouteIndex, AsksOneOfManyPaths) {
  Routes routes(Many(2000, [](int i) { return "request.method == POST and request.path == \"/p/" + N(i) + "\""; }));
  EXPECT_EQ(routes.Of({.path = "/p/1999"}), "r1999");
  EXPECT_EQ(routes.asked(), 1);
}

TEST(RouteIndex, AsksOnlyThePrefixesThatFit) {
  Routes routes(Many(500, [](int i) { return "request.path starts_with \"/t/" + N(i) + "\""; }));
  EXPECT_EQ(routes.Of({.path = "/t/123/chat"}), "r1");  // "/t/1" stands before "/t/12" and "/t/123"
  EXPECT_LE(routes.asked(), 3);
  EXPECT_EQ(routes.Of({.path = "/t"}), "");
  EXPECT_EQ(routes.asked(), 0);
}

TEST(RouteIndex, AsksOneOfManyTenantsOnOnePath) {
  Routes routes(Many(500, [](int i) {
    return "request.path == \"/api/chat\" and request.header[\"x-tenant\"] == \"t" + N(i) + "\"";
  }));
  EXPECT_EQ(routes.Of({.headers = {"t321"}}), "r321");
  EXPECT_EQ(routes.asked(), 1);
  EXPECT_EQ(routes.Of({.path = "/api/generate", .headers = {"t321"}}), "");
  EXPECT_LE(routes.asked(), 1);
}

TEST(RouteIndex, DividesByOneValueAfterTheOther) {
  Routes routes(Many(
      900, [](int i) { return "request.host == \"h" + N(i / 30) + "\" and request.path == \"/p" + N(i % 30) + "\""; }));
  EXPECT_EQ(routes.Of({.path = "/p7", .host = "h20"}), "r607");
  EXPECT_EQ(routes.asked(), 1);
}

TEST(RouteIndex, KnowsTheModelInTheBody) {
  Routes routes(Many(500, [](int i) { return "request.json.model == \"m" + N(i) + "\""; }));
  EXPECT_EQ(routes.Of({.json = "m77"}), "r77");
  EXPECT_EQ(routes.asked(), 1);
  EXPECT_EQ(routes.Of({}), "");
}

TEST(RouteIndex, FilesARouteUnderEachOfItsLines) {
  Routes routes(Many(200, [](int i) {
    return "request.path == \"/p" + N(i) + "\" when request.header[\"x-route\"] == \"r" + N(i) + "\"";
  }));
  EXPECT_EQ(routes.Of({.path = "/p5", .headers = {""}}), "r5");
  EXPECT_EQ(routes.Of({.path = "/", .headers = {"r6"}}), "r6");
  EXPECT_EQ(routes.Of({.path = "/p8", .headers = {"r7"}}), "r7");
  EXPECT_LE(routes.asked(), 2);
}

TEST(RouteIndex, FilesARouteUnderEachMemberOfItsSets) {
  Routes routes(Many(100, [](int i) {
    return "request.path in {\"/a" + N(i) + "\", \"/b" + N(i) + "\"} and request.host in {\"x\", \"y\", \"z\"}";
  }));
  EXPECT_EQ(routes.Of({.path = "/b42", .host = "y"}), "r42");
  EXPECT_EQ(routes.asked(), 1);
}

TEST(RouteIndex, SeesThroughLetNamesAndDefaults) {
  Routes routes("let tenant = request.header[\"x-tenant\"] ?? \"none\"\n" +
                Many(100, [](int i) { return "tenant == \"t" + N(i) + "\""; }) +
                "route nobody { when tenant == \"none\" reply = ok }\n");
  EXPECT_EQ(routes.Of({.headers = {"t9"}}), "r9");
  EXPECT_LE(routes.asked(), 1);
  EXPECT_EQ(routes.Of({.headers = {""}}), "nobody");
}

TEST(RouteIndex, StillFindsWhatItCannotFile) {
  Routes routes(Many(50, [](int i) { return "request.path contains \"x" + N(i) + "y\""; }) +
                "route rest { reply = ok }\n");
  EXPECT_EQ(routes.Of({.path = "/ax30yb"}), "r30");
  EXPECT_EQ(routes.Of({.path = "/"}), "rest");
}

}  // namespace
}  // namespace tests::routes
