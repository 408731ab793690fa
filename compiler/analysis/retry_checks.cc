// PL03: retries that never come, that make things worse, or that repeat what must not be repeated.
#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include "compiler/analysis/client_errors.h"
#include "compiler/analysis/context.h"
#include "compiler/analysis/outcomes.h"
#include "compiler/analysis/region.h"
#include "compiler/analysis/requests.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/model/model_paths.h"
#include "compiler/model/print.h"

namespace compiler::analysis {
namespace {

using abi::ErrorKind;
using abi::FieldId;
using model::Duration;

// Calls of one retry block: its upstream, its block, its lines.
struct Retry {
  UpstreamId id;
  const model::UpstreamSettings& upstream;
  const model::RetrySettings& settings;
  const BlockOrigin& block;
  std::vector<Context::Line> lines;
};

void ForEachRetry(const Context& context, const std::function<void(const Retry&)>& look) {
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const model::UpstreamSettings& upstream = context.Upstream(id);
    if (!upstream.retry) continue;
    const BlockOrigin& block = *context.OriginOf(id).Block("retry");
    look({id, upstream, *upstream.retry, block, context.Lines(block, "", upstream.retry->when)});
  }
}

// A retry is decided after attempts 1 … max_retries.
Known Judged(Known known, const Retry& retry) { return known.Set(FieldId::k_attempt, 1, retry.settings.max_retries); }

// Whether the predicate can hold after some attempt.
bool CanHold(const model::Expr& expr, const Retry& retry, bool with_content) {
  const auto holds = [&](Known known) {
    known = Judged(known, retry);
    if (with_content) known.Set(FieldId::k_first_token, 0, kMost);
    return Evaluate(expr, known) != Truth::kNever;
  };
  const auto statuses = TellingStatuses(expr, 100, 599);
  if (std::any_of(statuses.begin(), statuses.end(), [&](int status) { return holds(AtStatus(status)); })) return true;
  const auto errors = AttemptErrors();
  return std::any_of(errors.begin(), errors.end(), [&](ErrorKind error) { return holds(AtError(error)); });
}

// Whether it can hold after an outcome that the upstream may have worked for.
bool CanHoldAfterSending(const model::Expr& expr, const Retry& retry) {
  const auto statuses = TellingStatuses(expr, 100, 599);
  if (std::any_of(statuses.begin(), statuses.end(),
                  [&](int s) { return Evaluate(expr, Judged(AtStatus(s), retry)) != Truth::kNever; }))
    return true;
  const auto errors = AttemptErrors();
  return std::any_of(errors.begin(), errors.end(), [&](ErrorKind e) {
    return !IsBeforeSending(e) && Evaluate(expr, Judged(AtError(e), retry)) != Truth::kNever;
  });
}

bool MayTake(const Context& context, RouteId route, abi::Method method) {
  const auto& when = context.Route(route).when;
  if (!when) return true;
  Known known;
  known.Set(FieldId::k_request_method, static_cast<int64_t>(method), static_cast<int64_t>(method));
  return Evaluate(context.policy.predicates[*when].expr, known) != Truth::kNever;
}

bool AnyRouteTakes(const Context& context, UpstreamId id, std::initializer_list<abi::Method> methods) {
  for (const RouteId route : context.routes_to[id]) {
    for (const abi::Method method : methods) {
      if (MayTake(context, route, method)) return true;
    }
  }
  return false;
}

}  // namespace

void CheckRetriedTimeouts(Context& context) {
  ForEachRetry(context, [&](const Retry& retry) {
    std::set<uint32_t> seen;
    for (const Context::Line& line : retry.lines) {
      bool found = false;
      const auto tell = [&](SourceRange at, const std::string& what) -> Diagnostic* {
        found = true;
        if (!seen.insert(at.begin).second) return nullptr;
        return &context.diagnostics->Emit(Kind::kRetriesTimeouts, at, {what});
      };
      constexpr ErrorKind kLate[] = {ErrorKind::k_attempt_timeout, ErrorKind::k_first_token_timeout,
                                     ErrorKind::k_idle_timeout};
      bool holds = false;
      for (const ErrorKind error : kLate) {
        // Most often there is no status, because nothing came.
        const Truth truth = Evaluate(*line.expr, Judged(AtError(error).SetAbsent(FieldId::k_status), retry));
        if (truth == Truth::kNever) continue;
        holds = holds || truth == Truth::kAlways;
        for (const WordAt& word : context.Find(line.origin->words, abi::Name(error))) {
          Diagnostic* diagnostic = tell(word.range, "`" + std::string(abi::Name(error)) + "`");
          if (diagnostic == nullptr) continue;
          context.AddUse(*diagnostic, word, *line.origin);
          context.Remove(*diagnostic, word, line, retry.lines.size());
        }
        for (const WordAt& word : context.Find(line.origin->words, "timeout")) {
          Diagnostic* diagnostic = tell(word.range, "`timeout`");
          if (diagnostic == nullptr) continue;
          context.AddUse(*diagnostic, word, *line.origin);
          if (context.Find(line.origin->words, "connect_timeout").empty())
            diagnostic->Change(word.range, "connect_timeout");
          else context.Remove(*diagnostic, word, line, retry.lines.size());
        }
      }
      if (holds && !found) tell(line.origin->predicate, "an attempt that was too slow");
    }
  });
}

