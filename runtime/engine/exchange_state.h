// What an ExchangeMachine knows while it runs: the state, the attempt under way, the visit to an upstream, what is held
// of caches. Private to the engine: exchange_machine.cc holds the door and the switch; then, in the order of a
// request's life, exchange_start.cc, exchange_waits.cc, exchange_verdict.cc, exchange_chain.cc. exchange_outcomes.cc writes down what an
// attempt came to, exchange_holdings.cc gives back what is held.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/recycled.h"
#include "compiler/abi/fact_table.h"
#include "runtime/engine/attempt_clock.h"
#include "runtime/engine/exchange_machine.h"
#include "runtime/engine/fallback.h"
#include "runtime/engine/retry_decision.h"

namespace runtime::engine {

// One try at an upstream, a reconnect after a reuse race included.
struct Attempt {
  UpstreamId upstream;
  int number = 0;  // 0: none was made yet
  bool fresh_connection = false;
  Continuation continuation = Continuation::kNone;
  bool request_sent = false;  // of this connection
  int status = 0;
  std::optional<Duration> retry_after;
  int told_status = 0;  // that the body of its refusal tells
  bool denial_recorded = false;
  bool no_retry = false;
  bool is_unfinished = false;  // its answer was ended by the server, without a reason
  bool frame_failed = false;   // a frame of its stream made it a failure of the breaker
  bool blameless = false;      // what ended it was not the upstream's doing: neutral, whatever `failure when` says
  bool move_denial_recorded = false;
  mutable std::optional<bool> repeats;  // what repeats_at said
  AttemptClock clock;
  std::optional<Ticket> ticket;              // what is to be given back to the breaker
  std::optional<OutcomeClass> recorded;      // how it was given back
  Limiter::Place place = Limiter::kNoPlace;  // to be given back when it has ended
};

// The request at one upstream of the chain: attempts, retries and waits.
struct Visit {
  int retries_made = 0;
  bool last_attempt_failed = false;
  std::optional<Ticket> last_ticket;  // already given back; names the generation for failed_requests
};

// Waiting for one of the places of an upstream.
struct QueuePlace {
  UpstreamId upstream;
  int number = 1;  // of the attempt that is to be made
  Limiter::Place place = Limiter::kNoPlace;
  TimePoint since;
  TimePoint give_up_at;
};

// Waiting for a model to be loaded.
struct LoadWait {
  UpstreamId upstream;
  int number = 1;  // of the attempt that is to be made
  ModelLoads::Waiter waiter = 0;
  TimePoint since;
  TimePoint try_others_at;  // when to see whether another upstream would answer sooner
  TimePoint give_up_at;     // cold_load from `since` on: the load is over by then, whether the news comes or not
};

struct CacheFlight {
  CacheId cache;
  std::string key;
};

struct ExchangeMachine::State : base::Recycled<ExchangeMachine::State> {
  enum class Phase : uint8_t {
    kNew,
    kFollowing,
    kLoading,
    kQueued,
    kAttempting,
    kHeld,
    kCommitted,
    kContinuing,
    kBackingOff,
    kMocking,
    kDone
  };
  static std::string_view PhaseName(Phase phase);

  State(const compiler::CompiledPolicy& compiled_policy, EngineObjects& engine_objects, base::Random& random_source,
        compiler::abi::Facts* exchange_facts, TimePoint arrival)
      : compiled(compiled_policy),
        objects(engine_objects),
        random(random_source),
        facts(*exchange_facts),
        arrived(arrival),
        now(arrival) {}
  ~State();

  void Handle(const Event& event);
  void Decide(const Event& event);
  std::optional<TimePoint> NextDeadline() const;
  std::optional<TimePoint> NextLimitOfPhase() const;
  void KeepClientAlive();

  // Steps.
  void Begin(const RequestReady& ready);
  void Refuse(const Refusal& refusal);
  void StartChain();
  bool StartAttemptAt(UpstreamId upstream, int number, Continuation continuation = Continuation::kNone);
  bool TakePlace(UpstreamId upstream, int number, Continuation continuation = Continuation::kNone);
  bool WaitForModel(UpstreamId upstream, int number, Continuation continuation);
  void OnLoadNews();
  void TryOthersWhileLoading();
  bool LeaveWait();
  void LeaveLoad();
  void EndLoadWait(bool went_on);
  void ObserveModel(bool answered);
  bool Launch(UpstreamId upstream, int number, Limiter::Place place, Continuation continuation = Continuation::kNone);
  std::optional<Ticket> Admit(UpstreamId upstream, Breaker* breaker);
  bool IsDrained(UpstreamId id);
  bool BreakerRefuses(UpstreamId upstream);
  void OnPlaceNews();
  void LeaveQueue(ErrorKind error);
  void RefusePlace(UpstreamId upstream, Duration waited, ErrorKind error, TimePoint retry_at);
  void ReconnectAfterRace();
  void Judge(const Outcome& outcome, bool alive);
  void Commit(bool has_bytes);
  void OnFirstContent(bool has_bytes);
  void EndCommitted(bool alive);
  void BreakOff(const Outcome& outcome, bool alive);
  bool Continue();
  void BreakOffForGood();
  void OnContinuationRefused();
  void Resume();
  void CheckLimits();
  void OnDeadline();
  void Stop();
  bool HadItsTime() const;
  void TryNextUpstream();
  void FallBack();
  void Answer(const FallbackAnswer& answer);
  void DropWhatIsUnderWay();
  void Abandon();
  void Finish();

