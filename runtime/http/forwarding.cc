// Which headers are passed on is decided by own_headers.def, by what Connection names, and by what the policy sets or
// removes; everything else goes through unchanged and in order.
#include "runtime/http/forwarding.h"

#include <algorithm>
#include <string>
#include <vector>

#include "runtime/http/message_writer.h"
#include "runtime/http/planted_faults.h"
#include "runtime/http/text.h"

namespace runtime::http {
namespace {

constexpr std::string_view kInternalPrefix = "x-breakwater-";
// The version is that of the message that was received, RFC 9110 7.6.3.
constexpr std::string_view Via(int minor_version) { return minor_version == 0 ? "1.0 breakwater" : "1.1 breakwater"; }

struct OwnHeader {
  std::string_view name;
  bool requests;
  bool responses;
};

constexpr OwnHeader kOwnHeaders[] = {
#define OWN_HEADER(name, requests, responses, why) {name, requests, responses},
#include "runtime/http/own_headers.def"
#undef OWN_HEADER
};

// Whether `name` is `own`, which is lower case; with `twins`, X_Forwarded_For counts as X-Forwarded-For, because servers
// that map headers to CGI variables see no difference.
bool Matches(std::string_view name, std::string_view own, bool twins) {
  if (name.size() < own.size()) return false;
  for (size_t i = 0; i < own.size(); ++i) {
    const char c = AsciiLower(name[i]);
    if (c != own[i] && !(twins && c == '_' && own[i] == '-')) return false;
  }
  return true;
}

bool IsOwnForRequests(std::string_view name) {
  if (Matches(name, kInternalPrefix, true)) return true;
  return std::any_of(std::begin(kOwnHeaders), std::end(kOwnHeaders), [name](const OwnHeader& own) {
    return own.requests && own.name.size() == name.size() && Matches(name, own.name, true);
  });
}

bool IsOwnForResponses(std::string_view name) {
  if (Matches(name, kInternalPrefix, false)) return true;  // an upstream must not pose as the gateway
  return std::any_of(std::begin(kOwnHeaders), std::end(kOwnHeaders), [name](const OwnHeader& own) {
    return own.responses && own.name.size() == name.size() && Matches(name, own.name, false);
  });
}

// Equal but for case, and for "_" in place of "-".
bool EqualsTwin(std::string_view name, std::string_view own) {
  if (name.size() != own.size()) return false;
  for (size_t i = 0; i < own.size(); ++i) {
    const char a = name[i] == '_' ? '-' : AsciiLower(name[i]);
    const char b = own[i] == '_' ? '-' : AsciiLower(own[i]);
    if (a != b) return false;
  }
  return true;
}

bool IsSet(std::span<const SetHeader> set, std::string_view name) {
  return std::any_of(set.begin(), set.end(), [name](const SetHeader& header) { return EqualsTwin(name, header.name); });
}

bool IsRemoved(std::span<const std::string> removed, std::string_view name) {
  return std::any_of(removed.begin(), removed.end(), [name](const std::string& header) { return EqualsTwin(name, header); });
}

bool IsReference(std::string_view name) {
  return EqualsIgnoreCase(name, "location") || EqualsIgnoreCase(name, "content-location") || EqualsIgnoreCase(name, "operation-location");
}

// Whether two authorities name one place for a scheme with that default port.
bool SameAuthority(std::string_view a, std::string_view b, std::string_view default_port) {
  const auto split = [default_port](std::string_view authority) {
    const size_t from = authority.starts_with('[') ? authority.find(']') : 0;
    const size_t colon = from == std::string_view::npos ? from : authority.find(':', from);
    std::string_view port = colon == std::string_view::npos ? std::string_view() : authority.substr(colon + 1);
    if (port.empty()) port = default_port;
    return std::pair(authority.substr(0, colon), port);
  };
  const auto [host_a, port_a] = split(a);
  const auto [host_b, port_b] = split(b);
  return EqualsIgnoreCase(host_a, host_b) && port_a == port_b;
}

// Appends "name: a, b, own" from all lines of that name.
void AppendExtended(const Headers& headers, std::string_view name, std::string_view written, std::string_view own,
                    std::string* out) {
  out->append(written).append(": ");
  for (const Header& line : headers.lines()) {
    if (!line.value.empty() && EqualsIgnoreCase(line.name, name)) out->append(line.value).append(", ");
  }
  out->append(own).append("\r\n");
}

void AppendFraming(BodyFraming framing, uint64_t content_length, std::string* out) {
  if (framing == BodyFraming::kLength) AppendHeader("Content-Length", content_length, out);
  if (framing == BodyFraming::kChunked) AppendHeader("Transfer-Encoding", "chunked", out);
}

// What Connection names is for one hop; a client can't take away what we write ourselves (RFC 9110 7.6.1). Most messages
// name nothing but the connection's own options: then nothing is kept. Else the names, sorted: a head of n names and m lines costs
// their sum, not their product.
class ConnectionNames {
 public:
  explicit ConnectionNames(const Headers& headers) {
    for (const Header& line : headers.lines()) {
      if (!EqualsIgnoreCase(line.name, "connection")) continue;
      ForEachListItem(line.value, [&](std::string_view item) {
        if (!item.empty() && !EqualsIgnoreCase(item, "keep-alive") && !EqualsIgnoreCase(item, "close")) Add(item);
      });
    }
    std::sort(names_.begin(), names_.end());
  }

