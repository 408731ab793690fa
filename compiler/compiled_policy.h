// What the compiler hands to the runtime. The runtime sees this, compiler/model and compiler/abi, and no more of the compiler.
#pragma once

#include <memory>
#include <string>

#include "compiler/abi/predicate.h"
#include "compiler/jit/predicate_code.h"
#include "compiler/model/places.h"
#include "compiler/model/policy.h"
#include "compiler/routes/route_index.h"

namespace compiler {

// One generation of a policy. Immutable; each exchange holds the one that it began with.
struct CompiledPolicy {
  model::Policy policy;
  abi::PredicateTable predicates;
  std::unique_ptr<PredicateCode> code;  // null: predicates are interpreted
  routes::RouteIndex routes;            // finds the route of a request
  std::string hash;                     // 16 hex digits of SHA-256 of the text without its tests
  model::Places places;                 // where it was written; empty: nobody knows
};

}  // namespace compiler
