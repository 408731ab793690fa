// PL02: times that cut each other off.
#include <algorithm>
#include <string>

#include "compiler/analysis/context.h"
#include "compiler/analysis/requests.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::analysis {
namespace {

using model::Duration;

std::string Quote(const std::string& name) { return "`" + name + "`"; }

bool HasSeveralSteps(const Context& context, const model::RouteSettings& route) {
  return route.to.size() > 1 || context.Upstream(route.to[0]).retry || context.Upstream(route.to[0]).queue;
}

// What can still come after the first attempt at an upstream: "a retry", "the next upstream"; "" for nothing.
std::string NextStep(const Context& context, const model::RouteSettings& route, size_t position) {
  if (context.Upstream(route.to[position]).retry) return "a retry";
  return position + 1 < route.to.size() ? "the next upstream" : "";
}

// PL0202: the first upstream of the route at which a single attempt may fill the deadline before it has any content: behind content
// nothing is retried.
std::optional<size_t> FillsDeadline(const Context& context, const model::RouteSettings& route) {
  for (size_t i = 0; route.deadline && i < route.to.size(); ++i) {
    const bool fills = FirstTokenTime(context.Upstream(route.to[i])).worst() >= *route.deadline;
    if (fills && !NextStep(context, route, i).empty()) return i;
  }
  return std::nullopt;
}

// So that all attempts of the upstream and the waits between them fit; none if the waits alone do not.
std::optional<Duration> FittingTotal(const model::UpstreamSettings& upstream, size_t others, Duration deadline) {
  const int attempts = 1 + (upstream.retry ? upstream.retry->max_retries : 0);
  Duration rest = deadline;
  for (int n = 1; n < attempts; ++n) rest -= Duration(WaitBefore(*upstream.retry, n).high);
  if (upstream.queue) rest -= attempts * upstream.queue->timeout;
  const Duration each = RoundDown(rest / static_cast<int64_t>(static_cast<size_t>(attempts) + others));
  if (each <= Duration::zero()) return std::nullopt;
  return each;
}

}  // namespace

void CheckDeadlines(Context& context) {
  for (size_t i = 0; i < context.policy.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    const model::RouteSettings& route = context.Route(id);
    if (!route.deadline || route.to.empty() || !HasSeveralSteps(context, route)) continue;
    if (FillsDeadline(context, route)) continue;  // PL0202 says more
    const RouteBounds bounds = context.bounds.Of(route);
    if (bounds.latency_uncut.worst() <= *route.deadline) continue;
    context.diagnostics->Emit(Kind::kBeyondDeadline, context.At(context.OriginOf(id), "deadline"),
                              {route.name, bounds.latency_uncut.PrintWithResult(), PrintTime(route.deadline->count())});
  }
}

void CheckAttemptsFitDeadlines(Context& context) {
  for (size_t i = 0; i < context.policy.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    const model::RouteSettings& route = context.Route(id);
    const auto position = FillsDeadline(context, route);
    if (!position) continue;
    const UpstreamId upstream = route.to[*position];
    const model::UpstreamSettings& settings = context.Upstream(upstream);
    const Duration attempt = FirstTokenTime(settings).worst();
    const bool is_most = attempt == settings.timeouts.most();
    const BlockOrigin* timeouts = context.OriginOf(upstream).Block("timeouts");
    Diagnostic& diagnostic =
        context.diagnostics
            ->Emit(Kind::kAttemptFillsDeadline,
                   is_most ? context.AtMost(upstream) : context.At(*timeouts, "first_token"),
                   {settings.name, PrintTime(attempt.count()), route.name, PrintTime(route.deadline->count()),
                    NextStep(context, route, *position)})
            .At(context.At(context.OriginOf(id), "deadline"), "the deadline of " + Quote(route.name));
    const auto fitting = FittingTotal(settings, route.to.size() - *position - 1, *route.deadline);
    if (!fitting) continue;
    // A shorter `total` would cut streams; what is to come before the content is what matters here.
    const bool would_cut =
        attempt == settings.timeouts.total && context.OriginOf(upstream).Setting("attempt_timeout") == nullptr;
    if (is_most && would_cut)
      context.Add(diagnostic, context.OriginOf(upstream), "attempt_timeout = " + WriteDuration(*fitting));
    else if (is_most) context.SetMost(diagnostic, upstream, *fitting);
    else context.Set(diagnostic, *timeouts, "first_token", WriteDuration(*fitting));
    diagnostic.Unsafe();
  }
}

// Where there is another upstream, who finds this one cold may be served there.
void CheckColdLoads(Context& context) {
  for (size_t i = 0; i < context.policy.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    const model::RouteSettings& route = context.Route(id);
    if (!route.deadline || route.to.size() != 1) continue;
    const model::UpstreamSettings& upstream = context.Upstream(route.to[0]);
    if (!upstream.cold_load || *upstream.cold_load < *route.deadline) continue;
    context.diagnostics
        ->Emit(Kind::kLoadBeyondDeadline, context.At(context.OriginOf(id), "deadline"),
               {upstream.name, PrintTime(upstream.cold_load->count()), route.name, PrintTime(route.deadline->count())})
        .At(context.At(context.OriginOf(route.to[0]), "cold_load"), "the time that a load may take")
        .Change(context.At(context.OriginOf(id), "deadline"), WriteDuration(*upstream.cold_load + FirstTokenTime(upstream).worst()))
        .Unsafe();
  }
}

