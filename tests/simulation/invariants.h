// What must hold after every event of every exchange, kept by a model of its own: attempts within their limits, no
// attempt through an open breaker, probes within their number, transitions exactly when the counts say so, no more under
// way at an upstream than may be, retries within their budget, places in the order of arrival, nobody waiting too long, one final answer, nothing
// after commit, waits as set, nobody stuck, everything given back.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/exchange_machine.h"
#include "tests/simulation/sim_policy.h"
#include "tests/simulation/simulation.h"

namespace tests::simulation {

// The most that the driver is late with a TimeReached.
inline constexpr Duration kMaxLateness = std::chrono::milliseconds(20);
// The most that the news of a place takes to the loop of its waiter.
inline constexpr Duration kMaxNewsDelay = std::chrono::microseconds(500);

struct ExchangeView {
  int id = 0;
  int route = 0;
  TimePoint arrived;
  bool body_is_kept = true;
  bool is_idempotent = false;
};

class Invariants {
 public:
  Invariants(std::vector<UpstreamRules> upstreams, std::vector<RouteRules> routes,
             const compiler::model::Policy& policy, Report* report);

  // The machine handled `event` at `now` and asked for `commands`. due: the deadline that it had named before.
  void Handled(const ExchangeView& exchange, const runtime::engine::Event& event,
               const runtime::engine::Commands& commands, bool done, std::optional<TimePoint> next_deadline,
               TimePoint now);
  // After each event, for each upstream that has a limiter.
  void CheckLimiter(int upstream, const runtime::engine::Limiter::Snapshot& look, TimePoint now);
  // At the end.
  void CheckAllGivenBack(TimePoint now);
  // Before the first event: the retry budget holds nothing, and its last token was taken at `now`.
  void BudgetIsSpent(int upstream, TimePoint now) { budgets_[static_cast<size_t>(upstream)] = {0, now}; }
  // A machine was destroyed before it was done.
  void Destroyed(int exchange, TimePoint now);
  // After each event, for each upstream that has a breaker.
  void CheckBreaker(int upstream, const runtime::engine::Breaker::Snapshot& look, TimePoint now);

  void Violation(int exchange, TimePoint now, const std::string& what);

 private:
  using AttemptKey = std::pair<int, int>;  // exchange, serial of the attempt in it

  struct ShadowAttempt {
    int upstream = -1;
    int number = 0;
    int serial = 0;
    bool alive = false;
    bool is_noted = true;
    bool raced = false;
    bool fresh = false;
    bool sent = false;
    int status = 0;
    std::optional<Duration> retry_after;
    std::optional<OutcomeClass> counted;
    TimePoint started;
    uint64_t generation = 0;
    bool is_probe = false;
    bool success_counted = false;
    bool committed = false;
    bool blameless = false;  // what ended it was not the upstream's doing
    runtime::engine::Continuation continuation{};
  };
  struct ShadowExchange {
    ShadowAttempt attempt;
    int serials = 0;
    bool committed = false;
    int cut_upstream = -1;  // whose committed answer ended last
    bool gone = false;
    int finals = 0;
    bool following = false;
    std::optional<int> queued_at;  // an upstream
    TimePoint queued_since;
    std::optional<int> loading_at;  // an upstream, whose model is being loaded
    TimePoint loading_since;
    bool stopped_waiting = false;
    bool wait_is_over = false;  // of a retry, which waits for a model or a place now
    TimePoint last_handled;
    bool any_start = false;
    std::optional<bool> sent_unsafely;  // a request was sent that must not be repeated
    int retries = 0;                    // at this upstream
    std::set<int> visited;
    std::optional<std::pair<TimePoint, Duration>> wait;    // retry noted at, wait
    std::optional<std::pair<int, uint64_t>> failed_visit;  // upstream, generation: its last attempt failed
  };
  struct ShadowBreaker {
    runtime::engine::BreakerState state{};
    uint64_t generation = 0;
    TimePoint opened_at;
    Duration open_least{};  // how long it is open
    Duration open_most{};
    int trips = 0;  // as far as they make it longer
    TimePoint closed_at;
    TimePoint half_open_at;
    std::map<uint64_t, std::vector<TimePoint>> failures;  // by generation
    std::map<uint64_t, std::vector<TimePoint>> failed_requests;
    std::map<uint64_t, std::vector<TimePoint>> successes;  // of half-open generations
    std::map<AttemptKey, TimePoint> probes;                // in flight, with the end of their lease
    std::vector<runtime::engine::BreakerTransition> in_batch;
    std::vector<bool> lapsed_in_batch;  // beside in_batch: a lease was over
    bool success_in_batch = false;
  };

  struct ShadowBudget {
    double tokens = 10;
    std::optional<TimePoint> last_taken;
  };
  // A limiter as it should be: who is in, who waits, and how long places were taken.
  struct ShadowLimiter {
    struct Holder {
      TimePoint since;  // as the pace counts it
      TimePoint given_at;
    };
    std::map<int, Holder> holders;  // by exchange
    std::vector<int> waiters;       // exchanges, in the order of arrival
    std::optional<double> pace_ns;
    std::set<AttemptKey> alive;  // attempts whose connection is open
  };

  struct Batch;
  void OnEvent(const Batch& batch);
  void OnStart(const Batch& batch, const runtime::engine::StartAttempt& command);
  void OnAttemptEnded(const Batch& batch, const runtime::engine::RecordAttemptEnded& command, bool is_race);
  void OnRetry(const Batch& batch, const runtime::engine::RecordRetry& command);
  bool BudgetAllows(int upstream, TimePoint now) const;
  void SpendToken(const Batch& batch, int upstream);
  void Trip(const BreakerRules& rules, runtime::engine::BreakerState from, TimePoint now, ShadowBreaker* breaker);
  void OnTransition(const Batch& batch, const runtime::engine::RecordBreaker& command);
  void OnLoadCommand(const Batch& batch, const runtime::engine::Command& command);
  void EndBackOff(const Batch& batch);
  // invariants_queue.cc: places at upstreams with a limit.
  void OnPlaceCommand(const Batch& batch, const runtime::engine::Command& command);
  void OnQueued(const Batch& batch, const runtime::engine::RecordQueued& command);
  void OnWait(const Batch& batch, int upstream);
  void CheckPlaces(const Batch& batch, bool done, std::optional<TimePoint> next_deadline);
  void OpenAttempt(const Batch& batch, const ShadowAttempt& attempt);
  // `now`: as the engine knows it.
  // `counts`: towards the pace.
  void GiveBack(int exchange, int upstream, bool was_used, bool counts, TimePoint now, TimePoint given_at);
  bool ComesTooLate(const Batch& batch, int upstream) const;
  void CloseAttempt(int exchange, ShadowAttempt* attempt);
  void OnFinal(const Batch& batch, const char* kind);
  void CountFailure(ShadowAttempt* attempt, TimePoint now);
  void CountSuccess(ShadowAttempt* attempt, TimePoint now);
  void CloseVisit(const Batch& batch);
  void CheckTransitions(const Batch& batch);
  bool ShowedLifeInTime(const Batch& batch, const ShadowBreaker& breaker);
  void Expect(bool holds, const Batch& batch, const std::string& what);

  std::vector<UpstreamRules> upstreams_;
  std::vector<RouteRules> routes_;
  const compiler::model::Policy& policy_;
  Report* report_;
  std::map<int, ShadowExchange> exchanges_;
  std::vector<ShadowBreaker> breakers_;
  std::vector<ShadowBudget> budgets_;
  std::vector<ShadowLimiter> limiters_;
};

}  // namespace tests::simulation
