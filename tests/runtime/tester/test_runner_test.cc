// The runner of tests: what each sentence does, what a failure says, what coverage tells.
#include "runtime/tester/test_runner.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "runtime/tester/coverage.h"

namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests
using runtime::tester::TestResult;

// A policy with two models and what may go wrong between them.
const std::string kPolicy = R"(edition 1
gateway { listen = "127.0.0.1:8080" }
upstream large {
  url         = "http://ollama:11434"
  repeat_safe = true
  timeouts { connect = 1s  first_token = 10s  idle = 5s  total = 60s }
  retry {
    max_retries = 1
    when status == 503 or error in {refused, reset}
    wait   = exponential(from: 500ms, factor: 2, cap: 2s)
    honour = retry_after(cap: 8s)
  }
  breaker { open when failed_requests(60s) >= 2  open_for = 15s }
}
upstream small {
  url         = "http://ollama:11434"
  repeat_safe = true
  timeouts { connect = 1s  first_token = 10s  idle = 5s  total = 60s }
}
reply sorry { status = 503  header["Retry-After"] = "30"  text = "sorry" }
reply not_found { status = 404  body = json { "error": "no such route" } }
route chat {
  when request.method == POST and request.path in {"/api/chat", "/v1/chat/completions", "/v1/messages"}
  to       = [large, small]
  fallback = [sorry]
}
route plain { when request.path starts_with "/plain"  to = [small] }
route otherwise { reply = not_found }
)";

struct Ran {
  std::string text;
  compiler::WrittenPolicy written;
  std::vector<TestResult> results;

  const TestResult& only() const { return results.at(0); }
};

runtime::tester::NextPolicy Next(const std::string& text) {
  compiler::diagnostics::Diagnostics diagnostics;
  runtime::tester::NextPolicy next;
  if (auto written = compiler::CheckWritten(text, {}, &diagnostics))
    next.compiled = compiler::CompileChecked(std::move(written->policy), written->hash, &diagnostics);
  if (next.compiled == nullptr) next.why = diagnostics.items().front().message;
  return next;
}

// The policy with these sentences as its one test. `next`: texts of what it reloads.
Ran RunSentences(const std::string& sentences, const std::string& policy = kPolicy,
                 const std::map<std::string, std::string>& next = {}) {
  Ran ran;
  ran.text = policy + "test \"t\" {\n" + sentences + "\n}\n";
  compiler::diagnostics::Diagnostics diagnostics;
  auto written = compiler::CheckWritten(ran.text, {}, &diagnostics);
  const auto explain = [&] {
    return compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("t", ran.text), diagnostics);
  };
  if (!written) throw std::runtime_error(explain());
  ran.written = std::move(*written);
  auto compiled = compiler::CompileChecked(ran.written.policy, ran.written.hash, &diagnostics);
  if (compiled == nullptr) throw std::runtime_error(explain());
  std::map<std::string, runtime::tester::NextPolicy> nexts;
  for (const auto& [file, text] : next) nexts.emplace(file, Next(text));
  const runtime::tester::TestRunner runner(std::move(compiled), std::move(nexts));
  for (const auto& test : ran.written.tests) ran.results.push_back(runner.Run(test, ran.text));
  return ran;
}

std::string Report(const Ran& ran) {
  std::string text;
  for (const auto& failure : ran.only().failures)
    text += failure.message.empty() ? failure.expected + " but got " + failure.got + "\n" : failure.message + "\n";
  return text;
}

const std::string kAsk = "send POST \"/api/chat\" json { \"messages\": [] }\n";

// Sentences that must hold.
void ExpectHolds(const std::string& sentences) { EXPECT_EQ(Report(RunSentences(sentences)), "") << sentences; }
// One of them does not, and says so.
void ExpectFails(const std::string& sentences, const std::string& report) {
  EXPECT_EQ(Report(RunSentences(sentences)), report) << sentences;
}

