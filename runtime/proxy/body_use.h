// What a policy needs of the bodies of requests: worked out once, asked for each of them.
#pragma once

#include <cstddef>

#include "compiler/abi/predicate.h"
#include "compiler/model/policy.h"

namespace runtime::proxy {

struct BodyUse {
  explicit BodyUse(const compiler::model::Policy& policy);

  // The most of a body that any upstream wants kept; some is always kept, so that a reply can be shaped.
  size_t most_kept = 64 << 10;
  // Members decide or are changed anywhere: then it must be one that can be read.
  bool is_read = false;
  // Compressed bodies are decoded; not where all upstreams say `decode = never`.
  bool decodes = false;
  // The first route that is chosen by what stands in a body; none: no route is. With a body that is not kept neither this one nor
  // those behind it can be told from each other.
  compiler::model::RouteId first_route_by_body;

  // The route of a request whose body is not known; none: it depends on the body, or there is none.
  compiler::model::RouteId RouteWithoutBody(const compiler::model::Policy& policy, const compiler::abi::PredicateTable& predicates,
                                            const compiler::abi::Facts& facts) const;
};

}  // namespace runtime::proxy
