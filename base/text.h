// Small helpers for text that several phases need: UTF-8, the width of what a terminal shows, nearest names.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace base {

// The code point that begins at text[*position], and moves *position behind it. What is not UTF-8 (RFC 3629: also overlong
// forms and surrogates) gives nullopt and moves one byte. Precondition: *position < text.size().
std::optional<char32_t> NextCodePoint(std::string_view text, size_t* position);

// Offset of the first byte that is not UTF-8; nullopt when all of it is.
std::optional<size_t> FirstInvalidUtf8(std::string_view text);

void AppendUtf8(char32_t code_point, std::string* out);

// Columns that a terminal gives to a code point: 2 for East Asian wide ones, 0 for marks that combine, else 1.
int DisplayWidth(char32_t code_point);

// Edits between two words: insert, delete, replace, swap two neighbours (optimal string alignment). Bytes, as names are ASCII.
size_t EditDistance(std::string_view a, std::string_view b);

// The candidate nearest to `word` if it is near enough to be what was meant: at most a third of the word's length away (one
// edit for short words), ties won by the first. Letter case counts half as much as a wrong letter would.
std::optional<std::string_view> Nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace base
