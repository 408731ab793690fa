// What happened in a test, for people: made only when somebody asks, from what was kept while it ran.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace runtime::tester {

class Story {
 public:
  explicit Story(base::TimePoint began) : began_(began) {}

  void Add(base::TimePoint at, std::string line) { lines_.push_back({at, kLine, std::move(line)}); }
  // A request begins.
  void AddSend(base::TimePoint at, std::string line) { lines_.push_back({at, kSend, std::move(line)}); }
  // A line of the event log.
  void AddEvent(base::TimePoint at, std::string_view json) { lines_.push_back({at, kEvent, std::string(json)}); }
  // An attempt begins.
  void AddAttempt(base::TimePoint at) { lines_.push_back({at, kAttempt, ""}); }
  // A line of the access log: the answer, and what its attempts came to, in the order in which they began since the last send.
  void AddRequest(base::TimePoint at, std::string_view json) { lines_.push_back({at, kRequest, std::string(json)}); }

  // One line for each, in the order of time: "1.7 s  attempt 1 at small: status 200 after 1 s".
  std::vector<std::string> Tell() const;

 private:
  enum Kind : uint8_t { kLine, kSend, kAttempt, kEvent, kRequest };
  struct Line {
    base::TimePoint at;
    Kind kind;
    std::string text;
  };

  const base::TimePoint began_;
  std::vector<Line> lines_;
};

// "200ms", "1.7s": to the microsecond below a second, else to the millisecond.
std::string Readable(base::Duration duration);

}  // namespace runtime::tester
