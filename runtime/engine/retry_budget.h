// Retries as a share of requests: a bucket for each upstream with `budget`, shared by all workers and exact. Every first
// attempt puts the share in, every retry takes one out. No clock: `now` comes in.
#pragma once

#include <mutex>
#include <optional>

#include "base/time.h"
#include "runtime/engine/kept_state.h"

namespace runtime::engine {

class RetryBudget {
 public:
  static constexpr double kAtStart = 10;  // retries that a fresh upstream may have at once
  static constexpr double kMost = 100;    // of what quiet times save up for a storm
  static constexpr base::Duration kFloor = std::chrono::seconds(1);  // one retry in this time is always allowed

  static constexpr double kRounding = 1e-9;  // five shares of 20% are one retry, although their sum as doubles is a little less

  explicit RetryBudget(double share) : share_(share) {}  // 0 … 1
  RetryBudget(const RetryBudget&) = delete;
  RetryBudget& operator=(const RetryBudget&) = delete;

  void SetShare(double share);  // from the next deposit on
  void Deposit();  // a first attempt starts

  // Whether Take would succeed now; takes nothing.
  bool WouldAllow(base::TimePoint now) const;
  // A retry starts. False: it may not.
  bool Take(base::TimePoint now);

  double balance() const;  // retries that may be made at once

  KeptBudget Keep() const;  // for kept_state.h
  void Restore(const KeptBudget& kept, base::TimePoint now);

 private:
  bool Allows(base::TimePoint now) const;  // needs mutex_

  mutable std::mutex mutex_;
  double share_;  // guarded by mutex_
  double tokens_ = kAtStart;
  std::optional<base::TimePoint> last_taken_;
};

}  // namespace runtime::engine
