// PL05: what the lines of a breaker mean: whether they ever hold, whether they hold while all is well, and what they overlook.
#include <algorithm>
#include <set>
#include <string>

#include "compiler/analysis/context.h"
#include "compiler/analysis/known_names.h"
#include "compiler/analysis/outcomes.h"
#include "compiler/analysis/region.h"
#include "compiler/analysis/requests.h"
#include "compiler/analysis/windows.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::analysis {
namespace {

using abi::ErrorKind;
using abi::FieldId;
using abi::WindowMeasureKind;
using model::Duration;

struct Breaker {
  UpstreamId id;
  const model::UpstreamSettings& upstream;
  const model::BreakerSettings& settings;
  const BlockOrigin& block;

  const std::string& name() const { return upstream.name; }
};

void ForEachBreaker(const Context& context, const std::function<void(const Breaker&)>& look) {
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const model::UpstreamSettings& upstream = context.Upstream(id);
    if (upstream.breaker) look({id, upstream, *upstream.breaker, *context.OriginOf(id).Block("breaker")});
  }
}

bool IsCount(WindowMeasureKind kind) {
  return kind == WindowMeasureKind::kFailures || kind == WindowMeasureKind::kRequests ||
         kind == WindowMeasureKind::kFailedRequests || kind == WindowMeasureKind::kSuccesses ||
         kind == WindowMeasureKind::kConsecutiveFailures;
}
bool IsCountOfFailures(WindowMeasureKind kind) {
  return kind == WindowMeasureKind::kFailures || kind == WindowMeasureKind::kFailedRequests ||
         kind == WindowMeasureKind::kConsecutiveFailures;
}

// Nothing that an attempt may take is longer; nullopt where that is not bounded.
std::optional<Duration> LongestAttempt(const Context& context, UpstreamId id) {
  const model::Timeouts& limits = context.Upstream(id).timeouts;
  if (limits.total) return limits.total;
  return MayStream(context, id) ? std::nullopt : std::optional(limits.most());
}

struct Said {
  std::string why;
  std::string help;
};

constexpr const char* kUsualOpen = "failed_requests(60s) >= 5";
constexpr Duration kShortestWindow = std::chrono::seconds(1);
constexpr long double kMostInARow = 500;
constexpr long double kMostInAWindow = 1000;

// Why a cell that could be never is, in practice or at all; nullopt if it may.
std::optional<Said> WhyNever(const Context& context, const Cell& cell, const Breaker& breaker) {
  for (const auto& [subject, domain] : cell.domains) {
    if (subject.kind != Subject::Kind::kWindow || domain.number.empty()) continue;
    const model::WindowMeasure& measure = MeasureOf(subject, breaker.settings);
    const bool is_time = measure.kind == WindowMeasureKind::kSlowRatio || measure.kind == WindowMeasureKind::kLatency;
    const std::optional<Duration> longest = is_time ? LongestAttempt(context, breaker.id) : std::nullopt;
    const long double low = domain.number.lowest();
    const bool is_above = low > 0 || domain.number.ranges().front().low_open;
    const bool is_point =
        std::all_of(domain.number.ranges().begin(), domain.number.ranges().end(),
                    [](const auto& range) { return range.low == range.high && range.low != 0 && range.low != 1; });
    const bool is_share =
        measure.kind == WindowMeasureKind::kFailureRatio || measure.kind == WindowMeasureKind::kSlowRatio;
    if (is_share && is_point)
      return Said{"a share is hardly ever exactly " + std::to_string(static_cast<int>(low * 100 + 0.5L)) + " %",
                  "write `>=` or `>`"};
    if (measure.kind == WindowMeasureKind::kLatency && is_point)
      return Said{"a time is never exactly " + PrintTime(static_cast<int64_t>(low)), "write `>=` or `>`"};
    if (measure.kind == WindowMeasureKind::kSlowRatio && is_above && longest && measure.over >= *longest)
      return Said{"no attempt takes longer than " + PrintTime(longest->count()) + ", so none is slower than " +
                      PrintTime(measure.over.count()),
                  "let `over:` be what is slow and still within the limits of an attempt"};
    if (measure.kind == WindowMeasureKind::kLatency && longest && low >= static_cast<long double>(longest->count()) &&
        is_above)
      return Said{"no attempt takes longer than " + PrintTime(longest->count()) + " (attempt_timeout or total)",
                  "compare with a time within that"};
    const bool needs_some = IsCount(measure.kind) ? low >= 2 : is_above;
    if (measure.window > Duration::zero() && measure.window < kShortestWindow && needs_some)
      return Said{"what it needs never falls into a window of " + PrintTime(measure.window.count()),
                  "look at a window of seconds to minutes: `60s`"};
    const long double most = measure.kind == WindowMeasureKind::kConsecutiveFailures ? kMostInARow : kMostInAWindow;
    if (IsCountOfFailures(measure.kind) && low >= most) {
      const std::string count = std::to_string(static_cast<int64_t>(low));
      return Said{count + " failures are no threshold: until then everybody is sent to a server that is down",
                  "five to some dozens are usual"};
    }
  }
  return std::nullopt;
}

