// The three states and what leads from one to the next. A transition happens in Open, BeginHalfOpen or Close, under the
// mutex, and its value is handed to the one caller that made it.
#include "runtime/engine/breaker.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace runtime::engine {
namespace {

using compiler::abi::WindowMeasureKind;

constexpr double kOpenJitter = 0.1;  // of an open_for that grows; upwards
constexpr Duration kDefaultShownWindow = std::chrono::seconds(60);

std::optional<size_t> FirstFailureMeasure(const compiler::model::BreakerSettings& settings) {
  for (size_t i = 0; i < settings.measures.size(); ++i) {
    const WindowMeasureKind kind = settings.measures[i].kind;
    if (kind == WindowMeasureKind::kFailures || kind == WindowMeasureKind::kFailedRequests) return i;
  }
  return std::nullopt;
}

constexpr uint64_t WordOf(BreakerState state, uint64_t generation) {
  return generation << 2 | static_cast<uint64_t>(state);
}
constexpr BreakerState StateOf(uint64_t word) { return static_cast<BreakerState>(word & 3); }
constexpr uint64_t GenerationOf(uint64_t word) { return word >> 2; }

}  // namespace

std::string_view Name(BreakerState state) {
  switch (state) {
    case BreakerState::kClosed: return "CLOSED";
    case BreakerState::kOpen: return "OPEN";
    case BreakerState::kHalfOpen: return "HALF_OPEN";
    case BreakerState::kResting: return "RESTING";
  }
  return "";
}

Breaker::Breaker(const compiler::model::BreakerSettings& settings, const compiler::abi::PredicateTable& predicates,
                 uint64_t seed)
    : settings_(settings),
      predicates_(&predicates),
      word_(WordOf(BreakerState::kClosed, 0)),
      open_until_(0),
      random_(seed),
      windows_(settings.measures),
      probe_windows_(settings.measures),
      shown_measure_(FirstFailureMeasure(settings)),
      shown_window_(shown_measure_ ? settings.measures[*shown_measure_].window : kDefaultShownWindow),
      shown_failures_(kMaxShownCount),
      shown_successes_(kMaxShownCount) {}

void Breaker::Reconfigure(const compiler::model::BreakerSettings& settings,
                          const compiler::abi::PredicateTable& predicates, std::shared_ptr<const void> keeps) {
  std::lock_guard lock(mutex_);
  settings_ = settings;
  predicates_ = &predicates;
  keeps_.swap(keeps);  // the old code may go only now
  windows_.Reconfigure(settings_.measures);
  probe_windows_.Reconfigure(settings_.measures);
  shown_measure_ = FirstFailureMeasure(settings_);
  shown_window_ = shown_measure_ ? settings_.measures[*shown_measure_].window : kDefaultShownWindow;
}

KeptBreaker Breaker::Keep() const {
  std::lock_guard lock(mutex_);
  KeptBreaker kept;
  kept.state = static_cast<int64_t>(state_ == BreakerState::kHalfOpen ? BreakerState::kOpen : state_);
  kept.generation = generation_;
  kept.open_until = TimePoint{Duration(open_until_.load())};
  kept.last_open_for = last_open_for_;
  kept.trips = trips_;
  kept.closed_at = closed_at_;
  kept.held_open_until = held_open_until_;
  kept.held_closed_until = held_closed_until_;
  kept.last_failure = last_failure_;
  kept.last_retry_after = last_retry_after_;
  kept.failures_when_opened = failures_when_opened_;
  kept.windows = windows_.Keep();
  kept.shown_failures = shown_failures_.Keep();
  return kept;
}

void Breaker::Restore(const KeptBreaker& kept, TimePoint now) {
  std::lock_guard lock(mutex_);
  state_ = static_cast<BreakerState>(kept.state);
  generation_ = kept.generation;
  probes_.clear();
  open_until_.store(kept.open_until.time_since_epoch().count());
  word_.store(WordOf(state_, generation_), std::memory_order_release);
  last_open_for_ = kept.last_open_for;
  trips_ = static_cast<int>(kept.trips);
  closed_at_ = std::min(kept.closed_at, now);
  held_open_until_ = kept.held_open_until;
  held_closed_until_ = kept.held_closed_until;
  if (kept.last_failure) last_failure_ = std::min(*kept.last_failure, now);
  last_retry_after_ = kept.last_retry_after;
  failures_when_opened_ = kept.failures_when_opened;
  CountWindows windows(kept.windows);
  windows.Reconfigure(settings_.measures);
  windows_ = std::move(windows);
  for (const TimePoint time : kept.shown_failures) shown_failures_.Add(time);
}

