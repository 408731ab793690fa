#include "runtime/proxy/gateway_answers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "compiler/model/template.h"
#include "runtime/dialect/answer_shapes.h"

namespace runtime::proxy {

using compiler::model::BodyKind;

LocalAnswer ReplyAnswer(const compiler::model::ReplySettings& reply, const compiler::abi::Facts& facts, const AnswerReaderTerms& terms) {
  LocalAnswer answer;
  answer.status = reply.status;
  const auto add_headers = [&] {
    for (const auto& header : reply.headers) {
      std::string value;
      compiler::model::Render(header.value, facts, &value);
      answer.headers.emplace_back(header.name, std::move(value));
    }
  };
  const bool is_fixed = reply.body.kind == BodyKind::kJson && !reply.body.values && !terms.reads.is_stream() && !terms.is_in_stream;
  if (is_fixed && !reply.body.text.empty()) {
    answer.fixed_type = reply.content_type ? std::string_view(*reply.content_type) : dialect::ContentTypeOf(terms.reads.shape);
    answer.fixed_body = reply.body.text;
    add_headers();
    return answer;
  }
  const auto body = compiler::model::Resolve(reply.body, facts);
  // A text with an error status is read by SDKs as an error, not as a message of the model; one where the API has no text to answer
  // with would be returned by them as if it were vectors, or a list of models.
  if (body.kind == BodyKind::kText && reply.status < 400 && !dialect::AnswersInText(terms.reads)) answer.status = 503;
  dialect::ShapedBody shaped = body.kind == BodyKind::kText && answer.status >= 400
                                   ? dialect::ShapeError(terms.reads, answer.status, reply.name, body.text, terms.request_id)
                                   : dialect::ShapeReply(body, terms.reads, terms.now);
  if (terms.is_in_stream && reply.status >= 400 && body.kind == BodyKind::kJson) shaped = {"application/json", body.text};
  answer.content_type = reply.content_type.value_or(std::move(shaped.content_type));
  answer.body = std::move(shaped.body);
  add_headers();
  return answer;
}

LocalAnswer MockAnswer(const compiler::model::MockSettings& mock, const compiler::abi::Facts& facts, const AnswerReaderTerms& terms) {
  LocalAnswer answer;
  answer.status = mock.status;
  const auto body = compiler::model::Resolve(mock.body, facts);
  const bool is_error = body.kind == BodyKind::kText && !dialect::AnswersInText(terms.reads);  // as a reply's
  if (is_error && mock.status < 400) answer.status = 503;
  dialect::ShapedBody shaped = is_error ? dialect::ShapeError(terms.reads, answer.status, mock.name, body.text, terms.request_id)
                                        : dialect::ShapeReply(body, terms.reads, terms.now);
  answer.content_type = std::move(shaped.content_type);
  answer.body = std::move(shaped.body);
  return answer;
}

LocalAnswer StoredAnswer(const engine::CachedResponse& stored, std::string_view request_body, base::Duration age,
                         bool is_fallback, const AnswerReaderTerms& terms) {
  LocalAnswer answer;
  answer.status = stored.status;
  answer.headers = stored.headers;
  answer.body = stored.body;
  if (stored.is_shared && terms.reads.is_stream()) {
    answer.body = dialect::StreamOf(terms.reads, request_body, stored.body);
    for (auto& [name, value] : answer.headers) {
      if (http::EqualsIgnoreCase(name, "content-type")) value = dialect::ContentTypeOf(terms.reads.shape);
    }
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  answer.headers.emplace_back("Age", std::to_string(seconds));  // RFC 9111 5.1
  if (is_fallback) {  // it says no-store itself (MarkFallback)
    std::erase_if(answer.headers, [](const auto& header) { return http::EqualsIgnoreCase(header.first, "cache-control"); });
  }
  return answer;
}

LocalAnswer ErrorAnswer(int status, std::string_view reason, std::string_view text,
                        std::optional<base::Duration> retry_after, const AnswerReaderTerms& terms) {
  LocalAnswer answer;
  answer.status = status;
  dialect::ShapedBody shaped = dialect::ShapeError(terms.reads, status, reason, text, terms.request_id);
  answer.content_type = std::move(shaped.content_type);
  answer.body = std::move(shaped.body);
  answer.headers.emplace_back("Cache-Control", "no-store");
  if (status == 415) answer.headers.emplace_back("Accept-Encoding", "identity");  // RFC 9110 15.5.16
  if (retry_after) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*retry_after).count();
    answer.headers.emplace_back("Retry-After", std::to_string(std::max<int64_t>(seconds, 1)));
  }
  return answer;
}

void MarkFallback(std::string_view name, std::string_view reason, LocalAnswer* answer) {
  answer->headers.emplace_back("X-Breakwater-Fallback", name);
  answer->headers.emplace_back("X-Breakwater-Fallback-Reason", reason);
  answer->headers.emplace_back("Cache-Control", "no-store");
}

bool FitsStream(const LocalAnswer& answer, dialect::Shape shape) {
  std::string_view type = answer.type();
  for (const auto& [name, value] : answer.headers) {
    if (http::EqualsIgnoreCase(name, "content-type")) type = value;
  }
  type = type.substr(0, type.find(';'));
  return answer.status < 300 && http::EqualsIgnoreCase(type, dialect::ContentTypeOf(shape));
}

}  // namespace runtime::proxy
