// What holds of an exchange between two events, whatever came: asserted after each of them. A new field of State that only some
// phases use gets its line here.
#include <string_view>
#include <type_traits>
#include <variant>

#include "base/check.h"
#include "runtime/engine/exchange_state.h"

namespace runtime::engine {
namespace {

// "AttemptHead"; the compiler knows it.
template <typename E>
std::string_view TypeName() {
  const std::string_view whole = __PRETTY_FUNCTION__;  // "… [with E = runtime::engine::AttemptHead; …]"
  const size_t begin = whole.find("E = ") + 4;
  const std::string_view type = whole.substr(begin, whole.find_first_of(";]", begin) - begin);
  return type.substr(type.rfind(':') + 1);
}

}  // namespace

std::string_view ExchangeMachine::State::NameOf(const Event& event) {
  return std::visit([](const auto& e) { return TypeName<std::decay_t<decltype(e)>>(); }, event);
}

// All of them at once, for the phases in which most events come: where it holds, each one does.
bool ExchangeMachine::State::IsOrdinary() const {
  const bool nothing_waits = !(queued.has_value() || loading.has_value() || followed.has_value());
  if (phase == Phase::kDone) {
    return nothing_waits && !attempt.ticket.has_value() && attempt.place == Limiter::kNoPlace && !led.has_value() && answers == 1;
  }
  if (phase != Phase::kAttempting && phase != Phase::kHeld && phase != Phase::kCommitted) return false;
  const bool has_attempt = route != nullptr && attempt.number >= 1 && attempt.upstream.has_value();
  const bool ticket_is_open = !(attempt.ticket.has_value() && attempt.recorded.has_value());
  const bool fits = phase == Phase::kAttempting ? attempt.continuation == Continuation::kNone : attempt.status != 0;
  return nothing_waits && has_attempt && ticket_is_open && fits && answers == 0 && position < route->to.size();
}

void ExchangeMachine::State::CheckInvariants(const Event& event) const {
  if (IsOrdinary()) return;
  const auto holds = [&](bool condition, std::string_view name) {
    BW_CHECK(condition, "invariant \"", name, "\": state ", PhaseName(phase), ", event ", NameOf(event));
  };
  const bool asks =
      phase == Phase::kAttempting || phase == Phase::kHeld || phase == Phase::kCommitted || phase == Phase::kContinuing;
  const bool is_over = phase == Phase::kDone;

  // What is waited for exists exactly while it is waited for.
  holds(queued.has_value() == (phase == Phase::kQueued),
        "a place in a queue is held while it is waited for, and only then");
  holds(loading.has_value() == (phase == Phase::kLoading), "a load is waited for in Loading, and only there");
  holds(followed.has_value() == (phase == Phase::kFollowing), "a flight is followed in Following, and only there");
  holds(phase != Phase::kMocking || mock.has_value(), "Mocking has a mock");

  // What is held of others is given back.
  holds(!attempt.ticket || asks, "a breaker's ticket is held only by an attempt under way");
  holds(!attempt.ticket || !attempt.recorded, "a ticket whose outcome was recorded is given back");
  holds(attempt.place == Limiter::kNoPlace || asks, "a place is held only by an attempt under way");
  holds(!led || !is_over, "a flight that was led has ended with the exchange");
  holds(!led || phase != Phase::kFollowing, "nobody leads and follows");

  // An attempt under way.
  holds(phase == Phase::kNew || is_over || route != nullptr, "the route is known");
  holds(!asks || attempt.number >= 1, "an attempt has a number");
  holds(!asks || attempt.upstream.has_value(), "an attempt has its upstream");
  holds(!asks || position < route->to.size(), "the chain has not been left while an attempt is under way");
  holds(phase != Phase::kHeld || attempt.status != 0, "an answer that is held has a status");
  holds(phase != Phase::kCommitted || attempt.status != 0, "an answer that is committed has a status");
  holds(phase != Phase::kAttempting || attempt.continuation == Continuation::kNone,
        "only Continuing takes an answer over");
  holds(phase != Phase::kContinuing || attempt.continuation != Continuation::kNone, "Continuing takes an answer over");
  holds(phase != Phase::kContinuing || body_is_kept, "an answer is continued only where the request can be repeated");
  holds(phase != Phase::kBackingOff || visit.retries_made >= 1, "a wait is one before a retry");

  // The client has one answer.
  holds(answers <= 1, "the client has one answer");
  holds(!is_over || answers == 1 || is_abandoned, "an exchange that is done was answered, or its client is gone");
  holds(is_over || answers == 0, "an answer ends the exchange");
}

}  // namespace runtime::engine
