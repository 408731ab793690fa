// How many requests may be under way at one upstream, and who waits for a place: first come first served over all
// workers, exact, bounded. One for each upstream with max_in_flight; a mutex around each call. No clock: `now` comes in.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "compiler/model/settings.h"
#include "base/time.h"

namespace runtime::engine {

using base::Duration;
using base::TimePoint;

class Limiter {
 public:
  // A slot, or a place in the queue for one; unique in the limiter. Give it back once, with Leave or Release.
  using Place = uint64_t;
  static constexpr Place kNoPlace = 0;

  Limiter(int max_in_flight, std::optional<compiler::model::QueueSettings> queue);
  Limiter(const Limiter&) = delete;
  Limiter& operator=(const Limiter&) = delete;

  // Other bounds from now on. Who waits keeps his place, also beyond a shorter queue; new slots go to those who wait.
  void Reconfigure(int max_in_flight, std::optional<compiler::model::QueueSettings> queue, TimePoint now);

  enum class Answer : uint8_t {
    kIn,       // has a slot
    kWaits,    // in the queue, behind all that are in it
    kFull,     // no slot, and no place in the queue (or no queue)
    kTooLate,  // there is a place, but at the present pace its turn would come too late
  };
  struct Entry {
    Answer answer{};
    Place place = kNoPlace;  // kIn, kWaits
    TimePoint give_up_at;    // kWaits: the end of the queue's timeout
    TimePoint retry_at;      // kFull, kTooLate: when it might be served, at the present pace
  };
  // `deadline`: of the request.
  Entry Enter(TimePoint now, std::optional<TimePoint> deadline);
  // Whether Enter would answer kIn or kWaits; takes nothing.
  bool WouldTake(TimePoint now, std::optional<TimePoint> deadline) const;

  // `wake` is called once, when the place got its slot or when WakeAll is called; from any thread, and it must only hand
  // the news over to the waiter's own loop. False, and no call: it has its slot already, or is not in the queue.
  bool OnNews(Place place, std::function<void()> wake);
  bool HasSlot(Place place) const;

  // The place was not used: out of the queue, or the slot goes to the next.
  void Leave(Place place);
  // What the slot was held for is over and its connection is closed or free: the slot goes to the next. Counts towards the pace, less
  // `client_time`, for which the client was waited for; nothing: it was given up and says nothing of the pace.
  void Release(Place place, TimePoint now, std::optional<Duration> client_time = Duration::zero());

  // Every waiter is to look around: the breaker opened. They keep their places, and ask OnNews again to go on waiting.
  void WakeAll();

  struct Snapshot {
    int64_t in_flight = 0;  // slots taken
    int64_t waiting = 0;
    std::optional<Duration> service_time;  // a slot's, recent ones counting most; nothing: none was released yet
  };
  Snapshot Look() const;
  // The service_time that a process before has seen.
  void RestorePace(Duration service_time);

 private:
  struct Holder {
    TimePoint since;
  };
  struct Waiter {
    std::function<void()> wake;  // may be empty
  };

  // All of these need mutex_.
  std::optional<Duration> WaitOf(size_t position) const;
  Answer AnswerFor(TimePoint now, std::optional<TimePoint> deadline) const;
  std::function<void()> PassOn(TimePoint now);

  size_t max_in_flight_;                                 // guarded by mutex_
  std::optional<compiler::model::QueueSettings> queue_;  // likewise
  mutable std::mutex mutex_;
  Place last_place_ = kNoPlace;
  std::map<Place, Holder> holders_;
  std::map<Place, Waiter> waiters_;  // in the order of arrival; none while a slot is free
  std::optional<double> service_ns_;
};

}  // namespace runtime::engine
