// One test for each line of retry_denials.def, and one for their order.
#include "runtime/engine/retry_decision.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/support/policy_builder.h"

namespace runtime::engine {
namespace {

using compiler::abi::WindowMeasureKind;
using namespace std::chrono_literals;  // NOLINT: times in tests

constexpr TimePoint kNow(1h);

class RetryDecisionTest : public testing::Test {
 protected:
  RetryDecisionTest() {
    settings_.max_retries = 2;
    settings_.wait = {500ms, 2, 2s, 0};
    breaker_settings_ = builder_.Breaker(WindowMeasureKind::kFailures, 60s, 1, 30s, 1);
    policy_ = builder_.Build();
    breaker_ = std::make_unique<Breaker>(breaker_settings_, policy_->predicates);
    question_.matches = true;
    question_.breaker = breaker_.get();
    question_.deadline = kNow + 10s;
  }
  RetryDecision Decide() { return DecideRetry(&settings_, question_, kNow, random_); }
  void OpenBreaker() { breaker_->Record(*breaker_->Admit(kNow, 1s).ticket, OutcomeClass::kFailure, kNow); }

  void SpendBudget() {
    question_.budget = &budget_;
    while (budget_.Take(kNow)) {
    }
  }

  RetryBudget budget_{0.2};
  tests::PolicyBuilder builder_;
  compiler::model::RetrySettings settings_;
  compiler::model::BreakerSettings breaker_settings_;
  std::unique_ptr<compiler::CompiledPolicy> policy_;
  std::unique_ptr<Breaker> breaker_;
  base::Random random_{1};
  RetryQuestion question_;
};

TEST_F(RetryDecisionTest, RetriesAfterTheWaitOfItsNumber) {
  EXPECT_TRUE(Decide().retry());
  EXPECT_EQ(Decide().wait, 500ms);
  question_.retries_made = 1;
  EXPECT_TRUE(Decide().retry());
  EXPECT_EQ(Decide().wait, 1s);
}

TEST_F(RetryDecisionTest, NotWhatTheRuleDoesNotName) {
  question_.matches = false;
  EXPECT_EQ(Decide().denial, RetryDenial::kNotMatched);
}

TEST_F(RetryDecisionTest, NotWithoutARetryBlock) {
  EXPECT_EQ(DecideRetry(nullptr, question_, kNow, random_).denial, RetryDenial::kNotMatched);
}

TEST_F(RetryDecisionTest, NotMoreThanMaxRetries) {
  question_.retries_made = 2;
  EXPECT_EQ(Decide().denial, RetryDenial::kAttemptsExhausted);
}

TEST_F(RetryDecisionTest, NotWithABodyThatWasTooLargeToKeep) {
  question_.replay = Replay::kBodyTooLarge;
  EXPECT_EQ(Decide().denial, RetryDenial::kBodyTooLarge);
}

TEST_F(RetryDecisionTest, NotWhatMustNotBeRepeated) {
  question_.replay = Replay::kNotRepeatSafe;
  EXPECT_EQ(Decide().denial, RetryDenial::kNotRepeatSafe);
}

TEST_F(RetryDecisionTest, NotThroughAnOpenBreaker) {
  OpenBreaker();
  EXPECT_EQ(Decide().denial, RetryDenial::kBreakerOpen);
  question_.breaker = nullptr;
  EXPECT_TRUE(Decide().retry());
}

TEST_F(RetryDecisionTest, NotWithoutAToken) {
  question_.budget = &budget_;
  EXPECT_TRUE(Decide().retry());
  EXPECT_EQ(budget_.balance(), 10) << "a decision takes nothing";
  SpendBudget();
  EXPECT_EQ(Decide().denial, RetryDenial::kBudgetSpent);
}

TEST_F(RetryDecisionTest, NotBeforeTheUpstreamAsksForIt) {
  settings_.honour_cap = 8s;
  question_.retry_after = 3s;
  EXPECT_EQ(Decide().wait, 3s);
  question_.retry_after = 100ms;
  EXPECT_EQ(Decide().wait, 500ms);
  question_.retry_after = 8s + 1ns;
  EXPECT_EQ(Decide().denial, RetryDenial::kRetryAfter);
  settings_.honour_cap.reset();
  EXPECT_EQ(Decide().wait, 500ms);
}

TEST_F(RetryDecisionTest, NotWhenTheWaitEndsAtTheDeadlineOrLater) {
  question_.deadline = kNow + 500ms;
  EXPECT_EQ(Decide().denial, RetryDenial::kDeadline);
  question_.deadline = kNow + 500ms + 1ns;
  EXPECT_TRUE(Decide().retry());
  question_.deadline.reset();
  EXPECT_TRUE(Decide().retry());
}

TEST_F(RetryDecisionTest, TheFirstCheckThatFailsIsTheOneThatIsSaid) {
  settings_.honour_cap = 8s;
  question_.deadline = kNow;
  const std::vector<std::pair<RetryDenial, std::function<void()>>> from_last_to_first = {
      {RetryDenial::kDeadline, [] {}},
      {RetryDenial::kRetryAfter, [this] { question_.retry_after = 9s; }},
      {RetryDenial::kBudgetSpent, [this] { SpendBudget(); }},
      {RetryDenial::kBreakerOpen, [this] { OpenBreaker(); }},
      {RetryDenial::kNotRepeatSafe, [this] { question_.replay = Replay::kNotRepeatSafe; }},
      {RetryDenial::kBodyTooLarge, [this] { question_.replay = Replay::kBodyTooLarge; }},
      {RetryDenial::kAttemptsExhausted, [this] { question_.retries_made = 2; }},
      {RetryDenial::kNotMatched, [this] { question_.matches = false; }},
  };
  for (const auto& [denial, add_cause] : from_last_to_first) {
    add_cause();
    EXPECT_EQ(Decide().denial, denial) << Name(denial);
  }
}

TEST(RetryDenial, EveryOneHasANameOfItsOwn) {
  std::set<std::string_view> names;
  int count = 0;
#define RETRY_DENIAL(enumerator, name, doc)    \
  names.insert(Name(RetryDenial::enumerator)); \
  ++count;
#include "runtime/engine/retry_denials.def"
#undef RETRY_DENIAL
  EXPECT_EQ(names.size(), static_cast<size_t>(count));
  EXPECT_EQ(names.count(""), 0u);
}

}  // namespace
}  // namespace runtime::engine
