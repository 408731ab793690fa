#include "base/cidr.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace base {
namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

// The bits of `address` that a prefix of that length keeps.
IpAddress Masked(IpAddress address, int prefix) {
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(prefix - i * 8, 0, 8);
    address.bytes[static_cast<size_t>(i)] &= static_cast<uint8_t>(0xff << (8 - kept));
  }
  return address;
}

}  // namespace

bool IpAddress::is_v4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes.begin()); }

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_v4()) inet_ntop(AF_INET, bytes.data() + kMapped.size(), text, sizeof text);
  else inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

std::optional<IpAddress> ParseIp(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN] = "";
  if (text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) return std::nullopt;
  text.copy(terminated, text.size());
  IpAddress address;
  if (inet_pton(AF_INET6, terminated, address.bytes.data()) == 1) return address;
  std::copy(kMapped.begin(), kMapped.end(), address.bytes.begin());
  if (inet_pton(AF_INET, terminated, address.bytes.data() + kMapped.size()) == 1) return address;
  return std::nullopt;
}

bool Cidr::Contains(const IpAddress& address) const { return Masked(address, prefix) == network; }

std::string Cidr::ToString() const {
  if (prefix == 128) return network.ToString();
  const bool is_v4 = network.is_v4() && prefix >= kMappedBits;
  return network.ToString() + "/" + std::to_string(is_v4 ? prefix - kMappedBits : prefix);
}

std::optional<Cidr> ParseCidr(std::string_view text, CidrError* error) {
  const size_t slash = text.find('/');
  const std::optional<IpAddress> address = ParseIp(text.substr(0, slash));
  if (!address) {
    *error = {"this is no IP address or network", "write for example \"10.0.0.0/8\", \"fd00::/8\" or \"192.0.2.7\""};
    return std::nullopt;
  }
  if (slash == std::string_view::npos) return Cidr{*address, 128};
  const bool is_v4 = text.find(':') == std::string_view::npos;
  const int most = is_v4 ? 32 : 128;
  const std::string_view digits = text.substr(slash + 1);
  int length = 0;
  bool is_number = !digits.empty() && digits.size() <= 3 && (digits.size() == 1 || digits[0] != '0');
  for (char c : digits) {
    is_number = is_number && c >= '0' && c <= '9';
    if (is_number) length = length * 10 + (c - '0');
  }
  if (!is_number || length > most) {
    *error = {"behind `/` stands how many bits the network has", "a number from 0 to " + std::to_string(most)};
    return std::nullopt;
  }
  const int prefix = is_v4 ? kMappedBits + length : length;
  const Cidr cidr{Masked(*address, prefix), prefix};
  if (cidr.network != *address) {
    *error = {"the address has bits behind the prefix", "the network is written " + cidr.ToString(), cidr.ToString()};
    return std::nullopt;
  }
  return cidr;
}

}  // namespace base
