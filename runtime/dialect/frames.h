// The objects that the dialects speak in, one function for each kind of object. What they are wrapped in (a body, a
// line, an event) is the business of shape.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/dialect/dialect.h"

namespace runtime::dialect {

// A whole answer that says `text`, as one object. `client.api` is not kPlain.
std::string WholeAnswer(const ClientDialect& client, std::string_view text, std::string_view created_at);

// The frame of a stream that carries `text`.
std::string ContentFrame(const ClientDialect& client, std::string_view text, std::string_view created_at);

// The frame that ends a stream: "done": true, or a finish_reason.
std::string LastFrame(const ClientDialect& client, std::string_view created_at);

// An error object. `status` 0: none is known (inside a stream).
std::string ErrorObject(const ClientDialect& client, int status, std::string_view code, std::string_view message,
                        std::string_view request_id);

// Seconds since 1970 of "2026-01-28T10:20:00Z", fractions dropped, an offset (+02:00) honoured; 0 if it is not a time.
int64_t UnixSeconds(std::string_view rfc3339);

}  // namespace runtime::dialect
