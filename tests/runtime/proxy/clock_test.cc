// Clocks that are set, and machines that sleep: windows, timers and times that are shown stay right.
#include <chrono>

#include <nlohmann/json.hpp>

#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests

const std::string kUrl = "url = \"http://10.0.0.1:11434\"\n";

std::function<void(SimPeer&)> Failing() {
  return [](SimPeer& peer) {
    while (peer.received.find("\r\n\r\n") != std::string::npos) {
      peer.received.erase(0, peer.received.find("\r\n\r\n") + 4);
      peer.Send("HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno");
    }
  };
}

nlohmann::json Breaker(SimGateway& gateway) {
  const std::string answer = gateway.Get("/health/circuit-breaker/u");
  return nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
}

int StatusOf(const std::string& answer) { return answer.size() < 12 ? 0 : std::atoi(answer.c_str() + 9); }

class ClockSteps : public testing::TestWithParam<std::chrono::hours> {};

TEST_P(ClockSteps, LeaveWindowsAndOpenForAsTheyAre) {
  SimGateway gateway("upstream u {\n" + kUrl + "  breaker { open when failures(60s) >= 3  open_for = 30s }\n}\n");
  SimServer server(&gateway.network, "10.0.0.1", 11434, Failing());
  gateway.Get();
  gateway.Get();
  gateway.network.StepWall(GetParam());
  EXPECT_EQ(Breaker(gateway)["failure_count"], 2) << "two failures a moment ago";
  gateway.Get();
  EXPECT_EQ(Breaker(gateway)["state"], "OPEN") << "three within a minute";
  gateway.network.StepWall(-GetParam() / 2);
  gateway.network.RunFor(29s);
  EXPECT_EQ(Breaker(gateway)["state"], "OPEN");
  gateway.network.RunFor(2s);
  EXPECT_EQ(Breaker(gateway)["state"], "HALF_OPEN");
}

TEST_P(ClockSteps, AreSeenInTheTimesThatAreShown) {
  SimGateway gateway("upstream u {\n" + kUrl + "  breaker { open when failures(60s) >= 1  open_for = 30s }\n}\n");
  SimServer server(&gateway.network, "10.0.0.1", 11434, Failing());
  gateway.Get();
  const std::string before = Breaker(gateway)["retry_at"];
  gateway.network.StepWall(GetParam());
  const std::string after = Breaker(gateway)["retry_at"];
  EXPECT_NE(before, after) << "by the clock as it is now";
  EXPECT_EQ(before.substr(14), after.substr(14)) << "steps of whole hours";
}

TEST_P(ClockSteps, LeaveCachesAndLimitsOfTimeAsTheyAre) {
  int asked = 0;
  SimGateway gateway("upstream u {\n" + kUrl +
                     "  attempt_timeout = 10s\n}\ncache kept { key = \"k ${request.path}\"  ttl = 60s  shared = true }\n"
                     "route kept { when request.path == \"/kept\"  to = u  cache = kept }\nroute all { to = u }\n");
  SimServer server(&gateway.network, "10.0.0.1", 11434, [&](SimPeer& peer) {
    ++asked;
    if (peer.received.find("/silent") == std::string::npos) Answering("ok")(peer);
  });
  gateway.Get("/kept");
  gateway.network.StepWall(GetParam());
  gateway.Get("/kept");
  EXPECT_EQ(asked, 1) << "a minute has not passed";
  auto client = gateway.NewClient();
  client->Send("GET /silent HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
  gateway.network.RunFor(5s);
  gateway.network.StepWall(-2 * GetParam());
  gateway.network.RunFor(4s);
  EXPECT_FALSE(client->ended);
  gateway.network.RunFor(2s);
  EXPECT_TRUE(client->ended);
  EXPECT_EQ(StatusOf(client->received), 504) << client->received;
  gateway.network.RunFor(60s);
  gateway.Get("/kept");
  EXPECT_EQ(asked, 3);
}

INSTANTIATE_TEST_SUITE_P(ForwardAndBack, ClockSteps, testing::Values(1h, -1h, 24h * 400, -24h * 400));

// A closed laptop: nothing runs, and then it is much later.
TEST(Suspended, AMachineThatWakesUpKnowsHowLateItIs) {
  int asked = 0;
  SimGateway gateway("upstream u {\n" + kUrl +
                     "  repeat_safe = true\n  attempt_timeout = 10s\n"
                     "  breaker { open when failures(60s) >= 2  open_for = 30s }\n}\n");
  bool is_silent = true;
  SimServer server(&gateway.network, "10.0.0.1", 11434, [&](SimPeer& peer) {
    ++asked;
    if (!is_silent) Answering("ok")(peer);
  });
  auto waiting = gateway.NewClient();
  waiting->Send("GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
  gateway.network.RunFor(1s);
  gateway.network.Suspend(8h);
  gateway.network.RunFor(100ms);
  EXPECT_TRUE(waiting->ended) << "its time is over, by hours";
  EXPECT_EQ(StatusOf(waiting->received), 504) << waiting->received;
  EXPECT_EQ(Breaker(gateway)["failure_count"], 1);
  // The failures of last night are none of this minute.
  gateway.network.Suspend(8h);
  gateway.network.RunFor(100ms);
  EXPECT_EQ(Breaker(gateway)["failure_count"], 0);
  is_silent = false;
  EXPECT_EQ(StatusOf(gateway.Get()), 200);
  EXPECT_EQ(Breaker(gateway)["state"], "CLOSED");
}

TEST(Suspended, ABreakerThatWasOpenIsAskedAgainOnWaking) {
  SimGateway gateway("upstream u {\n" + kUrl + "  breaker { open when failures(60s) >= 1  open_for = 10min }\n}\n");
  bool is_broken = true;
  SimServer server(&gateway.network, "10.0.0.1", 11434,
                   [&](SimPeer& peer) { is_broken ? Failing()(peer) : Answering("ok")(peer); });
  gateway.Get();
  EXPECT_EQ(StatusOf(gateway.Get()), 503);
  is_broken = false;
  gateway.network.Suspend(8h);
  EXPECT_EQ(StatusOf(gateway.Get()), 200);
  EXPECT_EQ(Breaker(gateway)["state"], "CLOSED");
}

}  // namespace
}  // namespace tests
