// A slot that comes free is handed to the first waiter under the lock, so nobody can overtake; the news reaches its loop
// later. How long a wait will be is estimated from the slots' recent times: position · time / slots.
#include "runtime/engine/limiter.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace runtime::engine {
namespace {

constexpr double kNewestShare = 0.2;  // of the newest service time in the estimate
constexpr Duration kUnknownWait = std::chrono::seconds(1);

}  // namespace

Limiter::Limiter(int max_in_flight, std::optional<compiler::model::QueueSettings> queue)
    : max_in_flight_(static_cast<size_t>(std::max(max_in_flight, 1))), queue_(std::move(queue)) {}

void Limiter::Reconfigure(int max_in_flight, std::optional<compiler::model::QueueSettings> queue, TimePoint now) {
  std::vector<std::function<void()>> wakes;
  {
    std::lock_guard lock(mutex_);
    max_in_flight_ = static_cast<size_t>(std::max(max_in_flight, 1));
    queue_ = std::move(queue);
    while (holders_.size() < max_in_flight_ && !waiters_.empty()) {
      if (auto wake = PassOn(now)) wakes.push_back(std::move(wake));
    }
  }
  for (const auto& wake : wakes) wake();
}

Limiter::Entry Limiter::Enter(TimePoint now, std::optional<TimePoint> deadline) {
  std::lock_guard lock(mutex_);
  Entry entry;
  entry.answer = AnswerFor(now, deadline);
  switch (entry.answer) {
    case Answer::kIn:
      entry.place = ++last_place_;
      holders_.emplace(entry.place, Holder{now});
      break;
    case Answer::kWaits:
      entry.place = ++last_place_;
      entry.give_up_at = now + queue_->timeout;
      waiters_.emplace(entry.place, Waiter{});
      break;
    case Answer::kFull:
    case Answer::kTooLate: entry.retry_at = now + WaitOf(waiters_.size() + 1).value_or(kUnknownWait); break;
  }
  return entry;
}

bool Limiter::WouldTake(TimePoint now, std::optional<TimePoint> deadline) const {
  std::lock_guard lock(mutex_);
  const Answer answer = AnswerFor(now, deadline);
  return answer == Answer::kIn || answer == Answer::kWaits;
}

Limiter::Answer Limiter::AnswerFor(TimePoint now, std::optional<TimePoint> deadline) const {
  if (holders_.size() < max_in_flight_) return Answer::kIn;
  if (!queue_ || std::cmp_greater_equal(waiters_.size(), queue_->length)) return Answer::kFull;
  const Duration wait = WaitOf(waiters_.size() + 1).value_or(Duration::zero());
  const bool in_time = wait <= queue_->timeout && (!deadline || now + wait < *deadline);
  return in_time ? Answer::kWaits : Answer::kTooLate;
}

std::optional<Duration> Limiter::WaitOf(size_t position) const {
  if (!service_ns_) return std::nullopt;
  constexpr double kLongest = 1e18;  // ns; keeps the sum with a time within its type
  return Duration(static_cast<int64_t>(
      std::min(*service_ns_ * static_cast<double>(position) / static_cast<double>(max_in_flight_), kLongest)));
}

bool Limiter::OnNews(Place place, std::function<void()> wake) {
  std::lock_guard lock(mutex_);
  const auto waiter = waiters_.find(place);
  if (waiter == waiters_.end()) return false;
  waiter->second.wake = std::move(wake);
  return true;
}

bool Limiter::HasSlot(Place place) const {
  std::lock_guard lock(mutex_);
  return holders_.contains(place);
}

void Limiter::Leave(Place place) {
  std::function<void()> wake;
  {
    std::lock_guard lock(mutex_);
    if (waiters_.erase(place) > 0) return;
    const auto holder = holders_.find(place);
    if (holder == holders_.end()) return;
    const TimePoint since = holder->second.since;
    holders_.erase(holder);
    wake = PassOn(since);  // it was never used: the next has it from then on
  }
  if (wake) wake();
}

void Limiter::Release(Place place, TimePoint now, std::optional<Duration> client_time) {
  std::function<void()> wake;
  {
    std::lock_guard lock(mutex_);
    const auto holder = holders_.find(place);
    if (holder == holders_.end()) return;
    if (client_time) {
      const double took = static_cast<double>(std::max(now - holder->second.since - *client_time, Duration::zero()).count());
      service_ns_ = service_ns_ ? *service_ns_ + (took - *service_ns_) * kNewestShare : took;
    }
    holders_.erase(holder);
    wake = PassOn(now);
  }
  if (wake) wake();  // without the lock: a wake-up may ask the limiter
}

std::function<void()> Limiter::PassOn(TimePoint now) {
  if (waiters_.empty() || holders_.size() >= max_in_flight_)
    return nullptr;  // a reload may have left more than there may be
  const auto first = waiters_.begin();
  holders_.emplace(first->first, Holder{now});
  std::function<void()> wake = std::move(first->second.wake);
  waiters_.erase(first);
  return wake;
}

void Limiter::WakeAll() {
  std::vector<std::function<void()>> wakes;
  {
    std::lock_guard lock(mutex_);
    for (auto& [place, waiter] : waiters_) {
      if (waiter.wake) wakes.push_back(std::exchange(waiter.wake, nullptr));
    }
  }
  for (const auto& wake : wakes) wake();
}

Limiter::Snapshot Limiter::Look() const {
  std::lock_guard lock(mutex_);
  Snapshot snapshot;
  snapshot.in_flight = static_cast<int64_t>(holders_.size());
  snapshot.waiting = static_cast<int64_t>(waiters_.size());
  if (service_ns_) snapshot.service_time = Duration(static_cast<int64_t>(*service_ns_));
  return snapshot;
}

void Limiter::RestorePace(Duration service_time) {
  std::lock_guard lock(mutex_);
  service_ns_ = static_cast<double>(service_time.count());
}

}  // namespace runtime::engine
