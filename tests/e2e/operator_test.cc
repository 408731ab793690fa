// What operators look at: health pages, metrics by their names, the access log.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

TEST(Health, PagesAnswerAndUnknownNamesAreJson404s) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "breaker { open when failures(60s) >= 5 }") +
                         Upstream("without", upstream.url()) + "route all { to = main }\n");
  EXPECT_EQ(Get(gateway.admin_port(), "/health/live").status, 200);
  EXPECT_EQ(Get(gateway.admin_port(), "/health/ready").status, 200);
  const Json health = gateway.Health("main");
  EXPECT_EQ(health["state"], "CLOSED");
  EXPECT_EQ(health["last_failure_time"], nullptr);
  EXPECT_EQ(health["probes_in_flight"], 0);
  for (const char* name : {"nosuch", "without", ""}) {
    const Answer unknown = Get(gateway.admin_port(), std::string("/health/circuit-breaker/") + name);
    EXPECT_EQ(unknown.status, 404) << name;
    EXPECT_EQ(unknown.header("content-type"), "application/json");
    EXPECT_TRUE(unknown.json()["error"].is_string());
  }
  EXPECT_EQ(Post(gateway.admin_port(), "/health/live", "{}").status, 405);
  EXPECT_EQ(upstream.request_count(), 0);
}

TEST(Health, IsReadOnlyBesideTheTrafficAndAloneOnAnAddressOfItsOwn) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess apart(support::ReplaceAll(Gateway(), "admin = \"127.0.0.1:0\"", "admin = \"localhost:0\"") +
                       Upstream("main", upstream.url()));
  ASSERT_NE(apart.admin_port(), apart.port());
  EXPECT_EQ(Get(apart.admin_port(), "/api/tags").status, 404) << "no traffic on the admin address";
  EXPECT_EQ(Get(apart.port(), "/health/live").body, kOllamaAnswer) << "a path like others where there is only traffic";
  GatewayProcess off(support::ReplaceAll(Gateway(), "admin = \"127.0.0.1:0\"", "admin = off") +
                     Upstream("main", upstream.url()));
  EXPECT_EQ(Get(off.port(), "/metrics").body, kOllamaAnswer);
}

// The text format of Prometheus: each sample under the HELP and TYPE of its metric, every name with the prefix.
TEST(Metrics, HaveTheirFoundingNamesAndThePrefixOfThePolicy) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(FoundingPolicy(upstream.url()));
  Post(gateway.port(), "/api/chat", Chat("x"));
  const Answer page = Get(gateway.admin_port(), "/metrics");
  EXPECT_TRUE(page.header("content-type").starts_with("text/plain; version=0.0.4"));
  std::set<std::string> typed;
  std::istringstream lines(page.body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      typed.insert(line.substr(7, line.find(' ', 7) - 7));
    } else if (!line.starts_with("#") && !line.starts_with("process_")) {
      ASSERT_TRUE(line.starts_with("clawdbot_")) << line;
      std::string name = line.substr(0, line.find_first_of("{ "));
      for (const char* suffix : {"_bucket", "_sum", "_count"}) {
        if (!typed.contains(name) && name.ends_with(suffix)) name.resize(name.size() - std::string(suffix).size());
      }
      EXPECT_TRUE(typed.contains(name)) << line;
      EXPECT_NO_THROW(static_cast<void>(std::stod(line.substr(line.rfind(' ') + 1)))) << line;
    }
  }
  EXPECT_EQ(gateway.Metric("clawdbot_circuit_breaker_open_total{service=\"ollama_qwen3_32b\"}"), 0);
  EXPECT_EQ(gateway.Metric("clawdbot_upstream_retry_total{upstream=\"ollama_qwen3_32b\"}"), 0);
  EXPECT_EQ(gateway.Metric("clawdbot_fallback_response_total{fallback=\"static_response\"}"), 0);
  EXPECT_EQ(gateway.Metric("clawdbot_upstream_latency_seconds_bucket{upstream=\"ollama_qwen3_32b\",le=\"5.0\"}"), 1);
  EXPECT_EQ(gateway.Metric("clawdbot_upstream_latency_seconds_count{upstream=\"ollama_qwen3_32b\"}"), 1);
  EXPECT_EQ(gateway.Metric("clawdbot_breaker_state{upstream=\"ollama_qwen3_32b\"}"), 0);
  EXPECT_EQ(gateway.Metric("clawdbot_first_token_seconds_count{upstream=\"ollama_qwen3_32b\"}"), 1);
}

