// The checked policy: resolved, typed, defaulted and immutable. Everything behind `check` reads this and nothing else.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/abi/pattern.h"
#include "compiler/abi/type.h"
#include "base/id.h"
#include "compiler/model/expr.h"
#include "compiler/model/settings.h"

namespace compiler::model {

// A predicate of the policy. Equal ones are one: the checker interns them.
struct PredicateDef {
  Expr expr;
  abi::Phase phase = abi::Phase::kRoute;

  bool operator==(const PredicateDef&) const = default;
};

// Which keys the policy reads: slot i of a family holds the value for key i. The runtime fills only these.
struct Slots {
  std::vector<std::string> request_headers;             // lower case
  std::vector<std::string> request_queries;
  std::vector<std::vector<std::string>> request_json;   // a path: member names; array elements are not addressed
  std::vector<std::vector<std::string>> response_json;  // likewise
  std::vector<std::vector<std::string>> chunk_json;     // likewise
  std::vector<std::string> response_headers;            // lower case
};

struct Policy {
  GatewaySettings gateway;
  base::IdVector<UpstreamId, UpstreamSettings> upstreams;
  base::IdVector<CacheId, CacheSettings> caches;
  base::IdVector<ReplyId, ReplySettings> replies;
  base::IdVector<MockId, MockSettings> mocks;
  base::IdVector<TlsId, TlsSettings> tls;
  base::IdVector<RouteId, RouteSettings> routes;        // the first whose `when` holds wins
  base::IdVector<PredicateId, PredicateDef> predicates;
  Slots slots;
  std::vector<std::shared_ptr<const abi::Pattern>> patterns;  // equal ones once

  bool reads_request_body = false;  // request.body or request.json is read by a predicate or a cache key
};

}  // namespace compiler::model
