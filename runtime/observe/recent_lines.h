// The last lines of something, in memory, for whoever comes later and wants to see what happened. Any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>

namespace runtime::observe {

class RecentLines {
 public:
  static constexpr size_t kMost = 50;
  static constexpr size_t kMostBytes = 8 << 10;  // a longer line is left out

  void Add(std::string_view line) {
    if (line.size() > kMostBytes) return;
    std::lock_guard lock(mutex_);
    if (lines_.size() == kMost) {
      std::string oldest = std::move(lines_.front());  // its memory serves again
      lines_.pop_front();
      oldest.assign(line);
      lines_.push_back(std::move(oldest));
    } else {
      lines_.emplace_back(line);
    }
  }

  // The oldest first.
  std::deque<std::string> All() const {
    std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::deque<std::string> lines_;
};

}  // namespace runtime::observe
