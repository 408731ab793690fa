// keep_alive of a route: what a waiting client of a stream is sent, and what it is told when nobody can answer after all. On a
// simulated network and a virtual clock.
#include <algorithm>
#include <cstdlib>

#include "tests/runtime/proxy/stream_scene.h"

namespace tests {
namespace {

using Fault = ServerPlan::Fault;

const SpokenDialect* const kDialects[] = {&kOllama, &kOpenAi, &kAnthropic};
const std::string kComment = ": keep-alive\n\n";

class KeepAliveTest : public testing::Test {
 protected:
  void Begin(const std::string& upstream, const std::string& route = "", const std::string& more = "") {
    server.reset();
    gateway = std::make_unique<SimGateway>("upstream main {\n  url = \"http://10.0.0.1:11434\"\n  " + upstream +
                                           "\n}\nroute all { to = main  keep_alive = 2s  " + route + " }\n" + more);
    const auto serve = Serving(&plan);
    server = std::make_unique<SimServer>(&gateway->network, "10.0.0.1", 11434, [this, serve](SimPeer& peer) {
      if (!silent) serve(peer);
    });
  }
  // Asks, and lets the server begin its answer only after `silence`.
  Received AskAfter(Duration silence, const std::string& request, const SpokenDialect& dialect) {
    silent = true;
    auto client = gateway->NewClient();
    client->Send(request);
    gateway->network.RunFor(silence);
    silent = false;
    for (const auto& peer : server->peers) peer->on_data(*peer);  // it may have come on a connection of before
    EXPECT_TRUE(gateway->network.RunUntil([&] { return client->ended; }));
    return ReadAsClient(dialect, client->received, client->was_reset);
  }
  uint64_t Metric(const std::string& series) {
    const std::string page = gateway->state->metrics.Expose(gateway->transport.Now(), 0);
    const size_t at = page.find("\n" + series + " ");
    return at == std::string::npos ? 0 : std::strtoull(page.c_str() + at + series.size() + 2, nullptr, 10);
  }

