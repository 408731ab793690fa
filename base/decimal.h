// Numbers as text, most of which are short.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace base {

inline constexpr size_t kDecimalRoom = 24;  // that a number may take, all of which may be written to

namespace internal {

// "000" to "999", each with a byte that counts for nothing: four are found by shifting.
inline constexpr auto kThreeDigits = [] {
  std::array<std::array<char, 4>, 1000> table{};
  for (size_t i = 0; i < table.size(); ++i) {
    table[i] = {static_cast<char>('0' + i / 100), static_cast<char>('0' + i / 10 % 10), static_cast<char>('0' + i % 10), '0'};
  }
  return table;
}();

}  // namespace internal

// Each returns the end of what it wrote. "007"; below a thousand.
inline char* PutThreeDigits(uint64_t value, char* at) {
  std::memcpy(at, internal::kThreeDigits[value].data(), 2);
  at[2] = internal::kThreeDigits[value][2];
  return at + 3;
}

// "7"; below a thousand. May write some bytes more.
inline char* PutUpToThreeDigits(uint64_t value, char* at) {
  const size_t skipped = value < 10 ? 2 : value < 100 ? 1 : 0;
  std::memcpy(at, internal::kThreeDigits[value].data() + skipped, 2);
  at[2] = internal::kThreeDigits[value][2];
  return at + 3 - skipped;
}

inline char* PutDecimal(uint64_t value, char* at) {
  if (value < 1'000) return PutUpToThreeDigits(value, at);
  if (value < 1'000'000) return PutThreeDigits(value % 1'000, PutUpToThreeDigits(value / 1'000, at));
  return std::to_chars(at, at + kDecimalRoom, value).ptr;
}

}  // namespace base
