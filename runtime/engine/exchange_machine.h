// The life of one request as a pure state machine (runtime/README.md draws it). It decides everything: admission,
// attempts, waits, time limits, commit point, fallback chain, cache. It touches no socket, clock, log or timer: the
// driver (proxy, or a simulation) feeds events, carries out commands and wakes it at NextDeadline().
//
// Time limits of an attempt (attempt_clock.h) and of the request (deadline) all run here, so the
// driver keeps one timer for each exchange.
//
// | state      | what it waits for                              | leads to                                      |
// | ---------- | ---------------------------------------------- | --------------------------------------------- |
// | New        | RequestReady; Refused                          | Following; as Queued                          |
// | Following  | CacheSettled; deadline                         | as Queued                                     |
// | Loading    | LoadNews; a limit; deadline                    | as Queued                                     |
// | Queued     | PlaceNews; the queue's timeout; deadline       | Loading, Queued, Attempting, Mocking, Done    |
// | Attempting | AttemptHead; AttemptFailed; a limit; deadline  | Held, BackingOff; as Queued                   |
// | Held       | AttemptContent, AttemptEnded; as Attempting    | Committed, Done; as Attempting                |
// | Committed  | AttemptEnded; AttemptFailed; a limit; deadline | Continuing, Done                              |
// | Continuing | as Attempting and Held, of the next; Refused   | Committed, Continuing, Loading, Queued, Done  |
// | BackingOff | the end of the wait; deadline                  | as Queued                                     |
// | Mocking    | the end of the mock's delay                    | Done                                          |
// | Done       | nothing                                        |                                               |
//
// ClientGone and GatewayStops lead to Done from everywhere. Only Committed has sent anything of an attempt to the client, and nothing
// leads from it to a retry or a fallback: that is the rule "no retry after commit". What leads from it to Continuing is an
// answer that was cut, where the policy wants it continued (on_cut) and the driver says that it can be (ObserveSent): the
// attempt there, which may have to wait for its model or a place first, adds to the answer or comes to nothing. An event that a state doesn't wait for is ignored.
#pragma once

#include <memory>
#include <optional>

#include "base/random.h"
#include "base/time.h"
#include "compiler/abi/facts.h"
#include "compiler/compiled_policy.h"
#include "runtime/engine/engine_objects.h"
#include "runtime/engine/exchange_events.h"

namespace runtime::engine {

class ExchangeMachine {
 public:
  // All must outlive the machine, and so must everything that the facts borrow. `facts`: the driver fills the
  // route-phase fields before RequestReady and the response slots before AttemptHead; the machine sets the fields of
  // the later phases. `arrived`: when the request's first byte came; the deadline runs from there.
  ExchangeMachine(const compiler::CompiledPolicy& policy, EngineObjects& objects, base::Random& random,
                  compiler::abi::Facts* facts, TimePoint arrived);
  // Gives back what it holds of breakers and caches. A driver that may still be following a key calls Unfollow itself.
  ~ExchangeMachine();
  ExchangeMachine(const ExchangeMachine&) = delete;
  ExchangeMachine& operator=(const ExchangeMachine&) = delete;

  // Appends to *commands. Never recursive: a driver that gets an event while it carries out commands queues it.
  void Handle(const Event& event, TimePoint now, Commands* commands);

  // News of the answer under way that need no decision. Cheap; no commands, but NextDeadline may change.
  void ObserveRequestSent();            // as AttemptRequestSent, which leads to no decision
  void ObserveProgress(TimePoint now);  // bytes of it arrived, whatever they say: pushes the idle limit back
  void ObserveBegun(TimePoint now);  // bytes of a whole answer that is held: from here on it may not stand still (idle)
  void ObserveContent(
      TimePoint now);  // content in a frame of a stream, whether it commits or not: pushes the stall limit back, too
  void ObserveComplete(TimePoint now);  // it has all its content: a failure or a limit can't take that back …
  void ObserveIncomplete();             // … but more content can
  // Whether the attempt stands still because of the client: more of the request must come, or what was answered be read. Its limits
  // stand still meanwhile, all but connect, and no breaker and no estimate hears of that time.
  void ObserveClientAwaited(bool is_awaited, TimePoint now);
  void ObserveSent(Continuation possible);  // how another upstream could take over from what was sent so far

  // A frame of the answer is in the facts (chunk.…): asks a `failure when` that reads them. One frame is enough for a failure.
  void ObserveFrame(TimePoint now);

  // Nothing of this exchange will be stored, or nobody knows when: the driver ends the flight that it led, if it led one, so that its
  // followers need not wait.
  std::optional<EndCacheFlight> GiveUpFlight();

  // When TimeReached is wanted. Nothing: no timer runs.
  std::optional<TimePoint> NextDeadline() const;

  // A final answer was sent, broken off, or the client is gone: nothing more will be asked for.
  bool done() const;

 private:
  friend struct ExchangeMachinePeer;  // tests break an invariant by writing a field of State
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace runtime::engine
