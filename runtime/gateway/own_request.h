// Requests that the gateway makes of its own accord: health checks, loads of models.
#pragma once

#include <string>
#include <string_view>

#include "compiler/model/settings.h"

namespace runtime::gateway {

// A whole request, to be sent on a connection of its own that ends with it. Headers of the policy whose values are known without a
// client's request (an API key) are among its own; the others can't be. `body`: JSON; empty: there is none. `purpose`: for the
// User-Agent, "health".
std::string OwnRequest(const compiler::model::UpstreamSettings& upstream, std::string_view method, std::string_view path,
                       std::string_view body, std::string_view purpose);

}  // namespace runtime::gateway
