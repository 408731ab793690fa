#include "runtime/proxy/memory_budget.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

namespace runtime::proxy {

namespace {

constexpr int64_t kOvershoot = 8;  // an eighth of the limit

}  // namespace

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
  const Room room = budget_->Grow(holder_, by);
  if (room != Room::kNone) counted_ = counted;
  return room == Room::kThere;
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

MemoryBudget::Room MemoryBudget::Grow(Holder* holder, int64_t by) {
  std::function<void()> give_way;
  Room room = Room::kThere;
  {
    std::lock_guard lock(mutex_);
    if (holder->is_leaving && by > 0) return Room::kNone;
    // Who was asked to give way hears of it in his loop's next turn, and in one turn of a loop hundreds of reads can come: beyond this it is
    // who asks that gives way, at once.
    if (by > 0 && holder->is_unfinished && all_.held + by > limit_ + limit_ / kOvershoot) return Room::kNone;
    Sum& of_address = by_address_[holder->address];
    const bool is_too_much = by > 0 && (all_.staying() + by > limit_ || of_address.staying() + by > limit_ / kShareOfOne);
    if (is_too_much) {
      Holder* victim = Victim(*holder);
      if (victim == nullptr || victim == holder) {
        if (holder->is_unfinished) return Room::kNone;
        room = Room::kExceeded;
      } else {
        victim->is_unfinished = false;
        victim->is_leaving = true;
        all_.leaving += victim->bytes;
        by_address_[victim->address].leaving += victim->bytes;
        give_way = std::exchange(victim->give_way, nullptr);
      }
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
  return room;
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

namespace {

// The least of the limits of a cgroup and of those around it, as the kernel names them below `root`.
std::optional<int64_t> LeastOf(const std::filesystem::path& root, std::string_view cgroup, const char* file) {
  std::optional<int64_t> least;
  std::filesystem::path at =
      cgroup.find("..") == std::string_view::npos ? std::filesystem::path(cgroup) : "/";  // above its own namespace
  while (true) {
    std::ifstream in(root / at.relative_path() / file);
    int64_t limit = 0;
    if (in >> limit && limit > 0) least = std::min(least.value_or(limit), limit);  // "max" is no number
    if (!at.has_relative_path()) return least;
    at = at.parent_path();
  }
}

}  // namespace

std::optional<int64_t> MemoryOfCgroup(const std::filesystem::path& own, const std::filesystem::path& root) {
  std::optional<int64_t> least;
  const auto consider = [&least](std::optional<int64_t> limit) {
    if (limit) least = std::min(least.value_or(*limit), *limit);
  };
  std::ifstream in(own);
  for (std::string line; std::getline(in, line);) {  // "0::/a/b", "4:memory:/a/b", "5:cpu,memory:/a"
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string_view cgroup = std::string_view(line).substr(second + 1);
    if (controllers == ",,") {
      consider(LeastOf(root, cgroup, "memory.max"));
      consider(LeastOf(root / "unified", cgroup, "memory.max"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      consider(LeastOf(root / "memory", cgroup, "memory.limit_in_bytes"));
    }
  }
  return least;
}

int64_t DefaultMemoryLimit() {
  int64_t memory = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  if (const auto of_cgroup = MemoryOfCgroup()) memory = std::min(memory, *of_cgroup);
  constexpr int64_t kLeast = 64 << 20;
  return std::max(memory / 4, std::min(kLeast, memory / 2));
}

}  // namespace runtime::proxy
