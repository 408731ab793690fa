// In which framing an answer of an upstream goes to the client. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/http/message.h"

namespace runtime::proxy {

// How much of an answer is held back before its commit point (runtime/README.md).
enum class Hold : uint8_t { kNothing, kFirstContent, kWhole };

// What is known of an answer's body at its commit point.
struct HeldAnswer {
  Hold hold = Hold::kNothing;
  bool is_whole = false;  // `bytes` are all of it
  bool is_read = false;   // its end is told by its content
  size_t bytes = 0;
};

struct ClientFraming {
  http::BodyFraming framing = http::BodyFraming::kNone;
  uint64_t content_length = 0;  // with kLength
  bool sends_body = true;       // false: none is sent, though a length may be announced (RFC 9110 9.3.2)
  bool may_keep_alive = true;   // false: the end of the connection is the end of the answer

  bool operator==(const ClientFraming&) const = default;
};

ClientFraming ChooseFraming(const http::RequestHead& request, const http::ResponseHead& head, const HeldAnswer& held);

}  // namespace runtime::proxy
