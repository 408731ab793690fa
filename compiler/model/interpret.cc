// The reference evaluator. It follows the words of expr.h one by one and shares no code with the lowering or its
// helpers, so that a mistake in one of them shows as a difference.
#include "compiler/model/interpret.h"

#include <bit>
#include <cstring>
#include <limits>
#include <optional>

#include "compiler/model/value.h"

namespace compiler::model {
namespace {

using abi::BaseType;
using abi::JsonKind;
using abi::JsonValue;

// Every int64_t and every double is a long double: comparisons between them are exact.
static_assert(std::numeric_limits<long double>::digits >= 64);

template <typename T>
T Load(const abi::Facts& facts, size_t offset) {
  T value;
  std::memcpy(&value, reinterpret_cast<const char*>(&facts) + offset, sizeof(T));
  return value;
}

Value Absent(BaseType base) {
  Value value;
  value.base = base;
  return value;
}

Value OfInteger(BaseType base, int64_t integer) {
  Value value = Absent(base);
  value.present = true;
  value.integer = integer;
  return value;
}

Value OfNumber(BaseType base, double number) {
  Value value = Absent(base);
  value.present = true;
  value.number = number;
  return value;
}

Value OfText(BaseType base, std::string_view text) {
  Value value = Absent(base);
  value.present = true;
  value.text = text;
  return value;
}

Value OfBool(bool truth) { return OfInteger(BaseType::kBool, truth ? 1 : 0); }

Value OfJson(const JsonValue& json) {
  Value value = Absent(BaseType::kJson);
  value.present = json.kind != JsonKind::kAbsent && json.kind != JsonKind::kNull;
  value.json = json;
  return value;
}

Value OfStored(abi::Type type, const abi::Str& text) {
  if (type.optional && !text.has_value()) return Absent(type.base);
  return OfText(type.base, text.size == 0 ? std::string_view("") : text.view());
}

Value OfStored(abi::Type type, int64_t integer) {
  if (type.optional && integer == abi::kAbsentInt) return Absent(type.base);
  return OfInteger(type.base, integer);
}

Value OfField(const abi::FieldInfo& field, const abi::Facts& facts) {
  switch (field.type.base) {
    case BaseType::kBool: return OfBool(Load<uint8_t>(facts, field.offset) != 0);
    case BaseType::kInt:
    case BaseType::kDuration:
    case BaseType::kSize:
    case BaseType::kStatus: return OfStored(field.type, Load<int64_t>(facts, field.offset));
    case BaseType::kMethod: return OfInteger(BaseType::kMethod, Load<int32_t>(facts, field.offset));
    case BaseType::kError: {
      const int32_t error = Load<int32_t>(facts, field.offset);
      if (field.type.optional && error == 0) return Absent(BaseType::kError);
      return OfInteger(BaseType::kError, error);
    }
    case BaseType::kString:
    case BaseType::kSecret: return OfStored(field.type, Load<abi::Str>(facts, field.offset));
    case BaseType::kJson: return OfJson(Load<JsonValue>(facts, field.offset));
    case BaseType::kNumber:
    case BaseType::kPercent:
    case BaseType::kNone:
    case BaseType::kInvalid: break;
  }
  return Absent(field.type.base);
}

Value OfSlot(const abi::FamilyInfo& family, int32_t slot, const abi::Facts& facts) {
  if (family.type.base == BaseType::kJson) {
    return OfJson(Load<const JsonValue*>(facts, family.offset)[slot]);
  }
  return OfStored(family.type, Load<const abi::Str*>(facts, family.offset)[slot]);
}

Value OfLiteral(const Literal& literal) {
  switch (literal.type) {
    case BaseType::kBool:
    case BaseType::kInt:
    case BaseType::kDuration:
    case BaseType::kSize:
    case BaseType::kStatus:
    case BaseType::kMethod:
    case BaseType::kError: return OfInteger(literal.type, literal.integer);
    case BaseType::kNumber:
    case BaseType::kPercent: return OfNumber(literal.type, literal.number);
    case BaseType::kString:
    case BaseType::kSecret: return OfText(literal.type, literal.text);
    case BaseType::kJson: {
      JsonValue json;
      json.kind = literal.text.starts_with('[') ? JsonKind::kArray : JsonKind::kObject;
      json.text = abi::Str::Of(literal.text);
      return OfJson(json);
    }
    case BaseType::kNone:
    case BaseType::kInvalid: break;
  }
  return Absent(literal.type);
}

bool IsText(BaseType base) { return base == BaseType::kString || base == BaseType::kSecret; }

// `value` as a value of `base`, absent when it is a Json of another type.
Value Convert(const Value& value, BaseType base) {
  if (!value.present) return Absent(base);
  if (base == BaseType::kNumber && value.base == BaseType::kInt)
    return OfNumber(base, static_cast<double>(value.integer));
  if (value.base != BaseType::kJson || base == BaseType::kJson) return value;
  const JsonValue& json = value.json;
  if (base == BaseType::kBool && json.kind == JsonKind::kBool) return OfBool(json.integer != 0);
  if (base == BaseType::kInt && json.kind == JsonKind::kInteger) return OfInteger(base, json.integer);
  if (base == BaseType::kNumber && json.kind == JsonKind::kInteger)
    return OfNumber(base, static_cast<double>(json.integer));
  if (base == BaseType::kNumber && json.kind == JsonKind::kNumber) return OfNumber(base, json.number);
  if (IsText(base) && json.kind == JsonKind::kString) return OfText(base, json.text.view());
  return Absent(base);
}

// The number that a value is, if it is one that Int, Number and Percent compare with.
std::optional<long double> NumberOf(const Value& value) {
  switch (value.base) {
    case BaseType::kBool:
    case BaseType::kInt:
    case BaseType::kDuration:
    case BaseType::kSize:
    case BaseType::kStatus:
    case BaseType::kMethod:
    case BaseType::kError: return value.integer;
    case BaseType::kNumber:
    case BaseType::kPercent: return value.number;
    case BaseType::kJson:
      if (value.json.kind == JsonKind::kInteger) return value.json.integer;
      if (value.json.kind == JsonKind::kNumber) return value.json.number;
      break;
    case BaseType::kString:
    case BaseType::kSecret:
    case BaseType::kNone:
    case BaseType::kInvalid: break;
  }
  return std::nullopt;
}

bool JsonEqualsJson(const JsonValue& a, const JsonValue& b) {
  if (a.kind == JsonKind::kBool && b.kind == JsonKind::kBool) return (a.integer != 0) == (b.integer != 0);
  const std::optional<long double> a_number = NumberOf(OfJson(a));
  const std::optional<long double> b_number = NumberOf(OfJson(b));
  if (a_number || b_number) return a_number && b_number && *a_number == *b_number;
  return a.kind == b.kind && a.text.view() == b.text.view();
}

bool Equal(const Value& a, const Value& b) {
  if (!a.present || !b.present) return false;
  if (a.base == BaseType::kJson && b.base == BaseType::kJson) return JsonEqualsJson(a.json, b.json);
  if (a.base == BaseType::kJson || b.base == BaseType::kJson) {
    const Value& json = a.base == BaseType::kJson ? a : b;
    const Value& other = a.base == BaseType::kJson ? b : a;
    if (IsText(other.base)) return json.json.kind == JsonKind::kString && json.json.text.view() == other.text;
    if (other.base == BaseType::kBool) {
      return json.json.kind == JsonKind::kBool && (json.json.integer != 0) == (other.integer != 0);
    }
    return NumberOf(json) && NumberOf(other) && *NumberOf(json) == *NumberOf(other);
  }
  if (IsText(a.base) || IsText(b.base)) return IsText(a.base) && IsText(b.base) && a.text == b.text;
  return NumberOf(a) && NumberOf(b) && *NumberOf(a) == *NumberOf(b);
}

// Whether a < b; false for what has no order.
bool Less(const Value& a, const Value& b) {
  if (!a.present || !b.present || a.base == BaseType::kJson || b.base == BaseType::kJson) return false;
  if (IsText(a.base) && IsText(b.base)) return a.text < b.text;
  return NumberOf(a) && NumberOf(b) && *NumberOf(a) < *NumberOf(b);
}

bool Compare(CompareOp op, const Value& a, const Value& b) {
  switch (op) {
    case CompareOp::kEq: return Equal(a, b);
    case CompareOp::kNe: return !Equal(a, b);
    case CompareOp::kLt: return Less(a, b);
    case CompareOp::kLe: return Less(a, b) || (a.base != BaseType::kJson && b.base != BaseType::kJson && Equal(a, b));
    case CompareOp::kGt: return Less(b, a);
    case CompareOp::kGe: return Less(b, a) || (a.base != BaseType::kJson && b.base != BaseType::kJson && Equal(a, b));
  }
  return false;
}

// Bit by bit, beside the bytes that Cidr::Contains compares.
bool IsInNetworks(const Value& value, const std::vector<base::Cidr>& networks) {
  const Value text = Convert(value, BaseType::kString);
  const std::optional<base::IpAddress> address = text.present ? base::ParseIp(text.text) : std::nullopt;
  if (!address) return false;
  const auto bit = [](const base::IpAddress& a, size_t i) { return (a.bytes[i / 8] >> (7 - i % 8)) & 1; };
  for (const base::Cidr& network : networks) {
    bool inside = true;
    for (size_t i = 0; i < static_cast<size_t>(network.prefix); ++i)
      inside = inside && bit(*address, i) == bit(network.network, i);
    if (inside) return true;
  }
  return false;
}

bool IsIn(const Value& value, const std::vector<SetMember>& set) {
  for (const SetMember& member : set) {
    if (member.low.type == BaseType::kStatus) {
      if (value.present && value.base != BaseType::kJson && member.low.integer <= value.integer &&
          value.integer <= member.high) {
        return true;
      }
    } else if (Equal(value, OfLiteral(member.low))) {
      return true;
    }
  }
  return false;
}

bool TestString(StringTest test, const Value& subject, const Value& pattern) {
  const Value text = Convert(subject, BaseType::kString);
  const Value wanted = Convert(pattern, BaseType::kString);
  if (!text.present || !wanted.present) return false;
  switch (test) {
    case StringTest::kStartsWith: return text.text.starts_with(wanted.text);
    case StringTest::kEndsWith: return text.text.ends_with(wanted.text);
    case StringTest::kContains: return text.text.find(wanted.text) != std::string_view::npos;
  }
  return false;
}

int32_t CallInterpreter(const void* self, const abi::Facts* facts) noexcept {
  return Interpret(*static_cast<const Expr*>(self), *facts) ? 1 : 0;
}

}  // namespace

Value Evaluate(const Expr& expr, const abi::Facts& facts) {
  switch (expr.kind) {
    case ExprKind::kLiteral: return OfLiteral(expr.literal);
    case ExprKind::kField: return OfField(abi::Fields()[static_cast<size_t>(expr.field)], facts);
    case ExprKind::kSlot: return OfSlot(abi::Families()[static_cast<size_t>(expr.family)], expr.slot, facts);
    case ExprKind::kWindow:
      if (expr.type.base == BaseType::kPercent)
        return OfNumber(expr.type.base, std::bit_cast<double>(facts.window[expr.slot]));
      return OfInteger(expr.type.base, facts.window[expr.slot]);
    case ExprKind::kNot: return OfBool(!Interpret(expr.operands[0], facts));
    case ExprKind::kAnd:
      for (const Expr& operand : expr.operands) {
        if (!Interpret(operand, facts)) return OfBool(false);
      }
      return OfBool(true);
    case ExprKind::kOr:
      for (const Expr& operand : expr.operands) {
        if (Interpret(operand, facts)) return OfBool(true);
      }
      return OfBool(false);
    case ExprKind::kCompare:
      return OfBool(Compare(expr.compare, Evaluate(expr.operands[0], facts), Evaluate(expr.operands[1], facts)));
    case ExprKind::kIsNone: return OfBool(!Evaluate(expr.operands[0], facts).present);
    case ExprKind::kIn: {
      const Value value = Evaluate(expr.operands[0], facts);
      return OfBool(IsIn(value, expr.set) || IsInNetworks(value, expr.networks));
    }
    case ExprKind::kStringTest:
      return OfBool(TestString(expr.string_test, Evaluate(expr.operands[0], facts), Evaluate(expr.operands[1], facts)));
    case ExprKind::kMatches: {
      const Value text = Convert(Evaluate(expr.operands[0], facts), BaseType::kString);
      return OfBool(text.present && expr.pattern->IsFoundIn(text.text));
    }
    case ExprKind::kCoalesce: {
      const Value first = Convert(Evaluate(expr.operands[0], facts), expr.type.base);
      return first.present ? first : Convert(Evaluate(expr.operands[1], facts), expr.type.base);
    }
  }
  return Absent(BaseType::kInvalid);
}

bool Interpret(const Expr& expr, const abi::Facts& facts) {
  const Value value = Convert(Evaluate(expr, facts), BaseType::kBool);
  return value.present && value.integer != 0;
}

abi::PredicateTable InterpretedPredicates(const Policy& policy) {
  std::vector<abi::Predicate> predicates;
  predicates.reserve(policy.predicates.size());
  for (const PredicateDef& predicate : policy.predicates) {
    predicates.push_back({&CallInterpreter, &predicate.expr});
  }
  return abi::PredicateTable(std::move(predicates));
}

}  // namespace compiler::model
