// PL03: work that is done twice: good answers that are thrown away, and lines that do what happens anyway.
#include <algorithm>
#include <string>

#include "compiler/analysis/context.h"
#include "compiler/analysis/outcomes.h"
#include "compiler/analysis/region.h"
#include "compiler/analysis/requests.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::analysis {
namespace {

using abi::FamilyId;
using abi::FieldId;
using PlaceKind = Context::Place::Kind;

// A complete answer with that status and content, of which nothing else is known.
Known GoodAnswer(int status) {
  Known known = AtStatus(status);
  known.Set(FieldId::k_first_token, 0, kMost);
  known.Set(FieldId::k_empty_answer, 0, 0).Set(FieldId::k_prompt_too_long, 0, 0).Set(FieldId::k_is_fallback, 0, 0);
  return known;
}

// Whether most good answers have such a value: no error, no header that a server gives by chance, a type, a model, some content. Of a
// fact that is no part of the answer it is true.
bool IsSaidByMost(const model::Slots& slots, const Subject& subject, const Domain& domain) {
  if (subject.IsOf(FamilyId::k_response_json)) {
    constexpr std::string_view kUsual[] = {"model",      "choices", "message", "response", "done",
                                           "created_at", "created", "id",      "object",   "usage",
                                           "data",       "content", "type",    "role",     "embeddings"};
    const std::string& name = slots.response_json[static_cast<size_t>(subject.slot)].front();
    if (std::find(std::begin(kUsual), std::end(kUsual), name) == std::end(kUsual)) return domain.absent;
    return !domain.absent && domain.other && domain.text.is_everything();
  }
  if (subject.IsOf(FamilyId::k_response_header)) {
    const std::string& name = slots.response_headers[static_cast<size_t>(subject.slot)];
    const bool is_type = name == "content-type";
    if (is_type) return domain.text.Contains("application/json") || domain.text.Contains("text/event-stream");
    const bool is_usual = name == "date" || name == "server" || name == "content-length" || name == "connection";
    return is_usual ? domain.text.is_everything() : domain.absent;
  }
  return true;
}

// Whether the condition takes a good answer for what it is, and not for something that it says or carries. A retry is decided before
// there is content.
bool TakesGoodAnswer(const Context& context, const model::Expr& expr, int status, bool is_retry) {
  Known good = GoodAnswer(status);
  if (is_retry) good.SetAbsent(FieldId::k_first_token);
  const Region taken = Region::Of(expr).And(Region::Of(good));
  return std::any_of(taken.cells().begin(), taken.cells().end(), [&](const Cell& cell) {
    return cell.unread.empty() && std::all_of(cell.domains.begin(), cell.domains.end(), [&](const auto& one) {
             return IsSaidByMost(context.policy.slots, one.first, one.second);
           });
  });
}

// What moves on by itself: what the breaker counts as a failure.
bool IsFailure(int status) { return status >= 500 && status != 501 && status != 505; }

}  // namespace

void CheckGoodAnswers(Context& context) {
  context.ForEachLine([&](const Context::Place& place, const Context::Line& line) {
    const bool is_next = place.kind == PlaceKind::kNext;
    if (!is_next && place.kind != PlaceKind::kRetry) return;
    for (const int status : {200, 201, 204}) {
      if (!TakesGoodAnswer(context, *line.expr, status, !is_next)) continue;
      std::string by;
      if (is_next) {
        const model::RouteSettings& route = context.Route(RouteId(place.id));
        if (route.to.size() > 1) by = " by `" + context.Upstream(route.to[1]).name + "`";
      }
      Diagnostic& diagnostic =
          context.diagnostics->Emit(Kind::kGoodAnswerAgain, line.origin->predicate, {std::to_string(status), by});
      if (is_next) diagnostic.Change(line.origin->statement, "").Unsafe();
      return;
    }
  });
}

