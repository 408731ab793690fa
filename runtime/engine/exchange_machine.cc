// The door and the one switch over states and events. Where an event leads: exchange_start.cc, exchange_waits.cc,
// exchange_verdict.cc, exchange_chain.cc, in the order of a request's life.
#include "runtime/engine/exchange_machine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "runtime/engine/exchange_state.h"

namespace runtime::engine {

std::string_view ExchangeMachine::State::PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kNew: return "New";
    case Phase::kFollowing: return "Following";
    case Phase::kLoading: return "Loading";
    case Phase::kQueued: return "Queued";
    case Phase::kAttempting: return "Attempting";
    case Phase::kHeld: return "Held";
    case Phase::kCommitted: return "Committed";
    case Phase::kContinuing: return "Continuing";
    case Phase::kBackingOff: return "BackingOff";
    case Phase::kMocking: return "Mocking";
    case Phase::kDone: return "Done";
  }
  return "?";
}

void ExchangeMachine::State::Handle(const Event& event) {
  Decide(event);
  if (std::holds_alternative<TimeReached>(event)) KeepClientAlive();  // last: what is over now needs none
}

void ExchangeMachine::State::KeepClientAlive() {
  if (!keep_alive_at || now < *keep_alive_at || !ClientWaits()) return;
  Emit(SendKeepAlive{});
  keep_alive_at = now + *route->keep_alive;
}

