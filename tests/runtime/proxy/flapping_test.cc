// The shipped policy for two models through an outage of the large one and its recovery, at many phases of both, in virtual time.
#include <chrono>
#include <fstream>
#include <regex>
#include <sstream>

#include "base/random.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

using namespace std::chrono_literals;
using base::TimePoint;

constexpr int kRequests = 20;
constexpr Duration kEvery = 4s;
constexpr Duration kOutage = 60s;
constexpr Duration kUnlucky =
    64s;  // requests every 4 s and an open_for of 5 s: without checks this one ends just after a probe
constexpr Duration kOpenFor = 5s;  // as in the policy; looked at below
constexpr int kFailuresThatOpen = 5;
constexpr Duration kBackWithin = 5s;
constexpr int kPhases = 20;
constexpr Duration kBeginsWithin =
    8s;  // more than `open_for`, so that a request may meet the breaker at any point of it

// The upstreams and routes of the policy as it is shipped; SimGateway brings a gateway block of its own. Its tests are about the whole
// of it, and here parts are taken out.
std::string ShippedPolicy() {
  std::ifstream file(std::string(BREAKWATER_SOURCE_DIR) + "/policies/two-models.policy");
  std::stringstream text;
  text << file.rdbuf();
  const std::regex head(R"(edition 1[\s\S]*?gateway \{[^}]*\})");
  EXPECT_TRUE(std::regex_search(text.str(), head));
  EXPECT_NE(text.str().find("open_for = 5s"), std::string::npos);
  const std::string policy = text.str().substr(0, text.str().find("\ntest \""));
  return std::regex_replace(policy, head, "", std::regex_constants::format_first_only);
}

std::string Without(const std::string& policy, const std::string& pattern) {
  const std::string changed = std::regex_replace(policy, std::regex(pattern), "");
  EXPECT_NE(changed, policy) << pattern;
  return changed;
}

constexpr const char* kAnswer =
    "{\"model\":\"m\",\"created_at\":\"2026-01-28T10:20:00Z\",\"message\":{\"role\":\"assistant\",\"content\":"
    "\"whole\"},\"done\":false}\n"
    "{\"model\":\"m\",\"created_at\":\"2026-01-28T10:20:00Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},"
    "\"done\":true}\n";

// A model server that can be down. Requests arrive in one piece each: they are small.
struct Model {
  Model(SimNetwork* network, uint16_t port)
      : server(network, "127.0.0.1", port, [this](SimPeer& peer) { Serve(peer); }), network_(network) {}

  void Serve(SimPeer& peer) {
    const size_t head = peer.received.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const bool is_chat = peer.received.starts_with("POST ");
    const std::regex length(R"(content-length: *(\d+))", std::regex::icase);
    std::smatch found;
    const std::string text = peer.received.substr(0, head);
    const size_t body = std::regex_search(text, found, length) ? std::stoul(found[1]) : 0;
    if (peer.received.size() < head + 4 + body) return;
    peer.received.erase(0, head + 4 + body);
    if (is_chat) (is_down ? asked_while_down : asked_while_up).push_back(network_->now());
    const std::string answer = is_down ? "{\"error\":\"overloaded\"}" : is_chat ? kAnswer : "{}";
    peer.Send(std::string("HTTP/1.1 ") + (is_down ? "503 Service Unavailable" : "200 OK") +
              "\r\nContent-Type: " + (is_chat && !is_down ? "application/x-ndjson" : "application/json") +
              "\r\nContent-Length: " + std::to_string(answer.size()) + "\r\n\r\n" + answer);
  }

  bool is_down = false;
  std::vector<TimePoint> asked_while_down;
  std::vector<TimePoint> asked_while_up;
  SimServer server;

 private:
  SimNetwork* network_;
};

struct Story {
  int served = 0;
  int asked_while_down = 0;
  Duration back_after{};  // from the recovery to the first request that the large model answers
};

// The outage begins `phase` after the first request; the health checks and the breaker are at whatever point of theirs.
Story Run(const std::string& policy, Duration phase, Duration outage) {
  SimGateway gateway(policy);
  SimNetwork& network = gateway.network;
  Model large(&network, 11434);
  Model small(&network, 11435);
  const TimePoint begin = network.now();
  network.At(begin + phase, [&] { large.is_down = true; });
  network.At(begin + phase + outage, [&] { large.is_down = false; });

  Story story;
  std::vector<std::unique_ptr<SimPeer>> clients;
  const std::string body = R"({"model":"qwen3:32b","messages":[{"role":"user","content":"hi"}]})";
  for (int number = 0; number < kRequests; ++number) {
    network.AdvanceTo(begin + number * kEvery);
    clients.push_back(gateway.NewClient());
    clients.back()->Send("POST /api/chat HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: " +
                         std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  network.RunFor(kEvery);
  for (const auto& client : clients) {
    const bool is_whole = client->received.starts_with("HTTP/1.1 200 ") &&
                          client->received.find("\"whole\"") != std::string::npos &&
                          client->received.find("\"done\":true") != std::string::npos;
    story.served += is_whole ? 1 : 0;
  }
  story.asked_while_down = static_cast<int>(large.asked_while_down.size());
  story.back_after = Duration::max();
  for (const TimePoint at : large.asked_while_up) {
    if (at >= begin + phase + outage) story.back_after = std::min(story.back_after, at - (begin + phase + outage));
  }
  return story;
}

std::vector<Story> RunPhases(const std::string& policy, Duration outage) {
  base::Random random(1);
  std::vector<Story> stories;
  for (int number = 0; number < kPhases; ++number) {
    stories.push_back(Run(policy, std::chrono::duration_cast<Duration>(random.Fraction() * kBeginsWithin), outage));
  }
  return stories;
}

// What opens the breaker, and one probe for each time that it was open.
int MostWhileDown(Duration outage) {
  return kFailuresThatOpen + static_cast<int>((outage + kOpenFor - 1ns) / kOpenFor);
}

TEST(Flapping, OutageIsServedBySmallModelAndLargeOneIsBackSoon) {
  for (const Duration outage : {kOutage, kUnlucky}) {
    for (const Story& story : RunPhases(ShippedPolicy(), outage)) {
      EXPECT_EQ(story.served, kRequests);
      EXPECT_LE(story.asked_while_down, MostWhileDown(outage));
      EXPECT_LE(story.back_after, kBackWithin);
    }
  }
}

TEST(Flapping, WithoutHealthChecksTheLargeModelIsBackTooLateAtSomePhase) {
  Duration latest{};
  for (const Story& story : RunPhases(Without(ShippedPolicy(), R"(health \{[^}]*\})"), kUnlucky)) {
    EXPECT_EQ(story.served, kRequests);
    latest = std::max(latest, story.back_after);
  }
  EXPECT_GT(latest, kBackWithin);
}

TEST(Flapping, WithoutBreakerTheLargeModelIsAskedByEverybody) {
  const std::string policy = Without(Without(ShippedPolicy(), R"(health \{[^}]*\})"), R"(breaker \{[^}]*\})");
  for (const Story& story : RunPhases(policy, kOutage)) EXPECT_GT(story.asked_while_down, MostWhileDown(kOutage));
}

}  // namespace
}  // namespace tests
