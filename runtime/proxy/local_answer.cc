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
  http::HeadWriter head(out);
  head.StatusLine(answer.status);
  if (!names("date")) head.Named("Date: ", context.date);
  if (!answer.type().empty() && !names("content-type")) head.Named("Content-Type: ", answer.type());
  for (const auto& [name, value] : answer.headers) head.Header(name, value);
  head.Named("X-Request-Id: ", context.request_id);
  if (!context.keep_alive) {
    // Upgrade is named in Connection (RFC 9110 7.8).
    head.Named("Connection: ", std::string_view(names("upgrade") ? "close, upgrade" : "close"));
  } else if (context.client_minor_version == 0) {
    head.Put("Connection: keep-alive\r\n");  // not the default there (RFC 9112 9.3)
  }
  const bool may_have_body = answer.status != 204 && answer.status != 304;  // RFC 9110 15.3.5, 15.4.5
  if (may_have_body) head.Named("Content-Length: ", static_cast<uint64_t>(answer.text().size()));
  head.Put("\r\n");
  if (may_have_body && !context.is_head_method) head.Put(answer.text());
}

}  // namespace runtime::proxy
