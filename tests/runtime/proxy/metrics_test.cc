// What the metrics say of known streams: tokens, times between frames, empty answers, what a cache holds. On a simulated network
// and a virtual clock, so that times are known, too.
#include <cstdlib>
#include <functional>
#include <optional>
#include <vector>

#include "tests/runtime/proxy/stream_scene.h"

namespace tests {
namespace {

using Fault = ServerPlan::Fault;

const SpokenDialect* const kDialects[] = {&kOllama, &kOpenAi, &kAnthropic};

class MetricsTest : public testing::Test {
 protected:
  void Begin(const std::string& upstream = "", const std::string& route = "", const std::string& more = "") {
    server.reset();
    gateway = std::make_unique<SimGateway>("upstream main {\n  url = \"http://10.0.0.1:11434\"\n  " + upstream +
                                           "\n}\nroute all { to = main  " + route + " }\n" + more);
    server = std::make_unique<SimServer>(&gateway->network, "10.0.0.1", 11434, Serving(&plan));
  }
  // A server that only listens: the test sends for it.
  void BeginByHand(const std::string& upstream = "") {
    Begin(upstream);
    server.reset();
    server = std::make_unique<SimServer>(&gateway->network, "10.0.0.1", 11434, [](SimPeer&) {});
  }
  Received AskFor(const SpokenDialect& dialect, const std::string& body, Fault fault = Fault::kNone) {
    plan = {200, dialect.content_type, body, fault, body.size()};
    return Ask(*gateway, dialect, StreamRequest(dialect));
  }
  Received AskForObject(const std::string& object) {
    plan = {200, "application/json", object};
    return Ask(*gateway, kOllama, StreamRequest(kOllama, "{\"model\":\"m\",\"stream\":false,\"messages\":[]}"));
  }
  // The server of BeginByHand gets the request, and sends the head of a stream.
  std::unique_ptr<SimPeer> AskByHand(const SpokenDialect& dialect) {
    auto client = gateway->NewClient();
    client->Send(StreamRequest(dialect));
    EXPECT_TRUE(
        gateway->network.RunUntil([&] { return !server->peers.empty() && !server->peers.back()->received.empty(); }));
    server->peers.back()->Send("HTTP/1.1 200 OK\r\nContent-Type: " + dialect.content_type +
                               "\r\nTransfer-Encoding: chunked\r\n\r\n");
    return client;
  }
  void SendByHand(const std::string& frames) {
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", frames.size());
    server->peers.back()->Send(frames.empty() ? "0\r\n\r\n" : size + frames + "\r\n");
  }
  // Nothing: there is no such series.
  std::optional<double> Metric(const std::string& series) {
    const std::string page = gateway->state->metrics.Expose(gateway->transport.Now(), 0);
    const std::string line = "\nbreakwater_" + series + " ";
    const size_t at = page.find(line);
    return at == std::string::npos ? std::nullopt
                                   : std::optional(std::strtod(page.c_str() + at + line.size(), nullptr));
  }
  std::optional<double> Tokens(const std::string& kind) {
    return Metric("tokens_total{upstream=\"main\",kind=\"" + kind + "\"}");
  }

