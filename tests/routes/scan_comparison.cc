#include "tests/routes/scan_comparison.h"

#include <limits>
#include <optional>
#include <vector>

#include "base/cidr.h"
#include "compiler/model/interpret.h"
#include "compiler/model/print.h"
#include "compiler/routes/route_index.h"
#include "tests/oracle/expr_builder.h"
#include "tests/oracle/random_world.h"

namespace tests::routes {
namespace {

using namespace oracle;  // builders of expressions
using compiler::abi::Facts;
using compiler::abi::FamilyId;
using compiler::abi::FieldId;
using compiler::abi::JsonKind;
using compiler::abi::JsonValue;
using compiler::abi::Method;
using compiler::abi::Predicate;
using compiler::abi::PredicateId;
using compiler::abi::PredicateTable;
using compiler::abi::Str;
using compiler::model::Policy;
using compiler::model::RouteId;

// Few, so that a request often meets a text of a route; each begins others.
constexpr const char* kTexts[] = {"",     "a",     "ab",        "abc",         "b",   "/",
                                  "/api", "/api/", "/api/chat", "/api/chat/x", "GET", "10.1.2.3"};
constexpr int32_t kMethods = 4;  // kOther among them

// ---- Routes ----------------------------------------------------------------------------------------------------------

Literal RandomText(Chance& chance) { return Text(chance.Pick(kTexts)); }

// A text that is part of a request, now and then with a default.
Expr RandomSubject(Chance& chance) {
  constexpr FieldId kFields[] = {FieldId::k_request_path, FieldId::k_request_path, FieldId::k_request_host,
                                 FieldId::k_client_ip};
  constexpr FamilyId kFamilies[] = {FamilyId::k_request_header, FamilyId::k_request_query, FamilyId::k_request_json};
  if (chance.OneIn(2)) return Field(chance.Pick(kFields));
  Expr slot = Slot(chance.Pick(kFamilies), static_cast<int32_t>(chance.Below(kSlotsOfEachFamily)));
  if (!chance.OneIn(4)) return slot;
  if (chance.OneIn(8)) return Coalesce(BaseType::kString, std::move(slot), Field(FieldId::k_request_host));
  return Coalesce(BaseType::kString, std::move(slot), OfLiteral(RandomText(chance)));
}

Literal RandomMethod(Chance& chance) {
  return Integer(BaseType::kMethod, static_cast<int64_t>(1 + chance.Below(kMethods - 1)));
}

std::vector<SetMember> RandomSet(Chance& chance, bool of_methods, bool of_json) {
  std::vector<SetMember> set;
  for (size_t i = 1 + chance.Below(4); i > 0; --i) {
    set.push_back({of_methods ? RandomMethod(chance) : RandomText(chance), 0});
    if (of_json && chance.OneIn(8)) set.push_back({Integer(BaseType::kInt, 1), 0});
  }
  return set;
}

Expr RandomTerm(Chance& chance) {
  if (chance.OneIn(10)) return RandomCondition(chance, 1);  // anything that the language has
  if (chance.OneIn(6)) {
    Expr method = Field(FieldId::k_request_method);
    if (chance.OneIn(3)) return In(std::move(method), RandomSet(chance, true, false));
    return oracle::Compare(std::move(method), chance.OneIn(4) ? CompareOp::kNe : CompareOp::kEq,
                           OfLiteral(RandomMethod(chance)));
  }
  Expr subject = RandomSubject(chance);
  switch (chance.Below(5)) {
    case 0: {
      const bool of_json = subject.type.base == BaseType::kJson;
      Expr in = In(std::move(subject), RandomSet(chance, false, of_json));
      base::CidrError error;
      if (chance.OneIn(3)) in.networks.push_back(base::ParseCidr("10.0.0.0/8", &error).value());
      return in;
    }
    case 1: {
      constexpr StringTest kTests[] = {StringTest::kStartsWith, StringTest::kStartsWith, StringTest::kStartsWith,
                                       StringTest::kEndsWith, StringTest::kContains};
      Expr pattern = chance.OneIn(16) ? Field(FieldId::k_request_host) : OfLiteral(RandomText(chance));
      return TestText(std::move(subject), chance.Pick(kTests), std::move(pattern));
    }
    default: {
      Expr text = chance.OneIn(16) ? Field(FieldId::k_request_host) : OfLiteral(RandomText(chance));
      if (chance.OneIn(4)) std::swap(subject, text);
      return oracle::Compare(std::move(subject), chance.OneIn(6) ? CompareOp::kNe : CompareOp::kEq, std::move(text));
    }
  }
}

Expr RandomWhen(Chance& chance, int depth) {
  if (depth == 0 || chance.OneIn(4)) return RandomTerm(chance);
  if (chance.OneIn(8)) return Condition(ExprKind::kNot, {RandomWhen(chance, depth - 1)});
  const bool is_or = chance.OneIn(4);
  std::vector<Expr> operands;
  for (size_t i = 2 + chance.Below(is_or && chance.OneIn(4) ? 12 : 2); i > 0; --i) {
    operands.push_back(RandomWhen(chance, depth - 1));
  }
  return Condition(is_or ? ExprKind::kOr : ExprKind::kAnd, std::move(operands));
}

Policy RandomRoutes(Chance& chance, int most) {
  Policy policy;
  for (size_t i = chance.Below(static_cast<size_t>(most) + 1); i > 0; --i) {
    compiler::model::RouteSettings route;
    if (policy.predicates.size() > 0 && chance.OneIn(8)) {
      route.when = PredicateId(static_cast<int32_t>(chance.Below(policy.predicates.size())));  // equal ones are one
    } else if (!chance.OneIn(40)) {
      route.when = policy.predicates.Add({RandomWhen(chance, 3), compiler::abi::Phase::kRoute});
    }
    policy.routes.Add(std::move(route));
  }
  return policy;
}

// ---- Requests --------------------------------------------------------------------------------------------------------

// What a request says, over what else a predicate might read.
class RandomRequest {
 public:
  RandomRequest(Chance& chance, const GuardedTexts& texts) : rest_(chance, texts), facts_(rest_.facts()) {
    const auto text = [&] { return Str::Of(chance.Pick(kTexts)); };
    facts_.request_method = static_cast<int32_t>(chance.Below(kMethods));
    facts_.request_path = text();
    facts_.request_host = text();
    facts_.client_ip = text();
    if (chance.OneIn(16)) facts_.client_ip = Str{};  // empty: it is never absent
    for (int32_t i = 0; i < kSlotsOfEachFamily; ++i) {
      headers_.push_back(chance.OneIn(4) ? Str{} : text());
      queries_.push_back(chance.OneIn(4) ? Str{} : text());
      JsonValue json = rest_.facts().request_json[i];
      if (!chance.OneIn(3)) {
        json.kind = JsonKind::kString;
        json.text = text();
      }
      members_.push_back(json);
    }
    facts_.request_header = headers_.data();
    facts_.request_query = queries_.data();
    facts_.request_json = members_.data();
  }
  RandomRequest(const RandomRequest&) = delete;
  RandomRequest& operator=(const RandomRequest&) = delete;

