// The functions that libbreakwater_jit.so exports, as library and loader both know them.
#pragma once

#include <cstdint>

#include "compiler/jit/jit.h"

namespace compiler::jit {

// Library and executable pass C++ objects to each other, so they must come from one build. These numbers differ
// wherever a careless mix of two builds would go wrong soonest.
struct LibraryContract {
  int64_t abi_version = abi::kAbiVersion;
  int64_t facts_bytes = sizeof(abi::Facts);
  int64_t expr_bytes = sizeof(model::Expr);
  int64_t policy_bytes = sizeof(model::Policy);

  bool operator==(const LibraryContract&) const = default;
};

inline constexpr char kLibraryName[] = "libbreakwater_jit.so";
inline constexpr char kEntryName[] = "breakwater_jit_compile";
inline constexpr char kImageEntryName[] = "breakwater_jit_image";

// They return false, and leave *result alone, if the caller's contract is not the library's.
using EntryFunction = bool(const LibraryContract* contract, const model::Policy* policy, JitResult* result);
using ImageEntryFunction = bool(const LibraryContract* contract, const model::Policy* policy, const std::string* cpu_level, ImageResult* result);

}  // namespace compiler::jit
