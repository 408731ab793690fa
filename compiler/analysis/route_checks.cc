// PL07: routes that no request reaches, and requests that reach no route.
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/analysis/abstract.h"
#include "compiler/analysis/context.h"
#include "compiler/analysis/region.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/model/print.h"

namespace compiler::analysis {
namespace {

// `field == literal` and `field in {…}` as the field and its values; no values for anything else.
struct Choice {
  std::string subject;
  std::vector<std::string> values;
};

Choice ChoiceOf(const model::Expr& expr) {
  Choice choice;
  if (expr.kind == model::ExprKind::kCompare && expr.compare == model::CompareOp::kEq) {
    if (expr.operands[1].kind != model::ExprKind::kLiteral) return {};
    choice.values.push_back(model::Print(expr.operands[1]));
  } else if (expr.kind == model::ExprKind::kIn && expr.networks.empty()) {
    for (const model::SetMember& member : expr.set) {
      model::Expr literal;
      literal.literal = member.low;
      literal.type = {member.low.type, false};
      choice.values.push_back(model::Print(literal));
    }
  } else {
    return {};
  }
  choice.subject = model::Print(expr.operands[0]);
  return choice;
}

// Predicates that took everything so far of what they say, and values of subjects that are all taken.
class Taken {
 public:
  // The route that takes each request for which `part`, a condition of a later route, holds; none if that is not known.
  const RouteId* By(const model::Expr& part) const {
    if (const auto found = predicates_.find(model::Print(part)); found != predicates_.end()) return &found->second;
    const Choice choice = ChoiceOf(part);
    const RouteId* last = nullptr;
    for (const std::string& value : choice.values) {
      const auto found = values_.find(choice.subject + " == " + value);
      if (found == values_.end()) return nullptr;
      last = &found->second;
    }
    return last;
  }

  void Add(const model::Expr& when, RouteId route) {
    predicates_.emplace(model::Print(when), route);
    const std::vector<model::Expr> alone = {when};
    for (const model::Expr& part : when.kind == model::ExprKind::kOr ? when.operands : alone) {
      predicates_.emplace(model::Print(part), route);
      const Choice choice = ChoiceOf(part);
      for (const std::string& value : choice.values) values_.emplace(choice.subject + " == " + value, route);
    }
  }

 private:
  std::unordered_map<std::string, RouteId> predicates_;
  std::unordered_map<std::string, RouteId> values_;
};

const RouteId* WhoTakes(const Taken& taken, const model::Expr& when) {
  if (const RouteId* route = taken.By(when)) return route;
  if (when.kind == model::ExprKind::kAnd) {
    for (const model::Expr& part : when.operands) {
      if (const RouteId* route = WhoTakes(taken, part)) return route;
    }
  }
  if (when.kind != model::ExprKind::kOr) return nullptr;
  const RouteId* last = nullptr;
  for (const model::Expr& part : when.operands) {
    last = WhoTakes(taken, part);
    if (last == nullptr) return nullptr;
  }
  return last;
}

// Routes so far, by what they take: for one that several of them take together.
class Before {
 public:
  // The last of the routes that together take the whole region; none if that is not known.
  std::optional<RouteId> WhoTakes(const Region& region) const {
    std::vector<size_t> candidates = broad_.size() <= kMost ? broad_ : std::vector<size_t>();
    if (const auto paths = PathsOf(region)) {
      for (const std::string& path : *paths) {
        const auto found = by_path_.find(path);
        if (found != by_path_.end()) candidates.insert(candidates.end(), found->second.begin(), found->second.end());
      }
    } else if (routes_.size() <= kMost) {
      candidates.clear();
      for (size_t i = 0; i < routes_.size(); ++i) candidates.push_back(i);
    }
    std::sort(candidates.begin(), candidates.end());
    candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
    if (candidates.size() > kMost) return std::nullopt;
    Region rest = region;
    for (const size_t i : candidates) {
      rest = rest.And(Region::Outside(*routes_[i].second));
      if (rest.empty()) return routes_[i].first;
      if (!rest.is_exact()) return std::nullopt;
    }
    return std::nullopt;
  }

  void Add(RouteId id, const model::Expr& when, const Region& region) {
    const size_t index = routes_.size();
    routes_.emplace_back(id, &when);
    if (const auto paths = PathsOf(region)) {
      for (const std::string& path : *paths) by_path_[path].push_back(index);
    } else {
      broad_.push_back(index);
    }
  }

 private:
  static constexpr size_t kMost = 64;

  // All paths that it takes; nullopt if they are not a list.
  static std::optional<std::set<std::string>> PathsOf(const Region& region) {
    std::set<std::string> paths;
    for (const Cell& cell : region.cells()) {
      const auto path = cell.domains.find(Subject::Of(abi::FieldId::k_request_path));
      if (path == cell.domains.end() || !path->second.text.only) return std::nullopt;
      paths.insert(path->second.text.only->begin(), path->second.text.only->end());
    }
    return paths;
  }

