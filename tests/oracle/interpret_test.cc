// The words of model/expr.h and model/template.h as cases written by hand: the reference itself needs a reference.
#include "compiler/model/interpret.h"

#include <gtest/gtest.h>

#include <string>

#include "compiler/model/template.h"
#include "tests/oracle/expr_builder.h"

namespace tests::oracle {
namespace {

using compiler::abi::ErrorKind;
using compiler::abi::Facts;
using compiler::abi::FamilyId;
using compiler::abi::FieldId;
using compiler::abi::JsonKind;
using compiler::abi::JsonValue;
using compiler::abi::Method;
using compiler::abi::Str;
using compiler::model::Interpret;

Expr OfStatus(int64_t status) { return OfLiteral(Integer(BaseType::kStatus, status)); }
Expr OfText(std::string text) { return OfLiteral(Text(std::move(text))); }
Expr OfInt(int64_t integer) { return OfLiteral(Integer(BaseType::kInt, integer)); }
Expr OfNumber(double number) { return OfLiteral(Number(BaseType::kNumber, number)); }
Expr Header() { return Slot(FamilyId::k_request_header, 0); }
Expr Json() { return Slot(FamilyId::k_request_json, 0); }

JsonValue JsonInteger(int64_t integer) { return {JsonKind::kInteger, 0, integer, 0, {}}; }
JsonValue JsonNumber(double number) { return {JsonKind::kNumber, 0, 0, number, {}}; }
JsonValue JsonText(const char* text) { return {JsonKind::kString, 0, 0, 0, Str::Of(text)}; }
JsonValue JsonBool(bool truth) { return {JsonKind::kBool, 0, truth ? 1 : 0, 0, {}}; }
JsonValue JsonNull() { return {JsonKind::kNull, 0, 0, 0, {}}; }

bool HoldsForJson(const Expr& expr, const JsonValue& json) {
  Facts facts;
  facts.request_json = &json;
  return Interpret(expr, facts);
}

bool HoldsForHeader(const Expr& expr, Str header) {
  Facts facts;
  facts.request_header = &header;
  return Interpret(expr, facts);
}

bool HoldsForStatus(const Expr& expr, int64_t status) {
  Facts facts;
  facts.status = status;
  return Interpret(expr, facts);
}

constexpr int64_t kNoStatus = compiler::abi::kAbsentInt;

TEST(Interpret, WhatIsAbsentEqualsOnlyNone) {
  const auto compare = [](CompareOp op) { return Compare(Field(FieldId::k_status), op, OfStatus(200)); };
  EXPECT_FALSE(HoldsForStatus(compare(CompareOp::kEq), kNoStatus));
  EXPECT_TRUE(HoldsForStatus(compare(CompareOp::kNe), kNoStatus));
  EXPECT_TRUE(HoldsForStatus(Condition(ExprKind::kIsNone, {Field(FieldId::k_status)}), kNoStatus));
  EXPECT_FALSE(HoldsForStatus(Condition(ExprKind::kIsNone, {Field(FieldId::k_status)}), 200));
}

TEST(Interpret, TwoAbsentValuesAreNotEqual) {
  EXPECT_FALSE(HoldsForHeader(Compare(Header(), CompareOp::kEq, Header()), Str{}));
  EXPECT_TRUE(HoldsForHeader(Compare(Header(), CompareOp::kNe, Header()), Str{}));
}

TEST(Interpret, AnEmptyHeaderIsNotAnAbsentOne) {
  const Expr is_empty = Compare(Header(), CompareOp::kEq, OfText(""));
  EXPECT_TRUE(HoldsForHeader(is_empty, Str::Of("")));
  EXPECT_FALSE(HoldsForHeader(is_empty, Str{}));
}

TEST(Interpret, AStatusClassReachesFromItsFirstToItsLastStatus) {
  const Expr is_5xx = In(Field(FieldId::k_status), {{Integer(BaseType::kStatus, 500), 599}});
  for (int64_t inside : {500, 503, 599}) EXPECT_TRUE(HoldsForStatus(is_5xx, inside)) << inside;
  for (int64_t outside : {int64_t{200}, int64_t{499}, int64_t{600}, kNoStatus}) {
    EXPECT_FALSE(HoldsForStatus(is_5xx, outside)) << outside;
  }
}

TEST(Interpret, AResetIsNoStatusAndAStatusIsNoError) {
  const Expr is_reset = Compare(Field(FieldId::k_error), CompareOp::kEq,
                                OfLiteral(Integer(BaseType::kError, static_cast<int64_t>(ErrorKind::k_reset))));
  Facts facts;
  EXPECT_FALSE(Interpret(is_reset, facts));
  facts.error = static_cast<int32_t>(ErrorKind::k_reset);
  EXPECT_TRUE(Interpret(is_reset, facts));
  EXPECT_FALSE(Interpret(Condition(ExprKind::kIsNone, {Field(FieldId::k_error)}), facts));
}

TEST(Interpret, AnUnknownMethodIsNoneOfTheNamedOnes) {
  const Expr is_post = Compare(Field(FieldId::k_request_method), CompareOp::kEq,
                               OfLiteral(Integer(BaseType::kMethod, static_cast<int64_t>(Method::kPOST))));
  Facts facts;
  facts.request_method = static_cast<int32_t>(Method::kOther);
  EXPECT_FALSE(Interpret(is_post, facts));
  facts.request_method = static_cast<int32_t>(Method::kPOST);
  EXPECT_TRUE(Interpret(is_post, facts));
}

TEST(Interpret, StringTestsLookAtStartEndAndMiddle) {
  const auto holds = [](StringTest test, const char* pattern, const char* text) {
    return HoldsForHeader(TestText(Header(), test, OfText(pattern)), Str::Of(text));
  };
  EXPECT_TRUE(holds(StringTest::kStartsWith, "/api/", "/api/chat"));
  EXPECT_FALSE(holds(StringTest::kStartsWith, "/api/", "/v1/api/"));
  EXPECT_TRUE(holds(StringTest::kEndsWith, "/chat", "/api/chat"));
  EXPECT_FALSE(holds(StringTest::kEndsWith, "/chat", "/chat/1"));
  EXPECT_TRUE(holds(StringTest::kContains, "i/c", "/api/chat"));
  EXPECT_FALSE(holds(StringTest::kContains, "i/d", "/api/chat"));
  EXPECT_TRUE(holds(StringTest::kContains, "", ""));
  EXPECT_FALSE(HoldsForHeader(TestText(Header(), StringTest::kContains, OfText("")), Str{}));
}

TEST(Interpret, JsonComparesByValueAndNeverAcrossTypes) {
  const Expr is_one = Compare(Json(), CompareOp::kEq, OfInt(1));
  EXPECT_TRUE(HoldsForJson(is_one, JsonInteger(1)));
  EXPECT_TRUE(HoldsForJson(is_one, JsonNumber(1.0)));
  EXPECT_FALSE(HoldsForJson(is_one, JsonNumber(1.5)));
  EXPECT_FALSE(HoldsForJson(is_one, JsonText("1")));
  EXPECT_FALSE(HoldsForJson(is_one, JsonBool(true)));
  EXPECT_FALSE(HoldsForJson(is_one, JsonNull()));
  const Expr is_half = Compare(Json(), CompareOp::kEq, OfNumber(0.5));
  EXPECT_TRUE(HoldsForJson(is_half, JsonNumber(0.5)));
  EXPECT_FALSE(HoldsForJson(is_half, JsonInteger(0)));
  const Expr is_text = Compare(Json(), CompareOp::kEq, OfText("true"));
  EXPECT_TRUE(HoldsForJson(is_text, JsonText("true")));
  EXPECT_FALSE(HoldsForJson(is_text, JsonBool(true)));
}

TEST(Interpret, LargeJsonNumbersCompareExactly) {
  const int64_t two_to_53 = 1LL << 53;
  const Expr expr = Compare(Json(), CompareOp::kEq, OfInt(two_to_53 + 1));
  EXPECT_FALSE(HoldsForJson(expr, JsonNumber(static_cast<double>(two_to_53))));
  EXPECT_TRUE(HoldsForJson(expr, JsonInteger(two_to_53 + 1)));
}

TEST(Interpret, JsonNullIsNone) {
  const Expr is_none = Condition(ExprKind::kIsNone, {Json()});
  EXPECT_TRUE(HoldsForJson(is_none, JsonNull()));
  EXPECT_TRUE(HoldsForJson(is_none, JsonValue()));
  EXPECT_FALSE(HoldsForJson(is_none, JsonBool(false)));
  EXPECT_FALSE(HoldsForJson(is_none, JsonText("")));
}

TEST(Interpret, ADefaultStandsInForAnotherJsonType) {
  const Expr is_zero = Compare(Coalesce(BaseType::kNumber, Json(), OfNumber(0)), CompareOp::kEq, OfNumber(0));
  EXPECT_TRUE(HoldsForJson(is_zero, JsonValue()));
  EXPECT_TRUE(HoldsForJson(is_zero, JsonText("0.7")));
  EXPECT_TRUE(HoldsForJson(is_zero, JsonInteger(0)));
  EXPECT_FALSE(HoldsForJson(is_zero, JsonNumber(0.7)));
  const Expr streams = Coalesce(BaseType::kBool, Json(), OfLiteral(Integer(BaseType::kBool, 1)));
  EXPECT_TRUE(HoldsForJson(streams, JsonValue()));
  EXPECT_TRUE(HoldsForJson(streams, JsonInteger(0)));
  EXPECT_FALSE(HoldsForJson(streams, JsonBool(false)));
}

TEST(Interpret, IntegersAreOrderedWithTheirSign) {
  Facts facts;
  facts.elapsed = -1;
  facts.latency = 1;
  EXPECT_TRUE(Interpret(Compare(Field(FieldId::k_elapsed), CompareOp::kLt, Field(FieldId::k_latency)), facts));
  EXPECT_FALSE(Interpret(Compare(Field(FieldId::k_elapsed), CompareOp::kGe, Field(FieldId::k_latency)), facts));
}

std::string Rendered(std::vector<compiler::model::Template::Part> parts, const Facts& facts) {
  std::string text = "[";
  compiler::model::Render({std::move(parts), false}, facts, &text);
  return text + "]";
}

TEST(Render, PutsValuesBetweenTexts) {
  Facts facts;
  facts.request_body = Str::Of("hello");
  facts.latency = 1'500'000'000;
  facts.request_method = static_cast<int32_t>(Method::kGET);
  facts.status = 503;
  facts.is_fallback = 1;
  EXPECT_EQ(Rendered({"qwen3_faq_", Field(FieldId::k_request_body)}, facts), "[qwen3_faq_hello]");
  EXPECT_EQ(Rendered({Field(FieldId::k_latency), "|", Field(FieldId::k_request_method), "|", Field(FieldId::k_status),
                      "|", Field(FieldId::k_is_fallback)},
                     facts),
            "[1500|GET|503|true]");
  facts.latency = 1'234'567;
  EXPECT_EQ(Rendered({Field(FieldId::k_latency)}, facts), "[1.234567]");
}

TEST(Render, LeavesOutWhatIsAbsent) {
  Facts facts;
  facts.status = kNoStatus;
  EXPECT_EQ(Rendered({"a", Field(FieldId::k_status), Field(FieldId::k_error), Field(FieldId::k_served_by), "b"}, facts),
            "[ab]");
}

// So that "1" and 1 make different cache keys, and no header value can smuggle in a line.
TEST(Render, WritesJsonAsItsSourceText) {
  const auto rendered = [](const JsonValue& json) {
    Facts facts;
    facts.request_json = &json;
    return Rendered({Json()}, facts);
  };
  EXPECT_EQ(rendered(JsonText("1")), "[\"1\"]");
  EXPECT_EQ(rendered(JsonInteger(1)), "[1]");
  EXPECT_EQ(rendered(JsonNumber(0.7)), "[0.7]");
  EXPECT_EQ(rendered(JsonBool(false)), "[false]");
  EXPECT_EQ(rendered(JsonNull()), "[]");
  EXPECT_EQ(rendered(JsonText("a\"\\\r\n\x01")), "[\"a\\\"\\\\\\r\\n\\u0001\"]");
  EXPECT_EQ(rendered({JsonKind::kArray, 0, 0, 0, Str::Of("[1, 2]")}), "[[1, 2]]");
}

TEST(Render, WritesADefaultedJsonMemberAsItsValue) {
  const JsonValue json = JsonText("qwen3:32b");
  Facts facts;
  facts.request_json = &json;
  EXPECT_EQ(Rendered({Coalesce(BaseType::kString, Json(), OfText("none"))}, facts), "[qwen3:32b]");
}

// ---- By place -------------------------------------------------------------------------------------------------------

using compiler::model::HashOf;
using compiler::model::TextPlace;

std::string RenderedAt(TextPlace place, const JsonValue& json) {
  Facts facts;
  facts.request_json = &json;
  std::string text;
  compiler::model::Render({{"[", Json(), "]"}, false, place}, facts, &text);
  return text;
}

TEST(Render, WritesAValueSoThatItStaysInItsPlace) {
  const JsonValue text = JsonText("a\"\r\nb");
  EXPECT_EQ(RenderedAt(TextPlace::kKey, text), "[\"a\\\"\\r\\nb\"]");
  EXPECT_EQ(RenderedAt(TextPlace::kText, text), "[a\"\r\nb]");
  EXPECT_EQ(RenderedAt(TextPlace::kHeader, text), "[a\"  b]");
  EXPECT_EQ(RenderedAt(TextPlace::kJsonString, text), "[a\\\"\\r\\nb]");
  const JsonValue array{JsonKind::kArray, 0, 0, 0, Str::Of("[\"x\"]")};
  EXPECT_EQ(RenderedAt(TextPlace::kText, array), "[[\"x\"]]");
  EXPECT_EQ(RenderedAt(TextPlace::kJsonString, array), "[[\\\"x\\\"]]");
}

// ---- hash(…) --------------------------------------------------------------------------------------------------------

std::string HashOfBody(std::string_view body) {
  Facts facts;
  facts.request_body = Str::Of(body);
  HashOf hash;
  hash.values.push_back(Field(FieldId::k_request_body));
  return Rendered({std::move(hash)}, facts);
}

std::string HashOfTexts(std::vector<std::string> texts) {
  HashOf hash;
  for (std::string& text : texts) hash.values.push_back(OfText(std::move(text)));
  return Rendered({std::move(hash)}, Facts());
}

// Caches outlive a version: what this says now it says for ever.
TEST(Hash, IsTheSameInEveryVersion) {
  EXPECT_EQ(HashOfTexts({"a", "bc"}), "[10334090ce40f40ac721a7499f06f9de]");
  EXPECT_EQ(HashOfBody("{\"model\": \"m\"}"), "[0a9facd13e8a542bed9625f7e28a3e55]");
}

TEST(Hash, DiffersWhereAValueDoes) {
  EXPECT_NE(HashOfTexts({"a", "bc"}), HashOfTexts({"ab", "c"}));
  EXPECT_NE(HashOfTexts({"a", ""}), HashOfTexts({"a"}));
  EXPECT_NE(HashOfTexts({"a String 1:b"}), HashOfTexts({"a", "b"}));
  const auto of_json = [](const JsonValue& json) {
    Facts facts;
    facts.request_json = &json;
    HashOf hash;
    hash.values.push_back(Json());
    return Rendered({std::move(hash)}, facts);
  };
  EXPECT_NE(of_json(JsonText("1")), of_json(JsonInteger(1)));
  EXPECT_NE(of_json(JsonText("")), of_json(JsonNull()));
}

TEST(Hash, OfABodyMeansTheQuestionNotItsSpelling) {
  const std::string hash = HashOfBody("{\"model\":\"m\",\"messages\":[{\"content\":\"hé\"}]}");
  EXPECT_EQ(HashOfBody("{ \"messages\": [ { \"content\": \"h\\u00e9\" } ], \"model\": \"m\" }"), hash);
  EXPECT_EQ(HashOfBody("{\"model\":\"m\",\"stream\":true,\"messages\":[{\"content\":\"hé\"}],\"keep_alive\":5}"), hash);
  EXPECT_NE(HashOfBody("{\"model\":\"n\",\"messages\":[{\"content\":\"hé\"}]}"), hash);
  EXPECT_NE(HashOfBody("no json"), HashOfBody("no  json"));
  EXPECT_NE(HashOfBody("{\"a\":1,\"a\":2}"), HashOfBody("{\"a\":2}"));
}

}  // namespace
}  // namespace tests::oracle
