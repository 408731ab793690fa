// A circuit breaker (Nygard, "Release It!"): closed, open, half-open. One for each upstream that has a breaker block,
// shared by all workers and exact: admission reads one atomic word, outcomes take the breaker's mutex, and a transition
// is made and returned to exactly one caller. No clock, no log: `now` comes in, transitions go out.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "compiler/abi/predicate.h"
#include "compiler/model/settings.h"
#include "runtime/engine/count_windows.h"
#include "runtime/engine/kept_state.h"
#include "runtime/engine/outcome.h"

namespace runtime::engine {

using base::Duration;
using base::TimePoint;

// Resting: left alone because it asked for that (`rest when`), not because it failed; it ends as open does.
enum class BreakerState : uint8_t { kClosed, kOpen, kHalfOpen, kResting };
std::string_view Name(BreakerState state);  // "CLOSED", "OPEN", "HALF_OPEN", "RESTING"
constexpr bool LeavesAlone(BreakerState state) { return state == BreakerState::kOpen || state == BreakerState::kResting; }

struct BreakerTransition {
  BreakerState from{};
  BreakerState to{};
  uint64_t generation = 0;  // of the new state; grows by one with each transition
  // Of one that leaves the upstream alone: for how long; the rule of `open when` that held, -1 where it was a probe that failed, or
  // `rest when`; and what all measures said then, in their order.
  Duration open_for{};
  int rule = -1;
  std::vector<int64_t> measured = {};
  bool by_hand = false;  // an operator did it
};

// The right to make one attempt. Give it back with exactly one call of Record or Release; a probe that is never given
// back counts as failed once its lease is over.
struct Ticket {
  uint64_t generation = 0;
  uint64_t probe = 0;    // 0: not a probe
  bool counted = false;  // its success was counted at its first content
};

class Breaker {
 public:
  // The code behind `predicates` must outlive the breaker, or be kept by Reconfigure. `seed`: of the jitter of an open_for that grows.
  Breaker(const compiler::model::BreakerSettings& settings, const compiler::abi::PredicateTable& predicates,
          uint64_t seed = 0);
  Breaker(const Breaker&) = delete;
  Breaker& operator=(const Breaker&) = delete;

  // Other settings from the next outcome on: state, windows and probes stay, and nothing trips by this. `keeps`: the owner of the code
  // behind `predicates`.
  void Reconfigure(const compiler::model::BreakerSettings& settings, const compiler::abi::PredicateTable& predicates,
                   std::shared_ptr<const void> keeps);

  // For kept_state.h. Restore: what a process before knew, in times of this one's clock; nothing trips by it. Before anybody else asks.
  KeptBreaker Keep() const;
  void Restore(const KeptBreaker& kept, TimePoint now);

  struct Admission {
    std::optional<Ticket> ticket;                 // nothing: rejected
    TimePoint retry_at;                           // when rejected: the earliest time at which it may be let through
    std::optional<BreakerTransition> transition;  // open → half-open, made by this call
  };
  // `lease`: the longest that an attempt may take to its first content. `may_probe` false: lets it through only while closed.
  Admission Admit(TimePoint now, Duration lease, bool may_probe = true);

  // Whether Admit would let an attempt through now; takes nothing. `own`: a ticket that the caller would give back
  // first.
  bool WouldAdmit(TimePoint now, const Ticket* own = nullptr, bool may_probe = true) const;

  // What an attempt said besides.
  struct Said {
    std::optional<Duration> retry_after;  // how long the upstream asked to be left alone
    bool shows_life = false;              // neutral, and yet a complete answer
    bool wants_rest = false;              // `rest when` holds: the breaker rests, and the outcome counts nowhere
  };
  // An attempt ended. Results of an older generation are not counted. Neutral gives a probe back and counts nowhere; half-open is
  // closed by what shows life once it has lasted as long as the breaker was open, without a failure.
  // `took`: how long the upstream took.
  std::optional<BreakerTransition> Record(const Ticket& ticket, OutcomeClass outcome, TimePoint now, Duration took, const Said& said);
  std::optional<BreakerTransition> Record(const Ticket& ticket, OutcomeClass outcome, TimePoint now, Duration took = {}) {
    return Record(ticket, outcome, now, took, Said());
  }

  // A probe has had its first content: it is given back, so that the next may be made. A success counts now; a later failure of it
  // still counts as one, a later success doesn't count again. No-op for other tickets.
  std::optional<BreakerTransition> RecordFirstContent(Ticket* ticket, TimePoint now, Duration took = {}, bool is_success = true);

