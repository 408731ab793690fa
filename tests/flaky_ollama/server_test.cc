// The whole server on real sockets: what a client sees of each fault, and what /control says about it afterwards.
#include "examples/flaky_ollama/server.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "examples/flaky_ollama/connection.h"
#include "runtime/net/uv_transport.h"
#include "tests/flaky_ollama/blocking_client.h"

namespace examples::flaky_ollama {
namespace {

using nlohmann::json;

constexpr std::string_view kStream = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kWhole = R"({"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kOpenAiStream = R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})";

ServerOptions Fast() {
  ServerOptions options;
  options.port = 0;
  options.settings.time_scale = 0.001;
  options.settings.tokens = 6;
  return options;
}

// A server on a thread of its own.
class Running {
 public:
  explicit Running(const ServerOptions& options = Fast()) : server_(&transport_, options) {
    const auto started = server_.Start();
    EXPECT_TRUE(started.ok());
    port_ = started.ok() ? started.value() : 0;
    thread_ = std::thread([this] { transport_.Run(); });
  }
  ~Running() {
    transport_.Stop();
    thread_.join();
  }

  uint16_t port() const { return port_; }
  json Control() const { return json::parse(Ask(port_, "GET", "/control").body); }
  json Counters() const { return Control()["counters"]; }
  void Plan(const std::string& list) const {
    EXPECT_EQ(Ask(port_, "POST", "/control/fail-next", list).status(), 200) << list;
  }

  // Waits until a counter has a value; the limit only ends a broken test.
  bool Reaches(const std::string& counter, int64_t value) const {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (Counters()[counter] != value) {
      if (std::chrono::steady_clock::now() > limit) return false;
      std::this_thread::yield();
    }
    return true;
  }

 private:
  runtime::net::UvTransport transport_;
  Server server_;
  uint16_t port_ = 0;
  std::thread thread_;
};

// Every request is somewhere, always.
void ExpectSumsUp(const json& counters) {
  int64_t sum = counters["in_flight"].get<int64_t>() + counters["aborted"].get<int64_t>() +
                counters["cut_by_down"].get<int64_t>();
  for (const auto& [name, count] : counters["outcomes"].items()) sum += count.get<int64_t>();
  EXPECT_EQ(counters["requests"].get<int64_t>(), sum) << counters;
}

