#include "runtime/http/facts_from_message.h"

#include <gtest/gtest.h>

#include <optional>

#include "runtime/http/message_parser.h"

namespace runtime::http {
namespace {

using compiler::abi::Facts;
using compiler::abi::JsonKind;
using compiler::abi::Str;
using Problem = ReadProblem;

std::optional<std::string> Text(const Str& text) {
  if (!text.has_value()) return std::nullopt;
  return std::string(text.view());
}

class FactsFromMessageTest : public testing::Test {
 protected:
  FactsFromMessageTest() {
    policy_.slots.request_headers = {"x-model", "accept"};
    policy_.slots.request_queries = {"a", "b c"};
    policy_.slots.request_json = {{"model"}, {"options", "num_ctx"}};
    policy_.slots.response_headers = {"retry-after"};
    policy_.slots.response_json = {{"error", "code"}};
    policy_.slots.chunk_json = {{"error"}, {"message", "content"}};
    filler_.emplace(policy_);
  }

  Problem Fill(const std::string& lines, const std::string& target, const std::string& body) {
    request_.Reset();
    std::vector<std::string_view> none;
    const auto result =
        request_.Feed("POST " + target + " HTTP/1.1\r\nHost: Example.COM:8080\r\n" + lines + "\r\n", &none);
    EXPECT_EQ("", Name(result.error));
    body_ = body;
    return filler_->FillRequest(request_.request(), "/normal", body_, "192.0.2.1", true, &facts_);
  }

