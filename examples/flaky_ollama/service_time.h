// How long an answer takes. The model, after what the founding system measured:
//
//   requests in flight   1 … parallel       parallel … 2 · parallel … and on
//   time of an answer    service_ms         linear, overload_service_ms at 2 · parallel
//
// with the defaults 2.3 s up to 8 requests, 6.8 s at 16, 15 s at 31. `prompt_share` of it passes before the first token, the
// rest is spread evenly over the tokens. Speed follows the load of the moment: an answer under way slows down when
// others arrive. Each request is a little faster or slower than the model (jitter), by its number.
#pragma once

#include <cstdint>

#include "examples/flaky_ollama/settings.h"
#include "base/time.h"

namespace examples::flaky_ollama {

// Time of a whole answer with this many requests in flight (itself included), time_scale applied, without jitter.
base::Duration ServiceTime(const Settings& settings, int64_t in_flight);

// What jitter makes of it for one request: 1 − jitter ≤ result ≤ 1 + jitter.
double SpeedFactor(const Settings& settings, uint64_t number);

// From the request to the first token, and from one token to the next.
base::Duration PromptTime(const Settings& settings, int64_t in_flight, double factor);
base::Duration TokenTime(const Settings& settings, int64_t in_flight, double factor, int64_t tokens);

}  // namespace examples::flaky_ollama
