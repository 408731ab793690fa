// A client that leaves, in each state of the exchange (the table in runtime/engine/exchange_machine.h): the connection to the
// upstream is closed at once, place, flight and probe are given back, and nothing is asked or sent afterwards. On a simulated
// network and a virtual clock.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <ostream>

#include "tests/runtime/proxy/stream_scene.h"

namespace tests {
namespace {

using Fault = ServerPlan::Fault;

constexpr Duration kPromise = 50ms;  // docs/failover.md

// A model server that notes what it is asked and answers by its plan, or keeps silent.
class Model {
 public:
  Model(SimNetwork* network, const std::string& ip)
      : answer_(Serving(&plan, &requests)), server_(network, ip, 11434, [this](SimPeer& peer) {
          if (!silent) return answer_(peer);
          if (peer.received.find("\r\n\r\n") != std::string::npos) requests.push_back(std::exchange(peer.received, ""));
        }) {}

  size_t connections() const { return server_.peers.size(); }
  bool all_ended() const {
    return std::all_of(server_.peers.begin(), server_.peers.end(), [](const auto& peer) { return peer->ended; });
  }

  ServerPlan plan;
  bool silent = true;
  std::vector<std::string> requests;

 private:
  std::function<void(SimPeer&)> answer_;
  SimServer server_;
};

struct Stage;

struct Story {
  std::string state = {};
  std::string upstream = {};                 // settings of the first upstream, beside url, max_in_flight and breaker
  std::string route = {};                    // settings of the route, beside `to` and `cache`
  std::function<void(Stage&)> prepare = {};  // before the client asks; may be null
  std::function<bool(Stage&)> reached = {};  // the client has asked: whether the state is reached
  bool has_breakers = true;                  // half-open, with one probe: whoever is under way holds it
  bool has_second = false;                   // upstream of the route
  size_t still_open = 0;                     // connections to upstreams that serve others
  std::string host = "10.0.0.1";             // of the first upstream
};

void PrintTo(const Story& story, std::ostream* out) { *out << story.state; }

std::string PolicyOf(const Story& story) {
  const std::string breaker =
      story.has_breakers ? "  breaker { open when failures(60s) >= 1  open_for = 1s  probes = 1 }\n" : "";
  const std::string common = "  max_in_flight = 1\n  queue { length = 8  timeout = 50s }\n" + breaker;
  std::string policy =
      "cache answers { key = \"${request.json.model}\"  ttl = 1h  shared = true }\nupstream first {\n"
      "  url = \"http://" +
      story.host + ":11434\"\n" + common + story.upstream + "\n}\n";
  if (story.has_second) policy += "upstream second {\n  url = \"http://10.0.0.2:11434\"\n" + common + "}\n";
  return policy + "route all {\n  to = " + (story.has_second ? "[first, second]" : "first") + "\n  cache = answers\n" +
         story.route + "\n}\n" +
         (story.route.empty() ? "" : "mock later { delay = 30s  status = 200  text = \"Later.\" }\n");
}

// Its connection is closed, so that none stays in the pool.
const ServerPlan kFails = {.status = 500, .content_type = "application/json", .body = "{}", .chunked = false};

struct Stage {
  explicit Stage(const Story& told)
      : story(told),
        gateway(PolicyOf(told)),
        first(&gateway.network, "10.0.0.1"),
        second(&gateway.network, "10.0.0.2") {
    if (!story.has_breakers) return;
    // Both breakers open, and then are half-open: the next attempt is a probe.
    first.silent = second.silent = false;
    first.plan = second.plan = kFails;
    Ask(gateway, kOllama, Request("prelude"));
    gateway.network.RunFor(2s);
    first.silent = second.silent = true;
    first.requests.clear();
    second.requests.clear();
  }
  static std::string Request(const std::string& model) {
    return StreamRequest(kOllama, "{\"model\":\"" + model + "\",\"stream\":true,\"messages\":[]}");
  }
  std::unique_ptr<SimPeer> Client(const std::string& model) {
    auto asks = gateway.NewClient();
    asks->Send(Request(model));
    return asks;
  }
  double Metric(const std::string& series) {
    const std::string page = gateway.state->metrics.Expose(gateway.transport.Now(), 0);
    const size_t at = page.find("\nbreakwater_" + series + " ");
    return at == std::string::npos ? 0 : std::strtod(page.c_str() + at + 13 + series.size(), nullptr);
  }
  size_t open_upstreams() const {
    return static_cast<size_t>(!first.all_ended()) + static_cast<size_t>(!second.all_ended());
  }
  size_t asked() const { return first.requests.size() + second.requests.size(); }
  runtime::engine::Limiter::Snapshot places(int upstream) {
    return gateway.state->objects.limiter(compiler::model::UpstreamId(upstream))->Look();
  }
  int probes(int upstream) {
    const auto* breaker = gateway.state->objects.breaker(compiler::model::UpstreamId(upstream));
    return breaker == nullptr ? 0 : breaker->Look(gateway.transport.Now()).probes_in_flight;
  }

