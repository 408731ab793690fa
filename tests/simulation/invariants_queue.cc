// Places at upstreams with a limit, by a model of its own: who is in, who waits, in which order, and for how long.
#include <algorithm>

#include "tests/simulation/invariants_batch.h"

namespace tests::simulation {

using namespace runtime::engine;  // NOLINT: events and commands, by the dozen

void Invariants::OpenAttempt(const Batch& batch, const ShadowAttempt& attempt) {
  const std::optional<LimitRules>& limit = upstreams_[static_cast<size_t>(attempt.upstream)].limit;
  if (!limit) return;
  ShadowLimiter& limiter = limiters_[static_cast<size_t>(attempt.upstream)];
  limiter.alive.insert({batch.view.id, attempt.serial});
  Expect(std::cmp_less_equal(limiter.alive.size(), limit->max_in_flight), batch, "too many attempts at an upstream");
  Expect(limiter.holders.contains(batch.view.id), batch, "an attempt without a place");
}

void Invariants::CloseAttempt(int exchange, ShadowAttempt* attempt) {
  attempt->alive = false;
  if (attempt->upstream >= 0)
    limiters_[static_cast<size_t>(attempt->upstream)].alive.erase({exchange, attempt->serial});
}

void Invariants::OnPlaceCommand(const Batch& batch, const Command& command) {
  ShadowExchange& exchange = batch.exchange;
  const int id = batch.view.id;
  if (const auto* queued = std::get_if<RecordQueued>(&command)) OnQueued(batch, *queued);
  if (const auto* wait = std::get_if<WaitForPlace>(&command)) OnWait(batch, wait->upstream.value);
  if (std::holds_alternative<StopWaiting>(command)) {
    Expect(exchange.queued_at || exchange.loading_at, batch, "a wait was ended that there is not");
    if (exchange.queued_at) exchange.stopped_waiting = true;
  }
  if (const auto* release = std::get_if<ReleasePlace>(&command)) {
    const int upstream = release->upstream.value;
    Expect(limiters_[static_cast<size_t>(upstream)].holders.contains(id), batch, "a place was given back twice");
    Expect(!exchange.attempt.alive, batch, "a place was given back while its attempt is under way");
    Expect(release->client_time.has_value() != exchange.attempt.blameless, batch, "who gave up counts towards the pace, or who did not doesn't");
    GiveBack(id, upstream, true, release->client_time.has_value(), batch.now, batch.now);
  }
  // A retry that got its place and no token any more. One that is denied at its judgement still has an attempt to end.
  if (const auto* denied = std::get_if<RecordRetryDenied>(&command)) {
    if (!exchange.queued_at && exchange.attempt.is_noted) {
      GiveBack(id, denied->upstream.value, false, false, batch.now, batch.now);
    }
  }
  if (const auto* rejected = std::get_if<RecordRejected>(&command)) {
    if (!exchange.queued_at) {  // the breaker opened meanwhile
      GiveBack(id, rejected->upstream.value, false, false, batch.now, batch.now);
    }
  }
}

// A retry waits for something else after its wait.
void Invariants::EndBackOff(const Batch& batch) {
  ShadowExchange& exchange = batch.exchange;
  if (!exchange.wait || exchange.wait_is_over) return;
  const TimePoint due = exchange.wait->first + exchange.wait->second;
  Expect(batch.now >= due && batch.now <= due + kMaxLateness, batch, "another wait before that of the retry was over, or after");
  exchange.wait_is_over = true;
}

// Waiting for a model: nobody longer than it may take to load it, nobody who is doing something else.
void Invariants::OnLoadCommand(const Batch& batch, const Command& command) {
  ShadowExchange& exchange = batch.exchange;
  if (const auto* wait = std::get_if<WaitForLoad>(&command)) {
    const int upstream = wait->upstream.value;
    Expect(upstreams_[static_cast<size_t>(upstream)].cold_load.has_value(), batch, "waits for a model that needs no loading");
    Expect(!exchange.queued_at && !exchange.attempt.alive, batch, "waits for a model, and for something else");
    if (!exchange.loading_at) {
      exchange.loading_since = batch.now;
      EndBackOff(batch);
    }
    exchange.loading_at = upstream;
  }
  if (const auto* note = std::get_if<RecordLoadWait>(&command)) {
    Expect(exchange.loading_at == note->upstream.value, batch, "the end of a wait for a model that there was not");
    Expect(note->waited == batch.now - exchange.loading_since, batch, "a wait for a model has the wrong length");
    const Duration cold_load = upstreams_[static_cast<size_t>(note->upstream.value)].cold_load.value_or(Duration::zero());
    Expect(note->waited <= cold_load + kMaxLateness, batch, "waits for a model longer than it may take");
    exchange.loading_at.reset();
    if (!note->went_on) {
      exchange.wait.reset();  // of a retry that is not made
      exchange.wait_is_over = false;
    }
    ++report_->seen[note->went_on ? "load" : "load in vain"];
  }
  if (std::holds_alternative<StartAttempt>(command))
    Expect(!exchange.loading_at, batch, "an attempt while its model is being loaded");
}

void Invariants::OnWait(const Batch& batch, int upstream) {
  ShadowExchange& exchange = batch.exchange;
  if (exchange.queued_at) {
    Expect(*exchange.queued_at == upstream, batch, "waits in two queues");
    return;
  }
  const std::optional<LimitRules>& limit = upstreams_[static_cast<size_t>(upstream)].limit;
  ShadowLimiter& limiter = limiters_[static_cast<size_t>(upstream)];
  Expect(limit && std::cmp_equal(limiter.holders.size(), limit->max_in_flight), batch,
         "waits for a place that is free");
  Expect(limit && std::cmp_less(limiter.waiters.size(), limit->queue_length), batch, "too many wait");
  Expect(!ComesTooLate(batch, upstream), batch, "waits for what will come too late");
  EndBackOff(batch);
  limiter.waiters.push_back(batch.view.id);
  exchange.queued_at = upstream;
  exchange.queued_since = batch.now;
  ++report_->seen["queue waits"];
}

void Invariants::OnQueued(const Batch& batch, const RecordQueued& command) {
  ShadowExchange& exchange = batch.exchange;
  const int id = batch.view.id;
  const int upstream = command.upstream.value;
  const LimitRules& limit = *upstreams_[static_cast<size_t>(upstream)].limit;
  ShadowLimiter& limiter = limiters_[static_cast<size_t>(upstream)];
  if (command.error != ErrorKind::kNone || exchange.stopped_waiting) {
    exchange.wait.reset();  // of a retry that is not made
    exchange.wait_is_over = false;
  }
  const bool all_taken = std::cmp_equal(limiter.holders.size(), limit.max_in_flight);
  if (!exchange.queued_at) {
    Expect(command.waited == Duration::zero(), batch, "it waited, and nobody knew");
    switch (command.error) {
      case ErrorKind::kNone:
        Expect(!all_taken && limiter.waiters.empty(), batch, "a place was given to a newcomer");
        limiter.holders.emplace(id, ShadowLimiter::Holder{batch.now, batch.now});
        break;
      case ErrorKind::k_queue_full:
        Expect(all_taken && std::cmp_equal(limiter.waiters.size(), limit.queue_length), batch, "is not full");
        ++report_->seen["queue full"];
        break;
      case ErrorKind::k_queue_timeout:
        Expect(all_taken && ComesTooLate(batch, upstream), batch, "was refused and would have come in time");
        ++report_->seen["queue too late"];
        break;
      default: Expect(false, batch, "an error that no queue makes");
    }
    return;
  }

  Expect(*exchange.queued_at == upstream, batch, "it waited elsewhere");
  Expect(command.waited == batch.now - exchange.queued_since, batch, "the wait was not what was said");
  Expect(command.waited <= limit.queue_timeout + kMaxLateness, batch, "waited beyond the timeout of the queue");
  const bool has_place = limiter.holders.contains(id);
  if (command.error == ErrorKind::k_queue_timeout) {
    Expect(command.waited >= limit.queue_timeout, batch, "gave up before its time");
    ++report_->seen["queue timeout"];
  } else {
    Expect(command.error == ErrorKind::kNone, batch, "an error that no wait ends with");
  }
  if (exchange.stopped_waiting) {
    GiveBack(id, upstream, false, false, batch.now, batch.now);
    ++report_->seen["queue left"];
  } else {
    Expect(has_place, batch, "goes on without a place, or out of turn");
    ++report_->seen["queue served"];
  }
  exchange.queued_at.reset();
  exchange.stopped_waiting = false;
}

void Invariants::CheckPlaces(const Batch& batch, bool done, std::optional<TimePoint> next_deadline) {
  const ShadowExchange& exchange = batch.exchange;
  if (done) {
    for (const ShadowLimiter& limiter : limiters_) {
      Expect(!limiter.holders.contains(batch.view.id), batch, "done, and has a place");
    }
  }
  if (!exchange.queued_at) return;
  Expect(!done, batch, "done, and waits");
  const TimePoint give_up =
      exchange.queued_since + upstreams_[static_cast<size_t>(*exchange.queued_at)].limit->queue_timeout;
  Expect(next_deadline && *next_deadline <= std::min(give_up, batch.deadline.value_or(give_up)), batch,
         "waits without an end");
}

bool Invariants::ComesTooLate(const Batch& batch, int upstream) const {
  const LimitRules& limit = *upstreams_[static_cast<size_t>(upstream)].limit;
  const ShadowLimiter& limiter = limiters_[static_cast<size_t>(upstream)];
  if (!limiter.pace_ns) return false;
  const double wait_ns = *limiter.pace_ns * static_cast<double>(limiter.waiters.size() + 1) / limit.max_in_flight;
  const Duration wait(static_cast<int64_t>(wait_ns));
  return wait > limit.queue_timeout || (batch.deadline && batch.now + wait >= *batch.deadline);
}

void Invariants::GiveBack(int exchange, int upstream, bool was_used, bool counts, TimePoint now, TimePoint given_at) {
  ShadowLimiter& limiter = limiters_[static_cast<size_t>(upstream)];
  if (std::erase(limiter.waiters, exchange) > 0) return;
  const auto holder = limiter.holders.find(exchange);
  if (holder == limiter.holders.end()) return;
  const TimePoint since = holder->second.since;
  limiter.holders.erase(holder);
  if (was_used && counts) {
    const double took = static_cast<double>((now - since).count());
    limiter.pace_ns = limiter.pace_ns ? *limiter.pace_ns + (took - *limiter.pace_ns) * 0.2 : took;
  }
  if (limiter.waiters.empty()) return;
  const bool newest_first = upstreams_[static_cast<size_t>(upstream)].limit->newest_first;
  const auto next = newest_first ? std::prev(limiter.waiters.end()) : limiter.waiters.begin();
  limiter.holders.emplace(*next, ShadowLimiter::Holder{was_used ? now : since, given_at});
  limiter.waiters.erase(next);
}

void Invariants::CheckLimiter(int upstream, const Limiter::Snapshot& look, TimePoint now) {
  const LimitRules& limit = *upstreams_[static_cast<size_t>(upstream)].limit;
  const ShadowLimiter& limiter = limiters_[static_cast<size_t>(upstream)];
  const auto expect = [&](bool holds, const char* what) {
    if (!holds) Violation(-1, now, "limiter " + std::to_string(upstream) + ": " + what);
  };
  expect(look.in_flight <= limit.max_in_flight, "too many places are taken");
  expect(look.waiting <= limit.queue_length, "too many wait");
  expect(std::cmp_equal(look.in_flight, limiter.holders.size()), "places were lost, or given away twice");
  expect(std::cmp_equal(look.waiting, limiter.waiters.size()), "waiters were lost, or served twice");
  for (const auto& [id, holder] : limiter.holders) {
    const auto exchange = exchanges_.find(id);
    const bool is_waiting = exchange != exchanges_.end() && exchange->second.queued_at;
    expect(!is_waiting || now <= holder.given_at + kMaxNewsDelay, "a place lies idle");
  }
}

void Invariants::CheckAllGivenBack(TimePoint now) {
  for (const ShadowLimiter& limiter : limiters_) {
    if (!limiter.holders.empty() || !limiter.waiters.empty() || !limiter.alive.empty())
      Violation(-1, now, "a place was never given back");
  }
}

}  // namespace tests::simulation
