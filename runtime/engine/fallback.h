// What answers when no upstream does: the first fallback of a route that can, or else an error of the gateway's own.
// Also the words for it: the reason that goes into x-breakwater-fallback-reason, log and metrics.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

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

// The keys of one request, each rendered once. A key is a digest of the cache's name (it keeps caches apart wherever they may share a
// store), the scope and the rendered template, and behind it the form of the answer.
class CacheKeys {
 public:
  CacheKeys(const compiler::model::Policy& policy, const compiler::abi::Facts& facts, const CacheUse& use)
      : policy_(policy), facts_(facts), use_(use) {}

  std::string Of(CacheId cache, uint8_t form);
  const CacheUse& use() const { return use_; }

 private:
  const compiler::model::Policy& policy_;
  const compiler::abi::Facts& facts_;
  const CacheUse& use_;
  std::vector<std::pair<CacheId, std::string>> digests_;
};
// One of them.
std::string CacheKey(const compiler::model::CacheSettings& cache, const compiler::abi::Facts& facts, uint8_t answer_form,
                     std::string_view scope = {});

// Where an answer stands that depends on request headers.
std::string VariantKey(std::string_view key, const std::vector<std::string>& vary, const CacheUse& use);

// Keeps an answer; with its `vary`, so that FindAnswer gives it to requests only that are equal in them. Whether it was kept.
bool KeepAnswer(Cache& cache, std::string_view key, CachedResponse response, const CacheUse& use, TimePoint now);

// The answer that a cache has for this request: one for every client of the API, or one of its own form.
std::shared_ptr<const CachedResponse> FindAnswer(CacheId id, CacheKeys& keys, AnswerForms forms, Cache* cache, bool allow_stale,
                                                 TimePoint now);

struct CachedAnswer {
  CacheId cache;
  std::shared_ptr<const CachedResponse> response;
};
using FallbackAnswer = std::variant<ReplyId, MockId, CachedAnswer>;

// The first of the route's fallbacks that can answer: a reply or a mock always can, a cache that holds the answer,
// stale or not. `use_caches` false: the body isn't kept, so no key can be made of it.
std::optional<FallbackAnswer> FindFallback(const compiler::model::RouteSettings& route, bool use_caches, CacheKeys& keys,
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
