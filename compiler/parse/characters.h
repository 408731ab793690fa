// Characters that deceive the reader: they look like another one, cannot be seen, or turn the direction of text
// (https://www.unicode.org/reports/tr36/, CVE-2021-42574).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace compiler::parse {

// What an ASCII reader takes the character for: "a" for Cyrillic а, "\"" for “, " " for blanks of other widths, "" for what
// cannot be seen. nullopt: it looks like nothing of ASCII.
std::optional<std::string_view> Lookalike(char32_t c);

// Turns the direction of the text behind it. Nowhere in a policy: it can make code look like a comment.
bool TurnsDirection(char32_t c);

// Has no width and no ink. `before`, `after`: its neighbours; between letters of scripts that need them, and in emoji, the two
// joiners are no deception.
bool IsHidden(char32_t c, char32_t before, char32_t after);

// "U+202E".
std::string CodePointName(char32_t c);

}  // namespace compiler::parse
