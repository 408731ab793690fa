// Why each breaker left its upstream alone, the last time that it did. By the name of the upstream, so that it outlives a reload.
// Any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"
#include "compiler/model/places.h"

namespace runtime::observe {

class BreakerNews {
 public:
  struct Opening {
    base::WallTime at;
    base::WallTime until;
    std::string_view state;        // "OPEN", "RESTING"
    std::string rule;              // that held; once probes have failed still the one that opened it at first
    compiler::model::Place place;  // of the rule; of the breaker where none is known
    std::string counts;     // a JSON object: what the rule read when it held, by the names of measures; "{}": nothing
    int probes_failed = 0;  // since then
    base::WallTime last_probe;  // when the last of them did, where there was one
    std::string last_error;     // of the attempt that did it; empty: none did
    std::string request_id;     // likewise
  };

  void Note(const std::string& upstream, Opening opening) {
    auto news = std::make_shared<const Opening>(std::move(opening));
    std::lock_guard lock(mutex_);
    openings_[upstream] = std::move(news);
  }

  // Null: it never did.
  std::shared_ptr<const Opening> Last(std::string_view upstream) const {
    std::lock_guard lock(mutex_);
    const auto found = openings_.find(upstream);
    return found == openings_.end() ? nullptr : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Opening>, std::less<>> openings_;
};

}  // namespace runtime::observe