constexpr Duration kLongWindow = std::chrono::hours(1);

// The longest window that the condition asks about; nullopt for none.
std::optional<Duration> LongestWindow(const model::Expr& expr, const model::BreakerSettings& settings) {
  std::optional<Duration> longest;
  if (const auto subject = SubjectOf(expr); subject && subject->kind == Subject::Kind::kWindow)
    longest = MeasureOf(*subject, settings).window;
  for (const model::Expr& operand : expr.operands) longest = std::max(longest, LongestWindow(operand, settings));
  return longest;
}

// Whether something that no window can tell of stands in the line.
std::vector<Context::Line> OpenLines(const Context& context, const Breaker& breaker) {
  return context.Lines(breaker.block, "open", breaker.settings.open_when);
}

// The measures after so many attempts of which the last one failed, quickly.
Known AfterOneFailure(const model::BreakerSettings& settings, int64_t attempts) {
  Known known;
  for (size_t slot = 0; slot < settings.measures.size(); ++slot) {
    long double value = 1;
    switch (settings.measures[slot].kind) {
      case WindowMeasureKind::kRequests: value = static_cast<long double>(attempts); break;
      case WindowMeasureKind::kSuccesses: value = static_cast<long double>(attempts - 1); break;
      case WindowMeasureKind::kFailureRatio: value = 1.0L / static_cast<long double>(attempts); break;
      case WindowMeasureKind::kSlowRatio: value = 0; break;
      case WindowMeasureKind::kLatency: value = 0; break;
      default: break;
    }
    known.SetWindow(slot, value, value);
  }
  return known;
}

// What closes is asked after each success of a probe, of what came since the breaker is half-open; a failure opens it again.
Known AtClosing(const model::BreakerSettings& settings) {
  Known known;
  for (size_t slot = 0; slot < settings.measures.size(); ++slot) {
    switch (settings.measures[slot].kind) {
      case WindowMeasureKind::kRequests:
      case WindowMeasureKind::kSuccesses: known.SetWindow(slot, 1, std::numeric_limits<long double>::infinity()); break;
      case WindowMeasureKind::kSlowRatio: known.SetWindow(slot, 0, 1); break;
      case WindowMeasureKind::kLatency: known.SetWindow(slot, 0, std::numeric_limits<long double>::infinity()); break;
      default: known.SetWindow(slot, 0, 0); break;
    }
  }
  return known;
}

// A good answer, and none that anybody would call slow.
Known QuickAnswer(int status) {
  constexpr int64_t kFrom = 20'000'000;
  constexpr int64_t kTo = 100'000'000;
  Known known = AtStatus(status);
  known.Set(FieldId::k_first_token, kFrom, kTo).Set(FieldId::k_latency, kFrom, kTo);
  return known.Set(FieldId::k_empty_answer, 0, 0).Set(FieldId::k_prompt_too_long, 0, 0);
}

