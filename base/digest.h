// SHA-256 as text: names of policies, keys of caches. The same on every machine and in every version.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace base {

// The first `digits` hex digits (at most 64) of the SHA-256 of `text`.
std::string Sha256Hex(std::string_view text, size_t digits);

// All of it, as bytes.
std::array<uint8_t, 32> Sha256(std::string_view text);

}  // namespace base
