// Cross-origin resource sharing (WHATWG Fetch, 3.2) for what the gateway answers itself, preflights included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/model/settings.h"
#include "runtime/http/message.h"

namespace runtime::proxy {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// Who asks, by the Origin that browsers send.
enum class OriginKind : uint8_t {
  kNone,     // no browser, or none that says so
  kAllowed,  // may read answers
  kOwn,      // a page that came from here: it needs nobody's leave
  kForeign,  // `cors` is set and names others: it may neither read nor start anything
};
// `own_host`: what the client asked for, host[:port]. Where `cors` is off the answer is kNone: the upstream may judge.
OriginKind JudgeOrigin(const compiler::model::Cors& cors, std::optional<std::string_view> origin, std::string_view own_host);

// Headers that let a page of this origin read an answer; none if CORS is off. Where only some may, all answers say that they differ by
// Origin, for the caches between.
HeaderList CorsHeaders(const compiler::model::Cors& cors, std::optional<std::string_view> origin);

// … to a request whose head was refused before it was read: without an Origin that is known, those of the only one that may read.
HeaderList CorsHeadersOfRefused(const compiler::model::Cors& cors, std::optional<std::string_view> origin);

// Adds them to an answer of the gateway's own, except where it has one of that name; Vary is joined.
void AddCorsHeaders(const compiler::model::Cors& cors, std::optional<std::string_view> origin, HeaderList* headers);

inline HeaderList CorsHeaders(const compiler::model::Cors& cors, const http::RequestHead& request) {
  return CorsHeaders(cors, request.headers.Find(http::HeaderId::k_origin));
}
inline void AddCorsHeaders(const compiler::model::Cors& cors, const http::RequestHead& request, HeaderList* headers) {
  AddCorsHeaders(cors, request.headers.Find(http::HeaderId::k_origin), headers);
}

// Headers of the answer to a preflight (204); nothing if the request is none, or its origin is not allowed.
std::optional<HeaderList> PreflightHeaders(const compiler::model::Cors& cors, const http::RequestHead& request);

}  // namespace runtime::proxy
