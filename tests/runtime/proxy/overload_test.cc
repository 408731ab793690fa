// The proxy against upstreams that are down, come back, are busy or are restarted, on a simulated network and a virtual
// clock. The numbers are those of the list of upstream cases that the project keeps to.
#include <algorithm>
#include <chrono>

#include "runtime/observe/wall_clock.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests
using base::TimePoint;

constexpr uint16_t kUpstreamPort = 11434;
const std::string kUrl = "url = \"http://10.0.0.1:11434\"\n";

bool Holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

int StatusOf(const std::string& answer) { return answer.size() < 12 ? 0 : std::atoi(answer.c_str() + 9); }

// The value of a series; 0 where it was never counted.
int Metric(SimGateway& gateway, const std::string& series) {
  const std::string page = gateway.Get("/metrics");
  const size_t at = page.find("breakwater_" + series + " ");
  return at == std::string::npos ? 0 : std::atoi(page.c_str() + at + 12 + series.size());
}

// Answers each request with the next of these, and from then on with the last one; without any it does not answer.
class Scripted {
 public:
  explicit Scripted(std::vector<std::string> answers) : answers_(std::move(answers)) {}

  std::function<void(SimPeer&)> Serve() {
    return [this](SimPeer& peer) {
      while (peer.received.find("\r\n\r\n") != std::string::npos) {
        peer.received.erase(0, peer.received.find("\r\n\r\n") + 4);
        if (!answers_.empty()) peer.Send(answers_[std::min(requests, answers_.size() - 1)]);
        ++requests;
      }
    };
  }
  size_t requests = 0;

 private:
  std::vector<std::string> answers_;
};

std::string Answer(const std::string& status, const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: 2\r\n\r\nok";
}

// ---- 30: 429 with every kind of Retry-After -------------------------------------------------------------------------

struct Asked {
  int status = 0;
  size_t requests = 0;
  Duration took{};
  std::string answer;
};

// A 429 with these headers, then a 200.
Asked AfterA429(const std::function<std::string(SimGateway&)>& headers, const std::string& honour) {
  SimGateway gateway("upstream u {\n" + kUrl +
                     "  retry { max_retries = 2  when status == 429  wait = exponential(from: 100ms)  " + honour +
                     " }\n  breaker { open when failures(60s) >= 1 }\n}\n");
  Scripted script({Answer("429 Too Many Requests", headers(gateway)), Answer("200 OK")});
  SimServer server(&gateway.network, "10.0.0.1", kUpstreamPort, script.Serve());
  const TimePoint begun = gateway.network.now();
  Asked asked;
  asked.answer = gateway.Get();
  asked.took = gateway.network.now() - begun;
  asked.status = StatusOf(asked.answer);
  asked.requests = script.requests;
  EXPECT_TRUE(Holds(gateway.Get("/health/circuit-breaker/u"), "\"failure_count\":0")) << "a 429 is neutral";
  return asked;
}
std::function<std::string(SimGateway&)> Header(const std::string& value) {
  return [value](SimGateway&) { return "Retry-After: " + value + "\r\n"; };
}

TEST(UpstreamCase30, SecondsAreWaitedFor) {
  const Asked asked = AfterA429(Header("2"), "honour = retry_after(cap: 8s)");
  EXPECT_EQ(asked.status, 200);
  EXPECT_GE(asked.took, 2s);
  EXPECT_LT(asked.took, 2100ms);
}

TEST(UpstreamCase30, ADateIsWaitedFor) {
  const auto in_four_seconds = [](SimGateway& gateway) {
    return "Retry-After: " + runtime::observe::HttpDate(gateway.transport.WallNow() + 4s) + "\r\n";
  };
  const Asked asked = AfterA429(in_four_seconds, "honour = retry_after(cap: 8s)");
  EXPECT_EQ(asked.status, 200);
  EXPECT_GE(asked.took, 3s);
  EXPECT_LT(asked.took, 4100ms);
}

TEST(UpstreamCase30, MillisecondsOfModelServersAreWaitedFor) {
  const auto ms = [](SimGateway&) { return std::string("retry-after-ms: 700\r\nRetry-After: 1\r\n"); };
  const Asked asked = AfterA429(ms, "honour = retry_after(cap: 8s)");
  EXPECT_GE(asked.took, 700ms);
  EXPECT_LT(asked.took, 800ms);
}

