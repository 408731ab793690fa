#include "runtime/tester/coverage.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "compiler/model/interpret.h"

namespace runtime::tester {

using compiler::abi::Facts;
using compiler::abi::Predicate;
using compiler::abi::PredicateId;
using compiler::model::BlockOrigin;
using compiler::model::Expr;
using compiler::model::WhenOrigin;

// A condition that a predicate holds: all of it, one of the lines that make it up, or a let in it.
struct Coverage::Part {
  size_t condition;
  std::optional<Expr> expr;  // none: the whole predicate, whose value is known
};

struct Coverage::Probe {
  Coverage* coverage = nullptr;
  Predicate inner;
  std::vector<Part> parts;

  static int32_t Ask(const void* self, const Facts* facts) noexcept {
    const auto& probe = *static_cast<const Probe*>(self);
    const int32_t held = probe.inner.function(probe.inner.self, facts);
    probe.coverage->Record(probe, held != 0, *facts);
    return held;
  }
};

namespace {

bool Holds(const Expr& whole, const Expr& part) {
  return whole == part || std::any_of(whole.operands.begin(), whole.operands.end(),
                                      [&](const Expr& operand) { return Holds(operand, part); });
}

std::vector<PredicateId> One(const std::optional<PredicateId>& predicate) {
  return predicate ? std::vector<PredicateId>{*predicate} : std::vector<PredicateId>{};
}

}  // namespace

Coverage::~Coverage() = default;

Coverage::Coverage(const compiler::CompiledPolicy& compiled, const compiler::model::Origins& origins) {
  const auto& policy = compiled.policy;
  for (size_t i = 0; i < policy.predicates.size(); ++i) probes_.push_back(std::make_unique<Probe>());

  for (size_t i = 0; i < origins.routes.size(); ++i) {
    const compiler::model::RouteId id(static_cast<int32_t>(i));
    const std::string what = "route " + policy.routes[id].name + ": ";
    AddLines(compiled, what + "when", origins.routes[id].Whens(""), One(policy.routes[id].when));
    AddLines(compiled, what + "next when", origins.routes[id].Whens("next"), One(policy.routes[id].next_when));
  }
  for (size_t i = 0; i < origins.upstreams.size(); ++i) {
    const compiler::model::UpstreamId id(static_cast<int32_t>(i));
    const auto& upstream = policy.upstreams[id];
    const std::string what = "upstream " + upstream.name + ": ";
    if (const BlockOrigin* retry = origins.upstreams[id].Block("retry"); retry != nullptr && upstream.retry)
      AddLines(compiled, what + "retry when", retry->Whens(""), {upstream.retry->when});
    if (const BlockOrigin* breaker = origins.upstreams[id].Block("breaker"); breaker != nullptr && upstream.breaker) {
      AddLines(compiled, what + "failure when", breaker->Whens("failure"), One(upstream.breaker->failure_when));
      AddLines(compiled, what + "open when", breaker->Whens("open"), upstream.breaker->open_when);
      AddLines(compiled, what + "close when", breaker->Whens("close"), upstream.breaker->close_when);
    }
  }
  for (size_t i = 0; i < origins.caches.size(); ++i) {
    const compiler::model::CacheId id(static_cast<int32_t>(i));
    AddLines(compiled, "cache " + policy.caches[id].name + ": store when", origins.caches[id].Whens("store"),
             {policy.caches[id].store_when});
  }
  for (const auto& [name, let] : origins.lets) {
    if (!let.condition) continue;
    conditions_.push_back({"let " + std::string(name), let.value});
    for (size_t i = 0; i < probes_.size(); ++i) {
      if (Holds(policy.predicates[PredicateId(static_cast<int32_t>(i))].expr, *let.condition))
        probes_[i]->parts.push_back({conditions_.size() - 1, *let.condition});
    }
  }
}

// `predicates`: one for each line, or one for all of them: any may hold.
void Coverage::AddLines(const compiler::CompiledPolicy& compiled, const std::string& what,
                        const std::vector<const WhenOrigin*>& lines, const std::vector<PredicateId>& predicates) {
  for (size_t i = 0; i < lines.size(); ++i) {
    conditions_.push_back({what, lines[i]->predicate});
    Part part{conditions_.size() - 1, std::nullopt};
    const bool is_joined = predicates.size() == 1 && lines.size() > 1;
    const PredicateId id = predicates[is_joined ? 0 : i];
    if (is_joined) part.expr = compiled.policy.predicates[id].expr.operands[i];
    probes_[static_cast<size_t>(id.value)]->parts.push_back(std::move(part));
  }
}

void Coverage::Watch(compiler::CompiledPolicy* compiled) {
  std::vector<Predicate> watched;
  for (size_t i = 0; i < probes_.size(); ++i) {
    probes_[i]->coverage = this;
    probes_[i]->inner = compiled->predicates.At(PredicateId(static_cast<int32_t>(i)));
    watched.push_back({&Probe::Ask, probes_[i].get()});
  }
  compiled->predicates = compiler::abi::PredicateTable(std::move(watched));
  // An index over conditions of which it can make nothing asks one route after the other.
  compiler::model::Policy opaque = compiled->policy;
  for (size_t i = 0; i < opaque.predicates.size(); ++i) {
    Expr& expr = opaque.predicates[PredicateId(static_cast<int32_t>(i))].expr;
    expr = Expr();
    expr.kind = compiler::model::ExprKind::kField;
    expr.field = compiler::abi::FieldId::k_client_tls;
    expr.type = {compiler::abi::BaseType::kBool, false};
  }
  compiled->routes = compiler::routes::RouteIndex(opaque);
}

void Coverage::Record(const Probe& probe, bool held, const Facts& facts) {
  for (const Part& part : probe.parts) {
    const bool value = part.expr ? compiler::model::Interpret(*part.expr, facts) : held;
    (value ? conditions_[part.condition].was_true : conditions_[part.condition].was_false) = true;
  }
}

std::vector<Condition> Coverage::Conditions() const {
  std::vector<Condition> conditions = conditions_;
  std::stable_sort(conditions.begin(), conditions.end(),
                   [](const Condition& a, const Condition& b) { return a.place.begin < b.place.begin; });
  return conditions;
}

}  // namespace runtime::tester
