// Policies with one mistake each: a token deleted, doubled, swapped with the next one or misspelt. Drawn by a generator,
// so that the same seed gives the same mutants. Comments are never touched.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/source_range.h"

namespace tests::mutation {

enum class Change : uint8_t { kDelete, kDouble, kSwap, kMisspell };
inline constexpr std::array kChanges = {Change::kDelete, Change::kDouble, Change::kSwap, Change::kMisspell};
std::string_view Name(Change change);

struct Mutant {
  Change change{};
  std::string text;
  std::string what;                      // "doubled `{`"
  compiler::source::SourceRange token;   // in the original: what was mutated
  compiler::source::SourceRange places;  // in `text`: from the token before what was mutated to the one behind it
};

// `count` different mutants, fewer if the policy has not so many. A misspelling is one edit (a letter deleted, doubled
// or replaced, two swapped) of a name, a word of the language or a unit, of at least three letters.
std::vector<Mutant> Draw(std::string_view policy, Change change, size_t count, std::mt19937* random);

}  // namespace tests::mutation
