// The predicates of a policy as machine code that runs wherever it is put: what a bundle carries. Made by compiler/jit, put into
// memory by compiler/bundle.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace compiler::abi {

inline constexpr uint64_t kImagePage = 4096;  // what `code` is a multiple of, and the table of helpers begins on

struct PredicateImage {
  std::string cpu;                   // the level that it needs: a name of kCpuLevels; "": there is no code, predicates are interpreted
  std::string code;                  // instructions and constants, relative to each other; a multiple of kImagePage long
  // Functions that the code calls, through a table of 8-byte addresses right behind it, in this order.
  std::vector<std::string> helpers;
  std::vector<uint64_t> entries;     // of predicate i: where its function begins

  bool operator==(const PredicateImage&) const = default;
};

// The levels of the x86-64 psABI, the least first. What code for one of them needs, every higher one has.
inline constexpr std::string_view kCpuLevels[] = {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"};
inline constexpr std::string_view kDefaultCpuLevel = kCpuLevels[0];

// Whether this machine runs code of `level`. False for a name that is none.
bool RunsHere(std::string_view level);
// The highest that does; "" where none does (another architecture).
std::string_view CpuLevelHere();

}  // namespace compiler::abi