TEST(UpstreamCase30, WithoutOneOrWithNonsenseTheBackOffDecides) {
  for (const auto& headers : {Header("abc"), Header("-5"), std::function([](SimGateway&) { return std::string(); })}) {
    const Asked asked = AfterA429(headers, "honour = retry_after(cap: 8s)");
    EXPECT_EQ(asked.status, 200);
    EXPECT_GE(asked.took, 100ms);
    EXPECT_LT(asked.took, 200ms);
  }
}

TEST(UpstreamCase30, AnHourPassesThroughAndTheClientIsTold) {
  const Asked asked = AfterA429(Header("3600"), "honour = retry_after(cap: 8s)");
  EXPECT_EQ(asked.status, 429);
  EXPECT_EQ(asked.requests, 1u);
  EXPECT_TRUE(Holds(asked.answer, "Retry-After: 3600"));
  EXPECT_TRUE(Holds(asked.answer, "X-Should-Retry: false"));
  EXPECT_LT(asked.took, 100ms);
}

TEST(UpstreamCase30, WithoutHonourTheBackOffDecides) {
  const Asked asked = AfterA429(Header("3600"), "");
  EXPECT_EQ(asked.status, 200);
  EXPECT_LT(asked.took, 200ms);
}

// ---- 31: 503 for ever, 500 once -------------------------------------------------------------------------------------

const std::string kThreeAttempts =
    "upstream u {\n" + kUrl +
    "  retry { max_retries = 2  when status in 5xx  wait = exponential(from: 500ms, factor: 2, cap: 2s) }\n"
    "  fallback = [sorry]\n}\nreply sorry { status = 200  body = json { \"is_fallback\": true } }\n";

TEST(UpstreamCase31, A503ForEverIsThreeAttemptsAndTheFallback) {
  SimGateway gateway(kThreeAttempts);
  Scripted script({Answer("503 Busy")});
  SimServer server(&gateway.network, "10.0.0.1", kUpstreamPort, script.Serve());
  const std::string answer = gateway.Get();
  EXPECT_EQ(script.requests, 3u);
  EXPECT_TRUE(Holds(answer, "X-Breakwater-Fallback: sorry"));
  EXPECT_TRUE(Holds(answer, "X-Breakwater-Fallback-Reason: status_503"));
}

TEST(UpstreamCase31, A500OnceIsOneRetry) {
  SimGateway gateway(kThreeAttempts);
  Scripted script({Answer("500 Oops"), Answer("200 OK")});
  SimServer server(&gateway.network, "10.0.0.1", kUpstreamPort, script.Serve());
  const std::string answer = gateway.Get();
  EXPECT_EQ(StatusOf(answer), 200);
  EXPECT_FALSE(Holds(answer, "X-Breakwater-Fallback"));
  EXPECT_EQ(script.requests, 2u);
}

// ---- 34: down for a minute ------------------------------------------------------------------------------------------

TEST(UpstreamCase34, DownForAMinuteCostsOneRoundOfProbesForEachOpenFor) {
  SimGateway gateway("upstream u {\n" + kUrl +
                     "  breaker { open when failures(60s) >= 5  open_for = 15s  probes = 3 }\n}\n");
  const auto attempts = [&] { return Metric(gateway, "upstream_attempts_total{upstream=\"u\",outcome=\"refused\"}"); };
  for (int second = 0; second < 60; ++second) {
    gateway.Get();
    if (second == 4) {
      EXPECT_EQ(attempts(), 5) << "opens after five";
    }
    gateway.network.RunFor(1s);
  }
  // Open at 4 s; after 15 s a probe, whose failure opens it again: at 20, 35 and 50 s or a little later.
  EXPECT_EQ(attempts(), 5 + 3);
}

