// A stable dump of the checked policy, for tests, `explain` and the interning of predicates. Secrets are not printed.
#pragma once

#include <string>

#include "compiler/model/expr.h"
#include "compiler/model/policy.h"

namespace compiler::model {

std::string Print(const Policy& policy);

// One line, fully parenthesised. Slots are printed by number, so equal text means equal expressions within one policy.
std::string Print(const Expr& expr);

// A measure as a policy writes it: "failures(60s)".
std::string Print(const WindowMeasure& measure);

// A rule of a breaker, with its measures in place: "(failures(60s) >= 5)".
std::string PrintRule(const Expr& rule, const std::vector<WindowMeasure>& measures);

// As the language writes them: "1h23min20s", "500ms"; "64KiB", "1MiB". 0 is "0s" and "0B".
std::string PrintDuration(int64_t nanoseconds);
std::string PrintSize(int64_t bytes);

}  // namespace compiler::model
