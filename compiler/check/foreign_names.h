// What other languages call the names and constants of this one: what was meant by a name that nobody gave, and by text that
// stands where something else belongs. Pure; the messages are their callers'.
#pragma once

#include <string>
#include <string_view>

#include "compiler/model/expr.h"

namespace compiler::check {

// `request.path` for `path`; "" if it is the end of no fact's name.
std::string FactEndingWith(std::string_view name);

// What is surely meant: `true` for `yes`, `refused` for `ECONNREFUSED`, a fact; "" if that is not known.
std::string MeantBy(std::string_view name);

// As variables of the environment are named: MODEL_URL.
bool LooksLikeAVariable(std::string_view name);

// Text as a pattern: `^/api` is /^\/api/.
std::string AsPattern(std::string_view text);

// "5xx" where a class of statuses was meant, "10.0.0.0/8" where a network was: without its quotes; else "".
std::string WithoutQuotes(const model::Expr& left, const model::Expr& member);

}  // namespace compiler::check
