// One incremental parser for both directions: bytes in, head, body pieces and the end out. Strict: llhttp with no lenient
// flag, and every check that llhttp leaves to its user (parse_errors.def). Nothing is to be forwarded before Feed returned
// without an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "runtime/http/message.h"

namespace runtime::http {

enum class Role : uint8_t { kRequest, kResponse };

// parse_errors.def: PARSE_ERROR(name, status, doc) – `status` is what a client is told (400, 414, 431, 501, 505 …);
// for a response every one of them is bad_response.
enum class ParseError : uint8_t {
  kNone = 0,
#define PARSE_ERROR(name, status, doc) k_##name,
#include "runtime/http/parse_errors.def"
#undef PARSE_ERROR
};
std::string_view Name(ParseError error);  // "" for kNone; the label of bad_request_total{reason}
int StatusOf(ParseError error);
std::string_view Explain(ParseError error);

struct ParserLimits {
  size_t header_bytes = 64 << 10;     // whole head
  size_t header_line = 8 << 10;       // one name + value
  size_t header_count = 100;
  size_t uri = 8 << 10;
  uint64_t body = 16 << 20;           // requests; 413 beyond. 0: no limit (responses)
  size_t chunk_extensions = 16 << 10; // of a whole message
};

class MessageParser {
 public:
  MessageParser(Role role, const ParserLimits& limits);
  ~MessageParser();
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  struct FeedResult {
    size_t consumed = 0;                  // bytes of this message; the rest belongs to the next one
    ParseError error = ParseError::kNone; // the connection can't be used any more
  };
  // Reads bytes of one message and stops at its end. Pieces of its body are appended to *body (they point into `bytes`,
  // chunk framing taken off). After an error nothing more may be fed until Reset.
  FeedResult Feed(std::string_view bytes, std::vector<std::string_view>* body);

  // The peer closed. True if the message is complete now (a body that ends with the connection), false if it was cut or
  // never began.
  bool FinishAtEnd();

  // The first header of that name (any case) among the lines that were read whole, of a head that is not complete or was refused, too.
  // Valid until the next Feed.
  std::optional<std::string_view> HeaderSoFar(std::string_view name) const;

  bool started() const;           // at least one byte of a message was read (an empty line before a request is none)
  bool head_complete() const;
  bool message_complete() const;

  // Valid from head_complete() to Reset(). A 1xx response counts as a message of its own (status() tells).
  const RequestHead& request() const;    // role kRequest
  const ResponseHead& response() const;  // role kResponse

  // Before the head of a response: it answers HEAD, so it has no body (RFC 9110 9.3.2).
  void ExpectNoBody();

  void Reset();  // ready for the next message; keeps its memory

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runtime::http