void ExchangeMachine::State::Decide(const Event& event) {
  if (std::holds_alternative<ClientGone>(event)) return Abandon();
  if (const auto* refused = std::get_if<Refused>(&event)) return Refuse(refused->refusal);
  if (std::holds_alternative<GatewayStops>(event)) return Stop();
  if (std::holds_alternative<AttemptFailed>(event) && attempt.clock.is_complete()) return Decide(AttemptEnded{});
  if (std::holds_alternative<RequestReady>(event)) {
    BW_CHECK(phase == Phase::kNew || phase == Phase::kDone, "exchange machine: state ", PhaseName(phase),
             ", event RequestReady");
  }
  const bool time_reached = std::holds_alternative<TimeReached>(event);
  const auto* failed = std::get_if<AttemptFailed>(&event);
  switch (phase) {
    case Phase::kNew:
      if (const auto* ready = std::get_if<RequestReady>(&event)) Begin(*ready);
      break;

    case Phase::kFollowing:
      if (std::holds_alternative<CacheSettled>(event)) {
        CacheFlight flight = Existing(std::exchange(followed, std::nullopt), "flight that is followed");
        Cache& cache = CacheOf(flight.cache);
        if (auto response = FindAnswer(flight.cache, keys, forms, &cache, false, now)) {
          Emit(SendCached{flight.cache, std::move(response), false, {}});
          // It may have been meant to lead next, and others wait: they find the answer, too.
          if (cache.TakeOver(flight.key, /*begin=*/false)) cache.EndFlight(flight.key);
          Finish();
        } else {
          // The leader came to nothing. One of those that waited leads next; who finds another leading goes alone.
          if (cache.TakeOver(flight.key)) led = std::move(flight);
          StartChain();
        }
      } else if (time_reached && DeadlineIsDue()) {
        OnDeadline();
      }
      break;

    case Phase::kLoading:
      if (DeadlineIsDue() && (time_reached || std::holds_alternative<LoadNews>(event))) {
        OnDeadline();
      } else if (std::holds_alternative<LoadNews>(event)) {
        OnLoadNews();
      } else if (time_reached && now >= Existing(loading, "load that is waited for").give_up_at) {
        LeaveLoad();
        EndVisit();
        TryNextUpstream();
      } else if (time_reached && now >= loading->try_others_at) {
        TryOthersWhileLoading();
      }
      break;

    case Phase::kQueued:
      if (DeadlineIsDue() && (time_reached || std::holds_alternative<PlaceNews>(event))) {
        OnDeadline();
      } else if (std::holds_alternative<PlaceNews>(event)) {
        OnPlaceNews();
      } else if (time_reached && now >= Existing(queued, "place that is waited for").give_up_at) {
        LeaveQueue(ErrorKind::k_queue_timeout);
        EndVisit();
        TryNextUpstream();
      }
      break;

    case Phase::kAttempting:
      if (std::holds_alternative<AttemptConnected>(event)) attempt.clock.ObserveConnected();
      if (std::holds_alternative<AttemptRequestSent>(event)) ObserveRequestSent();
      if (const auto* head = std::get_if<AttemptHead>(&event)) {
        attempt.request_sent = true;
        attempt.status = head->status;
        attempt.retry_after = head->retry_after;
        attempt.no_retry = head->no_retry;
        attempt.told_status = head->told_status;
        attempt.clock.ObserveHead(now, head->is_stream);
        phase = Phase::kHeld;
        Judge({head->status, ErrorKind::kNone, head->told_status}, true);
      } else if (failed != nullptr) {
        const bool may_reconnect = failed->is_reuse_race && !attempt.fresh_connection && body_is_kept && IsRepeatable();
        if (may_reconnect) {
          ReconnectAfterRace();
        } else {
          attempt.blameless =
              failed->is_reuse_race && !attempt.fresh_connection;  // the connection was given up, not the request
          Judge({0, failed->is_reuse_race ? ErrorKind::k_reset : failed->error}, false);
        }
      } else if (time_reached) {
        CheckLimits();
      }
      break;

    case Phase::kHeld:
      if (const auto* content = std::get_if<AttemptContent>(&event)) {
        Commit(content->has_bytes);
      } else if (const auto* ended =
                     std::get_if<AttemptEnded>(&event)) {  // complete without content: nothing to wait for
        attempt.is_unfinished = ended->is_unfinished;
        Commit(true);
        EndCommitted(false);
      } else if (failed != nullptr) {
        Judge({attempt.status, failed->error, failed->told_status}, false);
      } else if (time_reached) {
        CheckLimits();
      }
      break;

    case Phase::kCommitted:
      if (const auto* ended = std::get_if<AttemptEnded>(&event)) {
        attempt.is_unfinished = ended->is_unfinished;
        EndCommitted(false);
      } else if (failed != nullptr) {
        BreakOff({attempt.status, failed->error, failed->told_status}, false);
      } else if (time_reached) {
        CheckLimits();
      }
      break;

    case Phase::kContinuing:
      if (std::holds_alternative<AttemptConnected>(event)) attempt.clock.ObserveConnected();
      if (std::holds_alternative<AttemptRequestSent>(event)) ObserveRequestSent();
      if (const auto* head = std::get_if<AttemptHead>(&event)) {
        attempt.request_sent = true;
        attempt.status = head->status;
        attempt.clock.ObserveHead(now, head->is_stream);
        if (head->status >= 300) OnContinuationRefused();
      } else if (std::holds_alternative<AttemptContent>(event)) {
        Resume();
      } else if (const auto* ended = std::get_if<AttemptEnded>(&event)) {
        attempt.is_unfinished = ended->is_unfinished;
        Resume();
        EndCommitted(false);
      } else if (failed != nullptr) {
        if (failed->is_reuse_race && !attempt.fresh_connection) {
          ReconnectAfterRace();
        } else {
          if (failed->is_mismatch) Record(OutcomeClass::kNeutral, {attempt.status, failed->error});
          BreakOff({attempt.status, failed->is_reuse_race ? ErrorKind::k_reset : failed->error, failed->told_status},
                   false);
        }
      } else if (time_reached) {
        CheckLimits();
      }
      break;

    case Phase::kBackingOff:
      if (!time_reached) break;
      if (DeadlineIsDue()) {
        OnDeadline();
      } else if (now >= wait_until && !StartAttemptAt(attempt.upstream, attempt.number + 1)) {
        EndVisit();
        TryNextUpstream();
      }
      break;

    case Phase::kMocking:
      if (time_reached && now >= wait_until) {
        Emit(SendMock{mock, trouble.reason()});
        Finish();
      }
      break;

    case Phase::kDone: break;
  }
}

