// The driver: an event queue in virtual time, upstreams that fail in ways drawn by the seed, clients that leave. It
// carries out the commands of the machines and shows everything to the invariants.
#include "tests/simulation/simulation.h"

#include <algorithm>
#include <memory>
#include <queue>

#include "compiler/abi/facts.h"
#include "runtime/engine/exchange_machine.h"
#include "runtime/engine/fallback.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/sim_policy.h"

namespace tests::simulation {
namespace {

using namespace runtime::engine;  // NOLINT: events and commands, by the dozen
using base::Random;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart(std::chrono::hours(1));
// No request takes longer than all its attempts, waits and leaders together; what is left then is stuck.
constexpr Duration kHorizon = std::chrono::hours(3);

// How an exchange ended for its client.
enum class Ending : uint8_t { kComplete, kCut, kByGateway, kGone };

std::string_view Name(Ending ending) {
  switch (ending) {
    case Ending::kComplete: return "complete";
    case Ending::kCut: return "cut";
    case Ending::kByGateway: return "by the gateway";
    case Ending::kGone: return "gone";
  }
  return "?";
}

// … as its events alone tell: nothing else may end one.
class EndingOfEvents {
 public:
  void Observe(const Event& event) {
    last_ = event;
    was_committed_ = is_committed_;
    is_committed_ |= std::holds_alternative<AttemptContent>(event) || std::holds_alternative<AttemptEnded>(event);
  }
  Ending Tell() const {
    if (std::holds_alternative<ClientGone>(last_)) return Ending::kGone;
    if (std::holds_alternative<AttemptEnded>(last_)) return Ending::kComplete;
    return was_committed_ ? Ending::kCut : Ending::kByGateway;
  }