  compiler::model::Policy policy_;
  std::optional<MessageFacts> filler_;
  MessageParser request_{Role::kRequest, {}};
  std::string body_;
  Facts facts_;
};

TEST_F(FactsFromMessageTest, FillsTheFieldsOfTheRequest) {
  EXPECT_EQ(Problem::kNone, Fill("", "/x", "{}"));
  EXPECT_EQ(static_cast<int32_t>(compiler::abi::Method::kPOST), facts_.request_method);
  EXPECT_EQ("/normal", facts_.request_path.view());
  EXPECT_EQ("example.com", facts_.request_host.view());
  EXPECT_EQ("{}", facts_.request_body.view());
  EXPECT_EQ("192.0.2.1", facts_.client_ip.view());
  EXPECT_EQ(1, facts_.client_tls);
}

TEST_F(FactsFromMessageTest, JoinsSeveralLinesOfAListHeader) {
  EXPECT_EQ(Problem::kNone, Fill("ACCEPT: a\r\nX-Other: z\r\nX-Other: y\r\nAccept: b\r\naccept: c\r\n", "/", ""));
  EXPECT_EQ(std::nullopt, Text(facts_.request_header[0]));
  EXPECT_EQ("a, b, c", Text(facts_.request_header[1]));
  Fill("X-Model:\r\nAccept: d\r\n", "/", "");  // nothing is left of the request before
  EXPECT_EQ("", Text(facts_.request_header[0]));
  EXPECT_EQ("d", Text(facts_.request_header[1]));
}

TEST_F(FactsFromMessageTest, AnotherHeaderThatIsReadMayNotStandTwice) {
  EXPECT_EQ(Problem::k_duplicate_header, Fill("X-Model: a\r\nx-model: a\r\n", "/", ""));
  EXPECT_EQ(Problem::k_duplicate_header, Fill("X-Model:\r\nX-Model: b\r\n", "/", ""));
}

TEST_F(FactsFromMessageTest, DecodesQueryParameters) {
  EXPECT_EQ(Problem::kNone, Fill("", "/?x=1&x=2&y=%zz&z=a;z=b&a=%41+b%2f&b%20c", ""));
  EXPECT_EQ("A b/", Text(facts_.request_query[0]));
  EXPECT_EQ("", Text(facts_.request_query[1]));
  Fill("", "/?aa=1&=2&&", "");
  EXPECT_EQ(std::nullopt, Text(facts_.request_query[0]));
  EXPECT_EQ(std::nullopt, Text(facts_.request_query[1]));
}

TEST_F(FactsFromMessageTest, AQueryParameterThatIsReadCanBeReadInOneWayOnly) {
  EXPECT_EQ(Problem::k_duplicate_query, Fill("", "/?a=0&a=1", ""));
  EXPECT_EQ(Problem::k_duplicate_query, Fill("", "/?b%20c=0&x&b+c=0", ""));
  EXPECT_EQ(Problem::k_folded_query, Fill("", "/?x&%61=0", "")) << "nginx knows no such name";
  EXPECT_EQ(Problem::k_folded_query, Fill("", "/?a[]=0", ""));
  EXPECT_EQ(Problem::k_folded_query, Fill("", "/?%20a=0", ""));
  EXPECT_EQ(Problem::k_folded_query, Fill("", "/?A=1", ""));
  EXPECT_EQ(Problem::k_folded_query, Fill("", "/?a=0&B+C=1", ""));
  for (const char* query : {"a=%2", "a=%zz", "a=%ff", "a=%c0%af", "a=1;x=2", "x=1;a=2", "x;%61"}) {
    EXPECT_EQ(Problem::k_bad_query, Fill("", std::string("/?") + query, "")) << query;
  }
}

TEST_F(FactsFromMessageTest, ReadsJsonMembersAndForgetsThem) {
  Fill("", "/", R"({"model": "qw\u0065n3", "options": {"num_ctx": 8192}})");
  EXPECT_EQ("qwen3", Text(facts_.request_json[0].text));
  EXPECT_EQ(8192, facts_.request_json[1].integer);
  EXPECT_EQ(Problem::k_json_syntax, Fill("", "/", "no json"));
  EXPECT_EQ(JsonKind::kAbsent, facts_.request_json[0].kind);
  Fill("", "/", R"({"model": "x"})");
  EXPECT_EQ(Problem::kNone, Fill("", "/", ""));
  EXPECT_EQ(JsonKind::kAbsent, facts_.request_json[0].kind);
}

TEST_F(FactsFromMessageTest, ABodyThatIsReadCanBeReadInOneWayOnly) {
  EXPECT_EQ(Problem::k_duplicate_json_member, Fill("", "/", R"({"model": "x", "model": "y"})"));
  EXPECT_EQ(Problem::k_folded_json_member, Fill("", "/", R"({"Model": "x"})"));
  EXPECT_EQ(Problem::k_folded_json_member, Fill("", "/", R"({"options": {"Num_Ctx": 1}})"));
  EXPECT_EQ(Problem::k_folded_json_member, Fill("", "/", R"({"Stream": true})"));  // the gateway reads it
  EXPECT_EQ(Problem::k_json_too_deep, Fill("", "/", std::string(100, '[')));
  EXPECT_EQ(Problem::k_json_trailing, Fill("", "/", "{}x"));
  EXPECT_EQ(Problem::k_json_byte_order_mark, Fill("", "/", "\xef\xbb\xbf{}"));
  EXPECT_EQ(Problem::k_json_not_utf8, Fill("", "/", "{\"a\":\"\xff\"}"));
  EXPECT_EQ(Problem::k_json_not_an_object, Fill("", "/", "[{}]"));
}

TEST_F(FactsFromMessageTest, LeavesJsonAloneWhenNoPredicateReadsIt) {
  policy_.slots.request_json.clear();
  filler_.emplace(policy_);
  EXPECT_EQ(Problem::kNone, Fill("", "/", std::string(100, '[')));
}

TEST_F(FactsFromMessageTest, WhatHasMembersIsToldByMethodTypeAndPath) {
  const auto may = [this](const std::string& method, const std::string& lines, bool is_json_api) {
    request_.Reset();
    std::vector<std::string_view> none;
    request_.Feed(method + " / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n", &none);
    return MayHaveMembers(request_.request(), is_json_api);
  };
  for (const char* method : {"POST", "PUT", "PATCH"}) {
    EXPECT_TRUE(may(method, "", false)) << method;
    EXPECT_TRUE(may(method, "Content-Type: application/json; charset=utf-8\r\n", false)) << method;
    EXPECT_TRUE(may(method, "Content-Type: Application/Problem+JSON\r\n", false)) << method;
    EXPECT_TRUE(may(method, "Content-Type: text/plain\r\nContent-Type: application/json\r\n", false)) << method;
    EXPECT_TRUE(may(method, "Content-Type: multipart/form-data\r\n", true)) << method;  // Ollama doesn't look at it
    for (const char* type : {"multipart/form-data; boundary=x", "audio/wav", "text/plain", "application/x-www-form-urlencoded"})
      EXPECT_FALSE(may(method, "Content-Type: " + std::string(type) + "\r\n", false)) << type;
  }
  for (const char* method : {"GET", "DELETE", "HEAD"}) EXPECT_FALSE(may(method, "", true)) << method;
}

TEST_F(FactsFromMessageTest, FillsAndClearsTheResponse) {
  MessageParser response(Role::kResponse, {});
  std::vector<std::string_view> none;
  response.Feed("HTTP/1.1 503 X\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n", &none);
  Fill("", "/", "");
  EXPECT_EQ(std::nullopt, Text(facts_.response_header[0]));
  filler_->FillResponse(response.response(), &facts_);
  EXPECT_EQ("2", Text(facts_.response_header[0]));
  const std::string body = R"({"error":{"code":"too_long","message":"x"}})";
  EXPECT_EQ(JsonKind::kAbsent, facts_.response_json[0].kind);
  filler_->FillResponseBody(body, &facts_);
  EXPECT_EQ("too_long", Text(facts_.response_json[0].text));
  filler_->ClearResponse(&facts_);
  EXPECT_EQ(std::nullopt, Text(facts_.response_header[0]));
  EXPECT_EQ(JsonKind::kAbsent, facts_.response_json[0].kind);
}

TEST_F(FactsFromMessageTest, AFrameIsThereWhileItPasses) {
  Fill("", "/", "");
  EXPECT_EQ(JsonKind::kAbsent, facts_.chunk_json[0].kind);
  EXPECT_EQ(0, facts_.chunk_size);
  filler_->FillChunk(R"({"message":{"content":"Hel"},"error":null})", 45, &facts_);
  EXPECT_EQ(JsonKind::kNull, facts_.chunk_json[0].kind);
  EXPECT_EQ("Hel", Text(facts_.chunk_json[1].text));
  EXPECT_EQ(45, facts_.chunk_size);
  filler_->FillChunk("", 7, &facts_);  // too long to be looked at
  EXPECT_EQ(JsonKind::kAbsent, facts_.chunk_json[1].kind);
  EXPECT_EQ(7, facts_.chunk_size);
  filler_->FillChunk(R"({"message":{"content":"lo"}})", 30, &facts_);
  filler_->ClearChunk(&facts_);
  EXPECT_EQ(JsonKind::kAbsent, facts_.chunk_json[1].kind);
  EXPECT_EQ(0, facts_.chunk_size);
}

TEST_F(FactsFromMessageTest, AnIpv6HostKeepsItsBrackets) {
  request_.Reset();
  std::vector<std::string_view> none;
  request_.Feed("GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n", &none);
  filler_->FillRequest(request_.request(), "/", "", "", false, &facts_);
  EXPECT_EQ("[2001:db8::1]", facts_.request_host.view());
}

}  // namespace
}  // namespace runtime::http
