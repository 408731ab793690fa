// The JIT as its users know it: what it returns, what its code may reach, and that code goes when its owner goes.
#include "compiler/jit/jit.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "compiler/abi/helpers.h"
#include "tests/oracle/expr_builder.h"

namespace tests::oracle {
namespace {

using compiler::abi::Facts;
using compiler::abi::FieldId;
using compiler::abi::PredicateId;
using compiler::abi::Str;
using compiler::jit::CompilePredicates;
using compiler::jit::JitResult;

Expr StatusIs(int64_t status) {
  return Compare(Field(FieldId::k_status), CompareOp::kEq, OfLiteral(Integer(BaseType::kStatus, status)));
}

Expr PathStartsWith(std::string start) {
  return TestText(Field(FieldId::k_request_path), StringTest::kStartsWith, OfLiteral(Text(std::move(start))));
}

// Bytes of executable memory that belong to no file: where machine code of predicates is.
size_t AnonymousExecutableBytes() {
  std::ifstream maps("/proc/self/maps");
  size_t total = 0;
  for (std::string line; std::getline(maps, line);) {
    size_t start = 0;
    size_t end = 0;
    char permissions[5] = {};
    char path[512] = {};
    const int fields = std::sscanf(line.c_str(), "%zx-%zx %4s %*s %*s %*s %511s", &start, &end, permissions, path);
    if (fields == 3 && permissions[2] == 'x') total += end - start;
  }
  return total;
}

TEST(Jit, RunsThePredicatesOfAPolicy) {
  const auto policy = PolicyOf({StatusIs(200), PathStartsWith("/api/")});
  const JitResult result = CompilePredicates(policy);
  ASSERT_NE(result.code, nullptr) << result.error;
  ASSERT_EQ(result.predicates.size(), 2u);
  Facts facts;
  facts.status = 200;
  facts.request_path = Str::Of("/apx/chat");
  EXPECT_TRUE(result.predicates.Test(PredicateId(0), facts));
  EXPECT_FALSE(result.predicates.Test(PredicateId(1), facts));
  facts.status = 500;
  facts.request_path = Str::Of("/api/chat");
  EXPECT_FALSE(result.predicates.Test(PredicateId(0), facts));
  EXPECT_TRUE(result.predicates.Test(PredicateId(1), facts));
}

TEST(Jit, CompilesAPolicyWithoutPredicates) {
  const JitResult result = CompilePredicates(PolicyOf({}));
  ASSERT_NE(result.code, nullptr) << result.error;
  EXPECT_EQ(result.predicates.size(), 0u);
}

TEST(Jit, CompilesMorePredicatesThanOneModuleHolds) {
  std::vector<Expr> predicates;
  for (int64_t status = 100; status < 600; ++status) predicates.push_back(StatusIs(status));
  const JitResult result = CompilePredicates(PolicyOf(predicates));
  ASSERT_NE(result.code, nullptr) << result.error;
  Facts facts;
  for (int64_t status = 100; status < 600; ++status) {
    facts.status = status;
    for (int64_t other : {int64_t{100}, status, int64_t{599}}) {
      EXPECT_EQ(result.predicates.Test(PredicateId(static_cast<int32_t>(other - 100)), facts), other == status);
    }
  }
}

// A chain far longer than a person would write; recursion in compiler or generated code would show here.
TEST(Jit, CompilesAConditionOfATenThousandParts) {
  std::vector<Expr> parts;
  for (int i = 0; i < 10'000; ++i) parts.push_back(StatusIs(100 + i % 499));
  const JitResult result = CompilePredicates(PolicyOf({Condition(ExprKind::kOr, std::move(parts))}));
  ASSERT_NE(result.code, nullptr) << result.error;
  Facts facts;
  facts.status = 599;
  EXPECT_FALSE(result.predicates.Test(PredicateId(0), facts));
  facts.status = 598;
  EXPECT_TRUE(result.predicates.Test(PredicateId(0), facts));
}

TEST(Jit, RefusesAnExpressionThatTheCheckerMustNotMake) {
  const auto policy = PolicyOf(
      {StatusIs(200), Compare(Field(FieldId::k_request_path), CompareOp::kEq, OfLiteral(Integer(BaseType::kInt, 1)))});
  const JitResult result = CompilePredicates(policy);
  EXPECT_EQ(result.code, nullptr);
  EXPECT_NE(result.error.find("predicate 1: equality of String with Int"), std::string::npos) << result.error;
}

TEST(Jit, UnmapsCodeWithItsOwner) {
  std::vector<Expr> predicates;
  for (int i = 0; i < 64; ++i) predicates.push_back(PathStartsWith("/some/path/" + std::to_string(i)));
  const auto policy = PolicyOf(predicates);
  { const JitResult warm_up = CompilePredicates(policy); }
  const size_t before = AnonymousExecutableBytes();
  for (int i = 0; i < 50; ++i) {
    const JitResult result = CompilePredicates(policy);
    ASSERT_NE(result.code, nullptr) << result.error;
    ASSERT_GT(AnonymousExecutableBytes(), before) << "the code of a living policy is not where this test looks";
  }
  EXPECT_EQ(AnonymousExecutableBytes(), before);
}

TEST(Jit, NeverHasMemoryThatIsBothWritableAndExecutable) {
  const JitResult result = CompilePredicates(PolicyOf({StatusIs(200)}));
  ASSERT_NE(result.code, nullptr) << result.error;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) EXPECT_EQ(line.find(" rwx"), std::string::npos) << line;
}

TEST(Jit, CodeNeedsThePolicyNoLonger) {
  auto policy = std::make_unique<compiler::model::Policy>(
      PolicyOf({Compare(Field(FieldId::k_request_path), CompareOp::kEq, OfLiteral(Text(std::string(100, 'x'))))}));
  const JitResult result = CompilePredicates(*policy);
  ASSERT_NE(result.code, nullptr) << result.error;
  policy.reset();
  Facts facts;
  const std::string path(100, 'x');
  facts.request_path = Str::Of(path);
  EXPECT_TRUE(result.predicates.Test(PredicateId(0), facts));
}

TEST(Jit, KeepsOldCodeWhileItsOwnerLives) {
  const auto old_policy = PolicyOf({StatusIs(200)});
  const JitResult old_result = CompilePredicates(old_policy);
  ASSERT_NE(old_result.code, nullptr) << old_result.error;
  for (int i = 0; i < 5; ++i) {
    ASSERT_NE(CompilePredicates(PolicyOf({StatusIs(300 + i)})).code, nullptr);
  }
  Facts facts;
  facts.status = 200;
  EXPECT_TRUE(old_result.predicates.Test(PredicateId(0), facts));
  facts.status = 300;
  EXPECT_FALSE(old_result.predicates.Test(PredicateId(0), facts));
}

TEST(Jit, CompilesInSeveralThreadsAtOnce) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 5;
  std::vector<int> right_answers(kThreads, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([t, &right_answers] {
      for (int round = 0; round < kRounds; ++round) {
        const int64_t status = 100 + t * 100 + round;
        const JitResult result = CompilePredicates(PolicyOf({StatusIs(status)}));
        if (result.code == nullptr) return;
        Facts facts;
        facts.status = status;
        const bool holds = result.predicates.Test(PredicateId(0), facts);
        facts.status = status + 1;
        if (holds && !result.predicates.Test(PredicateId(0), facts)) ++right_answers[static_cast<size_t>(t)];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right_answers, std::vector<int>(kThreads, kRounds));
}

TEST(Jit, OneTableIsCalledFromSeveralThreads) {
  const JitResult result = CompilePredicates(PolicyOf({PathStartsWith("/v1/")}));
  ASSERT_NE(result.code, nullptr) << result.error;
  std::vector<int> hits(4, 0);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < hits.size(); ++t) {
    threads.emplace_back([t, &hits, &result] {
      Facts facts;
      facts.request_path = Str::Of(t % 2 == 0 ? "/v1/chat" : "/v2/chat");
      for (int i = 0; i < 1000; ++i) hits[t] += result.predicates.Test(PredicateId(0), facts) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(hits, (std::vector<int>{1000, 0, 1000, 0}));
}

}  // namespace
}  // namespace tests::oracle