  bool Has(std::string_view name) const {
    if (names_.empty()) return false;
    return std::binary_search(names_.begin(), names_.end(), Lower(name));
  }

 private:
  static std::string Lower(std::string_view name) {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(), AsciiLower);
    return lower;
  }
  void Add(std::string_view item) { names_.push_back(Lower(item)); }

  std::vector<std::string> names_;
};

}  // namespace

bool IsHopByHop(std::string_view name) { return IsOwnForRequests(name); }

DroppedHeaders AppendUpstreamRequest(const RequestHead& client, const UpstreamRequest& request, std::string* out) {
  DroppedHeaders dropped;
  AppendRequestLine(client.method_text, request.target, out);
  PLANT_FAULT(target_is_decoded, for (size_t at; (at = out->find("%0D%0A")) != std::string::npos;) out->replace(at, 6, "\r\n"));
  PLANT_FAULT(target_is_decoded, for (size_t at; (at = out->find("%20")) != std::string::npos;) out->replace(at, 3, " "));
  if (!IsSet(request.set, "host")) AppendHeader("Host", request.authority, out);
  const ConnectionNames for_this_hop(client.headers);
  for (const Header& line : client.headers.lines()) {
    PLANT_FAULT(encoding_is_kept, if (EqualsIgnoreCase(line.name, "transfer-encoding")) AppendHeader(line.name, line.value, out));
    // X_Tenant is X-Tenant to servers that map headers to CGI variables: a client could say what the policy took away.
    if (!request.passes_underscores && line.name.find('_') != std::string_view::npos) {
      if (dropped.count++ == 0) dropped.first = line.name;
      continue;
    }
    if (request.drops_origin && EqualsIgnoreCase(line.name, "origin")) continue;
    if (IsOwnForRequests(line.name) || IsSet(request.set, line.name) || IsRemoved(request.remove, line.name) ||
        for_this_hop.Has(line.name)) {
      continue;
    }
    AppendHeader(line.name, line.value, out);
  }
  for (const SetHeader& header : request.set) AppendHeader(header.name, header.value, out);
  const auto own = [&](std::string_view name) { return !IsSet(request.set, name) && !IsRemoved(request.remove, name); };
  if (own("x-forwarded-for") && !request.peer_ip.empty()) {
    AppendExtended(client.headers, "x-forwarded-for", "X-Forwarded-For", request.peer_ip, out);
  }
  if (own("x-forwarded-proto")) AppendHeader("X-Forwarded-Proto", request.client_tls ? "https" : "http", out);
  const std::string_view host = request.forwarded_host.empty() ? client.host : request.forwarded_host;
  if (own("x-forwarded-host") && !host.empty()) AppendHeader("X-Forwarded-Host", host, out);
  if (own("x-request-id") && !request.request_id.empty()) AppendHeader("X-Request-Id", request.request_id, out);
  if (own("via")) AppendExtended(client.headers, "via", "Via", Via(client.minor_version), out);
  if (!request.trace_parent.empty() && own("traceparent") && !client.headers.Find("traceparent")) {
    AppendHeader("traceparent", request.trace_parent, out);
  }
  uint64_t content_length = request.content_length;
  PLANT_FAULT(length_is_one_short, content_length -= content_length > 0 ? 1 : 0);
  BodyFraming framing = request.framing;
  PLANT_FAULT(body_of_get_is_not_framed, if (client.method_text == "GET") framing = BodyFraming::kNone);
  AppendFraming(framing, content_length, out);
  AppendEndOfHead(out);
  return dropped;
}

