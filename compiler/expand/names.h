// Every name in the expressions of a tree.
#pragma once

#include <functional>

#include "compiler/ast/ast.h"

namespace compiler::expand {

// Calls `visit` with each expression of the statement, the outer ones first; it may change what it is given.
void ForEachExpr(ast::Statement* statement, const std::function<void(ast::Expr*)>& visit);

}  // namespace compiler::expand
