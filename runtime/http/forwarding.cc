// Which headers are passed on is decided by header_names.def, by what Connection names, and by what the policy sets or
// removes; everything else goes through unchanged and in order.
#include "runtime/http/forwarding.h"

#include <algorithm>
#include <bitset>
#include <string>
#include <vector>

#include "runtime/http/connection_names.h"
#include "runtime/http/message_writer.h"
#include "runtime/http/planted_faults.h"
#include "runtime/http/request_reading.h"
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

// By id.
constexpr OwnHeader kHeaders[] = {
    {"", false, false},
#define OWN_HEADER(id, name, requests, responses, why) {name, requests, responses},
#define KNOWN_HEADER(id, name) {name, false, false},
#include "runtime/http/header_names.def"
#undef KNOWN_HEADER
#undef OWN_HEADER
};
const OwnHeader& HeaderOf(HeaderId id) { return kHeaders[static_cast<size_t>(id)]; }

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

bool IsOwnForRequests(std::string_view name, HeaderId id) {
  if (HeaderOf(id).requests) return true;
  if (id != HeaderId::kOther) return false;
  if (Matches(name, kInternalPrefix, true)) return true;
  if (name.find('_') == std::string_view::npos) return false;
  return std::any_of(std::begin(kHeaders), std::end(kHeaders), [name](const OwnHeader& own) {
    return own.requests && own.name.size() == name.size() && Matches(name, own.name, true);
  });
}

// What a proxy in front says of the client and of what it was asked for. From others it is the client's own word, which servers take for a
// proxy's: frameworks build links and paths with it, caches don't know of it.
constexpr std::string_view kOfProxies[] = {"cf-connecting-ip",
                                           "fastly-client-ip",
                                           "front-end-https",
                                           "true-client-ip",
                                           "x-client-ip",
                                           "x-cluster-client-ip",
                                           "x-envoy-original-path",
                                           "x-forwarded-by",
                                           "x-forwarded-method",
                                           "x-forwarded-path",
                                           "x-forwarded-port",
                                           "x-forwarded-prefix",
                                           "x-forwarded-proto-version",
                                           "x-forwarded-scheme",
                                           "x-forwarded-server",
                                           "x-forwarded-ssl",
                                           "x-forwarded-tls-client-cert",
                                           "x-forwarded-tls-client-cert-info",
                                           "x-forwarded-uri",
                                           "x-host",
                                           "x-original-host",
                                           "x-original-method",
                                           "x-original-uri",
                                           "x-override-url",
                                           "x-real-ip",
                                           "x-replaced-path",
                                           "x-script-name",
                                           "x-url-scheme"};

bool IsOfProxies(const Header& line) {
  if (line.id != HeaderId::kOther) return false;
  if (line.name.size() < 6) return false;
  // Nearly all names are none of them by two letters: X-Stainless-…, X-Api-Key.
  const char first = AsciiLower(line.name.front());
  if (first == 'x') {
    constexpr std::string_view kBegin = "cl en fo ho or ov re sc ur";
    const char pair[] = {AsciiLower(line.name[2]), AsciiLower(line.name[3])};
    if (kBegin.find(std::string_view(pair, 2)) == std::string_view::npos) return false;
  } else if (first != 'c' && first != 'f' && first != 't') {
    return false;
  }
  return std::any_of(std::begin(kOfProxies), std::end(kOfProxies),
                     [&](std::string_view name) { return EqualsTwin(line.name, name); });
}

bool IsOwnForResponses(const Header& line) {
  if (HeaderOf(line.id).responses) return true;
  if (line.id != HeaderId::kOther) return false;
  // An upstream must not pose as the gateway, nor say where else its answers are to be had: that is of its own origin (RFC 7838 2.1).
  return Matches(line.name, kInternalPrefix, false) || EqualsIgnoreCase(line.name, "alt-svc");
}

bool IsSet(std::span<const SetHeader> set, std::string_view name) {
  for (const SetHeader& header : set) {
    if (header.name.size() == name.size() && EqualsTwin(name, header.name)) return true;
  }
  return false;
}

bool IsRemoved(std::span<const std::string> removed, std::string_view name) {
  for (const std::string& header : removed) {
    if (header.size() == name.size() && EqualsTwin(name, header)) return true;
  }
  return false;
}

// The headers that a policy sets or takes away, told by their ids where they have one.
class NamedHeaders {
 public:
  NamedHeaders(std::span<const SetHeader> set, std::span<const std::string> removed) : set_(set), removed_(removed) {
    for (const SetHeader& header : set) Add(header.name);
    for (const std::string& header : removed) Add(header);
  }

