// The reference evaluator: slow, obvious, and the oracle that JIT code is compared with. It is also what runs where no
// LLVM is loaded (simulation, most tests).
#pragma once

#include "compiler/abi/facts.h"
#include "compiler/abi/predicate.h"
#include "compiler/model/expr.h"
#include "compiler/model/policy.h"

namespace compiler::model {

// The value of a Bool expression over `facts`. Pure; thread-safe.
bool Interpret(const Expr& expr, const abi::Facts& facts);

// A table whose predicates are interpreted. `policy` must outlive it.
abi::PredicateTable InterpretedPredicates(const Policy& policy);

}  // namespace compiler::model
