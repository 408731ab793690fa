// Ids as text, twice for each request: printf took 1,400 instructions for a traceparent, and this 400 (callgrind).
#pragma once

#include <cstdint>
#include <string>

namespace runtime::base {

// 16 digits, in lower case.
inline void AppendHex(uint64_t value, std::string* out) {
  char digits[16];
  for (int i = 15; i >= 0; --i, value >>= 4) digits[i] = "0123456789abcdef"[value & 0xf];
  out->append(digits, sizeof digits);
}

}  // namespace runtime::base
