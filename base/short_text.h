// Copies and comparisons of short texts, without a call: names, ids and numbers are shorter than a call of memcpy or memcmp is worth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace base {

// Two blocks that overlap: all of a text of kBlock to 2 * kBlock bytes.
template <size_t kBlock>
inline void CopyEnds(char* to, const char* from, size_t size) {
  struct Block {
    char bytes[kBlock];
  } first, last;
  std::memcpy(&first, from, kBlock);
  std::memcpy(&last, from + size - kBlock, kBlock);
  std::memcpy(to, &first, kBlock);
  std::memcpy(to + size - kBlock, &last, kBlock);
}

// Returns the end of what was written.
inline char* CopyText(char* to, std::string_view text) {
  const size_t size = text.size();
  const char* const from = text.data();
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    CopyEnds<16>(to, from, size);
  } else if (size >= 8) {
    CopyEnds<8>(to, from, size);
  } else if (size >= 4) {
    CopyEnds<4>(to, from, size);
  } else {
    for (size_t i = 0; i < size; ++i) to[i] = from[i];
  }
  return to + size;
}

template <typename Word>
inline Word WordAt(const char* at) {
  Word word = 0;
  std::memcpy(&word, at, sizeof(Word));
  return word;
}

// A text of at most eight bytes as a number; together with its size no two of them are the same.
inline uint64_t ShortWord(const char* at, size_t size) {
  if (size >= 8) return WordAt<uint64_t>(at);
  if (size >= 4) return uint64_t{WordAt<uint32_t>(at + size - 4)} << 32 | WordAt<uint32_t>(at);
  if (size == 0) return 0;
  const auto byte = [at](size_t i) { return uint64_t{static_cast<unsigned char>(at[i])}; };
  return byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16;
}

// Whether two texts of that size are the same.
inline bool IsSameText(const char* a, const char* b, size_t size) {
  if (size <= 8) return ShortWord(a, size) == ShortWord(b, size);
  if (size > 16) return std::memcmp(a, b, size) == 0;
  return WordAt<uint64_t>(a) == WordAt<uint64_t>(b) && WordAt<uint64_t>(a + size - 8) == WordAt<uint64_t>(b + size - 8);
}

}  // namespace base
