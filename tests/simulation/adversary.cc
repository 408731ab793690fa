#include "tests/simulation/adversary.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <queue>

#include "runtime/engine/exchange_machine.h"
#include "tests/support/policy_builder.h"

namespace tests::simulation {
namespace {

using namespace runtime::engine;  // NOLINT: events and commands, by the dozen
using namespace std::chrono_literals;  // NOLINT: times
using base::Random;
using std::chrono::milliseconds;

constexpr TimePoint kStart(1h);
constexpr Duration kFastest = 5ms;   // what a healthy upstream takes for an answer, whatever its client does
constexpr Duration kSlowest = 800ms;

// What a client does to get an upstream into trouble.
enum class Client : uint8_t {
  kPlain,        // nothing
  kStopsUpload,  // of a body that is not kept: the rest never comes
  kSlowUpload,   // it comes in the end
  kLateUpload,   // the last byte of a body that is kept comes just before the deadline
  kStopsReading, // after the first content; it is cut off by the client's own limits
  kSlowReader,   // reads on after a long while
  kVanishes,     // at some time
  kExhausts,     // the gateway has no descriptor left
  kCount
};
constexpr const char* kNames[] = {"plain", "stops its upload", "uploads slowly", "uploads late", "stops reading", "reads slowly", "vanishes", "exhausts"};

struct One {
  Client client{};
  bool body_is_kept = true;
  compiler::abi::Facts facts;
  std::unique_ptr<ExchangeMachine> machine;
  int attempt = 0;
  bool is_alive = false;      // the attempt
  bool waits_for_client = false;
  bool has_content = false;
  bool failed_by_itself = false;  // the upstream made an error of it
  std::optional<TimePoint> woken_for;
};

class World {
 public:
  World(uint64_t seed, int exchanges, UpstreamDoes does) : random_(seed), does_(does), engine_random_(seed + 7) {
    PolicyBuilder b;
    const model::UpstreamId id = b.Upstream("u");
    open_at_ = 1 + static_cast<int64_t>(random_.Below(5));
    const auto kind = Chance(0.5) ? compiler::abi::WindowMeasureKind::kFailures : compiler::abi::WindowMeasureKind::kFailedRequests;
    model::BreakerSettings breaker = b.Breaker(kind, 10min, open_at_, 30s, 1 + static_cast<int64_t>(random_.Below(3)));
    breaker.open_for = milliseconds(100 + random_.Below(5000));
    breaker.probes = 1 + static_cast<int>(random_.Below(2));
    b[id].breaker = breaker;
    b[id].timeouts.attempt = 3s;
    b[id].timeouts.idle = 2s;
    if (Chance(0.5)) b[id].timeouts.first_token = 2s;
    b[id].timeouts.stall = 5s;
    places_ = 2 + static_cast<int>(random_.Below(30));
    b[id].max_in_flight = places_;
    b[id].queue = model::QueueSettings{64, 5s};
    const model::RouteId route = b.Route({id});
    deadline_ = milliseconds(4000 + random_.Below(8000));
    if (Chance(0.7)) b[route].deadline = deadline_;
    else deadline_ = 1h;
    policy_ = b.Build();
    objects_ = std::make_unique<EngineObjects>(*policy_);
    all_.resize(static_cast<size_t>(exchanges));
    TimePoint at = kStart;
    const uint64_t gap = 2000 + random_.Below(200'000);
    for (int i = 0; i < exchanges; ++i) {
      at += std::chrono::microseconds(random_.Below(2 * gap));
      At(at, [this, i] { Arrive(i); });
    }
    last_arrival_ = at;
  }

  AdversaryReport Run() {
    // A breaker that is open when they come: half-open must end although they are the first.
    if (does_ == UpstreamDoes::kWell && Chance(0.5)) {
      for (int64_t i = 0; i < open_at_; ++i) {
        const auto admission = breaker().Admit(kStart, 1s);
        if (!admission.ticket) break;
        breaker().Record(*admission.ticket, OutcomeClass::kFailure, kStart);
        breaker().RecordFailedRequest(*admission.ticket, kStart);
      }
      opened_by_us_ = breaker().Look(kStart).state == BreakerState::kOpen;
    }
    while (!events_.empty() && report_.violations.empty()) {
      const Item item = events_.top();
      events_.pop();
      now_ = item.at;
      item.task();
      Check();
    }
    report_.exchanges = static_cast<int64_t>(all_.size());
    // Where somebody came long after it was open, it must be closed.
    const bool somebody_came = last_arrival_ > kStart + 30s;
    if (opened_by_us_ && somebody_came && report_.violations.empty() && breaker().Look(now_).state != BreakerState::kClosed) {
      Violation("never closed again");
    }
    if (opened_by_us_ && somebody_came) ++report_.seen["had to close again"];
    return report_;
  }

 private:
  struct Item {
    TimePoint at;
    uint64_t order;
    std::function<void()> task;
    bool operator<(const Item& other) const { return std::pair(at, order) > std::pair(other.at, other.order); }
  };

  bool Chance(double p) { return random_.Fraction() < p; }
  Duration Between(Duration low, Duration high) {
    return low + Duration(static_cast<int64_t>(random_.Below(static_cast<uint64_t>((high - low).count()) + 1)));
  }
  void At(TimePoint at, std::function<void()> task) { events_.push({at, ++order_, std::move(task)}); }
  void Violation(const std::string& what) {
    report_.violations.push_back(what + " at " + std::to_string(std::chrono::duration<double>(now_ - kStart).count()) + " s");
  }
  Breaker& breaker() { return *objects_->breaker(model::UpstreamId(0)); }
  Limiter& limiter() { return *objects_->limiter(model::UpstreamId(0)); }

  void Arrive(int i) {
    One& one = all_[static_cast<size_t>(i)];
    one.client = Chance(0.4) ? Client::kPlain : static_cast<Client>(random_.Below(static_cast<uint64_t>(Client::kCount)));
    ++report_.seen[kNames[static_cast<size_t>(one.client)]];
    one.body_is_kept = one.client != Client::kStopsUpload && one.client != Client::kSlowUpload;
    one.facts.request_method = static_cast<int32_t>(compiler::abi::Method::kPOST);
    one.machine = std::make_unique<ExchangeMachine>(*policy_, *objects_, engine_random_, &one.facts, now_);
    RequestReady ready{model::RouteId(0), one.body_is_kept, true};
    ready.repeats_at = [](model::UpstreamId) { return true; };
    const Duration upload = one.client == Client::kLateUpload ? deadline_ - Between(1ms, 60ms) : Between(0ms, 3ms);
    At(now_ + std::min<Duration>(upload, 20s), [this, i, ready] { Tell(i, ready); });
    if (one.client == Client::kVanishes) At(now_ + Between(0ms, 3s), [this, i] { Tell(i, ClientGone{}); });
    // Whatever they do, the client's own limits end it.
    if (one.client != Client::kPlain) At(now_ + 60s, [this, i] { Tell(i, ClientGone{}); });
  }

  void Tell(int i, const Event& event) {
    One& one = all_[static_cast<size_t>(i)];
    if (one.machine == nullptr) return;
    if (std::holds_alternative<AttemptEnded>(event) || std::holds_alternative<AttemptFailed>(event)) one.is_alive = false;
    Commands commands;
    one.machine->Handle(event, now_, &commands);
    for (const Command& command : commands) CarryOut(i, command);
    if (one.machine->done()) {
      one.machine.reset();
      one.is_alive = false;
      return;
    }
    Wake(i);
  }

  void Wake(int i) {
    One& one = all_[static_cast<size_t>(i)];
    const auto deadline = one.machine->NextDeadline();
    if (!deadline || (one.woken_for && *one.woken_for <= *deadline)) return;
    one.woken_for = deadline;
    At(std::max(now_, *deadline), [this, i] {
      all_[static_cast<size_t>(i)].woken_for.reset();
      Tell(i, TimeReached{});
    });
  }

  void CarryOut(int i, const Command& command) {
    One& one = all_[static_cast<size_t>(i)];
    if (std::holds_alternative<StartAttempt>(command)) return Attempt(i);
    if (std::holds_alternative<AbortAttempt>(command)) one.is_alive = false;
    if (const auto* note = std::get_if<RecordAttemptEnded>(&command)) {
      ++report_.seen[std::string("ended ") + std::string(Name(note->outcome_class))];
      if (does_ == UpstreamDoes::kFail && one.failed_by_itself) ++failures_;
    }
    if (const auto* note = std::get_if<RecordBreaker>(&command)) {
      if (LeavesAlone(note->transition.to)) {
        ++report_.seen["opened"];
        has_opened_ = true;
        if (does_ == UpstreamDoes::kWell) Violation(std::string("a breaker opened after ") + kNames[static_cast<size_t>(one.client)]);
      }
    }
    if (const auto* wait = std::get_if<WaitForPlace>(&command)) {
      const auto wake = [this, i] { At(now_, [this, i] { Tell(i, PlaceNews{}); }); };
      if (!limiter().OnNews(wait->place, wake)) wake();
    }
    if (const auto* release = std::get_if<ReleasePlace>(&command)) limiter().Release(release->place, now_, release->client_time);
  }

  // Runs `then` if the attempt is still the one under way.
  void Later(int i, Duration after, std::function<void()> then) {
    const int attempt = all_[static_cast<size_t>(i)].attempt;
    At(now_ + after, [this, i, attempt, then = std::move(then)] {
      One& one = all_[static_cast<size_t>(i)];
      if (one.machine != nullptr && one.is_alive && one.attempt == attempt) then();
    });
  }

  void Await(int i, bool is_awaited) {
    One& one = all_[static_cast<size_t>(i)];
    one.waits_for_client = is_awaited;
    one.machine->ObserveClientAwaited(is_awaited, now_);
    Wake(i);
  }

  void Attempt(int i) {
    One& one = all_[static_cast<size_t>(i)];
    ++one.attempt;
    one.is_alive = true;
    one.waits_for_client = one.has_content = false;
    one.failed_by_itself = false;
    if (one.client == Client::kExhausts) return Later(i, 0ms, [this, i] { Tell(i, AttemptFailed{ErrorKind::k_exhausted}); });
    Later(i, 1ms, [this, i] {
      Tell(i, AttemptConnected{});
      if (all_[static_cast<size_t>(i)].machine == nullptr) return;
      Tell(i, AttemptRequestSent{});
      One& sent = all_[static_cast<size_t>(i)];
      if (sent.machine == nullptr) return;
      if (sent.client == Client::kStopsUpload) return Await(i, true);  // for ever
      if (sent.client == Client::kSlowUpload) {
        Await(i, true);
        return Later(i, Between(0ms, 40s), [this, i] {
          Await(i, false);
          Answer(i);
        });
      }
      Answer(i);
    });
  }

  void Answer(int i) {
    if (does_ == UpstreamDoes::kFail) {
      // Its own failure from when it is seen: a client that goes a moment before that has seen none.
      const auto fail = [this, i](const Event& event) {
        all_[static_cast<size_t>(i)].failed_by_itself = true;
        Tell(i, event);
      };
      switch (random_.Below(4)) {
        case 0: return Later(i, Between(1ms, 50ms), [fail] { fail(AttemptHead{500}); });
        case 1: return Later(i, Between(1ms, 50ms), [fail] { fail(AttemptFailed{ErrorKind::k_reset}); });
        case 2:
          return Later(i, Between(1ms, 50ms), [this, i, fail] {
            Tell(i, AttemptHead{200, std::nullopt, true});
            Later(i, 1ms, [fail] { fail(AttemptFailed{ErrorKind::k_stream_error, false, false, 503}); });
          });
        default: return;  // it hangs: attempt_timeout, or the client has enough of it
      }
    }
    const Duration takes = Between(kFastest, kSlowest - 100ms);
    const uint64_t kind = random_.Below(10);
    Later(i, takes / 2, [this, i, takes, kind] {
      // Now and then something is wrong with the request: that is the client's.
      if (kind == 0) {
        Tell(i, AttemptHead{400});
        return Later(i, 1ms, [this, i] { Tell(i, AttemptContent{}); Later(i, 1ms, [this, i] { Tell(i, AttemptEnded{}); }); });
      }
      Tell(i, AttemptHead{200, std::nullopt, kind < 8});
      Later(i, takes / 4, [this, i, takes, kind] {
        if (kind == 1) return Tell(i, AttemptFailed{ErrorKind::k_stream_error, false, false, 400});
        Tell(i, AttemptContent{});
        One& one = all_[static_cast<size_t>(i)];
        if (one.machine == nullptr) return;
        one.has_content = true;
        if (one.client == Client::kStopsReading) return Await(i, true);
        if (one.client == Client::kSlowReader) {
          Await(i, true);
          return Later(i, Between(0ms, 30s), [this, i, takes] {
            Await(i, false);
            Later(i, takes / 4, [this, i] { Tell(i, AttemptEnded{}); });
          });
        }
        Later(i, takes / 4, [this, i] { Tell(i, AttemptEnded{}); });
      });
    });
  }

  void Check() {
    if (does_ == UpstreamDoes::kWell) {
      if (++checks_ % 16 != 0) return;
      const auto look = breaker().Look(now_);
      if (look.probes_in_flight > 0) {
        const bool anybody_is_served = std::any_of(all_.begin(), all_.end(), [](const One& one) {
          return one.machine != nullptr && one.is_alive && !one.waits_for_client && !one.has_content;
        });
        if (!anybody_is_served) Violation("a probe is held while only clients are waited for");
        if (look.state == BreakerState::kOpen && !opened_by_us_) Violation("open");
      }
      const auto estimate = limiter().Look().service_time;
      if (estimate && *estimate > kSlowest) Violation("the estimate of the queue is beyond what the upstream takes");
      return;
    }
    if (!has_opened_ && failures_ > open_at_ + places_) Violation("did not open after " + std::to_string(failures_) + " failures");
  }

  Random random_;
  const UpstreamDoes does_;
  Random engine_random_;
  std::unique_ptr<compiler::CompiledPolicy> policy_;
  std::unique_ptr<EngineObjects> objects_;
  std::vector<One> all_;
  std::priority_queue<Item> events_;
  uint64_t order_ = 0;
  TimePoint now_ = kStart;
  TimePoint last_arrival_ = kStart;
  Duration deadline_{};
  int64_t open_at_ = 1;
  int places_ = 1;
  int64_t failures_ = 0;
  bool has_opened_ = false;
  bool opened_by_us_ = false;
  uint64_t checks_ = 0;
  AdversaryReport report_;
};

}  // namespace

AdversaryReport SimulateAdversary(uint64_t seed, int exchanges, UpstreamDoes upstream) { return World(seed, exchanges, upstream).Run(); }

}  // namespace tests::simulation
