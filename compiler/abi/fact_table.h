// fact_fields.def as data: what the checker, interpreter, lowering, tests and documentation walk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "compiler/abi/facts.h"
#include "compiler/abi/type.h"

namespace compiler::abi {

enum class FieldId : int32_t {
#define FACT_FIELD(language_name, member, Base, optional, phase, doc) k_##member,
#include "compiler/abi/fact_fields.def"
#undef FACT_FIELD
};

enum class FamilyId : int32_t {
#define FACT_FAMILY(language_name, member, Base, optional, phase, doc) k_##member,
#include "compiler/abi/fact_fields.def"
#undef FACT_FAMILY
};

enum class WindowMeasureKind : int32_t {
#define WINDOW_MEASURE(language_name, enumerator, Base, Arguments, written, doc) enumerator,
#include "compiler/abi/fact_fields.def"
#undef WINDOW_MEASURE
};

// What stands in the parentheses of a measure.
enum class WindowArguments : uint8_t {
  kNone,                 // no parentheses
  kWindow,               // (60s)
  kWindowAndOver,        // (60s, over: 5s)
  kPercentileAndWindow,  // (p95, 60s)
};

struct FieldInfo {
  FieldId id;
  std::string_view name;  // as written in a policy
  Type type;
  Phase phase;
  size_t offset;  // in Facts
  std::string_view doc;
};

struct FamilyInfo {
  FamilyId id;
  std::string_view name;
  Type type;
  Phase phase;
  size_t offset;  // of the pointer to the slots, in Facts
  std::string_view doc;
};

struct WindowMeasureInfo {
  WindowMeasureKind kind;
  std::string_view name;
  Type type;
  WindowArguments arguments;
  std::string_view written;
  std::string_view doc;
};

// In the order of the table; an id is its index.
std::span<const FieldInfo> Fields();
std::span<const FamilyInfo> Families();
std::span<const WindowMeasureInfo> WindowMeasures();

// Language names. "" for ErrorKind::kNone and Method::kOther.
std::string_view Name(ErrorKind kind);
std::string_view Name(Method method);
std::string_view Name(Phase phase);
std::string_view Name(BaseType type);  // as in documentation: "Bool", "Duration"

// By language name, in exact case; kNone and kOther when there is none.
ErrorKind ErrorKindOf(std::string_view name);
Method MethodOf(std::string_view name);

bool IsTimeout(ErrorKind kind);
bool IsIdempotent(Method method);  // RFC 9110 9.2.2; false for kOther

}  // namespace compiler::abi
