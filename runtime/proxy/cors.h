// Cross-origin resource sharing (WHATWG Fetch, 3.2) for what the gateway answers itself, preflights included.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/model/settings.h"
#include "runtime/http/message.h"

namespace runtime::proxy {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// Headers that let a page of the request's Origin read an answer; none if CORS is off, there is no Origin, or it is not
// listed.
HeaderList CorsHeaders(const compiler::model::Cors& cors, const http::RequestHead& request);

// Adds them to an answer of the gateway's own, except where it has one of that name.
void AddCorsHeaders(const compiler::model::Cors& cors, const http::RequestHead& request, HeaderList* headers);

// Headers of the answer to a preflight (204); nothing if the request is none, or its origin is not allowed.
std::optional<HeaderList> PreflightHeaders(const compiler::model::Cors& cors, const http::RequestHead& request);

}  // namespace runtime::proxy