TEST(FlakyOllama, StreamsByDefaultAndAnswersWholeWhenAsked) {
  const Running server;
  const Got stream = Ask(server.port(), "POST", "/api/chat", kStream);
  EXPECT_EQ(stream.status(), 200);
  EXPECT_NE(stream.head.find("Content-Type: application/x-ndjson"), std::string::npos);
  EXPECT_NE(stream.head.find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_NE(stream.body.find("\"done\":true"), std::string::npos);
  EXPECT_EQ(stream.body.substr(stream.body.size() - 5), "0\r\n\r\n");

  const Got whole = Ask(server.port(), "POST", "/api/chat", kWhole);
  EXPECT_EQ(json::parse(whole.body)["message"]["content"].get<std::string>().substr(0, 9), "Answer 2:");

  const Got events = Ask(server.port(), "POST", "/v1/chat/completions", kOpenAiStream);
  EXPECT_NE(events.head.find("text/event-stream"), std::string::npos);
  EXPECT_NE(events.body.find("data: [DONE]\n\n"), std::string::npos);
  ExpectSumsUp(server.Counters());
}

TEST(FlakyOllama, AnswersWhatOllamaAnswersBesides) {
  const Running server;
  EXPECT_EQ(Ask(server.port(), "GET", "/").body, "Ollama is running");
  EXPECT_EQ(json::parse(Ask(server.port(), "GET", "/api/version").body)["version"], "0.5.13");
  EXPECT_EQ(json::parse(Ask(server.port(), "GET", "/api/tags").body)["models"][0]["name"], "qwen3:32b");
  EXPECT_EQ(json::parse(Ask(server.port(), "GET", "/api/ps").body)["models"].size(), 1u);
  EXPECT_EQ(Ask(server.port(), "GET", "/api/chat").status(), 405);
  EXPECT_EQ(Ask(server.port(), "GET", "/nothing").status(), 404);
  EXPECT_EQ(Ask(server.port(), "POST", "/api/chat", "{").status(), 400);
  const json counters = server.Counters();
  EXPECT_EQ(counters["by_path"]["/api/chat"], 2);
  EXPECT_EQ(counters["requests"], 1);
  ExpectSumsUp(counters);
}

TEST(FlakyOllama, RefusesForeignHostsAsOllamaDoes) {
  for (const char* good : {"localhost", "localhost:11434", "127.0.0.1:5", "10.1.2.3", "172.31.0.1", "192.168.1.1",
                           "[::1]:80", "gpu.local", "A.LOCALHOST", "host.docker.internal"}) {
    EXPECT_TRUE(IsAllowedHost(good)) << good;
  }
  for (const char* bad : {"ollama-service:11434", "example.com", "8.8.8.8", "172.32.0.1", "172.15.0.1",
                          "localhost.example.com", "[2001:db8::1]", "127.example.com"}) {
    EXPECT_FALSE(IsAllowedHost(bad)) << bad;
  }
  const std::string foreign = "GET /api/tags HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n";
  {
    const Running server;
    BlockingClient client(server.port());
    client.Send(foreign);
    EXPECT_EQ(client.ReadToEnd().substr(0, 22), "HTTP/1.1 403 Forbidden");
  }
  ServerOptions any_host = Fast();
  any_host.any_host = true;
  ServerOptions outside = Fast();
  outside.host = "0.0.0.0";
  for (const ServerOptions& options : {any_host, outside}) {
    const Running server(options);
    BlockingClient client(server.port());
    client.Send(foreign);
    EXPECT_EQ(client.ReadToEnd().substr(0, 15), "HTTP/1.1 200 OK") << options.host;
  }
}

TEST(FlakyOllama, FailsTheNextRequestsAsPlanned) {
  const Running server;
  server.Plan(
      R"(["oom", "busy", "bad_request", "rate_limited", {"status": 502}, "reset", "cut", "cut", "stream_error", "stream_error", "truncate", "truncate", "ok"])");
  const auto ask = [&](std::string_view body) { return Ask(server.port(), "POST", "/api/chat", body); };

  const Got oom = ask(kStream);
  EXPECT_EQ(oom.status(), 500);
  EXPECT_NE(json::parse(oom.body)["error"].get<std::string>().find("out of memory"), std::string::npos);
  const Got busy = ask(kStream);
  EXPECT_EQ(busy.status(), 503);
  EXPECT_EQ(json::parse(busy.body)["error"], "server busy, please try again.  maximum pending requests exceeded");
  EXPECT_EQ(ask(kStream).status(), 400);
  const Got limited = ask(kStream);
  EXPECT_EQ(limited.status(), 429);
  EXPECT_NE(limited.head.find("Retry-After: 1"), std::string::npos);
  EXPECT_EQ(ask(kStream).status(), 502);

  const Got reset = ask(kStream);
  EXPECT_EQ(reset.end, End::kReset);
  EXPECT_EQ(reset.head, "");

  const Got cut = ask(kStream);
  EXPECT_EQ(cut.end, End::kReset);
  EXPECT_EQ(cut.status(), 200);
  EXPECT_NE(cut.body.find("Answer"), std::string::npos);
  EXPECT_EQ(cut.body.find("\"done\":true"), std::string::npos);
  const Got cut_whole = ask(kWhole);
  EXPECT_EQ(cut_whole.end, End::kReset);
  EXPECT_TRUE(json::parse(cut_whole.body, nullptr, false).is_discarded());

  const Got stream_error = ask(kStream);
  EXPECT_EQ(stream_error.status(), 200);
  EXPECT_NE(stream_error.body.find("{\"error\":"), std::string::npos);
  EXPECT_EQ(stream_error.end, End::kFin);
  EXPECT_EQ(ask(kWhole).status(), 500);

  const Got truncated = ask(kStream);
  EXPECT_EQ(truncated.end, End::kFin);
  EXPECT_EQ(truncated.body.substr(truncated.body.size() - 5), "0\r\n\r\n");
  EXPECT_EQ(truncated.body.find("\"done\":true"), std::string::npos);
  const Got short_body = ask(kWhole);
  EXPECT_EQ(short_body.end, End::kFin);
  EXPECT_TRUE(json::parse(short_body.body, nullptr, false).is_discarded());

  EXPECT_EQ(ask(kStream).status(), 200);
  const json counters = server.Counters();
  EXPECT_EQ(counters["outcomes"]["cut"], 2);
  EXPECT_EQ(counters["outcomes"]["ok"], 1);
  ExpectSumsUp(counters);
}

TEST(FlakyOllama, StopsGeneratingWhenTheClientLeaves) {
  const Running server;
  server.Plan(R"(["hang"])");
  {
    BlockingClient hung(server.port());
    hung.Send(RequestText("POST", "/api/chat", kStream));
    ASSERT_TRUE(server.Reaches("in_flight", 1));
  }
  EXPECT_TRUE(server.Reaches("aborted", 1));

  // In mid-stream as well: an answer of a million tokens of which the client reads the first.
  {
    BlockingClient client(server.port());
    client.Send(
        RequestText("POST", "/api/generate", R"({"model":"m","prompt":"x","options":{"num_predict":1000000}})"));
    client.ReadUntil("Answer");
  }
  EXPECT_TRUE(server.Reaches("aborted", 2));
  const json counters = server.Counters();
  EXPECT_EQ(counters["in_flight"], 0);
  EXPECT_LT(counters["tokens"], 1'000'000);
  ExpectSumsUp(counters);
}

TEST(FlakyOllama, RefusesWhileDownAndComesBackOnTheSamePort) {
  const Running server;
  server.Plan(R"(["hang"])");
  BlockingClient hung(server.port());
  hung.Send(RequestText("POST", "/api/chat", kStream));
  ASSERT_TRUE(server.Reaches("in_flight", 1));

  EXPECT_EQ(Ask(server.port(), "POST", "/control/down", R"({"for_ms": 300})").status(), 200);
  EXPECT_EQ(Ask(server.port(), "GET", "/api/version").end, End::kRefused);
  hung.ReadToEnd();
  EXPECT_EQ(hung.end(), End::kReset);
  while (Ask(server.port(), "GET", "/api/version").end == End::kRefused) std::this_thread::yield();
  const json counters = server.Counters();
  EXPECT_EQ(counters["downs"], 1);
  EXPECT_EQ(counters["cut_by_down"], 1);
  ExpectSumsUp(counters);
}

TEST(FlakyOllama, GoesDownByItselfWhenAskedTo) {
  ServerOptions options = Fast();
  options.settings.down_every_ms = 50;
  options.settings.down_for_ms = 20;
  const Running server(options);
  int refused = 0;
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool was_down = false;
  while (refused < 2 && std::chrono::steady_clock::now() < limit) {
    const bool down = Ask(server.port(), "GET", "/api/version").end == End::kRefused;
    refused += down && !was_down ? 1 : 0;
    was_down = down;
  }
  EXPECT_EQ(refused, 2);
}

TEST(FlakyOllama, AnswersBusyBeyondTheQueue) {
  ServerOptions options = Fast();
  options.settings.parallel = 1;
  options.settings.max_queue = 1;
  const Running server(options);
  server.Plan(R"(["hang", "hang"])");
  BlockingClient first(server.port());
  first.Send(RequestText("POST", "/api/chat", kStream));
  BlockingClient second(server.port());
  second.Send(RequestText("POST", "/api/chat", kStream));
  ASSERT_TRUE(server.Reaches("in_flight", 2));
  EXPECT_EQ(Ask(server.port(), "POST", "/api/chat", kStream).status(), 503);
  first.Close();
  ASSERT_TRUE(server.Reaches("aborted", 1));
  EXPECT_EQ(Ask(server.port(), "POST", "/api/chat", kStream).status(), 200);
}

TEST(FlakyOllama, SlowsDownUnderLoad) {
  ServerOptions options = Fast();
  options.settings.time_scale = 0.1;  // 230 ms alone, 680 ms with 16 in flight
  options.settings.jitter = 0;
  const Running server(options);
  std::vector<std::thread> clients;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back([&] { EXPECT_EQ(Ask(server.port(), "POST", "/api/chat", kWhole).status(), 200); });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(server.Counters()["most_in_flight"], 16);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500));
}

