// How a bound was computed, kept so that it can be shown: 46.5 s = 3 × 15 s + 0.5 s + 1 s.
#pragma once

#include <string>
#include <vector>

#include "compiler/analysis/interval.h"
#include "compiler/model/settings.h"

namespace compiler::analysis {

// "46.5 s", "5 min", "20 ms": for people; a policy writes 46s500ms.
std::string PrintTime(int64_t nanoseconds);

class Term {
 public:
  // A time that a setting gives. what: for the explanation, "attempts at `a` (attempt_timeout)".
  static Term Of(TimeInterval time, std::string what);
  static Term Times(int64_t count, Term one);   // count ≥ 0
  static Term Sum(std::vector<Term> parts);     // no part: 0 s
  static Term Larger(std::vector<Term> parts);  // of alternatives; at least one
  // No more than `limit` whatever the term says.
  static Term Within(TimeInterval limit, std::string what, Term term);

  TimeInterval value() const { return value_; }
  model::Duration worst() const { return model::Duration(value_.high); }

  // "3 × 15 s + 0.5 s + 1 s": of the upper ends. What is 0 s is left out.
  std::string Print() const;
  // "46.5 s = 3 × 15 s + 0.5 s + 1 s", or "15 s" where there is no arithmetic.
  std::string PrintWithResult() const;
  // One line for each part that says what it is: "3 × 15 s  attempts at `a`". Neighbours that say the same share a line.
  struct Line {
    std::string arithmetic;
    std::string what;
  };
  std::vector<Line> Lines() const;

 private:
  enum class Kind { kTime, kTimes, kSum, kLarger, kWithin };
  void AddLines(std::vector<Line>* lines) const;

  Kind kind_ = Kind::kSum;
  TimeInterval value_;
  int64_t count_ = 1;   // kTimes
  TimeInterval limit_;  // kWithin
  std::string what_;    // kTime, kWithin
  std::vector<Term> parts_;
};

}  // namespace compiler::analysis
