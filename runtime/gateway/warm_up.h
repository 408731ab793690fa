// What a reload loads before it takes effect: models that requests will be sent for to an upstream with `cold_load` and that are, as far as
// anybody knows, not there.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "runtime/proxy/gateway_state.h"

namespace runtime::gateway {

struct ColdModel {
  compiler::model::UpstreamId upstream;  // of the next policy
  std::string model;
};

// Models that a `rewrite` of the next policy names as they stand, and those that were there at an upstream of the same name which is another
// server now. At most as many as an upstream remembers (ModelLoads::kMaxModels) for each. `next` must not have taken `before` over yet.
std::vector<ColdModel> ColdModels(const proxy::GatewayState& next, const proxy::GatewayState& before,
                                  base::TimePoint now);

}  // namespace runtime::gateway
