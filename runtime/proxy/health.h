// What operators ask: /health/live, /health/ready, /health/circuit-breaker/NAME and /metrics. Read only.
#pragma once

#include <optional>
#include <string_view>

#include "runtime/proxy/local_answer.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {

// The answer for a path of the operators; nothing for any other path.
std::optional<LocalAnswer> AnswerHealth(WorkerContext& worker, const http::RequestHead& head, std::string_view path);

}  // namespace runtime::proxy