namespace {

// Whether no POST is sent to it twice. With `auto` that depends on the path of the request, unless the address names an end point.
bool DeniesPosts(const model::UpstreamSettings& upstream) {
  switch (upstream.repeat_safe) {
    case model::RepeatSafe::kTrue: return false;
    case model::RepeatSafe::kFalse: return true;
    case model::RepeatSafe::kAuto: break;
  }
  const bool is_end_point = !upstream.url.path.empty() && !upstream.url.is_base;
  return is_end_point && model::RepeatsAt(upstream.url, upstream.url.path) == model::Repeats::kNever;
}

}  // namespace

void CheckRepeatSafe(Context& context) {
  ForEachRetry(context, [&](const Retry& retry) {
    if (!DeniesPosts(retry.upstream)) return;
    if (!AnyRouteTakes(context, retry.id, {abi::Method::kPOST, abi::Method::kPATCH})) return;
    // Whoever writes `repeat_safe = false` knows; then retries are for the other methods.
    const bool for_others = AnyRouteTakes(context, retry.id, {abi::Method::kGET, abi::Method::kPUT});
    if (context.OriginOf(retry.id).Setting("repeat_safe") != nullptr && for_others) return;
    for (const Context::Line& line : retry.lines) {
      if (!CanHoldAfterSending(*line.expr, retry)) continue;
      Diagnostic& diagnostic =
          context.diagnostics->Emit(Kind::kNeedsRepeatSafe, line.origin->predicate, {retry.upstream.name});
      context.Set(diagnostic, context.OriginOf(retry.id), "repeat_safe", "true");
      diagnostic.Unsafe();
      return;
    }
  });
  std::set<int32_t> seen;
  for (const model::RouteSettings& route : context.policy.routes) {
    for (size_t i = 0; i + 1 < route.to.size(); ++i) {
      const UpstreamId id = route.to[i];
      const model::UpstreamSettings& upstream = context.Upstream(id);
      if (!DeniesPosts(upstream) || !AnyRouteTakes(context, id, {abi::Method::kPOST, abi::Method::kPATCH})) continue;
      if (!seen.insert(id.value).second) continue;
      const BlockOrigin& block = context.OriginOf(id);
      const bool is_written = block.Setting("repeat_safe") != nullptr;
      Diagnostic& diagnostic = context.diagnostics->Emit(Kind::kMoveNeedsRepeatSafe, context.At(block, is_written ? "repeat_safe" : "url"),
                                                         {upstream.name, context.Upstream(route.to[i + 1]).name});
      context.Set(diagnostic, block, "repeat_safe", "true");
      diagnostic.Unsafe();
    }
  }
}

void CheckRetriesBeforeContent(Context& context) {
  ForEachRetry(context, [&](const Retry& retry) {
    for (const Context::Line& line : retry.lines) {
      if (CanHold(*line.expr, retry, false) || !CanHold(*line.expr, retry, true)) continue;
      Diagnostic& diagnostic = context.diagnostics->Emit(Kind::kNeedsContent, line.origin->predicate);
      diagnostic.Change(retry.lines.size() > 1 ? line.origin->statement : retry.block.whole, "");
    }
  });
}

void CheckReplayBody(Context& context) {
  const BlockOrigin* limits = context.origins.gateway.Block("limits");
  const model::SettingOrigin* body = limits == nullptr ? nullptr : limits->Setting("body");
  if (body == nullptr) return;
  const int64_t largest = context.policy.gateway.limits.body;
  Diagnostic* diagnostic = nullptr;
  ForEachRetry(context, [&](const Retry& retry) {
    if (retry.upstream.replay_body_bytes >= largest) return;
    const SourceRange at = context.At(context.OriginOf(retry.id), "replay_body");
    if (diagnostic == nullptr) {
      const int64_t kept = SaturatingMultiply(largest, context.policy.gateway.limits.connections);
      diagnostic = &context.diagnostics->Emit(
          Kind::kBodyBeyondReplay, body->value,
          {model::PrintSize(retry.upstream.replay_body_bytes), model::PrintSize(largest), retry.upstream.name,
           std::to_string(context.policy.gateway.limits.connections) + " × " + model::PrintSize(largest) + " = " +
               (kept == kMost ? "more than there is" : model::PrintSize(kept))});
    }
    diagnostic->At(at, "`" + retry.upstream.name + "` keeps " + model::PrintSize(retry.upstream.replay_body_bytes));
    context.Set(*diagnostic, context.OriginOf(retry.id), "replay_body", model::PrintSize(largest));
    diagnostic->Unsafe();
  });
}

