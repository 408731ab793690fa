#include "base/json_text.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>

#include <nlohmann/json.hpp>

namespace {

using base::AppendJsonEscaped;
using base::CanonicalJson;
using base::MergeOutcome;
using base::MergePatch;
using nlohmann::json;

std::string Escaped(std::string_view text) {
  std::string out;
  AppendJsonEscaped(text, &out);
  return out;
}

std::string Canonical(std::string_view text) {
  constexpr std::string_view kWithout[] = {"stream", "keep_alive"};
  return CanonicalJson(text, kWithout).value_or("none");
}

std::string Merged(std::string_view target, std::string_view patch) {
  std::string out;
  EXPECT_EQ(MergePatch(target, patch, &out), MergeOutcome::kMerged) << target;
  return out;
}

MergeOutcome Outcome(std::string_view target, std::string_view patch = "{\"a\":1}") {
  std::string out;
  return MergePatch(target, patch, &out);
}

TEST(JsonEscape, NothingInAValueEndsTheString) {
  EXPECT_EQ(Escaped("a\"b\\c\n\x01"), "a\\\"b\\\\c\\n\\u0001");
  EXPECT_EQ(Escaped("忙 \x7f"), "忙 \x7f");
}

TEST(JsonEscape, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(Escaped("a\xff"
                    "b\xc3"),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
}

TEST(CanonicalJson, IsTheSameForTextsThatMeanTheSame) {
  const std::string canonical = "{\"a\":[1,{\"x\":\"é/\\n\"}],\"b\":null}";
  EXPECT_EQ(Canonical(" { \"b\" : null , \"a\" : [ 1 , { \"x\" : \"\\u00e9\\/\\n\" } ] } "), canonical);
  EXPECT_EQ(Canonical(canonical), canonical);
}

TEST(CanonicalJson, DiffersWhereMeaningsMayDiffer) {
  EXPECT_NE(Canonical("[1]"), Canonical("[1.0]"));
  EXPECT_NE(Canonical("[\"1\"]"), Canonical("[1]"));
  EXPECT_NE(Canonical("[\"\\ud800\"]"), Canonical("[\"\\\\ud800\"]"));
  EXPECT_NE(Canonical("[1,2]"), Canonical("[2,1]"));
  EXPECT_EQ(Canonical("[\"\\ud83d\\ude00\"]"), "[\"😀\"]");
}

TEST(CanonicalJson, LeavesOutMembersOfTheOutermostObjectOnly) {
  EXPECT_EQ(Canonical("{\"stream\":true,\"options\":{\"stream\":1},\"keep_alive\":\"5m\"}"),
            "{\"options\":{\"stream\":1}}");
}

TEST(CanonicalJson, RefusesWhatIsNotJsonOrSaysAThingTwice) {
  for (const char* text : {"", "{", "{\"a\":1,}", "[1,]", "01", "1.", "\"\x01\"", "\"\\x\"", "nul", "1 2",
                           "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "'a'", "{a:1}", "-", "1e"}) {
    EXPECT_EQ(Canonical(text), "none") << text;
  }
  EXPECT_NE(Canonical(std::string(64, '[') + std::string(64, ']')), "none");
  EXPECT_EQ(Canonical(std::string(65, '[') + std::string(65, ']')), "none");
}

TEST(MergePatch, ReplacesAddsAndRemovesMembers) {
  EXPECT_EQ(Merged("{\"model\":\"a\",\"n\":1}", "{\"model\":\"b\"}"), "{\"model\":\"b\",\"n\":1}");
  EXPECT_EQ(Merged("{}", "{\"model\":\"b\"}"), "{\"model\":\"b\"}");
  EXPECT_EQ(Merged("{\"a\":1}", "{\"a\":null}"), "{}");
  EXPECT_EQ(Merged("{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":null,\"d\":[null]}"), "{\"a\":1,\"c\":3,\"d\":[null]}");
  EXPECT_EQ(Merged("{\"o\":{\"x\":1,\"y\":2}}", "{\"o\":{\"y\":null,\"z\":3}}"), "{\"o\":{\"x\":1,\"z\":3}}");
  EXPECT_EQ(Merged("{\"o\":5}", "{\"o\":{\"y\":null,\"z\":3}}"), "{\"o\":{\"z\":3}}");
}

TEST(MergePatch, LeavesTheBytesOfWhatItDoesNotTouch) {
  EXPECT_EQ(Merged("\n{ \"a\" : 1.50 ,\n  \"model\" : \"x\" ,\n  \"b\":\"\\u0041\" }\n", "{\"model\":\"y\"}"),
            "{ \"a\" : 1.50 ,\n  \"model\" : \"y\" ,\n  \"b\":\"\\u0041\" }");
  EXPECT_EQ(Merged("{ \"model\": 1, \"b\": 2 }", "{\"model\":null}"), "{ \"b\": 2 }");
}

TEST(MergePatch, RefusesNamesThatServersCouldTakeForTheOneThatItChanges) {
  for (const char* target : {"{\"MODEL\":\"a\"}", "{\"model\":\"a\",\"Model\":\"b\"}", "{\"mo\\u0044el\":1}"})
    EXPECT_EQ(MergeOutcome::kFolded, Outcome(target, "{\"model\":\"z\"}")) << target;
  EXPECT_EQ(MergeOutcome::kFolded, Outcome("{\"o\":{\"A\":1}}", "{\"o\":{\"a\":2}}"));
  EXPECT_EQ(MergeOutcome::kDuplicate, Outcome("{\"model\":\"a\",\"mod\\u0065l\":\"c\"}", "{\"model\":\"z\"}"));
  EXPECT_EQ(MergeOutcome::kMerged, Outcome("{\"x\":1,\"x\":2,\"y\":{\"Model\":1}}", "{\"model\":\"z\"}"));
}

// A patch may hold what a client has sent: an object that says something twice is no patch, however long it is.
TEST(MergePatch, RefusesAPatchThatNamesSomethingTwice) {
  for (const int others : {0, 5, 40}) {
    std::string members;
    for (int i = 0; i < others; ++i) members += "\"n" + std::to_string(i) + "\":1,";
    const auto doubled = [&](const std::string& end) {
      return Outcome("{\"a\":{\"x\":1}}", "{\"a\":{" + members + end + "}}");
    };
    EXPECT_EQ(doubled("\"x\":1,\"x\":null"), MergeOutcome::kDuplicate) << others;
    EXPECT_EQ(doubled("\"y\":1,\"\\u0079\":2"), MergeOutcome::kDuplicate) << others;
    EXPECT_EQ(doubled("\"X\":1"), MergeOutcome::kFolded) << others;
    EXPECT_EQ(doubled("\"y\":1,\"Y\":2"), MergeOutcome::kMerged) << others;
    EXPECT_EQ(Outcome("{}", "{\"a\":{" + members + "\"m\":[1],\"m\":null}}"), MergeOutcome::kDuplicate) << others;
  }
  std::string many = "{";
  for (int i = 0; i < 40; ++i)
    many += (i > 0 ? ",\"n" : "\"n") + std::to_string(i) + "\":" + (i % 2 == 0 ? "null" : "2");
  std::string out;
  ASSERT_EQ(MergePatch("{\"n0\":1,\"n1\":1,\"z\":1,\"n38\":1,\"n39\":1}", many + "}", &out), MergeOutcome::kMerged);
  EXPECT_TRUE(out.starts_with("{\"n1\":2,\"z\":1,\"n39\":2,\"n3\":2,")) << out;
  EXPECT_EQ(out.find("null"), std::string::npos) << out;
  EXPECT_EQ(out.find("n38"), std::string::npos) << out;
}

// Depth costs nothing by itself: 2.3 s for a text like this were found once, milliseconds are meant.
TEST(CanonicalJson, ReadsADeepTextOnce) {
  std::string text = "1";
  for (int i = 0; i < 62; ++i) text = "{\"a\":[" + std::string(8000, ' ') + "]" + ",\"b\":" + text + "}";
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(CanonicalJson(text, {}).has_value());
  const auto deep = std::chrono::steady_clock::now() - start;
  const std::string flat = "[" + std::string(text.size(), ' ') + "]";
  const auto flat_start = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(CanonicalJson(flat, {}).has_value());
  EXPECT_LT(deep, 8 * (std::chrono::steady_clock::now() - flat_start) + std::chrono::milliseconds(20));
}

TEST(MergePatch, SaysWhatItCannotMerge) {
  EXPECT_EQ(Outcome(""), MergeOutcome::kNotAnObject);
  EXPECT_EQ(Outcome("[1]"), MergeOutcome::kNotAnObject);
  EXPECT_EQ(Outcome("{\"a\":1} x"), MergeOutcome::kNotAnObject);
  EXPECT_EQ(Outcome("{\"b\":" + std::string(80, '[') + std::string(80, ']') + "}"), MergeOutcome::kTooDeep);
}

// A random value whose objects name nothing twice.
json RandomValue(std::mt19937& random, int depth) {
  switch (random() % (depth > 0 ? 7 : 5)) {
    case 0: return nullptr;
    case 1: return random() % 2 == 0;
    case 2: return static_cast<int>(random() % 5);
    case 3: return "t\"\\" + std::to_string(random() % 5);
    case 4: return "忙";
    case 5: {
      json array = json::array();
      for (uint32_t i = random() % 3; i > 0; --i) array.push_back(RandomValue(random, depth - 1));
      return array;
    }
    default: {
      json object = json::object();
      for (uint32_t i = random() % 4; i > 0; --i)
        object[std::string(1, static_cast<char>('a' + random() % 5))] = RandomValue(random, depth - 1);
      return object;
    }
  }
}

// The library merges trees, we merge text.
TEST(MergePatch, GivesWhatALibraryGives) {
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    json target = json::object();
    json patch = json::object();
    for (json* object : {&target, &patch}) {
      for (uint32_t k = random() % 5; k > 0; --k)
        (*object)[std::string(1, static_cast<char>('a' + random() % 5))] = RandomValue(random, 3);
    }
    const int indent = static_cast<int>(random() % 3) - 1;
    const std::string merged = Merged(target.dump(indent), patch.dump());
    json expected = target;
    expected.merge_patch(patch);
    ASSERT_EQ(json::parse(merged), expected) << target.dump(indent) << "\n" << patch.dump() << "\n" << merged;
  }
}

TEST(CanonicalJson, MeansWhatItWasMadeOf) {
  std::mt19937 random(8);
  for (int i = 0; i < 5000; ++i) {
    const json value = RandomValue(random, 4);
    const std::string canonical = CanonicalJson(value.dump(static_cast<int>(random() % 3) - 1), {}).value_or("none");
    ASSERT_EQ(json::parse(canonical), value) << canonical;
    ASSERT_EQ(canonical, CanonicalJson(value.dump(), {}).value_or("none"));
  }
}

}  // namespace
