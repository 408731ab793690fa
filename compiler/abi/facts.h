// Facts: what a predicate reads. The one struct that crosses from the runtime into compiled code, so it is standard
// layout and holds only u8, i32, i64, double, Str, JsonValue and pointers to them. Made from fact_fields.def.
//
// Filled by the runtime (http/facts_from_message, engine/exchange_machine), read by interpreter and JIT code.
// All text is borrowed: it must outlive the call of the predicate. A Facts belongs to one exchange and one thread.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

namespace compiler::abi {

// Raised whenever the layout of Facts, the enums below or a helper changes meaning; bundles carry it.
inline constexpr int32_t kAbiVersion = 3;

// Borrowed text. data == nullptr means absent (only where the type is optional).
struct Str {
  const char* data = nullptr;
  int64_t size = 0;

  static Str Of(std::string_view text) { return {text.data() == nullptr ? "" : text.data(), static_cast<int64_t>(text.size())}; }
  bool has_value() const { return data != nullptr; }
  std::string_view view() const { return {data, static_cast<size_t>(size)}; }
};

enum class ErrorKind : int32_t {
  kNone = 0,
#define ERROR_KIND(name, is_timeout, doc) k_##name,
#include "compiler/abi/errors.def"
#undef ERROR_KIND
};

enum class Method : int32_t {
  kOther = 0,
#define METHOD(name, is_idempotent) k##name,
#include "compiler/abi/methods.def"
#undef METHOD
};

enum class JsonKind : int32_t { kAbsent = 0, kNull, kBool, kInteger, kNumber, kString, kArray, kObject };

// One member of a JSON body. integer: kBool (0 or 1) and kInteger; number: kNumber; text: the unescaped string, or the
// source text of an array or object.
struct JsonValue {
  JsonKind kind = JsonKind::kAbsent;
  int32_t reserved = 0;
  int64_t integer = 0;
  double number = 0;
  Str text;
};

// An optional Int, Status, Duration or Size that is absent. An absent Error is ErrorKind::kNone.
inline constexpr int64_t kAbsentInt = std::numeric_limits<int64_t>::min();

// The C++ type that holds each base type in Facts.
namespace storage {
using Bool = uint8_t;
using Int = int64_t;
using Duration = int64_t;
using Size = int64_t;
using Status = int64_t;
using String = Str;
using Method = int32_t;
using Error = int32_t;
using Json = JsonValue;
}  // namespace storage

// clang-format off
struct Facts {
#define FACT_FIELD(language_name, member, Base, optional, phase, doc) storage::Base member{};
#include "compiler/abi/fact_fields.def"
#undef FACT_FIELD
#define FACT_FAMILY(language_name, member, Base, optional, phase, doc) const storage::Base* member = nullptr;
#include "compiler/abi/fact_fields.def"
#undef FACT_FAMILY
  const int64_t* window = nullptr;   // one value for each slot of a breaker; a Percent as the bits of its double
};
// clang-format on

static_assert(std::is_standard_layout_v<Facts>);
static_assert(sizeof(Str) == 16 && sizeof(JsonValue) == 40);

}  // namespace compiler::abi