// ---- Admission ------------------------------------------------------------------------------------------------------

Breaker::Admission Breaker::Admit(TimePoint now, Duration lease, bool may_probe) {
  Admission admission;
  const uint64_t word = word_.load(std::memory_order_acquire);
  if (StateOf(word) == BreakerState::kClosed) {
    admission.ticket = Ticket{GenerationOf(word), 0, false};
    return admission;
  }
  if (LeavesAlone(StateOf(word))) {
    const TimePoint open_until{Duration(open_until_.load(std::memory_order_acquire))};
    if (now < open_until) {
      admission.retry_at = open_until;
      return admission;
    }
  }

  std::lock_guard lock(mutex_);
  if (state_ == BreakerState::kClosed) {  // another thread closed it since
    admission.ticket = Ticket{generation_, 0, false};
    return admission;
  }
  if (state_ == BreakerState::kHalfOpen && AnyLeaseIsOver(now)) {
    admission.transition = Open(now);
  } else if (LeavesAlone(state_) && now >= TimePoint{Duration(open_until_.load())} && may_probe) {
    admission.transition = BeginHalfOpen(now);
  }
  if (LeavesAlone(state_)) {
    admission.retry_at = TimePoint{Duration(open_until_.load())};
  } else if (std::cmp_greater_equal(probes_.size(), settings_.probes) || !may_probe) {
    admission.retry_at = now;  // any moment: a probe may be given back
  } else {
    probes_.push_back({++last_probe_, now + lease});
    admission.ticket = Ticket{generation_, last_probe_, false};
  }
  return admission;
}

bool Breaker::WouldAdmit(TimePoint now, const Ticket* own, bool may_probe) const {
  switch (StateOf(word_.load(std::memory_order_acquire))) {
    case BreakerState::kClosed: return true;
    case BreakerState::kOpen:
    case BreakerState::kResting: return may_probe && now >= TimePoint{Duration(open_until_.load(std::memory_order_acquire))};
    case BreakerState::kHalfOpen: break;
  }
  if (!may_probe) return false;
  std::lock_guard lock(mutex_);
  if (state_ == BreakerState::kClosed) return true;
  if (LeavesAlone(state_)) return now >= TimePoint{Duration(open_until_.load())};
  const bool holds_probe = own != nullptr && IsCurrent(*own) && own->probe != 0;
  int64_t others = 0;
  for (const Probe& probe : probes_) {
    if (holds_probe && probe.id == own->probe) continue;
    if (now >= probe.lease_end) return false;
    ++others;
  }
  return others < settings_.probes;
}

// ---- Outcomes -------------------------------------------------------------------------------------------------------

std::optional<BreakerTransition> Breaker::Record(const Ticket& ticket, OutcomeClass outcome, TimePoint now,
                                                 Duration took, const Said& said) {
  std::lock_guard lock(mutex_);
  if (!IsCurrent(ticket)) return std::nullopt;
  GiveBack(ticket);
  if (said.wants_rest || outcome == OutcomeClass::kFailure) last_retry_after_ = said.retry_after;
  if (said.wants_rest) return Open(now, BreakerState::kResting);
  const bool ends_half_open = said.shows_life && state_ == BreakerState::kHalfOpen && now - half_open_since_ >= last_open_for_;
  if (ends_half_open && !AnyLeaseIsOver(now)) return Close(now);
  std::optional<BreakerTransition> transition;
  Ticket mine = ticket;
  if (outcome != OutcomeClass::kNeutral) transition = CountOutcome(&mine, outcome == OutcomeClass::kSuccess, now, took);
  if (!transition && state_ == BreakerState::kHalfOpen && AnyLeaseIsOver(now)) transition = Open(now);
  return transition;
}

std::optional<BreakerTransition> Breaker::RecordFirstContent(Ticket* ticket, TimePoint now, Duration took, bool is_success) {
  if (ticket->probe == 0) return std::nullopt;
  std::lock_guard lock(mutex_);
  if (!IsCurrent(*ticket)) return std::nullopt;
  GiveBack(*ticket);
  ticket->probe = 0;
  if (!is_success) return std::nullopt;
  std::optional<BreakerTransition> transition = CountOutcome(ticket, true, now, took);
  // Its own success closed the breaker: what becomes of the rest of its answer belongs to the new generation.
  if (transition) *ticket = Ticket{generation_, 0, true};
  return transition;
}