TEST(Metrics, CountRequestsDenialsRejectionsAndEnds) {
  ScriptedUpstream upstream(AnswerFailure);
  GatewayProcess gateway(
      Gateway() + Upstream("main", upstream.url(), R"(
  repeat_safe = true
  retry { max_retries = 1  when status in 5xx  wait = exponential(from: 1ms) }
  breaker { open when failures(60s) >= 2 }
  fallback = [sorry])") +
      "reply sorry { status = 200  body = json { \"is_fallback\": true } }\nroute all { to = main }\n");
  Post(gateway.port(), "/api/chat", Chat("x"));
  Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(gateway.Metric("breakwater_requests_total{route=\"all\",status=\"200\",served_by=\"sorry\"}"), 2);
  EXPECT_EQ(gateway.Metric("breakwater_fallback_response_total{fallback=\"sorry\"}"), 2);
  EXPECT_EQ(gateway.Metric("breakwater_upstream_attempts_total{upstream=\"main\",outcome=\"500\"}"), 2);
  EXPECT_EQ(gateway.Metric("breakwater_breaker_rejected_total{upstream=\"main\"}"), 1);
  EXPECT_EQ(gateway.Metric("breakwater_breaker_state{upstream=\"main\"}"), 2);
  EXPECT_EQ(gateway.Metric("breakwater_stream_end_total{how=\"own\"}"), 2) << "no model answered";
  EXPECT_EQ(gateway.Metric("breakwater_stream_end_total{how=\"complete\"}"), 0);
  RawClient broken(gateway.port());
  broken.Send("nonsense\r\n\r\n");
  ASSERT_TRUE(broken.WaitForClose());
  double refused = 0;
  std::istringstream lines(Get(gateway.admin_port(), "/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("breakwater_bad_request_total{")) refused += std::stod(line.substr(line.rfind(' ') + 1));
  }
  EXPECT_EQ(refused, 1);
}

TEST(AccessLog, HasOneJsonLineForEachRequestWithWhatHappened) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    if (exchange.request().number == 1) return AnswerFailure(exchange);
    AnswerWell(exchange);
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), R"(
  repeat_safe = true
  retry { max_retries = 1  when status in 5xx  wait = exponential(from: 1ms) })") +
                         "route chat { to = main }\n");
  const std::string body = Chat("a secret of the user");
  const Answer answer = Post(gateway.port(), "/api/chat?key=1", body, {{"X-Request-Id", "logged"}});
  const Json line = gateway.WaitForAccess("logged");
  EXPECT_EQ(line["client"], "127.0.0.1");
  EXPECT_EQ(line["method"], "POST");
  EXPECT_EQ(line["path"], "/api/chat");
  EXPECT_EQ(line["status"], 200);
  EXPECT_EQ(line["route"], "chat");
  EXPECT_EQ(line["served_by"], "main");
  EXPECT_EQ(line["upstream"], "main");
  ASSERT_EQ(line["attempts"].size(), 2u);
  EXPECT_EQ(line["attempts"][0]["status"], 500);
  EXPECT_EQ(line["attempts"][1]["status"], 200);
  EXPECT_TRUE(line["attempts"][1]["ms"].is_number());
  EXPECT_EQ(line["bytes_in"], body.size());
  EXPECT_GT(line["bytes_out"].get<size_t>(), answer.body.size());
  EXPECT_TRUE(line["duration_ms"].is_number());
  EXPECT_EQ(line["how"], "complete");
  EXPECT_TRUE(line["worker"].is_number_integer());
  EXPECT_EQ(line["policy"].get<std::string>().size(), 16u);
  EXPECT_EQ(line["time"].get<std::string>().back(), 'Z');
  EXPECT_EQ(gateway.accesses().size(), 1u);
  for (const std::string& text : gateway.process().out())
    EXPECT_EQ(text.find("a secret"), std::string::npos) << "bodies never";
}

