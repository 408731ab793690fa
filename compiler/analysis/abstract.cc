#include "compiler/analysis/abstract.h"

#include <algorithm>

namespace compiler::analysis {
namespace {

using abi::BaseType;
using model::CompareOp;
using model::Expr;
using model::ExprKind;

constexpr long double kInfinity = std::numeric_limits<long double>::infinity();

Abstract Number(long double low, long double high) { return {false, true, true, low, high}; }

Abstract OfType(abi::Type type) {
  Abstract value;
  switch (type.base) {
    case BaseType::kBool: value = Number(0, 1); break;
    case BaseType::kStatus: value = Number(100, 599); break;
    case BaseType::kError: value = Number(1, kInfinity); break;
    case BaseType::kMethod:
    case BaseType::kDuration:
    case BaseType::kSize: value = Number(0, kInfinity); break;
    case BaseType::kInt: value = Number(-kInfinity, kInfinity); break;
    default: break;
  }
  value.may_be_absent = type.optional;
  return value;
}

Truth Not(Truth truth) {
  if (truth == Truth::kMaybe) return truth;
  return truth == Truth::kNever ? Truth::kAlways : Truth::kNever;
}

// `among`: the truth where both values are present.
Truth WherePresent(Truth among, bool may_be_absent, bool may_be_present) {
  if (!may_be_present) return Truth::kNever;
  return may_be_absent && among == Truth::kAlways ? Truth::kMaybe : among;
}

Truth Equal(const Abstract& a, const Abstract& b) {
  Truth among = Truth::kMaybe;
  if (a.is_number && b.is_number) {
    if (a.high < b.low || b.high < a.low) among = Truth::kNever;
    else if (a.low == a.high && b.low == b.high) among = Truth::kAlways;
  }
  return WherePresent(among, a.may_be_absent || b.may_be_absent, a.may_be_present && b.may_be_present);
}

// a < b, or a ≤ b.
Truth Less(const Abstract& a, const Abstract& b, bool or_equal) {
  Truth among = Truth::kMaybe;
  if (a.is_number && b.is_number) {
    if (or_equal ? a.high <= b.low : a.high < b.low) among = Truth::kAlways;
    else if (or_equal ? a.low > b.high : a.low >= b.high) among = Truth::kNever;
  }
  return WherePresent(among, a.may_be_absent || b.may_be_absent, a.may_be_present && b.may_be_present);
}

Abstract OfLiteral(const model::Literal& literal) {
  switch (literal.type) {
    case BaseType::kBool:
    case BaseType::kInt:
    case BaseType::kDuration:
    case BaseType::kSize:
    case BaseType::kStatus:
    case BaseType::kMethod:
    case BaseType::kError: return Number(literal.integer, literal.integer);
    case BaseType::kNumber:
    case BaseType::kPercent: return Number(literal.number, literal.number);
    default: return {};
  }
}

Truth IsIn(const Abstract& value, const Expr& expr) {
  Truth among = expr.networks.empty() ? Truth::kNever : Truth::kMaybe;
  for (const model::SetMember& member : expr.set) {
    const Abstract literal =
        member.low.type == BaseType::kStatus ? Number(member.low.integer, member.high) : OfLiteral(member.low);
    if (!value.is_number || !literal.is_number) {
      among = std::max(among, Truth::kMaybe);
    } else if (literal.low <= value.low && value.high <= literal.high) {
      among = Truth::kAlways;
    } else if (value.low <= literal.high && literal.low <= value.high) {
      among = std::max(among, Truth::kMaybe);
    }
  }
  return WherePresent(among, value.may_be_absent, value.may_be_present);
}

Abstract Value(const Expr& expr, const Known& known);

Truth OfBool(const Abstract& value) {
  if (!value.may_be_present || (value.is_number && value.high == 0)) return Truth::kNever;
  return value.is_number && value.low > 0 && !value.may_be_absent ? Truth::kAlways : Truth::kMaybe;
}

Abstract Value(const Expr& expr, const Known& known) {
  switch (expr.kind) {
    case ExprKind::kLiteral: return OfLiteral(expr.literal);
    case ExprKind::kField: return known.Field(expr.field);
    case ExprKind::kSlot: return {true, true, false, 0, 0};
    case ExprKind::kWindow: return known.Window(expr.slot);
    case ExprKind::kCoalesce: {
      const Abstract first = Value(expr.operands[0], known);
      const Abstract second = Value(expr.operands[1], known);
      if (!first.may_be_present) return second;
      // A JSON member of another type counts as absent.
      if (!first.may_be_absent && expr.operands[0].type.base != BaseType::kJson) return first;
      Abstract both{second.may_be_absent, true, first.is_number && second.is_number && second.may_be_present,
                    std::min(first.low, second.low), std::max(first.high, second.high)};
      return both;
    }
    default: {
      const Truth truth = Evaluate(expr, known);
      return Number(truth == Truth::kAlways ? 1 : 0, truth == Truth::kNever ? 0 : 1);
    }
  }
}

}  // namespace

Known::Known() {
  for (const abi::FieldInfo& field : abi::Fields()) fields_[static_cast<size_t>(field.id)] = OfType(field.type);
  Set(abi::FieldId::k_attempt, 1, std::numeric_limits<int64_t>::max());
}

Known& Known::Set(abi::FieldId field, int64_t low, int64_t high) {
  fields_[static_cast<size_t>(field)] = Number(low, high);
  return *this;
}

Known& Known::SetAbsent(abi::FieldId field) {
  fields_[static_cast<size_t>(field)] = {true, false, false, 0, 0};
  return *this;
}

Known& Known::SetWindow(size_t slot, long double low, long double high) {
  if (windows_.size() <= slot) windows_.resize(slot + 1, Number(0, kInfinity));
  windows_[slot] = Number(low, high);
  return *this;
}

Abstract Known::Window(int32_t slot) const {
  return static_cast<size_t>(slot) < windows_.size() ? windows_[static_cast<size_t>(slot)] : Number(0, kInfinity);
}

Truth Evaluate(const Expr& expr, const Known& known) {
  switch (expr.kind) {
    case ExprKind::kNot: return Not(Evaluate(expr.operands[0], known));
    case ExprKind::kAnd: {
      Truth all = Truth::kAlways;
      for (const Expr& operand : expr.operands) all = std::min(all, Evaluate(operand, known));
      return all;
    }
    case ExprKind::kOr: {
      Truth any = Truth::kNever;
      for (const Expr& operand : expr.operands) any = std::max(any, Evaluate(operand, known));
      return any;
    }
    case ExprKind::kCompare: {
      const Abstract a = Value(expr.operands[0], known);
      const Abstract b = Value(expr.operands[1], known);
      switch (expr.compare) {
        case CompareOp::kEq: return Equal(a, b);
        case CompareOp::kNe: return Not(Equal(a, b));
        case CompareOp::kLt: return Less(a, b, false);
        case CompareOp::kLe: return Less(a, b, true);
        case CompareOp::kGt: return Less(b, a, false);
        case CompareOp::kGe: return Less(b, a, true);
      }
      return Truth::kMaybe;
    }
    case ExprKind::kIsNone: {
      const Abstract value = Value(expr.operands[0], known);
      if (!value.may_be_absent) return Truth::kNever;
      return value.may_be_present ? Truth::kMaybe : Truth::kAlways;
    }
    case ExprKind::kIn: return IsIn(Value(expr.operands[0], known), expr);
    case ExprKind::kStringTest: {
      const bool never =
          !Value(expr.operands[0], known).may_be_present || !Value(expr.operands[1], known).may_be_present;
      return never ? Truth::kNever : Truth::kMaybe;
    }
    case ExprKind::kMatches: return Value(expr.operands[0], known).may_be_present ? Truth::kMaybe : Truth::kNever;
    case ExprKind::kLiteral:
    case ExprKind::kField:
    case ExprKind::kSlot:
    case ExprKind::kWindow:
    case ExprKind::kCoalesce: return OfBool(Value(expr, known));
  }
  return Truth::kMaybe;
}

}  // namespace compiler::analysis
