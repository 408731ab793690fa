// Answers that the gateway makes itself: replies, cached answers, mocks and errors, in the shape that the client reads.
#include <algorithm>
#include <utility>

#include "compiler/model/template.h"
#include "runtime/dialect/whole.h"
#include "runtime/proxy/error_messages.h"
#include "runtime/proxy/exchange.h"

namespace runtime::proxy {

using compiler::model::BodyKind;

void Exchange::MarkFallback(std::string name, std::string_view reason, size_t metric_index, LocalAnswer* answer) {
  record_.fallback = name;
  record_.fallback_reason = reason;
  worker_.metrics.Count(CounterId::kFallback, metric_index);
  answer->headers.emplace_back("X-Breakwater-Fallback", std::move(name));
  answer->headers.emplace_back("X-Breakwater-Fallback-Reason", reason);
  answer->headers.emplace_back("Cache-Control", "no-store");
}

void Exchange::On(const engine::SendReply& command) {
  const auto& reply = worker_.policy().replies[command.reply];
  LocalAnswer answer;
  answer.status = reply.status;
  const auto wall = Rfc3339Millis(worker_.transport.WallNow());
  const auto body = compiler::model::Resolve(reply.body, facts_);
  // A text with an error status is read by SDKs as an error, not as a message of the model.
  dialect::ShapedBody shaped = body.kind == BodyKind::kText && reply.status >= 400
                                   ? dialect::ShapeError(ClientReads(), reply.status, reply.name, body.text,
                                                         request_.request_id)
                                   : dialect::ShapeReply(body, ClientReads(), wall);
  if (status_sent_early_ && reply.status >= 400 && body.kind == BodyKind::kJson) shaped = {"application/json", body.text};
  answer.content_type = reply.content_type.value_or(std::move(shaped.content_type));
  answer.body = std::move(shaped.body);
  for (const auto& header : reply.headers) {
    std::string value;
    compiler::model::Render(header.value, facts_, &value);
    answer.headers.emplace_back(header.name, std::move(value));
  }
  record_.served_by = reply.name;
  if (command.is_fallback) {
    MarkFallback(reply.name, command.reason, worker_.gateway.metrics.FallbackIndex(command.reply), &answer);
  }
  SendLocal(std::move(answer));
}

void Exchange::On(const engine::SendCached& command) {
  const auto& cache = worker_.policy().caches[command.cache];
  const engine::CachedResponse& stored = *command.response;
  LocalAnswer answer;
  answer.status = stored.status;
  answer.headers = stored.headers;
  answer.body = stored.body;
  if (stored.is_shared && ClientReads().is_stream()) {
    answer.body = dialect::StreamOf(ClientReads(), body_, stored.body);
    for (auto& [name, value] : answer.headers) {
      if (http::EqualsIgnoreCase(name, "content-type")) value = dialect::ContentTypeOf(ClientReads().shape);
    }
  }
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(worker_.transport.Now() - stored.stored_at);
  answer.headers.emplace_back("Age", std::to_string(age.count()));  // RFC 9111 5.1
  record_.served_by = cache.name;
  if (command.is_fallback) {
    std::erase_if(answer.headers, [](const auto& h) { return http::EqualsIgnoreCase(h.first, "cache-control"); });
    MarkFallback(cache.name, command.reason, worker_.gateway.metrics.FallbackIndex(command.cache), &answer);
  } else {
    worker_.metrics.Count(CounterId::kCacheHit, static_cast<size_t>(command.cache.value));
  }
  SendLocal(std::move(answer));
}

void Exchange::On(const engine::SendMock& command) {
  const auto& mock = worker_.policy().mocks[command.mock];
  LocalAnswer answer;
  answer.status = mock.status;
  dialect::ShapedBody shaped =
      dialect::ShapeReply(compiler::model::Resolve(mock.body, facts_), ClientReads(), Rfc3339Millis(worker_.transport.WallNow()));
  answer.content_type = std::move(shaped.content_type);
  answer.body = std::move(shaped.body);
  record_.served_by = mock.name;
  MarkFallback(mock.name, command.reason, worker_.gateway.metrics.FallbackIndex(command.mock), &answer);
  SendLocal(std::move(answer));
}

void Exchange::On(const engine::SendError& command) {
  SendGatewayError(command.status, command.reason, MessageFor(command.reason), command.retry_after);
}

void Exchange::SendGatewayError(int status, std::string_view reason, std::string_view message,
                                std::optional<base::Duration> retry_after) {
  LocalAnswer answer;
  answer.status = status;
  dialect::ShapedBody shaped = dialect::ShapeError(ClientReads(), status, reason, message, request_.request_id);
  answer.content_type = std::move(shaped.content_type);
  answer.body = std::move(shaped.body);
  answer.headers.emplace_back("Cache-Control", "no-store");
  if (status == 415) answer.headers.emplace_back("Accept-Encoding", "identity");  // RFC 9110 15.5.16
  if (retry_after) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*retry_after).count();
    answer.headers.emplace_back("Retry-After", std::to_string(std::max<int64_t>(seconds, 1)));
  }
  record_.fallback_reason = reason;
  SendLocal(std::move(answer));
}

void Exchange::SendLocal(LocalAnswer answer) {
  DropAttempt();
  record_.tokens = TokenRecord();  // of attempts that came to nothing
  if (status_sent_early_) return SendLocalLate(answer);
  AddCorsHeaders(worker_.policy().gateway.cors, request_.head, &answer.headers);
  if (answer.status >= 400 && RetriesAreSpent()) answer.headers.emplace_back(kShouldRetry, "false");
  keep_alive_ = MayKeepAlive();
  record_.status = answer.status;
  answer_begun_ = true;
  std::string bytes;
  AppendLocalAnswer(answer,
                    {request_.request_id, worker_.Date(), keep_alive_,
                     request_.head.method == compiler::abi::Method::kHEAD, request_.head.minor_version},
                    &bytes);
  Send(bytes);
  Over(keep_alive_ ? AfterExchange::kKeepAlive : AfterExchange::kClose);
}


}  // namespace runtime::proxy