TEST(AccessLog, GoesWhereThePolicySays) {
  ScriptedUpstream upstream(AnswerWell);
  support::TempDir folder;
  const std::string file = (folder.path() / "access.log").string();
  GatewayProcess to_file(Gateway("access_log = \"" + file + "\"") + Upstream("main", upstream.url()));
  Post(to_file.port(), "/api/chat", Chat("x"), {{"X-Request-Id", "filed"}});
  EXPECT_TRUE(WaitUntil([&] { return support::ReadFile(file).find("\"request_id\":\"filed\"") != std::string::npos; }));
  EXPECT_TRUE(to_file.accesses().empty());

  GatewayProcess off(Gateway("access_log = off") + Upstream("main", upstream.url()));
  Post(off.port(), "/api/chat", Chat("x"));
  off.process().Signal(15);
  EXPECT_EQ(off.process().WaitForExit(), 0);
  EXPECT_TRUE(off.accesses().empty());
}

// As logrotate does: the file is renamed, then the signal comes.
TEST(AccessLog, IsOpenedAnewOnSigusr1AndLosesNoLine) {
  ScriptedUpstream upstream(AnswerWell);
  support::TempDir folder;
  const std::filesystem::path file = folder.path() / "access.log";
  const std::filesystem::path rotated = folder.path() / "access.log.1";
  GatewayProcess gateway(Gateway("access_log = \"" + file.string() + "\"") + Upstream("main", upstream.url()));
  const auto ask = [&](int number) { Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Request-Id", "rotated-" + std::to_string(number)}}); };
  const auto has = [](const std::filesystem::path& path, int number) {
    return std::filesystem::exists(path) && support::ReadFile(path).find("\"rotated-" + std::to_string(number) + "\"") != std::string::npos;
  };
  ask(1);
  EXPECT_TRUE(WaitUntil([&] { return has(file, 1); }));
  std::filesystem::rename(file, rotated);
  ask(2);
  EXPECT_TRUE(WaitUntil([&] { return has(rotated, 2); })) << "until the signal the file goes on under its new name";
  gateway.process().Signal(SIGUSR1);
  gateway.WaitForEvent("access log reopened");
  ask(3);
  EXPECT_TRUE(WaitUntil([&] { return has(file, 3); }));
  EXPECT_FALSE(has(rotated, 3));

  // Where the new file can't be had, lines go on to the old one.
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  gateway.process().Signal(SIGUSR1);
  EXPECT_NE(gateway.WaitForEvent("access log not reopened")["reason"].get<std::string>().find(file.string()), std::string::npos);
  EXPECT_TRUE(gateway.process().is_running());
  ask(4);
  EXPECT_EQ(gateway.Metric("breakwater_log_lines_dropped_total"), 0);
}

TEST(EventLog, LinesAreJsonWithTimeLevelAndMessage) {
  ScriptedUpstream upstream(AnswerFailure);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "breaker { open when failures(60s) >= 1 }"));
  Post(gateway.port(), "/api/chat", Chat("x"));
  gateway.WaitForEvent("breaker opened");
  gateway.process().Signal(15);
  EXPECT_EQ(gateway.process().WaitForExit(), 0);
  std::set<std::string> messages;
  for (const Json& event : gateway.events()) {
    ASSERT_TRUE(event.is_object()) << event;
    EXPECT_TRUE(event.contains("time")) << event;
    EXPECT_TRUE(event.contains("level")) << event;
    messages.insert(event.value("message", ""));
  }
  for (const char* message : {"listening", "ready", "breaker opened", "draining", "stopped"})
    EXPECT_TRUE(messages.contains(message)) << message;
}

}  // namespace
}  // namespace tests::e2e
