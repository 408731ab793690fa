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

// What a client reads (RequestReady).
struct AnswerForms {
  uint8_t own = 0;
  uint8_t shared = 0;
};

// The key of this request in a cache: its name, the form of the answer and the rendered template, a line each. The name keeps
// caches apart wherever they may share a store.
std::string CacheKey(const compiler::model::CacheSettings& cache, const compiler::abi::Facts& facts, uint8_t answer_form);

// The answer that the cache of these settings has for this request: one for every client of the API, or one of its own form.
std::shared_ptr<const CachedResponse> FindAnswer(const compiler::model::CacheSettings& settings,
                                                 const compiler::abi::Facts& facts, AnswerForms forms, Cache* cache,
                                                 bool allow_stale, TimePoint now);

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
                                           AnswerForms forms, const EngineObjects& objects, TimePoint now);

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