std::optional<BreakerTransition> Breaker::RecordFailedRequest(const Ticket& ticket, TimePoint now) {
  std::lock_guard lock(mutex_);
  if (!IsCurrent(ticket)) return std::nullopt;
  // In half-open the failure of the attempt itself reopens the breaker.
  if (state_ == BreakerState::kHalfOpen) {
    probe_windows_.AddFailedRequest(now);
    return std::nullopt;
  }
  windows_.AddFailedRequest(now);
  if (!MayOpen(now)) return std::nullopt;
  return Open(now);
}

void Breaker::Release(const Ticket& ticket) {
  std::lock_guard lock(mutex_);
  if (IsCurrent(ticket)) GiveBack(ticket);
}

std::optional<BreakerTransition> Breaker::CountOutcome(Ticket* ticket, bool success, TimePoint now, Duration took) {
  if (success && ticket->counted) return std::nullopt;
  if (success) {
    ticket->counted = true;
    shown_successes_.Add(now);
  } else {
    shown_failures_.Add(now);
    last_failure_ = std::max(last_failure_.value_or(now), now);
  }
  if (state_ == BreakerState::kHalfOpen) {
    if (!success) return Open(now);
    probe_windows_.AddSuccess(now, took);
    ++probe_successes_;
    if (AnyHolds(settings_.close_when, &probe_windows_, now)) {
      rule_held_ = -1;
      return Close(now);
    }
    return std::nullopt;
  }
  if (success) {
    windows_.AddSuccess(now, took);
  } else {
    windows_.AddFailure(now, took);
  }
  if (MayOpen(now)) return Open(now);
  return std::nullopt;
}

bool Breaker::MayOpen(TimePoint now) {
  return now >= held_closed_until_ && AnyHolds(settings_.open_when, &windows_, now);
}

bool Breaker::AnyHolds(const std::vector<compiler::abi::PredicateId>& rules, CountWindows* windows, TimePoint now) {
  compiler::abi::Facts& facts = rule_facts_;
  facts.window = windows->Values(now);
  const auto held = std::find_if(rules.begin(), rules.end(),
                                 [&](compiler::abi::PredicateId id) { return predicates_->Test(id, facts); });
  if (held == rules.end()) return false;
  rule_held_ = static_cast<int>(held - rules.begin());
  measured_.assign(facts.window, facts.window + settings_.measures.size());
  return true;
}

bool Breaker::AnyLeaseIsOver(TimePoint now) const {
  return std::any_of(probes_.begin(), probes_.end(), [now](const Probe& probe) { return now >= probe.lease_end; });
}

void Breaker::GiveBack(const Ticket& ticket) {
  if (ticket.probe == 0) return;
  std::erase_if(probes_, [&](const Probe& probe) { return probe.id == ticket.probe; });
}

// ---- Transitions ----------------------------------------------------------------------------------------------------

void Breaker::Enter(BreakerState state) {
  state_ = state;
  ++generation_;
  probes_.clear();
  word_.store(WordOf(state_, generation_), std::memory_order_release);
}

Duration Breaker::NextOpenFor() {
  if (settings_.open_for.by_retry_after) {
    return std::min(last_retry_after_.value_or(settings_.open_for.from), settings_.open_for.cap);
  }
  Duration open_for = OpenForAfter(trips_);
  if (!settings_.open_for.is_constant()) {
    if (trips_ == 0 || OpenForAfter(trips_ - 1) < settings_.open_for.cap) ++trips_;
    open_for += Duration(std::llround(static_cast<double>(open_for.count()) * kOpenJitter * random_.Fraction()));
  }
  return open_for;
}

// `as`: kOpen or kResting.
BreakerTransition Breaker::Open(TimePoint now, BreakerState as) {
  const BreakerState from = state_;
  if (from == BreakerState::kClosed) {
    failures_when_opened_ =
        shown_measure_ ? windows_.Count(*shown_measure_, now) : shown_failures_.CountWithin(shown_window_, now);
  } else if (as == BreakerState::kOpen) {
    last_failure_ = std::max(last_failure_.value_or(now), now);  // a lease that is over is a failure, too
  }
  if (from == BreakerState::kClosed) {
    // Health takes back what trips brought: a step for each time that it was closed as long as that step had it open.
    Duration healthy = now - closed_at_;
    while (trips_ > 0 && healthy >= OpenForAfter(trips_ - 1)) healthy -= OpenForAfter(--trips_);
  }
  last_open_for_ = NextOpenFor();
  open_until_.store((now + last_open_for_).time_since_epoch().count(), std::memory_order_release);
  Enter(as);
  BreakerTransition transition{from, state_, generation_};
  transition.open_for = last_open_for_;
  transition.rule = std::exchange(rule_held_, -1);
  transition.measured = std::exchange(measured_, {});
  return transition;
}

