#include "compiler/parse/characters.h"

#include <algorithm>
#include <iterator>

namespace compiler::parse {
namespace {

struct Pair {
  char32_t looks;
  std::string_view like;
};

// The single characters of Unicode 15's confusables.txt (UTS #39) that keyboards and input methods produce, by code point.
constexpr Pair kPairs[] = {
    {0x00A0, " "}, {0x00AD, ""},  {0x00B4, "'"},  {0x00D7, "x"},  {0x0131, "i"},  {0x0237, "j"},  {0x02B9, "'"},
    {0x02BC, "'"}, {0x0391, "A"}, {0x0392, "B"},  {0x0395, "E"},  {0x0396, "Z"},  {0x0397, "H"},  {0x0399, "I"},
    {0x039A, "K"}, {0x039C, "M"}, {0x039D, "N"},  {0x039F, "O"},  {0x03A1, "P"},  {0x03A4, "T"},  {0x03A5, "Y"},
    {0x03A7, "X"}, {0x03B1, "a"}, {0x03B3, "y"},  {0x03B9, "i"},  {0x03BD, "v"},  {0x03BF, "o"},  {0x03C1, "p"},
    {0x03C3, "o"}, {0x03C5, "u"}, {0x0405, "S"},  {0x0406, "I"},  {0x0408, "J"},  {0x0410, "A"},  {0x0412, "B"},
    {0x0415, "E"}, {0x041A, "K"}, {0x041C, "M"},  {0x041D, "H"},  {0x041E, "O"},  {0x0420, "P"},  {0x0421, "C"},
    {0x0422, "T"}, {0x0425, "X"}, {0x0430, "a"},  {0x0433, "r"},  {0x0435, "e"},  {0x043E, "o"},  {0x0440, "p"},
    {0x0441, "c"}, {0x0443, "y"}, {0x0445, "x"},  {0x0455, "s"},  {0x0456, "i"},  {0x0458, "j"},  {0x04AE, "Y"},
    {0x04BB, "h"}, {0x04C0, "I"}, {0x04CF, "l"},  {0x0501, "d"},  {0x051B, "q"},  {0x051D, "w"},  {0x0555, "O"},
    {0x0570, "h"}, {0x0578, "n"}, {0x057D, "u"},  {0x0581, "g"},  {0x0585, "o"},  {0x1680, " "},  {0x180E, ""},
    {0x2010, "-"}, {0x2011, "-"}, {0x2012, "-"},  {0x2013, "-"},  {0x2014, "-"},  {0x2015, "-"},  {0x2018, "'"},
    {0x2019, "'"}, {0x201A, ","}, {0x201B, "'"},  {0x201C, "\""}, {0x201D, "\""}, {0x201E, "\""}, {0x201F, "\""},
    {0x2024, "."}, {0x202F, " "}, {0x2032, "'"},  {0x2033, "\""}, {0x2044, "/"},  {0x205F, " "},  {0x2212, "-"},
    {0x2215, "/"}, {0x2236, ":"}, {0x2260, "!="}, {0x2264, "<="}, {0x2265, ">="}, {0x2192, "->"}, {0x3000, " "},
    {0x3001, ","}, {0x3002, "."}, {0x300C, "\""}, {0x300D, "\""}, {0x3010, "["},  {0x3011, "]"},
};

constexpr char kAscii[] =
    "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

bool IsBetween(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

}  // namespace

std::optional<std::string_view> Lookalike(char32_t c) {
  if (IsBetween(c, 0xFF01, 0xFF5E)) return std::string_view(kAscii + (c - 0xFF01), 1);  // full width
  if (IsBetween(c, 0x2000, 0x200A)) return " ";
  if (TurnsDirection(c) || IsHidden(c, 0, 0)) return "";
  const auto* found = std::find_if(std::begin(kPairs), std::end(kPairs), [c](const Pair& p) { return p.looks == c; });
  return found == std::end(kPairs) ? std::nullopt : std::optional(found->like);
}

// The explicit formatting characters of the bidirectional algorithm (UAX #9 2).
bool TurnsDirection(char32_t c) {
  return IsBetween(c, 0x202A, 0x202E) || IsBetween(c, 0x2066, 0x2069) || c == 0x200E || c == 0x200F || c == 0x061C;
}

// Default_Ignorable_Code_Point of DerivedCoreProperties.txt (Unicode 15) but for variation selectors, which choose between two
// looks of the character before them.
bool IsHidden(char32_t c, char32_t before, char32_t after) {
  constexpr char32_t kFirstOfJoiningScripts = 0x0600;
  const bool is_joiner = c == 0x200C || c == 0x200D;
  if (is_joiner && before >= kFirstOfJoiningScripts && after >= kFirstOfJoiningScripts) return false;
  return is_joiner || c == 0x00AD || c == 0x034F || c == 0x115F || c == 0x1160 || c == 0x17B4 || c == 0x17B5 ||
         c == 0x180E || c == 0x200B || IsBetween(c, 0x2060, 0x2065) || IsBetween(c, 0x206A, 0x206F) || c == 0x3164 ||
         c == 0xFEFF || c == 0xFFA0 || IsBetween(c, 0xFFF0, 0xFFF8) || IsBetween(c, 0x1BCA0, 0x1BCA3) ||
         IsBetween(c, 0x1D173, 0x1D17A) || IsBetween(c, 0xE0000, 0xE00FF) || IsBetween(c, 0xE01F0, 0xE0FFF);
}

std::string CodePointName(char32_t c) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out = "U+";
  for (int shift = c > 0xFFFF ? 20 : 12; shift >= 0; shift -= 4) out += kDigits[(c >> shift) & 0xF];
  return out;
}

}  // namespace compiler::parse
