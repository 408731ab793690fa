// PL07: routes that no request reaches, and requests that reach no route.
#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/analysis/abstract.h"
#include "compiler/analysis/context.h"
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

std::string FreeName(const Context& context, std::string name) {
  const auto is_taken = [&](const std::string& candidate) {
    const auto has = [&](const auto& blocks) {
      return std::any_of(blocks.begin(), blocks.end(),
                         [&](const BlockOrigin& block) { return context.origins.TextOf(block.name) == candidate; });
    };
    return has(context.origins.upstreams) || has(context.origins.caches) || has(context.origins.replies) ||
           has(context.origins.mocks) || has(context.origins.routes) || context.origins.lets.count(candidate) > 0;
  };
  while (is_taken(name)) name += "_";
  return name;
}

}  // namespace

void CheckRoutesReached(Context& context) {
  Taken taken;
  for (size_t i = 0; i < context.origins.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    const auto& when = context.Route(id).when;
    if (!when) return;  // what stands behind it was reported already
    const model::Expr& expr = context.policy.predicates[*when].expr;
    if (Evaluate(expr, Known()) == Truth::kNever) {
      context.diagnostics->Emit(Kind::kRouteNeverHolds, context.OriginOf(id).name, {context.Route(id).name})
          .Change(context.OriginOf(id).whole, "")
          .Unsafe();
    } else if (const RouteId* before = WhoTakes(taken, expr)) {
      const BlockOrigin& late = context.OriginOf(id);
      const BlockOrigin& early = context.OriginOf(*before);
      Diagnostic& diagnostic =
          context.diagnostics->Emit(Kind::kRouteTaken, late.name, {context.Route(id).name, context.Route(*before).name})
              .At(early.name, "this route takes them")
              .Change(late.whole, "");
      Taken turned_round;
      turned_round.Add(expr, id);
      if (WhoTakes(turned_round, context.policy.predicates[*context.Route(*before).when].expr) == nullptr) {
        diagnostic.Change({early.whole.begin, early.whole.begin},
                          std::string(context.origins.TextOf(late.whole)) + "\n\n");
      } else {
        diagnostic.Unsafe();  // before it, it would take all that the other one would
      }
    }
    taken.Add(expr, id);
  }
}

void CheckAllRequestsRouted(Context& context) {
  if (context.origins.routes.empty()) return;
  for (size_t i = 0; i < context.origins.routes.size(); ++i) {
    const auto& when = context.Route(RouteId(static_cast<int32_t>(i))).when;
    if (!when || Evaluate(context.policy.predicates[*when].expr, Known()) == Truth::kAlways) return;
  }
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
