// The bodies of helpers.def. They meet facts as they come from the network: any bytes, any numbers.
#include "compiler/abi/helpers.h"

#include <cmath>
#include <cstring>
#include <iterator>

namespace {

using compiler::abi::JsonKind;
using compiler::abi::JsonValue;

bool SameBytes(const char* a, const char* b, int64_t size) {
  return size == 0 || std::memcmp(a, b, static_cast<size_t>(size)) == 0;  // memcmp must not be given null, even for 0
}

bool IsNumber(const JsonValue& json) { return json.kind == JsonKind::kInteger || json.kind == JsonKind::kNumber; }

}  // namespace

extern "C" {

int32_t bw_string_equal(const char* a, int64_t a_size, const char* b, int64_t b_size) noexcept {
  return a_size == b_size && SameBytes(a, b, a_size) ? 1 : 0;
}

// -1, 0 or 1: a before, equal to or after b, by unsigned bytes; a prefix stands first.
int32_t bw_string_order(const char* a, int64_t a_size, const char* b, int64_t b_size) noexcept {
  const int64_t common = a_size < b_size ? a_size : b_size;
  const int order = common == 0 ? 0 : std::memcmp(a, b, static_cast<size_t>(common));
  if (order != 0) return order < 0 ? -1 : 1;
  return (a_size > b_size) - (a_size < b_size);
}

int32_t bw_starts_with(const char* text, int64_t text_size, const char* start, int64_t start_size) noexcept {
  return text_size >= start_size && SameBytes(text, start, start_size) ? 1 : 0;
}

int32_t bw_ends_with(const char* text, int64_t text_size, const char* end, int64_t end_size) noexcept {
  if (text_size < end_size) return 0;
  return end_size == 0 || SameBytes(text + (text_size - end_size), end, end_size) ? 1 : 0;
}

int32_t bw_contains(const char* text, int64_t text_size, const char* part, int64_t part_size) noexcept {
  if (part_size == 0) return 1;
  if (text_size < part_size) return 0;
  return memmem(text, static_cast<size_t>(text_size), part, static_cast<size_t>(part_size)) != nullptr ? 1 : 0;
}

int32_t bw_matches(const compiler::abi::Pattern* pattern, const char* text, int64_t text_size) noexcept {
  return pattern->IsFoundIn(text_size == 0 ? std::string_view("")
                                           : std::string_view(text, static_cast<size_t>(text_size)));
}

// Whether the text is an address that one of the networks holds; other text is in none.
int32_t bw_in_networks(const char* text, int64_t text_size, const base::Cidr* networks,
                       int64_t count) noexcept {
  const auto address = base::ParseIp({text, static_cast<size_t>(text_size)});
  if (!address) return 0;
  for (int64_t i = 0; i < count; ++i) {
    if (networks[i].Contains(*address)) return 1;
  }
  return 0;
}

// -1, 0 or 1: a below, equal to or above b; exact, where a cast of either to the other's type could round or overflow.
// Nothing is said of NaN, which JSON cannot write: it counts as above everything.
int32_t bw_integer_number_order(int64_t a, double b) noexcept {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  if (!(b < kTwoTo63)) return -1;
  if (b < -kTwoTo63) return 1;
  const double floor = std::floor(b);
  const auto whole = static_cast<int64_t>(floor);
  if (a != whole) return a < whole ? -1 : 1;
  return floor < b ? -1 : 0;
}

int32_t bw_json_equals_integer(const JsonValue* json, int64_t integer) noexcept {
  if (json->kind == JsonKind::kInteger) return json->integer == integer ? 1 : 0;
  if (json->kind == JsonKind::kNumber) return bw_integer_number_order(integer, json->number) == 0 ? 1 : 0;
  return 0;
}

int32_t bw_json_equals_number(const JsonValue* json, double number) noexcept {
  if (json->kind == JsonKind::kInteger) return bw_integer_number_order(json->integer, number) == 0 ? 1 : 0;
  if (json->kind == JsonKind::kNumber) return json->number == number ? 1 : 0;
  return 0;
}

int32_t bw_json_equals_json(const JsonValue* a, const JsonValue* b) noexcept {
  if (IsNumber(*a)) {
    return a->kind == JsonKind::kInteger ? bw_json_equals_integer(b, a->integer) : bw_json_equals_number(b, a->number);
  }
  if (a->kind != b->kind) return 0;
  switch (a->kind) {
    case JsonKind::kAbsent:
    case JsonKind::kNull: return 0;  // two absent values are not equal
    case JsonKind::kBool: return (a->integer != 0) == (b->integer != 0) ? 1 : 0;
    case JsonKind::kInteger:
    case JsonKind::kNumber: break;  // above
    case JsonKind::kString:
    case JsonKind::kArray:
    case JsonKind::kObject: return bw_string_equal(a->text.data, a->text.size, b->text.data, b->text.size);
  }
  return 0;
}

}  // extern "C"

namespace compiler::abi {

std::span<const HelperInfo> Helpers() {
  static const HelperInfo kHelpers[] = {
#define HELPER(name, parameters) {#name, reinterpret_cast<void (*)()>(&name)},
#include "compiler/abi/helpers.def"
#undef HELPER
  };
  return kHelpers;
}

}  // namespace compiler::abi
