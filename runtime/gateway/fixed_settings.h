// What a gateway is from its start to its end: a reload that wants it otherwise is refused.
#pragma once

#include <string>

#include "compiler/model/settings.h"

namespace runtime::gateway {

// Why `next` can't come into force after `now`, as a sentence; "": it can.
std::string WhyNoReload(const compiler::model::GatewaySettings& now, const compiler::model::GatewaySettings& next);

}  // namespace runtime::gateway