  bool Has(HeaderId id, std::string_view name) const {
    if (is_empty_) return false;
    if (id != HeaderId::kOther && !has_twins_) return ids_[static_cast<size_t>(id)];
    return IsSet(set_, name) || IsRemoved(removed_, name);
  }

 private:
  void Add(std::string_view name) {
    is_empty_ = false;
    const HeaderId id = IdOfHeader(name);
    ids_.set(static_cast<size_t>(id));
    has_twins_ = has_twins_ || (id == HeaderId::kOther && name.find('_') != std::string_view::npos);  // X_Forwarded_For is X-Forwarded-For
  }

  std::span<const SetHeader> set_;
  std::span<const std::string> removed_;
  std::bitset<std::size(kHeaders)> ids_;
  bool is_empty_ = true;
  bool has_twins_ = false;
};

// Lines that go on as they came, put down in runs: what stands together in the head that was received is copied as one piece.
class PassedLines {
 public:
  explicit PassedLines(HeadWriter& out) : out_(out) {}
  ~PassedLines() { End(); }
  PassedLines(const PassedLines&) = delete;
  PassedLines& operator=(const PassedLines&) = delete;

  void Add(const Header& line) {
    if (!line.is_plain) {
      End();
      out_.Header(line.name, line.value);
      return;
    }
    const std::string_view text = line.plain_line();
    if (run_.data() + run_.size() != text.data()) {
      End();
      run_ = text;
    } else {
      run_ = {run_.data(), run_.size() + text.size()};
    }
  }
  // Before anything else is written.
  void End() {
    if (!run_.empty()) out_.Put(run_);
    run_ = {};
  }

 private:
  HeadWriter& out_;
  std::string_view run_;
};

bool IsAny(std::span<const std::string> names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [name](const std::string& own) { return EqualsIgnoreCase(name, own); });
}

bool IsReference(const Header& line) {
  return line.id == HeaderId::k_location || line.id == HeaderId::k_content_location || line.id == HeaderId::k_operation_location ||
         line.id == HeaderId::k_azure_asyncoperation;
}

// Names that a server on this machine may have for itself.
bool IsThisMachine(std::string_view host) {
  for (const std::string_view own : {"localhost", "127.0.0.1", "[::1]", "0.0.0.0", "[::]"}) {
    if (EqualsIgnoreCase(host, own)) return true;
  }
  return false;
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
  return port_a == port_b && (EqualsIgnoreCase(host_a, host_b) || (IsThisMachine(host_a) && IsThisMachine(host_b)));
}

// The link of a Refresh (`5; url=…`) or of a Link header (`<…>; rel=next, <…>; …`), rewritten where it stands.
std::string RewriteWithin(std::string_view name, std::string_view value, const ClientResponse& response) {
  std::string rewritten;
  if (EqualsIgnoreCase(name, "refresh")) {
    size_t at = value.find_first_of("uU");
    while (at != std::string_view::npos && !EqualsIgnoreCase(value.substr(at, 4), "url=")) at = value.find_first_of("uU", at + 1);
    if (at == std::string_view::npos) return std::string(value);
    at += 4;
    const bool is_quoted = at < value.size() && (value[at] == '"' || value[at] == '\'');
    if (is_quoted) ++at;
    const size_t end = is_quoted ? std::min(value.find(value[at - 1], at), value.size()) : value.size();
    return rewritten.append(value.substr(0, at)).append(RewriteReference(value.substr(at, end - at), response)).append(value.substr(end));
  }
  size_t from = 0;
  for (size_t open = value.find('<'); open != std::string_view::npos; open = value.find('<', from)) {
    const size_t close = value.find('>', open);
    if (close == std::string_view::npos) break;
    rewritten.append(value.substr(from, open + 1 - from)).append(RewriteReference(value.substr(open + 1, close - open - 1), response));
    from = close;
  }
  return rewritten.append(value.substr(from));
}

// Appends "Name: a, b, own" from all lines of that name; `written` is "Name: ".
template <size_t kSize>
void AppendExtended(const Headers& headers, HeaderId id, const char (&written)[kSize], std::string_view own, HeadWriter& out) {
  if (!headers.Find(id)) {
    out.Named(written, own);
    return;
  }
  out.Put(written);
  for (const Header& line : headers.lines()) {
    if (line.id != id || line.value.empty()) continue;
    out.Put(line.value);
    out.Put(", ");
  }
  out.Put(own);
  out.Put("\r\n");
}

void AppendFraming(BodyFraming framing, uint64_t content_length, HeadWriter& out) {
  if (framing == BodyFraming::kLength) out.Named("Content-Length: ", content_length);
  if (framing == BodyFraming::kChunked) out.Put("Transfer-Encoding: chunked\r\n");
}

}  // namespace

