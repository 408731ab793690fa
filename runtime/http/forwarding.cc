// Which headers are passed on is decided by own_headers.def, by what Connection names, and by what the policy sets or
// removes; everything else goes through unchanged and in order.
#include "runtime/http/forwarding.h"

#include <algorithm>

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

bool IsSet(std::span<const SetHeader> set, std::string_view name) {
  return std::any_of(set.begin(), set.end(),
                     [name](const SetHeader& header) { return EqualsIgnoreCase(header.name, name); });
}

bool IsRemoved(std::span<const std::string> removed, std::string_view name) {
  return std::any_of(removed.begin(), removed.end(),
                     [name](const std::string& header) { return EqualsIgnoreCase(header, name); });
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
// name nothing but the connection's own options: they are told apart once.
bool ConnectionNamesHeaders(const Headers& headers) {
  bool names = false;
  for (const Header& line : headers.lines()) {
    if (!EqualsIgnoreCase(line.name, "connection")) continue;
    ForEachListItem(line.value, [&](std::string_view item) {
      names = names || !(item.empty() || EqualsIgnoreCase(item, "keep-alive") || EqualsIgnoreCase(item, "close"));
    });
  }
  return names;
}

}  // namespace

bool IsHopByHop(std::string_view name) { return IsOwnForRequests(name); }

void AppendUpstreamRequest(const RequestHead& client, const UpstreamRequest& request, std::string* out) {
  AppendRequestLine(client.method_text, request.target, out);
  PLANT_FAULT(target_is_decoded, for (size_t at; (at = out->find("%0d%0a")) != std::string::npos;) out->replace(at, 6, "\r\n"));
  PLANT_FAULT(target_is_decoded, for (size_t at; (at = out->find("%20")) != std::string::npos;) out->replace(at, 3, " "));
  if (!IsSet(request.set, "host")) AppendHeader("Host", request.authority, out);
  const bool names_headers = ConnectionNamesHeaders(client.headers);
  for (const Header& line : client.headers.lines()) {
    PLANT_FAULT(encoding_is_kept, if (EqualsIgnoreCase(line.name, "transfer-encoding")) AppendHeader(line.name, line.value, out));
    // X_Tenant is X-Tenant to servers that map headers to CGI variables: a client could say what the policy took away.
    if (line.name.find('_') != std::string_view::npos) continue;
    if (IsOwnForRequests(line.name) || IsSet(request.set, line.name) || IsRemoved(request.remove, line.name) ||
        (names_headers && client.headers.HasToken("connection", line.name))) {
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
}

void AppendClientResponse(const ResponseHead& upstream, const ClientResponse& response, std::string* out) {
  AppendStatusLine(upstream.status, out);
  const bool names_headers = ConnectionNamesHeaders(upstream.headers);
  for (const Header& line : upstream.headers.lines()) {
    if (IsOwnForResponses(line.name) || IsSet(response.set, line.name) ||
        (names_headers && upstream.headers.HasToken("connection", line.name))) {
      continue;
    }
    AppendHeader(line.name, line.value, out);
  }
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

std::optional<std::string> NormalisePath(std::string_view path) {
  if (path == "*") return std::string(path);
  if (path.empty() || path.front() != '/') return std::nullopt;
  // 1. Decode what is unreserved, so that %2e counts as a dot, and %2F, which most servers decode before they
  // look at a path: what is refused as /api/pull must not pass as /api%2Fpull.
  std::string decoded;
  decoded.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      decoded.push_back(path[i]);
      continue;
    }
    const int high = i + 2 < path.size() ? HexValue(path[i + 1]) : -1;
    const int low = i + 2 < path.size() ? HexValue(path[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;  // servers disagree on what a broken escape means
    const int byte = high * 16 + low;
    if (byte == 0) return std::nullopt;
    if ((IsUnreserved(static_cast<char>(byte)) && byte < 0x80) || byte == '/') {
      decoded.push_back(static_cast<char>(byte));
    } else {
      constexpr char kHex[] = "0123456789ABCDEF";
      decoded.push_back('%');
      decoded.push_back(kHex[high]);
      decoded.push_back(kHex[low]);
    }
    i += 2;
  }
  // 2. Segment by segment: empty ones and "." vanish, ".." takes the one before. "..;x" is ".." to servers with matrix
  // parameters, so it counts as such.
  std::string result;
  result.reserve(decoded.size());
  bool ends_in_slash = false;
  size_t from = 1;
  while (from <= decoded.size()) {
    const size_t slash = std::min(decoded.find('/', from), decoded.size());
    const std::string_view segment = std::string_view(decoded).substr(from, slash - from);
    const std::string_view name = segment.substr(0, segment.find(';'));
    from = slash + 1;
    ends_in_slash = true;
    if (segment.empty() || name == ".") continue;
    if (name == "..") {
      if (result.empty()) return std::nullopt;
      result.resize(result.rfind('/'));
      continue;
    }
    result.append("/").append(segment);
    ends_in_slash = false;
  }
  if (ends_in_slash) result.push_back('/');
  return result;
}

}  // namespace runtime::http
