// The worst case of routes, and its arithmetic as it is shown.
#include "compiler/analysis/bounds.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"

namespace {

using compiler::analysis::Bounds;
using compiler::analysis::CountInterval;
using compiler::analysis::kMost;
using compiler::analysis::PrintTime;
using compiler::analysis::Term;
using compiler::analysis::TimeInterval;
using compiler::analysis::UpTo;
using namespace std::chrono_literals;  // NOLINT: times in tests

compiler::model::Policy PolicyOf(const std::string& text) {
  compiler::diagnostics::Diagnostics diagnostics;
  auto policy = compiler::CheckPolicy(text, {}, &diagnostics);
  if (!policy) {
    throw std::runtime_error(
        compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("policy", text), diagnostics));
  }
  return std::move(*policy);
}

compiler::model::Policy Rest(const std::string& blocks) {
  return PolicyOf("edition 1\ngateway { listen = \"127.0.0.1:8080\" }\n" + blocks);
}

// Of the last route.
compiler::analysis::RouteBounds BoundsOf(const compiler::model::Policy& policy) {
  return Bounds(policy).Of(policy.routes[compiler::model::RouteId(static_cast<int32_t>(policy.routes.size()) - 1)]);
}

// Until the last byte; where nothing ends a stream, until all attempts have failed.
std::string LatencyOf(const std::string& blocks) {
  const auto bounds = BoundsOf(Rest(blocks));
  return (bounds.latency.value().high == kMost ? bounds.latency_uncut : bounds.latency).PrintWithResult();
}
std::string FirstTokenOf(const std::string& blocks) { return BoundsOf(Rest(blocks)).first_token.PrintWithResult(); }
int64_t AttemptsOf(const std::string& blocks) { return BoundsOf(Rest(blocks)).visits; }

const std::string kRetrying =
    "upstream a { url = \"http://a\" attempt_timeout = 15s repeat_safe = true retry { max_retries = 2 when error == "
    "reset wait = exponential(from: 500ms, factor: 2, cap: 2s, jitter: 50%) } }\n";

TEST(Interval, ArithmeticSaturates) {
  EXPECT_EQ(TimeInterval::Exactly(kMost) + TimeInterval::Exactly(1), TimeInterval::Exactly(kMost));
  EXPECT_EQ(CountInterval::Exactly(3) * (TimeInterval{1, kMost / 2}), (TimeInterval{3, kMost}));
  EXPECT_EQ(CountInterval::Exactly(0) * TimeInterval::Exactly(kMost), TimeInterval::Exactly(0));
  EXPECT_EQ(CountInterval::Exactly(2) * (TimeInterval{1, 5}), (TimeInterval{2, 10}));
}

TEST(Interval, TheSmallerAndTheLargerAreTakenAtBothEnds) {
  EXPECT_EQ(Min(TimeInterval{1, 9}, TimeInterval{3, 4}), (TimeInterval{1, 4}));
  EXPECT_EQ(Max(TimeInterval{1, 9}, TimeInterval{3, 4}), (TimeInterval{3, 9}));
}

