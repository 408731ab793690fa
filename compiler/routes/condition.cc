// One function for each kind of expression that says something about a subject; all others say nothing, which is always right.
#include "compiler/routes/condition.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "compiler/abi/fact_table.h"
#include "base/planted_fault.h"

namespace compiler::routes {
namespace {

using abi::BaseType;
using model::CompareOp;
using model::Expr;
using model::ExprKind;
using model::Literal;

constexpr size_t kMostAlternatives = 8;

using AnyOf = std::vector<Conditions>;

AnyOf Nothing() { return {Conditions()}; }

bool Fits(std::string_view text, const Pattern& pattern) {
  return pattern.is_prefix ? text.starts_with(pattern.text) : text == pattern.text;
}

// The text that a literal is, as TextOf gives values: only where equality of texts is what the language compares.
std::optional<std::string_view> TextOf(const Literal& literal) {
  if (literal.type == BaseType::kString) return literal.text;
  if (literal.type == BaseType::kMethod) return abi::Name(static_cast<abi::Method>(literal.integer));
  return std::nullopt;
}

// `value` fits one of the patterns. A value with a default says something only if the default does not fit.
AnyOf Needs(const Expr& value, std::vector<Pattern> patterns) {
  const Expr* read = &value;
  if (value.kind == ExprKind::kCoalesce) {
    if (value.operands[1].kind != ExprKind::kLiteral) return Nothing();
    const auto otherwise = TextOf(value.operands[1].literal);
    if (!otherwise) return Nothing();
    bool may_be_absent =
        std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& p) { return Fits(*otherwise, p); });
    PLANT_FAULT(defaults_forgotten, may_be_absent = false);
    if (may_be_absent) return Nothing();
    read = &value.operands[0];
  }
  const auto subject = SubjectOf(*read);
  if (!subject || patterns.empty()) return Nothing();
  std::sort(patterns.begin(), patterns.end());
  patterns.erase(std::unique(patterns.begin(), patterns.end()), patterns.end());
  return {{{*subject, std::move(patterns)}}};
}

AnyOf OfEquality(const Expr& expr) {
  const bool literal_first = expr.operands[0].kind == ExprKind::kLiteral;
  const Expr& literal = expr.operands[literal_first ? 0 : 1];
  if (literal.kind != ExprKind::kLiteral) return Nothing();
  const auto text = TextOf(literal.literal);
  if (!text) return Nothing();
  return Needs(expr.operands[literal_first ? 1 : 0], {{*text, false}});
}

AnyOf OfSet(const Expr& expr) {
  bool has_networks = !expr.networks.empty();  // which take many texts
  PLANT_FAULT(networks_overlooked, has_networks = false);
  if (has_networks) return Nothing();
  std::vector<Pattern> patterns;
  for (const model::SetMember& member : expr.set) {
    const auto text = TextOf(member.low);
    if (!text) return Nothing();
    patterns.push_back({*text, false});
  }
  PLANT_FAULT(last_of_a_set_lost, if (patterns.size() > 1) patterns.pop_back());
  return Needs(expr.operands[0], std::move(patterns));
}

AnyOf OfStringTest(const Expr& expr) {
  const Expr& pattern = expr.operands[1];
  bool is_start = expr.string_test == model::StringTest::kStartsWith;
  PLANT_FAULT(contains_taken_for_start, is_start = is_start || expr.string_test == model::StringTest::kContains);
  if (!is_start || pattern.kind != ExprKind::kLiteral || pattern.literal.type != BaseType::kString) return Nothing();
  bool is_prefix = true;
  PLANT_FAULT(prefix_taken_for_whole, is_prefix = false);
  return Needs(expr.operands[0], {{pattern.literal.text, is_prefix}});
}

bool SameSubjects(const Conditions& a, const Conditions& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Condition& x, const Condition& y) { return x.subject == y.subject; });
}

