// How many connections each client address has, over all workers: gateway.limits.per_address. Thread-safe; touched when a
// connection begins and ends only, and only where the policy sets the limit.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

namespace runtime::proxy {

class AddressCounts {
 public:
  // Counts one more unless `most` are open already.
  bool Add(const std::string& ip, int most) {
    const std::lock_guard lock(mutex_);
    int& count = counts_[ip];
    if (count >= most) return false;
    ++count;
    return true;
  }

  void Remove(const std::string& ip) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(ip);
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
  }

  size_t size() const {
    const std::lock_guard lock(mutex_);
    return counts_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, int> counts_;
};

}  // namespace runtime::proxy