  // Attempt book-keeping.
  void ObserveRequestSent() {
    attempt.request_sent = true;
    attempt.clock.ObserveConnected();
  }
  void SetAttemptFacts(const Outcome& outcome);
  OutcomeClass ClassOf(const Outcome& outcome) const;
  void JudgeFrame();
  void Record(OutcomeClass outcome_class, const Outcome& outcome);
  void EndAttempt(const Outcome& outcome, OutcomeClass outcome_class);
  void EndVisit();
  void StoreInCaches();
  void RecordTransition(UpstreamId upstream, const std::optional<BreakerTransition>& transition);
  // exchange_holdings.cc
  void GiveBackPlace(std::optional<Duration> client_time);
  void GiveBackUnused(UpstreamId upstream, Limiter::Place place);
  void GiveBackTicket();

  // What is there by the state. Stops the program where it is not.
  template <typename P>
  decltype(auto) Existing(P&& what, std::string_view name) const {
    return base::Existing(std::forward<P>(what), name, PhaseName(phase));
  }
  Breaker& BreakerOf(UpstreamId id) const { return Existing(objects.breaker(id), "breaker"); }
  Limiter& LimiterOf(UpstreamId id) const { return Existing(objects.limiter(id), "limiter"); }
  ModelLoads& LoadsOf(UpstreamId id) const { return Existing(objects.loads(id), "loads of models"); }
  Cache& CacheOf(CacheId id) const { return Existing(objects.cache(id), "cache"); }

  // Questions.
  const compiler::model::UpstreamSettings& upstream() const { return compiled.policy.upstreams[attempt.upstream]; }
  // At the upstream of the attempt.
  bool IsRepeatable() const {
    const compiler::model::UpstreamSettings& at = upstream();
    using compiler::model::RepeatSafe;
    if (at.repeat_safe == RepeatSafe::kTrue) return true;
    if (compiler::abi::IsIdempotent(static_cast<compiler::abi::Method>(facts.request_method))) return true;
    if (at.repeat_safe != RepeatSafe::kAuto || repeats_at == nullptr) return false;
    if (!attempt.repeats) attempt.repeats = repeats_at(attempt.upstream);
    return *attempt.repeats;
  }
  Replay ReplayOfAttempt() const;
  bool SomebodyElseWouldAnswer();
  void RecordMoveIfDenied();
  bool AnotherUpstreamWouldTakeIt(bool at_once = false) const;
  bool MovesOnByPolicy();
  AttemptClock::Limit NextLimit() const { return attempt.clock.Next(upstream().timeouts, wants_stream); }
  std::optional<TimePoint> deadline() const {
    return route != nullptr && route->deadline ? std::optional(arrived + *route->deadline) : std::nullopt;
  }
  bool ClientWaits() const {  // for the first content
    return phase != Phase::kNew && phase != Phase::kCommitted && phase != Phase::kContinuing && phase != Phase::kDone;
  }
  bool DeadlineIsDue() const { return deadline() && now >= *deadline(); }

  // Asserted after each event.
  void CheckInvariants(const Event& event) const;
  bool IsOrdinary() const;
  static std::string_view NameOf(const Event& event);

  template <typename C>
  void Emit(C command) {
    if constexpr (std::is_same_v<C, SendReply> || std::is_same_v<C, SendCached> || std::is_same_v<C, SendMock> ||
                  std::is_same_v<C, SendError> || std::is_same_v<C, FinishAnswer> ||
                  std::is_same_v<C, BreakOffAnswer>) {
      ++answers;
    }
    commands->push_back(std::move(command));
  }

  const compiler::CompiledPolicy& compiled;
  EngineObjects& objects;
  base::Random& random;
  compiler::abi::Facts& facts;
  const TimePoint arrived;
  TimePoint now;                 // of the event being handled
  Commands* commands = nullptr;  // likewise

  Phase phase = Phase::kNew;
  const compiler::model::RouteSettings* route = nullptr;
  bool body_is_kept = true;
  bool wants_stream = false;
  AnswerForms forms;
  CacheUse cache_use;
  CacheKeys keys{compiled.policy, facts, cache_use};
  std::optional<TimePoint> keep_alive_at;  // when a client that still waits is to be sent something
  size_t position = 0;                     // in route->to
  Visit visit;
  Attempt attempt;                   // kAttempting, kHeld, kCommitted; afterwards the last one
  std::optional<QueuePlace> queued;  // kQueued
  std::optional<LoadWait> loading;   // kLoading
  std::function<std::string(UpstreamId)> model_at;
  std::function<bool(UpstreamId)> repeats_at;
  UpstreamId load_waited_at;                    // once at each upstream
  UpstreamId asked_at;                          // with loads to look after: the last one …
  std::string asked_model;                      // … and the model that it is asked for
  Continuation possible = Continuation::kNone;  // from what was sent so far (ObserveSent)
  ErrorKind cut_by = ErrorKind::kNone;          // kContinuing: why the answer was cut
  compiler::model::OnCut on_cut{};              // … and what the policy wants then
  TimePoint wait_until;                         // kBackingOff, kMocking
  MockId mock;                                  // kMocking
  std::optional<CacheFlight> led;               // others may be following
  std::optional<CacheFlight> followed;          // kFollowing
  int answers = 0;                              // commands that end the client's answer
  bool is_abandoned = false;                    // kDone: the client left before it had its answer
  std::optional<FallbackAnswer> fallback;       // found when it was asked whether there is one
  Trouble trouble;
};

}  // namespace runtime::engine
