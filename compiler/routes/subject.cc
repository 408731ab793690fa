#include "compiler/routes/subject.h"

#include <cstring>

#include "compiler/abi/fact_table.h"
#include "base/planted_fault.h"

namespace compiler::routes {
namespace {

using abi::BaseType;

template <typename T>
T Load(const abi::Facts& facts, size_t offset) {
  T value;
  std::memcpy(&value, reinterpret_cast<const char*>(&facts) + offset, sizeof(T));
  return value;
}

std::string_view Text(const abi::Str& text) { return text.size == 0 ? std::string_view("") : text.view(); }

std::optional<std::string_view> OptionalText(const abi::Str& text) {
  PLANT_FAULT(empty_text_is_absent, if (text.size == 0) return std::nullopt);
  if (!text.has_value()) return std::nullopt;
  return Text(text);
}

}  // namespace

std::optional<Subject> SubjectOf(const model::Expr& expr) {
  if (expr.kind == model::ExprKind::kField) {
    const abi::FieldInfo& field = abi::Fields()[static_cast<size_t>(expr.field)];
    if (field.type.base == BaseType::kMethod) return Subject{Subject::Kind::kMethod, field.offset, 0};
    if (field.type.base != BaseType::kString) return std::nullopt;
    return Subject{field.type.optional ? Subject::Kind::kOptionalText : Subject::Kind::kText, field.offset, 0};
  }
  if (expr.kind == model::ExprKind::kSlot) {
    const abi::FamilyInfo& family = abi::Families()[static_cast<size_t>(expr.family)];
    int32_t slot = expr.slot;
    PLANT_FAULT(slots_mixed_up, slot = 0);
    if (family.type.base == BaseType::kString) return Subject{Subject::Kind::kTextSlot, family.offset, slot};
    if (family.type.base == BaseType::kJson) return Subject{Subject::Kind::kJsonSlot, family.offset, slot};
  }
  return std::nullopt;
}

std::optional<std::string_view> TextOf(const Subject& subject, const abi::Facts& facts) {
  switch (subject.kind) {
    case Subject::Kind::kMethod: return abi::Name(static_cast<abi::Method>(Load<int32_t>(facts, subject.offset)));
    case Subject::Kind::kText: return Text(Load<abi::Str>(facts, subject.offset));
    case Subject::Kind::kOptionalText: return OptionalText(Load<abi::Str>(facts, subject.offset));
    case Subject::Kind::kTextSlot: return OptionalText(Load<const abi::Str*>(facts, subject.offset)[subject.slot]);
    case Subject::Kind::kJsonSlot: {
      const abi::JsonValue& json = Load<const abi::JsonValue*>(facts, subject.offset)[subject.slot];
      if (json.kind != abi::JsonKind::kString) return std::nullopt;
      return Text(json.text);
    }
  }
  return std::nullopt;
}

}  // namespace compiler::routes
