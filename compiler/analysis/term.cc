#include "compiler/analysis/term.h"

#include <algorithm>
#include <utility>

#include "compiler/model/print.h"

namespace compiler::analysis {
namespace {

constexpr int64_t kMillisecond = 1'000'000;
constexpr int64_t kSecond = 1'000 * kMillisecond;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;

}  // namespace

std::string PrintTime(int64_t ns) {
  if (ns == kMost) return "for ever";
  if (ns == 0) return "0 s";
  if (ns % kHour == 0) return std::to_string(ns / kHour) + " h";
  if (ns % kMinute == 0) return std::to_string(ns / kMinute) + " min";
  if (ns < kSecond / 10 || ns % kMillisecond != 0) {
    if (ns % kMillisecond == 0) return std::to_string(ns / kMillisecond) + " ms";
    std::string exact = model::PrintDuration(ns);
    return exact;
  }
  // As people say it: 30 min 20 s, not 1820 s. From ten minutes on a part of a second is rounded up.
  if (ns > 2 * kMinute) {
    if (ns >= 10 * kMinute && ns % kSecond != 0) ns += kSecond - ns % kSecond;
    std::string parts;
    if (ns / kHour > 0) parts = std::to_string(ns / kHour) + " h";
    if (ns % kHour / kMinute > 0) parts += (parts.empty() ? "" : " ") + std::to_string(ns % kHour / kMinute) + " min";
    if (ns % kMinute != 0) parts += " " + PrintTime(ns % kMinute);
    return parts;
  }
  std::string fraction;
  if (const int64_t ms = ns % kSecond / kMillisecond; ms != 0) {
    fraction = std::to_string(1000 + ms);
    fraction[0] = '.';
    while (fraction.back() == '0') fraction.pop_back();
  }
  return std::to_string(ns / kSecond) + fraction + " s";
}

Term Term::Of(TimeInterval time, std::string what) {
  Term term;
  term.kind_ = Kind::kTime;
  term.value_ = time;
  term.what_ = std::move(what);
  return term;
}

Term Term::Times(int64_t count, Term one) {
  Term term;
  term.kind_ = Kind::kTimes;
  term.count_ = count;
  term.value_ = CountInterval::Exactly(count) * one.value_;
  term.parts_.push_back(std::move(one));
  return term;
}

Term Term::Sum(std::vector<Term> parts) {
  Term term;
  for (const Term& part : parts) term.value_ = term.value_ + part.value_;
  term.parts_ = std::move(parts);
  return term;
}

Term Term::Larger(std::vector<Term> parts) {
  Term term;
  term.kind_ = Kind::kLarger;
  term.value_ = parts.at(0).value_;
  for (const Term& part : parts) {
    term.value_.low = std::min(term.value_.low, part.value_.low);
    term.value_.high = std::max(term.value_.high, part.value_.high);
  }
  term.parts_ = std::move(parts);
  return term;
}

Term Term::Within(TimeInterval limit, std::string what, Term inner) {
  Term term;
  term.kind_ = Kind::kWithin;
  term.limit_ = limit;
  term.value_ = Min(limit, inner.value_);
  term.what_ = std::move(what);
  term.parts_.push_back(std::move(inner));
  return term;
}

std::string Term::Print() const {
  switch (kind_) {
    case Kind::kTime: return PrintTime(value_.high);
    case Kind::kTimes: {
      const Term& one = parts_[0];
      const bool is_simple = one.kind_ == Kind::kTime;
      if (count_ == 1) return one.Print();
      return std::to_string(count_) + " × " + (is_simple ? one.Print() : "(" + one.Print() + ")");
    }
    case Kind::kSum: {
      std::string out;
      for (const Term& part : parts_) {
        if (part.value_.high == 0) continue;
        const bool joins = part.kind_ == Kind::kWithin;
        out += (out.empty() ? "" : " + ") + (joins ? "(" + part.Print() + ")" : part.Print());
      }
      return out.empty() ? "0 s" : out;
    }
    case Kind::kLarger: {
      const auto largest = std::max_element(parts_.begin(), parts_.end(),
                                            [](const Term& a, const Term& b) { return a.value_.high < b.value_.high; });
      return largest->Print();
    }
    case Kind::kWithin:
      if (parts_[0].value_.high <= limit_.high) return parts_[0].Print();
      return PrintTime(limit_.high) + ", cut off from " + parts_[0].PrintWithResult();
  }
  return "";
}

std::string Term::PrintWithResult() const {
  if (value_.high == kMost) return "as long as it flows";
  const std::string arithmetic = Print();
  const std::string result = PrintTime(value_.high);
  const bool is_cut = kind_ == Kind::kWithin && parts_[0].value_.high > limit_.high;
  return arithmetic == result || is_cut ? arithmetic : result + " = " + arithmetic;
}

std::vector<Term::Line> Term::Lines() const {
  std::vector<Line> lines;
  AddLines(&lines);
  return lines;
}

void Term::AddLines(std::vector<Line>* lines) const {
  if (value_.high == 0) return;
  const auto add = [lines](std::string arithmetic, const std::string& what) {
    if (!lines->empty() && lines->back().what == what) lines->back().arithmetic += " + " + arithmetic;
    else lines->push_back({std::move(arithmetic), what});
  };
  switch (kind_) {
    case Kind::kTime: add(Print(), what_); return;
    case Kind::kTimes:
      if (parts_[0].kind_ == Kind::kTime) add(Print(), parts_[0].what_);
      else parts_[0].AddLines(lines);
      return;
    case Kind::kSum:
      for (const Term& part : parts_) part.AddLines(lines);
      return;
    case Kind::kLarger:
      std::max_element(parts_.begin(), parts_.end(), [](const Term& a, const Term& b) {
        return a.value_.high < b.value_.high;
      })->AddLines(lines);
      return;
    case Kind::kWithin:
      parts_[0].AddLines(lines);
      if (parts_[0].value_.high > limit_.high) lines->push_back({"at most " + PrintTime(limit_.high), what_});
      return;
  }
}

}  // namespace compiler::analysis
