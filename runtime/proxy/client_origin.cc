#include "runtime/proxy/client_origin.h"

#include <algorithm>
#include <optional>

namespace runtime::proxy {
namespace {

using base::Cidr;
using base::IpAddress;
using base::ParseIp;

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "203.0.113.9", "203.0.113.9:1234", "2001:db8::1", "[2001:db8::1]:1234".
std::optional<IpAddress> AddressOf(std::string_view entry) {
  if (entry.starts_with('[')) return ParseIp(entry.substr(1, std::max<size_t>(entry.find(']'), 1) - 1));
  const size_t colon = entry.find(':');
  if (colon != std::string_view::npos && entry.find(':', colon + 1) == std::string_view::npos) entry = entry.substr(0, colon);
  return ParseIp(entry);
}

bool Holds(const std::vector<Cidr>& networks, const IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(), [&](const Cidr& network) { return network.Contains(address); });
}

// The last element of the last line of that name.
std::string_view LastOf(const http::Headers& headers, std::string_view name) {
  std::string_view last;
  for (const http::Header& line : headers.lines()) {
    if (http::EqualsIgnoreCase(line.name, name)) last = line.value;
  }
  return TrimBlanks(last.substr(last.rfind(',') + 1));
}

}  // namespace

bool IsTrusted(const std::vector<Cidr>& trusted, std::string_view ip) {
  if (trusted.empty()) return false;
  const auto address = ParseIp(ip);
  return address && Holds(trusted, *address);
}

ClientOrigin OriginBehind(const std::vector<Cidr>& trusted, std::string_view peer, const http::Headers& headers) {
  ClientOrigin origin{std::string(peer), http::EqualsIgnoreCase(LastOf(headers, "x-forwarded-proto"), "https"),
                      LastOf(headers, "x-forwarded-host")};
  const auto& lines = headers.lines();
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (!http::EqualsIgnoreCase(line->name, "x-forwarded-for")) continue;
    std::string_view left = line->value;
    for (;;) {
      const size_t comma = left.rfind(',');
      const auto address = AddressOf(TrimBlanks(left.substr(comma + 1)));  // npos + 1 is 0
      if (!address) return origin;
      origin.ip = address->ToString();
      if (!Holds(trusted, *address)) return origin;
      if (comma == std::string_view::npos) break;
      left = left.substr(0, comma);
    }
  }
  return origin;
}

}  // namespace runtime::proxy
