#include "tests/oracle/oracle.h"

#include <deque>
#include <limits>
#include <set>

#include "compiler/jit/jit.h"
#include "compiler/model/interpret.h"
#include "compiler/model/print.h"
#include "tests/oracle/random_world.h"

namespace tests::oracle {
namespace {

constexpr const char* kCompareNames[] = {"==", "!=", "<", "<=", ">", ">="};
constexpr const char* kTestNames[] = {"starts_with", "ends_with", "contains"};

bool IsJunction(ExprKind kind) { return kind == ExprKind::kAnd || kind == ExprKind::kOr || kind == ExprKind::kNot; }

std::string OperatorName(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kLiteral: return "operator literal";
    case ExprKind::kField: return "operator field";
    case ExprKind::kSlot: return "operator slot";
    case ExprKind::kWindow: return "operator window";
    case ExprKind::kNot: return "operator not";
    case ExprKind::kAnd: return "operator and";
    case ExprKind::kOr: return "operator or";
    case ExprKind::kCompare: return std::string("operator ") + kCompareNames[static_cast<size_t>(expr.compare)];
    case ExprKind::kIsNone: return "operator == none";
    case ExprKind::kIn: return expr.networks.empty() ? "operator in" : "operator in networks";
    case ExprKind::kStringTest: return std::string("operator ") + kTestNames[static_cast<size_t>(expr.string_test)];
    case ExprKind::kMatches: return "operator matches";
    case ExprKind::kCoalesce: return "operator ??";
  }
  return "?";
}

// What an atom is made of, without the conditions that it may contain.
void CollectNames(const Expr& expr, std::set<std::string>* names) {
  names->insert(OperatorName(expr));
  names->insert("type " + std::string(compiler::abi::Name(expr.type.base)));
  switch (expr.kind) {
    case ExprKind::kField:
      names->insert("field " + std::string(compiler::abi::Fields()[static_cast<size_t>(expr.field)].name));
      break;
    case ExprKind::kSlot:
      names->insert("family " + std::string(compiler::abi::Families()[static_cast<size_t>(expr.family)].name));
      break;
    case ExprKind::kWindow:  // the random world has one slot for each measure
      names->insert("window " + std::string(compiler::abi::WindowMeasures()[static_cast<size_t>(expr.slot)].name));
      break;
    default: break;
  }
  if (IsJunction(expr.kind)) return;
  for (const Expr& operand : expr.operands) CollectNames(operand, names);
}

void Cover(const Expr& expr, const compiler::abi::Facts& facts, std::map<std::string, Seen>* coverage) {
  std::set<std::string> names;
  CollectNames(expr, &names);
  const bool holds = compiler::model::Interpret(expr, facts);
  for (const std::string& name : names) {
    Seen& seen = (*coverage)[name];
    (holds ? seen.when_true : seen.when_false) += 1;
  }
  if (!IsJunction(expr.kind)) return;
  for (const Expr& operand : expr.operands) Cover(operand, facts, coverage);
}

}  // namespace

std::vector<std::string> EverythingToSee() {
  std::vector<std::string> names = {"operator literal", "operator field", "operator slot",    "operator window",
                                    "operator not",     "operator and",   "operator or",      "operator == none",
                                    "operator in",      "operator ??",    "operator matches", "operator in networks"};
  for (const char* name : kCompareNames) names.push_back(std::string("operator ") + name);
  for (const char* name : kTestNames) names.push_back(std::string("operator ") + name);
  for (size_t base = 0; base < static_cast<size_t>(BaseType::kNone); ++base) {
    names.push_back("type " + std::string(compiler::abi::Name(static_cast<BaseType>(base))));
  }
  for (const auto& field : compiler::abi::Fields()) names.push_back("field " + std::string(field.name));
  for (const auto& family : compiler::abi::Families()) names.push_back("family " + std::string(family.name));
  for (const auto& measure : compiler::abi::WindowMeasures()) names.push_back("window " + std::string(measure.name));
  return names;
}

void RunOracle(uint64_t seed, const OracleSize& size, OracleReport* report) {
  Chance chance(seed);
  std::vector<Expr> conditions;
  for (int i = 0; i < size.predicates; ++i) conditions.push_back(RandomCondition(chance, size.depth));
  auto policy = PolicyOf(std::move(conditions));
  policy.patterns = RandomPatterns();
  const compiler::jit::JitResult jit = compiler::jit::CompilePredicates(policy);
  if (jit.code == nullptr) {
    report->error = jit.error;
    return;
  }
  const compiler::abi::PredicateTable interpreted = compiler::model::InterpretedPredicates(policy);

  const GuardedTexts texts;
  std::deque<RandomFacts> worlds;
  for (int i = 0; i < 4 * size.facts_per_predicate; ++i) worlds.emplace_back(chance, texts);

  size_t smallest = std::numeric_limits<size_t>::max();
  for (int32_t i = 0; i < size.predicates; ++i) {
    const compiler::abi::PredicateId id(i);
    const Expr& expr = policy.predicates[id].expr;
    ++report->predicates;
    for (int k = 0; k < size.facts_per_predicate; ++k) {
      const compiler::abi::Facts& facts = chance.Pick(worlds).facts();
      const bool machine = jit.predicates.Test(id, facts);
      const bool reference = interpreted.Test(id, facts);
      ++report->pairs;
      if (machine != reference) {
        ++report->differences;
        if (CountNodes(expr) < smallest) {
          smallest = CountNodes(expr);
          report->smallest_difference = "seed " + std::to_string(seed) + ", predicate " + std::to_string(i) + " is " +
                                        (machine ? "true" : "false") +
                                        " as machine code: " + compiler::model::Print(expr);
        }
      }
      if (k < 4) Cover(expr, facts, &report->coverage);
    }
  }
}

}  // namespace tests::oracle
