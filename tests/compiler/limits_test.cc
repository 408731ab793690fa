// The limits that keep a hostile policy from hurting the compiler, and text that is none.
#include <gtest/gtest.h>

#include <string>

#include "compiler/compile.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/parse.h"
#include "compiler/source/source_buffer.h"

namespace {

using compiler::diagnostics::Diagnostics;
using compiler::diagnostics::Kind;

const std::string kHead = "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a:1\" }\n";

Diagnostics Check(const std::string& text) {
  Diagnostics diagnostics;
  compiler::CheckPolicy(text, {}, &diagnostics);
  return diagnostics;
}

// The only finding's kind; fails if there are more or none.
void ExpectOnly(const Diagnostics& diagnostics, Kind kind) {
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics.items()[0].kind, kind) << diagnostics.items()[0].message;
}

std::string RouteWhen(const std::string& condition) {
  return kHead + "route r { when " + condition + " to = a }\nroute all { to = a }\n";
}

std::string Repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Limits, AFileOfOneMebibyteIsReadAndOneByteMoreIsNot) {
  std::string text = kHead + "#";
  text += std::string(compiler::source::kMaxFileBytes - text.size() - 1, 'x') + "\n";
  ASSERT_EQ(text.size(), compiler::source::kMaxFileBytes);
  EXPECT_FALSE(Check(text).has_errors());
  ExpectOnly(Check(text + "\n"), Kind::kFileTooLarge);
}

TEST(Limits, BytesThatAreNoUtf8AreRefusedWhereTheyStand) {
  const std::string text = kHead + "# \xE5\xBF\x99 \xFF\n";
  const Diagnostics diagnostics = Check(text);
  ExpectOnly(diagnostics, Kind::kNotUtf8);
  EXPECT_EQ(diagnostics.items()[0].range.begin, text.size() - 2);
  ExpectOnly(Check(kHead + "# \xC0\xAF overlong"), Kind::kNotUtf8);
  ExpectOnly(Check(kHead + "# \xED\xA0\x80 surrogate"), Kind::kNotUtf8);
  ExpectOnly(Check(std::string("\xFF\xFE"
                               "e\0d\0",
                               6)),
             Kind::kUtf16);
}

TEST(Limits, AByteOrderMarkAndCarriageReturnsMeanNothing) {
  std::string text = "\xEF\xBB\xBF" + kHead;
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.insert(at, "\r");
  EXPECT_FALSE(Check(text).has_errors());
  const Diagnostics diagnostics = Check("\xEF\xBB\xBF" + kHead + "routee r { }\n");
  ASSERT_GE(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics.items()[0].range.begin, kHead.size() + 3);
}

TEST(Limits, NestingOf255IsReadAnd300IsNot) {
  // The route's brace is one level.
  const int deep = compiler::parse::kMaxNesting - 1;
  EXPECT_FALSE(Check(RouteWhen(Repeat("(", deep) + "client.tls" + Repeat(")", deep))).has_errors());
  ExpectOnly(Check(RouteWhen(Repeat("(", deep + 1) + "client.tls" + Repeat(")", deep + 1))), Kind::kTooDeep);
  EXPECT_FALSE(Check(RouteWhen(Repeat("not ", deep) + "client.tls")).has_errors());
  ExpectOnly(Check(RouteWhen(Repeat("not ", deep + 1) + "client.tls")), Kind::kTooDeep);
  ExpectOnly(Check(RouteWhen(Repeat("(", 100000))), Kind::kTooDeep);
  ExpectOnly(Check(Repeat("a {", 100000)), Kind::kTooDeep);
}

TEST(Limits, AThousandOperatorsAreReadAndMoreAreNot) {
  // Each `or client.tls` is an operator and a dot.
  EXPECT_FALSE(Check(RouteWhen("client.tls" + Repeat(" or client.tls", 499))).has_errors());
  ExpectOnly(Check(RouteWhen("client.tls" + Repeat(" or client.tls", 500))), Kind::kTooManyOperands);
}

TEST(Limits, AThousandMembersOfASetAreReadAndMoreAreNot) {
  const auto set_of = [](int members) {
    std::string set = "{";
    for (int i = 0; i < members; ++i) set += (i > 0 ? ", \"/" : "\"/") + std::to_string(i) + "\"";
    return RouteWhen("request.path in " + set + "}");
  };
  EXPECT_FALSE(Check(set_of(1000)).has_errors());
  ExpectOnly(Check(set_of(1001)), Kind::kSetTooLarge);
}

