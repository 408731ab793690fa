// The header that ties spans of several programs together, made where a client sent none:
// https://www.w3.org/TR/trace-context/, 3.2.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runtime::observe {

// "00-TRACE-PARENT-01". An id that the gateway made (32 hex digits) is the trace id itself, so that a trace is found by
// the id of the log; from any other id one is derived. `parent` is random, one for each attempt.
using TraceParentText = std::array<char, 55>;
TraceParentText TraceParent(std::string_view request_id, uint64_t parent);

using TraceIdText = std::array<char, 32>;

// The trace that a request belongs to, 32 hex digits: the client's where it sent a valid traceparent (it is passed on), else the one
// that TraceParent makes.
TraceIdText TraceId(std::optional<std::string_view> traceparent, std::string_view request_id);

}  // namespace runtime::observe
