// What a head looks like that has nothing unusual in it: how its start line, its names and its values are told at a glance. For MessageParser,
// which leaves everything else to llhttp; all of it says no where it is not sure. Ranges are [at, end), of bytes that stay where they are.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "runtime/http/text.h"

namespace runtime::http {

// Bytes that end the plain run of a value: CR, and what no value may hold (RFC 9110 5.5).
constexpr bool EndsValue(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

// The first of them in [at, end), or end.
[[gnu::always_inline]] inline const char* EndOfValue(const char* at, const char* end) {
#ifdef __SSE2__
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i tabs = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    const __m128i ends = _mm_or_si128(_mm_andnot_si128(tabs, controls), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(ends));
    if (mask != 0) return at + __builtin_ctz(mask);
  }
#endif
  while (at != end && !EndsValue(*at)) ++at;
  return at;
}

inline constexpr auto kTokenChars = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 256; ++c) table[static_cast<size_t>(c)] = IsTokenChar(static_cast<char>(c));
  return table;
}();

// "GET /… HTTP/1.1", of the methods that nearly all requests have: the method's length, else 0. What stands between is checked with the head.
inline size_t MethodOfPlainLine(std::string_view line) {
  constexpr std::string_view kEnd = " HTTP/1.1";
  const auto begins = [line](std::string_view begin) { return std::memcmp(line.data(), begin.data(), begin.size()) == 0; };
  if (line.size() < 14 || std::memcmp(line.data() + line.size() - kEnd.size(), kEnd.data(), kEnd.size()) != 0) return 0;
  switch (line.front()) {
    case 'G': return begins("GET /") ? 3 : 0;
    case 'P': return begins("POST /") ? 4 : begins("PUT /") ? 3 : line.starts_with("PATCH /") ? 5 : 0;
    case 'H': return begins("HEAD /") ? 4 : 0;
    case 'D': return line.starts_with("DELETE /") ? 6 : 0;
    case 'O': return line.starts_with("OPTIONS /") ? 7 : 0;
    default: return 0;
  }
}

inline bool IsPlainStatusLine(std::string_view line) {
  return line.size() >= 12 && std::memcmp(line.data(), "HTTP/1.1 ", 9) == 0 && (line.size() == 12 || line[12] == ' ');
}

// The colon behind a name that begins at `at`, or end. What stands before it may be anything.
inline const char* EndOfName(const char* at, const char* end) {
#ifdef __SSE2__
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(':'))));
    if (mask != 0) return at + __builtin_ctz(mask);
  }
#endif
  while (at != end && *at != ':') ++at;
  return at;
}

inline bool IsName(const char* at, const char* end) {
  for (; at != end; ++at) {
    if (!kTokenChars[static_cast<unsigned char>(*at)]) return false;
  }
  return true;
}

}  // namespace runtime::http