  const Story story;
  SimGateway gateway;
  Model first;
  Model second;
  std::unique_ptr<SimPeer> other;  // a client that stays
  std::unique_ptr<SimPeer> client;
};

const ServerPlan kHead = {200, kOllama.content_type, kOllama.begin, Fault::kStall, kOllama.begin.size()};
const std::string kBeginning = kOllama.begin + kOllama.text("Hel");
const ServerPlan kStalls = {200, kOllama.content_type, kBeginning, Fault::kStall, kBeginning.size()};
const ServerPlan kCut = {200, kOllama.content_type, kBeginning, Fault::kFin, kBeginning.size()};

void Answer(Model& model, const ServerPlan& plan) {
  model.silent = false;
  model.plan = plan;
}
bool HasText(const Stage& stage) { return stage.client->received.find("Hel") != std::string::npos; }
bool FirstIsAsked(Stage& stage) { return stage.first.requests.size() == 1; }

const std::string kContinues = "  on_cut = continue  repeat_safe = true";

const Story kStories[] = {
    {.state = "Following",
     .prepare = [](Stage& stage) { stage.other = stage.Client("story"); },
     .reached = [](Stage& stage) { return FirstIsAsked(stage) && stage.Metric("requests_in_flight") == 2; },
     .still_open = 1},
    {.state = "Queued",
     .prepare = [](Stage& stage) { stage.other = stage.Client("another"); },
     .reached = [](Stage& stage) { return stage.Metric("queue_length{upstream=\"first\"}") == 1; },
     .has_breakers = false,
     .still_open = 1},
    {.state = "Attempting, the name not yet known",
     .prepare = [](Stage& stage) { stage.gateway.network.SetName("models.internal", {"10.0.0.1"}, 1s); },
     .reached = [](Stage& stage) { return stage.Metric("upstream_in_flight{upstream=\"first\"}") == 1; },
     .has_breakers = false,
     .host = "models.internal"},
    {.state = "Attempting, while it connects",
     .prepare = [](Stage& stage) { stage.gateway.network.SetRoute("10.0.0.1", 11434, SimNetwork::Route::kBlackHole); },
     .reached = [](Stage& stage) { return stage.Metric("upstream_in_flight{upstream=\"first\"}") == 1; }},
    {.state = "Attempting, before the head", .reached = FirstIsAsked},
    {.state = "Held", .prepare = [](Stage& stage) { Answer(stage.first, kHead); }, .reached = FirstIsAsked},
    {.state = "Committed", .prepare = [](Stage& stage) { Answer(stage.first, kStalls); }, .reached = HasText},
    {.state = "Continuing, before the head",
     .upstream = kContinues,
     .prepare = [](Stage& stage) { Answer(stage.first, kCut); },
     .reached = [](Stage& stage) { return HasText(stage) && stage.second.requests.size() == 1; },
     .has_second = true},
    {.state = "Continuing, after the head",
     .upstream = kContinues,
     .prepare =
         [](Stage& stage) {
           Answer(stage.first, kCut);
           Answer(stage.second, kHead);
         },
     .reached = [](Stage& stage) { return HasText(stage) && stage.second.requests.size() == 1; },
     .has_second = true},
    {.state = "BackingOff",
     .upstream =
         "  repeat_safe = true  retry { max_retries = 3  when status == 500  wait = exponential(from: 20s, cap: 20s) }",
     .prepare = [](Stage& stage) { Answer(stage.first, kFails); },
     .reached =
         [](Stage& stage) { return stage.Metric("upstream_attempts_total{upstream=\"first\",outcome=\"500\"}") == 1; },
     .has_breakers = false},
    {.state = "Mocking",
     .route = "  fallback = [later]",
     .prepare = [](Stage& stage) { Answer(stage.first, kFails); },
     .reached =
         [](Stage& stage) { return stage.Metric("upstream_attempts_total{upstream=\"first\",outcome=\"500\"}") == 1; },
     .has_breakers = false},
};

enum class Leaving : uint8_t { kReset, kFin };

class ClientLeaves : public testing::TestWithParam<std::tuple<Story, Leaving>> {};

TEST_P(ClientLeaves, StopsTheUpstreamAndGivesBackWhatItHeld) {
  const auto& [story, how] = GetParam();
  Stage stage(story);
  if (story.prepare) story.prepare(stage);
  if (stage.other) stage.gateway.network.RunFor(10ms);
  stage.client = stage.Client("story");
  ASSERT_TRUE(stage.gateway.network.RunUntil([&] { return story.reached(stage); }, 10s)) << stage.client->received;
  stage.gateway.network.RunFor(10ms);
  const std::string got = stage.client->received;

  if (how == Leaving::kReset) {
    stage.client->stream->Reset();
  } else {
    stage.client->stream->FinishWriting();
  }
  const size_t others = stage.other ? 1 : 0;
  const auto left_at = stage.gateway.network.now();
  EXPECT_TRUE(stage.gateway.network.RunUntil(
      [&] {
        return stage.open_upstreams() == story.still_open &&
               stage.Metric("upstream_in_flight{upstream=\"first\"}") == static_cast<double>(others) &&
               stage.Metric("requests_in_flight") == static_cast<double>(others);
      },
      kPromise))
      << stage.open_upstreams() << " upstreams still have a connection after "
      << (stage.gateway.network.now() - left_at) / 1ms << " ms";
  for (const int upstream : {0, 1}) {
    if (upstream == 1 && !story.has_second) continue;
    EXPECT_EQ(stage.places(upstream).in_flight, upstream == 0 && stage.other ? 1 : 0);
    EXPECT_EQ(stage.places(upstream).waiting, 0);
    EXPECT_EQ(stage.probes(upstream), upstream == 0 && stage.other && story.has_breakers ? 1 : 0);
  }
  EXPECT_EQ(stage.Metric("stream_end_total{how=\"client_gone\"}"), 1);
  EXPECT_EQ(stage.client->received, got);

  // Nothing more comes of it, whatever would have been due: retry, limits, the next upstream, a mock.
  const size_t asked = stage.asked();
  const size_t connections = stage.first.connections() + stage.second.connections();
  if (!stage.other) {
    stage.gateway.network.RunFor(1h);
    EXPECT_EQ(stage.asked(), asked);
    EXPECT_EQ(stage.first.connections() + stage.second.connections(), connections);
    EXPECT_EQ(stage.client->received, got);
  }

  // The next one with the same question finds the way free: a flight, a place or a probe that was kept would stop it.
  if (stage.other) return;
  stage.gateway.network.SetRoute("10.0.0.1", 11434, SimNetwork::Route::kNormal);
  Answer(stage.first, {200, kOllama.content_type, kOllama.begin + kOllama.text("4") + kOllama.end});
  const Received next = Ask(stage.gateway, kOllama, Stage::Request("story"));
  EXPECT_EQ(next.text, "4") << next.head << next.body;
  EXPECT_EQ(stage.asked(), asked + 1);
}

INSTANTIATE_TEST_SUITE_P(States, ClientLeaves,
                         testing::Combine(testing::ValuesIn(kStories), testing::Values(Leaving::kReset, Leaving::kFin)),
                         [](const auto& param) {
                           std::string name = std::get<0>(param.param).state;
                           std::erase_if(name, [](char c) { return c == ' ' || c == ','; });
                           return name + (std::get<1>(param.param) == Leaving::kReset ? "ByReset" : "ByFin");
                         });

// ---- Those who depend on who leaves ------------------------------------------------------------------------------------

const Story kShared = {.state = "shared"};
const ServerPlan kWhole = {200, kOllama.content_type, kOllama.begin + kOllama.text("4") + kOllama.end};

TEST(ClientLeavesOthers, WhoFollowedALeaderThatLeftAsksByItself) {
  Stage stage(kShared);
  stage.client = stage.Client("story");
  ASSERT_TRUE(stage.gateway.network.RunUntil([&] { return FirstIsAsked(stage); }, 1s));
  stage.other = stage.Client("story");
  ASSERT_TRUE(stage.gateway.network.RunUntil([&] { return stage.Metric("requests_in_flight") == 2; }, 1s));
  Answer(stage.first, kWhole);
  stage.client->stream->Reset();
  EXPECT_TRUE(stage.gateway.network.RunUntil(
      [&] { return stage.other->received.find("\"done\":true") != std::string::npos; }, kPromise));
  EXPECT_EQ(stage.first.requests.size(), 2u);
}

TEST(ClientLeavesOthers, ALeaderWhoseFollowerLeftIsServed) {
  Stage stage(kShared);
  stage.other = stage.Client("story");
  ASSERT_TRUE(stage.gateway.network.RunUntil([&] { return FirstIsAsked(stage); }, 1s));
  stage.client = stage.Client("story");
  ASSERT_TRUE(stage.gateway.network.RunUntil([&] { return stage.Metric("requests_in_flight") == 2; }, 1s));
  stage.client->stream->Reset();
  stage.gateway.network.RunFor(1s);
  EXPECT_FALSE(stage.first.all_ended());
  EXPECT_EQ(stage.first.requests.size(), 1u);
  EXPECT_EQ(stage.Metric("requests_in_flight"), 1);
}

TEST(ClientLeavesOthers, WhoWaitsBehindOneThatLeftTheQueueMovesUp) {
  Stage stage({.state = "queue", .has_breakers = false});
  stage.other = stage.Client("another");
  ASSERT_TRUE(stage.gateway.network.RunUntil([&] { return FirstIsAsked(stage); }, 1s));
  stage.client = stage.Client("story");
  ASSERT_TRUE(stage.gateway.network.RunUntil([&] { return stage.places(0).waiting == 1; }, 1s));
  auto third = stage.Client("third");
  ASSERT_TRUE(stage.gateway.network.RunUntil([&] { return stage.places(0).waiting == 2; }, 1s));
  stage.client->stream->Reset();
  ASSERT_TRUE(stage.gateway.network.RunUntil([&] { return stage.places(0).waiting == 1; }, kPromise));
  Answer(stage.first, kWhole);
  stage.other->stream->Reset();
  EXPECT_TRUE(stage.gateway.network.RunUntil([&] { return third->received.find("\"done\":true") != std::string::npos; },
                                             kPromise));
  EXPECT_EQ(stage.first.requests.size(), 2u) << "the one that left was never asked for";
}

// A client that had stopped to read, so that the gateway had stopped to read, too.
TEST(ClientLeavesOthers, AnUpstreamThatWaitsForASlowClientIsClosed) {
  Stage stage({.state = "slow", .has_breakers = false});
  std::string body = kOllama.begin;
  for (int i = 0; i < 2000; ++i) body += kOllama.text(std::string(1000, 'x'));
  Answer(stage.first, {200, kOllama.content_type, body, Fault::kStall, body.size()});
  stage.client = stage.Client("story");
  stage.client->stream->PauseReading();
  stage.gateway.network.RunFor(1s);
  ASSERT_EQ(stage.Metric("requests_in_flight"), 1);
  stage.client->stream->Reset();
  EXPECT_TRUE(stage.gateway.network.RunUntil([&] { return stage.first.all_ended(); }, kPromise));
  EXPECT_EQ(stage.places(0).in_flight, 0);
}

// An object that is held until it is whole, and a body that streams past while it is sent.
TEST(ClientLeavesOthers, HeldObjectsAndUploadsAreGivenUpAsWell) {
  for (const bool is_upload : {false, true}) {
    Stage stage({.state = "bodies", .has_breakers = false});
    Answer(stage.first, {200, "application/json", "{\"message\":{\"content\":\"Hel", Fault::kStall, 26});
    stage.client = stage.gateway.NewClient();
    if (is_upload) {
      stage.client->Send("POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n" +
                         std::string(100'000, 'x'));
    } else {
      stage.client->Send("POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\n{\"stream\":false}");
    }
    stage.gateway.network.RunFor(100ms);
    ASSERT_EQ(stage.first.connections(), 1u);
    ASSERT_FALSE(stage.first.all_ended());
    stage.client->stream->Reset();
    EXPECT_TRUE(stage.gateway.network.RunUntil([&] { return stage.first.all_ended(); }, kPromise)) << is_upload;
    EXPECT_EQ(stage.places(0).in_flight, 0);
  }
}

}  // namespace
}  // namespace tests
