#include "compiler/analysis/domain.h"

#include <algorithm>
#include <cmath>

namespace compiler::analysis {
namespace {

constexpr long double kInfinity = std::numeric_limits<long double>::infinity();

using Range = NumberSet::Range;

// Whether nothing lies in it.
bool IsEmpty(const Range& range) {
  return range.low > range.high || (range.low == range.high && (range.low_open || range.high_open));
}

// Whether `a` ends before `b` begins, with something between them.
bool IsApart(const Range& a, const Range& b, bool whole) {
  if (whole && a.high != kInfinity) return a.high + 1 < b.low;
  return a.high < b.low || (a.high == b.low && a.high_open && b.low_open);
}

bool StartsBefore(const Range& a, const Range& b) {
  return a.low != b.low ? a.low < b.low : !a.low_open && b.low_open;
}

// Of whole numbers: closed ends.
Range Rounded(Range range) {
  if (range.low != -kInfinity) {
    const long double up = std::ceil(range.low);
    range.low = range.low_open && up == range.low ? up + 1 : up;
  }
  if (range.high != kInfinity) {
    const long double down = std::floor(range.high);
    range.high = range.high_open && down == range.high ? down - 1 : down;
  }
  range.low_open = range.high_open = false;
  return range;
}

}  // namespace

NumberSet NumberSet::Everything(bool whole) { return NumberSet(whole, {{-kInfinity, kInfinity, false, false}}); }

NumberSet NumberSet::Of(bool whole, Range range) {
  if (whole) range = Rounded(range);
  return IsEmpty(range) ? Nothing(whole) : NumberSet(whole, {range});
}

bool NumberSet::Contains(long double value) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
    return (range.low_open ? value > range.low : value >= range.low) &&
           (range.high_open ? value < range.high : value <= range.high);
  });
}

NumberSet NumberSet::And(const NumberSet& other) const {
  NumberSet both(whole_ || other.whole_, {});
  for (const Range& a : ranges_) {
    for (const Range& b : other.ranges_) {
      Range range = a;
      if (b.low > a.low || (b.low == a.low && b.low_open)) range.low = b.low, range.low_open = b.low_open;
      if (b.high < a.high || (b.high == a.high && b.high_open)) range.high = b.high, range.high_open = b.high_open;
      if (both.whole_) range = Rounded(range);
      if (!IsEmpty(range)) both.ranges_.push_back(range);
    }
  }
  return both;
}

NumberSet NumberSet::Or(const NumberSet& other) const {
  std::vector<Range> all = ranges_;
  all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
  std::sort(all.begin(), all.end(), StartsBefore);
  NumberSet any(whole_, {});
  for (const Range& range : all) {
    if (any.ranges_.empty() || IsApart(any.ranges_.back(), range, whole_)) {
      any.ranges_.push_back(range);
      continue;
    }
    Range& last = any.ranges_.back();
    if (range.high > last.high || (range.high == last.high && !range.high_open))
      last.high = range.high, last.high_open = range.high_open;
  }
  return any;
}

NumberSet NumberSet::Not() const {
  NumberSet rest(whole_, {});
  Range gap{-kInfinity, kInfinity, false, false};
  const auto close = [&](long double at, bool open) {
    Range range = gap;
    range.high = at;
    range.high_open = open;
    if (at == -kInfinity) return;
    if (whole_) range = Rounded(range);
    if (!IsEmpty(range)) rest.ranges_.push_back(range);
  };
  for (const Range& range : ranges_) {
    close(range.low, !range.low_open);
    gap.low = range.high;
    gap.low_open = !range.high_open;
  }
  if (gap.low != kInfinity) {
    if (whole_) gap = Rounded(gap);
    rest.ranges_.push_back(gap);
  }
  return rest;
}

bool TextTest::Passes(std::string_view value) const {
  bool found = false;
  switch (kind) {
    case Kind::kStartsWith: found = value.starts_with(text); break;
    case Kind::kEndsWith: found = value.ends_with(text); break;
    case Kind::kContains: found = value.find(text) != std::string_view::npos; break;
    case Kind::kMatches: found = pattern->IsFoundIn(value); break;
    case Kind::kInNetwork: {
      const auto address = base::ParseIp(value);
      found = address && network.Contains(*address);
      break;
    }
  }
  return found == holds;
}

bool TextTest::SameProperty(const TextTest& other) const {
  if (kind != other.kind) return false;
  if (kind == Kind::kMatches) return pattern->source() == other.pattern->source();
  if (kind == Kind::kInNetwork) return network == other.network;
  return text == other.text;
}