bool IsHopByHop(std::string_view name) { return IsOwnForRequests(name, IdOfHeader(name)); }

std::string PassedValue(const RequestHead& client, std::string_view name) {
  if (!client.headers.Find(name) || ConnectionNames(client.headers).Has(name)) return {};
  std::string all;
  for (const Header& line : client.headers.lines()) {
    if (EqualsIgnoreCase(line.name, name)) all.append(line.value).append(",");
  }
  return all;
}

DroppedHeaders AppendUpstreamRequest(const RequestHead& client, const UpstreamRequest& request, std::string* to) {
  DroppedHeaders dropped;
  HeadWriter out(to);
  std::string_view target = request.target;
  [[maybe_unused]] std::string decoded_target;  // of a planted fault
  PLANT_FAULT(path_is_sent_raw, target = client.target);
  PLANT_FAULT(slashes_are_decoded, {
    decoded_target = target;
    for (size_t at; (at = decoded_target.find("%2F")) != std::string::npos;) decoded_target.replace(at, 3, "/");
    target = decoded_target;
  });
  PLANT_FAULT(target_is_decoded, {
    decoded_target = target;
    for (size_t at; (at = decoded_target.find("%0D%0A")) != std::string::npos;) decoded_target.replace(at, 6, "\r\n");
    for (size_t at; (at = decoded_target.find("%20")) != std::string::npos;) decoded_target.replace(at, 3, " ");
    target = decoded_target;
  });
  out.Put(client.method_text);
  out.Put(" ");
  out.Put(target);
  out.Put(" HTTP/1.1\r\n");
  const NamedHeaders named(request.set, request.remove);
  if (!IsSet(request.set, "host")) out.Named("Host: ", request.authority);
  const ConnectionNames for_this_hop(client.headers);
  PassedLines passed(out);
  for (const Header& line : client.headers.lines()) {
    PLANT_FAULT(encoding_is_kept, if (line.id == HeaderId::k_transfer_encoding) passed.Add(line));
    // X_Tenant is X-Tenant to servers that map headers to CGI variables: a client could say what the policy took away.
    if (!request.passes_underscores && line.id == HeaderId::kOther && line.name.find('_') != std::string_view::npos) {
      if (dropped.count++ == 0) dropped.first = line.name;
      continue;
    }
    if (request.drops_origin && line.id == HeaderId::k_origin) continue;
    if (!request.from_proxy && IsOfProxies(line)) continue;
    if (IsOwnForRequests(line.name, line.id) || named.Has(line.id, line.name) || for_this_hop.Has(line.name)) {
      continue;
    }
    // A list in several lines that conditions read goes out as the one that they saw: some servers take the first line for all of it.
    if (!request.read.empty() && IsAny(request.read, line.name) && IsListHeader(line.name)) {
      passed.End();
      const bool is_first = client.headers.Find(line.name)->data() == line.value.data();
      if (is_first) out.Header(line.name, JoinedValue(client.headers, line.name));
      continue;
    }
    passed.Add(line);
  }
  passed.End();
  for (const SetHeader& header : request.set) out.Header(header.name, header.value);
  const auto own = [&named](HeaderId id) { return !named.Has(id, HeaderOf(id).name); };
  if (own(HeaderId::k_x_forwarded_for) && !request.peer_ip.empty()) {
    AppendExtended(client.headers, HeaderId::k_x_forwarded_for, "X-Forwarded-For: ", request.peer_ip, out);
  }
  if (own(HeaderId::k_x_forwarded_proto)) out.Named("X-Forwarded-Proto: ", request.client_tls ? "https" : "http");
  const std::string_view host = request.forwarded_host.empty() ? client.host : request.forwarded_host;
  if (own(HeaderId::k_x_forwarded_host) && !host.empty()) out.Named("X-Forwarded-Host: ", host);
  if (own(HeaderId::k_x_request_id) && !request.request_id.empty()) out.Named("X-Request-Id: ", request.request_id);
  if (own(HeaderId::k_via)) AppendExtended(client.headers, HeaderId::k_via, "Via: ", Via(client.minor_version), out);
  if (!request.trace_parent.empty() && own(HeaderId::k_traceparent) && !client.headers.Find(HeaderId::k_traceparent)) {
    out.Named("traceparent: ", request.trace_parent);
  }
  uint64_t content_length = request.content_length;
  PLANT_FAULT(length_is_one_short, content_length -= content_length > 0 ? 1 : 0);
  BodyFraming framing = request.framing;
  PLANT_FAULT(body_of_get_is_not_framed, if (client.method_text == "GET") framing = BodyFraming::kNone);
  AppendFraming(framing, content_length, out);
  out.Put("\r\n");
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
    std::string_view authority = rest.substr(2, end - 2);
    if (const size_t user = authority.rfind('@'); user != std::string_view::npos) authority.remove_prefix(user + 1);
    const std::string_view own = response.upstream_authority;
    is_of_upstream = SameAuthority(authority, own, default_port) || EqualsIgnoreCase(authority, own);
    if (!is_of_upstream) return std::string(reference);
    rest.remove_prefix(end);
  } else if (!rest.starts_with('/')) {
    return std::string(reference);  // relative to the request's own path, which differs by what stands in front only
  }
  const std::string_view base = response.upstream_base;
  const bool is_behind_base = !base.empty() && rest.starts_with(base) &&
                              (rest.size() == base.size() || rest[base.size()] == '/' || rest[base.size()] == '?');
  if (is_behind_base) rest.remove_prefix(base.size());
  std::string rewritten;
  if (is_of_upstream && !response.client_authority.empty()) {
    rewritten.append(response.client_tls ? "https://" : "http://").append(response.client_authority);
  }
  if (is_behind_base) rewritten.append(response.client_base);
  if (!rest.starts_with('/') && (!is_behind_base || response.client_base.empty())) rewritten.push_back('/');
  return rewritten.append(rest);
}

