#include "runtime/engine/fallback.h"

#include <algorithm>
#include <array>

#include "compiler/abi/fact_table.h"
#include "compiler/model/template.h"

namespace runtime::engine {
namespace {

constexpr int kFirstStatus = 100;
constexpr int kStatusCount = 500;
constexpr std::string_view kStatusReason = "status_";
using StatusReason = std::array<char, 10>;  // "status_500"

constexpr std::array<StatusReason, kStatusCount> MakeStatusReasons() {
  std::array<StatusReason, kStatusCount> reasons{};
  for (int i = 0; i < kStatusCount; ++i) {
    StatusReason& reason = reasons[static_cast<size_t>(i)];
    for (size_t c = 0; c < kStatusReason.size(); ++c) reason[c] = kStatusReason[c];
    const int status = i + kFirstStatus;
    reason[7] = static_cast<char>('0' + status / 100);
    reason[8] = static_cast<char>('0' + status / 10 % 10);
    reason[9] = static_cast<char>('0' + status % 10);
  }
  return reasons;
}
constexpr std::array<StatusReason, kStatusCount> kStatusReasons = MakeStatusReasons();

int StatusFor(ErrorKind error) {
  if (compiler::abi::IsTimeout(error)) return 504;
  switch (error) {
    case ErrorKind::k_queue_full:
    case ErrorKind::k_queue_timeout:
    case ErrorKind::k_exhausted:
    case ErrorKind::k_breaker_open: return 503;
    default: return 502;
  }
}

}  // namespace

std::string CacheKey(const compiler::model::CacheSettings& cache, const compiler::abi::Facts& facts,
                     uint8_t answer_form) {
  std::string key = cache.name + "\n" + std::to_string(answer_form) + "\n";
  compiler::model::Render(cache.key, facts, &key);
  return key;
}

std::shared_ptr<const CachedResponse> FindAnswer(const compiler::model::CacheSettings& settings,
                                                 const compiler::abi::Facts& facts, AnswerForms forms, Cache* cache,
                                                 bool allow_stale, TimePoint now) {
  auto shared = cache->Find(CacheKey(settings, facts, forms.shared), allow_stale, now);
  if (forms.own == forms.shared || (shared != nullptr && !allow_stale)) return shared;
  auto own = cache->Find(CacheKey(settings, facts, forms.own), allow_stale, now);
  return shared == nullptr || (own != nullptr && own->stored_at > shared->stored_at) ? own : shared;
}

std::optional<FallbackAnswer> FindFallback(const compiler::model::Policy& policy,
                                           const compiler::model::RouteSettings& route,
                                           const compiler::abi::Facts& facts, bool use_caches,
                                           AnswerForms forms, const EngineObjects& objects, TimePoint now) {
  for (const compiler::model::FallbackRef& element : route.fallback) {
    if (const auto* reply = std::get_if<ReplyId>(&element)) return *reply;
    if (const auto* mock = std::get_if<MockId>(&element)) return *mock;
    if (!use_caches) continue;
    const CacheId cache = std::get<CacheId>(element);
    auto response = FindAnswer(policy.caches[cache], facts, forms, objects.cache(cache), true, now);
    if (response != nullptr) return CachedAnswer{cache, std::move(response)};
  }
  return std::nullopt;
}

std::string_view ReasonOf(const Outcome& outcome) {
  if (outcome.error != ErrorKind::kNone) return compiler::abi::Name(outcome.error);
  if (outcome.status < kFirstStatus || outcome.status >= kFirstStatus + kStatusCount) return "status_unknown";
  const StatusReason& reason = kStatusReasons[static_cast<size_t>(outcome.status - kFirstStatus)];
  return {reason.data(), reason.size()};
}

std::string_view Trouble::reason() const { return deadline ? "deadline" : ReasonOf(last); }

SendError ErrorFor(const Trouble& trouble, TimePoint now) {
  if (trouble.deadline) return {504, trouble.reason(), std::nullopt};
  SendError error{StatusFor(trouble.last.error), trouble.reason(), std::nullopt};
  if (trouble.last_status != 0) {
    error.status = trouble.last_status;
    error.reason = ReasonOf({trouble.last_status, ErrorKind::kNone});
  }
  // RFC 9110 10.2.3, RFC 6585 4. It counts whole seconds: less than one would say "at once".
  const bool takes_retry_after = error.status == 503 || error.status == 429;
  if (takes_retry_after && trouble.retry_at)
    error.retry_after = std::max<Duration>(*trouble.retry_at - now, std::chrono::seconds(1));
  return error;
}

}  // namespace runtime::engine
