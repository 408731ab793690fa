// Random typed expressions and random facts, both from small pools of awkward values so that equality, prefixes and
// ends of ranges are hit often. The same seed gives the same world on every machine.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/abi/facts.h"
#include "tests/oracle/expr_builder.h"

namespace tests::oracle {

inline constexpr int32_t kSlotsOfEachFamily = 3;

// std::uniform_int_distribution differs between libraries; this doesn't.
class Chance {
 public:
  explicit Chance(uint64_t seed) : engine_(seed) {}
  size_t Below(size_t bound) { return static_cast<size_t>(engine_() % bound); }
  bool OneIn(size_t n) { return Below(n) == 0; }
  template <typename Container>
  const auto& Pick(const Container& items) {
    return items[Below(std::size(items))];
  }

 private:
  std::mt19937_64 engine_;
};

// The pool of texts, each once more at the very end of a page that a forbidden page follows: code that reads a byte too
// many dies.
class GuardedTexts {
 public:
  GuardedTexts();
  ~GuardedTexts();
  GuardedTexts(const GuardedTexts&) = delete;
  GuardedTexts& operator=(const GuardedTexts&) = delete;

  static const std::vector<std::string>& Pool();
  compiler::abi::Str Pick(Chance& chance) const;

 private:
  char* memory_ = nullptr;
  size_t bytes_ = 0;
  std::vector<compiler::abi::Str> texts_;
};

// Facts with the arrays that they point to. Not movable: the pointers would stay behind.
class RandomFacts {
 public:
  RandomFacts(Chance& chance, const GuardedTexts& texts);
  RandomFacts(const RandomFacts&) = delete;
  RandomFacts& operator=(const RandomFacts&) = delete;

  const compiler::abi::Facts& facts() const { return facts_; }

 private:
  // One overload for each way in which a field or family is stored: a new way does not compile until it has one.
  void Fill(uint8_t& member, BaseType base, bool optional);
  void Fill(int32_t& member, BaseType base, bool optional);
  void Fill(int64_t& member, BaseType base, bool optional);
  void Fill(compiler::abi::Str& member, BaseType base, bool optional);
  void FillSlots(const compiler::abi::Str*& member, bool optional);
  void FillSlots(const compiler::abi::JsonValue*& member, bool optional);

  Chance& chance_;
  const GuardedTexts& texts_;
  compiler::abi::Facts facts_;
  std::deque<std::vector<compiler::abi::Str>> strings_;
  std::deque<std::vector<compiler::abi::JsonValue>> jsons_;
  std::vector<int64_t> window_;
};

// The patterns that RandomCondition asks: Policy::patterns of its policy.
const std::vector<std::shared_ptr<const compiler::abi::Pattern>>& RandomPatterns();

// A Bool expression such as the checker makes, with at most `depth` levels of and, or and not.
Expr RandomCondition(Chance& chance, int depth);

size_t CountNodes(const Expr& expr);

}  // namespace tests::oracle
