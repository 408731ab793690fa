// PL05 and PL06: breakers that cannot open, open too easily, cannot close, or count the wrong things.
#include <algorithm>
#include <functional>
#include <limits>
#include <set>
#include <string>

#include "compiler/analysis/client_errors.h"
#include "compiler/analysis/context.h"
#include "compiler/analysis/outcomes.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::analysis {
namespace {

using abi::WindowMeasureKind;
using model::Duration;

struct Breaker {
  UpstreamId id;
  const model::UpstreamSettings& upstream;
  const model::BreakerSettings& settings;
  const BlockOrigin& block;
};

void ForEachBreaker(const Context& context, const std::function<void(const Breaker&)>& look) {
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const model::UpstreamSettings& upstream = context.Upstream(id);
    if (upstream.breaker) look({id, upstream, *upstream.breaker, *context.OriginOf(id).Block("breaker")});
  }
}

constexpr Duration kLongestWindow = std::chrono::hours(24);  // that a rule may have

// Until an attempt at a server that accepts and then says nothing has failed; until a good one counts as a success.
Duration TimeOfAnAttempt(const model::UpstreamSettings& upstream) {
  return std::min(upstream.timeouts.most(), upstream.timeouts.first_token.value_or(upstream.timeouts.most()));
}

int AttemptsOf(const model::UpstreamSettings& upstream) {
  return 1 + (upstream.retry ? upstream.retry->max_retries : 0);
}

// How often one request is sent to a server that hangs: a retry comes only if the policy names timeouts.
int AttemptsAtHang(const Context& context, const model::UpstreamSettings& upstream) {
  if (!upstream.retry) return 1;
  const model::Expr& when = context.policy.predicates[upstream.retry->when].expr;
  for (const abi::ErrorKind error : {abi::ErrorKind::k_attempt_timeout, abi::ErrorKind::k_first_token_timeout}) {
    if (Evaluate(when, AtError(error).SetAbsent(abi::FieldId::k_status)) != Truth::kNever) return AttemptsOf(upstream);
  }
  return 1;
}

// Which measures an expression reads.
bool Reads(const model::Expr& expr, const model::BreakerSettings& settings,
           const std::function<bool(WindowMeasureKind)>& is_wanted) {
  if (expr.kind == model::ExprKind::kWindow && is_wanted(settings.measures[static_cast<size_t>(expr.slot)].kind))
    return true;
  return std::any_of(expr.operands.begin(), expr.operands.end(),
                     [&](const model::Expr& operand) { return Reads(operand, settings, is_wanted); });
}

bool IsCountOfAttempts(WindowMeasureKind kind) {
  return kind == WindowMeasureKind::kFailures || kind == WindowMeasureKind::kConsecutiveFailures;
}
bool IsShare(WindowMeasureKind kind) {
  return kind == WindowMeasureKind::kFailureRatio || kind == WindowMeasureKind::kSlowRatio ||
         kind == WindowMeasureKind::kLatency;
}

// The measures after so many requests, each of which failed in every attempt, and slowly.
Known AfterFailedRequests(const model::BreakerSettings& settings, int64_t requests, int64_t attempts_each) {
  Known known;
  const int64_t attempts = requests * attempts_each;
  for (size_t slot = 0; slot < settings.measures.size(); ++slot) {
    long double value = 0;
    switch (settings.measures[slot].kind) {
      case WindowMeasureKind::kFailures:
      case WindowMeasureKind::kRequests:
      case WindowMeasureKind::kConsecutiveFailures: value = static_cast<long double>(attempts); break;
      case WindowMeasureKind::kFailedRequests: value = static_cast<long double>(requests); break;
      case WindowMeasureKind::kSuccesses: value = 0; break;
      case WindowMeasureKind::kFailureRatio:
      case WindowMeasureKind::kSlowRatio: value = 1; break;
      case WindowMeasureKind::kLatency: value = std::numeric_limits<long double>::infinity(); break;
    }
    known.SetWindow(slot, value, value);
  }
  return known;
}

// How many things that take `each`, one after another, can end within a window, both of its ends included.
int64_t MostWithin(Duration window, Duration each) { return window / each + 1; }

}  // namespace