std::string RewriteReference(std::string_view reference, const ClientResponse& response) {
  if (response.upstream_authority.empty()) return std::string(reference);
  std::string_view rest = reference;
  std::string_view default_port = "80";
  bool is_of_upstream = false;
  if (rest.size() > 7 && EqualsIgnoreCase(rest.substr(0, 7), "http://")) {
    rest.remove_prefix(5);
  } else if (rest.size() > 8 && EqualsIgnoreCase(rest.substr(0, 8), "https://")) {
    rest.remove_prefix(6);
    default_port = "443";
  }
  if (rest.starts_with("//")) {
    const size_t end = std::min(rest.find_first_of("/?#", 2), rest.size());
    const std::string_view authority = rest.substr(2, end - 2);
    const std::string_view own = response.upstream_authority;
    is_of_upstream = SameAuthority(authority, own, default_port) || EqualsIgnoreCase(authority, own);
    if (!is_of_upstream) return std::string(reference);
    rest.remove_prefix(end);
  } else if (!rest.starts_with('/')) {
    return std::string(reference);  // relative to the request's own path, which differs by what stands in front only
  }
  const std::string_view base = response.upstream_base;
  if (!base.empty() && rest.starts_with(base) && (rest.size() == base.size() || rest[base.size()] == '/' || rest[base.size()] == '?')) {
    rest.remove_prefix(base.size());
  }
  std::string rewritten;
  if (is_of_upstream && !response.client_authority.empty()) {
    rewritten.append(response.client_tls ? "https://" : "http://").append(response.client_authority);
  }
  if (!rest.starts_with('/')) rewritten.push_back('/');
  return rewritten.append(rest);
}

namespace {

// Calls visit(name, value) for each header that is passed on.
template <typename Visit>
void ForEachPassed(const ResponseHead& upstream, const ClientResponse& response, Visit visit) {
  const ConnectionNames for_this_hop(upstream.headers);
  for (const Header& line : upstream.headers.lines()) {
    if (for_this_hop.Has(line.name)) continue;
    if (EqualsIgnoreCase(line.name, "x-request-id") && IsSet(response.set, "x-request-id")) {
      // What the upstream's support asks for; ours stands under this name.
      const bool is_ours = std::any_of(response.set.begin(), response.set.end(), [&](const SetHeader& header) {
        return EqualsIgnoreCase(header.name, line.name) && header.value == line.value;
      });
      if (!is_ours) visit("X-Upstream-Request-Id", line.value);
      continue;
    }
    if (IsOwnForResponses(line.name) || IsSet(response.set, line.name)) continue;
    if (response.drops_cors && Matches(line.name, "access-control-", false)) continue;
    if (IsReference(line.name)) {
      visit(line.name, RewriteReference(line.value, response));
    } else {
      visit(line.name, line.value);
    }
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> KeptHeaders(const ResponseHead& upstream, const ClientResponse& response) {
  std::vector<std::pair<std::string, std::string>> kept;
  ForEachPassed(upstream, response, [&](std::string_view name, std::string_view value) {
    for (const std::string_view own : {"date", "age", "set-cookie", "x-request-id", "x-upstream-request-id"}) {
      if (EqualsIgnoreCase(name, own)) return;
    }
    kept.emplace_back(name, value);
  });
  return kept;
}

void AppendClientResponse(const ResponseHead& upstream, const ClientResponse& response, std::string* out) {
  AppendStatusLine(upstream.status, out);
  ForEachPassed(upstream, response, [out](std::string_view name, std::string_view value) { AppendHeader(name, value, out); });
  for (const SetHeader& header : response.set) AppendHeader(header.name, header.value, out);
  if (!IsSet(response.set, "via")) AppendExtended(upstream.headers, "via", "Via", Via(upstream.minor_version), out);
  if (response.framing == BodyFraming::kNone) {
    // An answer to HEAD, or a 304, tells the length of what a GET would have had (RFC 9110 8.6).
    if (upstream.status >= 200 && upstream.status != 204 && upstream.headers.Find("content-length") &&
        !upstream.headers.Find("transfer-encoding")) {
      AppendHeader("Content-Length", upstream.content_length, out);
    }
  } else {
    AppendFraming(response.framing, response.content_length, out);
  }
  if (upstream.status >= 200) {
    if (!response.keep_alive) {
      AppendHeader("Connection", "close", out);
    } else if (response.client_minor_version == 0) {
      AppendHeader("Connection", "keep-alive", out);  // not the default there (RFC 9112 9.3)
    }
  }
  AppendEndOfHead(out);
}

}  // namespace runtime::http
