// Which values something that a predicate reads may have: the sets that conditions are made of. Numbers are intervals, text is a list,
// or everything but a list that passes some tests.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/abi/pattern.h"
#include "base/cidr.h"

namespace compiler::analysis {

// Intervals in ascending order that do not touch. Of whole numbers all ends are closed.
class NumberSet {
 public:
  struct Range {
    long double low = 0;
    long double high = 0;
    bool low_open = false;
    bool high_open = false;
  };

  static NumberSet Nothing(bool whole) { return NumberSet(whole, {}); }
  static NumberSet Everything(bool whole);
  static NumberSet Of(bool whole, Range range);

  bool empty() const { return ranges_.empty(); }
  bool is_whole() const { return whole_; }
  const std::vector<Range>& ranges() const { return ranges_; }
  bool Contains(long double value) const;
  // Of a set that is not empty.
  long double lowest() const { return ranges_.front().low; }
  long double highest() const { return ranges_.back().high; }

  NumberSet And(const NumberSet& other) const;
  NumberSet Or(const NumberSet& other) const;
  NumberSet Not() const;

 private:
  NumberSet(bool whole, std::vector<Range> ranges) : whole_(whole), ranges_(std::move(ranges)) {}

  bool whole_ = false;
  std::vector<Range> ranges_;
};

// A property of a text.
struct TextTest {
  enum class Kind : uint8_t { kStartsWith, kEndsWith, kContains, kMatches, kInNetwork };
  Kind kind{};
  bool holds = true;
  std::string text = {};                         // the first three
  std::shared_ptr<const abi::Pattern> pattern = nullptr;
  base::Cidr network = {};

  bool Passes(std::string_view value) const;
  bool SameProperty(const TextTest& other) const;
};

// The texts of a list that pass the tests; without a list, all that are not excluded and pass them.
struct TextSet {
  std::optional<std::set<std::string>> only;
  std::set<std::string> without;
  std::vector<TextTest> tests;  // all of them pass

  static TextSet Nothing() { return {std::set<std::string>(), {}, {}}; }
  static TextSet Everything() { return {}; }
  static TextSet Only(std::set<std::string> texts) { return {std::move(texts), {}, {}}; }
  static TextSet Without(std::set<std::string> texts) { return {std::nullopt, std::move(texts), {}}; }
  static TextSet Passing(TextTest test) { return {std::nullopt, {}, {std::move(test)}}; }

  // True only if it surely is.
  bool empty() const;
  bool is_everything() const { return !only && without.empty() && tests.empty(); }
  bool Contains(std::string_view text) const;
  TextSet And(const TextSet& other) const;
  // One of them that `is_possible`, if one is found.
  std::optional<std::string> Example(bool (*is_possible)(std::string_view)) const;
};

// The values of one subject, by kind. A subject that is no JSON has only some of them.
struct Domain {
  bool absent = false;
  bool other = false;        // a JSON array or object
  NumberSet flag = NumberSet::Nothing(true);    // Bool: 0 and 1
  NumberSet number = NumberSet::Nothing(false);
  TextSet text = TextSet::Nothing();

  bool empty() const { return !absent && !other && flag.empty() && number.empty() && text.empty(); }
  Domain And(const Domain& other) const;
};

}  // namespace compiler::analysis
