// PL0211 to PL0213, and those of PL0511 that are mere numbers: limits that nobody can keep, or that help nobody.
#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include "compiler/analysis/context.h"
#include "compiler/analysis/known_names.h"
#include "compiler/analysis/region.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/model/print.h"

namespace compiler::analysis {
namespace {

using model::Duration;
using namespace std::chrono_literals;  // NOLINT: times in a table

// A border of limits.def: a time in nanoseconds, or a number.
struct Border {
  int64_t value;
  constexpr Border(int number) : value(number) {}  // NOLINT: a number is one
  template <typename Rep, typename Period>
  constexpr Border(std::chrono::duration<Rep, Period> time) : value(Duration(time).count()) {}  // NOLINT: so is a time
};

struct Limit {
  std::string_view block;
  std::string_view setting;
  bool is_lowest;
  Border border;
  Kind kind;
  std::string_view why;
  std::string_view usual;
};

constexpr bool kBelow = true;
constexpr bool kAbove = false;
constexpr Limit kLimits[] = {
#define LIMIT(block, setting, Is, border, kind, why, usual) {#block, #setting, k##Is, border, Kind::kind, why, usual},
#include "compiler/analysis/limits.def"
#undef LIMIT
};

// Tells of a setting that was written as a value beyond a border.
void Look(Context& context, std::string_view name, const BlockOrigin* block, std::string_view setting, int64_t value,
          const std::string& printed) {
  const model::SettingOrigin* written = block == nullptr ? nullptr : block->Setting(setting);
  if (written == nullptr) return;
  for (const Limit& limit : kLimits) {
    if (limit.block != name || limit.setting != setting) continue;
    if (limit.is_lowest ? value >= limit.border.value : value <= limit.border.value) continue;
    context.diagnostics
        ->Emit(limit.kind, written->value, {setting, printed, limit.why, "usual is `" + std::string(limit.usual) + "`"})
        .Change(written->value, std::string(limit.usual))
        .Unsafe();
  }
}

void LookTime(Context& context, std::string_view name, const BlockOrigin* block, std::string_view setting,
              Duration value) {
  Look(context, name, block, setting, value.count(), PrintTime(value.count()));
}

void LookNumber(Context& context, std::string_view name, const BlockOrigin* block, std::string_view setting,
                int64_t value) {
  Look(context, name, block, setting, value, std::to_string(value));
}

void LookSize(Context& context, const BlockOrigin* block, std::string_view setting, int64_t value,
              std::string_view each = "") {
  Look(context, "limits", block, setting, value, model::PrintSize(value) + std::string(each));
}

bool IsOnThisMachine(const model::Url& url) {
  return url.host == "localhost" || url.host == "::1" || url.host.starts_with("127.") || !url.unix_path.empty();
}

void LookAtUpstream(Context& context, UpstreamId id) {
  const model::UpstreamSettings& upstream = context.Upstream(id);
  const BlockOrigin& block = context.OriginOf(id);
  const BlockOrigin* timeouts = block.Block("timeouts");
  if (!IsOnThisMachine(upstream.url)) LookTime(context, "timeouts", timeouts, "connect", upstream.timeouts.connect);
  if (upstream.timeouts.first_token)
    LookTime(context, "timeouts", timeouts, "first_token", *upstream.timeouts.first_token);
  LookTime(context, "timeouts", timeouts, "idle", upstream.timeouts.idle);
  LookTime(context, "timeouts", timeouts, "stall", upstream.timeouts.stall);
  LookTime(context, "pool", block.Block("pool"), "idle", upstream.pool.idle);
  LookTime(context, "upstream", &block, "attempt_timeout", upstream.timeouts.attempt);
  if (upstream.cold_load) LookTime(context, "upstream", &block, "cold_load", *upstream.cold_load);
  const bool may_be_ollama =
      upstream.dialect == model::UpstreamDialect::kAuto || upstream.dialect == model::UpstreamDialect::kOllama;
  if (upstream.keep_warm && may_be_ollama) LookTime(context, "upstream", &block, "keep_warm", *upstream.keep_warm);
  if (upstream.queue) {
    LookTime(context, "queue", block.Block("queue"), "timeout", upstream.queue->timeout);
    LookNumber(context, "queue", block.Block("queue"), "length", upstream.queue->length);
  }
  if (upstream.health) LookTime(context, "health", block.Block("health"), "interval", upstream.health->interval);
  if (upstream.health) LookTime(context, "health", block.Block("health"), "timeout", upstream.health->timeout);
  if (upstream.breaker) LookNumber(context, "breaker", block.Block("breaker"), "probes", upstream.breaker->probes);
}

constexpr Duration kShortestHonour = std::chrono::seconds(1);
constexpr Duration kLongestHonour = std::chrono::minutes(2);

bool HasDeadlines(const Context& context, UpstreamId id) {
  const auto& routes = context.routes_to[id];
  return !routes.empty() && std::all_of(routes.begin(), routes.end(),
                                        [&](RouteId route) { return context.Route(route).deadline.has_value(); });
}

// Who obeys a Retry-After waits with the client, unless a deadline ends that.
void LookAtHonour(Context& context, UpstreamId id) {
  const auto& retry = context.Upstream(id).retry;
  const BlockOrigin* block = context.OriginOf(id).Block("retry");
  if (!retry || !retry->honour_cap || block == nullptr) return;
  if (*retry->honour_cap < kShortestHonour) {
    context.diagnostics
        ->Emit(Kind::kHonourTooShort, context.At(*block, "honour"), {PrintTime(retry->honour_cap->count())})
        .Replace("retry_after(cap: 8s)")
        .Unsafe();
  }
  if (*retry->honour_cap <= kLongestHonour) return;
  if (HasDeadlines(context, id)) return;
  context.diagnostics->Emit(Kind::kHonourTooLong, context.At(*block, "honour"), {PrintTime(retry->honour_cap->count())})
      .Replace("retry_after(cap: 8s)")
      .Unsafe();
}

// Between two attempts the client waits as well, unless a deadline ends that.
void LookAtWait(Context& context, UpstreamId id) {
  const auto& retry = context.Upstream(id).retry;
  const BlockOrigin* block = context.OriginOf(id).Block("retry");
  if (!retry || block == nullptr || block->Setting("wait") == nullptr || retry->wait.from <= kLongestHonour) return;
  if (HasDeadlines(context, id)) return;
  context.diagnostics
      ->Emit(Kind::kLimitTooLong, context.At(*block, "wait"),
             {"wait", "at least " + PrintTime(retry->wait.from.count()),
              "nobody waits so long for a second attempt, and no deadline ends that",
              "usual is `exponential(from: 200ms, factor: 2, cap: 2s)`"})
      .Replace("exponential(from: 200ms, factor: 2, cap: 2s, jitter: 25%)")
      .Unsafe();
}

// What one address may hold is a quarter of the memory, so a body beyond that is refused though `limits.body` allows it.
void LookAtMemory(Context& context, const BlockOrigin* limits) {
  constexpr int64_t kShareOfOne = 4;
  const model::ClientLimits& client = context.policy.gateway.limits;
  if (limits == nullptr || !client.memory) return;
  LookSize(context, limits, "memory", *client.memory);
  const model::SettingOrigin* written = limits->Setting("memory");
  if (written == nullptr || limits->Setting("body") == nullptr) return;
  if (client.body <= *client.memory / kShareOfOne || context.WasTold(Kind::kLimitTooShort, written->value)) return;
  const std::string enough = model::PrintSize(SaturatingMultiply(client.body, kShareOfOne));
  context.diagnostics
      ->Emit(Kind::kMemoryBelowBody, written->value,
             {model::PrintSize(*client.memory), model::PrintSize(*client.memory / kShareOfOne),
              model::PrintSize(client.body), enough})
      .At(limits->Setting("body")->value, "so large a body may be")
      .Replace(enough)
      .Unsafe();
}

}  // namespace

void CheckLimits(Context& context) {
  const BlockOrigin* limits = context.origins.gateway.Block("limits");
  const model::ClientLimits& client = context.policy.gateway.limits;
  LookTime(context, "limits", limits, "write_stall", client.write_stall);
  LookTime(context, "limits", limits, "header_time", client.header_time);
  LookTime(context, "limits", limits, "idle", client.idle);
  LookTime(context, "limits", limits, "handshake_time", client.handshake_time);
  LookNumber(context, "limits", limits, "connections", client.connections);
  LookSize(context, limits, "body", client.body);
  LookSize(context, limits, "header_bytes", client.header_bytes);
  LookSize(context, limits, "header_line", client.header_line);
  LookSize(context, limits, "uri", client.uri);
  LookNumber(context, "limits", limits, "header_count", client.header_count);
  LookAtMemory(context, limits);
  LookSize(context, limits, "body_rate", client.body_rate, "/s");
  LookSize(context, limits, "read_rate", client.read_rate, "/s");
  if (client.per_address) LookNumber(context, "limits", limits, "per_address", *client.per_address);
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    LookAtUpstream(context, id);
    LookAtHonour(context, id);
    LookAtWait(context, id);
  }
  for (size_t i = 0; i < context.policy.caches.size(); ++i) {
    const model::CacheId id(static_cast<int32_t>(i));
    const model::CacheSettings& cache = context.policy.caches[id];
    LookTime(context, "cache", &context.origins.caches[id], "ttl", cache.ttl);
    Look(context, "cache", &context.origins.caches[id], "max_entry", cache.max_entry_bytes,
         model::PrintSize(cache.max_entry_bytes));
  }
  for (size_t i = 0; i < context.origins.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    if (const auto& every = context.Route(id).keep_alive)
      LookTime(context, "route", &context.OriginOf(id), "keep_alive", *every);
  }
}