// Whether some attempt ends so that the condition holds.
bool HoldsForSome(const model::Expr& expr) {
  const auto holds = [&](Known known) {
    return !Never(expr, Region::Of(known)) || !Never(expr, Region::Of(known.Set(FieldId::k_first_token, 0, kMost)));
  };
  const auto statuses = TellingStatuses(expr, 100, 599);
  const auto errors = AttemptErrors();
  return std::any_of(statuses.begin(), statuses.end(), [&](int status) { return holds(AtStatus(status)); }) ||
         std::any_of(errors.begin(), errors.end(), [&](ErrorKind error) { return holds(AtError(error)); });
}

bool ReadsRequest(const model::Expr& expr) {
  if (expr.kind == model::ExprKind::kField &&
      abi::Fields()[static_cast<size_t>(expr.field)].phase == abi::Phase::kRoute)
    return true;
  if (expr.kind == model::ExprKind::kSlot &&
      abi::Families()[static_cast<size_t>(expr.family)].phase == abi::Phase::kRoute)
    return true;
  return std::any_of(expr.operands.begin(), expr.operands.end(), ReadsRequest);
}

// Nothing came, so there is nothing to read in it.
Region NoAnswer(const model::Slots& slots) {
  Domain absent;
  absent.absent = true;
  Region region = Region::Everything();
  const auto is_absent = [&](abi::FamilyId family, size_t count) {
    for (size_t slot = 0; slot < count; ++slot)
      region = region.And(Region::Where(Subject::Of(family, static_cast<int32_t>(slot)), absent));
  };
  is_absent(abi::FamilyId::k_response_json, slots.response_json.size());
  is_absent(abi::FamilyId::k_response_header, slots.response_headers.size());
  is_absent(abi::FamilyId::k_chunk_json, slots.chunk_json.size());
  return region;
}

}  // namespace

void CheckOpensEver(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    for (const Context::Line& line : OpenLines(context, breaker)) {
      const std::optional<Duration> window = LongestWindow(*line.expr, breaker.settings);
      if (window && *window >= kLongWindow)
        context.diagnostics->Emit(Kind::kLooksBackTooFar, line.origin->predicate, {PrintTime(window->count())});
      const Region region = Region::Of(*line.expr);
      const std::vector<Cell> cells = PossibleCells(region, breaker.settings);
      if (cells.empty()) {
        context.diagnostics->Emit(Kind::kPartsNeverMeet, line.origin->predicate).Replace(kUsualOpen).Unsafe();
        continue;
      }
      std::optional<Said> why;
      for (const Cell& cell : cells) {
        why = WhyNever(context, cell, breaker);
        if (!why) break;
      }
      if (why)
        context.diagnostics->Emit(Kind::kNeverOpens, line.origin->predicate, {why->why, why->help})
            .Replace(kUsualOpen)
            .Unsafe();
    }
  });
}

// What a share needs more of is said by CheckRatios (one of one); here it is one of many.
void CheckOneFailure(Context& context) {
  constexpr int64_t kMany[] = {50, 100};
  ForEachBreaker(context, [&](const Breaker& breaker) {
    for (const Context::Line& line : OpenLines(context, breaker)) {
      const auto opens = [&](int64_t attempts) {
        return Evaluate(*line.expr, AfterOneFailure(breaker.settings, attempts)) == Truth::kAlways;
      };
      if (context.WasTold(Kind::kRatioOfOne, line.origin->predicate)) continue;
      const auto* many = std::find_if(std::begin(kMany), std::end(kMany), opens);
      const bool is_among_many = many != std::end(kMany);
      if (!is_among_many && !opens(1)) continue;
      if (!Never(*line.expr, WhileWell(breaker.settings))) continue;  // CheckHealthyOpens says more
      context.diagnostics
          ->Emit(Kind::kOpensAtOnce, line.origin->predicate,
                 {(is_among_many ? "one of " + std::to_string(*many) + " is no outage"
                                 : std::string("every server has one now and then")) +
                  ", and nothing is asked of it for " + PrintTime(breaker.settings.open_for.from.count()) + " then"})
          .Replace(kUsualOpen)
          .Unsafe();
    }
  });
}