void CheckStreamsFit(Context& context) {
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const model::Timeouts& limits = context.Upstream(id).timeouts;
    constexpr Duration kShort = std::chrono::minutes(1);
    if (!limits.total || *limits.total >= kShort || !MayStream(context, id)) continue;
    const BlockOrigin& timeouts = *context.OriginOf(id).Block("timeouts");
    Diagnostic& diagnostic = context.diagnostics->Emit(
        Kind::kCutsStreams, context.At(timeouts, "total"), {context.Upstream(id).name, PrintTime(limits.total->count())});
    const model::SettingOrigin* total = timeouts.Setting("total");
    if (total == nullptr) continue;
    diagnostic.Change(total->statement, "");
    if (context.OriginOf(id).Setting("attempt_timeout") == nullptr) {
      context.Add(diagnostic, context.OriginOf(id), "attempt_timeout = " + WriteDuration(*limits.total));
    }
    diagnostic.Unsafe();
  }
}

void CheckQueues(Context& context) {
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const auto& queue = context.Upstream(id).queue;
    if (!queue) continue;
    for (const RouteId route : context.routes_to[id]) {
      const auto& deadline = context.Route(route).deadline;
      if (!deadline || queue->timeout < *deadline) continue;
      const BlockOrigin& block = *context.OriginOf(id).Block("queue");
      Diagnostic& diagnostic = context.diagnostics
                                   ->Emit(Kind::kQueueBeyondDeadline, context.At(block, "timeout"),
                                          {context.Upstream(id).name, PrintTime(queue->timeout.count()),
                                           context.Route(route).name, PrintTime(deadline->count())})
                                   .At(context.At(context.OriginOf(route), "deadline"),
                                       "the deadline of " + Quote(context.Route(route).name));
      const Duration half = RoundDown(*deadline / 2);
      if (half > Duration::zero()) {
        context.Set(diagnostic, block, "timeout", WriteDuration(half));
        diagnostic.Unsafe();
      }
      break;
    }
  }
}

void CheckPromises(Context& context) {
  for (size_t i = 0; i < context.origins.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    const model::RouteSettings& route = context.Route(id);
    for (const model::PromiseOrigin& promise : context.OriginOf(id).promises) {
      const RouteBounds bounds = context.bounds.Of(route);
      const bool is_count = promise.bound == model::PromisedBound::kAttempts;
      const Term& term = promise.bound == model::PromisedBound::kLatency ? bounds.latency : bounds.first_token;
      const int64_t worst = is_count ? bounds.attempts : term.value().high;
      if (worst <= promise.limit) continue;
      if (!is_count && worst == kMost) {
        context.diagnostics->Emit(Kind::kPromiseUnbounded, promise.claim, {route.name});
        continue;
      }
      const std::string over = is_count ? std::to_string(worst - promise.limit) : PrintTime(worst - promise.limit);
      std::string parts;
      if (!is_count) {
        for (const Term::Line& line : term.Lines())
          parts += (parts.empty() ? "" : "; ") + line.arithmetic + ": " + line.what;
      }
      context.diagnostics
          ->Emit(
              Kind::kPromiseBroken, promise.claim,
              {is_count ? "up to " + std::to_string(worst) + " requests, of " + bounds.PrintAttempts(context.policy, route) +
                              (bounds.attempts > bounds.visits ? ", each once more where its server closes a kept connection just then" : "")
                        : term.PrintWithResult(), over, parts})
          .Change(promise.limit_at, is_count ? std::to_string(worst) : WriteDuration(Duration(worst)))
          .Unsafe();
    }
  }
}

// Only limits that were written: a default above another limit is nobody's mistake.
void CheckLimitsStrike(Context& context) {
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const BlockOrigin* block = context.OriginOf(id).Block("timeouts");
    if (block == nullptr) continue;
    const model::Timeouts& limits = context.Upstream(id).timeouts;
    const auto look = [&](std::string_view name, Duration limit, std::optional<Duration> end) {
      const model::SettingOrigin* setting = block->Setting(name);
      if (setting == nullptr || !end || limit <= *end) return;
      context.diagnostics
          ->Emit(Kind::kLimitNeverStrikes, setting->value,
                 {name, PrintTime(limit.count()), PrintTime(end->count()), end == limits.total ? "total" : "attempt_timeout"})
          .Change(setting->statement, "");
    };
    look("connect", limits.connect, limits.most());
    if (limits.first_token) look("first_token", *limits.first_token, limits.most());
    look("idle", limits.idle, limits.total);  // a stream that flows may stand still behind attempt_timeout
    look("stall", limits.stall, limits.total);
  }
}

}  // namespace compiler::analysis
