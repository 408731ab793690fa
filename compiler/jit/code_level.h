// Private to this folder: how good the code of a policy's predicates shall be.
#pragma once

#include <llvm/Support/CodeGen.h>

#include <cstddef>

#include "compiler/model/policy.h"

namespace compiler::jit {

// Small modules keep code generation linear and its memory low; one module for each predicate would cost eight times
// more.
inline constexpr int32_t kPredicatesPerModule = 64;

// Up to this many predicates are worth good code (1 to 3 ms each); beyond, plain code (0.1 to 0.3 ms each), which is
// 1 ns slower. Good code for one huge predicate takes more than linear time, so the size of the expressions counts,
// too.
inline constexpr size_t kMostPredicatesForGoodCode = 256;
inline constexpr size_t kMostNodesForGoodCode = 8192;

inline size_t CountNodes(const model::Expr& expr) {
  size_t nodes = 1 + expr.set.size();
  for (const model::Expr& operand : expr.operands) nodes += CountNodes(operand);
  return nodes;
}

inline llvm::CodeGenOptLevel LevelFor(const model::Policy& policy) {
  size_t nodes = 0;
  for (const model::PredicateDef& predicate : policy.predicates) nodes += CountNodes(predicate.expr);
  const bool is_small = policy.predicates.size() <= kMostPredicatesForGoodCode && nodes <= kMostNodesForGoodCode;
  return is_small ? llvm::CodeGenOptLevel::Default : llvm::CodeGenOptLevel::None;
}

}  // namespace compiler::jit
