// An answer that the gateway makes itself: replies, errors, health, metrics, preflights.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/proxy/cors.h"

namespace runtime::proxy {

// Client SDKs retry by themselves, which would multiply the attempts that the gateway made: this header stops them.
inline constexpr std::string_view kShouldRetry = "X-Should-Retry";

struct LocalAnswer {
  int status = 200;
  std::string content_type;  // empty: none
  std::string body;
  HeaderList headers;
  bool closes = false;       // the connection, behind it
  // In place of the two where they stand in the policy, so that nothing is copied; must outlive it.
  std::string_view fixed_type = {};
  std::string_view fixed_body = {};

  std::string_view type() const { return fixed_type.empty() ? std::string_view(content_type) : fixed_type; }
  std::string_view text() const { return fixed_body.empty() ? std::string_view(body) : fixed_body; }
};

struct LocalAnswerContext {
  std::string_view request_id;
  std::string_view date;
  bool keep_alive = true;
  bool is_head_method = false;  // the body is announced, not sent (RFC 9110 9.3.2)
  int client_minor_version = 1;
};

// Appends head and body. A header of the answer wins over the ones that this adds by itself.
void AppendLocalAnswer(const LocalAnswer& answer, const LocalAnswerContext& context, std::string* out);

}  // namespace runtime::proxy