  const Facts& facts() const { return facts_; }

 private:
  RandomFacts rest_;
  Facts facts_;
  std::vector<Str> headers_;
  std::vector<Str> queries_;
  std::vector<JsonValue> members_;
};

// ---- Comparison ------------------------------------------------------------------------------------------------------

// The interpreter, which counts how often it is asked.
struct CountingPredicate {
  const Expr* expr;
  int64_t* asked;

  static int32_t Call(const void* self, const Facts* facts) noexcept {
    const auto& predicate = *static_cast<const CountingPredicate*>(self);
    ++*predicate.asked;
    return compiler::model::Interpret(*predicate.expr, *facts) ? 1 : 0;
  }
};

std::optional<RouteId> Scan(const Policy& policy, const Facts& facts, const PredicateTable& predicates) {
  for (size_t i = 0; i < policy.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    if (!policy.routes[id].when || predicates.Test(*policy.routes[id].when, facts)) return id;
  }
  return std::nullopt;
}

std::string Describe(const Policy& policy, std::optional<RouteId> by_scan, std::optional<RouteId> by_index) {
  const auto describe = [&](std::optional<RouteId> id) {
    if (!id) return std::string("no route");
    const auto& when = policy.routes[*id].when;
    return "route " + std::to_string(id->value) + " (" +
           (when ? compiler::model::Print(policy.predicates[*when].expr) : "always") + ")";
  };
  return "a scan finds " + describe(by_scan) + ", the index " + describe(by_index);
}

}  // namespace

void CompareWithScan(uint64_t seed, const ComparisonSize& size, ComparisonReport* report) {
  Chance chance(seed);
  const GuardedTexts texts;
  size_t smallest = std::numeric_limits<size_t>::max();
  for (int i = 0; i < size.policies; ++i) {
    const Policy policy = RandomRoutes(chance, size.most_routes);
    int64_t asked = 0;
    size_t nodes = 0;
    std::vector<CountingPredicate> counting;
    for (const auto& predicate : policy.predicates) {
      counting.push_back({&predicate.expr, &asked});
      nodes += CountNodes(predicate.expr);
    }
    std::vector<Predicate> calls;
    for (const CountingPredicate& predicate : counting) calls.push_back({&CountingPredicate::Call, &predicate});
    const PredicateTable predicates(std::move(calls));
    const compiler::routes::RouteIndex index(policy);
    for (int k = 0; k < size.requests; ++k) {
      const RandomRequest request(chance, texts);
      asked = 0;
      const auto by_scan = Scan(policy, request.facts(), predicates);
      report->asked_by_scan += asked;
      asked = 0;
      const auto by_index = index.Find(request.facts(), predicates);
      report->asked_by_index += asked;
      ++report->pairs;
      if (!by_scan) ++report->without_route;
      else if (by_scan->value > 0) ++report->behind_others;
      if (by_scan == by_index) continue;
      ++report->differences;
      if (nodes >= smallest) continue;
      smallest = nodes;
      report->smallest_difference = "seed " + std::to_string(seed) + ", policy " + std::to_string(i) + ", request " +
                                    std::to_string(k) + ": " + Describe(policy, by_scan, by_index);
    }
  }
}

}  // namespace tests::routes
