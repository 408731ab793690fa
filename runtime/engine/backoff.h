// How long to wait before a retry. Chance only shortens: bounds that were proved for the longest waits hold.
#pragma once

#include "compiler/model/settings.h"
#include "base/random.h"
#include "base/time.h"

namespace runtime::engine {

// Before retry `retry` (from 1): min(cap, from · factor^(retry−1)), shortened by up to `jitter` of itself. Draws from
// `random` only where there is jitter. Never negative.
base::Duration BackoffWait(const compiler::model::BackoffSettings& settings, int retry, base::Random& random);

}  // namespace runtime::engine
