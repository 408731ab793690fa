// What the gateway's own errors say to people, by their reason code.
#pragma once

#include <string_view>

namespace runtime::proxy {

// A sentence; a general one for a reason that has none of its own.
std::string_view MessageFor(std::string_view reason);

}  // namespace runtime::proxy
