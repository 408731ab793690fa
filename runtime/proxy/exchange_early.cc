// What a client of a stream is sent while it waits (route.keep_alive): a head with status 200 and then, now and again, bytes
// that say nothing. Afterwards there is one way to answer left: whatever comes is a stream of the client's dialect, or an
// error inside one.
#include <string>

#include "runtime/http/message_writer.h"
#include "runtime/proxy/error_messages.h"
#include "runtime/proxy/exchange.h"
#include "runtime/proxy/limits.h"

namespace runtime::proxy {

void Exchange::On(const engine::SendKeepAlive&) {
  if (!status_sent_early_) SendEarlyHead();
  if (host_.client_queued_bytes() > kHighWater) return;  // it doesn't read what it was sent already
  ++record_.keep_alives;
  worker_.metrics.CountBy(CounterById::kKeepAlive, record_.route);
  ForwardBody(dialect::KeepAliveBytes(ClientReads().shape));
}

void Exchange::SendEarlyHead() {
  status_sent_early_ = true;
  record_.status = 200;
  keep_alive_ = MayKeepAlive();
  client_framing_ = http::BodyFraming::kChunked;
  client_reads_frames_ = true;
  answer_api_ = ClientReads().api;
  HeaderList cors;
  AddCorsHeaders(worker_.policy().gateway.cors, request_.head, &cors);
  std::string bytes;
  http::AppendStatusLine(200, &bytes);
  http::AppendHeader("Date", worker_.Date(), &bytes);
  http::AppendHeader("Content-Type", dialect::ContentTypeOf(ClientReads().shape), &bytes);
  http::AppendHeader("Cache-Control", "no-store", &bytes);
  for (const auto& [name, value] : cors) http::AppendHeader(name, value, &bytes);
  http::AppendHeader("X-Request-Id", request_.request_id, &bytes);
  http::AppendHeader("Transfer-Encoding", "chunked", &bytes);
  if (!keep_alive_) http::AppendHeader("Connection", "close", &bytes);
  http::AppendEndOfHead(&bytes);
  Send(bytes);
}

// An answer of an upstream, when its status can't be told any more.
bool Exchange::CommitLate() {
  record_.status = 200;
  const bool is_stream = response_->status < 300 && client_reads_frames_ &&
                         dialect::StreamShapeOf(answer_api_) == ClientReads().shape;
  client_reads_frames_ = true;
  if (is_stream) return true;
  if (response_->status >= 400) {
    TellLateFailure(held_, "status_" + std::to_string(response_->status),
                    "The model server answered with status " + std::to_string(response_->status) + ".");
  } else {
    TellLateFailure({}, "bad_response", "The model server answered with something that is no stream.");
  }
  held_.clear();
  answer_begun_ = true;
  return false;  // the rest of it is read to its end and dropped
}

// An answer of the gateway's own, likewise.
void Exchange::SendLocalLate(const LocalAnswer& answer) {
  record_.status = 200;
  answer_begun_ = true;
  std::string_view type = answer.content_type;
  for (const auto& [name, value] : answer.headers) {
    if (http::EqualsIgnoreCase(name, "content-type")) type = value;
  }
  type = type.substr(0, type.find(';'));
  if (answer.status < 300 && http::EqualsIgnoreCase(type, dialect::ContentTypeOf(ClientReads().shape))) {
    ForwardBody(answer.body);
    Send(http::kLastChunk);
    Over(keep_alive_ ? AfterExchange::kKeepAlive : AfterExchange::kClose);
    return;
  }
  const std::string reason =
      record_.fallback_reason.empty() ? "status_" + std::to_string(answer.status) : record_.fallback_reason;
  TellLateFailure(answer.body, reason, MessageFor(reason));
  Over(AfterExchange::kClose);
}

// Without the last chunk afterwards, as an answer that breaks off: a client that looks at HTTP alone sees it, too.
void Exchange::TellLateFailure(std::string_view body, std::string_view reason, std::string_view message) {
  worker_.metrics.CountBy(CounterById::kLateFailure, std::string(record_.route) + '\0' + std::string(reason));
  ForwardBody(dialect::LateErrorFrame(ClientReads(), body, reason, message, request_.request_id));
  if (record_.fallback_reason.empty()) record_.fallback_reason = reason;
  record_.how = EndedHow::kCut;
  failed_late_ = true;
  sends_body_ = false;
  keep_alive_ = false;
  copy_.reset();
}

}  // namespace runtime::proxy
