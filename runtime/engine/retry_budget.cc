#include "runtime/engine/retry_budget.h"

#include <algorithm>

namespace runtime::engine {
void RetryBudget::SetShare(double share) {
  std::lock_guard lock(mutex_);
  share_ = share;
}

void RetryBudget::Deposit() {
  std::lock_guard lock(mutex_);
  tokens_ = std::min(tokens_ + share_, kMost);
}

bool RetryBudget::Allows(base::TimePoint now) const {
  return tokens_ >= 1 - kRounding || !last_taken_ || now - *last_taken_ >= kFloor;
}

bool RetryBudget::WouldAllow(base::TimePoint now) const {
  std::lock_guard lock(mutex_);
  return Allows(now);
}

bool RetryBudget::Take(base::TimePoint now) {
  std::lock_guard lock(mutex_);
  if (!Allows(now)) return false;
  tokens_ = std::max(tokens_ - 1, 0.0);
  last_taken_ = now;
  return true;
}

double RetryBudget::balance() const {
  std::lock_guard lock(mutex_);
  return tokens_;
}

KeptBudget RetryBudget::Keep() const {
  std::lock_guard lock(mutex_);
  return {tokens_, last_taken_};
}

void RetryBudget::Restore(const KeptBudget& kept, base::TimePoint now) {
  std::lock_guard lock(mutex_);
  tokens_ = kept.balance;
  last_taken_ = kept.last_taken;
  if (last_taken_) last_taken_ = std::min(*last_taken_, now);
}

}  // namespace runtime::engine
