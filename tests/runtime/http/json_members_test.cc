// The reader against written-down cases, and against nlohmann::json on random texts.
#include "runtime/http/json_members.h"

#include <gtest/gtest.h>

#include <cmath>

#include <nlohmann/json.hpp>

#include "base/random.h"

namespace runtime::http {
namespace {

using compiler::abi::JsonKind;
using compiler::abi::JsonValue;
using Outcome = JsonMembers::Outcome;

class JsonMembersTest : public testing::Test {
 protected:
  Outcome Read(std::string_view text) {
    copy_.assign(text.begin(), text.end());  // exactly that size: reading beyond it is seen by AddressSanitizer
    copy_.shrink_to_fit();
    return members_.Read({copy_.data(), copy_.size()});
  }
  const JsonValue& a() { return members_.values()[0]; }
  const JsonValue& b_c() { return members_.values()[1]; }
  const JsonValue& b() { return members_.values()[2]; }

  JsonMembers members_{{{"a"}, {"b", "c"}, {"b"}}};
  std::vector<char> copy_;
};

TEST_F(JsonMembersTest, ReadsEveryKind) {
  EXPECT_EQ(Outcome::kRead, Read(R"({"a": null})"));
  EXPECT_EQ(JsonKind::kNull, a().kind);
  Read(R"({"a": true})");
  EXPECT_EQ(JsonKind::kBool, a().kind);
  EXPECT_EQ(1, a().integer);
  Read(R"({"a": false})");
  EXPECT_EQ(0, a().integer);
  Read(R"({"a": -12})");
  EXPECT_EQ(JsonKind::kInteger, a().kind);
  EXPECT_EQ(-12, a().integer);
  Read(R"({"a": 1.5e3})");
  EXPECT_EQ(JsonKind::kNumber, a().kind);
  EXPECT_EQ(1500.0, a().number);
  Read(R"({"a": "text"})");
  EXPECT_EQ(JsonKind::kString, a().kind);
  EXPECT_EQ("text", a().text.view());
  Read(R"({"a": [1, {"x": "]"}] })");
  EXPECT_EQ(JsonKind::kArray, a().kind);
  EXPECT_EQ(R"([1, {"x": "]"}])", a().text.view());
  Read(R"({ "b" : { "c" : 7 } })");
  EXPECT_EQ(JsonKind::kAbsent, a().kind);
  EXPECT_EQ(7, b_c().integer);
  EXPECT_EQ(JsonKind::kObject, b().kind);
  EXPECT_EQ(R"({ "c" : 7 })", b().text.view());
  EXPECT_EQ(Outcome::kRead, Read(R"({"b": {"a": 1}, "x": {"a": 2}, "y": [{"a": 3}]})"));
  EXPECT_EQ(JsonKind::kAbsent, a().kind);  // only that path
  EXPECT_EQ(Outcome::kNotAnObject, Read("[1, 2]"));
  EXPECT_EQ(JsonKind::kAbsent, a().kind);
}

TEST_F(JsonMembersTest, IntegersBeyond64BitsAreNumbers) {
  Read(R"({"a": 9223372036854775807})");
  EXPECT_EQ(JsonKind::kInteger, a().kind);
  Read(R"({"a": -9223372036854775808})");
  EXPECT_EQ(JsonKind::kInteger, a().kind);
  Read(R"({"a": 9223372036854775808})");
  EXPECT_EQ(JsonKind::kNumber, a().kind);
  EXPECT_EQ(9223372036854775808.0, a().number);
  Read(R"({"a": 99999999999999999999999999})");
  EXPECT_EQ(JsonKind::kNumber, a().kind);
  EXPECT_DOUBLE_EQ(1e26, a().number);
  Read(R"({"a": -1e999})");
  EXPECT_TRUE(std::isinf(a().number) && a().number < 0);
  Read(R"({"a": 1e-999})");
  EXPECT_EQ(0.0, a().number);
}

TEST_F(JsonMembersTest, UnescapesText) {
  EXPECT_EQ(
      Outcome::kRead,
      Read(R"({"\u0061": "\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00 long enough to leave the eight-byte stride"})"));
  EXPECT_EQ("\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 long enough to leave the eight-byte stride",
            a().text.view());
  Read(R"({"a": "\ud83d"})");
  EXPECT_EQ("\xef\xbf\xbd", a().text.view());
  Read(R"({"a": "\ud83dx\ude00\ud83d\u0041"})");
  EXPECT_EQ(
      "\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd"
      "A",
      a().text.view());
  Read("{\"a\": \"x\\u0000y\"}");
  EXPECT_EQ(std::string_view("x\0y", 3), a().text.view());
}

