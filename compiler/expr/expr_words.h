// Words that the names and the calls of ExprChecker have in common.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"

namespace compiler::expr {

// "did you mean `…`?" with the candidate that is near; `otherwise` if none is.
std::string OneOf(std::string_view word, const std::vector<std::string_view>& candidates, std::string otherwise);
void OfferNearest(diagnostics::Diagnostic* diagnostic, std::string_view word, const std::vector<std::string_view>& candidates);

// "failures(60s)".
std::string ExampleOf(const abi::WindowMeasureInfo& info);
// p1 … p99; 0 for anything else.
int PercentileOf(const ast::Expr& at);
// Functions of the language that stand for nothing in this version.
bool IsNotHonoured(std::string_view function);

}  // namespace compiler::expr
