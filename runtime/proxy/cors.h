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
// The Origin of a request; "null" where it stands twice, which no browser does.
std::optional<std::string_view> OriginOf(const http::Headers& headers);

// Of a request of a page that brings no Origin because nobody will read its answer (a picture, a script, a frame; Fetch Metadata says so):
// the origin that Referer names, "" where it names none. Nothing: it is no such request.
std::optional<std::string_view> UntoldOrigin(const http::Headers& headers);

// `own_host`: what the client asked for, host[:port]. Where `cors` is off the answer is kNone: the upstream may judge.
OriginKind JudgeOrigin(const compiler::model::Cors& cors, std::optional<std::string_view> origin, std::string_view own_host);

// Headers that let a page of this origin read an answer; none if CORS is off. Where only some may, all answers say that they differ by
// Origin, for the caches between.
HeaderList CorsHeaders(const compiler::model::Cors& cors, std::optional<std::string_view> origin);

// … to a request whose head was refused before it was read: without an Origin that is known, those of the only one that may read.
HeaderList CorsHeadersOfRefused(const compiler::model::Cors& cors, std::optional<std::string_view> origin);

// Looks for the Origin in a head that is too long to be read: the answer to it, too, is for the page to read.
class OriginScan {
 public:
  static constexpr size_t kMostBytes = size_t{256} << 10;

  // More of the head. True: no need to wait for the rest, because it is over, too long, or says the Origin.
  bool Feed(std::string_view bytes);
  std::optional<std::string_view> origin() const { return origin_; }

 private:
  std::string line_;  // as far as it has come, up to what an Origin may have
  size_t seen_ = 0;
  std::optional<std::string> origin_;
};

// Adds them to an answer of the gateway's own, except where it has one of that name; Vary is joined.
void AddCorsHeaders(const compiler::model::Cors& cors, std::optional<std::string_view> origin, HeaderList* headers);

inline HeaderList CorsHeaders(const compiler::model::Cors& cors, const http::RequestHead& request) {
  return CorsHeaders(cors, OriginOf(request.headers));
}
inline void AddCorsHeaders(const compiler::model::Cors& cors, const http::RequestHead& request, HeaderList* headers) {
  AddCorsHeaders(cors, OriginOf(request.headers), headers);
}

// Headers of the answer to a preflight (204); nothing if the request is none, or its origin is not allowed.
std::optional<HeaderList> PreflightHeaders(const compiler::model::Cors& cors, const http::RequestHead& request);

}  // namespace runtime::proxy
