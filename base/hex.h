// Ids as text, for each request: eight digits at a time.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace base {

// Writes 8 digits, in lower case.
inline void PutHex32(uint32_t value, char* at) {
  uint64_t x = value;
  // One digit in each byte, the first in the lowest.
  x = ((x & 0xffff) << 32) | (x >> 16);
  x = ((x & 0x000000ff000000ff) << 16) | ((x & 0x0000ff000000ff00) >> 8);
  x = ((x & 0x000f000f000f000f) << 8) | ((x & 0x00f000f000f000f0) >> 4);
  // 10 … 15 become letters: 6 more carries into the high half of their byte.
  const uint64_t letters = ((x + 0x0606060606060606) >> 4) & 0x0101010101010101;
  x += 0x3030303030303030 + letters * ('a' - '0' - 10);
  if constexpr (std::endian::native == std::endian::big) x = __builtin_bswap64(x);
  std::memcpy(at, &x, 8);
}

// 16 digits, in lower case.
inline void PutHex(uint64_t value, char* at) {
#ifdef __SSE2__
  const __m128i bytes = _mm_cvtsi64_si128(static_cast<int64_t>(__builtin_bswap64(value)));  // little endian: the first digit lowest
  const __m128i low_halves = _mm_set1_epi8(0x0f);
  const __m128i halves =
      _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), low_halves), _mm_and_si128(bytes, low_halves));
  const __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(halves, _mm_set1_epi8(9)), _mm_set1_epi8('a' - '0' - 10));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm_add_epi8(_mm_add_epi8(halves, _mm_set1_epi8('0')), letters));
#else
  PutHex32(static_cast<uint32_t>(value >> 32), at);
  PutHex32(static_cast<uint32_t>(value), at + 8);
#endif
}

inline void AppendHex(uint64_t value, std::string* out) {
  char digits[16];
  PutHex(value, digits);
  out->append(digits, sizeof digits);
}

}  // namespace base
