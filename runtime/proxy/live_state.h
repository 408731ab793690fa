// GET /admin/state: what the live page shows, as one JSON object. Made when it is asked for and at no other time.
#pragma once

#include "runtime/proxy/local_answer.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {

// docs/operations.md has the members. Whoever asks was let in by CheckAdminCaller.
LocalAnswer LiveState(const WorkerContext& worker);

}  // namespace runtime::proxy