namespace {

bool IsWithin(const base::Cidr& inner, const base::Cidr& outer) {
  return inner.prefix >= outer.prefix && outer.Contains(inner.network);
}

// Whether no text passes both.
bool Exclude(const TextTest& a, const TextTest& b) {
  using Kind = TextTest::Kind;
  if (a.SameProperty(b)) return a.holds != b.holds;
  if (a.holds && b.holds) {
    if (a.kind != b.kind) return false;
    switch (a.kind) {
      case Kind::kStartsWith: return !a.text.starts_with(b.text) && !b.text.starts_with(a.text);
      case Kind::kEndsWith: return !a.text.ends_with(b.text) && !b.text.ends_with(a.text);
      case Kind::kInNetwork: return !IsWithin(a.network, b.network) && !IsWithin(b.network, a.network);
      default: return false;
    }
  }
  if (a.holds == b.holds) return false;
  const TextTest& has = a.holds ? a : b;
  const TextTest& lacks = a.holds ? b : a;
  switch (lacks.kind) {
    case Kind::kStartsWith: return has.kind == Kind::kStartsWith && has.text.starts_with(lacks.text);
    case Kind::kEndsWith: return has.kind == Kind::kEndsWith && has.text.ends_with(lacks.text);
    case Kind::kContains:
      return has.kind != Kind::kMatches && has.kind != Kind::kInNetwork && has.text.find(lacks.text) != std::string::npos;
    case Kind::kInNetwork: return has.kind == Kind::kInNetwork && IsWithin(has.network, lacks.network);
    case Kind::kMatches: return false;
  }
  return false;
}

}  // namespace

bool TextSet::Contains(std::string_view text) const {
  if (only && only->count(std::string(text)) == 0) return false;
  return without.count(std::string(text)) == 0 &&
         std::all_of(tests.begin(), tests.end(), [&](const TextTest& test) { return test.Passes(text); });
}

bool TextSet::empty() const {
  if (only) return std::none_of(only->begin(), only->end(), [&](const std::string& text) { return Contains(text); });
  for (size_t i = 0; i < tests.size(); ++i) {
    for (size_t j = i + 1; j < tests.size(); ++j) {
      if (Exclude(tests[i], tests[j])) return true;
    }
  }
  // Nothing but what begins so: every text does that begins with "".
  return std::any_of(tests.begin(), tests.end(), [](const TextTest& test) {
    return !test.holds && test.text.empty() &&
           (test.kind == TextTest::Kind::kStartsWith || test.kind == TextTest::Kind::kEndsWith ||
            test.kind == TextTest::Kind::kContains);
  });
}

TextSet TextSet::And(const TextSet& other) const {
  TextSet both = *this;
  both.without.insert(other.without.begin(), other.without.end());
  for (const TextTest& test : other.tests) {
    const bool is_known = std::any_of(both.tests.begin(), both.tests.end(), [&](const TextTest& known) {
      return known.holds == test.holds && known.SameProperty(test);
    });
    if (!is_known) both.tests.push_back(test);
  }
  if (!both.only) both.only = other.only;
  if (both.only) {
    std::erase_if(*both.only, [&](const std::string& text) { return !both.Contains(text) || !other.Contains(text); });
    both.without.clear();
    both.tests.clear();
  }
  return both;
}

std::optional<std::string> TextSet::Example(bool (*is_possible)(std::string_view)) const {
  if (only) {
    const auto found = std::find_if(only->begin(), only->end(),
                                    [&](const std::string& text) { return Contains(text) && is_possible(text); });
    return found == only->end() ? std::nullopt : std::optional(*found);
  }
  std::string begin;
  std::string middle;
  std::string end;
  for (const TextTest& test : tests) {
    if (!test.holds) continue;
    if (test.kind == TextTest::Kind::kStartsWith && test.text.size() > begin.size()) begin = test.text;
    if (test.kind == TextTest::Kind::kEndsWith && test.text.size() > end.size()) end = test.text;
    if (test.kind == TextTest::Kind::kContains && middle.find(test.text) == std::string::npos) middle += test.text;
    if (test.kind == TextTest::Kind::kInNetwork) begin = test.network.network.ToString();
  }
  for (const std::string& first : {begin, begin.empty() ? std::string("/") : begin}) {
    for (const std::string& more : {std::string(), std::string("x"), std::string("x1"), std::string("/x")}) {
      std::string text = first + middle + more + end;
      if (Contains(text) && is_possible(text)) return text;
    }
  }
  return std::nullopt;
}

Domain Domain::And(const Domain& with) const {
  return {absent && with.absent, other && with.other, flag.And(with.flag), number.And(with.number), text.And(with.text)};
}

}  // namespace compiler::analysis
