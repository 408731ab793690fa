// Which series of a metric with several labels exist from the start, with 0: those that the policy and the gateway themselves give
// names to. Without them a rate doesn't see the first event and a board is blank until something has gone wrong.
#pragma once

#include <string>
#include <vector>

#include "compiler/model/policy.h"
#include "runtime/observe/metrics.h"

namespace runtime::observe {

// Label values joined by a zero byte, in the order of the policy. Others may come later: an upstream has a status of its own choice.
std::vector<std::string> ImpliedSeries(LabelledCounter id, const compiler::model::Policy& policy);

}  // namespace runtime::observe