TEST(Replies, WithStatusDelayHeaderAndBody) {
  ExpectHolds(
      "given large replies 200 after 250ms header \"X-Model\" = \"big\" json { \"done\": true, \"n\": [1, 2] }" + kAsk +
      "expect status == 200 expect elapsed == 250ms expect header[\"x-model\"] == \"big\""
      " expect body.json.done == true expect body.json.n == \"[1,2]\" expect body.json.none.of.it == none");
  ExpectHolds(
      "given small replies 429 text \"slow down\" send GET \"/plain\" expect status == 429 expect body == \"slow "
      "down\"");
  ExpectHolds(
      "given small replies 204 send GET \"/plain\" expect status == 204 expect body == \"\" expect ended == complete");
}

TEST(Replies, SayByThemselvesWhatTheApiSays) {
  ExpectHolds("given large replies 200 " + kAsk +
              "expect body contains \"answer of large\" expect body contains \"\\\"done\\\":true\"");
  ExpectHolds(
      "given large replies 200 text \"Paris\" send POST \"/v1/chat/completions\" json { \"messages\": [] }"
      " expect body contains \"Paris\" expect body contains \"chat.completion\" expect ended == complete");
  ExpectHolds(
      "given large replies 200 send POST \"/v1/messages\" json { \"stream\": true, \"messages\": [] }"
      " expect body contains \"message_stop\" expect header[\"content-type\"] == \"text/event-stream\"");
  ExpectHolds("given small replies 200 send GET \"/plain\" expect body == \"answer of small\"");
  ExpectHolds("given large replies 500 given small replies 400 " + kAsk +
              "expect status == 400 expect body contains \"error\"");
}

TEST(Replies, AreUsedUpInTheirOrder) {
  ExpectHolds(
      "given small replies 201 given small replies 202 2 times given small replies 203 always\n"
      "send GET \"/plain\" expect status == 201 send GET \"/plain\" expect status == 202 send GET \"/plain\""
      " expect status == 202 send GET \"/plain\" expect status == 203 send GET \"/plain\" 3 times expect status == 203"
      " expect attempts(small) == 7");
}

TEST(Replies, GivenBehindASendTakeThePlaceOfWhatWasAlways) {
  ExpectHolds(
      "given small replies 500 always send GET \"/plain\" expect status == 500\n"
      "given small replies 200 send GET \"/plain\" expect status == 200");
}

TEST(Streams, TokenByTokenThenEnd) {
  ExpectHolds("given large streams 4 tokens every 100ms after 1s " + kAsk +
              "expect elapsed == 1400ms expect body contains \"t1 \" expect body contains \"t4 \" expect not body "
              "contains \"t5 \""
              " expect ended == complete expect served_by == large");
  ExpectHolds(
      "given large streams 2 tokens every 1s send POST \"/v1/chat/completions\" json { \"stream\": true }"
      " expect body ends_with \"data: [DONE]\\n\\n\" expect ended == complete");
  ExpectHolds(
      "given large streams 2 tokens every 1s send POST \"/v1/messages\" json { \"stream\": true }"
      " expect body contains \"content_block_delta\" expect ended == complete");
  ExpectHolds(
      "given small streams 2 tokens every 1s send GET \"/plain\" expect body == \"t1 t2 \" expect elapsed == 2s");
}

TEST(Streams, CutStallOrFail) {
  ExpectHolds("given large streams 3 tokens every 1s then cuts " + kAsk +
              "expect status == 200 expect ended == cut expect body contains \"t3 \" expect body contains \"error\" "
              "expect elapsed == 3s");
  // idle = 5s strikes.
  ExpectHolds("given large streams 3 tokens every 1s then stalls " + kAsk + "expect ended == cut expect elapsed == 8s");
  ExpectHolds("given large streams 1 token every 1s then fails " + kAsk +
              "expect ended == cut expect body contains \"error\"");
}

TEST(Refuses, EachAttempt) {
  ExpectHolds("given large refuses always given small replies 200 " + kAsk +
              "expect attempts(large) == 2 expect served_by == small expect elapsed == 500ms");
}

TEST(Resets, AfterATime) {
  ExpectHolds("given large resets after 1s 2 times given small replies 200 " + kAsk +
              "expect attempts(large) == 2 expect elapsed == 2500ms"
              " expect metric(\"upstream_attempts_total\", upstream: \"large\", outcome: \"reset\") == 2");
}

TEST(Hangs, UntilTheLimitOfTheGateway) {
  ExpectHolds("given large hangs given small replies 200 after 1s " + kAsk +
              "expect attempts(large) == 1 expect elapsed == 11s expect served_by == small");
}

