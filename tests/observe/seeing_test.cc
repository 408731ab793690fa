// What can be seen of requests and breakers while they happen, on a simulated network: members of the log, the line of the policy that
// decided, lines for people, exemplars, the state that the live page shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "compiler/compile.h"
#include "runtime/net/sim/sim_peer.h"
#include "runtime/proxy/live_page.h"
#include "runtime/proxy/live_state.h"
#include "runtime/tester/sim_world.h"

namespace tests {
namespace {

using Json = nlohmann::json;
using runtime::sim::SimPeer;
using runtime::sim::SimServer;

constexpr const char* kPolicy = R"(edition 1
gateway { listen = "10.9.9.9:8080"  admin = off }
upstream main {
  url = "http://10.0.0.1:80"
  repeat_safe = true
  attempt_timeout = 2s
  timeouts { idle = 300ms }
  retry {
    max_retries = 1
    when status == 500
    wait   = exponential(from: 50ms, factor: 1, cap: 50ms)
    budget = 10%
  }
  breaker {
    open when failed_requests(60s) >= 3
    open_for = 10s
  }
}
upstream model {
  url = "http://model.example:80"
}
route late   { when request.path == "/late"  to = main  deadline = 500ms  fallback = [sorry] }
route chats  { when request.path == "/api/chat"  to = model }
route broken { when request.path == "/broken"  to = main }
route all {
  when request.method == GET
  to       = main
  fallback = [sorry]
}
route rest { reply = nope }
reply sorry { status = 503  text = "Busy." }
reply nope  { status = 404  text = "No." }
)";

std::string PlaceOf(const std::string& line) {
  const std::string text = kPolicy;
  const auto at = static_cast<std::ptrdiff_t>(text.find(line));
  return "policy:" + std::to_string(1 + std::count(text.begin(), text.begin() + at, '\n'));
}

class SeeingTest : public testing::Test {
 protected:
  explicit SeeingTest(bool for_people = false) {
    compiler::diagnostics::Diagnostics diagnostics;
    compiler::CompileOptions compile;
    compile.without_checks = {
#define CHECK(code, Function) code,
#include "compiler/analysis/checks.def"
#undef CHECK
    };
    auto compiled = compiler::CompileInterpreted(kPolicy, compile, &diagnostics);
    for (const auto& item : diagnostics.items()) ADD_FAILURE() << item.message;
    runtime::sim::SimWorldOptions options;
    options.role = runtime::proxy::ListenerRole::kTraffic;
    options.access = [this](std::string_view line) { lines.emplace_back(line); };
    options.events = [this](std::string_view line) { events.push_back(Json::parse(line)); };
    options.access_is_for_people = for_people;
    world = std::make_unique<runtime::sim::SimWorld>(compiled, std::move(options));
    const auto serve = [this](SimPeer& peer) {
      const size_t end = peer.received.find("\r\n\r\n");
      if (end == std::string::npos) return;
      peer.received.clear();
      peer.Send(answer);
    };
    main = std::make_unique<SimServer>(&world->network, "10.0.0.1", 80, serve);
    model = std::make_unique<SimServer>(&world->network, "10.0.0.7", 80, serve);
    world->network.SetName("model.example", {"10.0.0.7"});
  }

