// What an exchange holds of objects that all share, and each way in which it is given back: the place at an upstream, the place in its queue,
// the breaker's ticket, the wait for a model, the flight of a cache. All of it once, also where the exchange is dropped.
#include <utility>

#include "base/check.h"
#include "runtime/engine/exchange_state.h"

namespace runtime::engine {

ExchangeMachine::State::~State() {
  if (loading) LoadsOf(loading->upstream).Leave(loading->waiter);
  if (queued) LimiterOf(queued->upstream).Leave(queued->place);
  if (attempt.place != Limiter::kNoPlace) LimiterOf(attempt.upstream).Release(attempt.place, now, std::nullopt);
  GiveBackTicket();
  if (led) CacheOf(led->cache).EndFlight(led->key, /*stored=*/false);
}

// The attempt is over. Its connection may still be open: the driver gives the place back behind the commands before this one.
// `client_time`: how long of it the client was waited for; nothing: it says nothing of the queue's pace.
void ExchangeMachine::State::GiveBackPlace(std::optional<Duration> client_time) {
  if (attempt.place == Limiter::kNoPlace) return;
  Emit(ReleasePlace{attempt.upstream, std::exchange(attempt.place, Limiter::kNoPlace), client_time});
}

// No attempt began with it.
void ExchangeMachine::State::GiveBackUnused(UpstreamId id, Limiter::Place place) {
  if (place != Limiter::kNoPlace) LimiterOf(id).Leave(place);
}

// An attempt that had no outcome; with one, Record spends the ticket.
void ExchangeMachine::State::GiveBackTicket() {
  if (attempt.ticket) BreakerOf(attempt.upstream).Release(*std::exchange(attempt.ticket, std::nullopt));
}

}  // namespace runtime::engine
