// Names of headers: told by a perfect hash, which is made when this is compiled. Names compare without case (RFC 9110 5.1).
#include "runtime/http/message.h"

#include <array>
#include <cstring>

#include "runtime/http/text.h"

namespace runtime::http {
namespace {

constexpr std::string_view kNames[] = {
    "",
#define OWN_HEADER(id, name, requests, responses, why) name,
#define KNOWN_HEADER(id, name) name,
#include "runtime/http/header_names.def"
#undef KNOWN_HEADER
#undef OWN_HEADER
};
constexpr size_t kNameCount = std::size(kNames);
constexpr size_t kSlots = 512;

// Length, first, middle and last letter tell the names apart.
constexpr uint32_t KeyOf(const char* name, size_t size) {
  const auto at = [name](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(name[i]) | 0x20u); };
  return (static_cast<uint32_t>(size) << 24) ^ (at(0) << 16) ^ (at(size / 2) << 8) ^ at(size - 1);
}
constexpr size_t SlotOf(uint32_t key, uint32_t factor) { return static_cast<size_t>((key * factor) >> 23); }

constexpr bool TellsApart(uint32_t factor) {
  std::array<bool, kSlots> taken{};
  for (size_t i = 1; i < kNameCount; ++i) {
    bool& slot = taken[SlotOf(KeyOf(kNames[i].data(), kNames[i].size()), factor)];
    if (slot) return false;
    slot = true;
  }
  return true;
}
constexpr uint32_t FindFactor() {
  uint32_t factor = 0x9e3779b1u;
  while (!TellsApart(factor)) factor = factor * 1664525u + 1013904223u;
  return factor;
}
constexpr uint32_t kFactor = FindFactor();

constexpr std::array<uint8_t, kSlots> Slots() {
  std::array<uint8_t, kSlots> slots{};
  for (size_t i = 1; i < kNameCount; ++i) slots[SlotOf(KeyOf(kNames[i].data(), kNames[i].size()), kFactor)] = static_cast<uint8_t>(i);
  return slots;
}
constexpr std::array<uint8_t, kSlots> kSlotOf = Slots();

// Whether two words differ in the case of letters only. `lower` has small letters, digits and "-": of these letters alone have the bit 0x40.
template <typename Word>
bool IsSameWord(const char* text, const char* lower) {
  constexpr Word kLetter = static_cast<Word>(0x4040404040404040);
  Word a = 0, b = 0;
  std::memcpy(&a, text, sizeof(Word));
  std::memcpy(&b, lower, sizeof(Word));
  return ((a ^ b) & static_cast<Word>(~((b & kLetter) >> 1))) == 0;
}

// Of names of the same length. Words of it may overlap.
bool IsName(const char* text, const char* lower, size_t size) {
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) {
      if (!IsSameWord<uint64_t>(text + i, lower + i)) return false;
    }
    return IsSameWord<uint64_t>(text + size - 8, lower + size - 8);
  }
  if (size >= 4) return IsSameWord<uint32_t>(text, lower) && IsSameWord<uint32_t>(text + size - 4, lower + size - 4);
  for (size_t i = 0; i < size; ++i) {
    if (!IsSameWord<uint8_t>(text + i, lower + i)) return false;
  }
  return true;
}

}  // namespace

HeaderId IdOfHeader(std::string_view name) {
  if (name.empty()) return HeaderId::kOther;
  const uint8_t index = kSlotOf[SlotOf(KeyOf(name.data(), name.size()), kFactor)];
  const std::string_view known = kNames[index];
  return known.size() == name.size() && IsName(name.data(), known.data(), known.size()) ? static_cast<HeaderId>(index) : HeaderId::kOther;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (AsciiLower(a[i]) != AsciiLower(b[i])) return false;
  }
  return true;
}

std::optional<std::string_view> Headers::Find(std::string_view name) const {
  for (const Header& line : lines_) {
    if (EqualsIgnoreCase(line.name, name)) return line.value;
  }
  return std::nullopt;
}

bool Headers::HasToken(HeaderId id, std::string_view token) const {
  for (const Header& line : lines_) {
    if (line.id != id) continue;
    bool found = false;
    ForEachListItem(line.value, [&](std::string_view item) { found = found || EqualsIgnoreCase(item, token); });
    if (found) return true;
  }
  return false;
}

}  // namespace runtime::http
