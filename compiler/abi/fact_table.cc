#include "compiler/abi/fact_table.h"

#include <array>

namespace compiler::abi {
namespace {

constexpr FieldInfo kFields[] = {
#define FACT_FIELD(language_name, member, Base, is_optional, in_phase, doc) \
  {FieldId::k_##member, language_name, {BaseType::k##Base, is_optional}, Phase::k##in_phase, offsetof(Facts, member), doc},
#include "compiler/abi/fact_fields.def"
#undef FACT_FIELD
};

constexpr FamilyInfo kFamilies[] = {
#define FACT_FAMILY(language_name, member, Base, is_optional, in_phase, doc) \
  {FamilyId::k_##member, language_name, {BaseType::k##Base, is_optional}, Phase::k##in_phase, offsetof(Facts, member), doc},
#include "compiler/abi/fact_fields.def"
#undef FACT_FAMILY
};

constexpr WindowMeasureInfo kWindowMeasures[] = {
#define WINDOW_MEASURE(language_name, enumerator, Base, Arguments, written, doc) \
  {WindowMeasureKind::enumerator, language_name, {BaseType::k##Base, false},     \
   WindowArguments::k##Arguments, written,       doc},
#include "compiler/abi/fact_fields.def"
#undef WINDOW_MEASURE
};

struct ErrorInfo {
  std::string_view name;
  bool is_timeout;
};
constexpr ErrorInfo kErrors[] = {
    {"", false},
#define ERROR_KIND(name, is_timeout, doc) {#name, is_timeout},
#include "compiler/abi/errors.def"
#undef ERROR_KIND
};

struct MethodInfo {
  std::string_view name;
  bool is_idempotent;
};
constexpr MethodInfo kMethods[] = {
    {"", false},
#define METHOD(name, is_idempotent) {#name, is_idempotent},
#include "compiler/abi/methods.def"
#undef METHOD
};

}  // namespace

std::span<const FieldInfo> Fields() { return kFields; }
std::span<const FamilyInfo> Families() { return kFamilies; }
std::span<const WindowMeasureInfo> WindowMeasures() { return kWindowMeasures; }

std::string_view Name(ErrorKind kind) { return kErrors[static_cast<size_t>(kind)].name; }
std::string_view Name(Method method) { return kMethods[static_cast<size_t>(method)].name; }

std::string_view Name(Phase phase) {
  switch (phase) {
    case Phase::kRoute: return "route";
    case Phase::kAttempt: return "attempt";
    case Phase::kStream: return "stream";
    case Phase::kAnswer: return "answer";
    case Phase::kWindow: return "window";
  }
  return "";
}

std::string_view Name(BaseType type) {
  switch (type) {
    case BaseType::kBool: return "Bool";
    case BaseType::kInt: return "Int";
    case BaseType::kNumber: return "Number";
    case BaseType::kPercent: return "Percent";
    case BaseType::kDuration: return "Duration";
    case BaseType::kSize: return "Size";
    case BaseType::kStatus: return "Status";
    case BaseType::kString: return "String";
    case BaseType::kMethod: return "Method";
    case BaseType::kError: return "Error";
    case BaseType::kJson: return "Json";
    case BaseType::kSecret: return "Secret";
    case BaseType::kNone: return "none";
    case BaseType::kInvalid: return "?";
  }
  return "";
}

ErrorKind ErrorKindOf(std::string_view name) {
  for (size_t i = 1; i < std::size(kErrors); ++i) {
    if (kErrors[i].name == name) return static_cast<ErrorKind>(i);
  }
  return ErrorKind::kNone;
}

Method MethodOf(std::string_view name) {
  for (size_t i = 1; i < std::size(kMethods); ++i) {
    if (kMethods[i].name == name) return static_cast<Method>(i);
  }
  return Method::kOther;
}

bool IsTimeout(ErrorKind kind) { return kErrors[static_cast<size_t>(kind)].is_timeout; }
bool IsIdempotent(Method method) { return kMethods[static_cast<size_t>(method)].is_idempotent; }

}  // namespace compiler::abi
