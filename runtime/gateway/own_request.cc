#include "runtime/gateway/own_request.h"

#include <algorithm>
#include <variant>

#include "runtime/http/message.h"

namespace runtime::gateway {

std::string OwnRequest(const compiler::model::UpstreamSettings& upstream, std::string_view method, std::string_view path,
                       std::string_view body, std::string_view purpose) {
  std::string text(method);
  text.append(" ").append(path).append(" HTTP/1.1\r\nHost: ").append(upstream.url.authority);
  text.append("\r\nUser-Agent: breakwater-").append(purpose).append("\r\nAccept: */*\r\nConnection: close\r\n");
  if (!body.empty()) {
    text.append("Content-Type: application/json\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n");
  }
  for (const compiler::model::HeaderSetting& header : upstream.headers) {
    std::string value;
    const auto& parts = header.value.parts;
    const bool is_constant = std::all_of(parts.begin(), parts.end(), [&](const auto& part) {
      const auto* literal = std::get_if<std::string>(&part);
      if (literal != nullptr) value += *literal;
      return literal != nullptr;
    });
    if (is_constant && !http::EqualsIgnoreCase(header.name, "host")) text += header.name + ": " + value + "\r\n";
  }
  return text.append("\r\n").append(body);
}

}  // namespace runtime::gateway