TEST(Wait, MovesTheClock) {
  ExpectHolds("given large replies 500 always given small replies 200 always\n" + kAsk + kAsk +
              "expect breaker(large) == open wait 14s expect breaker(large) == open wait 1s expect breaker(large) == "
              "half_open\n"
              "given large replies 200 " +
              kAsk + "expect served_by == large expect breaker(large) == closed");
}

TEST(Expect, ServedByRouteFallbackAndStatus) {
  ExpectHolds("given large refuses always given small refuses always " + kAsk +
              "expect served_by == sorry expect fallback == sorry expect route == chat expect status in 5xx"
              " expect status in {200, 503} expect status not in {200} expect header[\"X-Nothing\"] == none");
  ExpectHolds(
      "send GET \"/x\" expect route == otherwise expect fallback == none expect status == 404 expect served_by == "
      "not_found");
}

TEST(Expect, SaysWhatItGot) {
  ExpectFails(
      "given large replies 200 after 1s " + kAsk + "expect elapsed < 1s expect status in 4xx expect served_by == small",
      "elapsed < 1s but got 1s\nstatus in 4xx but got 200\nserved_by == small but got large\n");
  ExpectFails(
      "given large replies 200 " + kAsk + "expect metric(\"upstream_retry_totals\") == 0",
      "there is no metric `breakwater_upstream_retry_totals`; did you mean `breakwater_upstream_retry_total`?\n");
}

TEST(Given, MustStandForEachUpstreamThatIsAsked) {
  ExpectFails(kAsk + "expect status == 503",
              "`small` was asked and nothing is given for it: write for example `given small replies 200`\n");
  ExpectFails("given small replies 200 send GET \"/plain\" 2 times expect status == 200",
              "`small` was asked once more than was given: write for example `given small replies 200`\n");
}

TEST(Story, TellsAttemptsRetriesAndTheAnswerInTheirOrder) {
  const Ran ran = RunSentences("given large replies 503 after 200ms always given small replies 200 after 1s\n" + kAsk +
                               "expect status == 404");
  EXPECT_EQ(ran.only().story, (std::vector<std::string>{
                                  "0ms       send POST /api/chat",
                                  "200ms     attempt 1 at large: status 503 after 200ms",
                                  "200ms     retry attempt 1/1 at large, after 503, waits 500ms",
                                  "900ms     attempt 2 at large: status 503 after 200ms",
                                  "900ms     retry denied at large: attempts_exhausted",
                                  "1.9s      attempt 1 at small: status 200 after 1s",
                                  "1.9s      answer: status 200 by small, route chat",
                              }));
  EXPECT_EQ(ran.only().took, 1900ms);
}

TEST(Runner, GivesTheSameEveryTime) {
  const std::string sentences =
      "given large replies 503 always given small replies 200\n" + kAsk + "expect elapsed == 0ms";

  EXPECT_EQ(Report(RunSentences(sentences)), Report(RunSentences(sentences)));
  EXPECT_EQ(RunSentences(sentences).only().story, RunSentences(sentences).only().story);
}

TEST(Runner, AsksHealthChecksWithoutUsingUpWhatWasGiven) {
  std::string policy = kPolicy;
  policy.replace(policy.find("  breaker {"), 0,
                 "  health { path = \"/api/version\"  interval = 1s  timeout = 500ms }\n");
  const Ran ran = RunSentences(
      "given large replies 500 2 times given small replies 200 always\n" + kAsk + kAsk +
          "expect breaker(large) == open given large replies 200 wait 2s expect breaker(large) == half_open\n" + kAsk +
          "expect served_by == large",
      policy);
  EXPECT_EQ(Report(ran), "");
}

