// Tree to policy: names, types, phases, units, ranges and the checks between blocks. Reports everything that it finds.
#pragma once

#include <optional>

#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/expr/options.h"
#include "compiler/model/origins.h"
#include "compiler/model/policy.h"

namespace compiler::check {

using expr::CheckOptions;

// The policy, and where its parts were written; nullopt if `file` is broken or something was found that is an error. `origins`
// borrows the file's text.
std::optional<model::Policy> Check(const ast::File& file, const CheckOptions& options, model::Origins* origins,
                                   diagnostics::Diagnostics* diagnostics);

}  // namespace compiler::check