namespace {

// Calls pass(line) for each header that is passed on as it is, visit(name, value) for each that is changed.
template <typename Pass, typename Visit>
void ForEachPassed(const ResponseHead& upstream, const ClientResponse& response, Pass pass, Visit visit) {
  const ConnectionNames for_this_hop(upstream.headers);
  for (const Header& line : upstream.headers.lines()) {
    if (for_this_hop.Has(line.name)) continue;
    if (line.id == HeaderId::k_x_request_id && IsSet(response.set, "x-request-id")) {
      // What the upstream's support asks for; ours stands under this name.
      const bool is_ours = std::any_of(response.set.begin(), response.set.end(), [&](const SetHeader& header) {
        return EqualsIgnoreCase(header.name, line.name) && header.value == line.value;
      });
      if (!is_ours) visit("X-Upstream-Request-Id", line.value);
      continue;
    }
    if (IsOwnForResponses(line) || IsSet(response.set, line.name)) continue;
    if (response.drops_cors && Matches(line.name, "access-control-", false)) continue;
    if (IsReference(line)) {
      visit(line.name, RewriteReference(line.value, response));
    } else if (!response.upstream_authority.empty() && (line.id == HeaderId::k_refresh || line.id == HeaderId::k_link)) {
      visit(line.name, RewriteWithin(line.name, line.value, response));
    } else {
      pass(line);
    }
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> KeptHeaders(const ResponseHead& upstream, const ClientResponse& response) {
  std::vector<std::pair<std::string, std::string>> kept;
  const auto keep = [&kept](std::string_view name, std::string_view value) {
    for (const std::string_view own :
         {"date", "age", "set-cookie", "set-cookie2", "warning", "x-request-id", "x-upstream-request-id"}) {
      if (EqualsIgnoreCase(name, own)) return;
    }
    kept.emplace_back(name, value);
  };
  ForEachPassed(upstream, response, [&keep](const Header& line) { keep(line.name, line.value); }, keep);
  return kept;
}

void AppendClientResponse(const ResponseHead& upstream, const ClientResponse& response, std::string* to) {
  HeadWriter out(to);
  out.StatusLine(upstream.status);
  PassedLines passed(out);
  ForEachPassed(upstream, response, [&passed](const Header& line) { passed.Add(line); },
                [&](std::string_view name, std::string_view value) {
                  passed.End();
                  out.Header(name, value);
                });
  passed.End();
  for (const SetHeader& header : response.set) out.Header(header.name, header.value);
  if (!IsSet(response.set, "via")) AppendExtended(upstream.headers, HeaderId::k_via, "Via: ", Via(upstream.minor_version), out);
  if (response.framing == BodyFraming::kNone) {
    // An answer to HEAD, or a 304, tells the length of what a GET would have had (RFC 9110 8.6).
    if (upstream.status >= 200 && upstream.status != 204 && upstream.headers.Find(HeaderId::k_content_length) &&
        !upstream.headers.Find(HeaderId::k_transfer_encoding)) {
      out.Named("Content-Length: ", upstream.content_length);
    }
  } else {
    AppendFraming(response.framing, response.content_length, out);
  }
  if (upstream.status >= 200) {
    if (!response.keep_alive) {
      out.Put("Connection: close\r\n");
    } else if (response.client_minor_version == 0) {
      out.Put("Connection: keep-alive\r\n");  // not the default there (RFC 9112 9.3)
    }
  }
  out.Put("\r\n");
}

}  // namespace runtime::http