std::optional<TimePoint> ExchangeMachine::State::NextDeadline() const {
  const std::optional<TimePoint> limit = NextLimitOfPhase();
  if (!keep_alive_at || !ClientWaits()) return limit;
  return std::min(limit.value_or(TimePoint::max()), *keep_alive_at);
}

std::optional<TimePoint> ExchangeMachine::State::NextLimitOfPhase() const {
  switch (phase) {
    case Phase::kNew:
    case Phase::kDone: return std::nullopt;
    case Phase::kFollowing: return deadline();
    case Phase::kAttempting:
    case Phase::kHeld:
    case Phase::kCommitted:
    case Phase::kContinuing: {
      const TimePoint next = std::min(NextLimit().at, deadline().value_or(TimePoint::max()));
      return next == TimePoint::max() ? std::nullopt : std::optional(next);
    }
    case Phase::kLoading: {
      const LoadWait& mine = Existing(loading, "load that is waited for");
      return std::min({mine.try_others_at, mine.give_up_at, deadline().value_or(TimePoint::max())});
    }
    case Phase::kQueued:
      return std::min(Existing(queued, "place that is waited for").give_up_at, deadline().value_or(TimePoint::max()));
    case Phase::kBackingOff: return std::min(wait_until, deadline().value_or(TimePoint::max()));
    case Phase::kMocking: return wait_until;
  }
  return std::nullopt;
}

// ---- The door -------------------------------------------------------------------------------------------------------

ExchangeMachine::ExchangeMachine(const compiler::CompiledPolicy& policy, EngineObjects& objects, base::Random& random,
                                 compiler::abi::Facts* facts, TimePoint arrived)
    : state_(std::make_unique<State>(policy, objects, random, facts, arrived)) {}

ExchangeMachine::~ExchangeMachine() = default;

void ExchangeMachine::Handle(const Event& event, TimePoint now, Commands* commands) {
  state_->now = now;
  state_->commands = commands;
  state_->Handle(event);
  state_->commands = nullptr;
  state_->CheckInvariants(event);
}

void ExchangeMachine::ObserveRequestSent() {
  using Phase = State::Phase;
  if (state_->phase == Phase::kAttempting || state_->phase == Phase::kContinuing) state_->ObserveRequestSent();
}

void ExchangeMachine::ObserveProgress(TimePoint now) {
  using Phase = State::Phase;
  if (state_->phase == Phase::kAttempting) return;  // an interim response
  state_->attempt.clock.ObserveBytes(now, state_->phase == Phase::kCommitted);
}

void ExchangeMachine::ObserveBegun(TimePoint now) { state_->attempt.clock.ObserveContent(now); }

void ExchangeMachine::ObserveContent(TimePoint now) {
  state_->attempt.clock.ObserveStream();
  state_->attempt.clock.ObserveContent(now);
}

void ExchangeMachine::ObserveComplete(TimePoint now) {
  using Phase = State::Phase;
  if (state_->phase != Phase::kHeld && state_->phase != Phase::kCommitted) return;
  ObserveProgress(now);
  state_->attempt.clock.ObserveComplete(true);
}

void ExchangeMachine::ObserveIncomplete() { state_->attempt.clock.ObserveComplete(false); }

void ExchangeMachine::ObserveClientAwaited(bool is_awaited, TimePoint now) {
  state_->attempt.clock.WaitForClient(is_awaited, now);
}

void ExchangeMachine::ObserveFrame(TimePoint now) {
  state_->now = now;
  state_->JudgeFrame();
}

void ExchangeMachine::ObserveSent(Continuation possible) { state_->possible = possible; }

std::optional<TimePoint> ExchangeMachine::NextDeadline() const { return state_->NextDeadline(); }

std::optional<EndCacheFlight> ExchangeMachine::GiveUpFlight() {
  if (!state_->led) return std::nullopt;
  const CacheFlight flight = *std::exchange(state_->led, std::nullopt);
  return EndCacheFlight{flight.cache, flight.key};
}

bool ExchangeMachine::done() const { return state_->phase == State::Phase::kDone; }

}  // namespace runtime::engine
