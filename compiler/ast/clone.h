// Copies of parts of a tree, with the ranges of what they were made from.
#pragma once

#include "compiler/ast/ast.h"

namespace compiler::ast {

Expr Clone(const Expr& expr);
// Of what may stand in a block. A copy of a test or an import is Broken.
Statement Clone(const Statement& statement);

}  // namespace compiler::ast
