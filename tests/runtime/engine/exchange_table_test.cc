// State × event: to which state each event leads from each, that the others are ignored, and what stops the program. A new state or
// event has no line here until it is thought about.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <sstream>
#include <variant>

#include "tests/runtime/engine/machine_fixtures.h"
#include "tests/runtime/engine/machine_peer.h"

namespace tests {
namespace {

using runtime::engine::Event;
using runtime::engine::ExchangeMachinePeer;
using runtime::engine::GatewayStops;
using runtime::engine::LoadNews;
using runtime::engine::Refused;
using Phase = ExchangeMachinePeer::Phase;

// An exchange in some state, with all that it lives on.
struct Situation {
  PolicyBuilder b;
  std::unique_ptr<Scene> scene;
  std::vector<std::unique_ptr<TestExchange>> others;
  std::unique_ptr<TestExchange> exchange;

  TestExchange& Begin() {
    if (scene == nullptr) scene = std::make_unique<Scene>(b.Build());
    exchange = std::make_unique<TestExchange>(*scene, 0s);
    return *exchange;
  }
  void BeginBehindAnother() {
    Begin().Ready(0s);
    others.push_back(std::move(exchange));
    Begin().Ready(0s);
  }
  Phase phase() { return ExchangeMachinePeer::Of(exchange->machine()).phase; }
};

std::unique_ptr<Situation> In(Phase phase) {
  auto s = std::make_unique<Situation>();
  const model::UpstreamId a = s->b.Upstream("a");
  s->b[a].repeat_safe = model::RepeatSafe::kTrue;
  std::vector<model::UpstreamId> to = {a};
  if (phase == Phase::kQueued || phase == Phase::kLoading || phase == Phase::kContinuing)
    to.push_back(s->b.Upstream("c"));
  if (phase == Phase::kContinuing) to.push_back(s->b.Upstream("d"));
  model::RetrySettings retry;
  retry.max_retries = 1;
  retry.when = s->b.When(expr::ErrorIn({ErrorKind::k_refused}));
  retry.wait = {100ms, 2, 1s, 0};
  s->b[a].retry = retry;
  const model::RouteId route = s->b.Route(to);
  switch (phase) {
    case Phase::kFollowing:
      s->b[route].cache = s->b.Cache("answers", 10s);
      s->b[route].deadline = 30s;
      s->BeginBehindAnother();
      break;
    case Phase::kQueued:
      s->b[a].max_in_flight = 1;
      s->b[a].queue = model::QueueSettings{2, 5s};
      s->BeginBehindAnother();
      break;
    case Phase::kLoading: {
      s->b[a].cold_load = 60s;
      RequestReady ready{route, true, true};
      ready.model_at = [](model::UpstreamId) { return std::string("m"); };
      s->Begin().On(0s, ready);
      break;
    }
    case Phase::kMocking: {
      const model::MockId mock = s->b.Mock("m", 300ms);
      s->b[route].fallback = {mock};
      s->b[a].retry.reset();
      s->Begin().Ready(0s);
      s->exchange->On(0s, AttemptFailed{ErrorKind::k_refused});
      break;
    }
    case Phase::kContinuing:
      for (const model::UpstreamId id : to) s->b[id].on_cut = model::OnCut::kContinue;
      s->Begin().Ready(0s);
      s->exchange->On(0s, AttemptHead{200});
      s->exchange->On(0s, AttemptContent{});
      s->exchange->ObserveSent(runtime::engine::Continuation::kPrefill);
      s->exchange->On(0s, AttemptFailed{ErrorKind::k_truncated});
      s->exchange->On(0s, AttemptHead{200});
      break;
    case Phase::kNew: s->Begin(); break;
    case Phase::kAttempting: s->Begin().Ready(0s); break;
    case Phase::kBackingOff:
      s->Begin().Ready(0s);
      s->exchange->On(0s, AttemptFailed{ErrorKind::k_refused});
      break;
    case Phase::kHeld:
    case Phase::kCommitted:
    case Phase::kDone:
      s->Begin().Ready(0s);
      s->exchange->On(0s, AttemptHead{200});
      if (phase != Phase::kHeld) s->exchange->On(0s, AttemptContent{});
      if (phase == Phase::kDone) s->exchange->On(0s, AttemptEnded{});
      break;
  }
  EXPECT_EQ(s->phase(), phase) << ExchangeMachinePeer::NameOf(phase);
  return s;
}

// "." is ignored, "!" stops the program. TimeReached comes when it was asked for.
constexpr std::string_view kTable = R"(
              New         Following   Loading     Queued      Attempting  Held        Committed   Continuing  BackingOff  Mocking     Done
RequestReady  Attempting  !           !           !           !           !           !           !           !           !           .
Refused       Done        !           !           !           Done        !           !           Continuing  !           !           .
AttemptConnected    .     .           .           .           .           .           .           .           .           .           .
AttemptRequestSent  .     .           .           .           .           .           .           .           .           .           .
AttemptHead   .           .           .           .           Held        .           .           .           .           .           .
AttemptContent  .         .           .           .           .           Committed   .           Committed   .           .           .
AttemptEnded  .           .           .           .           .           Done        Done        Done        .           .           .
AttemptFailed  .          .           .           .           BackingOff  BackingOff  Done        Continuing  .           .           .
PlaceNews     .           .           .           Queued      .           .           .           .           .           .           .
LoadNews      .           .           Loading     .           .           .           .           .           .           .           .
CacheSettled  .           Attempting  .           .           .           .           .           .           .           .           .
ClientGone    Done        Done        Done        Done        Done        Done        Done        Done        Done        Done        .
GatewayStops  Done        Done        Done        Done        Done        Done        Done        Done        Done        Done        .
TimeReached   .           Done        Attempting  Attempting  Done        Done        Done        Continuing  Attempting  Done        .
)";

TEST(ExchangeTableDeathTest, EachEventInEachStateDoesWhatTheTableSays) {
  constexpr Phase kPhases[] = {Phase::kNew,        Phase::kFollowing, Phase::kLoading,   Phase::kQueued,
                               Phase::kAttempting, Phase::kHeld,      Phase::kCommitted, Phase::kContinuing,
                               Phase::kBackingOff, Phase::kMocking,   Phase::kDone};
  const std::vector<Event> events = {RequestReady{model::RouteId(0), true, false},
                                     Refused{runtime::engine::refusals::no_route},
                                     AttemptConnected{},
                                     AttemptRequestSent{},
                                     AttemptHead{200},
                                     AttemptContent{},
                                     AttemptEnded{},
                                     AttemptFailed{ErrorKind::k_refused},
                                     PlaceNews{},
                                     LoadNews{},
                                     CacheSettled{},
                                     ClientGone{},
                                     GatewayStops{},
                                     TimeReached{}};
  ASSERT_EQ(events.size(), std::variant_size_v<Event>) << "each event has its row";

  std::istringstream table{std::string(kTable)};
  std::string word;
  for (const Phase phase : kPhases) {
    ASSERT_TRUE(table >> word);
    ASSERT_EQ(word, ExchangeMachinePeer::NameOf(phase));
  }
  for (const Event& event : events) {
    const std::string name(ExchangeMachinePeer::NameOf(event));
    ASSERT_TRUE(table >> word);
    ASSERT_EQ(word, name);
    for (const Phase phase : kPhases) {
      ASSERT_TRUE(table >> word);
      const std::string where = std::string(ExchangeMachinePeer::NameOf(phase)) + ", " + name;
      const auto s = In(phase);
      TestExchange& x = *s->exchange;
      const bool is_time = std::holds_alternative<TimeReached>(event);
      const std::chrono::nanoseconds t = is_time ? x.next_deadline().value_or(1s) : 1ms;
      if (word == "!") {
        EXPECT_DEATH(x.On(t, event), "state " + std::string(ExchangeMachinePeer::NameOf(phase)) + ", event " + name)
            << where;
        continue;
      }
      const Lines commands = x.On(t, event);
      if (word == ".") {
        EXPECT_EQ(s->phase(), phase) << where << " leads to " << ExchangeMachinePeer::NameOf(s->phase());
        EXPECT_TRUE(commands.empty()) << where << ": " << testing::PrintToString(commands);
      } else {
        EXPECT_EQ(ExchangeMachinePeer::NameOf(s->phase()), word) << where;
      }
    }
  }
}

}  // namespace
}  // namespace tests
