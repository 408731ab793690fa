// What must hold of single values of a request for a predicate to hold: the part of a predicate that an index can use.
#pragma once

#include <compare>
#include <string_view>
#include <vector>

#include "compiler/model/expr.h"
#include "compiler/routes/subject.h"

namespace compiler::routes {

// A text that a value equals, or begins with.
struct Pattern {
  std::string_view text;  // borrowed from the expression or the fact table
  bool is_prefix = false;

  auto operator<=>(const Pattern&) const = default;
};

// The subject is present and fits one of the patterns.
struct Condition {
  Subject subject;
  std::vector<Pattern> any_of;  // not empty
};

// All of them hold. At most one for each subject, ordered by subject. Empty: nothing is known.
using Conditions = std::vector<Condition>;

// Wherever `expr` holds, all conditions of at least one of these do. The converse is not true: the predicate itself still decides.
// Never empty, and never long: what would take too many alternatives is told less exactly.
std::vector<Conditions> Alternatives(const model::Expr& expr);

}  // namespace compiler::routes