std::string CoverageOf(const std::string& sentences) {
  const std::string policy = R"(edition 1
gateway { listen = "127.0.0.1:8080" }
let busy = status == 429
let down = error in {refused, reset}
let unused_by_conditions = "text"
upstream m {
  url         = "http://a:1"
  repeat_safe = true
  retry {
    max_retries = 1
    when busy
    when down or status == 503
    wait = exponential(from: 100ms, factor: 2, cap: 1s)
  }
  breaker { failure when down  open when failures(60s) >= 2  close when successes(60s) >= 1 }
}
cache kept { key = "${request.path} ${unused_by_conditions}"  ttl = 1min  shared = true  store when status == 200 }
route a { when request.path == "/a"  to = m }
route b { when request.path == "/b"  to = m  fallback = [kept] }
)";
  const std::string text = policy + "test \"t\" {\n" + sentences + "\n}\n";
  compiler::diagnostics::Diagnostics diagnostics;
  auto written = compiler::CheckWritten(text, {}, &diagnostics);
  if (!written)
    throw std::runtime_error(compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("t", text), diagnostics));
  auto compiled = compiler::CompileChecked(written->policy, written->hash, &diagnostics);
  if (compiled == nullptr) throw std::runtime_error("no JIT");
  runtime::tester::Coverage coverage(*compiled, written->origins);
  coverage.Watch(compiled.get());
  const runtime::tester::TestRunner runner(std::move(compiled));
  std::string out;
  for (const auto& test : written->tests) {
    for (const auto& failure : runner.Run(test, text).failures)
      out += failure.message + failure.expected + " got " + failure.got + "\n";
  }
  for (const auto& condition : coverage.Conditions())
    out += condition.what + (condition.was_true ? " T" : "") + (condition.was_false ? " F" : "") + "\n";
  return out;
}

TEST(Coverage, TellsEachLineOfARuleAndEachLet) {
  EXPECT_EQ(CoverageOf("given m refuses given m replies 200 send GET \"/b\" expect status == 200"),
            "let busy F\n"
            "let down T F\n"
            "upstream m: retry when F\n"    // busy
            "upstream m: retry when T F\n"  // down, or 503
            "upstream m: failure when T F\n"
            "upstream m: open when F\n"
            "upstream m: close when\n"
            "cache kept: store when T\n"
            "route a: when F\n"  // the index would not have asked it
            "route b: when T\n");
}

TEST(Coverage, SaysNothingOfWhatNoTestAsks) {
  EXPECT_EQ(
      CoverageOf("send GET \"/c\" expect status == 404"),
      "let busy\nlet down\nupstream m: retry when\nupstream m: retry when\nupstream m: failure when\n"
      "upstream m: open when\nupstream m: close when\ncache kept: store when\nroute a: when F\nroute b: when F\n");
}

TEST(Policy, IsTheSameWithItsTestsAsWithout) {
  const Ran ran = RunSentences("given large replies 200 " + kAsk + "expect status == 200");
  compiler::diagnostics::Diagnostics diagnostics;
  EXPECT_EQ(compiler::CheckWritten(kPolicy, {}, &diagnostics)->hash, ran.written.hash);
  EXPECT_NE(compiler::CheckWritten(kPolicy + "# more\n", {}, &diagnostics)->hash, ran.written.hash);
}

// ---- what an upstream got

TEST(Sent, IsTheLastRequestThatTheUpstreamGot) {
  const std::string rewriting = kPolicy + "upstream other { url = \"http://c:1/v1\" header[\"X-Team\"] = \"search\" rewrite = json { \"model\": \"real\" } }\n";
  std::string policy = rewriting;
  policy.replace(policy.find("route plain"), 0, "route rewritten { when request.path == \"/r\" to = other }\n");
  const auto holds = [&](const std::string& sentences) { EXPECT_EQ(Report(RunSentences(sentences, policy)), "") << sentences; };
  holds("given other replies 200 send POST \"/r\" json { \"model\": \"asked\", \"messages\": [] } expect sent(other).json.model == \"real\""
        " expect sent(other).header[\"x-team\"] == \"search\" expect sent(other).method == \"POST\" expect sent(other).body contains \"messages\""
        " expect sent(large).json.model == none expect sent(large).path == none");
  ExpectHolds("given small replies 200 send GET \"/plain?a=b\" expect sent(small).path == \"/plain?a=b\" expect sent(small).header[\"X-No\"] == none");
  ExpectFails("given small replies 200 send GET \"/plain\" expect sent(small).path == \"/other\"", "sent(small).path == \"/other\" but got /plain\n");
}