TEST(FlakyOllama, TheSameSeedRepeatsARun) {
  const auto run = [](int64_t seed) {
    ServerOptions options = Fast();
    options.settings.seed = seed;
    options.settings.oom_rate = 0.3;
    options.settings.reset_rate = 0.3;
    const Running server(options);
    std::string outcomes;
    for (int i = 0; i < 40; ++i) Ask(server.port(), "POST", "/api/generate", R"({"model":"m","prompt":"x"})");
    for (const json& record : json::parse(Ask(server.port(), "GET", "/control/requests").body)) {
      outcomes += record["outcome"].get<std::string>() + " ";
    }
    return outcomes;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(FlakyOllama, SettingsChangeWhileItRuns) {
  const Running server;
  EXPECT_EQ(Ask(server.port(), "POST", "/control", R"({"oom_rate": 1})").status(), 200);
  EXPECT_EQ(Ask(server.port(), "POST", "/api/chat", kStream).status(), 500);
  const Got wrong = Ask(server.port(), "POST", "/control", R"({"oom_rate": 0, "ooom_rate": 1})");
  EXPECT_EQ(wrong.status(), 400);
  EXPECT_EQ(json::parse(wrong.body)["error"], "there is no setting 'ooom_rate'; GET /control shows all of them");
  EXPECT_EQ(server.Control()["settings"]["oom_rate"], 1);
  EXPECT_EQ(Ask(server.port(), "POST", "/control/down", "{}").status(), 400);
  EXPECT_EQ(Ask(server.port(), "POST", "/control/nothing", "{}").status(), 404);
  EXPECT_EQ(Ask(server.port(), "DELETE", "/control").status(), 405);
}

TEST(FlakyOllama, ResetBeginsAnew) {
  const Running server;
  Ask(server.port(), "POST", "/api/chat", kStream);
  server.Plan(R"(["hang", "oom"])");
  {
    BlockingClient hung(server.port());
    hung.Send(RequestText("POST", "/api/chat", kStream));
    ASSERT_TRUE(server.Reaches("in_flight", 1));
    EXPECT_EQ(Ask(server.port(), "POST", "/control/reset").status(), 409);
  }
  ASSERT_TRUE(server.Reaches("aborted", 1));
  EXPECT_EQ(Ask(server.port(), "POST", "/control/reset").status(), 200);
  const json control = server.Control();
  EXPECT_EQ(control["counters"]["requests"], 0);
  EXPECT_EQ(control["planned_faults"], 0);
  EXPECT_EQ(
      json::parse(Ask(server.port(), "POST", "/api/chat", kWhole).body)["message"]["content"].get<std::string>().substr(
          0, 9),
      "Answer 1:");
}

TEST(FlakyOllama, ShowsRequestsAsTheyCameIn) {
  const Running server;
  BlockingClient client(server.port());
  client.Send(RequestText("POST", "/api/chat?x=1", kWhole, "X-Trace: abc\r\nConnection: close\r\n"));
  client.ReadToEnd();
  const json records = json::parse(Ask(server.port(), "GET", "/control/requests").body);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0]["target"], "/api/chat?x=1");
  EXPECT_EQ(records[0]["body"], kWhole);
  EXPECT_EQ(records[0]["outcome"], "ok");
  EXPECT_EQ(records[0]["headers"][1], json::parse(R"(["X-Trace", "abc"])"));
}

