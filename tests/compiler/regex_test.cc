#include "compiler/regex/regex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace {

using compiler::regex::CompilePattern;
using compiler::regex::kMaxPatternBytes;
using compiler::regex::kMaxPatternSteps;
using namespace std::string_view_literals;

bool Finds(std::string_view source, std::string_view text) {
  const auto compiled = CompilePattern(source);
  EXPECT_NE(compiled.pattern, nullptr) << source << ": " << compiled.problem;
  return compiled.pattern != nullptr && compiled.pattern->IsFoundIn(text);
}

// The part of the pattern that the finding is about.
std::string Blames(std::string_view source) {
  const auto compiled = CompilePattern(source);
  EXPECT_EQ(compiled.pattern, nullptr) << source;
  EXPECT_NE(compiled.problem, "") << source;
  return std::string(source.substr(compiled.problem_begin, compiled.problem_end - compiled.problem_begin));
}

TEST(Regex, IsFoundAnywhereUnlessItSaysWhere) {
  EXPECT_TRUE(Finds("b+", "abbc"));
  EXPECT_FALSE(Finds("^b+", "abbc"));
  EXPECT_FALSE(Finds("b+$", "abbc"));
  EXPECT_TRUE(Finds("^(free|trial)$", "trial"));
  EXPECT_FALSE(Finds("^(free|trial)$", "carefree"));
}

TEST(Regex, HasNoLinesWithinText) {
  EXPECT_FALSE(Finds("^b", "a\nb"));
  EXPECT_FALSE(Finds("a$", "a\n"));
  EXPECT_FALSE(Finds("a.b", "a\nb"));
}

TEST(Regex, ReadsUnicodeAndAnyBytes) {
  EXPECT_TRUE(Finds("^模.$", "模型"));
  EXPECT_TRUE(Finds("(?i)straße", "STRAßE"));
  EXPECT_FALSE(Finds("^.$", "\xff"));
  EXPECT_TRUE(Finds("^a", "a\xff\0"sv));
  EXPECT_TRUE(Finds("^$", ""));
}

TEST(Regex, AFindingBlamesThePartThatIsWrong) {
  EXPECT_EQ(Blames("^/api/[z-a]"), "z-a");
  EXPECT_EQ(Blames("a(?=b)c"), "(?=");
  EXPECT_EQ(Blames("a\\qb"), "\\q");
  EXPECT_EQ(Blames("(a"), "(a");
  EXPECT_EQ(Blames("a**"), "**");
  EXPECT_EQ(Blames("(a)\\1"), "\\1");
  EXPECT_EQ(Blames("a{2,1001}"), "{2,1001}");
}

TEST(Regex, HasLimitsOfItsOwnAndOfWhatItStandsFor) {
  EXPECT_TRUE(CompilePattern(std::string(kMaxPatternBytes, 'a')).pattern);
  EXPECT_NE(CompilePattern(std::string(kMaxPatternBytes + 1, 'a')).problem.find("1001 bytes"), std::string::npos);
  EXPECT_TRUE(CompilePattern("(a{1000})(b{1000})(c{1000})").pattern);
  EXPECT_NE(CompilePattern("\\pL{5}").problem.find("steps"), std::string::npos);
  EXPECT_NE(CompilePattern("\\pL{300}").problem.find("too large"), std::string::npos);
  EXPECT_NE(CompilePattern("((a{100}){100}){100}").problem.find("1000 times"), std::string::npos);
}

// What backtracking takes 2^40 steps for.
TEST(Regex, TakesLinearTime) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(Finds("^(a+)+$", std::string(100'000, 'a') + "b"));
  EXPECT_FALSE(Finds("(x+x+)+y", std::string(100'000, 'x')));
  EXPECT_FALSE(Finds("[ab]*a[ab]{200}c", std::string(20'000, 'a')));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
