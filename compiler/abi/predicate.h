// How the runtime calls a predicate, and nothing of how it came to be: JIT code and the interpreter look the same.
//
// Calls are pure, noexcept and safe from any thread. The code behind a table lives as long as the CompiledPolicy that
// owns it; an exchange holds that for as long as it may call.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "compiler/abi/facts.h"
#include "base/id.h"

namespace compiler::abi {

using PredicateId = base::Id<struct PredicateTag>;

struct Predicate {
  // Returns 0 or 1. self: for JIT code the table of patterns that it asks, for the interpreter the expression.
  int32_t (*function)(const void* self, const Facts* facts) noexcept = nullptr;
  const void* self = nullptr;
};

class PredicateTable {
 public:
  PredicateTable() = default;
  explicit PredicateTable(std::vector<Predicate> predicates) : predicates_(std::move(predicates)) {}

  bool Test(PredicateId id, const Facts& facts) const {
    const Predicate& predicate = predicates_[static_cast<size_t>(id.value)];
    return predicate.function(predicate.self, &facts) != 0;
  }
  const Predicate& At(PredicateId id) const { return predicates_[static_cast<size_t>(id.value)]; }
  size_t size() const { return predicates_.size(); }

 private:
  std::vector<Predicate> predicates_;
};

}  // namespace compiler::abi
