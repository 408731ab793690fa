// Text that looks like a pattern where the language compares letter by letter: "/api/*" as a path, "10.0.0.0/8" as an address. Both
// are good text, and can stand there; hardly ever are they meant.
#pragma once

#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/model/expr.h"

namespace compiler::expr {

// One comparison with a constant, by `==`, `!=`, `in` or `starts_with`.
struct TextCompared {
  const ast::Expr& comparison;
  const ast::Expr& at;  // the constant, or the name of one
  const model::Expr& left;
  const model::Expr& text;
  bool is_alone = true;  // false: a set has other members, too
};

// Emits a warning if it looks like one. Anything but a String constant, and any other value than a path or an address, is left alone.
void ReportPatternText(const TextCompared& compared, diagnostics::Diagnostics* diagnostics);

}  // namespace compiler::expr
