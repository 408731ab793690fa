// Each invariant of the machine, broken by writing one field: the next event stops the program and says which state and event it was.
// The same exchanges without the wrong field go on.
#include <gtest/gtest.h>

#include <functional>

#include "tests/runtime/engine/machine_fixtures.h"
#include "tests/runtime/engine/machine_peer.h"

namespace tests {
namespace {

using runtime::engine::ExchangeMachine;
using runtime::engine::ExchangeMachinePeer;
using State = ExchangeMachinePeer::State;
using Phase = ExchangeMachinePeer::Phase;

class ExchangeInvariantsDeathTest : public OneUpstream {
 protected:
  // An exchange in that phase: New, Attempting, Held, Committed or Done.
  std::unique_ptr<ExchangeMachine> In(Phase phase) {
    facts_.request_method = static_cast<int32_t>(abi::Method::kPOST);
    facts_.request_body = abi::Str::Of("question");
    auto machine = std::make_unique<ExchangeMachine>(scene().policy, scene().objects, scene().random, &facts_, At(0s));
    const auto tell = [&](const runtime::engine::Event& event) { Tell(*machine, event); };
    if (phase != Phase::kNew) tell(RequestReady{model::RouteId(0), true, false});
    if (phase == Phase::kHeld || phase == Phase::kCommitted || phase == Phase::kDone) tell(AttemptHead{200});
    if (phase == Phase::kCommitted || phase == Phase::kDone) tell(AttemptContent{});
    if (phase == Phase::kDone) tell(AttemptEnded{});
    EXPECT_EQ(ExchangeMachinePeer::Of(*machine).phase, phase);
    return machine;
  }
  std::unique_ptr<ExchangeMachine> BackingOff() {
    auto machine = In(Phase::kAttempting);
    Tell(*machine, AttemptFailed{ErrorKind::k_refused});
    EXPECT_EQ(ExchangeMachinePeer::Of(*machine).phase, Phase::kBackingOff);
    return machine;
  }
  static void Tell(ExchangeMachine& machine, const runtime::engine::Event& event) {
    runtime::engine::Commands commands;
    machine.Handle(event, At(1s), &commands);
  }