// A body that is not kept is not sent to the next upstream either. Only where somebody said how much is kept.
void CheckBodiesMove(Context& context) {
  const BlockOrigin* limits = context.origins.gateway.Block("limits");
  if (limits == nullptr || limits->Setting("body") == nullptr) return;
  const int64_t largest = context.policy.gateway.limits.body;
  std::set<int32_t> seen;
  for (const model::RouteSettings& route : context.policy.routes) {
    for (size_t i = 0; i + 1 < route.to.size(); ++i) {
      const UpstreamId id = route.to[i];
      const model::SettingOrigin* written = context.OriginOf(id).Setting("replay_body");
      const int64_t kept = context.Upstream(id).replay_body_bytes;
      // Where there are retries CheckReplayBody says as much.
      if (written == nullptr || context.Upstream(id).retry || kept >= largest || !seen.insert(id.value).second) continue;
      context.diagnostics
          ->Emit(Kind::kBodyNotMoved, written->value,
                 {model::PrintSize(kept), model::PrintSize(largest), context.Upstream(id).name,
                  context.Upstream(route.to[i + 1]).name})
          .At(limits->Setting("body")->value, "so large a body may be")
          .Replace(model::PrintSize(largest))
          .Unsafe();
    }
  }
}

void CheckAmplification(Context& context) {
  constexpr int64_t kBearable = 4;
  std::set<int32_t> seen;
  for (const model::RouteSettings& route : context.policy.routes) {
    if (route.to.empty()) continue;
    const RouteBounds bounds = context.bounds.AttemptsOf(route);
    if (bounds.visits <= kBearable) continue;
    for (const UpstreamId id : route.to) {
      const auto& retry = context.Upstream(id).retry;
      if (!retry || retry->budget || RetriesWithin(*retry, route.deadline) == 0) continue;
      if (!seen.insert(id.value).second) continue;
      const BlockOrigin& block = *context.OriginOf(id).Block("retry");
      if (context.WasTold(Kind::kHammers, context.At(block, "max_retries"))) continue;  // which says more
      Diagnostic& diagnostic = context.diagnostics->Emit(Kind::kAmplifies, context.At(block, "max_retries"),
                                                         {route.name, bounds.PrintAttempts(context.policy, route)});
      context.Add(diagnostic, block, "budget = 20%");
    }
  }
}

void CheckRetryAfter(Context& context) {
  ForEachRetry(context, [&](const Retry& retry) {
    if (retry.settings.honour_cap) return;
    for (const Context::Line& line : retry.lines) {
      for (const int status : {429, 503}) {
        const Truth truth = Evaluate(*line.expr, Judged(AtStatus(status), retry));
        if (truth == Truth::kNever) continue;
        std::vector<WordAt> words = context.Find(line.origin->words, std::to_string(status));
        if (words.empty()) words = context.Find(line.origin->words, status == 429 ? "4xx" : "5xx");
        if (words.empty() && truth != Truth::kAlways) continue;
        const Duration longest(std::max<int64_t>(WaitBefore(retry.settings, retry.settings.max_retries).high, 1));
        constexpr Duration kLeastAsked = std::chrono::seconds(1);  // servers ask for whole seconds
        Diagnostic& diagnostic =
            context.diagnostics->Emit(Kind::kIgnoresRetryAfter, words.empty() ? line.origin->predicate : words[0].range,
                                      {std::to_string(status), PrintTime(longest.count())});
        if (!words.empty()) context.AddUse(diagnostic, words[0], *line.origin);
        context.Add(diagnostic, retry.block, "honour = retry_after(cap: " + WriteDuration(std::max(longest, kLeastAsked)) + ")");
        return;
      }
    }
  });
}

void CheckRetriedClientErrors(Context& context) {
  ForEachRetry(context, [&](const Retry& retry) {
    const ClientErrorRule rule{Kind::kRetriesClientErrors, [&](int status) { return Judged(AtStatus(status), retry); }, true};
    std::set<uint32_t> seen;
    for (const Context::Line& line : retry.lines) TellClientErrors(context, line, retry.lines.size(), rule, &seen);
  });
}

