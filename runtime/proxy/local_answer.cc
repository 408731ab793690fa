#include "runtime/proxy/local_answer.h"

#include "runtime/http/message.h"
#include "runtime/http/message_writer.h"

namespace runtime::proxy {

void AppendLocalAnswer(const LocalAnswer& answer, const LocalAnswerContext& context, std::string* out) {
  const auto names = [&](std::string_view name) {
    for (const auto& header : answer.headers) {
      if (http::EqualsIgnoreCase(header.first, name)) return true;
    }
    return false;
  };
  http::AppendStatusLine(answer.status, out);
  if (!names("date")) http::AppendHeader("Date", context.date, out);
  if (!answer.content_type.empty() && !names("content-type")) {
    http::AppendHeader("Content-Type", answer.content_type, out);
  }
  for (const auto& [name, value] : answer.headers) http::AppendHeader(name, value, out);
  http::AppendHeader("X-Request-Id", context.request_id, out);
  if (!context.keep_alive) {
    // Upgrade is named in Connection (RFC 9110 7.8).
    http::AppendHeader("Connection", std::string_view(names("upgrade") ? "close, upgrade" : "close"), out);
  } else if (context.client_minor_version == 0) {
    http::AppendHeader("Connection", std::string_view("keep-alive"), out);  // not the default there (RFC 9112 9.3)
  }
  const bool may_have_body = answer.status != 204 && answer.status != 304;  // RFC 9110 15.3.5, 15.4.5
  if (may_have_body) http::AppendHeader("Content-Length", static_cast<uint64_t>(answer.body.size()), out);
  http::AppendEndOfHead(out);
  if (may_have_body && !context.is_head_method) out->append(answer.body);
}

}  // namespace runtime::proxy