void CheckClosesEver(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    for (const Context::Line& line : context.Lines(breaker.block, "close", breaker.settings.close_when)) {
      const Region closing = Region::Of(*line.expr).And(Region::Of(AtClosing(breaker.settings)));
      if (!PossibleCells(closing, breaker.settings).empty()) continue;
      const int probes = breaker.settings.probes;
      context.diagnostics
          ->Emit(Kind::kNeverCloses, line.origin->predicate,
                 {probes == 1 ? "one probe" : std::to_string(probes) + " probes"})
          .Change(line.origin->statement, "")
          .Unsafe();
    }
  });
}

void CheckHealthyOpens(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    for (const Context::Line& line : OpenLines(context, breaker)) {
      const Region well = Region::Of(*line.expr).And(WhileWell(breaker.settings));
      const std::vector<Cell> cells = PossibleCells(well, breaker.settings);
      if (cells.empty()) continue;
      bool needs_work = false;  // a number of requests or of successes
      for (const auto& [subject, domain] : cells[0].domains) {
        if (subject.kind == Subject::Kind::kWindow && !domain.number.empty() && domain.number.lowest() > 0)
          needs_work = true;
      }
      context.diagnostics->Emit(needs_work ? Kind::kOpensOnWork : Kind::kOpensOnHealth, line.origin->predicate)
          .Replace(kUsualOpen)
          .Unsafe();
    }
    if (!breaker.settings.failure_when) return;
    for (const Context::Line& line : context.Lines(breaker.block, "failure", *breaker.settings.failure_when)) {
      for (const int status : {200, 201}) {
        const Known known = QuickAnswer(status);
        if (!Always(*line.expr, Region::Of(known))) continue;
        context.diagnostics->Emit(Kind::kHealthFails, line.origin->predicate, {std::to_string(status), breaker.name()});
        break;
      }
    }
  });
}

// A limit of one client's own key says nothing about the server, and a good answer asks for no rest.
void CheckRests(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    if (!breaker.settings.rest_when) return;
    const auto& headers = breaker.upstream.headers;
    const bool has_key = std::any_of(headers.begin(), headers.end(), [](const model::HeaderSetting& header) {
      return IsCredentialHeader(Lower(header.name));
    });
    for (const Context::Line& line : context.Lines(breaker.block, "rest", *breaker.settings.rest_when)) {
      const SourceRange at = line.origin->predicate;
      if (Always(*line.expr, Region::Of(QuickAnswer(200)))) {
        context.diagnostics->Emit(Kind::kOpensOnAnswer, at).Change(line.origin->statement, "").Unsafe();
      } else if (!HoldsForSome(*line.expr)) {
        context.diagnostics->Emit(Kind::kOpensOnNothing, at).Change(line.origin->statement, "").Unsafe();
      } else if (!has_key && Always(*line.expr, Region::Of(AtStatus(429)))) {
        context.diagnostics->Emit(Kind::kRestsForOneClient, at, {breaker.name()});
      }
    }
  });
}

