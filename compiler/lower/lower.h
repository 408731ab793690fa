// Predicates to LLVM IR: one module for a run of predicates, one function for each. Reads the model, writes IR, and
// leaves the making of machine code to compiler/jit, which is this header's only user.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "compiler/abi/predicate.h"
#include "compiler/model/policy.h"

namespace llvm {
class LLVMContext;
class Module;
}  // namespace llvm

namespace compiler::lower {

// Symbol of the function for a predicate. Its type is that of abi::Predicate::function; `self` must point to an array of
// const abi::Pattern*, one for each of Policy::patterns (nothing reads it where there are none).
std::string FunctionName(abi::PredicateId id);

// A module with the functions of the predicates first … first + count − 1. Calls only what helpers.def names. Null, and
// *error, for an expression that the checker must not make (an operator over types that it does not know).
std::unique_ptr<llvm::Module> LowerPredicates(const model::Policy& policy, abi::PredicateId first, int32_t count,
                                              llvm::LLVMContext& context, std::string* error);

}  // namespace compiler::lower
