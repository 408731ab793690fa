// What answers when no upstream does: the first fallback of a route that can, or else an error of the gateway's own.
// Also the words for it: the reason that goes into x-breakwater-fallback-reason, log and metrics.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "compiler/abi/facts.h"
#include "compiler/model/policy.h"
#include "runtime/engine/engine_objects.h"
#include "runtime/engine/exchange_events.h"

namespace runtime::engine {

// The key of this request in a cache: its name, the form of the answer (RequestReady::answer_form) and the rendered
// template, a line each. The name keeps caches apart wherever they may share a store.
std::string CacheKey(const compiler::model::CacheSettings& cache, const compiler::abi::Facts& facts, uint8_t answer_form);

struct CachedAnswer {
  CacheId cache;
  std::shared_ptr<const CachedResponse> response;
};
using FallbackAnswer = std::variant<ReplyId, MockId, CachedAnswer>;

// The first of the route's fallbacks that can answer: a reply or a mock always can, a cache that holds the answer,
// stale or not. `use_caches` false: the body isn't kept, so no key can be made of it.
std::optional<FallbackAnswer> FindFallback(const compiler::model::Policy& policy,
                                           const compiler::model::RouteSettings& route,
                                           const compiler::abi::Facts& facts, bool use_caches,
                                           uint8_t answer_form, const EngineObjects& objects, TimePoint now);

// "refused", "breaker_open", "status_500"; static text.
std::string_view ReasonOf(const Outcome& outcome);

// What went wrong on the way along a chain.
struct Trouble {
  Outcome last;                       // of the last attempt, or what the gateway made: breaker_open, queue_full …
  int last_status = 0;                // the last error status of an upstream; 0: none came
  std::optional<TimePoint> retry_at;  // when the first of those that refused may take one again
  bool deadline = false;              // the request's time is up

  std::string_view reason() const;
};

// The upstream's last status, else 502 (unreachable, bad), 503 (open, full), 504 (late).
SendError ErrorFor(const Trouble& trouble, TimePoint now);

}  // namespace runtime::engine
