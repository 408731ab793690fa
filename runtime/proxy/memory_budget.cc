#include "runtime/proxy/memory_budget.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

namespace runtime::proxy {

struct MemoryBudget::Holder {
  std::string address;
  std::function<void()> give_way;
  int64_t bytes = 0;
  bool is_unfinished = true;
  bool is_leaving = false;  // it has been asked to give way
  std::list<Holder>::iterator self;
};

MemoryBudget::MemoryBudget(int64_t limit) : limit_(limit) {}
MemoryBudget::~MemoryBudget() = default;

void MemoryBudget::Holding::Begin(MemoryBudget* budget, std::string address, std::function<void()> give_way) {
  budget_ = budget;
  holder_ = budget->Add(std::move(address), std::move(give_way));
}

bool MemoryBudget::Holding::Set(size_t bytes) {
  const size_t counted = bytes <= kUncounted ? 0 : (bytes + kStep - 1) / kStep * kStep;
  if (counted == counted_ || budget_ == nullptr) return true;
  const auto by = static_cast<int64_t>(counted) - static_cast<int64_t>(counted_);
  if (!budget_->Grow(holder_, by)) return false;
  counted_ = counted;
  return true;
}

void MemoryBudget::Holding::FinishUpload() {
  if (budget_ == nullptr) return;
  std::lock_guard lock(budget_->mutex_);
  holder_->is_unfinished = false;
  if (!std::exchange(holder_->is_leaving, false)) return;  // it was done before its loop heard
  budget_->all_.leaving -= holder_->bytes;
  budget_->by_address_[holder_->address].leaving -= holder_->bytes;
}

void MemoryBudget::Holding::Release() {
  if (budget_ == nullptr) return;
  std::exchange(budget_, nullptr)->Remove(holder_);
  counted_ = 0;
}

MemoryBudget::Holder* MemoryBudget::Add(std::string address, std::function<void()> give_way) {
  std::lock_guard lock(mutex_);
  holders_.push_back({std::move(address), std::move(give_way), 0, true, false, {}});
  holders_.back().self = std::prev(holders_.end());
  return &holders_.back();
}

void MemoryBudget::Remove(Holder* holder) {
  std::lock_guard lock(mutex_);
  const int64_t leaving = holder->is_leaving ? holder->bytes : 0;
  all_.held -= holder->bytes;
  all_.leaving -= leaving;
  const auto found = by_address_.find(holder->address);
  if (found != by_address_.end()) {
    found->second.leaving -= leaving;
    if ((found->second.held -= holder->bytes) <= 0) by_address_.erase(found);
  }
  holders_.erase(holder->self);
}

bool MemoryBudget::Grow(Holder* holder, int64_t by) {
  std::function<void()> give_way;
  {
    std::lock_guard lock(mutex_);
    if (holder->is_leaving && by > 0) return false;
    Sum& of_address = by_address_[holder->address];
    const bool is_too_much = by > 0 && (all_.staying() + by > limit_ || of_address.staying() + by > limit_ / kShareOfOne);
    if (is_too_much) {
      Holder* victim = Victim(*holder);
      if (victim == nullptr || victim == holder) return false;
      victim->is_unfinished = false;
      victim->is_leaving = true;
      all_.leaving += victim->bytes;
      by_address_[victim->address].leaving += victim->bytes;
      give_way = std::exchange(victim->give_way, nullptr);
    }
    if (holder->is_leaving) {
      all_.leaving += by;
      of_address.leaving += by;
    }
    all_.held += by;
    of_address.held += by;
    holder->bytes += by;
  }
  if (give_way) give_way();
  return true;
}

// The oldest unfinished upload of the address that holds most – or of its own, if that is beyond its share.
MemoryBudget::Holder* MemoryBudget::Victim(const Holder& asks) {
  const bool is_beyond_its_share = by_address_[asks.address].staying() + static_cast<int64_t>(kStep) > limit_ / kShareOfOne;
  Holder* victim = nullptr;
  for (Holder& holder : holders_) {
    const bool may_give_way = holder.is_unfinished && (holder.bytes > 0 || &holder == &asks);
    if (!may_give_way || (is_beyond_its_share && holder.address != asks.address)) continue;
    if (victim == nullptr || by_address_[holder.address].staying() > by_address_[victim->address].staying()) victim = &holder;
  }
  return victim;
}

int64_t MemoryBudget::held() const {
  std::lock_guard lock(mutex_);
  return all_.held;
}

int64_t DefaultMemoryLimit() {
  int64_t memory = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream in(file);
    int64_t of_cgroup = 0;
    if (in >> of_cgroup && of_cgroup > 0) memory = std::min(memory, of_cgroup);  // "max" is no number
  }
  constexpr int64_t kLeast = 64 << 20;
  return std::max(memory / 4, kLeast);
}

}  // namespace runtime::proxy
