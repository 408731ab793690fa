// IP addresses and networks as numbers: "10.0.0.0/8", "fd00::/8", or one address. IPv4 counts as its mapped IPv6 address
// (RFC 4291 2.5.5.2), so that one comparison serves both. Strict: what inet_pton refuses is refused.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace base {

struct IpAddress {
  std::array<uint8_t, 16> bytes{};

  bool operator==(const IpAddress&) const = default;
  bool is_v4() const;            // also where it was written as ::ffff:a.b.c.d
  std::string ToString() const;
};

// Without brackets, port or zone.
std::optional<IpAddress> ParseIp(std::string_view text);

struct Cidr {
  IpAddress network;             // bits behind the prefix are 0
  int prefix = 128;              // of the 128 bits: 10.0.0.0/8 has 104

  bool operator==(const Cidr&) const = default;
  bool Contains(const IpAddress& address) const;
  std::string ToString() const;  // "10.0.0.0/8"; "10.0.0.1" for a single address
};

struct CidrError {
  std::string reason;
  std::string help;
  std::string network = {};  // the one that the address lies in, if that is all that is wrong
};

// An address is a network of one. Bits behind the prefix must be 0: 10.1.2.3/8 is more likely a slip than meant.
std::optional<Cidr> ParseCidr(std::string_view text, CidrError* error);

}  // namespace base
