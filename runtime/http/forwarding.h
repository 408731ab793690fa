// What a gateway writes anew when it passes a message on (RFC 9110 7.6, RFC 9112 6 and 9): one framing, hop-by-hop fields
// and those that Connection names dropped, Via and X-Forwarded-* added, internal names stripped.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/http/message.h"
#include "runtime/http/request_path.h"

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
  bool from_proxy = false;      // a trusted one: what it says of the client beside X-Forwarded-* is passed on
  std::string_view forwarded_host = {};  // X-Forwarded-Host; the client's Host where empty
  std::string_view trace_parent = {};    // traceparent, unless the client sent one
  BodyFraming framing = BodyFraming::kNone;         // kNone, kLength or kChunked
  uint64_t content_length = 0;
  bool drops_origin = false;         // CORS is the gateway's: the upstream need not judge pages
  bool passes_underscores = false;   // header names with "_"
  std::span<const std::string> read = {};  // lower case; headers that conditions read: of those a list in several lines becomes one
};
// What was dropped for the "_" in its name; servers that map headers to CGI variables would take it for another one.
struct DroppedHeaders {
  size_t count = 0;
  std::string_view first;  // of the client's head
};
// Appends the head that goes to the upstream.
DroppedHeaders AppendUpstreamRequest(const RequestHead& client, const UpstreamRequest& request, std::string* out);

// What is passed on of the client's lines of that name, as one text: all of them, or none where Connection names it.
std::string PassedValue(const RequestHead& client, std::string_view name);

struct ClientResponse {
  BodyFraming framing = BodyFraming::kNone;         // as the client will see it
  uint64_t content_length = 0;
  bool keep_alive = true;                           // false: adds Connection: close
  int client_minor_version = 1;
  std::span<const SetHeader> set;                   // X-Request-Id, CORS …; replace the upstream's
  bool drops_cors = false;                          // Access-Control-* is the gateway's to say
  // Where the upstream was asked and how the client came here, to rewrite references of the first to the second (as
  // proxy_redirect of nginx does); an empty upstream_authority: they are passed on.
  std::string_view upstream_authority = {};         // host[:port]
  std::string_view upstream_base = {};  // path at the upstream, "/ollama", without a "/" behind; may be empty
  std::string_view client_base = {};    // what the client has in its place; may be empty
  std::string_view client_authority = {};           // empty: only path and query are told
  bool client_tls = false;
};
// Appends the head that goes to the client, made from the upstream's.
void AppendClientResponse(const ResponseHead& upstream, const ClientResponse& response, std::string* out);

// The headers of an answer that AppendClientResponse would pass on, for keeping: but for what is of this one answer (Date, Age,
// Set-Cookie, its request ids).
std::vector<std::pair<std::string, std::string>> KeptHeaders(const ResponseHead& upstream, const ClientResponse& response);

// A Location (or another reference) of an answer as the client must see it.
std::string RewriteReference(std::string_view reference, const ClientResponse& response);

// Whether the gateway keeps this request header for itself (hop-by-hop, framing, internal names): by lower-case name.
bool IsHopByHop(std::string_view name);

}  // namespace runtime::http
