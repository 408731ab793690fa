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
}

void MemoryBudget::Holding::Release() {
  if (budget_ == nullptr) return;
  std::exchange(budget_, nullptr)->Remove(holder_);
  counted_ = 0;
}

MemoryBudget::Holder* MemoryBudget::Add(std::string address, std::function<void()> give_way) {
  std::lock_guard lock(mutex_);
  holders_.push_back({std::move(address), std::move(give_way), 0, true, {}});
  holders_.back().self = std::prev(holders_.end());
  return &holders_.back();
}

void MemoryBudget::Remove(Holder* holder) {
  std::lock_guard lock(mutex_);
  held_ -= holder->bytes;
  const auto found = by_address_.find(holder->address);
  if (found != by_address_.end() && (found->second -= holder->bytes) <= 0) by_address_.erase(found);
  holders_.erase(holder->self);
}

bool MemoryBudget::Grow(Holder* holder, int64_t by) {
  std::function<void()> give_way;
  {
    std::lock_guard lock(mutex_);
    int64_t& of_address = by_address_[holder->address];
    const bool is_too_much = by > 0 && (held_ + by > limit_ || of_address + by > limit_ / kShareOfOne);
    if (is_too_much) {
      Holder* victim = Victim(*holder);
      if (victim == nullptr || victim == holder) return false;
      // What it holds is free once its loop has heard; it is asked once.
      victim->is_unfinished = false;
      give_way = std::exchange(victim->give_way, nullptr);
    }
    held_ += by;
    of_address += by;
    holder->bytes += by;
  }
  if (give_way) give_way();
  return true;
}

// The oldest unfinished upload of the address that holds most – or of its own, if that is beyond its share.
MemoryBudget::Holder* MemoryBudget::Victim(const Holder& asks) {
  const bool is_beyond_its_share = by_address_[asks.address] + static_cast<int64_t>(kStep) > limit_ / kShareOfOne;
  Holder* victim = nullptr;
  for (Holder& holder : holders_) {
    const bool may_give_way = holder.is_unfinished && (holder.bytes > 0 || &holder == &asks);
    if (!may_give_way || (is_beyond_its_share && holder.address != asks.address)) continue;
    if (victim == nullptr || by_address_[holder.address] > by_address_[victim->address]) victim = &holder;
  }
  return victim;
}

int64_t MemoryBudget::held() const {
  std::lock_guard lock(mutex_);
  return held_;
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
