// Predicates to machine code, with no LLVM type in sight. The JIT lives in a shared library of its own,
// libbreakwater_jit.so, which stands beside the executable and is opened only when policy text is to be run: a process
// that only checks, or runs a bundle, never maps LLVM.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/abi/predicate.h"
#include "compiler/abi/predicate_image.h"
#include "compiler/jit/predicate_code.h"
#include "compiler/model/policy.h"

namespace compiler::jit {

struct JitResult {
  std::unique_ptr<PredicateCode> code;  // null on failure
  abi::PredicateTable predicates;       // one for each PredicateId of the policy
  std::string error;                    // what failed, and what to do, when code is null
};

// Opens the library if need be (once for the process) and compiles every predicate of `policy`. Takes 1 to 3 ms for
// each predicate. Thread-safe. The code needs `policy` no longer.
JitResult CompilePredicates(const model::Policy& policy);

struct ImageResult {
  std::optional<abi::PredicateImage> image;  // none on failure
  std::string error;                         // what failed, and what to do, when there is no image
};

// The predicates as code that a bundle carries, for a level of abi::kCpuLevels. The same policy gives the same bytes.
ImageResult MakeImage(const model::Policy& policy, std::string_view cpu_level);

}  // namespace compiler::jit