TEST(Send, SeveralAtATime) {
  // One place: who comes while it is taken waits, or is sent on.
  std::string policy = kPolicy;
  policy.replace(policy.find("breaker { open when failed"), 0, "max_in_flight = 1 ");
  EXPECT_EQ(Report(RunSentences("given large replies 200 after 2s always given small replies 200 after 2s always send POST \"/api/chat\" json { \"messages\": [] } 3 at a time"
                                " expect attempts(large) == 1 expect attempts(small) == 2", policy)), "");
  ExpectHolds("given large replies 200 after 1s always send POST \"/api/chat\" json { \"messages\": [] } 6 times 2 at a time expect attempts(large) == 6 expect elapsed == 1s");
}

TEST(Send, AClientThatLeaves) {
  ExpectHolds("given large replies 200 after 10s send POST \"/api/chat\" json { \"messages\": [] } leaves after 2s expect ended == left expect elapsed == 2s expect status == none");
  ExpectHolds("given large streams 20 tokens every 1s send POST \"/api/chat\" json { \"messages\": [] } leaves after 3500ms expect ended == left expect status == 200 expect body contains \"t3\"");
}

TEST(Streams, FirstTokenAndThinking) {
  ExpectHolds("given large streams 3 tokens every 400ms after 1s " + kAsk + "expect first_token == 1400ms expect elapsed > 2s");
  ExpectHolds("given large streams 2 tokens every 500ms thinking 2 tokens " + kAsk +
              "expect first_token == 1500ms expect body contains \"th1\" expect body contains \"t1\" expect ended == complete");
  ExpectFails("given large streams 2 tokens every 1s " + kAsk + "expect first_token < 1s", "first_token < 1s but got 1s\n");
}

TEST(Streams, ThatFailBeforeContentMoveOn) {
  ExpectHolds("given large streams 0 tokens then fails given small replies 200 " + kAsk + "expect served_by == small expect attempts(large) == 1");
}

TEST(Connections, ThatAreNeverAnswered) {
  ExpectHolds("given large connect_timeout given small replies 200 " + kAsk + "expect served_by == small expect elapsed == 1s");
}

TEST(Names, WithoutAnAddress) {
  ExpectHolds("given large dns_failure given small replies 200 " + kAsk + "expect served_by == small expect attempts(large) == 1");
  ExpectFails("given large dns_failure given small dns_failure " + kAsk + "expect served_by == small", "served_by == small but got sorry\n");
}

TEST(Given, ThatIsNeverUsedIsAnErrorOfTheTest) {
  ExpectFails("given large replies 200 given small replies 503 " + kAsk + "expect status == 200", "this was never used: `small` was not asked again\n");
  ExpectHolds("given large replies 200 3 times " + kAsk + "expect status == 200");
}

TEST(Common, IsGivenInEachTest) {
  const std::string policy = kPolicy + "common { given large replies 503 always given small replies 200 always }\n";
  EXPECT_EQ(Report(RunSentences(kAsk + "expect served_by == small", policy)), "");
  EXPECT_EQ(Report(RunSentences("given large replies 200 " + kAsk + "expect served_by == large", kPolicy + "common { given small replies 200 always }\n")), "");
}

TEST(Metrics, OfUnknownLabelsAreErrors) {
  ExpectFails("given large replies 200 " + kAsk + "expect metric(\"upstream_retry_total\", upstrem: \"large\") == 0",
              "`breakwater_upstream_retry_total` has no label `upstrem`; it has `upstream`\n");
}

// ---- reload ---------------------------------------------------------------------------------------------------------

std::string Replaced(std::string text, const std::string& what, const std::string& with) {
  const size_t at = text.find(what);
  if (at == std::string::npos) throw std::runtime_error(what);
  return text.replace(at, what.size(), with);
}

std::string AfterReload(const std::string& next, const std::string& sentences) {
  return Report(RunSentences(sentences, kPolicy, {{"next.policy", next}}));
}

const std::string kOpened = "given large replies 503 4 times given small replies 200 always\n" + kAsk + kAsk +
                            "expect breaker(large) == open\n";

