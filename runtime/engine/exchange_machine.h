// The life of one request as a pure state machine (runtime/README.md draws it). It decides everything: admission, attempts,
// waits, time limits, commit point, fallback chain, cache. It touches no socket, clock, log or timer: the driver (proxy, or a
// simulation) feeds events, carries out commands and wakes it at NextDeadline().
//
// Time limits of an attempt (connect, first_token, idle, total) and of the request (deadline) all run here, so the driver keeps
// one timer for each exchange.
#pragma once

#include <memory>
#include <optional>

#include "compiler/abi/facts.h"
#include "compiler/compiled_policy.h"
#include "runtime/base/random.h"
#include "runtime/base/time.h"
#include "runtime/engine/exchange_events.h"

namespace runtime::engine {

// The named objects of a policy that outlive a request and are shared by all workers. By id; null where an upstream has no
// breaker.
struct EngineObjects {
  explicit EngineObjects(const compiler::CompiledPolicy& policy);
  Breaker* breaker(UpstreamId id) const;
  Cache* cache(CacheId id) const;

 private:
  std::vector<std::unique_ptr<Breaker>> breakers_;
  std::vector<std::unique_ptr<Cache>> caches_;
};

class ExchangeMachine {
 public:
  // All must outlive the machine. `facts`: the driver fills the route-phase fields before RequestReady and the response
  // slots before AttemptHead; the machine sets the fields of the later phases. `arrived`: when the request's first byte came;
  // the deadline runs from there.
  ExchangeMachine(const compiler::CompiledPolicy& policy, EngineObjects& objects, base::Random& random,
                  compiler::abi::Facts* facts, TimePoint arrived);
  ~ExchangeMachine();

  // Appends to *commands. Never recursive: a driver that gets an event while it carries out commands queues it.
  void Handle(const Event& event, TimePoint now, Commands* commands);

  // Bytes of the answer arrived: pushes the idle limit back. Cheap; no commands.
  void NoteProgress(TimePoint now);

  // When TimeReached is wanted. Nothing: no timer runs.
  std::optional<TimePoint> NextDeadline() const;

  // A final answer was sent, broken off, or the client is gone: nothing more will be asked for.
  bool done() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace runtime::engine
