// Who acted, and who gave a wrong token: an address that did so ten times within a minute is not listened to for the rest of it. One thread:
// the loop of the admin address.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace runtime::proxy {

class AdminAccess {
 public:
  static constexpr int kMostWrong = 10;
  static constexpr base::Duration kWindow = std::chrono::minutes(1);
  static constexpr size_t kMostAddresses = 1024;

  bool MayTry(std::string_view address, base::TimePoint now) const {
    const auto found = wrong_.find(address);
    return found == wrong_.end() || now - found->second.since >= kWindow || found->second.count < kMostWrong;
  }
  void RecordWrong(std::string_view address, base::TimePoint now) {
    if (wrong_.size() >= kMostAddresses) wrong_.clear();
    Wrong& wrong = wrong_[std::string(address)];
    if (wrong.count == 0 || now - wrong.since >= kWindow) wrong = {now, 0};
    ++wrong.count;
  }

  // Refusals that nobody can limit by a token are told once a second.
  bool MayTell(base::TimePoint now) {
    if (told_ && now - *told_ < std::chrono::seconds(1)) return false;
    told_ = now;
    return true;
  }

  struct Done {
    base::WallTime time;
    std::string action;  // "breaker/gpu/open"
    std::string client;
    int status = 0;
  };
  static constexpr size_t kMostDone = 20;
  static constexpr size_t kMostActionBytes = 256;
  void Record(Done done) {
    if (done.action.size() > kMostActionBytes) done.action.resize(kMostActionBytes);
    if (done_.size() == kMostDone) done_.pop_front();
    done_.push_back(std::move(done));
  }
  const std::deque<Done>& done() const { return done_; }  // the newest last

 private:
  struct Wrong {
    base::TimePoint since;
    int count = 0;
  };
  std::map<std::string, Wrong, std::less<>> wrong_;
  std::deque<Done> done_;
  std::optional<base::TimePoint> told_;
};

}  // namespace runtime::proxy