  ServerPlan plan;
  bool silent = false;
  std::unique_ptr<SimGateway> gateway;
  std::unique_ptr<SimServer> server;
};

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++count;
  return count;
}

TEST_F(KeepAliveTest, ClientsReadTheAnswerAsIfNothingHadBeenSent) {
  Begin("");
  for (const SpokenDialect* dialect : kDialects) {
    plan = {200, dialect->content_type, dialect->begin + dialect->text("4") + dialect->end};
    const Received received = AskAfter(7s, StreamRequest(*dialect), *dialect);
    EXPECT_EQ(received.text, "4");
    EXPECT_TRUE(received.is_taken_for_complete(*dialect)) << received.body;
    EXPECT_TRUE(received.http_ended);
    EXPECT_EQ(received.ends, 1);
    EXPECT_NE(received.head.find("Content-Type: " + dialect->content_type), std::string::npos) << received.head;
    EXPECT_NE(received.head.find("X-Request-Id: "), std::string::npos);
    if (dialect == &kOllama) {
      EXPECT_TRUE(received.body.starts_with("   {")) << received.body;
    } else {
      EXPECT_EQ(Count(received.body, kComment), 3u) << received.body;
    }
  }
  EXPECT_EQ(Metric("breakwater_keep_alive_total{route=\"all\"}"), 9u);
  EXPECT_EQ(Metric("breakwater_late_failures_total{route=\"all\"}"), 0u);
}

TEST_F(KeepAliveTest, AnAnswerThatComesInTimeHasItsOwnHead) {
  Begin("");
  plan = {200, kOpenAi.content_type, kOpenAi.begin + kOpenAi.text("4") + kOpenAi.end};
  const Received received = AskAfter(1s, StreamRequest(kOpenAi), kOpenAi);
  EXPECT_EQ(Count(received.body, kComment), 0u);
  EXPECT_NE(received.head.find("Via: "), std::string::npos) << received.head;
  plan = {404, "application/json", "{\"error\":{\"message\":\"no such model\"}}"};
  EXPECT_EQ(AskAfter(1s, StreamRequest(kOpenAi), kOpenAi).status, 404);
}

TEST_F(KeepAliveTest, WhatFailsAfterwardsIsAnErrorInsideTheStream) {
  struct Failure {
    std::string upstream;
    std::string route;
    ServerPlan plan;
    std::string says;
    std::string reason;
    std::string more = "";
  };
  const std::string text = "reply down { status = 503  text = \"All models are down.\" }\n";
  const std::string object = "reply down { status = 503  body = json { \"error\": { \"message\": \"the policy says no\" } } }\n";
  for (const SpokenDialect* dialect : kDialects) {
    const std::string& type = dialect->content_type;
    const Failure failures[] = {
        {"timeouts { first_token = 5s }", "", {}, "did not begin its answer in time", "first_token_timeout"},
        {"", "deadline = 5s", {}, "within its deadline", "deadline"},
        {"", "", {404, "application/json", "{ \"error\": \"no such model\" }"}, "no such model", "status_404"},
        {"", "", {500, "text/html", "<h1>Oops</h1>"}, "status 500", "status_500"},
        {"", "", {200, "text/plain", "Hello"}, "no valid answer", "bad_response"},
        {"", "", {200, type, dialect->begin, Fault::kReset, dialect->begin.size()}, "cut its answer off", "truncated"},
        {"", "fallback = [down]", {503, type, ""}, "All models are down.", "status_503", text},
        {"", "fallback = [down]", {503, type, ""}, "says no", "status_503", object},
    };
    for (const Failure& failure : failures) {
      Begin(failure.upstream, failure.route, failure.more);
      plan = failure.plan;
      const Received received = AskAfter(plan.content_type.empty() ? Duration(10s) : Duration(3s), StreamRequest(*dialect), *dialect);
      EXPECT_EQ(received.status, 200);
      EXPECT_TRUE(received.saw_error) << received.body;
      EXPECT_FALSE(received.is_taken_for_complete(*dialect)) << received.body;
      EXPECT_FALSE(received.http_ended) << "HTTP alone shows it, too";
      EXPECT_NE(received.body.find(failure.says), std::string::npos) << failure.says << "\n" << received.body;
      EXPECT_EQ(Metric("breakwater_late_failures_total{route=\"all\",reason=\"" + failure.reason + "\"}"), 1u)
          << dialect->path << " " << failure.reason;
      EXPECT_EQ(gateway->worker->connections(), 0u);
    }
  }
}

TEST_F(KeepAliveTest, AFallbackThatHasAStreamToGiveIsAWholeAnswer) {
  Begin("timeouts { first_token = 5s }", "fallback = [sorry]", "reply sorry { status = 200  text = \"Later.\" }\n");
  for (const SpokenDialect* dialect : kDialects) {
    const Received received = AskAfter(10s, StreamRequest(*dialect), *dialect);
    EXPECT_EQ(received.text, "Later.");
    EXPECT_TRUE(received.is_taken_for_complete(*dialect)) << received.body;
    EXPECT_TRUE(received.http_ended);
  }
}

TEST_F(KeepAliveTest, OnlyStreamsAreKeptAlive) {
  Begin("timeouts { total = 5s }");
  const Received object = AskAfter(10s, StreamRequest(kOllama, "{\"model\":\"m\",\"stream\":false}"), kOllama);
  EXPECT_EQ(object.status, 504);
  EXPECT_EQ(Metric("breakwater_keep_alive_total{route=\"all\"}"), 0u);
}

// nginx asks so by default, and gives up on who is silent for a minute.
TEST_F(KeepAliveTest, ClientsOfTheOldVersionAreKeptAliveToo) {
  const auto old = [](const SpokenDialect& dialect) {
    std::string request = StreamRequest(dialect);
    return request.replace(request.find("HTTP/1.1"), 8, "HTTP/1.0");
  };
  Begin("timeouts { first_token = 30s }");
  for (const SpokenDialect* dialect : kDialects) {
    plan = {200, dialect->content_type, dialect->begin + dialect->text("4") + dialect->end};
    const Received whole = AskAfter(10s, old(*dialect), *dialect);
    EXPECT_EQ(whole.text, "4");
    EXPECT_EQ(whole.head.find("Transfer-Encoding"), std::string::npos) << whole.head;
    EXPECT_TRUE(whole.is_taken_for_complete(*dialect)) << whole.body;
  }
  EXPECT_GT(Metric("breakwater_keep_alive_total{route=\"all\"}"), 0u);
  Begin("timeouts { first_token = 5s }");
  for (const SpokenDialect* dialect : kDialects) {
    const Received late = AskAfter(10s, old(*dialect), *dialect);
    EXPECT_EQ(late.status, 200);
    EXPECT_TRUE(late.saw_error) << late.body;
    EXPECT_FALSE(late.is_taken_for_complete(*dialect)) << late.body;
    EXPECT_NE(late.body.find("did not begin its answer in time"), std::string::npos) << late.body;
  }
}

TEST_F(KeepAliveTest, AClientThatLeavesMeanwhileStopsTheUpstream) {
  Begin("");
  silent = true;
  auto client = gateway->NewClient();
  client->Send(StreamRequest(kOpenAi));
  gateway->network.RunFor(5s);
  EXPECT_NE(client->received.find(kComment), std::string::npos);
  client->stream->Reset();
  gateway->network.RunFor(50ms);
  ASSERT_EQ(server->peers.size(), 1u);
  EXPECT_TRUE(server->peers[0]->ended);
}

}  // namespace
}  // namespace tests
