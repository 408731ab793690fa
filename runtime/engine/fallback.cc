#include "runtime/engine/fallback.h"

#include <algorithm>
#include <array>

#include "base/planted_fault.h"
#include "compiler/abi/fact_table.h"
#include "base/digest.h"
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

namespace {

std::string KeyDigest(const compiler::model::CacheSettings& cache, const compiler::abi::Facts& facts, std::string_view scope) {
  constexpr size_t kDigits = 64;
  std::string key = cache.name + "\n";
  key.append(scope).append("\n");
  compiler::model::Render(cache.key, facts, &key);
  PLANT_FAULT(users_share, key.resize(cache.name.size() + 1 + scope.size() + 1));
  return base::Sha256Hex(key, kDigits);
}

std::string WithForm(std::string_view digest, uint8_t form) { return std::string(digest) + "/" + std::to_string(form); }

}  // namespace

std::string CacheKeys::Of(CacheId cache, uint8_t form) {
  const auto known = std::find_if(digests_.begin(), digests_.end(), [cache](const auto& digest) { return digest.first == cache; });
  if (known != digests_.end()) return WithForm(known->second, form);
  digests_.emplace_back(cache, KeyDigest(policy_.caches[cache], facts_, use_.scope));
  return WithForm(digests_.back().second, form);
}

std::string CacheKey(const compiler::model::CacheSettings& cache, const compiler::abi::Facts& facts, uint8_t answer_form,
                     std::string_view scope) {
  return WithForm(KeyDigest(cache, facts, scope), answer_form);
}

std::string VariantKey(std::string_view key, const std::vector<std::string>& vary, const CacheUse& use) {
  std::string variant(key);
  for (const std::string& name : vary) {
    const std::string value = use.header(name);
    // With its length: no two lists of values are written alike.
    variant.append("\n").append(name).append(":").append(std::to_string(value.size())).append(":").append(value);
  }
  return variant;
}

bool KeepAnswer(Cache& cache, std::string_view key, CachedResponse response, const CacheUse& use, TimePoint now) {
  if (response.vary.empty()) return cache.Store(key, std::move(response), now);
  if (use.header == nullptr) return false;
  CachedResponse directory;
  directory.vary = response.vary;
  directory.is_directory = true;
  const std::string variant = VariantKey(key, response.vary, use);
  return cache.Store(key, std::move(directory), now) && cache.Store(variant, std::move(response), now);
}

namespace {

std::shared_ptr<const CachedResponse> FindVariant(const std::string& key, const CacheUse& use, Cache* cache, bool allow_stale,
                                                  TimePoint now) {
  auto found = cache->Find(key, allow_stale, now);
  if (found == nullptr || !found->is_directory) return found;
  return use.header == nullptr ? nullptr : cache->Find(VariantKey(key, found->vary, use), allow_stale, now);
}

}  // namespace

std::shared_ptr<const CachedResponse> FindAnswer(CacheId id, CacheKeys& keys, AnswerForms forms, Cache* cache, bool allow_stale,
                                                 TimePoint now) {
  if (!keys.use().reads) return nullptr;
  auto shared = FindVariant(keys.Of(id, forms.shared), keys.use(), cache, allow_stale, now);
  if (forms.own == forms.shared || (shared != nullptr && !allow_stale)) return shared;
  auto own = FindVariant(keys.Of(id, forms.own), keys.use(), cache, allow_stale, now);
  return shared == nullptr || (own != nullptr && own->stored_at > shared->stored_at) ? own : shared;
}

std::optional<FallbackAnswer> FindFallback(const compiler::model::RouteSettings& route, bool use_caches, CacheKeys& keys,
                                           AnswerForms forms, const EngineObjects& objects, TimePoint now) {
  for (const compiler::model::FallbackRef& element : route.fallback) {
    if (const auto* reply = std::get_if<ReplyId>(&element)) return *reply;
    if (const auto* mock = std::get_if<MockId>(&element)) return *mock;
    if (!use_caches) continue;
    const CacheId cache = std::get<CacheId>(element);
    auto response = FindAnswer(cache, keys, forms, objects.cache(cache), true, now);
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