TEST(Reload, WhatIsKnownGoesOnAndTheNewPolicyIsInForce) {
  const std::string other = Replaced(Replaced(kPolicy, "failed_requests(60s) >= 2", "failed_requests(60s) >= 9"),
                                     "text = \"sorry\"", "text = \"later\"");
  EXPECT_EQ(AfterReload(other, kOpened + "reload \"next.policy\" expect breaker(large) == open\n" + kAsk +
                                   "expect attempts(large) == 4 expect served_by == small"),
            "");
  EXPECT_EQ(AfterReload(other, kOpened + "reload \"next.policy\" wait 16s given large replies 200\n" + kAsk +
                                   "expect served_by == large expect breaker(large) == closed"),
            "");
  EXPECT_EQ(
      AfterReload(other, "given large refuses always given small refuses always " + kAsk +
                             "expect body contains \"sorry\" reload \"next.policy\" " + kAsk + "expect body contains \"later\""),
      "");
  EXPECT_EQ(AfterReload(other, kOpened + "reload \"next.policy\" expect breaker(large) == closed"),
            "breaker(large) == closed but got open\n");
}

// One failure is in the window; by the lowered threshold the next one opens, and the reload itself does not.
TEST(Reload, TripsNothingByItself) {
  const std::string lower = Replaced(kPolicy, "failed_requests(60s) >= 2", "failed_requests(60s) >= 1");
  EXPECT_EQ(AfterReload(lower, "given large replies 503 4 times given small replies 200 always " + kAsk +
                                   "reload \"next.policy\" expect breaker(large) == closed " + kAsk +
                                   "expect breaker(large) == open"),
            "");
}

TEST(Reload, AnotherServerBeginsAnewAndAnswersAsItIsGiven) {
  const std::string moved = Replaced(kPolicy, "upstream large {\n  url         = \"http://ollama:11434\"",
                                     "upstream large {\n  url         = \"http://spare:8000\"");
  EXPECT_EQ(
      AfterReload(moved, kOpened + "reload \"next.policy\" expect breaker(large) == closed given large replies 200 " +
                             kAsk + "expect served_by == large"),
      "");
}

TEST(Reload, CachesKeepWhatTheyHaveWhereTheirKeyIsTheSame) {
  const std::string cache = "cache kept { key = \"k ${request.path}\"  ttl = 1h  shared = true }\n";
  const std::string with = Replaced(Replaced(kPolicy, "reply sorry", cache + "reply sorry"), "to = [small] }",
                                    "to = [small]  cache = kept }");
  const std::string asks =
      "given small replies 200 send GET \"/plain/x\" expect served_by == small reload \"next.policy\" ";
  EXPECT_EQ(Report(RunSentences(asks + "send GET \"/plain/x\" expect served_by == kept", with,
                                {{"next.policy", Replaced(with, "ttl = 1h", "ttl = 2h")}})),
            "");
  EXPECT_EQ(Report(RunSentences(asks + "given small replies 200 send GET \"/plain/x\" expect served_by == small", with,
                                {{"next.policy", Replaced(with, "k ${request.path}", "l ${request.path}")}})),
            "");
}

TEST(Reload, WhatAGatewayWouldRefuseFailsTheTest) {
  const std::string refused = "the gateway would refuse this reload and go on as it was: ";
  EXPECT_EQ(AfterReload(Replaced(kPolicy, "gateway {", "gateway { workers = 3 "), "reload \"next.policy\" " + kOpened),
            refused + "`workers` can't change while the gateway runs; restart it, or write it as it was\n");
  EXPECT_EQ(AfterReload(Replaced(kPolicy, "[large, small]", "[large, nobody]"), "reload \"next.policy\" " + kOpened)
                .substr(0, refused.size()),
            refused);
}

TEST(Reload, WhatOnlyTheNextPolicyHasIsSaid) {
  const std::string more =
      Replaced(kPolicy, "to = [small] }", "to = [third] }") + "upstream third { url = \"http://third\" }\n";
  EXPECT_EQ(AfterReload(more, "reload \"next.policy\" send GET \"/plain/x\" expect status == 200"),
            "`third` is in the policy that was reloaded only, and a test gives answers to the upstreams of its own "
            "file: write it there, too\n");
  const std::string without =
      Replaced(kPolicy, "  breaker { open when failed_requests(60s) >= 2  open_for = 15s }\n", "");
  EXPECT_EQ(AfterReload(without,
                        "given large replies 200 " + kAsk + "reload \"next.policy\" expect breaker(large) == closed"),
            "it has no breaker in the policy that is in force since the reload\n");
}

}  // namespace
