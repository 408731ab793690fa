// The part of the JIT that links LLVM: what stands behind the entry of libbreakwater_jit.so. The gateway never links
// it; it asks jit.h, which opens the library.
#pragma once

#include <string>

#include "compiler/jit/jit.h"

namespace compiler::jit {

// As CompilePredicates of jit.h, in this process image. Thread-safe: compilations wait for one another.
JitResult CompileWithLlvm(const model::Policy& policy);

// For tests of the closed list: "" if machine code of a predicate could call `symbol`, otherwise what the linker says.
std::string WhyUnresolved(const std::string& symbol);

}  // namespace compiler::jit