void CheckBreakersOpen(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    if (!breaker.upstream.max_in_flight) return;
    const int64_t places = *breaker.upstream.max_in_flight;
    const Duration attempt = TimeOfAnAttempt(breaker.upstream);
    const int attempts = AttemptsAtHang(context, breaker.upstream);
    Duration request = attempt * attempts;
    for (int n = 1; n < attempts; ++n)
      request += Duration(WaitBefore(*breaker.upstream.retry, n).low);
    Known most;  // what a server that hangs can bring the measures to
    const WindowMeasureKind* counted = nullptr;
    int64_t count = 0;
    int64_t needed = 0;
    Duration window{};
    Duration each{};
    for (size_t slot = 0; slot < breaker.settings.measures.size(); ++slot) {
      const model::WindowMeasure& measure = breaker.settings.measures[slot];
      const bool is_request = measure.kind == WindowMeasureKind::kFailedRequests;
      const bool is_count =
          is_request || measure.kind == WindowMeasureKind::kFailures || measure.kind == WindowMeasureKind::kRequests;
      if (!is_count) continue;
      const int64_t reached = SaturatingMultiply(places, MostWithin(measure.window, is_request ? request : attempt));
      most.SetWindow(slot, 0, static_cast<long double>(reached));
      if (counted != nullptr) continue;
      counted = &measure.kind;
      count = reached;
      needed = measure.enough;
      window = measure.window;
      each = is_request ? request : attempt;
    }
    if (counted == nullptr) return;
    const auto lines = context.Lines(breaker.block, "open", breaker.settings.open_when);
    for (const Context::Line& line : lines) {
      if (Evaluate(*line.expr, most) != Truth::kNever) return;
    }
    if (lines.empty()) return;
    Diagnostic& diagnostic = context.diagnostics->Emit(
        Kind::kCannotOpen, lines[0].origin->predicate,
        {std::to_string(places), PrintTime(each.count()), std::to_string(count), PrintTime(window.count())});
    const auto info = abi::WindowMeasures()[static_cast<size_t>(*counted)];
    const auto at = context.WordBehind(lines[0].origin->words, info.name);
    const Duration enough(SaturatingMultiply((needed + places - 1) / places, each.count()));
    if (at && enough <= kLongestWindow) diagnostic.Change(*at, WriteDuration(enough)).Unsafe();
  });
}

void CheckRatios(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    for (const Context::Line& line : context.Lines(breaker.block, "open", breaker.settings.open_when)) {
      if (!Reads(*line.expr, breaker.settings, IsShare)) continue;
      if (Evaluate(*line.expr, AfterFailedRequests(breaker.settings, 1, 1)) != Truth::kAlways) continue;
      Diagnostic& diagnostic = context.diagnostics->Emit(Kind::kRatioOfOne, line.origin->predicate);
      // Within the window of the share: its last argument that is a time, which `over:` never is the first of.
      std::optional<SourceRange> window = context.WordBehind(line.origin->words, "failure_ratio");
      if (!window) window = context.WordBehind(line.origin->words, "slow_ratio");
      if (!window) window = context.WordBehind(line.origin->words, "latency", 2);
      if (!window) continue;
      const std::string more = " and requests(" + std::string(context.origins.TextOf(*window)) + ") >= 10";
      const SourceRange at = line.origin->predicate;
      if (line.origin->is_or) diagnostic.Change({at.begin, at.begin}, "(");
      diagnostic.Change({at.end, at.end}, (line.origin->is_or ? ")" : "") + more);
    }
  });
}

void CheckCountedAttempts(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    const int attempts = AttemptsOf(breaker.upstream);
    if (attempts == 1) return;
    for (const Context::Line& line : context.Lines(breaker.block, "open", breaker.settings.open_when)) {
      if (!Reads(*line.expr, breaker.settings, IsCountOfAttempts)) continue;
      const bool with_retries =
          Evaluate(*line.expr, AfterFailedRequests(breaker.settings, 2, attempts)) == Truth::kAlways;
      const bool without = Evaluate(*line.expr, AfterFailedRequests(breaker.settings, 2, 1)) != Truth::kNever;
      if (!with_retries || without) continue;
      const auto failures = context.Find(line.origin->words, "failures");
      Diagnostic& diagnostic = context.diagnostics->Emit(Kind::kCountsAttempts,
                                                         failures.empty() ? line.origin->predicate : failures[0].range,
                                                         {std::to_string(attempts), std::to_string(2 * attempts)});
      if (!failures.empty()) diagnostic.Change(failures[0].range, "failed_requests").Unsafe();
    }
  });
}

