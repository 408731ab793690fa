// The exchange itself, phase × event: what its connection and its attempt may tell it when. Each pair is handled, or stops the program.
#include <functional>

#include "tests/runtime/proxy/exchange_scene.h"

namespace tests {
namespace {

using runtime::proxy::AttemptObserver;

// Running, an exchange has an attempt (with the body it kept, or one that streams), or waits for a place.
enum class In { kReadingBody, kStreaming, kAttempting, kWaiting, kOver };
constexpr In kAll[] = {In::kReadingBody, In::kStreaming, In::kAttempting, In::kWaiting, In::kOver};
constexpr std::string_view kNames[] = {"ReadingBody", "Running", "Running", "Running", "Over"};

const std::string kOnePlace =
    "upstream a { url = \"http://10.0.0.1:80\"  replay_body = 1KiB  max_in_flight = 1  queue { length = 5  timeout = "
    "30s } }\n";

struct Scene {
  explicit Scene(In in)
      : gateway(kOnePlace),
        server(&gateway.network, 1, {""}),
        other(gateway, RequestHead()),
        alone(gateway, RequestHead(http::BodyFraming::kLength, 100'000)) {
    if (in == In::kWaiting) other.exchange.OnRequestEnd();
    if (in == In::kReadingBody) return;
    alone.exchange.OnRequestBody(One(std::string(in == In::kStreaming ? 70'000 : 100, 'x')));
    if (in != In::kStreaming) alone.exchange.OnRequestEnd();
    if (in == In::kOver) alone.exchange.OnClientGone();
    gateway.network.RunFor(10ms);
  }
  ~Scene() {
    alone.exchange.OnClientGone();
    other.exchange.OnClientGone();
    gateway.network.RunFor(10ms);
  }
  SimGateway gateway;
  Answerer server;
  Alone other, alone;
};

TEST(ExchangeDeathTest, HandlesOrStopsEachEventInEachPhase) {
  struct Event {
    std::string name;
    std::function<void(runtime::proxy::Exchange&)> make;
    std::vector<In> handled;
  };
  static const auto head = ResponseHead(200, http::BodyFraming::kLength, "text/plain", 2);
  static const auto interim = ResponseHead(103, http::BodyFraming::kNone, "");
  const std::vector<In> all(std::begin(kAll), std::end(kAll));
  const std::vector<In> with_attempt = {In::kStreaming, In::kAttempting};
  const auto attempt = [](void (*make)(AttemptObserver&)) { return [make](runtime::proxy::Exchange& e) { make(e); }; };
  const std::vector<Event> events = {
      {"OnRequestBody", [](auto& e) { e.OnRequestBody(One("x")); }, {In::kReadingBody, In::kStreaming}},
      {"OnRequestEnd", [](auto& e) { e.OnRequestEnd(); }, {In::kReadingBody, In::kStreaming}},
      {"OnClientGone", [](auto& e) { e.OnClientGone(); }, all},
      {"OnBodyRefused", [](auto& e) { e.OnBodyRefused(400, "bad"); }, all},
      {"OnClientDrained", [](auto& e) { e.OnClientDrained(); }, all},
      {"OnTimer", [](auto& e) { e.OnTimer(); }, all},
      {"NextDeadline", [](auto& e) { (void)e.NextDeadline(); }, all},
      {"Stop", [](auto& e) { e.Stop(); }, all},
      {"OnAttemptConnected", attempt([](AttemptObserver& e) { e.OnAttemptConnected(); }), with_attempt},
      {"OnAttemptRequestSent", attempt([](AttemptObserver& e) { e.OnAttemptRequestSent(); }), with_attempt},
      {"OnAttemptInterim", attempt([](AttemptObserver& e) { e.OnAttemptInterim(interim); }), with_attempt},
      {"OnAttemptHead", attempt([](AttemptObserver& e) { e.OnAttemptHead(head); }), with_attempt},
      {"OnAttemptReadOver", attempt([](AttemptObserver& e) { e.OnAttemptReadOver(); }), with_attempt},
      {"OnAttemptFailed",
       attempt([](AttemptObserver& e) { e.OnAttemptFailed(runtime::engine::ErrorKind::k_reset, false); }),
       with_attempt},
      {"OnAttemptDrained", attempt([](AttemptObserver& e) { e.OnAttemptDrained(); }), with_attempt},
      // Behind a head only, which none of these has: the answer stops it where the attempt does not.
      {"OnAttemptBody", attempt([](AttemptObserver& e) { e.OnAttemptBody(One("ok")); }), {}},
      {"OnAttemptEnd", attempt([](AttemptObserver& e) { e.OnAttemptEnd(true); }), {}},
  };
  for (const Event& event : events) {
    for (const In in : kAll) {
      Scene scene(in);
      const bool has_attempt = std::find(with_attempt.begin(), with_attempt.end(), in) != with_attempt.end();
      if (std::find(event.handled.begin(), event.handled.end(), in) != event.handled.end()) {
        event.make(scene.alone.exchange);
      } else {
        const std::string said =
            event.handled.empty() && has_attempt ? "upstream answer: stage Awaiting, event "
            : in == In::kOver || !event.name.starts_with("OnRequest")
                ? "exchange: phase " + std::string(kNames[static_cast<size_t>(in)]) + ", event " + event.name
                : "request body";
        EXPECT_DEATH(event.make(scene.alone.exchange), said) << event.name;
      }
    }
  }
}

}  // namespace
}  // namespace tests