 private:
  Event last_;
  bool is_committed_ = false;
  bool was_committed_ = false;
};

// … and as its last commands say.
Ending EndingOf(const Commands& commands) {
  Ending ending = Ending::kGone;
  for (const Command& command : commands) {
    if (std::holds_alternative<FinishAnswer>(command)) ending = Ending::kComplete;
    if (std::holds_alternative<BreakOffAnswer>(command)) ending = Ending::kCut;
    if (std::holds_alternative<SendReply>(command) || std::holds_alternative<SendCached>(command) ||
        std::holds_alternative<SendMock>(command) || std::holds_alternative<SendError>(command)) {
      ending = Ending::kByGateway;
    }
  }
  return ending;
}

struct Exchange {
  ExchangeView view;
  RequestReady ready;
  compiler::abi::Facts facts;
  std::string body;
  std::unique_ptr<ExchangeMachine> machine;
  int attempt = 0;  // of its events only the current one's are delivered
  bool attempt_is_alive = false;
  bool takes_over = false;  // the current attempt
  std::optional<FollowCache> follows;
  int waits = 0;  // for places, counted; of news only that of the current wait is delivered
  bool is_waiting = false;
  std::optional<TimePoint> woken_for;
  EndingOfEvents ending;
};

enum class What : uint8_t { kArrive, kDeliver, kNews, kLoadNews, kLoadOver, kProgress, kWake, kLeave, kDestroy };

struct Item {
  TimePoint at;
  uint64_t order = 0;
  What what{};
  int exchange = 0;
  int attempt = 0;  // kDeliver, kProgress: 0 for events that belong to none; kNews, kLoadNews: which wait; kLoadOver: upstream
  Event event;
};
struct Later {
  bool operator()(const Item& a, const Item& b) const { return std::pair(a.at, a.order) > std::pair(b.at, b.order); }
};

// How an upstream does: healthy and sick times take turns.
class Weather {
 public:
  explicit Weather(uint64_t seed) : random_(seed) {}
  double FaultChance(TimePoint now) {
    while (now >= until_) {
      constexpr double kChances[] = {0, 0.05, 0.4, 1};
      chance_ = kChances[random_.Below(4)];
      until_ += milliseconds(500 + random_.Below(20'000));
    }
    return chance_;
  }

 private:
  Random random_;
  TimePoint until_ = kStart;
  double chance_ = 0;
};

class World {
 public:
  World(uint64_t seed, int exchanges, Bug bug)
      : random_(seed), bug_(bug), policy_(DrawPolicy(random_)), objects_(*policy_.compiled), engine_random_(seed + 1) {
    for (size_t u = 0; u < policy_.upstreams.size(); ++u) weather_.emplace_back(seed * 31 + u);
    Judge();
    exchanges_.resize(static_cast<size_t>(exchanges));
    TimePoint at = kStart;
    const uint64_t mean_gap_us = 1000 + random_.Below(400'000);
    for (int i = 0; i < exchanges; ++i) {
      at += microseconds(random_.Below(2 * mean_gap_us));
      Push({at, 0, What::kArrive, i, 0, {}});
    }
  }

  Report Run();

 private:
  void Judge();
  void Push(Item item) {
    item.order = ++order_;
    queue_.push(std::move(item));
  }
  bool Chance(double p) { return random_.Fraction() < p; }
  Duration Short() { return microseconds(random_.Below(20'000)); }
  Duration NewsDelay() { return Duration(random_.Below(static_cast<uint64_t>(kMaxNewsDelay.count()))); }
  Duration Long() { return milliseconds(random_.Below(4000)); }

  void Arrive(Exchange& exchange);
  void Handle(Exchange& exchange, const Event& event);
  void CarryOut(Exchange& exchange, const Command& command);
  void PlanAttempt(Exchange& exchange, const StartAttempt& command);
  void PlanAnswer(Exchange& exchange, int attempt, TimePoint t, bool faulty);
  void ScheduleWake(Exchange& exchange);
  void Destroy(Exchange& exchange);
  void EndLoad(UpstreamId upstream, const std::string& model);
  std::string ModelOf(const Exchange& exchange) const {
    constexpr const char* kModels[] = {"small", "large", ""};
    return kModels[exchange.view.id % 3];
  }
  Commands AsSeen(const Commands& commands);
  void CheckBreakers();
  void CheckLimiters();

  Random random_;
  Bug bug_;
  SimPolicy policy_;
  EngineObjects objects_;
  Random engine_random_;
  std::vector<Weather> weather_;
  std::vector<Exchange> exchanges_;
  std::priority_queue<Item, std::vector<Item>, Later> queue_;
  uint64_t order_ = 0;
  TimePoint now_ = kStart;
  Report report_;
  std::unique_ptr<Invariants> invariants_;
  bool bug_is_planted_ = false;
};

// The rules that the engine is judged by: its own, but for planted bugs of that kind.
void World::Judge() {
  std::vector<UpstreamRules> upstreams = policy_.upstreams;
  std::vector<RouteRules> routes = policy_.routes;
  for (UpstreamRules& u : upstreams) {
    RetryRules* retry = u.retry ? &*u.retry : nullptr;
    BreakerRules* breaker = u.breaker ? &*u.breaker : nullptr;
    if (bug_ == Bug::kOneRetryTooMany && retry != nullptr) --retry->max_retries;
    if (bug_ == Bug::kOneProbeTooMany && breaker != nullptr) --breaker->probes;
    if (bug_ == Bug::kOpensTooLate && breaker != nullptr) --breaker->open_at;
    if (bug_ == Bug::kOpensTooEarly && breaker != nullptr) ++breaker->open_at;
    if (bug_ == Bug::kClosesTooEarly && breaker != nullptr) ++breaker->close_at;
    if (bug_ == Bug::kClosesTooLate && breaker != nullptr) --breaker->close_at;
    if (bug_ == Bug::kHalfOpenTooEarly && breaker != nullptr) breaker->open_for += breaker->open_for / 10;
    if (bug_ == Bug::kWindowTooShort && breaker != nullptr) breaker->open_window *= 2;
    if (bug_ == Bug::kWaitTooShort && retry != nullptr) retry->from *= 2, retry->cap *= 2;
    if (bug_ == Bug::kWaitTooLong && retry != nullptr) retry->from /= 2, retry->cap /= 2;
    if (bug_ == Bug::kRetriesTheWrongThing && retry != nullptr) retry->when.errors.erase(retry->when.errors.begin());
    if (bug_ == Bug::kRepeatsWhatIsUnsafe) u.repeat_safe = false;
    if (bug_ == Bug::kAttemptTooLong) u.total /= 2;
    if (bug_ == Bug::kLoadsTooLong && u.cold_load) *u.cold_load /= 2;
    if (bug_ == Bug::kRetriesBeyondTheBudget && retry != nullptr && retry->budget) *retry->budget /= 2;
    if (bug_ == Bug::kWaitsBeyondTheCap && retry != nullptr && retry->honour_cap) *retry->honour_cap /= 2;
    if (bug_ == Bug::kOpenForDoesNotGrow && breaker != nullptr && breaker->open_factor > 1) ++breaker->open_factor;
    LimitRules* limit = u.limit ? &*u.limit : nullptr;
    if (bug_ == Bug::kOnePlaceTooMany && limit != nullptr) --limit->max_in_flight;
    if (bug_ == Bug::kQueueTooLong && limit != nullptr && limit->queue_length > 1) --limit->queue_length;
    if (bug_ == Bug::kWaitsInTheQueueTooLong && limit != nullptr) limit->queue_timeout /= 2;
    if (bug_ == Bug::kServesTheNewestFirst && limit != nullptr) limit->newest_first = true;
    if (bug_ == Bug::kMisjudgesAnOutcome && breaker != nullptr) breaker->failure_when = OutcomeSet{{{501, 599}}, {}};
  }
  for (RouteRules& route : routes) {
    if (bug_ == Bug::kForgetsDeadline && route.deadline) *route.deadline /= 2;
  }
  invariants_ =
      std::make_unique<Invariants>(std::move(upstreams), std::move(routes), policy_.compiled->policy, &report_);
  // What a fresh budget holds would last for a whole run: nothing would ever be denied.
  for (size_t u = 0; u < policy_.upstreams.size(); ++u) {
    RetryBudget* budget = objects_.budget(UpstreamId(static_cast<int32_t>(u)));
    if (budget == nullptr) continue;
    while (budget->Take(kStart)) {
    }
    invariants_->BudgetIsSpent(static_cast<int>(u), kStart);
  }
}

Report World::Run() {
  while (!queue_.empty()) {
    Item item = queue_.top();
    queue_.pop();
    now_ = item.at;
    if (now_ > kStart + kHorizon || report_.violations.size() > 3) break;
    ++report_.events;
    Exchange& exchange = exchanges_[static_cast<size_t>(item.exchange)];
    if (item.what == What::kArrive) {
      Arrive(exchange);
      continue;
    }
    if (item.what == What::kLoadOver) {  // the load outlives who began it
      EndLoad(UpstreamId(item.attempt), ModelOf(exchange));
      continue;
    }
    if (exchange.machine == nullptr) continue;
    const bool is_current = item.attempt == 0 || (item.attempt == exchange.attempt && exchange.attempt_is_alive);
    switch (item.what) {
      case What::kArrive:
      case What::kLoadOver: break;
      case What::kDeliver:
        if (is_current) Handle(exchange, item.event);
        break;
      case What::kNews:
        if (!exchange.is_waiting || exchange.waits != item.attempt) break;
        exchange.is_waiting = false;
        Handle(exchange, PlaceNews{});
        break;
      case What::kLoadNews:
        if (!exchange.is_waiting || exchange.waits != item.attempt) break;
        exchange.is_waiting = false;
        Handle(exchange, LoadNews{});
        break;
      case What::kProgress:
        if (is_current) {
          exchange.machine->ObserveProgress(now_);
          constexpr Continuation kPossible[] = {Continuation::kNone, Continuation::kAfresh, Continuation::kPrefill};
          exchange.machine->ObserveSent(kPossible[random_.Below(3)]);
        }
        break;
      case What::kWake:
        exchange.woken_for.reset();
        if (bug_ != Bug::kSleepsThroughDeadlines) Handle(exchange, TimeReached{});
        break;
      case What::kLeave: Handle(exchange, ClientGone{}); break;
      case What::kDestroy: Destroy(exchange); break;
    }
    CheckBreakers();
    CheckLimiters();
  }
  for (Exchange& exchange : exchanges_) {
    if (exchange.machine != nullptr && report_.violations.empty())
      invariants_->Violation(exchange.view.id, now_, "never ended");
    exchange.machine.reset();
  }
  // Everything was given back: no flight is left, and (CheckBreakers, CheckLimiters) no probe and no place.
  if (report_.violations.empty()) {
    for (size_t i = 0; i < exchanges_.size(); ++i) {
      Cache& cache = *objects_.cache(CacheId(0));
      const std::string key = CacheKey(policy_.compiled->policy.caches[CacheId(0)], exchanges_[i].facts, 0);
      if (!cache.Lead(key)) invariants_->Violation(static_cast<int>(i), now_, "a flight was left behind");
      cache.EndFlight(key);
    }
    CheckBreakers();
    CheckLimiters();
    invariants_->CheckAllGivenBack(now_);
  }
  report_.exchanges = static_cast<int64_t>(exchanges_.size());
  return report_;
}

void World::Arrive(Exchange& exchange) {
  using compiler::abi::Method;
  const int id = static_cast<int>(&exchange - exchanges_.data());
  const int route = static_cast<int>(random_.Below(policy_.routes.size()));
  exchange.view = {id, route, now_, !Chance(0.1), Chance(0.3)};
  exchange.body = "question " + std::to_string(random_.Below(12));
  exchange.facts.request_method = static_cast<int32_t>(exchange.view.is_idempotent ? Method::kGET : Method::kPOST);
  exchange.facts.request_body = compiler::abi::Str::Of(exchange.body);
  exchange.ready = {RouteId(route), exchange.view.body_is_kept, Chance(0.5)};
  exchange.ready.takes_keep_alive = exchange.ready.wants_stream;
  exchange.ready.model_at = [this, &exchange](UpstreamId) { return ModelOf(exchange); };
  exchange.machine =
      std::make_unique<ExchangeMachine>(*policy_.compiled, objects_, engine_random_, &exchange.facts, now_);
  // The head and body of the request take their time; the deadline runs from the arrival.
  Push({now_ + (Chance(0.05) ? Long() : Short()), 0, What::kDeliver, id, 0, exchange.ready});
  if (Chance(0.1)) Push({now_ + Long(), 0, What::kLeave, id, 0, {}});
  if (Chance(0.01)) Push({now_ + Long(), 0, What::kDestroy, id, 0, {}});
}

void World::Handle(Exchange& exchange, const Event& event) {
  if (std::holds_alternative<AttemptEnded>(event) || std::holds_alternative<AttemptFailed>(event))
    exchange.attempt_is_alive = false;
  if (std::holds_alternative<CacheSettled>(event)) exchange.follows.reset();
  Commands commands;
  exchange.machine->Handle(event, now_, &commands);
  invariants_->Handled(exchange.view, event, AsSeen(commands), exchange.machine->done(),
                       exchange.machine->NextDeadline(), now_);
  for (const Command& command : commands) CarryOut(exchange, command);
  exchange.ending.Observe(event);
  if (exchange.machine->done()) {
    const Ending told = exchange.ending.Tell();
    const Ending seen = EndingOf(commands);
    ++report_.seen["ending " + std::string(Name(told))];
    if (told != seen) {
      invariants_->Violation(
          exchange.view.id, now_,
          "its events say that it ended " + std::string(Name(told)) + ", its commands: " + std::string(Name(seen)));
    }
    exchange.machine.reset();
  } else {
    ScheduleWake(exchange);
  }
}

// One timer for each exchange, sometimes late, and now and then too early.
void World::ScheduleWake(Exchange& exchange) {
  const std::optional<TimePoint> deadline = exchange.machine->NextDeadline();
  if (!deadline || (exchange.woken_for && *exchange.woken_for <= *deadline)) return;
  exchange.woken_for = deadline;
  Duration late{};
  if (Chance(0.2)) late = microseconds(random_.Below(20'000));
  Push({std::max(now_, *deadline) + late, 0, What::kWake, exchange.view.id, 0, {}});
  if (Chance(0.02)) Push({now_ + (*deadline - now_) / 2, 0, What::kWake, exchange.view.id, 0, {}});
}

void World::CarryOut(Exchange& exchange, const Command& command) {
  if (const auto* start = std::get_if<StartAttempt>(&command)) return PlanAttempt(exchange, *start);
  if (std::holds_alternative<AbortAttempt>(command)) exchange.attempt_is_alive = false;
  if (const auto* store = std::get_if<StoreAnswer>(&command)) {
    objects_.cache(store->cache)->Store(store->key, {200, {}, "an answer", {}}, now_);
    ++report_.seen["store"];
  }
  if (const auto* flight = std::get_if<EndCacheFlight>(&command)) {
    if (bug_ == Bug::kForgetsAFlight) return;
    objects_.cache(flight->cache)->EndFlight(flight->key);
  }
  if (const auto* wait = std::get_if<WaitForPlace>(&command)) {
    const int id = exchange.view.id;
    const int serial = ++exchange.waits;
    exchange.is_waiting = true;
    // The news travels to the loop of the waiter.
    const auto wake = [this, id, serial] { Push({now_ + NewsDelay(), 0, What::kNews, id, serial, {}}); };
    Limiter& limiter = *objects_.limiter(wait->upstream);
    if (bug_ == Bug::kLosesTheNewsOfAPlace && Chance(0.2)) return;
    if (!limiter.OnNews(wait->place, wake)) wake();
    if (bug_ == Bug::kGivesAPlaceBackTooEarly) limiter.Leave(1 + random_.Below(wait->place));
  }
  if (const auto* load = std::get_if<StartLoad>(&command)) {
    const Duration most = *objects_.loads(load->upstream)->cold_load();
    const Duration takes = Chance(0.4) ? Short() : Duration(static_cast<int64_t>(random_.Fraction() * 1.3 * static_cast<double>(most.count())));
    Push({now_ + std::min(takes, most), 0, What::kLoadOver, exchange.view.id, load->upstream.value, {}});
  }
  if (const auto* wait = std::get_if<WaitForLoad>(&command)) {
    const int id = exchange.view.id;
    const int serial = ++exchange.waits;
    exchange.is_waiting = true;
    const auto wake = [this, id, serial] { Push({now_ + NewsDelay(), 0, What::kLoadNews, id, serial, {}}); };
    if (!objects_.loads(wait->upstream)->OnNews(wait->waiter, wake)) wake();
  }
  if (std::holds_alternative<StopWaiting>(command)) exchange.is_waiting = false;
  if (const auto* release = std::get_if<ReleasePlace>(&command)) {
    if (bug_ == Bug::kForgetsAPlace && Chance(0.05)) return;
    objects_.limiter(release->upstream)->Release(release->place, now_, release->client_time);
  }
  if (const auto* follow = std::get_if<FollowCache>(&command)) {
    const int id = exchange.view.id;
    const auto wake = [this, id] { Push({now_, 0, What::kDeliver, id, 0, CacheSettled{}}); };
    exchange.follows = *follow;
    if (!objects_.cache(follow->cache)->Follow(follow->key, static_cast<uint64_t>(id), wake)) wake();
  }
  if (const auto* unfollow = std::get_if<UnfollowCache>(&command)) {
    objects_.cache(unfollow->cache)->Unfollow(unfollow->key, static_cast<uint64_t>(exchange.view.id));
    exchange.follows.reset();
  }
  // A probe that somebody takes and forgets.
  if (bug_ == Bug::kLeaksAProbe && !bug_is_planted_ && std::holds_alternative<RecordBreaker>(command)) {
    const auto& note = std::get<RecordBreaker>(command);
    if (note.transition.to != BreakerState::kHalfOpen) return;
    bug_is_planted_ = objects_.breaker(note.upstream)->Admit(now_, std::chrono::hours(1)).ticket.has_value();
  }
}

void World::PlanAttempt(Exchange& exchange, const StartAttempt& command) {
  const int attempt = ++exchange.attempt;
  exchange.attempt_is_alive = true;
  exchange.takes_over = command.continuation != Continuation::kNone;
  if (exchange.takes_over && Chance(0.3)) exchange.machine->ObserveSent(Continuation::kAfresh);
  const int id = exchange.view.id;
  const bool faulty = Chance(weather_[static_cast<size_t>(command.upstream.value)].FaultChance(now_));
  TimePoint t = now_;
  const auto deliver = [&](Event event) { Push({t, 0, What::kDeliver, id, attempt, std::move(event)}); };

  if (!command.fresh_connection && Chance(0.05)) {
    t += Short();
    deliver(AttemptConnected{});
    if (Chance(0.7)) deliver(AttemptRequestSent{});
    t += Short();
    return deliver(AttemptFailed{ErrorKind::k_reset, true});
  }
  t += Short();
  if (faulty) {
    switch (random_.Below(8)) {
      case 0: return deliver(AttemptFailed{ErrorKind::k_refused, false});
      case 1: return deliver(AttemptFailed{ErrorKind::k_connect_failure, false});
      case 2: return deliver(AttemptFailed{ErrorKind::k_dns_failure, false});
      case 3: return;  // the connection never stands
      default: break;
    }
  }
  deliver(AttemptConnected{});
  if (!faulty || Chance(0.9)) deliver(AttemptRequestSent{});
  t += Chance(0.8) ? Short() : Long();
  PlanAnswer(exchange, attempt, t, faulty);
}

void World::PlanAnswer(Exchange& exchange, int attempt, TimePoint t, bool faulty) {
  const int id = exchange.view.id;
  const auto deliver = [&](Event event) { Push({t, 0, What::kDeliver, id, attempt, std::move(event)}); };
  uint64_t fault = faulty ? 1 + random_.Below(9) : 0;
  if (faulty && Chance(0.3)) fault = 4;  // the commonest of all: a status
  if (fault == 1) return;  // it hangs before its head
  if (fault == 2) return deliver(AttemptFailed{ErrorKind::k_reset, false});
  if (fault == 3) return deliver(AttemptFailed{ErrorKind::k_bad_response, false});
  int status = 200;
  if (fault == 4) {
    constexpr int kStatuses[] = {500, 501, 502, 503, 503, 503, 505, 507};
    status = kStatuses[random_.Below(8)];
  } else if (Chance(0.1)) {
    constexpr int kStatuses[] = {201, 304, 400, 404, 422, 429, 429, 429};
    status = kStatuses[random_.Below(8)];
  }
  std::optional<Duration> retry_after;
  if ((status == 429 || status == 503) && Chance(0.7)) retry_after = Long();
  deliver(AttemptHead{status, retry_after});
  if (fault == 5) return;  // it hangs before its content
  t += Chance(0.8) ? Short() : Long();
  if (fault == 6) return deliver(AttemptFailed{ErrorKind::k_truncated, false});
  if (Chance(0.03)) return deliver(AttemptEnded{});  // no content at all
  if (exchange.takes_over && Chance(0.2)) return deliver(AttemptFailed{ErrorKind::k_bad_response, false, true});
  deliver(AttemptContent{});
  for (uint64_t n = random_.Below(6); n > 0; --n) {
    t += Chance(0.9) ? Short() : Long();
    Push({t, 0, What::kProgress, id, attempt, {}});
  }
  if (fault == 7) return;  // it hangs in the middle
  t += Short();
  if (fault == 8) return deliver(AttemptFailed{ErrorKind::k_truncated, false});
  if (fault == 9) return deliver(AttemptFailed{ErrorKind::k_stream_error, false});
  deliver(AttemptEnded{});
}

void World::EndLoad(UpstreamId upstream, const std::string& model) {
  const double fate = random_.Fraction();
  const auto news = fate < 0.2 ? ModelLoads::News::kTooLong : ModelLoads::News::kOver;
  objects_.loads(upstream)->End(model, news, fate > 0.6 ? ModelLoads::Outcome::kLoaded : fate > 0.4 ? ModelLoads::Outcome::kUnknown : ModelLoads::Outcome::kFailed, now_);
}

void World::Destroy(Exchange& exchange) {
  if (exchange.follows)
    objects_.cache(exchange.follows->cache)->Unfollow(exchange.follows->key, static_cast<uint64_t>(exchange.view.id));
  exchange.machine.reset();
  invariants_->Destroyed(exchange.view.id, now_);
}

Commands World::AsSeen(const Commands& commands) {
  Commands seen;
  for (const Command& command : commands) {
    const bool is_final = std::holds_alternative<FinishAnswer>(command) || std::holds_alternative<SendReply>(command) ||
                          std::holds_alternative<SendCached>(command) || std::holds_alternative<SendError>(command);
    if (bug_ == Bug::kLosesAnAttemptsEnd && std::holds_alternative<RecordAttemptEnded>(command) && Chance(0.05)) continue;
    if (bug_ == Bug::kLosesATransition && std::holds_alternative<RecordBreaker>(command) && Chance(0.2)) continue;
    if (bug_ == Bug::kNeverAborts && std::holds_alternative<AbortAttempt>(command)) continue;
    if (const auto* rejected = std::get_if<RecordRejected>(&command);
        rejected && bug_ == Bug::kStartsThroughOpenBreaker) {
      seen.push_back(StartAttempt{rejected->upstream, 1, true});
      continue;
    }
    seen.push_back(command);
    if (bug_ == Bug::kAnswersTwice && is_final && Chance(0.05)) seen.push_back(command);
    if (bug_ == Bug::kRetriesAfterCommit && std::holds_alternative<CommitAnswer>(command) && Chance(0.05)) {
      seen.push_back(StartAttempt{std::get<CommitAnswer>(command).served_by, 2, true});
    }
  }
  return seen;
}

void World::CheckLimiters() {
  for (size_t u = 0; u < policy_.upstreams.size(); ++u) {
    const Limiter* limiter = objects_.limiter(UpstreamId(static_cast<int32_t>(u)));
    if (limiter != nullptr) invariants_->CheckLimiter(static_cast<int>(u), limiter->Look(), now_);
  }
}

void World::CheckBreakers() {
  for (size_t u = 0; u < policy_.upstreams.size(); ++u) {
    const Breaker* breaker = objects_.breaker(UpstreamId(static_cast<int32_t>(u)));
    if (breaker != nullptr) invariants_->CheckBreaker(static_cast<int>(u), breaker->Look(now_), now_);
  }
}

}  // namespace

Report Simulate(uint64_t seed, int exchanges, Bug bug) { return World(seed, exchanges, bug).Run(); }

}  // namespace tests::simulation
