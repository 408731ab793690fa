#include "base/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>
#include <vector>

namespace base {
namespace {

struct CodeRange {
  char32_t first;
  char32_t last;
};

// Unicode 15 EastAsianWidth W and F, joined where the gaps are unassigned or rare.
constexpr CodeRange kWide[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},   {0x2E80, 0x303E},
    {0x3041, 0x33FF},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xA960, 0xA97C},
    {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE10, 0xFE19},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
    {0xFFE0, 0xFFE6},   {0x16FE0, 0x18CFF}, {0x1B000, 0x1B2FF}, {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF},
    {0x1F900, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
};
constexpr CodeRange kZeroWidth[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0E31, 0x0E31},
    {0x0E34, 0x0E3A}, {0x200B, 0x200F}, {0x20D0, 0x20F0}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF},
};

bool Contains(std::span<const CodeRange> ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(), [c](const CodeRange& r) { return c >= r.first && c <= r.last; });
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::optional<char32_t> NextCodePoint(std::string_view text, size_t* position) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const size_t start = (*position)++;
  const uint8_t lead = byte(start);
  if (lead < 0x80) return lead;
  size_t length = 0;
  char32_t code_point = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
    code_point = lead & 0x1Fu;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    code_point = lead & 0x0Fu;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    code_point = lead & 0x07u;
  } else return std::nullopt;
  if (start + length > text.size()) return std::nullopt;
  for (size_t i = start + 1; i < start + length; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return std::nullopt;
    code_point = (code_point << 6) | (byte(i) & 0x3Fu);
  }
  const bool overlong = (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (overlong || surrogate || code_point > 0x10FFFF) return std::nullopt;
  *position = start + length;
  return code_point;
}

std::optional<size_t> FirstInvalidUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t start = i;
    if (!NextCodePoint(text, &i)) return start;
  }
  return std::nullopt;
}

void AppendUtf8(char32_t c, std::string* out) {
  const auto push = [out](char32_t b) { out->push_back(static_cast<char>(b)); };
  if (c < 0x80) {
    push(c);
  } else if (c < 0x800) {
    push(0xC0 | (c >> 6));
    push(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    push(0xE0 | (c >> 12));
    push(0x80 | ((c >> 6) & 0x3F));
    push(0x80 | (c & 0x3F));
  } else {
    push(0xF0 | (c >> 18));
    push(0x80 | ((c >> 12) & 0x3F));
    push(0x80 | ((c >> 6) & 0x3F));
    push(0x80 | (c & 0x3F));
  }
}

int DisplayWidth(char32_t c) {
  if (c < 0x300) return 1;
  if (Contains(kZeroWidth, c)) return 0;
  return Contains(kWide, c) ? 2 : 1;
}

namespace {

constexpr size_t kShortWord = 64;

// With room of its own for short words; rows have b.size() + 1 places.
size_t EditDistanceIn(std::string_view a, std::string_view b, size_t* before_last, size_t* last, size_t* row) {
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replace});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  if (b.size() <= kShortWord) {
    std::array<std::array<size_t, kShortWord + 1>, 3> rows{};
    return EditDistanceIn(a, b, rows[0].data(), rows[1].data(), rows[2].data());
  }
  std::vector<size_t> rows(3 * (b.size() + 1));
  return EditDistanceIn(a, b, &rows[0], &rows[b.size() + 1], &rows[2 * (b.size() + 1)]);
}

namespace {

// What a word is made of, so that most of those that are far from another one are seen at once.
struct Letters {
  explicit Letters(std::string_view word) {
    for (const char c : word) ++count[static_cast<unsigned char>(Lower(c)) % count.size()];
  }
  std::array<uint8_t, 32> count{};
};

// No change makes more than one letter too many or too few.
bool IsFar(const Letters& a, const Letters& b, size_t allowed) {
  size_t more = 0;
  size_t less = 0;
  for (size_t i = 0; i < a.count.size(); ++i) {
    if (a.count[i] > b.count[i]) more += static_cast<size_t>(a.count[i] - b.count[i]);
    else less += static_cast<size_t>(b.count[i] - a.count[i]);
  }
  return std::max(more, less) > allowed;
}

// Whether the letters of the shorter one are all in the longer one.
bool HasSameLetters(std::string a, std::string b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return std::includes(a.begin(), a.end(), b.begin(), b.end()) || std::includes(b.begin(), b.end(), a.begin(), a.end());
}

}  // namespace

std::optional<std::string_view> Nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > 64) return std::nullopt;  // no name is that long; and the distance costs its square
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(), Lower);
  const size_t allowed = std::max<size_t>(1, std::min<size_t>(4, word.size() / 3));
  // First by letters without case (`post` is nearer to POST than to `put`), then with case (`16Mi` is MiB, not `min`).
  // Of the same distance letters that were left out, doubled or swapped are likelier than wrong ones.
  using Distance = std::tuple<size_t, size_t, bool>;
  std::optional<std::string_view> best;
  Distance best_distance;
  const Letters word_letters(lower);
  for (std::string_view candidate : candidates) {
    if (candidate.size() > word.size() + allowed || word.size() > candidate.size() + allowed) continue;
    if (IsFar(word_letters, Letters(candidate), allowed)) continue;
    std::string lower_candidate(candidate);
    std::transform(lower_candidate.begin(), lower_candidate.end(), lower_candidate.begin(), Lower);
    const size_t letters = EditDistance(lower, lower_candidate);
    if (letters > allowed || letters >= std::max(word.size(), candidate.size())) continue;
    const Distance distance = {letters, EditDistance(word, candidate), !HasSameLetters(lower, lower_candidate)};
    if (!best || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace base