// What all of the alternatives have in common: a subject's patterns are those of any.
Conditions Fold(AnyOf alternatives) {
  Conditions common = std::move(alternatives[0]);
  for (size_t i = 1; i < alternatives.size(); ++i) {
    Conditions& next = alternatives[i];
    std::erase_if(common, [&](Condition& condition) {
      const auto other =
          std::find_if(next.begin(), next.end(), [&](const Condition& c) { return c.subject == condition.subject; });
      bool known = other != next.end();
      PLANT_FAULT(or_keeps_the_first, if (!known) return false);
      if (!known) return true;
      std::move(other->any_of.begin(), other->any_of.end(), std::back_inserter(condition.any_of));
      return false;
    });
  }
  for (Condition& condition : common) {
    std::sort(condition.any_of.begin(), condition.any_of.end());
    condition.any_of.erase(std::unique(condition.any_of.begin(), condition.any_of.end()), condition.any_of.end());
  }
  return common;
}

// One of `alternatives`: as few as say the same, at most kMostAlternatives.
AnyOf Either(AnyOf alternatives) {
  for (const Conditions& conditions : alternatives) {
    if (conditions.empty()) return Nothing();
  }
  const bool alike = std::all_of(alternatives.begin(), alternatives.end(),
                                 [&](const Conditions& c) { return SameSubjects(c, alternatives[0]); });
  if (alike || alternatives.size() > kMostAlternatives) return {Fold(std::move(alternatives))};
  return alternatives;
}

// Of two conditions on one subject the one that fewer requests fulfil, as far as one can see.
bool IsNarrower(const Condition& a, const Condition& b) {
  if (a.any_of.size() != b.any_of.size()) return a.any_of.size() < b.any_of.size();
  const Pattern& first = a.any_of[0];
  const Pattern& second = b.any_of[0];
  return first.is_prefix != second.is_prefix ? second.is_prefix : first.text.size() > second.text.size();
}

Conditions Both(const Conditions& a, const Conditions& b) {
  Conditions both = a;
  for (const Condition& condition : b) {
    const auto at = std::lower_bound(both.begin(), both.end(), condition,
                                     [](const Condition& x, const Condition& y) { return x.subject < y.subject; });
    if (at == both.end() || at->subject != condition.subject) both.insert(at, condition);
    else if (IsNarrower(condition, *at)) *at = condition;
  }
  return both;
}

bool SaysNothing(const AnyOf& any_of) { return any_of.size() == 1 && any_of[0].empty(); }

AnyOf Each(AnyOf a, AnyOf b) {
  if (SaysNothing(b)) return a;
  if (SaysNothing(a) && b.size() <= kMostAlternatives) return b;
  if (a.size() * b.size() > kMostAlternatives) b = {Fold(std::move(b))};
  AnyOf each;
  for (const Conditions& x : a) {
    for (const Conditions& y : b) each.push_back(Both(x, y));
  }
  return each;
}

// Of `expr`, or of its negation.
AnyOf Read(const Expr& expr, bool negated) {
  switch (expr.kind) {
    case ExprKind::kNot: return Read(expr.operands[0], !negated);
    case ExprKind::kAnd:
    case ExprKind::kOr: {
      bool all = (expr.kind == ExprKind::kAnd) != negated;
      PLANT_FAULT(not_changes_no_word, all = expr.kind == ExprKind::kAnd);
      AnyOf result = all ? Nothing() : AnyOf();
      for (const Expr& operand : expr.operands) {
        AnyOf one = Read(operand, negated);
        if (all) result = Each(std::move(result), std::move(one));
        else std::move(one.begin(), one.end(), std::back_inserter(result));
      }
      return all ? result : Either(std::move(result));
    }
    case ExprKind::kCompare: {
      bool is_equality = expr.compare == (negated ? CompareOp::kNe : CompareOp::kEq);
      PLANT_FAULT(not_equal_taken_for_equal, is_equality = is_equality || expr.compare == CompareOp::kNe);
      return is_equality ? OfEquality(expr) : Nothing();
    }
    case ExprKind::kIn: return negated ? Nothing() : OfSet(expr);
    case ExprKind::kStringTest: return negated ? Nothing() : OfStringTest(expr);
    default: return Nothing();
  }
}

}  // namespace

std::vector<Conditions> Alternatives(const Expr& expr) { return Read(expr, false); }

}  // namespace compiler::routes