  std::vector<std::pair<RouteId, const model::Expr*>> routes_;
  std::vector<size_t> broad_;
  std::unordered_map<std::string, std::vector<size_t>> by_path_;
};

// False if no line of the route ever holds.
bool TellLinesThatNeverHold(Context& context, RouteId id, const std::vector<Context::Line>& lines, bool all) {
  for (const Context::Line& line : lines) {
    if (!all && (lines.size() == 1 || !Never(*line.expr))) continue;
    // What it compares with is wrong: that was said.
    if (context.WasTold(Kind::kNeverEqual, line.origin->predicate)) continue;
    if (!all) context.diagnostics->Emit(Kind::kWhenNeverHolds, line.origin->predicate).Change(line.origin->statement, "").Unsafe();
    else
      context.diagnostics->Emit(Kind::kRouteNeverHolds, line.origin->predicate, {context.Route(id).name})
          .Change(context.OriginOf(id).whole, "")
          .Unsafe();
    if (all) break;
  }
  return !all;
}

// False only if the condition surely does not hold for everything: what most routes ask for is told without a region.
bool MayHoldForAll(const model::Expr& expr) {
  switch (expr.kind) {
    case model::ExprKind::kAnd: return std::all_of(expr.operands.begin(), expr.operands.end(), MayHoldForAll);
    case model::ExprKind::kCompare: return expr.compare != model::CompareOp::kEq;
    case model::ExprKind::kIn: return !expr.networks.empty();
    default: return true;
  }
}

std::string FreeName(const Context& context, std::string name) {
  const auto is_taken = [&](const std::string& candidate) {
    const auto has = [&](const auto& blocks) {
      return std::any_of(blocks.begin(), blocks.end(),
                         [&](const BlockOrigin& block) { return context.origins.TextOf(block.name) == candidate; });
    };
    return has(context.origins.upstreams) || has(context.origins.caches) || has(context.origins.replies) ||
           has(context.origins.mocks) || has(context.origins.tls) || has(context.origins.routes) ||
           context.origins.lets.count(candidate) > 0;
  };
  while (is_taken(name)) name += "_";
  return name;
}

}  // namespace

void CheckRoutesReached(Context& context) {
  Taken taken;
  Before before;
  for (size_t i = 0; i < context.origins.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    const auto& when = context.Route(id).when;
    if (!when) return;  // what stands behind it was reported already
    const model::Expr& expr = context.policy.predicates[*when].expr;
    const auto lines = context.Lines(context.OriginOf(id), "", *when);
    const Region region = Region::Of(expr);
    if (!TellLinesThatNeverHold(context, id, lines, region.empty())) continue;
    if (i + 1 < context.origins.routes.size() && MayHoldForAll(expr) && Always(expr)) {
      context.diagnostics
          ->Emit(Kind::kRouteTakesAll, lines[0].origin->predicate,
                 {context.Route(id).name, context.Route(RouteId(id.value + 1)).name})
          .At(context.OriginOf(RouteId(id.value + 1)).name, "this route gets no request");
      return;
    }
    const RouteId* by = WhoTakes(taken, expr);
    std::optional<RouteId> together;
    if (by == nullptr && (together = before.WhoTakes(region))) by = &*together;
    if (by != nullptr) {
      const BlockOrigin& late = context.OriginOf(id);
      const BlockOrigin& early = context.OriginOf(*by);
      Diagnostic& diagnostic =
          context.diagnostics->Emit(Kind::kRouteTaken, late.name, {context.Route(id).name, context.Route(*by).name})
              .At(early.name, "this route takes them")
              .Change(late.whole, "");
      Taken turned_round;
      turned_round.Add(expr, id);
      if (WhoTakes(turned_round, context.policy.predicates[*context.Route(*by).when].expr) == nullptr) {
        diagnostic.Change({early.whole.begin, early.whole.begin},
                          std::string(context.origins.TextOf(late.whole)) + "\n\n");
      }
      diagnostic.Unsafe();  // which of the two is to take them is for people to say
    }
    taken.Add(expr, id);
    before.Add(id, expr, region);
  }
}

void CheckAllRequestsRouted(Context& context) {
  if (context.origins.routes.empty()) return;
  for (size_t i = 0; i < context.origins.routes.size(); ++i) {
    const auto& when = context.Route(RouteId(static_cast<int32_t>(i))).when;
    if (!when) return;
    const model::Expr& expr = context.policy.predicates[*when].expr;
    if (MayHoldForAll(expr) && Always(expr)) return;
  }
  constexpr size_t kMostRoutes = 64;
  Region rest = Region::Everything();
  for (size_t i = 0; i < context.origins.routes.size() && i < kMostRoutes && rest.is_exact(); ++i)
    rest = rest.And(Region::Outside(context.policy.predicates[*context.Route(RouteId(static_cast<int32_t>(i))).when].expr));
  // OPTIONS * is of the server, and no route's: `request.path starts_with "/"` takes everything else.
  const bool has_paths = std::any_of(rest.cells().begin(), rest.cells().end(), [](const Cell& cell) {
    const TextSet paths = cell.Of(Subject::Of(abi::FieldId::k_request_path)).text;
    return !paths.only || std::any_of(paths.only->begin(), paths.only->end(), [](const auto& path) { return path != "*"; });
  });
  if (!has_paths) return;
  const RouteId last(static_cast<int32_t>(context.origins.routes.size()) - 1);
  Diagnostic& diagnostic =
      context.diagnostics->Emit(Kind::kNoOtherwise, context.OriginOf(last).name, {context.Route(last).name});
  const std::string route = FreeName(context, "otherwise");
  const std::string reply = FreeName(context, "not_found");
  const uint32_t at = context.OriginOf(last).whole.end;
  diagnostic.Change({at, at}, "\n\nroute " + route + " { reply = " + reply + " }\n\nreply " + reply +
                                  " {\n  status = 404\n  body   = json { \"error\": \"no such route\" }\n}");
}

}  // namespace compiler::analysis
