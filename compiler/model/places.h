// Where the lines of a policy stand that decide about requests, for whoever looks at a policy while it runs: the log, the live page,
// the events of breakers. Made beside the checked policy (compiler/places.h); a bundle brings them along.
#pragma once

#include <string>
#include <vector>

#include "base/id.h"
#include "compiler/model/settings.h"

namespace compiler::model {

struct Place {
  std::string at;    // "chat.policy:31", the file without its folders; empty: nobody wrote it
  std::string text;  // of a rule or setting the statement itself, in one line, as it is written; empty for a block
};

// Equal in length to the policy's own lists; what a policy got by itself has empty places.
struct Places {
  struct OfUpstream {
    Place block;
    Place repeat_safe;
    Place replay_body;
    Place max_in_flight;
    Place max_retries;
    Place budget;
    Place retry;                   // `when` of it
    Place breaker;                 // its block
    std::vector<Place> open_when;  // in the order of BreakerSettings::open_when
    Place rest_when;
  };
  struct OfRoute {
    Place block;
    Place to;
    Place fallback;  // the first upstream's where it has none of its own
    Place deadline;
  };
  ::base::IdVector<UpstreamId, OfUpstream> upstreams;
  ::base::IdVector<RouteId, OfRoute> routes;
};

}  // namespace compiler::model
