// Recomputes what a gateway decided from what its log says happened: the policy by the interpreter, the engine with fresh breakers and
// budgets, and of the log only times and outcomes. What the log says was decided is compared with that.
//
// For a run of one worker whose policy has no queue, load, cache, health check or jitter, and whose clients read what they get: those decide
// by what no line tells (limits of an attempt stand still while its client is waited for).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "compiler/compiled_policy.h"

namespace tests {

struct Recomputed {
  size_t requests = 0;
  size_t attempts = 0;
  size_t retries = 0;
  size_t denials = 0;
  size_t moves = 0;
  size_t fallbacks = 0;
  size_t transitions = 0;                // of breakers
  std::vector<std::string> differences;  // for people
};

// `access`, `events`: the lines of the two logs, of the whole life of the gateway. `clock`: how far the wall clock of the log is ahead of the
// gateway's own, by which buckets of shares (failure_ratio) are aligned.
Recomputed Recompute(const compiler::CompiledPolicy& policy, const std::vector<std::string>& access,
                     const std::vector<std::string>& events, base::Duration clock);

}  // namespace tests
