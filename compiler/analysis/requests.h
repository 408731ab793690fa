// What requests of a route, and what an upstream is asked, by the conditions of the routes.
#pragma once

#include "compiler/analysis/context.h"
#include "compiler/analysis/region.h"

namespace compiler::analysis {

// The requests that fulfil the `when` of the route; those that routes before it take are among them.
Region RegionOf(const Context& context, RouteId route);

// Whether a request for a stream of a model may go to the upstream.
bool MayStream(const Context& context, UpstreamId id);

// Whether the route takes POST and PATCH alone, and none that may be sent to the upstream twice by its path.
// Whether a POST to a path of a model API may be among them.
bool AsksModels(const Region& taken);
bool TakesOnlyWhatIsNotRepeated(const Region& taken, const model::UpstreamSettings& upstream);

}  // namespace compiler::analysis
