// What the gateway's own errors say to people, by their reason code.
#pragma once

#include <string_view>

#include "runtime/engine/refusal.h"
#include "runtime/http/request_reading.h"

namespace runtime::proxy {

// A request that can be read in more than one way; kNone is none.
engine::Refusal RefusalOf(http::ReadProblem problem);

// A sentence; a general one for a reason that has none of its own.
std::string_view MessageFor(std::string_view reason);

}  // namespace runtime::proxy