TEST(Limits, AThousandMembersOfAListAreReadAndMoreAreNot) {
  const auto list_of = [](int members) {
    std::string list = "[";
    for (int i = 0; i < members; ++i) list += (i > 0 ? ", \"X" : "\"X") + std::to_string(i) + "\"";
    return list + "]";
  };
  const auto named = [&](int members) { return "let names = " + list_of(members) + "\n"; };
  const auto removed = [&](const std::string& list) {
    return "upstream b { url = \"http://b:1\" remove_header = " + list + " }\n";
  };
  const std::string route = "route all { to = [a, b] }\n";
  EXPECT_FALSE(Check(kHead + named(1000) + removed("names") + route).has_errors());
  ExpectOnly(Check(kHead + named(1001) + removed("names") + route), Kind::kSetTooLarge);
  EXPECT_FALSE(Check(kHead + removed(list_of(1000)) + route).has_errors());
  ExpectOnly(Check(kHead + removed(list_of(1001)) + route), Kind::kSetTooLarge);
}

TEST(Limits, FiveHundredPatternsAreReadAndMoreAreNot) {
  const auto with_patterns = [](int count) {
    std::string text = kHead;
    for (int i = 0; i < count; ++i)
      text +=
          "route r" + std::to_string(i) + " { when request.path matches /^\\/" + std::to_string(i) + "$/ to = a }\n";
    return text + "route same { when request.path matches /^\\/0$/ to = a }\nroute all { to = a }\n";
  };
  EXPECT_FALSE(Check(with_patterns(500)).has_errors());
  ExpectOnly(Check(with_patterns(501)), Kind::kTooManyPatterns);
}

TEST(Limits, LetNamesThatDoubleEachOtherAreStopped) {
  std::string text = kHead + "let x0 = client.tls\n";
  for (int i = 1; i <= 40; ++i) {
    const std::string before = "x" + std::to_string(i - 1);
    text += "let x" + std::to_string(i) + " = " + before + " and " + before + "\n";
  }
  const Diagnostics diagnostics = Check(text + "route r { when x40 to = a }\nroute all { to = a }\n");
  ASSERT_TRUE(diagnostics.has_errors());
  for (const auto& item : diagnostics.items()) EXPECT_EQ(item.kind, Kind::kPredicateTooLarge) << item.message;
}

TEST(Limits, AChainOfLetNamesHasAnEnd) {
  std::string text = kHead + "let z0 = client.tls\n";
  // Named so that each is looked at before the one it reads.
  for (int i = 1; i <= 200; ++i)
    text += "let a" + std::to_string(1000 - i) + " = " + (i == 1 ? "z0" : "a" + std::to_string(1001 - i)) + "\n";
  const Diagnostics diagnostics = Check(text + "route r { when a800 to = a }\nroute all { to = a }\n");
  ASSERT_TRUE(diagnostics.has_errors());
  EXPECT_EQ(diagnostics.items()[0].kind, Kind::kTooDeep);
}

// Braces that the parser puts in must not nest without end, either: it recurses.
TEST(Limits, ManyBlocksWithoutABraceAreReadWithoutRunningOutOfStack) {
  EXPECT_TRUE(Check(kHead + Repeat("retry max_retries = 1\n", 20000) + "]").has_errors());
}

TEST(Limits, AnyTextIsReadWithoutAnException) {
  const std::string pieces[] = {"${",
                                "\"",
                                "{",
                                "}",
                                "[",
                                "]",
                                "(",
                                ")",
                                "when",
                                "=",
                                "==",
                                "a",
                                "1ms",
                                "json",
                                "in",
                                "\n",
                                "#",
                                "忙",
                                "/a",
                                "/",
                                "10.0.0.0/8",
                                "::1",
                                "matches",
                                "hash(",
                                "##",
                                "\u202E",
                                "\u200B",
                                "，",
                                "\\",
                                "and",
                                ".",
                                ",",
                                "let ",
                                "edition 1\n",
                                "upstream x {",
                                std::string(1, '\0')};
  uint32_t state = 1;
  for (int run = 0; run < 1500; ++run) {
    std::string text;
    for (int i = 0; i < 60; ++i) {
      state = state * 1664525u + 1013904223u;
      text += pieces[(state >> 16) % std::size(pieces)] + ((state >> 8) % 3 == 0 ? " " : "");
    }
    const Diagnostics diagnostics = Check(text);
    for (const auto& item : diagnostics.items()) {
      ASSERT_LE(item.range.begin, item.range.end) << text;
      ASSERT_LE(item.range.end, text.size() + 1) << text;
    }
    EXPECT_TRUE(diagnostics.has_errors()) << text;
  }
}

}  // namespace
