// What other languages call the names and constants of this one: what was meant by a name that nobody gave, and by text that
// stands where something else belongs. Pure; the messages are their callers'.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/expr.h"

namespace compiler::expr {

// `request.path` for `path`; "" if it is the end of no fact's name.
std::string FactEndingWith(std::string_view name);

// What is surely meant: `true` for `yes`, `refused` for `ECONNREFUSED`, a fact; "" if that is not known.
std::string MeantBy(std::string_view name);

// What foreign_facts.def says of a name. `root`: "request", "response", "client", or "bare" for a name that stands alone.
struct ForeignFact {
  std::string_view meant;  // what may be put in its place; "": nothing may
  std::string_view help;   // where `meant` is ""
};
std::optional<ForeignFact> ForeignFactOf(std::string_view root, std::string_view name);

// What is meant by a function that other languages have: `request.path starts_with "/a"` for `startswith(request.path, "/a")`,
// `request.header["X"] != none` for `exists(request.header["X"])`. `arguments`: as they are written; `object`: what stands before
// the dot of a method, "" for none. nullopt: not known.
struct MeantFunction {
  std::string text;
  bool is_whole = true;  // `text` stands for the whole call; else it is an example
};
std::optional<MeantFunction> MeantByFunction(std::string_view name, std::string_view object,
                                             const std::vector<std::string>& arguments);

// What to write where nothing stands for that function; "" if it is not known.
std::string WhyNoFunction(std::string_view name);

// As variables of the environment are named: MODEL_URL.
bool LooksLikeAVariable(std::string_view name);

// Text as a pattern: `^/api` is /^\/api/.
std::string AsPattern(std::string_view text);

// "5xx" where a class of statuses was meant, "10.0.0.0/8" where a network was: without its quotes; else "".
std::string WithoutQuotes(const model::Expr& left, const model::Expr& member);

}  // namespace compiler::expr