void CheckMovesAnyway(Context& context) {
  context.ForEachLine([&](const Context::Place& place, const Context::Line& line) {
    if (place.kind != PlaceKind::kNext) return;
    if (Never(*line.expr, RegionOf(context, RouteId(place.id)))) {
      context.diagnostics->Emit(Kind::kNextNeverHolds, line.origin->predicate)
          .Change(line.origin->statement, "")
          .Unsafe();
      return;
    }
    bool holds = false;
    bool moves_anyway = false;
    bool adds = false;
    for (const int status : TellingStatuses(*line.expr, 200, 599)) {
      // With content or without.
      Known known = AtStatus(status);
      const bool is_bare = Evaluate(*line.expr, known) != Truth::kNever;
      if (!is_bare && Evaluate(*line.expr, known.Set(FieldId::k_first_token, 0, kMost)) == Truth::kNever) continue;
      if (status < 500) return;
      holds = true;
      (IsFailure(status) ? moves_anyway : adds) = true;
    }
    for (const abi::ErrorKind error : AttemptErrors()) {
      // Most often there is no status; what breaks off behind a good head has that.
      const bool is_bare = Evaluate(*line.expr, AtError(error).SetAbsent(FieldId::k_status)) != Truth::kNever;
      const bool has_head = !IsBeforeSending(error) &&
                            Evaluate(*line.expr, AtError(error).Set(FieldId::k_status, 200, 200)) != Truth::kNever;
      if (is_bare || has_head) holds = moves_anyway = true;
    }
    if (!holds) {
      context.diagnostics->Emit(Kind::kNextNeverHolds, line.origin->predicate)
          .Change(line.origin->statement, "")
          .Unsafe();
    } else if (moves_anyway) {
      context.diagnostics
          ->Emit(Kind::kMovesAnyway, line.origin->predicate,
                 {adds ? "this adds nothing but 501 or 505" : "this has no effect"})
          .Change(line.origin->statement, "")
          .Unsafe();
    }
  });
}

// With `repeat_safe = auto` it hangs on the path; what is written is CheckRepeatSafe's.
void CheckFailover(Context& context) {
  for (size_t i = 0; i < context.origins.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    const std::vector<UpstreamId>& to = context.Route(id).to;
    for (size_t n = 0; n + 1 < to.size(); ++n) {
      const model::UpstreamSettings& upstream = context.Upstream(to[n]);
      if (upstream.repeat_safe != model::RepeatSafe::kAuto) continue;
      if (!upstream.url.path.empty() && !upstream.url.is_base) continue;  // one path for all: CheckRepeatSafe's
      const Region taken = RegionOf(context, id);
      if (!TakesOnlyWhatIsNotRepeated(taken, upstream)) continue;
      context.diagnostics
          ->Emit(Kind::kDoesNotMove, context.At(context.OriginOf(id), "to"),
                 {ExampleOf(taken.cells()[0]), context.Upstream(to[n + 1]).name, upstream.name})
          .At(context.OriginOf(to[n]).name, "its paths do not say that a second time does no harm");
      break;
    }
  }
}

// What continues needs something to continue on.
void CheckOnCut(Context& context) {
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const model::UpstreamSettings& upstream = context.Upstream(id);
    if (context.routes_to[id].empty()) continue;
    const auto anywhere = [&](const auto& is_so) {
      return std::any_of(context.routes_to[id].begin(), context.routes_to[id].end(), [&](RouteId route) {
        const std::vector<UpstreamId>& to = context.Route(route).to;
        return is_so(to, static_cast<size_t>(std::find(to.begin(), to.end(), id) - to.begin()));
      });
    };
    const model::SettingOrigin* on_cut = context.OriginOf(id).Setting("on_cut");
    const bool has_next = anywhere([](const auto& to, size_t at) { return at + 1 < to.size(); });
    if (on_cut != nullptr && upstream.on_cut != model::OnCut::kError && !has_next) {
      const std::string route = context.Route(context.routes_to[id][0]).name;
      context.diagnostics->Emit(Kind::kOnCutWithoutNext, on_cut->value, {upstream.name, route})
          .Change(on_cut->statement, "")
          .Unsafe();
    }
    const model::SettingOrigin* prefill = context.OriginOf(id).Setting("prefill");
    const bool is_continued = anywhere([&](const auto& to, size_t at) {
      return std::any_of(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(at),
                         [&](UpstreamId before) { return context.Upstream(before).on_cut == model::OnCut::kContinue; });
    });
    if (prefill != nullptr && !upstream.prefill && !is_continued) {
      context.diagnostics->Emit(Kind::kPrefillWithoutCut, prefill->value, {upstream.name})
          .Change(prefill->statement, "")
          .Unsafe();
    }
  }
}

}  // namespace compiler::analysis
