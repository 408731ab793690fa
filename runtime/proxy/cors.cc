#include "runtime/proxy/cors.h"

#include <algorithm>

namespace runtime::proxy {
namespace {

// What a page may read beside the headers that it always may: ours by name, and all of the upstream's ("*", which counts for requests
// without cookies; answers to others can't be read, because Access-Control-Allow-Credentials is never sent).
constexpr std::string_view kExposed =
    "X-Request-Id, X-Upstream-Request-Id, X-Breakwater-Fallback, X-Breakwater-Fallback-Reason, X-Should-Retry, Retry-After, *";
constexpr std::string_view kPreflightMaxAge = "600";  // seconds

// As browsers write an origin: they leave the port out that its scheme has anyway (RFC 6454 6.2).
std::string_view WithoutDefaultPort(std::string_view origin) {
  constexpr std::string_view kHttps = ":443";
  constexpr std::string_view kHttp = ":80";
  if (origin.starts_with("https://") && origin.ends_with(kHttps)) origin.remove_suffix(kHttps.size());
  else if (origin.starts_with("http://") && origin.ends_with(kHttp)) origin.remove_suffix(kHttp.size());
  return origin;
}

bool IsListed(const compiler::model::Cors& cors, std::string_view origin) {
  return std::any_of(cors.origins.begin(), cors.origins.end(), [origin](const std::string& listed) {
    return WithoutDefaultPort(listed) == WithoutDefaultPort(origin);
  });
}

// Scheme and authority of a reference; empty where it has none.
std::string_view OriginOfUrl(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  return url.substr(0, url.find_first_of("/?#", scheme + 3));
}

std::optional<std::string> AllowedOrigin(const compiler::model::Cors& cors, std::optional<std::string_view> origin) {
  if (!cors.enabled || !origin) return std::nullopt;
  if (cors.any_origin) return "*";
  if (!IsListed(cors, *origin)) return std::nullopt;
  return std::string(*origin);
}

// Whether the page at `origin` was asked for where this request was.
bool IsOwn(std::string_view origin, std::string_view own_host) {
  std::string_view default_port = ":80";
  if (origin.starts_with("http://")) {
    origin.remove_prefix(7);
  } else if (origin.starts_with("https://")) {
    origin.remove_prefix(8);
    default_port = ":443";
  } else {
    return false;
  }
  if (own_host.empty()) return false;
  if (origin.ends_with(default_port)) origin.remove_suffix(default_port.size());
  if (own_host.ends_with(default_port)) own_host.remove_suffix(default_port.size());
  return http::EqualsIgnoreCase(origin, own_host);
}

HeaderList HeadersFor(const compiler::model::Cors& cors, const std::optional<std::string>& allowed) {
  HeaderList headers;
  if (allowed) {
    headers.emplace_back("Access-Control-Allow-Origin", *allowed);
    headers.emplace_back("Access-Control-Expose-Headers", kExposed);
  }
  if (cors.enabled && !cors.any_origin) headers.emplace_back("Vary", "Origin");
  return headers;
}

}  // namespace

std::optional<std::string_view> OriginOf(const http::Headers& headers) {
  std::optional<std::string_view> origin;
  for (const http::Header& line : headers.lines()) {
    if (line.id != http::HeaderId::k_origin) continue;
    if (origin) return "null";
    origin = line.value;
  }
  return origin;
}

std::optional<std::string_view> UntoldOrigin(const http::Headers& headers) {
  const auto site = headers.Find(http::HeaderId::k_sec_fetch_site);
  if (!site || (!http::EqualsIgnoreCase(*site, "cross-site") && !http::EqualsIgnoreCase(*site, "same-site"))) return std::nullopt;
  const auto destination = headers.Find(http::HeaderId::k_sec_fetch_dest);
  if (destination && http::EqualsIgnoreCase(*destination, "document")) return std::nullopt;
  return OriginOfUrl(headers.Find(http::HeaderId::k_referer).value_or(std::string_view()));
}

bool OriginScan::Feed(std::string_view bytes) {
  constexpr std::string_view kName = "origin:";
  constexpr size_t kLongestLine = 512;
  seen_ += bytes.size();
  for (const char c : bytes) {
    if (c == '\r') continue;
    if (c != '\n') {
      if (line_.size() < kLongestLine) line_.push_back(c);
      continue;
    }
    if (line_.empty()) return true;  // the end of the head
    if (http::EqualsIgnoreCase(std::string_view(line_).substr(0, kName.size()), kName)) {
      std::string_view value = std::string_view(line_).substr(kName.size());
      while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
      while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
      origin_ = std::string(value);
      return true;
    }
    line_.clear();
  }
  return seen_ >= kMostBytes;
}

OriginKind JudgeOrigin(const compiler::model::Cors& cors, std::optional<std::string_view> origin, std::string_view own_host) {
  if (!cors.enabled || !origin) return OriginKind::kNone;
  if (cors.any_origin || IsListed(cors, *origin)) return OriginKind::kAllowed;
  return IsOwn(*origin, own_host) ? OriginKind::kOwn : OriginKind::kForeign;
}

HeaderList CorsHeaders(const compiler::model::Cors& cors, std::optional<std::string_view> origin) {
  return HeadersFor(cors, AllowedOrigin(cors, origin));
}

HeaderList CorsHeadersOfRefused(const compiler::model::Cors& cors, std::optional<std::string_view> origin) {
  if (!origin && cors.enabled) {
    if (cors.any_origin) return HeadersFor(cors, "*");
    if (cors.origins.size() == 1) return HeadersFor(cors, std::string(WithoutDefaultPort(cors.origins.front())));
  }
  return CorsHeaders(cors, origin);
}

void AddCorsHeaders(const compiler::model::Cors& cors, std::optional<std::string_view> origin, HeaderList* headers) {
  for (auto& header : CorsHeaders(cors, origin)) {
    const auto own = std::find_if(headers->begin(), headers->end(), [&](const auto& h) {
      return http::EqualsIgnoreCase(h.first, header.first);
    });
    if (own == headers->end()) {
      headers->push_back(std::move(header));
    } else if (http::EqualsIgnoreCase(header.first, "vary") && !http::EqualsIgnoreCase(own->second, header.second)) {
      own->second += ", " + header.second;
    }
  }
}

std::optional<HeaderList> PreflightHeaders(const compiler::model::Cors& cors, const http::RequestHead& request) {
  if (request.method != compiler::abi::Method::kOPTIONS) return std::nullopt;
  const auto method = request.headers.Find(http::HeaderId::k_access_control_request_method);
  const auto origin = AllowedOrigin(cors, OriginOf(request.headers));
  if (!method || !origin) return std::nullopt;
  HeaderList headers;
  headers.emplace_back("Access-Control-Allow-Origin", *origin);
  headers.emplace_back("Access-Control-Allow-Methods", *method);
  if (const auto names = request.headers.Find(http::HeaderId::k_access_control_request_headers)) {
    headers.emplace_back("Access-Control-Allow-Headers", *names);
  }
  // A public page that asks a private address (WICG Private Network Access): who names the page has said that it may.
  if (request.headers.Find(http::HeaderId::k_access_control_request_private_network)) {
    headers.emplace_back("Access-Control-Allow-Private-Network", "true");
  }
  headers.emplace_back("Access-Control-Max-Age", kPreflightMaxAge);
  headers.emplace_back("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
  return headers;
}

}  // namespace runtime::proxy
