// Who a request comes from where proxies that the policy trusts stand in front of the gateway (gateway.trusted_proxies).
// What anybody else says in X-Forwarded-* is not believed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/cidr.h"
#include "runtime/http/message.h"

namespace runtime::proxy {

bool IsTrusted(const std::vector<base::Cidr>& trusted, std::string_view ip);

struct ClientOrigin {
  std::string ip;
  bool tls = false;       // the outermost trusted proxy got it by https
  std::string_view host;  // the X-Forwarded-Host of a trusted proxy, or "" for the request's own; borrowed from `headers`
};

// `peer`: the trusted proxy that the connection comes from. The client is the last address of X-Forwarded-For, read from
// the end, that is not a trusted proxy itself; an entry that is no address ends the search, for whoever wrote it was not
// one of them.
ClientOrigin OriginBehind(const std::vector<base::Cidr>& trusted, std::string_view peer,
                          const http::Headers& headers);

}  // namespace runtime::proxy
