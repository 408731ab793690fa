// What a gateway writes anew when it passes a message on (RFC 9110 7.6, RFC 9112 6 and 9): one framing, hop-by-hop fields
// and those that Connection names dropped, Via and X-Forwarded-* added, internal names stripped.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/http/message.h"

namespace runtime::http {

struct SetHeader {
  std::string_view name;
  std::string_view value;
};

struct UpstreamRequest {
  std::string_view target;      // path and query to send
  std::string_view authority;   // Host, unless `set` names one
  std::span<const SetHeader> set;                   // replace what the client sent under that name
  std::span<const std::string> remove;              // lower case; taken away from what the client sent
  std::string_view request_id;  // sent as X-Request-Id
  std::string_view peer_ip;     // appended to X-Forwarded-For
  bool client_tls = false;      // X-Forwarded-Proto
  std::string_view forwarded_host = {};  // X-Forwarded-Host; the client's Host where empty
  std::string_view trace_parent = {};    // traceparent, unless the client sent one
  BodyFraming framing = BodyFraming::kNone;         // kNone, kLength or kChunked
  uint64_t content_length = 0;
};
// Appends the head that goes to the upstream.
void AppendUpstreamRequest(const RequestHead& client, const UpstreamRequest& request, std::string* out);

struct ClientResponse {
  BodyFraming framing = BodyFraming::kNone;         // as the client will see it
  uint64_t content_length = 0;
  bool keep_alive = true;                           // false: adds Connection: close
  int client_minor_version = 1;
  std::span<const SetHeader> set;                   // X-Request-Id, CORS …; replace the upstream's
};
// Appends the head that goes to the client, made from the upstream's.
void AppendClientResponse(const ResponseHead& upstream, const ClientResponse& response, std::string* out);

// Whether the gateway keeps this request header for itself (hop-by-hop, framing, internal names): by lower-case name.
bool IsHopByHop(std::string_view name);

// A path in the form that routes are matched on: percent-decoded where unreserved (RFC 3986 6.2.2), dot segments removed,
// runs of "/" folded. Nothing if it leaves the root or holds %00: the request is a 400.
std::optional<std::string> NormalisePath(std::string_view path);

}  // namespace runtime::http