  static std::string Answer(int status, const std::string& body, const std::string& type = "text/plain") {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + type +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
  }
  // The line of the log.
  std::string Ask(const std::string& request, const std::string& body = "", const std::string& headers = "") {
    auto client = world->NewClient();
    client->Send(request + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n" + headers +
                 "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    const size_t before = lines.size();
    EXPECT_TRUE(world->network.RunUntil([&] { return lines.size() > before && client->ended; }));
    clients.push_back(std::move(client));
    return lines.back();
  }
  double Metric(const std::string& series) const {
    const std::string page = world->state->metrics.Expose(world->network.now(), 0);
    const size_t at = page.find("\nbreakwater_" + series + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(page.find(' ', at + series.size()) + 1));
  }
  const std::string kChatAnswer =
      Answer(200, R"({"model":"m","message":{"role":"assistant","content":"Hello"},"done":true})", "application/json");
  Json State() { return Json::parse(runtime::proxy::LiveState(world->worker->context()).body); }

  std::vector<std::string> lines;
  std::vector<Json> events;
  std::string answer = Answer(200, "well");
  std::unique_ptr<runtime::sim::SimWorld> world;
  std::unique_ptr<SimServer> main;
  std::unique_ptr<SimServer> model;
  std::vector<std::unique_ptr<SimPeer>> clients;
};

class SeeingByPeopleTest : public SeeingTest {
 protected:
  SeeingByPeopleTest() : SeeingTest(true) {}
};

// ---- The log ---------------------------------------------------------------------------------------------------------

TEST_F(SeeingTest, AnAttemptTellsItsTimesItsClassAndWhatCameOfIt) {
  answer = Answer(500, "oops");
  const Json line = Json::parse(Ask("GET /x"));
  ASSERT_EQ(line["attempts"].size(), 2U) << line;
  const Json& first = line["attempts"][0];
  const Json& second = line["attempts"][1];
  EXPECT_EQ(first["class"], "failure");
  EXPECT_EQ(first["retry_ms"], 50.0);
  EXPECT_FALSE(first.contains("retry_denied"));
  EXPECT_GT(first["head_ms"].get<double>(), 0);
  EXPECT_LT(first["at_ms"].get<double>(), 1);
  EXPECT_NEAR(second["at_ms"].get<double>(), first["at_ms"].get<double>() + first["ms"].get<double>() + 50, 0.01);
  EXPECT_EQ(second["retry_denied"], "attempts_exhausted");
  EXPECT_EQ(line["retry_denied"], "attempts_exhausted");
  EXPECT_EQ(line["decided"], PlaceOf("max_retries"));
  EXPECT_EQ(line["trace_id"], line["request_id"]) << "the id of the gateway's own is the trace's";
  EXPECT_TRUE(line["time"].get<std::string>().size() == std::string("2026-01-28T09:45:22.123456Z").size())
      << line["time"];
}

// The limit begins with the first bytes, and is due before attempt_timeout: found by recomputing decisions.
TEST_F(SeeingTest, APlainAnswerThatStandsStillIsGivenUpAfterIdle) {
  answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nhalf";
  const Json line = Json::parse(Ask("GET /x"));
  EXPECT_EQ(line["attempts"][0]["error"], "idle_timeout");
  EXPECT_NEAR(line["attempts"][0]["ms"].get<double>(), 300, 5);
  EXPECT_EQ(line["how"], "cut");
}

TEST_F(SeeingTest, WhatIsWellSaysNoMoreThanThat) {
  const Json line =
      Json::parse(Ask("GET /x", "", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"));
  EXPECT_EQ(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
  for (const char* member : {"decided", "retry_denied", "fallback", "fallback_reason", "model"})
    EXPECT_FALSE(line.contains(member)) << member;
  for (const char* member : {"class", "detail", "address", "retry_ms"})
    EXPECT_FALSE(line["attempts"][0].contains(member)) << member;
  EXPECT_GT(line["attempts"][0]["first_token_ms"].get<double>(), 0);
  EXPECT_GE(line["first_token_ms"].get<double>(), line["attempts"][0]["first_token_ms"].get<double>());
}

TEST_F(SeeingTest, TheLineThatDecidedIsNamed) {
  EXPECT_EQ(Json::parse(Ask("POST /nowhere"))["decided"], PlaceOf("route rest"));
  answer = Answer(404, "none");
  EXPECT_FALSE(Json::parse(Ask("GET /x")).contains("decided")) << "an answer of the upstream";
  answer.clear();  // it never answers
  EXPECT_EQ(Json::parse(Ask("GET /late"))["decided"], PlaceOf("route late")) << "deadline stands there";
  answer = Answer(501, "not me");
  world->network.SetRoute("10.0.0.1", 80, runtime::sim::SimNetwork::Route::kRefused);
  EXPECT_EQ(Json::parse(Ask("GET /x"))["decided"], PlaceOf("fallback = [sorry]\n"))
      << "refused is nothing that the policy retries";
  EXPECT_EQ(Json::parse(Ask("GET /broken"))["decided"], PlaceOf("route broken"));
  Ask("GET /x");
  const Json open = Json::parse(Ask("GET /x"));
  EXPECT_EQ(open["fallback_reason"], "breaker_open");
  EXPECT_EQ(open["decided"], PlaceOf("open when"));
}

TEST_F(SeeingTest, WhatTheUpstreamSaysOfItsFailureAndOfItsModelIsInTheLine) {
  answer = Answer(
      200, R"({"model":"llama3:8b","message":{"role":"assistant","content":"hello"},"done":true,"done_reason":"stop"})",
      "application/json");
  Json line = Json::parse(Ask("POST /api/chat", R"({"model":"llama3","stream":false,"messages":[]})",
                              "Content-Type: application/json\r\n"));
  EXPECT_EQ(line["model"], "llama3");
  EXPECT_EQ(line["model_answered"], "llama3:8b");
  EXPECT_EQ(line["attempts"][0]["address"], "10.0.0.7:80");
  answer = Answer(200, "{\"error\":\"CUDA error: <out of memory>\"}\n", "application/x-ndjson");
  line =
      Json::parse(Ask("POST /api/chat", R"({"model":"llama3","messages":[]})", "Content-Type: application/json\r\n"));
  EXPECT_EQ(line["attempts"][0]["error"], "stream_error");
  EXPECT_EQ(line["attempts"][0]["detail"], "CUDA error: <out of memory>");
  answer = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n";
  line = Json::parse(Ask("GET /x"));
  EXPECT_EQ(line["attempts"][0]["error"], "bad_response");
  EXPECT_FALSE(line["attempts"][0]["detail"].get<std::string>().empty());
}

TEST_F(SeeingByPeopleTest, ALineIsReadableAndMovesNoCursor) {
  answer = Answer(500, "oops");
  const std::string line = Ask("GET /x%1b%5b2J");
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_NE(line.find("  503  GET /x"), std::string::npos) << line;
  EXPECT_NE(line.find("sorry, because of status_500 (" + PlaceOf("max_retries") + ")"), std::string::npos) << line;
  EXPECT_NE(line.find("main: 500 after"), std::string::npos) << line;
  EXPECT_NE(line.find("no retry: attempts_exhausted"), std::string::npos) << line;
  answer = Answer(200, "well");
  const std::string well = Ask("GET /y");
  EXPECT_NE(well.find("  200  GET /y  "), std::string::npos) << well;
  EXPECT_EQ(well.find("main: "), std::string::npos) << "one attempt that answered says nothing more: " << well;
}

// ---- Metrics ---------------------------------------------------------------------------------------------------------

TEST_F(SeeingTest, OpenMetricsShowTheTraceOfARequestInItsBucketAndTextDoesNot) {
  answer = kChatAnswer;
  const Json line = Json::parse(Ask("POST /api/chat", "{}"));
  const auto& metrics = world->state->metrics;
  using runtime::observe::MetricsFormat;
  const std::string open = metrics.Expose(world->network.now(), 0, MetricsFormat::kOpenMetrics);
  const std::string exemplar = " # {trace_id=\"" + line["trace_id"].get<std::string>() + "\"} ";
  for (const char* metric :
       {"breakwater_first_token_seconds_bucket{upstream=\"model\",", "breakwater_client_first_token_seconds_bucket{",
        "breakwater_request_duration_seconds_bucket{"}) {
    size_t at = open.find(metric);
    bool is_shown = false;
    for (; at != std::string::npos && !is_shown; at = open.find(metric, at + 1)) {
      const std::string sample = open.substr(at, open.find('\n', at) - at);
      is_shown = sample.find(exemplar) != std::string::npos && sample.find("} 1 # ") != std::string::npos;
    }
    EXPECT_TRUE(is_shown) << metric;
  }
  EXPECT_EQ(metrics.Expose(world->network.now(), 0, MetricsFormat::kText).find("trace_id"), std::string::npos);
}

TEST_F(SeeingTest, HowLongPeopleWaitForAModelIsToldByAnswersOfModelsAlone) {
  const auto counted = [this] {
    std::vector<double> counts;
    for (const char* series : {"first_token_seconds_count{upstream=\"model\"}",
                               "first_token_seconds_count{upstream=\"main\"}", "client_first_token_seconds_count"}) {
      counts.push_back(Metric(series));
    }
    return counts;
  };
  Ask("GET /api/tags");  // as clients do all the time
  answer = Answer(404, R"({"error":"no such model"})", "application/json");
  Ask("POST /api/chat", "{}");
  EXPECT_EQ(counted(), std::vector<double>({0, 0, 0}));
  answer = kChatAnswer;
  Ask("POST /api/chat", "{}");
  EXPECT_EQ(counted(), std::vector<double>({1, 0, 1}));
}

// A retry is decided at the head; why the server failed is known all the same, where it came together with it.
TEST_F(SeeingTest, TheWordsOfAServerThatFailsAreToldAndThoseAboutARequestAreNot) {
  answer = Answer(500, R"({"error":"cudaMalloc failed: out of memory"})", "application/json");
  const Json failed = Json::parse(Ask("POST /api/chat", "{}"));
  EXPECT_EQ(failed["attempts"][0]["detail"], "cudaMalloc failed: out of memory") << failed;
  answer = Answer(400, R"({"error":"invalid message: my secret"})", "application/json");
  EXPECT_EQ(Ask("POST /api/chat", "{}").find("secret"), std::string::npos);
}

// What a client got that is no upstream's answer is not counted as one that ended well.
TEST_F(SeeingTest, HowAnAnswerEndedTellsTheGatewaysOwnApart) {
  const auto how = [this](const std::string& request) { return Json::parse(Ask(request))["how"].get<std::string>(); };
  EXPECT_EQ(how("GET /x"), "complete");
  answer = Answer(404, "none");
  EXPECT_EQ(how("GET /x"), "complete") << "an upstream's error is its answer";
  EXPECT_EQ(how("POST /nowhere"), "own") << "a reply of the policy";
  world->network.SetRoute("10.0.0.1", 80, runtime::sim::SimNetwork::Route::kRefused);
  EXPECT_EQ(how("GET /x"), "own") << "a fallback";
  EXPECT_EQ(how("GET /broken"), "own") << "an error of the gateway";
  EXPECT_EQ(Metric("stream_end_total{how=\"complete\"}"), 2);
  EXPECT_EQ(Metric("stream_end_total{how=\"own\"}"), 3);
}

TEST_F(SeeingTest, AnAttemptThatItsClientDidNotWaitForIsCancelled) {
  answer.clear();
  {
    auto client = world->NewClient();
    client->Send("GET /x HTTP/1.1\r\nHost: gateway\r\n\r\n");
    world->network.RunFor(std::chrono::milliseconds(100));
    client->stream->Reset();
    ASSERT_TRUE(world->network.RunUntil([this] { return !lines.empty(); }));
  }
  const Json line = Json::parse(lines.back());
  EXPECT_EQ(line["status"], 499);
  EXPECT_EQ(line["how"], "client_gone");
  EXPECT_EQ(line["attempts"][0]["error"], "cancelled");
  EXPECT_EQ(Metric("upstream_attempts_total{upstream=\"main\",outcome=\"cancelled\"}"), 1);
}

// ---- The live page ---------------------------------------------------------------------------------------------------

TEST_F(SeeingTest, TheStateTellsWhyABreakerOpenedUntilWhenAndWhatUsersGet) {
  Json state = State();
  EXPECT_EQ(state["upstreams"][0]["breaker"]["state"], "CLOSED");
  EXPECT_FALSE(state["upstreams"][0]["breaker"].contains("opening"));
  EXPECT_EQ(state["upstreams"][0]["breaker"]["threshold"], 3);
  EXPECT_EQ(state["upstreams"][0]["budget"]["left"], 10.0);
  EXPECT_FALSE(state["upstreams"][1].contains("breaker"));
  EXPECT_TRUE(state["answers"].empty());
  EXPECT_TRUE(state["troubles"].empty());

  answer = Answer(500, "oops");
  for (int i = 0; i < 3; ++i) {
    Ask("GET /x" + std::to_string(i));
    world->network.RunFor(std::chrono::milliseconds(300));
  }
  const Json last = Json::parse(lines.back());
  state = State();
  const Json& breaker = state["upstreams"][0]["breaker"];
  EXPECT_EQ(breaker["state"], "OPEN");
  EXPECT_EQ(breaker["opening"]["line"], "open when failed_requests(60s) >= 3");
  EXPECT_EQ(breaker["opening"]["place"], PlaceOf("open when"));
  EXPECT_EQ(breaker["opening"]["counts"], Json({{"failed_requests(1min)", 3}}));
  EXPECT_EQ(breaker["opening"]["last_error"], "500");
  EXPECT_EQ(breaker["opening"]["request_id"], last["request_id"]);
  EXPECT_EQ(breaker["opening"]["until"], breaker["retry_at"]);
  const Json instead = state["upstreams"][0]["instead"];
  ASSERT_EQ(instead.size(), 3U);
  EXPECT_EQ(instead[1], Json({{"route", "broken"}, {"then", {{{"kind", "error"}}}}}));
  EXPECT_EQ(instead[2]["then"], Json({{{"kind", "reply"}, {"name", "sorry"}, {"status", 503}, {"text", "Busy."}}}));
  EXPECT_EQ(instead[2]["place"], PlaceOf("fallback = [sorry]\n"));
  EXPECT_EQ(instead[2]["line"], "fallback = [sorry]");
  EXPECT_EQ(state["answers"], Json({{{"route", "all"}, {"status", "503"}, {"served_by", "sorry"}, {"count", 3}}}));
  ASSERT_EQ(state["troubles"].size(), 3U);
  EXPECT_EQ(state["troubles"][2], last) << "as the access log has it";
  EXPECT_EQ(state["lines"], Json({{PlaceOf("max_retries"), "max_retries = 1"}})) << "of the places that decided";

  // Whose breaker it was is told where nothing was tried, too.
  const Json rejected = Json::parse(Ask("GET /x"));
  EXPECT_TRUE(rejected["attempts"].empty());
  EXPECT_EQ(rejected["upstream"], "main");
  world->state->objects.SetDrained(compiler::model::UpstreamId(1), true);
  answer = kChatAnswer;
  state = State();
  EXPECT_EQ(state["upstreams"][0]["outcomes"], Json({{"500", 6}, {"breaker_open", 1}}));
  EXPECT_EQ(state["lines"], Json({{PlaceOf("max_retries"), "max_retries = 1"},
                                  {PlaceOf("open when"), "open when failed_requests(60s) >= 3"}}));
  EXPECT_FALSE(state["upstreams"][0].contains("is_drained"));
  EXPECT_FALSE(state["upstreams"][1].contains("outcomes"));
  EXPECT_EQ(state["upstreams"][1]["is_drained"], true);
  world->state->objects.SetDrained(compiler::model::UpstreamId(1), false);
  Ask("POST /api/chat", "{}");
  state = State();
  EXPECT_EQ(state["upstreams"][1]["outcomes"], Json({{"200", 1}}));
  EXPECT_EQ(state["upstreams"][1]["first_token"]["count"], 1);
}

TEST_F(SeeingTest, OfManyTroublesAtTheSameTimeAFewAreKept) {
  world->network.SetRoute("10.0.0.1", 80, runtime::sim::SimNetwork::Route::kRefused);
  const auto began = world->network.now();
  for (int i = 0; i < 400; ++i) Ask("GET /x");
  const auto took = world->network.now() - began;
  const Json troubles = State()["troubles"];
  const auto refused = static_cast<size_t>(
      std::count_if(troubles.begin(), troubles.end(), [](const Json& line) { return line["attempts"].empty(); }));
  // Those that were tried and those that nothing was tried for don't take each other's places.
  for (const size_t kept : {refused, troubles.size() - refused}) {
    EXPECT_LE(kept, static_cast<size_t>(took / std::chrono::milliseconds(50)) + 1);
    EXPECT_LE(kept, 50U);
  }
  EXPECT_GT(troubles.size(), refused);
  EXPECT_TRUE(std::is_sorted(troubles.begin(), troubles.end(),
                             [](const Json& a, const Json& b) { return a["time"] < b["time"]; }));
}

TEST(LivePage, IsServedWithAStrictPolicyAndHasNothingFromElsewhere) {
  runtime::http::RequestHead head;
  head.method = compiler::abi::Method::kGET;
  for (const char* path : {"/", "/live.css", "/live.js", "/live.svg"}) {
    const auto answer = runtime::proxy::AnswerLivePage(head, path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 200);
    EXPECT_GT(answer->body.size(), 100U);
    std::string policy;
    for (const auto& [name, value] : answer->headers) {
      if (name == "Content-Security-Policy") policy = value;
    }
    EXPECT_TRUE(policy.starts_with("default-src 'none'; script-src 'self';")) << policy;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    for (const char* word : {"https://", "innerHTML", "insertAdjacentHTML", "document.write", "eval("}) {
      EXPECT_EQ(answer->body.find(word), std::string::npos) << path << " has " << word;
    }
  }
  EXPECT_FALSE(runtime::proxy::AnswerLivePage(head, "/other"));
  head.method = compiler::abi::Method::kPOST;
  EXPECT_EQ(runtime::proxy::AnswerLivePage(head, "/")->status, 405);
}

}  // namespace
}  // namespace tests