TEST_F(JsonMembersTest, TextWithoutEscapesIsBorrowed) {
  Read(R"({"a": "text"})");
  EXPECT_GE(a().text.data, copy_.data());
  EXPECT_LT(a().text.data, copy_.data() + copy_.size());
}

TEST_F(JsonMembersTest, WhatIsNotJsonHasNoMembers) {
  for (const std::string_view text : {R"({"a": 1)",
                                      R"({"a": 1,})",
                                      R"({"a": 01})",
                                      R"({"a": +1})",
                                      R"({"a": .5})",
                                      R"({"a": 1.})",
                                      R"({"a": 1e})",
                                      R"({"a": tru})",
                                      R"({"a": 'x'})",
                                      R"({a: 1})",
                                      R"({"a" 1})",
                                      R"({"a": "\x"})",
                                      R"({"a": "\u12"})",
                                      R"({"a": "x)",
                                      "{\"a\": \"\n\"}",
                                      "\xef\xbb\xbf{\"a\": 1}",
                                      "",
                                      " ",
                                      "{",
                                      "[",
                                      "[1,]",
                                      "[1 2]",
                                      "nul",
                                      "-",
                                      R"({"a": 1, "z": [}]})",
                                      R"({"a": 1 "z": 2})",
                                      R"({"a": "\)",
                                      R"({"a": 1e999, "z": NaN})"}) {
    EXPECT_EQ(Outcome::kNotJson, Read(text)) << text;
    EXPECT_EQ(JsonKind::kAbsent, a().kind) << text;
  }
}

TEST_F(JsonMembersTest, SaysWhatIsWrong) {
  using base::JsonProblem;
  const std::pair<std::string, JsonProblem> wrong[] = {
      {R"({"a": 1} x)", JsonProblem::kTrailing},
      {R"({"a": 1}})", JsonProblem::kTrailing},
      {R"({"a": 1}{"a": 2})", JsonProblem::kTrailing},
      {"[] []", JsonProblem::kTrailing},
      {"{}\n}", JsonProblem::kTrailing},
      {"1 2", JsonProblem::kTrailing},
      {"", JsonProblem::kEmpty},
      {" \n", JsonProblem::kEmpty},
      {R"({"a": NaN})", JsonProblem::kSyntax},
      {R"({"a": 1)", JsonProblem::kSyntax},
      {"\xef\xbb\xbf{\"a\": 1}", JsonProblem::kByteOrderMark},
      {"\xff\xfe{\0", JsonProblem::kNotUtf8},
      {std::string("\0{", 2), JsonProblem::kNotUtf8},
      {"{\"a\": \"\xff\"}", JsonProblem::kNotUtf8},
      {"{\"a\": \"\xc0\xaf\"}", JsonProblem::kNotUtf8},      // overlong
      {"{\"a\": \"\xed\xa0\x80\"}", JsonProblem::kNotUtf8},  // a surrogate
      {"{\"a\": \"\xf4\x90\x80\x80\"}", JsonProblem::kNotUtf8},
      {"{\"\xe2\x82\": 1}", JsonProblem::kNotUtf8},
  };
  for (const auto& [text, problem] : wrong) {
    EXPECT_EQ(Outcome::kNotJson, Read(text)) << text;
    EXPECT_EQ(problem, members_.problem()) << text;
    EXPECT_EQ(JsonKind::kAbsent, a().kind) << text;
  }
  for (const char* text : {"[1]", "1", "\"a\"", "null"}) EXPECT_EQ(Outcome::kNotAnObject, Read(text)) << text;
}

TEST_F(JsonMembersTest, AReadMemberMayNotStandTwice) {
  EXPECT_EQ(Outcome::kDuplicate, Read(R"({"a": 1, "a": 2})"));
  EXPECT_EQ(Outcome::kDuplicate, Read(R"({"a": 1, "\u0061": 1})"));
  EXPECT_EQ(Outcome::kDuplicate, Read(R"({"b": {"c": 1, "x": 0, "c": 1}})"));
  EXPECT_EQ(Outcome::kDuplicate, Read(R"({"b": {"c": 1}, "b": {}})"));
  EXPECT_EQ(Outcome::kRead, Read(R"({"z": 1, "z": 2, "a": 3, "y": {"a": 1, "a": 2}})"));  // nobody reads those
  EXPECT_EQ(3, a().integer);
}