  ServerPlan plan;
  std::unique_ptr<SimGateway> gateway;
  std::unique_ptr<SimServer> server;
};

// ---- tokens_total ----------------------------------------------------------------------------------------------------

TEST_F(MetricsTest, TokensOfACompleteAnswerAreWhatTheUpstreamCounted) {
  for (const SpokenDialect* dialect : kDialects) {
    Begin();
    AskFor(*dialect, dialect->begin + dialect->text("a") + dialect->text("b") + dialect->text("c") + dialect->end);
    EXPECT_EQ(Tokens("prompt"), 7) << dialect->path;
    EXPECT_EQ(Tokens("completion"), 3) << dialect->path;
    EXPECT_EQ(Tokens("uncounted"), 0) << dialect->path;
    AskFor(*dialect, dialect->begin + dialect->text("a") + dialect->end);
    EXPECT_EQ(Tokens("prompt"), 14) << dialect->path;
    EXPECT_EQ(Tokens("completion"), 6) << dialect->path;
  }
}

TEST_F(MetricsTest, TokensOfAnObjectAreCountedToo) {
  Begin();
  AskForObject("{\"message\":{\"content\":\"Hello\"},\"done\":true,\"prompt_eval_count\":11,\"eval_count\":5}");
  EXPECT_EQ(Tokens("prompt"), 11);
  EXPECT_EQ(Tokens("completion"), 5);
}

TEST_F(MetricsTest, FramesOfACutAnswerAreUncountedTokens) {
  for (const SpokenDialect* dialect : {&kOllama, &kOpenAi}) {
    for (const Fault fault : {Fault::kFin, Fault::kReset, Fault::kCleanEnd}) {
      Begin();
      AskFor(*dialect,
             dialect->begin + dialect->text("a") + dialect->thinking("b") + dialect->text("c") + dialect->begin, fault);
      EXPECT_EQ(Tokens("uncounted"), 3) << dialect->path << ": text and thinking, no other frames";
      EXPECT_EQ(Tokens("prompt"), 0);
      EXPECT_EQ(Tokens("completion"), 0);
    }
  }
}

TEST_F(MetricsTest, AClientThatLeavesHasUsedWhatItGot) {
  BeginByHand();
  auto client = AskByHand(kOllama);
  SendByHand(kOllama.text("a") + kOllama.text("b"));
  gateway->network.RunFor(10ms);
  client->stream->Reset();
  gateway->network.RunFor(10ms);
  EXPECT_EQ(Tokens("uncounted"), 2);
}

TEST_F(MetricsTest, FailedAnswersAndFallbacksAreNoTokens) {
  Begin("", "fallback = [sorry]", "reply sorry { status = 200  text = \"Later.\" }\n");
  for (const SpokenDialect* dialect : kDialects) {
    EXPECT_EQ(AskFor(*dialect, dialect->begin, Fault::kReset).text, "Later.");
    EXPECT_EQ(AskFor(*dialect, dialect->begin + dialect->error).text, "Later.");
  }
  for (const char* kind : {"prompt", "completion", "uncounted"}) EXPECT_EQ(Tokens(kind), 0) << kind;
}

// ---- empty_answer_total ----------------------------------------------------------------------------------------------

TEST_F(MetricsTest, CompleteAnswersThatSayNothingAreEmpty) {
  const std::string empty = "empty_answer_total{upstream=\"main\"}";
  for (const SpokenDialect* dialect : kDialects) {
    Begin();
    AskFor(*dialect, dialect->begin + dialect->end);
    EXPECT_EQ(Metric(empty), 1) << dialect->path;
    AskFor(*dialect, dialect->begin + dialect->thinking("Hm") + dialect->end);
    EXPECT_EQ(Metric(empty), 2) << dialect->path << ": nothing but thinking";
    AskFor(*dialect, dialect->begin + dialect->text("4") + dialect->end);
    EXPECT_EQ(Metric(empty), 2) << dialect->path;
    AskFor(*dialect, dialect->begin + dialect->thinking("Hm"), Fault::kReset);
    EXPECT_EQ(Metric(empty), 2) << dialect->path << ": a cut answer is no complete one";
  }
  AskForObject("{\"message\":{\"content\":\"\"},\"done\":true}");
  EXPECT_EQ(Metric(empty), 3) << "an object";
  AskForObject("{\"message\":{\"content\":\"4\"},\"done\":true}");
  AskForObject("{\"message\":{\"content\":\"" + std::string(100'000, 'x') + "\"},\"done\":true}");
  AskForObject("no object at all");
  EXPECT_EQ(Metric(empty), 3);
}

// ---- Times -----------------------------------------------------------------------------------------------------------

constexpr double kLatencies = 0.002;  // of the simulated network, there and back

TEST_F(MetricsTest, TimesBetweenFramesWithContent) {
  for (const SpokenDialect* dialect : kDialects) {
    BeginByHand();
    auto client = AskByHand(*dialect);
    const auto after = [&](Duration wait, const std::string& frames) {
      gateway->network.RunFor(wait);
      SendByHand(frames);
    };
    after(500ms, dialect->begin);
    after(1500ms, dialect->thinking("Hm"));  // the first content: 2 s after the beginning
    after(3s, dialect->text("a"));
    after(200ms, dialect->text("b"));
    after(7s, dialect->end);  // says nothing: it ends no time between two frames
    after(0s, "");
    ASSERT_TRUE(gateway->network.RunUntil([&] { return client->ended; }));
    const std::string label = "{upstream=\"main\"}";
    EXPECT_EQ(Metric("inter_token_seconds_count" + label), 2) << dialect->path;
    EXPECT_NEAR(*Metric("inter_token_seconds_sum" + label), 3.2, kLatencies);
    EXPECT_EQ(Metric("inter_token_seconds_bucket{upstream=\"main\",le=\"0.1\"}"), 0);
    EXPECT_EQ(Metric("inter_token_seconds_bucket{upstream=\"main\",le=\"0.25\"}"), 1);
    EXPECT_EQ(Metric("inter_token_seconds_bucket{upstream=\"main\",le=\"2.5\"}"), 1);
    EXPECT_EQ(Metric("inter_token_seconds_bucket{upstream=\"main\",le=\"5.0\"}"), 2);
    EXPECT_EQ(Metric("first_token_seconds_count" + label), 1);
    EXPECT_NEAR(*Metric("first_token_seconds_sum" + label), 2, kLatencies);
    EXPECT_EQ(Metric("client_first_token_seconds_count"), 1);
    EXPECT_NEAR(*Metric("client_first_token_seconds_sum"), 2, kLatencies);
    EXPECT_EQ(Metric("upstream_latency_seconds_count" + label), 1);
    EXPECT_NEAR(*Metric("upstream_latency_seconds_sum" + label), 12.2, kLatencies);
    EXPECT_EQ(Metric("request_duration_seconds_count"), 1);
    EXPECT_NEAR(*Metric("request_duration_seconds_sum"), 12.2, kLatencies);
  }
}

TEST_F(MetricsTest, NoTimeRunsFromOneAnswerToTheNext) {
  Begin();
  for (int i = 0; i < 3; ++i) {
    AskFor(kOpenAi, kOpenAi.begin + kOpenAi.text("a") + kOpenAi.end);
    gateway->network.RunFor(5s);
  }
  EXPECT_EQ(Metric("inter_token_seconds_count{upstream=\"main\"}"), 0);
}

TEST_F(MetricsTest, TimeInTheQueueIsCountedOnceForEachRequest) {
  BeginByHand("max_in_flight = 1  queue { length = 4  timeout = 20s }");
  auto first = AskByHand(kOllama);
  auto second = gateway->NewClient();
  second->Send(StreamRequest(kOllama));
  gateway->network.RunFor(3s);
  EXPECT_EQ(Metric("client_connections"), 2);
  SendByHand(kOllama.text("4") + kOllama.end);
  SendByHand("");
  ASSERT_TRUE(gateway->network.RunUntil([&] { return first->ended; }));
  gateway->network.RunFor(10ms);
  EXPECT_EQ(Metric("queue_seconds_count{upstream=\"main\"}"), 2);
  EXPECT_NEAR(*Metric("queue_seconds_sum{upstream=\"main\"}"), 3, kLatencies);
  EXPECT_EQ(Metric("queue_seconds_bucket{upstream=\"main\",le=\"0.005\"}"), 1) << "the first had not to wait";
}

// ---- cache_bytes -----------------------------------------------------------------------------------------------------

TEST_F(MetricsTest, BytesOfACacheAreThoseOfItsAnswersAndKeys) {
  Begin("", "cache = answers",
        "cache answers { key = \"${request.json.model}\"  ttl = 1h  shared = true  max_entry = 4KiB }\n");
  const auto ask = [&](const std::string& model, const std::string& text) {
    plan = {200, "application/json", "{\"message\":{\"content\":" + Quoted(text) + "},\"done\":true}"};
    return Ask(*gateway, kOllama, StreamRequest(kOllama, "{\"model\":" + Quoted(model) + ",\"stream\":false}"));
  };
  EXPECT_EQ(Metric("cache_bytes{cache=\"answers\"}"), 0);
  ask("a", "Hello");
  const double one = *Metric("cache_bytes{cache=\"answers\"}");
  EXPECT_GE(one, static_cast<double>(plan.body.size()));
  ask("b", "Hello");
  EXPECT_EQ(Metric("cache_bytes{cache=\"answers\"}"), 2 * one);
  ask("c", "Hello" + std::string(1000, 'x'));
  EXPECT_EQ(Metric("cache_bytes{cache=\"answers\"}"), 3 * one + 1000);
  ask("longer", "Hello");
  EXPECT_EQ(Metric("cache_bytes{cache=\"answers\"}"), 4 * one + 1000) << "keys are digests, all of one length";
  ask("a", "something else, but the cache has its answer");
  EXPECT_EQ(Metric("cache_bytes{cache=\"answers\"}"), 4 * one + 1000);
  ask("large", std::string(5000, 'x'));
  EXPECT_EQ(Metric("cache_entries{cache=\"answers\"}"), 4) << "beyond max_entry";
  EXPECT_EQ(Metric("cache_bytes{cache=\"answers\"}"), 4 * one + 1000);
  EXPECT_EQ(Metric("cache_hits_total{cache=\"answers\"}"), 1);
}

// ---- The page --------------------------------------------------------------------------------------------------------

TEST_F(MetricsTest, SeriesThatThePolicyImpliesAreThereFromTheStart) {
  Begin("max_in_flight = 2  queue { length = 3  timeout = 1s }\n retry { max_retries = 1  when status == 500 }  fallback = [sorry]",
        "keep_alive = 10s", "reply sorry { status = 503  text = \"later\" }\n");
  for (const char* series :
       {"requests_total{route=\"all\",status=\"200\",served_by=\"main\"}",
        "requests_total{route=\"all\",status=\"503\",served_by=\"sorry\"}",
        "requests_total{route=\"all\",status=\"504\",served_by=\"gateway\"}",
        "requests_total{route=\"none\",status=\"404\",served_by=\"gateway\"}",
        "upstream_attempts_total{upstream=\"main\",outcome=\"refused\"}",
        "upstream_attempts_total{upstream=\"main\",outcome=\"500\"}",
        "retry_denied_total{upstream=\"main\",reason=\"attempts_exhausted\"}",
        "queue_refused_total{upstream=\"main\",reason=\"queue_full\"}", "tokens_total{upstream=\"main\",kind=\"prompt\"}",
        "keep_alive_total{route=\"all\"}", "late_failures_total{route=\"all\",reason=\"refused\"}",
        "bad_request_total{reason=\"uri_too_long\"}", "refused_connections_total{limit=\"connections\"}",
        "stream_end_total{how=\"cut\"}"}) {
    EXPECT_EQ(Metric(series), 0) << series;
  }
  // … and nothing that it can't have.
  EXPECT_EQ(Metric("refused_connections_total{limit=\"per_address\"}"), std::nullopt);
  EXPECT_EQ(Metric("health_checks_total{upstream=\"main\",outcome=\"200\"}"), std::nullopt);
  EXPECT_EQ(Metric("model_loads_total{upstream=\"main\",outcome=\"200\"}"), std::nullopt);
  EXPECT_EQ(Metric("upstream_attempts_total{upstream=\"main\",outcome=\"queue_full\"}"), std::nullopt);
}

TEST_F(MetricsTest, ItSaysWhichPolicyAndBuildRunAndHowTheProcessIs) {
  Begin();
  EXPECT_EQ(Metric("policy_info{hash=\"" + gateway->state->compiled->hash + "\"}"), 1);
  const std::string page = gateway->state->metrics.Expose(gateway->transport.Now(), 0);
  EXPECT_NE(page.find("\nbreakwater_build_info{version=\""), std::string::npos);
  const auto process = [&page](const std::string& name) {
    const size_t at = page.find("\n" + name + " ");
    return at == std::string::npos ? -1.0 : std::strtod(page.c_str() + at + name.size() + 2, nullptr);
  };
  EXPECT_GT(process("process_cpu_seconds_total"), 0);
  EXPECT_GT(process("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(process("process_virtual_memory_bytes"), process("process_resident_memory_bytes"));
  EXPECT_GE(process("process_open_fds"), 3);
  EXPECT_GT(process("process_max_fds"), process("process_open_fds"));
  EXPECT_GT(process("process_start_time_seconds"), 1.6e9);
}

TEST(MetricsFormatTest, AcceptChoosesAsPrometheusDoes) {
  // What Prometheus 2.42 (Debian 12) sends.
  EXPECT_EQ(runtime::observe::FormatFor("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                                      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            runtime::observe::MetricsFormat::kOpenMetrics);
  for (const char* accept : {"", "*/*", "text/plain;version=0.0.4", "text/html,application/xhtml+xml,*/*;q=0.8",
                             "application/openmetrics-text;q=0", "text/plain, application/openmetrics-text;q=0.5"}) {
    EXPECT_EQ(runtime::observe::FormatFor(accept), runtime::observe::MetricsFormat::kText) << accept;
  }
}

TEST_F(MetricsTest, OpenMetricsNamesFamiliesWithoutTotalAndEndsWithItsMark) {
  Begin();
  const std::string page =
      gateway->state->metrics.Expose(gateway->transport.Now(), 0, runtime::observe::MetricsFormat::kOpenMetrics);
  EXPECT_NE(page.find("\n# TYPE breakwater_requests counter\n"), std::string::npos);
  EXPECT_EQ(page.find("# TYPE breakwater_requests_total"), std::string::npos);
  EXPECT_NE(page.find("\nbreakwater_requests_total{"), std::string::npos);
  EXPECT_NE(page.find("\n# TYPE process_cpu_seconds counter\n"), std::string::npos);
  EXPECT_TRUE(page.ends_with("\n# EOF\n"));
}

TEST(MetricsShardTest, SeriesOutliveThePolicyThatNamedThemFirst) {
  // As over a reload: another shard for another policy, whose upstreams stand in another order.
  runtime::observe::SeriesRegistry registry;
  runtime::observe::MetricsStore store;
  compiler::model::Policy before, after;
  const auto named = [](const char* name) {
    compiler::model::UpstreamSettings settings;
    settings.name = name;
    return settings;
  };
  before.upstreams.Add(named("a"));
  before.upstreams.Add(named("b"));
  after.upstreams.Add(named("b"));
  after.upstreams.Add(named("a"));
  using runtime::observe::LabelledCounter;
  using runtime::observe::CounterId;
  runtime::observe::MetricsShard first(before, registry, store), second(after, registry, store);
  first.Count(runtime::observe::CounterId::kUpstreamRetry, 0);   // a
  second.Count(runtime::observe::CounterId::kUpstreamRetry, 1);  // a
  first.CountBy(runtime::observe::LabelledCounter::kAttempts, {"a", "200"});
  second.CountBy(runtime::observe::LabelledCounter::kAttempts, std::string_view("a\0" "200", 5), 2);
  const auto value = [&](unsigned metric, std::string_view labels) {
    return store.Get(registry.Intern(static_cast<uint16_t>(metric), labels, 1));
  };
  EXPECT_EQ(value(static_cast<unsigned>(runtime::observe::CounterId::kUpstreamRetry), "a"), 2U);
  EXPECT_EQ(value(static_cast<unsigned>(runtime::observe::CounterId::kUpstreamRetry), "b"), 0U);
  EXPECT_EQ(value(0x100 + static_cast<unsigned>(runtime::observe::LabelledCounter::kAttempts), std::string_view("a\0" "200", 5)), 3U);
}

TEST(MetricsShardTest, ManySeriesAreAllFoundAgain) {
  runtime::observe::SeriesRegistry registry;
  runtime::observe::MetricsStore store;
  const compiler::model::Policy policy;
  runtime::observe::MetricsShard shard(policy, registry, store);
  using runtime::observe::LabelledCounter;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5000; ++i) shard.CountBy(LabelledCounter::kRequests, {"route" + std::to_string(i), "200", "m"});
  }
  size_t seen = 0;
  registry.ForEach(0x100 + static_cast<unsigned>(LabelledCounter::kRequests), [&](const runtime::observe::SeriesRegistry::Series& series) {
    const bool is_of_the_policy = series.labels.starts_with("none");  // there from the start
    EXPECT_EQ(store.Get(series.slot), is_of_the_policy ? 0U : 3U) << series.labels;
    if (!is_of_the_policy) ++seen;
  });
  EXPECT_EQ(seen, 5000U);
}

}  // namespace
}  // namespace tests