  // The last attempt of a client request at this upstream failed: failed_requests. Call it before the Record of that
  // attempt or after, in the generation of its ticket.
  std::optional<BreakerTransition> RecordFailedRequest(const Ticket& ticket, TimePoint now);

  // As Record with kNeutral: the client is gone, or the attempt was never made.
  void Release(const Ticket& ticket);

  // A health check of the upstream succeeded: half-open may begin now. Nothing if the breaker is not open any more, or
  // was closed since the check began, in `generation`. Whether it did something.
  bool EndOpenEarly(uint64_t generation, TimePoint now);

  // An operator's word. Open: nothing is let through for `how_long`, or for as long as open_for says, whatever a health check finds;
  // then half-open as ever. Close: closed with empty windows, and no rule opens it before `held` is over. The transition, if it was one.
  std::optional<BreakerTransition> OpenByHand(TimePoint now, std::optional<Duration> how_long);
  std::optional<BreakerTransition> CloseByHand(TimePoint now, Duration held);
  bool IsHeld(TimePoint now) const;  // by one of those

  struct Snapshot {
    BreakerState state{};       // as it would be for a request now
    int64_t failure_count = 0;  // the first measure that counts failures; kept while open and half-open
    int64_t success_count = 0;  // successes in that window; in half-open those of the probes
    std::optional<TimePoint> last_failure_time;
    std::optional<TimePoint> retry_at;  // while open
    uint64_t generation = 0;
    int probes_in_flight = 0;  // whose first content is awaited
  };
  Snapshot Look(TimePoint now) const;

  // The most successes that Look counts.
  static constexpr int64_t kMaxShownCount = compiler::model::kMaxWindowCount;

 private:
  struct Probe {
    uint64_t id = 0;
    TimePoint lease_end;
  };

  // All of these need mutex_.
  void Enter(BreakerState state);
  BreakerTransition Open(TimePoint now, BreakerState as = BreakerState::kOpen);
  BreakerTransition BeginHalfOpen(TimePoint now);
  BreakerTransition Close(TimePoint now);
  std::optional<BreakerTransition> CountOutcome(Ticket* ticket, bool success, TimePoint now, Duration took);
  Duration OpenForAfter(int trips) const;
  Duration NextOpenFor();
  bool AnyHolds(const std::vector<compiler::abi::PredicateId>& rules, CountWindows* windows, TimePoint now);
  bool MayOpen(TimePoint now);
  bool IsCurrent(const Ticket& ticket) const { return ticket.generation == generation_; }
  bool AnyLeaseIsOver(TimePoint now) const;
  void GiveBack(const Ticket& ticket);

  std::shared_ptr<const void> keeps_;
  compiler::model::BreakerSettings settings_;
  const compiler::abi::PredicateTable* predicates_;

  // What Admit reads without the mutex: generation << 2 | state. open_until_ is written before the word says open.
  std::atomic<uint64_t> word_;
  std::atomic<int64_t> open_until_;  // ns of TimePoint

  int rule_held_ = -1;             // by the last AnyHolds that was true …
  std::vector<int64_t> measured_;  // … and what it read
  compiler::abi::Facts rule_facts_;  // what the rules are asked about: windows, and nothing else

  mutable std::mutex mutex_;
  BreakerState state_ = BreakerState::kClosed;  // the same as in word_
  uint64_t generation_ = 0;
  uint64_t last_probe_ = 0;
  std::vector<Probe> probes_;  // in flight, while half-open

  // open_for that grows: how many times in a row it opened, less what health took back.
  int trips_ = 0;
  TimePoint closed_at_;
  base::Random random_;
  Duration last_open_for_{};
  TimePoint half_open_since_;
  std::optional<Duration> last_retry_after_;  // of the last failure, or of what wanted rest

  CountWindows windows_;        // while closed
  CountWindows probe_windows_;  // since half-open began
  int64_t probe_successes_ = 0;

  TimePoint held_open_until_;    // by hand: no health check ends it earlier
  TimePoint held_closed_until_;  // by hand: no rule opens it earlier

  // For Look only.
  std::optional<size_t> shown_measure_;  // the first that counts failures
  Duration shown_window_{};
  CountRing shown_failures_;  // where no measure counts them
  CountRing shown_successes_;
  int64_t failures_when_opened_ = 0;
  std::optional<TimePoint> last_failure_;
};

}  // namespace runtime::engine
