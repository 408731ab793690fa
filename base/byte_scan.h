// Looks for the few bytes that end a plain run of text, many at a time. Ranges are [at, end).
#pragma once

#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#if defined(__x86_64__) && defined(__GNUC__)
#define BREAKWATER_HAS_AVX2_PATH 1
#include <immintrin.h>
#endif

namespace base {

// What ends the plain run of a JSON string: a quote, a backslash, a control character, or what is not ASCII.
constexpr bool EndsPlainJson(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x80 || c == '"' || c == '\\';
}

namespace internal {

#ifdef BREAKWATER_HAS_AVX2_PATH
inline const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;

[[gnu::target("avx2")]] inline __m256i PlainJsonEnds(const char* from) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  const __m256i marks = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')), _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')));
  return _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes), marks);  // signed: what is not ASCII is below a blank, too
}

// Where a plain run ends, or less than 64 bytes before `end`.
[[gnu::target("avx2"), gnu::noinline]] inline const char* SkipLongPlainJson(const char* at, const char* end) {
  for (; end - at >= 64; at += 64) {
    const __m256i first = PlainJsonEnds(at), second = PlainJsonEnds(at + 32);
    if (_mm256_movemask_epi8(_mm256_or_si256(first, second)) == 0) continue;
    const auto mask = static_cast<unsigned>(_mm256_movemask_epi8(first));
    if (mask != 0) return at + __builtin_ctz(mask);
    return at + 32 + __builtin_ctz(static_cast<unsigned>(_mm256_movemask_epi8(second)));
  }
  return at;
}
#endif

#ifdef __SSE2__
inline unsigned PlainJsonMask(const char* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return static_cast<unsigned>(_mm_movemask_epi8(
      _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
                   _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))))));
}
#endif

}  // namespace internal

// The first byte that ends a plain run, or end.
inline const char* SkipPlainJson(const char* at, const char* end) {
#ifdef __SSE2__
  // Most strings are names and numbers of a few bytes; what is longer than that is long.
  for (int blocks = 0; end - at >= 16; at += 16, ++blocks) {
    const unsigned mask = internal::PlainJsonMask(at);
    if (mask != 0) return at + __builtin_ctz(mask);
#ifdef BREAKWATER_HAS_AVX2_PATH
    if (blocks == 3 && end - at >= 16 + 64 && internal::kHasAvx2) {
      at = internal::SkipLongPlainJson(at + 16, end) - 16;
    }
#endif
  }
#endif
  while (at != end && !EndsPlainJson(*at)) ++at;
  return at;
}

// The first LF or CR, or end.
inline const char* FindLineEnd(const char* at, const char* end) {
#ifdef __SSE2__
  const __m128i lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r');
  const auto ends = [&](const char* from) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm_or_si128(_mm_cmpeq_epi8(bytes, lf), _mm_cmpeq_epi8(bytes, cr));
  };
  for (; end - at >= 64; at += 64) {
    const __m128i a = ends(at), b = ends(at + 16), c = ends(at + 32), d = ends(at + 48);
    if (_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d))) != 0) break;
  }
  for (; end - at >= 16; at += 16) {
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(ends(at)));
    if (mask != 0) return at + __builtin_ctz(mask);
  }
#endif
  while (at != end && *at != '\n' && *at != '\r') ++at;
  return at;
}

}  // namespace base