void CheckBreakersClose(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    const auto lines = context.Lines(breaker.block, "close", breaker.settings.close_when);
    const int64_t probes = breaker.settings.probes;
    const Duration attempt = TimeOfAnAttempt(breaker.upstream);
    struct Miss {
      const WhenOrigin* line;
      int64_t successes;
      Duration window;
    };
    std::optional<Miss> miss;
    for (const Context::Line& line : lines) {
      if (context.WasTold(Kind::kNeverCloses, line.origin->predicate)) continue;  // which says more
      // The fewest successes that it takes, and their window.
      int64_t needed = 0;
      Duration window{};
      for (size_t slot = 0; slot < breaker.settings.measures.size() && needed == 0; ++slot) {
        const model::WindowMeasure& measure = breaker.settings.measures[slot];
        if (measure.kind != WindowMeasureKind::kSuccesses) continue;
        const auto closes = [&](int64_t successes) {
          Known known;
          known.SetWindow(slot, 0, static_cast<long double>(successes));
          return Evaluate(*line.expr, known) != Truth::kNever;
        };
        if (closes(0) || !closes(measure.enough)) continue;
        int64_t low = 0;
        needed = measure.enough;
        while (needed - low > 1) {
          const int64_t middle = low + (needed - low) / 2;
          (closes(middle) ? needed : low) = middle;
        }
        window = measure.window;
      }
      if (needed == 0) return;  // it depends on other things
      const int64_t rounds = (needed + probes - 1) / probes;
      if (SaturatingMultiply(rounds - 1, attempt.count()) < window.count()) return;
      if (!miss) miss = Miss{line.origin, needed, window};
    }
    if (!miss) return;
    const int64_t rounds = (miss->successes + probes - 1) / probes;
    Diagnostic& diagnostic = context.diagnostics->Emit(
        Kind::kMayNotClose, miss->line->predicate,
        {std::to_string(miss->successes), std::to_string(probes), std::to_string(rounds),
         Term::Times(rounds - 1, Term::Of(UpTo(attempt), "")).PrintWithResult(), PrintTime(miss->window.count())});
    const Duration enough(SaturatingMultiply(rounds, attempt.count()));
    const auto at = context.WordBehind(miss->line->words, "successes");
    if (at && enough <= kLongestWindow) diagnostic.Change(*at, WriteDuration(enough));
  });
}

void CheckClientErrorsCount(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    if (!breaker.settings.failure_when) return;
    std::set<uint32_t> seen;
    const auto lines = context.Lines(breaker.block, "failure", *breaker.settings.failure_when);
    for (const Context::Line& line : lines) {
      TellClientErrors(context, line, lines.size(), {Kind::kClientErrorsCount, AtStatus}, &seen);
      // A prompt that does not fit is a client's, too.
      const auto refused = [](int64_t too_long) {
        return AtStatus(400).Set(abi::FieldId::k_prompt_too_long, too_long, too_long);
      };
      if (Evaluate(*line.expr, refused(1)) == Truth::kAlways && Evaluate(*line.expr, refused(0)) == Truth::kNever)
        context.diagnostics->Emit(Kind::kClientErrorsCount, line.origin->predicate, {"`prompt_too_long`"});
    }
  });
}

void CheckOpenFor(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    const BlockOrigin& upstream = context.OriginOf(breaker.id);
    const BlockOrigin* timeouts = upstream.Block("timeouts");
    const bool is_said =
        upstream.Setting("attempt_timeout") != nullptr ||
        (timeouts != nullptr && (timeouts->Setting("total") != nullptr || timeouts->Setting("first_token") != nullptr));
    // Where nobody said how long an attempt takes there is nothing to compare with; a health check sees to it that no request is
    // the probe of a server that hangs.
    if (!is_said || breaker.upstream.health) return;
    const Duration attempt = TimeOfAnAttempt(breaker.upstream);
    if (breaker.settings.open_for.from >= attempt) return;
    Diagnostic& diagnostic = context.diagnostics->Emit(
        Kind::kOpenTooShort, context.At(breaker.block, "open_for"),
        {breaker.upstream.name, PrintTime(breaker.settings.open_for.from.count()), PrintTime(attempt.count())});
    if (breaker.settings.open_for.is_constant())
      context.Set(diagnostic, breaker.block, "open_for", WriteDuration(attempt));
  });
}

void CheckStreamErrors(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    if (!breaker.settings.failure_when) return;
    const auto lines = context.Lines(breaker.block, "failure", *breaker.settings.failure_when);
    if (lines.empty()) return;
    Known known = AtError(abi::ErrorKind::k_stream_error);
    known.Set(abi::FieldId::k_status, 200, 200).Set(abi::FieldId::k_first_token, 0, kMost);
    for (const Context::Line& line : lines) {
      if (Evaluate(*line.expr, known) != Truth::kNever) return;
    }
    const SourceRange at = lines[0].origin->predicate;
    context.diagnostics->Emit(Kind::kStreamErrorsSucceed, at).Change({at.end, at.end}, " or error == stream_error");
  });
}

}  // namespace compiler::analysis
