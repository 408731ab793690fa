// Requests that the gateway answers whatever its routes say: preflights, pages of foreign origins, protocols that it doesn't speak. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "compiler/model/settings.h"
#include "runtime/http/message.h"
#include "runtime/proxy/local_answer.h"

namespace runtime::proxy {

struct ScreenedRequest {
  std::string_view reason;  // one of screen_reasons.def; "" for a preflight, which is no refusal
  LocalAnswer answer;
};

// `own_host`: what the client asked for, behind trusted proxies too. `path` is normalised.
std::optional<ScreenedRequest> ScreenRequest(const compiler::model::GatewaySettings& gateway, const http::RequestHead& head,
                                             std::string_view own_host, std::string_view path, std::string_view request_id);

// An error of the gateway in the shape that clients of this path read.
LocalAnswer ShapedError(std::string_view path, int status, std::string_view code, std::string_view message, std::string_view request_id);

}  // namespace runtime::proxy
