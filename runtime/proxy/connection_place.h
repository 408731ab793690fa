// A client's place in the counts of what is open: taken when its connection is accepted, given back when its socket is closed, lingering
// included. Thread: the worker's.
#pragma once

#include <arpa/inet.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "runtime/proxy/address_counts.h"
#include "runtime/observe/metrics.h"

namespace runtime::proxy {

// Who counts as one for limits.per_address: an IPv4 address, or the /64 that one IPv6 host may choose its addresses from (RFC 4291
// 2.5.4). `ip` as the network tells it.
inline std::string AddressGroup(const std::string& ip) {
  in6_addr parsed;
  if (ip.find(':') == std::string::npos || inet_pton(AF_INET6, ip.substr(0, ip.find('%')).c_str(), &parsed) != 1) return ip;
  char text[INET6_ADDRSTRLEN];
  if (IN6_IS_ADDR_V4MAPPED(&parsed)) {
    inet_ntop(AF_INET, &parsed.s6_addr[12], text, sizeof text);
    return text;
  }
  std::memset(&parsed.s6_addr[8], 0, 8);
  inet_ntop(AF_INET6, &parsed, text, sizeof text);
  return std::string(text) + "/64";
}

// Owned by the worker; places that outlive it are given back nowhere.
struct PlaceCounts {
  observe::MetricsShard& metrics;
  AddressCounts& addresses;
};

class ConnectionPlace {
 public:
  // `group`: counted already, and to be given back.
  ConnectionPlace(const std::shared_ptr<PlaceCounts>& counts, std::optional<std::string> group)
      : counts_(counts), group_(std::move(group)) {
    counts->metrics.AddConnections(1);
  }
  ~ConnectionPlace() {
    const auto counts = counts_.lock();
    if (counts == nullptr) return;
    counts->metrics.AddConnections(-1);
    if (group_) counts->addresses.Remove(*group_);
  }
  ConnectionPlace(const ConnectionPlace&) = delete;
  ConnectionPlace& operator=(const ConnectionPlace&) = delete;

 private:
  const std::weak_ptr<PlaceCounts> counts_;
  const std::optional<std::string> group_;
};

}  // namespace runtime::proxy