TEST_F(JsonMembersTest, AReadMemberMayNotBeNamedInOtherLetters) {
  EXPECT_EQ(Outcome::kFolded, Read(R"({"A": 1})"));
  EXPECT_EQ(JsonKind::kAbsent, a().kind);
  EXPECT_EQ(Outcome::kFolded, Read(R"({"a": 1, "A": 2})"));
  EXPECT_EQ(Outcome::kFolded, Read(R"({"\u0041": 1})"));
  EXPECT_EQ(Outcome::kFolded, Read(R"({"b": {"C": 1}})"));
  EXPECT_EQ(Outcome::kRead, Read(R"({"y": {"A": 1}, "AA": 1})"));
  JsonMembers watching({{"x"}}, {{"stream"}, {"k"}});
  EXPECT_EQ(Outcome::kRead, watching.Read(R"({"stream": true, "x": 1})"));
  for (const char* text : {R"({"Stream": true})", "{\"\xc5\xbftream\": true}", R"({"\u017Ftream": true})", "{\"\xe2\x84\xaa\": 1}"}) {
    EXPECT_EQ(Outcome::kFolded, watching.Read(text)) << text;
  }
  EXPECT_EQ(Outcome::kDuplicate, watching.Read(R"({"stream": true, "stream": true})"));
}

TEST_F(JsonMembersTest, DepthIsBounded) {
  const auto nested = [](int depth) {
    return std::string(static_cast<size_t>(depth), '[') + std::string(static_cast<size_t>(depth), ']');
  };
  EXPECT_EQ(Outcome::kNotAnObject, Read(nested(64)));
  for (const std::string& text : {nested(65), nested(100000), std::string(100000, '[')}) {
    EXPECT_EQ(Outcome::kNotJson, Read(text));
    EXPECT_EQ(base::JsonProblem::kTooDeep, members_.problem());
  }
  EXPECT_EQ(Outcome::kRead, Read("{\"z\": " + nested(63) + ", \"a\": 1}"));
  EXPECT_EQ(1, a().integer);
}

std::string RandomJson(base::Random& random, int depth) {
  const char* const scalars[] = {
      "null", "true", "false", "0", "-1", "12.5", "1e0", "\"\"", "\"text\"", "\"\\u00e9\\n\"", "\"01234567\\\\89\""};
  const char* const names[] = {"a", "b", "c", "d", "\\u0061"};
  const uint64_t kind = random.Below(depth == 0 ? 1 : 3);
  if (kind == 0) return scalars[random.Below(std::size(scalars))];
  std::string text = kind == 1 ? "[" : "{";
  const uint64_t count = random.Below(4);
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) text += random.Below(2) == 0 ? "," : " , ";
    if (kind == 2)
      text += "\"" + std::string(names[random.Below(std::size(names))]) + "\":" + (random.Below(2) == 0 ? " " : "");
    text += RandomJson(random, depth - 1);
  }
  return text + (kind == 1 ? "]" : "}");
}

TEST_F(JsonMembersTest, AgreesWithAnotherReaderOnRandomTexts) {
  constexpr uint64_t kSeed = 4711;
  base::Random random(kSeed);
  const std::string bytes = "{}[]\",:\\ 0.eE+-tfn\n";  // no large exponents: the other reader refuses those
  int json = 0, not_json = 0, present = 0;
  for (int i = 0; i < 50000; ++i) {
    std::string text = RandomJson(random, 4);
    for (uint64_t edits = random.Below(3); edits > 0; --edits) {
      const size_t at = random.Below(text.size() + 1);
      if (random.Below(2) == 0) {
        text.insert(at, 1, bytes[random.Below(bytes.size())]);
      } else if (at < text.size()) {
        text.erase(at, 1);
      }
      if (text.empty()) text = "x";
    }
    SCOPED_TRACE("seed " + std::to_string(kSeed) + ": " + text);
    const Outcome outcome = Read(text);
    const nlohmann::json other = nlohmann::json::parse(text, nullptr, false);
    const bool is_none = outcome == Outcome::kNotJson;
    ASSERT_EQ(other.is_discarded(), is_none);
    (is_none ? not_json : json)++;
    if (outcome != Outcome::kRead || !other.is_object() || !other.contains("a")) continue;
    ++present;
    const nlohmann::json& value = other["a"];
    switch (a().kind) {
      case JsonKind::kAbsent: FAIL(); break;
      case JsonKind::kNull: ASSERT_TRUE(value.is_null()); break;
      case JsonKind::kBool: ASSERT_EQ(value.get<bool>(), a().integer == 1); break;
      case JsonKind::kInteger: ASSERT_EQ(value.get<int64_t>(), a().integer); break;
      case JsonKind::kNumber: ASSERT_EQ(value.get<double>(), a().number); break;
      case JsonKind::kString: ASSERT_EQ(value.get<std::string>(), a().text.view()); break;
      case JsonKind::kArray:
      case JsonKind::kObject: ASSERT_EQ(value, nlohmann::json::parse(a().text.view())); break;
    }
  }
  EXPECT_GT(json, 10000);
  EXPECT_GT(not_json, 10000);
  EXPECT_GT(present, 1000);
}

}  // namespace
}  // namespace runtime::http
