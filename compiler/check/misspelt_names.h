// A name that is misspelt where it is given: nothing uses it, and everything uses a name that nobody gave.
#pragma once

#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/expr/scope.h"

namespace compiler::check {

using expr::Scope;

// Finds these by names that are used twice or more, and lets the scope know them by what they are called: one finding,
// where the name is given. Of a name that is used once, the words of the two tell which is meant: those that stand elsewhere in the
// file, or that names are usually made of. Where they tell nothing, its use is reported.
void AdoptMisspeltNames(const ast::File& file, Scope* scope, diagnostics::Diagnostics* diagnostics);

}  // namespace compiler::check