TEST(UpstreamCase34, WithAHealthCheckItIsBackWithinFiveSecondsOfRecovery) {
  SimGateway gateway("upstream u {\n" + kUrl +
                     "  breaker { open when failures(60s) >= 5  open_for = 10min  close when successes(30s) >= 1 }\n"
                     "  health { path = \"/healthy\" }\n}\n");
  for (int i = 0; i < 5; ++i) gateway.Get();
  gateway.network.RunFor(1min);
  EXPECT_TRUE(Holds(gateway.Get("/health/circuit-breaker/u"), "\"state\":\"OPEN\""));
  EXPECT_EQ(StatusOf(gateway.Get()), 503);
  EXPECT_EQ(Metric(gateway, "upstream_attempts_total{upstream=\"u\",outcome=\"refused\"}"), 5)
      << "checks are no attempts";
  EXPECT_GE(Metric(gateway, "health_checks_total{upstream=\"u\",outcome=\"refused\"}"), 25);

  std::vector<std::string> seen;
  SimServer server(&gateway.network, "10.0.0.1", kUpstreamPort, [&](SimPeer& peer) {
    seen.push_back(peer.received.substr(0, peer.received.find("\r\n")));
    Answering("back")(peer);
  });
  const TimePoint recovered = gateway.network.now();
  std::string answer;
  while (!Holds(answer, "back") && gateway.network.now() - recovered < 1min) {
    gateway.network.RunFor(250ms);
    answer = gateway.Get("/question");
  }
  EXPECT_LE(gateway.network.now() - recovered, 5s);
  ASSERT_GE(seen.size(), 2u);
  EXPECT_EQ(seen[0], "GET /healthy HTTP/1.1");
  EXPECT_EQ(seen[1], "GET /question HTTP/1.1") << "the check itself closes nothing: the next request was a probe";
  EXPECT_TRUE(Holds(gateway.Get("/health/circuit-breaker/u"), "\"state\":\"CLOSED\""));
  // Closed: nobody asks any more.
  const size_t requests = seen.size();
  gateway.network.RunFor(1min);
  EXPECT_EQ(seen.size(), requests);
}

TEST(HealthCheck, AnythingButA2xxInTimeIsNotWell) {
  for (const std::string& answer : {Answer("404 Not Found"), Answer("503 Busy"), Answer("302 Found"), std::string()}) {
    SimGateway gateway("upstream u {\n" + kUrl +
                       "  breaker { open when failures(60s) >= 1  open_for = 1h }\n"
                       "  health { path = \"/\"  interval = 1s  timeout = 500ms }\n}\n");
    gateway.Get();  // refused
    Scripted script(answer.empty() ? std::vector<std::string>() : std::vector<std::string>{answer});
    SimServer server(&gateway.network, "10.0.0.1", kUpstreamPort, script.Serve());
    gateway.network.RunFor(10s);
    EXPECT_GE(script.requests, 9u);
    EXPECT_LE(script.requests, 10u);
    EXPECT_TRUE(Holds(gateway.Get("/health/circuit-breaker/u"), "\"state\":\"OPEN\"")) << answer;
  }
}

// ---- 39: a model that is being loaded -------------------------------------------------------------------------------

