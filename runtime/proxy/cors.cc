#include "runtime/proxy/cors.h"

#include <algorithm>

namespace runtime::proxy {
namespace {

// What a page may read beside the headers that it always may: ours by name, and all of the upstream's ("*", which counts for requests
// without cookies; answers to others can't be read, because Access-Control-Allow-Credentials is never sent).
constexpr std::string_view kExposed =
    "X-Request-Id, X-Upstream-Request-Id, X-Breakwater-Fallback, X-Breakwater-Fallback-Reason, X-Should-Retry, Retry-After, *";
constexpr std::string_view kPreflightMaxAge = "600";  // seconds

bool IsListed(const compiler::model::Cors& cors, std::string_view origin) {
  return std::find(cors.origins.begin(), cors.origins.end(), origin) != cors.origins.end();
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
    if (cors.origins.size() == 1) return HeadersFor(cors, cors.origins.front());
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
  const auto origin = AllowedOrigin(cors, request.headers.Find(http::HeaderId::k_origin));
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