// What one upstream refuses because of how it was asked, another one refuses as well; what it does not have, or may not tell, another
// may: 401, 403, 404, 413 are no such statuses.
void CheckMovedClientErrors(Context& context) {
  std::set<uint32_t> seen;
  context.ForEachLine([&](const Context::Place& place, const Context::Line& line) {
    if (place.kind != Context::Place::Kind::kNext) return;
    for (const int status : {400, 405, 411, 414, 415, 422, 431}) {
      if (Evaluate(*line.expr, AtStatus(status)) != Truth::kAlways) continue;
      if (!Never(*line.expr, Region::Of(AtStatus(200)))) return;  // CheckGoodAnswers says more
      const std::string text = std::to_string(status);
      for (const std::string& written : {text, std::string("4xx")}) {
        const auto words = context.Find(line.origin->words, written);
        if (words.empty()) continue;
        if (!seen.insert(words[0].range.begin).second) return;
        Context::AddUse(context.diagnostics->Emit(Kind::kMovesClientErrors, words[0].range, {written}), words[0], *line.origin);
        return;
      }
      if (seen.insert(line.origin->predicate.begin).second)
        context.diagnostics->Emit(Kind::kMovesClientErrors, line.origin->predicate, {text});
      return;
    }
  });
}

void CheckHammering(Context& context) {
  ForEachRetry(context, [&](const Retry& retry) {
    if (retry.settings.budget && *retry.settings.budget >= 1) {
      context.diagnostics->Emit(Kind::kBudgetSaysYes, context.At(retry.block, "budget"), {"100 %"}).Replace("20%").Unsafe();
    }
    const int retries = retry.settings.max_retries;
    Duration waits{};
    double next = static_cast<double>(retry.settings.wait.from.count());
    for (int n = 1; n <= retries; ++n) {  // without jitter, which only spreads them
      waits += std::min(Duration(static_cast<int64_t>(next)), retry.settings.wait.cap);
      next = std::min(next * retry.settings.wait.factor, 1e18);
    }
    constexpr int kMostRetries = 10;
    constexpr int kSome = 3;
    constexpr Duration kShortestWait = std::chrono::milliseconds(20);
    const bool is_fast = retries >= kSome && waits < kShortestWait * retries;
    if (retries <= kMostRetries && !is_fast) return;
    context.diagnostics->Emit(Kind::kHammers, context.At(retry.block, "max_retries"),
                              {std::to_string(retries), PrintTime(waits.count())})
        .Replace("2")
        .Unsafe();
  });
}

void CheckRetriesFire(Context& context) {
  ForEachRetry(context, [&](const Retry& retry) {
    for (const Context::Line& line : retry.lines) {
      // Of a request that one of its routes takes.
      const std::vector<RouteId>& routes = context.routes_to[retry.id];
      const bool may_ask = routes.empty() || std::any_of(routes.begin(), routes.end(), [&](RouteId route) {
                             const Region taken = RegionOf(context, route);
                             return taken.empty() || !Never(*line.expr, taken);
                           });
      if (may_ask && (CanHold(*line.expr, retry, false) || CanHold(*line.expr, retry, true))) continue;
      context.diagnostics->Emit(Kind::kRetryNeverFires, line.origin->predicate)
          .Change(retry.lines.size() > 1 ? line.origin->statement : retry.block.whole, "");
    }
    int reached = 0;
    std::optional<Duration> longest = Duration::zero();
    for (const RouteId route : context.routes_to[retry.id]) {
      const auto& deadline = context.Route(route).deadline;
      reached = std::max(reached, RetriesWithin(retry.settings, deadline));
      longest = !deadline || !longest ? std::nullopt : std::optional(std::max(*longest, *deadline));
    }
    if (context.routes_to[retry.id].empty() || !longest || reached >= retry.settings.max_retries) return;
    std::vector<Term> waits;
    for (int n = 1; n <= reached + 1; ++n)
      waits.push_back(Term::Of(TimeInterval::Exactly(WaitBefore(retry.settings, n).low), "waits"));
    Diagnostic& diagnostic = context.diagnostics->Emit(
        Kind::kRetriesNeverReached, context.At(retry.block, "max_retries"),
        {std::to_string(reached + 1), Term::Sum(std::move(waits)).PrintWithResult(), PrintTime(longest->count())});
    if (reached > 0) context.Set(diagnostic, retry.block, "max_retries", std::to_string(reached));
    else diagnostic.Change(retry.block.whole, "");
  });
}

}  // namespace compiler::analysis
