// What happened in a test, for people: made only when somebody asks, from what was kept while it ran.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/time.h"

namespace runtime::policy_test {

class Story {
 public:
  explicit Story(base::TimePoint began) : began_(began) {}

  void Add(base::TimePoint at, std::string line) { lines_.push_back({at, kLine, std::move(line), {}}); }
  // A request begins.
  void AddSend(base::TimePoint at, std::string line) { lines_.push_back({at, kSend, std::move(line), {}}); }
  // A line of the event log.
  void AddEvent(base::TimePoint at, std::string_view json) { lines_.push_back({at, kEvent, std::string(json), {}}); }
  // A line of the access log, and when the attempts in it began.
  void AddRequest(base::TimePoint at, std::string_view json, std::vector<base::TimePoint> attempts) {
    lines_.push_back({at, kRequest, std::string(json), std::move(attempts)});
  }

  // One line for each, in the order of time: "1.7 s  attempt 1 at small: status 200 after 1 s".
  std::vector<std::string> Tell() const;

 private:
  enum Kind : uint8_t { kLine, kSend, kEvent, kRequest };
  struct Line {
    base::TimePoint at;
    Kind kind;
    std::string text;
    std::vector<base::TimePoint> attempts;
  };

  const base::TimePoint began_;
  std::vector<Line> lines_;
};

// "200ms", "1.7s", "5min".
std::string Readable(base::Duration duration);

}  // namespace runtime::policy_test
