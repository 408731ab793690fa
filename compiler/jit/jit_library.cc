// The door of libbreakwater_jit.so; jit_library.map hides all else.
#include "compiler/jit/jit_library.h"

#include "compiler/jit/image.h"
#include "compiler/jit/jit_core.h"

extern "C" bool breakwater_jit_compile(const compiler::jit::LibraryContract* contract,
                                       const compiler::model::Policy* policy, compiler::jit::JitResult* result) {
  if (!(*contract == compiler::jit::LibraryContract())) return false;
  *result = compiler::jit::CompileWithLlvm(*policy);
  return true;
}

extern "C" bool breakwater_jit_image(const compiler::jit::LibraryContract* contract, const compiler::model::Policy* policy,
                                     const std::string* cpu_level, compiler::jit::ImageResult* result) {
  if (!(*contract == compiler::jit::LibraryContract())) return false;
  *result = compiler::jit::MakeImageWithLlvm(*policy, *cpu_level);
  return true;
}
