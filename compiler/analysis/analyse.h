// Says what a policy will do before it does it: limits that cut each other off, rules that never hold, retries that make an outage
// worse. It reads the checked policy, not its text; the origins tell where to point, and what to change.
//
// Findings are warnings: they are about what will happen, not about what was written, and a new check must not keep a gateway
// from starting. Every message carries its arithmetic. checks.def is the list.
#pragma once

#include <set>
#include <string_view>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/model/origins.h"
#include "compiler/model/policy.h"

namespace compiler::analysis {

struct Options {
  std::set<std::string_view> without;  // codes of checks that are left out
};

void Analyse(const model::Policy& policy, const model::Origins& origins, const Options& options,
             diagnostics::Diagnostics* diagnostics);

}  // namespace compiler::analysis
