// A stable dump of the tree, for tests: one node on each line, two spaces for each level.
#pragma once

#include <string>

#include "compiler/ast/ast.h"

namespace compiler::ast {

std::string Print(const File& file);
std::string Print(const Expr& expr);  // one line, fully parenthesised

}  // namespace compiler::ast
