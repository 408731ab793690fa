#include "compiler/analysis/abstract.h"

#include "compiler/analysis/region.h"

namespace compiler::analysis {
namespace {

using abi::BaseType;
using model::Expr;

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
  const Region among = Region::Of(known);
  if (Never(expr, among)) return Truth::kNever;
  return Always(expr, among) ? Truth::kAlways : Truth::kMaybe;
}

}  // namespace compiler::analysis