// Only where it was written: the default is for who has no long answers.
void CheckDrain(Context& context) {
  const model::SettingOrigin* written = context.origins.gateway.Setting("drain");
  if (written == nullptr) return;
  const Duration drain = context.policy.gateway.drain;
  const model::UpstreamSettings* longest = nullptr;
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const BlockOrigin* timeouts = context.OriginOf(id).Block("timeouts");
    const bool is_written = timeouts != nullptr && timeouts->Setting("total") != nullptr;
    const model::UpstreamSettings& upstream = context.Upstream(id);
    if (is_written && upstream.timeouts.total > drain &&
        (longest == nullptr || upstream.timeouts.total > longest->timeouts.total))
      longest = &upstream;
  }
  constexpr Duration kShortest = std::chrono::seconds(30);
  if (drain >= kShortest && longest == nullptr) return;
  std::string allowed;
  if (longest != nullptr)
    allowed = ", and an answer of `" + longest->name + "` may take " + PrintTime(longest->timeouts.total->count()) +
              " (total)";
  const Duration enough = longest != nullptr ? *longest->timeouts.total : Duration(std::chrono::minutes(5));
  context.diagnostics->Emit(Kind::kDrainCuts, written->value, {PrintTime(drain.count()), allowed})
      .Replace(WriteDuration(enough))
      .Unsafe();
}

}  // namespace compiler::analysis