TEST(FlakyOllama, AnswersBelowItsBaseOnly) {
  ServerOptions options = Fast();
  options.base = "/openai";
  const Running server(options);
  EXPECT_EQ(Ask(server.port(), "GET", "/openai/api/version").status(), 200);
  for (const char* path : {"/api/version", "/openai", "/openais/api/version"})
    EXPECT_EQ(Ask(server.port(), "GET", path).status(), 404) << path;
}

TEST(FlakyOllama, KeepsConnectionsAndAnswersPipelinedRequestsInOrder) {
  const Running server;
  BlockingClient client(server.port());
  client.Send(RequestText("POST", "/api/chat", kWhole) + RequestText("GET", "/api/version", "") +
              RequestText("POST", "/api/chat", kWhole, "Connection: close\r\n"));
  const std::string& all = client.ReadToEnd();
  const size_t first = all.find("Answer 1:");
  const size_t version = all.find("0.5.13");
  const size_t second = all.find("Answer 2:");
  EXPECT_LT(first, version);
  EXPECT_LT(version, second);
  EXPECT_NE(second, std::string::npos);
}

TEST(FlakyOllama, AsksForBodiesThatWaitForIt) {
  const Running server;
  BlockingClient client(server.port());
  const std::string text = RequestText("POST", "/api/chat", kWhole, "Expect: 100-continue\r\nConnection: close\r\n");
  const size_t split = text.find("\r\n\r\n") + 4;
  client.Send(text.substr(0, split));
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send(text.substr(split));
  EXPECT_NE(client.ReadToEnd().find("HTTP/1.1 200 OK"), std::string::npos);
}

TEST(FlakyOllama, AnOldClientGetsAStreamThatEndsWithItsConnection) {
  const Running server;
  BlockingClient client(server.port());
  client.Send("POST /api/chat HTTP/1.0\r\nHost: localhost\r\nContent-Length: " + std::to_string(kStream.size()) +
              "\r\n\r\n" + std::string(kStream));
  const std::string& all = client.ReadToEnd();
  EXPECT_EQ(all.find("chunked"), std::string::npos);
  EXPECT_NE(all.find("\"done\":true"), std::string::npos);
  EXPECT_EQ(all.back(), '\n');
  EXPECT_EQ(client.end(), End::kFin);
}

TEST(FlakyOllama, RefusesWhatIsNoHttp) {
  const Running server;
  BlockingClient client(server.port());
  client.Send("GET / HTTP/1.1\r\nno header\r\n\r\n");
  EXPECT_EQ(client.ReadToEnd().substr(0, 12), "HTTP/1.1 400");
}

TEST(FlakyOllama, SaysWhyItCannotListen) {
  const Running server;
  ServerOptions options = Fast();
  options.port = server.port();
  runtime::net::UvTransport transport;
  Server second(&transport, options);
  const auto started = second.Start();
  EXPECT_FALSE(started.ok());
  EXPECT_NE(started.error(), "");
}

}  // namespace
}  // namespace examples::flaky_ollama