 private:
  abi::Facts facts_;
};

TEST_F(ExchangeInvariantsDeathTest, StopTheProgramWhereAFieldIsWrong) {
  struct Broken {
    std::string_view name;
    Phase phase;
    std::string_view state;  // in the message
    std::function<void(State&)> write;
  };
  // clang-format off
  const std::vector<Broken> all = {
      {"a place in a queue is held while it is waited for", Phase::kAttempting, "Attempting", [](State& s) { s.queued.emplace(); }},
      {"a load is waited for in Loading", Phase::kAttempting, "Attempting", [](State& s) { s.loading.emplace(); }},
      {"a flight is followed in Following", Phase::kAttempting, "Attempting", [](State& s) { s.followed.emplace(); }},
      {"Mocking has a mock", Phase::kAttempting, "Mocking", [](State& s) { s.phase = Phase::kMocking; s.wait_until = At(9s); }},
      {"a breaker's ticket is held only by an attempt under way", Phase::kDone, "Done", [](State& s) { s.attempt.ticket.emplace(); }},
      {"a ticket whose outcome was recorded is given back", Phase::kHeld, "Held",
       [](State& s) {
         s.attempt.ticket.emplace();
         s.attempt.recorded = runtime::engine::OutcomeClass::kFailure;
       }},
      {"a place is held only by an attempt under way", Phase::kDone, "Done", [](State& s) { s.attempt.place = 1; }},
      {"a flight that was led has ended with the exchange", Phase::kDone, "Done", [](State& s) { s.led.emplace(); }},
      {"nobody leads and follows", Phase::kAttempting, "Following",
       [](State& s) {
         s.phase = Phase::kFollowing;
         s.followed.emplace();
         s.led.emplace();
       }},
      {"the route is known", Phase::kBackingOff, "BackingOff", [](State& s) { s.route = nullptr; }},
      {"an attempt has a number", Phase::kAttempting, "Attempting", [](State& s) { s.attempt.number = 0; }},
      {"an attempt has its upstream", Phase::kAttempting, "Attempting", [](State& s) { s.attempt.upstream = {}; }},
      {"the chain has not been left", Phase::kAttempting, "Attempting", [](State& s) { s.position = 9; }},
      {"an answer that is held has a status", Phase::kHeld, "Held", [](State& s) { s.attempt.status = 0; }},
      {"an answer that is committed has a status", Phase::kCommitted, "Committed", [](State& s) { s.attempt.status = 0; }},
      {"only Continuing takes an answer over", Phase::kAttempting, "Attempting",
       [](State& s) { s.attempt.continuation = runtime::engine::Continuation::kAfresh; }},
      {"Continuing takes an answer over", Phase::kCommitted, "Continuing", [](State& s) { s.phase = Phase::kContinuing; }},
      {"an answer is continued only where the request can be repeated", Phase::kCommitted, "Continuing",
       [](State& s) {
         s.phase = Phase::kContinuing;
         s.attempt.continuation = runtime::engine::Continuation::kAfresh;
         s.body_is_kept = false;
       }},
      {"a wait is one before a retry", Phase::kBackingOff, "BackingOff", [](State& s) { s.visit.retries_made = 0; }},
      {"the client has one answer", Phase::kDone, "Done", [](State& s) { s.answers = 2; }},
      {"an exchange that is done was answered", Phase::kDone, "Done", [](State& s) { s.answers = 0; }},
      {"an answer ends the exchange", Phase::kCommitted, "Committed", [](State& s) { s.answers = 1; }},
  };
  // clang-format on
  for (const Broken& broken : all) {
    // An event that no state does anything with but this check.
    const runtime::engine::Event event = broken.phase == Phase::kAttempting ? runtime::engine::Event(AttemptConnected{})
                                                                            : runtime::engine::Event(PlaceNews{});
    const std::string name = broken.phase == Phase::kAttempting ? "AttemptConnected" : "PlaceNews";
    auto machine = broken.phase == Phase::kBackingOff ? BackingOff() : In(broken.phase);
    Tell(*machine, event);  // unbroken it goes on
    EXPECT_DEATH(
        {
          broken.write(ExchangeMachinePeer::Of(*machine));
          Tell(*machine, event);
        },
        "invariant \"" + std::string(broken.name) + ".*: state " + std::string(broken.state) + ", event " + name);
  }
}

// What a state needs is looked for before it is used: where it isn't there the program stops, and doesn't go on from nowhere.
TEST_F(ExchangeInvariantsDeathTest, StopTheProgramWhereWhatAStateNeedsIsNotThere) {
  using runtime::engine::CacheSettled;
  using runtime::engine::LoadNews;
  struct Missing {
    std::string_view what;
    Phase phase;
    std::string_view state;
    std::function<void(State&)> write;
    runtime::engine::Event event;
  };
  const std::vector<Missing> all = {
      {"load that is waited for", Phase::kAttempting, "Loading", [](State& s) { s.phase = Phase::kLoading; },
       LoadNews{}},
      {"load that is waited for", Phase::kAttempting, "Loading", [](State& s) { s.phase = Phase::kLoading; },
       TimeReached{}},
      {"place that is waited for", Phase::kAttempting, "Queued", [](State& s) { s.phase = Phase::kQueued; },
       PlaceNews{}},
      {"place that is waited for", Phase::kAttempting, "Queued", [](State& s) { s.phase = Phase::kQueued; },
       TimeReached{}},
      {"flight that is followed", Phase::kAttempting, "Following", [](State& s) { s.phase = Phase::kFollowing; },
       CacheSettled{}},
      {"limiter", Phase::kAttempting, "Queued",
       [](State& s) {
         s.phase = Phase::kQueued;
         s.queued = runtime::engine::QueuePlace{model::UpstreamId(0), 1, 1, At(0s), At(9s)};
       },
       PlaceNews{}},
      {"loads of models", Phase::kAttempting, "Loading",
       [](State& s) {
         s.phase = Phase::kLoading;
         s.loading = runtime::engine::LoadWait{model::UpstreamId(0), 1, 1, At(0s), At(9s), At(9s)};
       },
       LoadNews{}},
  };
  for (const Missing& missing : all) {
    auto machine = In(missing.phase);
    EXPECT_DEATH(
        {
          missing.write(ExchangeMachinePeer::Of(*machine));
          Tell(*machine, missing.event);
        },
        "state " + std::string(missing.state) + ": no " + std::string(missing.what))
        << missing.what;
  }
}

}  // namespace
}  // namespace tests
