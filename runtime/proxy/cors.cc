#include "runtime/proxy/cors.h"

#include <algorithm>

namespace runtime::proxy {
namespace {

// What a page may read beside the headers that it always may.
constexpr std::string_view kExposed = "X-Request-Id, X-Breakwater-Fallback, X-Breakwater-Fallback-Reason, Retry-After";
constexpr std::string_view kPreflightMaxAge = "600";  // seconds

std::optional<std::string> AllowedOrigin(const compiler::model::Cors& cors, const http::RequestHead& request) {
  if (!cors.enabled) return std::nullopt;
  const auto origin = request.headers.Find("origin");
  if (!origin) return std::nullopt;
  if (cors.any_origin) return "*";
  if (std::find(cors.origins.begin(), cors.origins.end(), *origin) == cors.origins.end()) return std::nullopt;
  return std::string(*origin);
}

}  // namespace

HeaderList CorsHeaders(const compiler::model::Cors& cors, const http::RequestHead& request) {
  HeaderList headers;
  const auto origin = AllowedOrigin(cors, request);
  if (!origin) return headers;
  headers.emplace_back("Access-Control-Allow-Origin", *origin);
  headers.emplace_back("Access-Control-Expose-Headers", kExposed);
  if (!cors.any_origin) headers.emplace_back("Vary", "Origin");
  return headers;
}

void AddCorsHeaders(const compiler::model::Cors& cors, const http::RequestHead& request, HeaderList* headers) {
  for (auto& header : CorsHeaders(cors, request)) {
    const bool stands_already = std::any_of(headers->begin(), headers->end(), [&](const auto& h) {
      return http::EqualsIgnoreCase(h.first, header.first);
    });
    if (!stands_already) headers->push_back(std::move(header));
  }
}

std::optional<HeaderList> PreflightHeaders(const compiler::model::Cors& cors, const http::RequestHead& request) {
  if (request.method != compiler::abi::Method::kOPTIONS) return std::nullopt;
  const auto method = request.headers.Find("access-control-request-method");
  const auto origin = AllowedOrigin(cors, request);
  if (!method || !origin) return std::nullopt;
  HeaderList headers;
  headers.emplace_back("Access-Control-Allow-Origin", *origin);
  headers.emplace_back("Access-Control-Allow-Methods", *method);
  if (const auto names = request.headers.Find("access-control-request-headers")) {
    headers.emplace_back("Access-Control-Allow-Headers", *names);
  }
  headers.emplace_back("Access-Control-Max-Age", kPreflightMaxAge);
  headers.emplace_back("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
  return headers;
}

}  // namespace runtime::proxy