BreakerTransition Breaker::BeginHalfOpen(TimePoint now) {
  const BreakerState from = state_;
  probe_windows_.Clear();
  probe_successes_ = 0;
  half_open_since_ = now;
  Enter(BreakerState::kHalfOpen);
  return {from, state_, generation_};
}

BreakerTransition Breaker::Close(TimePoint now) {
  closed_at_ = now;
  windows_.Clear();
  shown_failures_.Clear();
  shown_successes_.Clear();
  failures_when_opened_ = 0;
  Enter(BreakerState::kClosed);
  return {BreakerState::kHalfOpen, state_, generation_};
}

Duration Breaker::OpenForAfter(int trips) const {
  const compiler::model::OpenFor& open_for = settings_.open_for;
  const double grown = static_cast<double>(open_for.from.count()) * std::pow(open_for.factor, trips);
  return grown >= static_cast<double>(open_for.cap.count()) ? open_for.cap : Duration(std::llround(grown));
}

bool Breaker::EndOpenEarly(uint64_t generation, TimePoint now) {
  std::lock_guard lock(mutex_);
  if (!LeavesAlone(state_) || generation_ != generation || now < held_open_until_) return false;
  if (TimePoint{Duration(open_until_.load())} <= now) return false;
  open_until_.store(now.time_since_epoch().count(), std::memory_order_release);
  return true;
}

// ---- What operators say ---------------------------------------------------------------------------------------------

std::optional<BreakerTransition> Breaker::OpenByHand(TimePoint now, std::optional<Duration> how_long) {
  std::lock_guard lock(mutex_);
  held_closed_until_ = {};
  last_open_for_ = how_long.value_or(OpenForAfter(trips_));
  held_open_until_ = now + last_open_for_;
  const BreakerState from = state_;
  if (from == BreakerState::kClosed) {
    failures_when_opened_ =
        shown_measure_ ? windows_.Count(*shown_measure_, now) : shown_failures_.CountWithin(shown_window_, now);
  }
  open_until_.store(held_open_until_.time_since_epoch().count(), std::memory_order_release);
  if (from == BreakerState::kOpen) return std::nullopt;
  Enter(BreakerState::kOpen);
  BreakerTransition transition{from, state_, generation_};
  transition.open_for = last_open_for_;
  transition.by_hand = true;
  return transition;
}

std::optional<BreakerTransition> Breaker::CloseByHand(TimePoint now, Duration held) {
  std::lock_guard lock(mutex_);
  held_open_until_ = {};
  held_closed_until_ = now + held;
  const BreakerState from = state_;
  trips_ = 0;
  BreakerTransition transition = Close(now);
  if (from == BreakerState::kClosed) return std::nullopt;
  transition.from = from;
  transition.by_hand = true;
  return transition;
}

bool Breaker::IsHeld(TimePoint now) const {
  std::lock_guard lock(mutex_);
  return now < held_open_until_ || now < held_closed_until_;
}

// ---- What operators see ---------------------------------------------------------------------------------------------

Breaker::Snapshot Breaker::Look(TimePoint now) const {
  std::lock_guard lock(mutex_);
  Snapshot snapshot;
  snapshot.state = state_;
  snapshot.generation = generation_;
  snapshot.last_failure_time = last_failure_;
  snapshot.failure_count = failures_when_opened_;
  snapshot.success_count = shown_successes_.CountWithin(shown_window_, now);
  snapshot.probes_in_flight = static_cast<int>(probes_.size());
  switch (state_) {
    case BreakerState::kClosed:
      snapshot.failure_count =
          shown_measure_ ? windows_.Count(*shown_measure_, now) : shown_failures_.CountWithin(shown_window_, now);
      break;
    case BreakerState::kOpen:
    case BreakerState::kResting: {
      const TimePoint open_until{Duration(open_until_.load())};
      if (now < open_until) {
        snapshot.retry_at = open_until;
      } else {
        snapshot.state = BreakerState::kHalfOpen;
        snapshot.success_count = 0;
      }
      break;
    }
    case BreakerState::kHalfOpen:
      snapshot.success_count = probe_successes_;
      if (AnyLeaseIsOver(now)) {  // the next request will find it open
        snapshot.state = BreakerState::kOpen;
        snapshot.retry_at = now + OpenForAfter(trips_);
        snapshot.probes_in_flight = 0;
      }
      break;
  }
  return snapshot;
}

}  // namespace runtime::engine