TEST(Term, TimesArePrintedForPeople) {
  EXPECT_EQ(PrintTime(0), "0 s");
  EXPECT_EQ(PrintTime(20'000'000), "20 ms");
  EXPECT_EQ(PrintTime(500'000'000), "0.5 s");
  EXPECT_EQ(PrintTime(46'500'000'000), "46.5 s");
  EXPECT_EQ(PrintTime(1'001'000'000), "1.001 s");
  EXPECT_EQ(PrintTime(90'000'000'000), "90 s");
  EXPECT_EQ(PrintTime(300'000'000'000), "5 min");
  EXPECT_EQ(PrintTime(7'200'000'000'000), "2 h");
  EXPECT_EQ(PrintTime(1'500), "1us500ns");
  EXPECT_EQ(PrintTime(kMost), "for ever");
}

TEST(Term, ArithmeticLeavesOutWhatIsNothing) {
  const Term attempt = Term::Of(UpTo(15s), "attempts");
  EXPECT_EQ(Term::Sum({Term::Of(UpTo(0s), "queue"), Term::Times(1, attempt)}).PrintWithResult(), "15 s");
  EXPECT_EQ(Term::Sum({}).PrintWithResult(), "0 s");
  const Term sum = Term::Sum({Term::Times(2, attempt), Term::Of(UpTo(1s), "waits"), Term::Of(UpTo(2s), "waits")});
  EXPECT_EQ(sum.PrintWithResult(), "33 s = 2 × 15 s + 1 s + 2 s");
  ASSERT_EQ(sum.Lines().size(), 2u);
  EXPECT_EQ(sum.Lines()[1].arithmetic, "1 s + 2 s");
  EXPECT_EQ(Term::Within(UpTo(9s), "deadline", sum).PrintWithResult(), "9 s, cut off from 33 s = 2 × 15 s + 1 s + 2 s");
  EXPECT_EQ(Term::Within(UpTo(33s), "deadline", sum).PrintWithResult(), "33 s = 2 × 15 s + 1 s + 2 s");
}

TEST(Bounds, TheFoundingPolicyTakesThreeAttemptsAndTwoWaits) {
  std::ifstream in(BREAKWATER_SOURCE_DIR "/policies/qwen3-32b.policy");
  std::ostringstream text;
  text << in.rdbuf();
  const auto bounds = BoundsOf(PolicyOf(text.str()));
  EXPECT_EQ(bounds.latency_uncut.PrintWithResult(), "46.5 s = 3 × 15 s + 0.5 s + 1 s");
  EXPECT_EQ(bounds.latency.value().high, kMost) << "a stream flows as long as it will";
  EXPECT_EQ(bounds.visits, 3);
  EXPECT_EQ(bounds.attempts, 6) << "each on a kept connection that is closed just then";
}

TEST(Bounds, JitterOnlyShortens) {
  EXPECT_EQ(LatencyOf(kRetrying), "46.5 s = 3 × 15 s + 0.5 s + 1 s");
  EXPECT_EQ(BoundsOf(Rest(kRetrying)).latency_uncut.value().low, 750'000'000);
}

TEST(Bounds, RetryAfterLengthensWaitsUpToItsCap) {
  EXPECT_EQ(
      LatencyOf("upstream a { url = \"http://a\" attempt_timeout = 1s retry { max_retries = 2 when error == reset "
                "wait = exponential(from: 500ms, factor: 4, cap: 2s) honour = retry_after(cap: 1s) } }"),
      "6 s = 3 × 1 s + 1 s + 2 s");
}

TEST(Bounds, EveryAttemptMayWaitForAPlace) {
  EXPECT_EQ(
      LatencyOf(
          "upstream a { url = \"http://a\" attempt_timeout = 1s max_in_flight = 1 queue { length = 1 timeout "
          "= 5s } retry { max_retries = 1 when error == refused wait = exponential(from: 1s, factor: 1, cap: 1s) } }"),
      "13 s = 2 × 5 s + 2 × 1 s + 1 s");
}

TEST(Bounds, UpstreamsAndMocksAddUpAndTheDeadlineCuts) {
  const std::string two =
      "upstream a { url = \"http://a\" attempt_timeout = 1s }\nupstream b { url = \"http://b\" attempt_timeout = 2s }\n"
      "mock m { delay = 3s text = \"x\" }\n";
  EXPECT_EQ(LatencyOf(two + "route r { to = [a, b] fallback = [m] }"), "6 s = 1 s + 2 s + 3 s");
  EXPECT_EQ(LatencyOf(two + "route r { to = [a, b] }"), "3 s = 1 s + 2 s");
  // A mock takes its time behind the deadline, too.
  EXPECT_EQ(BoundsOf(Rest(two + "route r { to = [a, b] fallback = [m] deadline = 2s }")).latency.worst(), 5s);
  EXPECT_EQ(LatencyOf(two + "route r { to = [a, b] deadline = 2s }"), "2 s, cut off from as long as it flows");
}

// What no model's stream can come from is whole within `attempt_timeout`; everywhere else a stream is as long as it flows.
TEST(Bounds, WhereNothingStreamsAnAttemptIsTheWholeAnswer) {
  const auto latency = [](const std::string& upstream, const std::string& when) {
    return BoundsOf(Rest("upstream a { url = \"http://a" + upstream + " attempt_timeout = 1s }\nroute r { " + when + " to = a }")).latency.value().high;
  };
  EXPECT_EQ(latency("\"", "when request.path == \"/v1/embeddings\""), 1'000'000'000);
  EXPECT_EQ(latency("\"", "when request.path in {\"/v1/embeddings\", \"/api/embed\"} and request.method == POST"), 1'000'000'000);
  EXPECT_EQ(latency("\"", "when request.method == GET"), 1'000'000'000);
  EXPECT_EQ(latency("\"", "when request.path in {\"/v1/embeddings\", \"/api/chat\"}"), kMost);
  EXPECT_EQ(latency("\"", "when request.path starts_with \"/v1/\""), kMost);
  EXPECT_EQ(latency("\"", "when request.method == POST"), kMost);
  EXPECT_EQ(latency("\"", ""), kMost);
  EXPECT_EQ(latency("/api/chat\"", "when request.path == \"/ask\""), kMost) << "what is sent is what is read";
  EXPECT_EQ(latency("\" dialect = openai", "when request.path == \"/v1/embeddings\""), kMost);
}

TEST(Bounds, AnAnswerThatIsContinuedMayBeAskedForTwice) {
  const auto upstreams = [](const char* more) {
    return std::string(
               "upstream a { url = \"http://a\" attempt_timeout = 1s on_cut = continue }\nupstream b { url = "
               "\"http://b\" attempt_timeout = 2s ") +
           more + " }\nroute r { to = [a, b] }";
  };
  EXPECT_EQ(LatencyOf(upstreams("")), "5 s = 1 s + 2 s + 2 s");
  EXPECT_EQ(AttemptsOf(upstreams("")), 3);
  EXPECT_EQ(LatencyOf(upstreams("prefill = false")), "3 s = 1 s + 2 s");
}

TEST(Bounds, WhoAsksTheSameWaitsForTheFirstAndThenGoesAlone) {
  EXPECT_EQ(LatencyOf("upstream a { url = \"http://a\" attempt_timeout = 2s }\ncache c { key = \"${client.ip} "
                      "${request.body}\" ttl = 1min }\nroute r { to = a cache = c }"),
            "4 s = 2 s + 2 s");
}

TEST(Bounds, TheFirstTokenIsBoundByItsOwnLimit) {
  EXPECT_EQ(FirstTokenOf("upstream a { url = \"http://a\" timeouts { first_token = 10s total = 1min } }"), "10 s");
  EXPECT_EQ(FirstTokenOf("upstream a { url = \"http://a\" timeouts { total = 1min } }"), "1 min");
  // Thinking meets the limit, and the answer behind it may take longer.
  EXPECT_EQ(
      FirstTokenOf("upstream a { url = \"http://a\" commit = answer timeouts { first_token = 10s total = 1min } }"),
      "1 min");
}

TEST(Bounds, RetriesThatTheDeadlineKeepsFromBeginningAreNoAttempts) {
  const std::string retrying =
      "upstream a { url = \"http://a\" retry { max_retries = 5 when error == refused wait = exponential(from: 1s, "
      "factor: "
      "1, cap: 1s) } }\nroute r { to = a deadline = ";
  EXPECT_EQ(AttemptsOf(retrying + "3s }"), 3);
  EXPECT_EQ(AttemptsOf(retrying + "3001ms }"), 4);
}

}  // namespace
