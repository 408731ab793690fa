// The text of a number with its unit: 15s, 1min30s, 1MiB, 20%, 5xx, 404, 1.5.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace compiler::expr {

enum class NumberKind : uint8_t {
  kInt,          // integer
  kDecimal,      // value
  kDuration,     // integer: nanoseconds
  kSize,         // integer: bytes
  kPercent,      // value: a fraction
  kStatusClass,  // integer: 1 … 5
  kRate,         // 30/min: known to the language, used by nothing yet
  kByteRate,     // 1KiB/s; integer: bytes a second
  kUnknownUnit,  // suggestion: what was likely meant, "" if nothing is near
  kMalformed,    // not a number at all, or too large for 64 bits
};

struct Number {
  NumberKind kind = NumberKind::kMalformed;
  int64_t integer = 0;
  double value = 0;
  std::string suggestion;
};

// Exact: 1.5s is 1,500,000,000 ns; a fraction of a nanosecond or a byte is malformed.
Number ParseNumber(std::string_view text);

}  // namespace compiler::expr
