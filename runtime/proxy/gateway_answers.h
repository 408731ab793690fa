// Answers that the gateway makes itself: replies, cached answers, mocks and errors, in the shape that the client reads. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "compiler/abi/facts.h"
#include "compiler/model/settings.h"
#include "base/time.h"
#include "runtime/dialect/dialect.h"
#include "runtime/engine/cache.h"
#include "runtime/proxy/local_answer.h"

namespace runtime::proxy {

// Whom it is for, and when.
struct AnswerReaderTerms {
  const dialect::ClientDialect& reads;
  std::string_view request_id;
  std::string_view now;            // RFC 3339
  bool is_in_stream = false;       // its head went out early: an error is told inside the stream
};

LocalAnswer ReplyAnswer(const compiler::model::ReplySettings& reply, const compiler::abi::Facts& facts, const AnswerReaderTerms& terms);
LocalAnswer MockAnswer(const compiler::model::MockSettings& mock, const compiler::abi::Facts& facts, const AnswerReaderTerms& terms);
// `request_body`: what the client asked of its stream stands there. `age`: since it was stored.
LocalAnswer StoredAnswer(const engine::CachedResponse& stored, std::string_view request_body, base::Duration age,
                         bool is_fallback, const AnswerReaderTerms& terms);
// `text`: for people.
LocalAnswer ErrorAnswer(int status, std::string_view reason, std::string_view text, std::optional<base::Duration> retry_after,
                        const AnswerReaderTerms& terms);

// What says that it answers instead of an upstream, and why.
void MarkFallback(std::string_view name, std::string_view reason, LocalAnswer* answer);

// Whether it can go on in a stream of this shape, whose head with 200 is sent.
bool FitsStream(const LocalAnswer& answer, dialect::Shape shape);

}  // namespace runtime::proxy