TEST(UpstreamCase39, WhileOneRequestWaitsForTheModelTheOthersFallBackAndTheBreakerStaysClosed) {
  SimGateway gateway("upstream u {\n" + kUrl +
                     "  max_in_flight = 1\n  timeouts { total = 3min  idle = 3min }\n"
                     "  breaker { open when failures(60s) >= 1 }\n  fallback = [loading]\n}\n"
                     "reply loading { status = 200  body = json { \"is_fallback\": true } }\n");
  SimPeer* model = nullptr;
  SimServer server(&gateway.network, "10.0.0.1", kUpstreamPort, [&](SimPeer& peer) { model = &peer; });
  auto first = gateway.NewClient();
  first->Send("GET / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(gateway.network.RunUntil([&] { return model != nullptr; }));
  const TimePoint begun = gateway.network.now();
  for (int i = 0; i < 90; ++i) {
    const std::string answer = gateway.Get();
    EXPECT_TRUE(Holds(answer, "X-Breakwater-Fallback-Reason: queue_full"));
    gateway.network.RunFor(1s);
  }
  EXPECT_LT(gateway.network.now() - begun, 91s) << "who falls back does not wait";
  model->Send(Answer("200 OK"));
  ASSERT_TRUE(gateway.network.RunUntil([&] { return first->ended; }));
  EXPECT_EQ(StatusOf(first->received), 200);
  EXPECT_TRUE(Holds(gateway.Get("/health/circuit-breaker/u"), "\"failure_count\":0"));
  EXPECT_EQ(server.peers.size(), 1u);
}

// ---- 40: the upstream's process is restarted ------------------------------------------------------------------------

TEST(UpstreamCase40, ARestartUnderAThousandRequestsIsAmplifiedByAFifthAtMost) {
  constexpr size_t kRequests = 1000;
  SimGateway gateway(
      "upstream u {\n" + kUrl +
      "  retry { max_retries = 2  when error in {reset, refused}  wait = exponential(from: 100ms, jitter: 50%)  "
      "budget = 20% }\n}\n");
  size_t seen = 0;
  const auto hold = [&](SimPeer& peer) {
    if (!Holds(peer.received, "\r\n\r\n")) return;
    peer.received.clear();
    ++seen;
  };
  auto before = std::make_unique<SimServer>(&gateway.network, "10.0.0.1", kUpstreamPort, hold);
  std::vector<std::unique_ptr<SimPeer>> clients;
  for (size_t i = 0; i < kRequests; ++i) {
    clients.push_back(gateway.NewClient());
    clients.back()->Send("GET / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
  }
  ASSERT_TRUE(gateway.network.RunUntil([&] { return seen == kRequests; }));
  EXPECT_EQ(Metric(gateway, "upstream_in_flight{upstream=\"u\"}"), static_cast<int>(kRequests));

  gateway.network.ResetConnectionsTo({"10.0.0.1", kUpstreamPort});
  before.reset();
  SimServer after(&gateway.network, "10.0.0.1", kUpstreamPort, Answering("again"));
  ASSERT_TRUE(gateway.network.RunUntil(
      [&] { return std::all_of(clients.begin(), clients.end(), [](const auto& client) { return client->ended; }); }));
  size_t served = 0;
  for (const auto& client : clients) {
    if (Holds(client->received, "again")) {
      ++served;
    } else {
      EXPECT_EQ(StatusOf(client->received), 502);
      EXPECT_TRUE(Holds(client->received, "X-Should-Retry: false")) << "the client must not multiply what was saved";
    }
  }
  const int retries = Metric(gateway, "upstream_retry_total{upstream=\"u\"}");
  EXPECT_GE(served, 100u);
  EXPECT_LE(static_cast<double>(kRequests + static_cast<size_t>(retries)) / kRequests, 1.2);
  EXPECT_EQ(Metric(gateway, "upstream_in_flight{upstream=\"u\"}"), 0);
}

// ---- The queue on a loop --------------------------------------------------------------------------------------------

TEST(Overload, WhoWaitsIsServedInOrderAndNobodyLongerThanTheQueueLets) {
  SimGateway gateway("upstream u {\n" + kUrl + "  max_in_flight = 2\n  queue { length = 3  timeout = 4s }\n}\n");
  std::vector<std::string> asked;
  SimServer server(&gateway.network, "10.0.0.1", kUpstreamPort, [&](SimPeer& peer) {
    if (!Holds(peer.received, "\r\n\r\n")) return;
    asked.push_back(peer.received.substr(4, peer.received.find(' ', 4) - 4));
    peer.received.clear();
  });
  std::vector<std::unique_ptr<SimPeer>> clients;
  const TimePoint begun = gateway.network.now();
  for (const char* path : {"/a", "/b", "/c", "/d", "/e", "/f"}) {
    clients.push_back(gateway.NewClient());
    clients.back()->Send("GET " + std::string(path) + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
    gateway.network.RunFor(10ms);
  }
  EXPECT_TRUE(clients[5]->ended) << "the queue holds three";
  EXPECT_EQ(StatusOf(clients[5]->received), 503);
  EXPECT_TRUE(Holds(clients[5]->received, "Retry-After: 1\r\n"));
  EXPECT_EQ(Metric(gateway, "queue_length{upstream=\"u\"}"), 3);

  server.peers[0]->Send(Answer("200 OK"));  // a's
  gateway.network.RunFor(10ms);
  EXPECT_EQ(asked, (std::vector<std::string>{"/a", "/b", "/c"}));
  gateway.network.AdvanceTo(begun + 5s);
  EXPECT_EQ(StatusOf(clients[0]->received), 200);
  for (const size_t late : {3, 4}) {
    EXPECT_TRUE(clients[late]->ended);
    EXPECT_EQ(StatusOf(clients[late]->received), 503);
    EXPECT_TRUE(Holds(clients[late]->received, "queue_timeout"));
  }
  EXPECT_FALSE(clients[1]->ended) << "who has a place is not late";
  EXPECT_EQ(asked.size(), 3u);
}

}  // namespace
}  // namespace tests
