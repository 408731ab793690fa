// Predicates as an image that a bundle carries (abi/predicate_image.h), by LLVM. Part of libbreakwater_jit.so; the door is
// MakeImage of jit.h.
#pragma once

#include <string>

#include "compiler/jit/jit.h"

namespace compiler::jit {

// As MakeImage of jit.h, in this process image. The same policy gives the same bytes on every machine.
ImageResult MakeImageWithLlvm(const model::Policy& policy, std::string_view cpu_level);

}  // namespace compiler::jit
