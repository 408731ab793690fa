// cold_load and keep_warm over the real proxy on a simulated network: what the model server is asked, who waits, who leaves.
#include <algorithm>
#include <cstdlib>

#include "tests/runtime/proxy/stream_scene.h"

namespace tests {
namespace {

// A server that answers requests to load (/api/generate) once the test says so, and chats at once.
class ColdLoadTest : public testing::Test {
 protected:
  void Begin(const std::string& upstream, const std::string& more = "", const std::string& to = "main") {
    server.reset();
    gateway = std::make_unique<SimGateway>("upstream main {\n  url = \"http://10.0.0.1:11434\"\n  " + upstream + "\n}\n" + more +
                                           "\nroute all { to = " + to + " }\n");
    plan = {200, kOllama.content_type, kOllama.begin + kOllama.text("4") + kOllama.end};
    server = std::make_unique<SimServer>(&gateway->network, "10.0.0.1", 11434, [this](SimPeer& peer) {
      if (!peer.received.starts_with("POST /api/generate ")) return Serving(&plan)(peer);
      loads.push_back(peer.received);
      loaders.push_back(&peer);
    });
  }
  void AnswerLoad(size_t index, const std::string& status = "200 OK") {
    loaders[index]->Send("HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
  }
  uint64_t Metric(const std::string& series) {
    const std::string page = gateway->state->metrics.Expose(gateway->transport.Now(), 0);
    const size_t at = page.find("\n" + series + " ");
    return at == std::string::npos ? 0 : std::strtoull(page.c_str() + at + series.size() + 2, nullptr, 10);
  }
  std::unique_ptr<SimPeer> Ask() {
    auto client = gateway->NewClient();
    client->Send(StreamRequest(kOllama));
    gateway->network.RunFor(100ms);
    return client;
  }
  bool HasAnswer(const SimPeer& client) { return client.received.find("\"content\":\"4\"") != std::string::npos; }

  ServerPlan plan;
  std::vector<std::string> loads;
  std::vector<SimPeer*> loaders;
  std::unique_ptr<SimGateway> gateway;
  std::unique_ptr<SimServer> server;
};

TEST_F(ColdLoadTest, OneRequestLoadsTheModelForAll) {
  Begin("cold_load = 3min");
  auto first = Ask();
  auto second = Ask();
  ASSERT_EQ(loads.size(), 1u);
  EXPECT_TRUE(loads[0].ends_with("\r\n\r\n{\"model\":\"m\",\"stream\":false}")) << loads[0];
  gateway->network.RunFor(2min);
  EXPECT_EQ(first->received, "");
  AnswerLoad(0);
  gateway->network.RunFor(100ms);
  EXPECT_TRUE(HasAnswer(*first));
  EXPECT_TRUE(HasAnswer(*second));
  EXPECT_TRUE(HasAnswer(*Ask()));
  EXPECT_EQ(loads.size(), 1u) << "it is there now";
  EXPECT_EQ(Metric("breakwater_model_loads_total{upstream=\"main\",outcome=\"200\"}"), 1u);
  EXPECT_EQ(Metric("breakwater_load_wait_seconds_count{upstream=\"main\"}"), 2u);
}

TEST_F(ColdLoadTest, TheLoadOutlivesTheClientThatBeganIt) {
  Begin("cold_load = 3min");
  auto first = Ask();
  ASSERT_EQ(loads.size(), 1u);
  first->stream.reset();
  gateway->network.RunFor(1min);
  EXPECT_FALSE(loaders[0]->ended) << "the connection of the load is still open";
  auto second = Ask();
  EXPECT_EQ(loads.size(), 1u);
  AnswerLoad(0);
  gateway->network.RunFor(100ms);
  EXPECT_TRUE(HasAnswer(*second));
}

TEST_F(ColdLoadTest, ALoadThatTakesTooLongIsOneFailureOfTheBreaker) {
  Begin("cold_load = 10s  breaker { open when failures(60s) >= 2 }");
  auto first = Ask();
  auto second = Ask();
  gateway->network.RunFor(10s);
  EXPECT_TRUE(loaders[0]->ended);
  for (const auto* client : {first.get(), second.get()}) {
    EXPECT_NE(client->received.find("504 "), std::string::npos) << client->received;
  }
  EXPECT_EQ(gateway->state->objects.breaker(compiler::model::UpstreamId(0))->Look(gateway->transport.Now()).failure_count, 1);
  EXPECT_EQ(Metric("breakwater_model_loads_total{upstream=\"main\",outcome=\"timeout\"}"), 1u);
  auto third = Ask();
  gateway->network.RunFor(10s);
  EXPECT_EQ(Metric("breakwater_circuit_breaker_open_total{service=\"main\"}"), 1u);
}

TEST_F(ColdLoadTest, MeanwhileTheNextUpstreamServes) {
  Begin("cold_load = 3min", "upstream spare { url = \"http://10.0.0.2:11434\" }", "[main, spare]");
  ServerPlan spare_plan{200, kOllama.content_type, kOllama.begin + kOllama.text("4") + kOllama.end};
  SimServer spare(&gateway->network, "10.0.0.2", 11434, Serving(&spare_plan));
  auto client = Ask();
  EXPECT_FALSE(HasAnswer(*client));
  gateway->network.RunFor(1s);
  EXPECT_TRUE(HasAnswer(*client));
  EXPECT_FALSE(loaders[0]->ended);
  AnswerLoad(0);
  gateway->network.RunFor(1s);
  auto next = Ask();
  EXPECT_TRUE(HasAnswer(*next));
  EXPECT_EQ(spare.peers.size(), 1u) << "back on the first";
}

TEST_F(ColdLoadTest, AServerThatKnowsNoLoadsIsAskedAtOnce) {
  Begin("cold_load = 3min");
  auto client = Ask();
  AnswerLoad(0, "404 Not Found");
  gateway->network.RunFor(100ms);
  EXPECT_TRUE(HasAnswer(*client));
  EXPECT_TRUE(HasAnswer(*Ask()));
  EXPECT_EQ(loads.size(), 1u);
}

TEST_F(ColdLoadTest, TheModelIsTheOneThatTheUpstreamGets) {
  Begin("cold_load = 3min  rewrite = json { \"model\": \"qwen3:32b\" }");
  auto client = Ask();
  ASSERT_EQ(loads.size(), 1u);
  EXPECT_NE(loads[0].find("{\"model\":\"qwen3:32b\","), std::string::npos) << loads[0];
}

TEST_F(ColdLoadTest, KeepWarmAsksWhenNobodyElseDoes) {
  Begin("keep_warm = 4min");
  auto client = Ask();
  EXPECT_TRUE(HasAnswer(*client)) << "nobody waits";
  gateway->network.RunFor(4min - 1s);
  EXPECT_TRUE(loads.empty());
  gateway->network.RunFor(1s);
  ASSERT_EQ(loads.size(), 1u);
  EXPECT_NE(loads[0].find("{\"model\":\"m\","), std::string::npos) << loads[0];
  AnswerLoad(0);
  gateway->network.RunFor(3min);
  auto next = Ask();
  gateway->network.RunFor(3min);
  EXPECT_EQ(loads.size(), 1u) << "a client has asked";
  gateway->network.RunFor(1min);
  EXPECT_EQ(loads.size(), 2u);
}

}  // namespace
}  // namespace tests