void CheckFailureRules(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    if (!breaker.settings.failure_when) return;
    const auto lines = context.Lines(breaker.block, "failure", *breaker.settings.failure_when);
    if (lines.empty()) return;
    // Of a first attempt, and where the rule looks at the request on each route that leads there.
    const Region first = Region::Of(Known().Set(FieldId::k_attempt, 1, 1));
    const std::vector<RouteId>& routes = context.routes_to[breaker.id];
    const bool reads_request =
        std::any_of(lines.begin(), lines.end(), [](const Context::Line& line) { return ReadsRequest(*line.expr); });
    const auto counts_among = [&](const Region& outcome) {
      return std::any_of(lines.begin(), lines.end(),
                         [&](const Context::Line& line) { return !Never(*line.expr, outcome); });
    };
    const auto counts = [&](const Region& any) {
      const Region outcome = any.And(first);
      constexpr size_t kMostRoutes = 16;
      if (!reads_request) return counts_among(outcome);
      return counts_among(outcome) &&
             std::all_of(routes.begin(),
                         routes.begin() + static_cast<std::ptrdiff_t>(std::min(routes.size(), kMostRoutes)),
                         [&](RouteId route) {
                           const Region taken = RegionOf(context, route);
                           return taken.empty() || counts_among(outcome.And(taken));
                         });
    };
    const Region no_answer = NoAnswer(context.policy.slots);
    const auto any_error = [&](std::initializer_list<ErrorKind> errors) {
      return std::any_of(errors.begin(), errors.end(), [&](ErrorKind error) {
        Known known = AtError(error).SetAbsent(FieldId::k_status);
        // A server that is down says so at once.
        const bool is_quick = IsBeforeSending(error) || error == ErrorKind::k_reset;
        if (is_quick) known.Set(FieldId::k_latency, 0, breaker.upstream.timeouts.connect.count());
        return counts(Region::Of(known).And(no_answer));
      });
    };
    std::string missing;
    std::string what;
    const auto note = [&](const std::string& name, const std::string& follows) {
      missing += (missing.empty() ? "" : ", ") + name;
      if (what.empty()) what = follows;
    };
    if (!any_error({ErrorKind::k_refused, ErrorKind::k_connect_failure, ErrorKind::k_reset}))
      note("a connection that is refused or reset", "a server that is down is asked for ever");
    if (!any_error({ErrorKind::k_attempt_timeout, ErrorKind::k_first_token_timeout, ErrorKind::k_idle_timeout}))
      note("a timeout", "a server that hangs never opens the breaker");
    const std::initializer_list<int> kServerErrors = {500, 502, 503, 504};
    if (std::none_of(kServerErrors.begin(), kServerErrors.end(),
                     [&](int status) { return counts(Region::Of(AtStatus(status))); }))
      note("a 5xx", "a server that answers nothing but errors never opens the breaker");
    if (missing.empty()) return;
    Diagnostic& diagnostic =
        context.diagnostics->Emit(Kind::kFailuresMissed, lines[0].origin->predicate, {missing, breaker.name(), what});
    for (const Context::Line& line : lines) diagnostic.Change(line.origin->statement, "");
    diagnostic.Unsafe();
  });
}

void CheckOpenTooLong(Context& context) {
  constexpr Duration kLongest = std::chrono::minutes(30);
  ForEachBreaker(context, [&](const Breaker& breaker) {
    const Duration most = std::max(breaker.settings.open_for.from, breaker.settings.open_for.cap);
    if (most <= kLongest || breaker.upstream.health) return;
    context.diagnostics
        ->Emit(Kind::kOpenTooLong, context.At(breaker.block, "open_for"),
               {breaker.name(), (most > breaker.settings.open_for.from ? "up to " : "") + PrintTime(most.count())})
        .Replace("2min")
        .Unsafe();
  });
}

void CheckHealthChecks(Context& context) {
  ForEachBreaker(context, [&](const Breaker& breaker) {
    if (!breaker.upstream.health) return;
    const BlockOrigin* block = context.OriginOf(breaker.id).Block("health");
    if (block == nullptr) return;
    const model::HealthSettings& health = *breaker.upstream.health;
    std::string_view path = health.path;
    path = path.substr(0, path.find('?'));
    while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    if (IsModelPath(path) || ChangesServer(path))
      context.diagnostics->Emit(Kind::kCheckAsksModel, context.At(*block, "path"), {health.path})
          .Replace("\"/\"")
          .Unsafe();
    if (block->Setting("interval") == nullptr || health.interval < breaker.settings.open_for.from) return;
    context.diagnostics
        ->Emit(Kind::kCheckAfterOpen, context.At(*block, "interval"),
               {PrintTime(health.interval.count()), PrintTime(breaker.settings.open_for.from.count())})
        .Replace("2s")
        .Unsafe();
  });
}

}  // namespace compiler::analysis
