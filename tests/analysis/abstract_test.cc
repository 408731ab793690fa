// The abstract evaluation against the interpreter: what it calls never or always must be so for every value that was left open.
#include "compiler/analysis/abstract.h"

#include <gtest/gtest.h>

#include "compiler/analysis/outcomes.h"
#include "compiler/compile.h"
#include "compiler/model/interpret.h"

namespace {

using compiler::abi::ErrorKind;
using compiler::abi::Facts;
using compiler::analysis::AtError;
using compiler::analysis::AtStatus;
using compiler::analysis::Evaluate;
using compiler::analysis::Known;
using compiler::analysis::Truth;

// The condition of a retry, which reads route and attempt.
compiler::model::Expr ExprOf(const std::string& condition) {
  compiler::diagnostics::Diagnostics diagnostics;
  const auto policy = compiler::CheckPolicy(
      "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a\" retry { max_retries = 1 "
      "when " +
          condition + " } }\n",
      {}, &diagnostics);
  if (!policy) throw std::runtime_error(condition + ": " + diagnostics.items().at(0).message);
  const auto when = policy->upstreams[compiler::model::UpstreamId(0)].retry->when;
  return policy->predicates[when].expr;
}

const char* const kConditions[] = {
    "status == 503",
    "status != 503",
    "status in {429, 5xx}",
    "status not in {429, 5xx}",
    "not (status in 5xx or error in {refused, reset})",
    "(status ?? 599) >= 500",
    "(status ?? 100) < 500 and error == none",
    "status == none",
    "status != none and error != none",
    "error in timeout",
    "error == refused or error == queue_full",
    "attempt > 1",
    "attempt >= 1 and attempt <= 3",
    "latency > 1s",
    "(first_token ?? 5s) >= 5s",
    "first_token == none",
    "elapsed < 1h or latency >= 2s",
    "true",
    "not true or status == 500",
};

TEST(Abstract, NeverAndAlwaysHoldForEveryValueThatWasLeftOpen) {
  int sure = 0;
  for (const char* condition : kConditions) {
    const compiler::model::Expr expr = ExprOf(condition);
    const auto compare = [&](const Known& known, int64_t status, ErrorKind error) {
      const Truth truth = Evaluate(expr, known);
      sure += truth != Truth::kMaybe;
      Facts facts;
      facts.status = status;
      facts.error = static_cast<int32_t>(error);
      facts.first_token = compiler::abi::kAbsentInt;
      for (const int64_t attempt : {1, 2, 3, 50}) {
        for (const int64_t time :
             {int64_t{0}, int64_t{1'000'000'000}, int64_t{2'000'000'001}, int64_t{7'200'000'000'000}}) {
          facts.attempt = attempt;
          facts.latency = facts.elapsed = time;
          const bool holds = compiler::model::Interpret(expr, facts);
          EXPECT_FALSE(truth == Truth::kNever && holds) << condition << " at status " << status;
          EXPECT_FALSE(truth == Truth::kAlways && !holds) << condition << " at status " << status;
        }
      }
    };
    for (int status = 100; status <= 599; ++status) compare(AtStatus(status), status, ErrorKind::kNone);
    for (const ErrorKind error : compiler::analysis::AttemptErrors()) {
      compare(AtError(error), compiler::abi::kAbsentInt, error);
      if (!compiler::analysis::IsBeforeSending(error)) compare(AtError(error), 200, error);
    }
  }
  EXPECT_GT(sure, 5'000);  // it says more than maybe
}

TEST(Abstract, TellingStatusesStandForAllOthers) {
  for (const char* condition : kConditions) {
    const compiler::model::Expr expr = ExprOf(condition);
    const auto telling = compiler::analysis::TellingStatuses(expr, 100, 599);
    std::optional<Truth> last;
    size_t next = 0;
    for (int status = 100; status <= 599; ++status) {
      const Truth truth = Evaluate(expr, AtStatus(status));
      if (next < telling.size() && telling[next] == status) ++next;
      else EXPECT_EQ(truth, last) << condition << " changes its mind at " << status;
      last = truth;
    }
  }
}

TEST(Abstract, WindowsAreFollowed) {
  compiler::diagnostics::Diagnostics diagnostics;
  const auto policy = compiler::CheckPolicy(
      "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a\" breaker { open when "
      "failures(60s) >= 5 and failure_ratio(60s) > 50% } }\n",
      {}, &diagnostics);
  ASSERT_TRUE(policy);
  const auto& breaker = *policy->upstreams[compiler::model::UpstreamId(0)].breaker;
  const auto& expr = policy->predicates[breaker.open_when[0]].expr;
  EXPECT_EQ(Evaluate(expr, Known()), Truth::kMaybe);
  EXPECT_EQ(Evaluate(expr, Known().SetWindow(0, 5, 5).SetWindow(1, 0.6L, 0.6L)), Truth::kAlways);
  EXPECT_EQ(Evaluate(expr, Known().SetWindow(0, 0, 4)), Truth::kNever);
  EXPECT_EQ(Evaluate(expr, Known().SetWindow(0, 4, 5).SetWindow(1, 1, 1)), Truth::kMaybe);
  EXPECT_EQ(Evaluate(expr, Known().SetWindow(0, 9, 9).SetWindow(1, 0.5L, 0.5L)), Truth::kNever);
}

}  // namespace
