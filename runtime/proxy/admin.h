// What operators do: actions on a running gateway, and what only they may read. On the admin address alone, never where traffic is
// served, too. Each needs the token (admin_token.h), and none can be done by a page in somebody's browser: the name in Host must be the
// admin address's own, actions are POST with a JSON content type, and what Sec-Fetch-Site calls foreign is refused.
//
//   GET  /admin/policy                          what is in force, since when, and what became of the last reload
//   POST /admin/reload                          202; its end shows in /admin/policy
//   POST /admin/breaker/NAME/open[?for=10min]   nothing is let through, for so long or for the policy's open_for
//   POST /admin/breaker/NAME/close[?for=10min]  closed, its windows empty; for so long nothing opens it
//   POST /admin/breaker/NAME/reset              as at the start, and whatever was asked for above is over
//   POST /admin/upstream/NAME/drain             no new attempts, as if its breaker were open; what is under way goes on
//   POST /admin/upstream/NAME/resume            and again
//   POST /admin/cache/NAME/purge                all its entries go
//   POST /admin/log-level/LEVEL                 events below info, warn or error are left out
//   POST /admin/stop                            as SIGTERM
#pragma once

#include <optional>
#include <string_view>

#include "runtime/proxy/local_answer.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {

// Whether whoever asks may do so: nothing, or the answer that refuses. `acts`: it changes something.
std::optional<LocalAnswer> CheckAdminCaller(WorkerContext& worker, const http::RequestHead& head,
                                            std::string_view peer_ip, bool acts);

// The answer for a path below /admin/; nothing for any other path. `peer_ip`: who is connected.
std::optional<LocalAnswer> AnswerAdmin(WorkerContext& worker, const http::RequestHead& head, std::string_view path,
                                       std::string_view peer_ip);

}  // namespace runtime::proxy
