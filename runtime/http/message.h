// Parsed heads of HTTP/1.1 messages (RFC 9112). All text is borrowed from the parser that made the head and is valid until
// its Reset(): an exchange keeps its connection's parser as it is until it ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "compiler/abi/facts.h"

namespace runtime::http {

// The names of header_names.def; kOther is every other one.
enum class HeaderId : uint8_t {
  kOther = 0,
#define OWN_HEADER(id, name, requests, responses, why) k_##id,
#define KNOWN_HEADER(id, name) k_##id,
#include "runtime/http/header_names.def"
#undef KNOWN_HEADER
#undef OWN_HEADER
};
HeaderId IdOfHeader(std::string_view name);  // in any case; of any bytes

struct Header {
  Header(std::string_view name_received, std::string_view value_trimmed)
      : Header(name_received, value_trimmed, IdOfHeader(name_received), false) {}
  Header(std::string_view name_received, std::string_view value_trimmed, HeaderId id_of_name, bool is_plain_line)
      : name(name_received), value(value_trimmed), id(id_of_name), is_plain(is_plain_line) {}

  std::string_view name;   // as received
  std::string_view value;  // without surrounding white space
  HeaderId id;             // of the name
  bool is_plain;           // both stand in one piece of memory, as "name: value\r\n"
  std::string_view plain_line() const { return {name.data(), name.size() + value.size() + 4}; }  // where it is
};

class Headers {
 public:
  std::vector<Header>& lines() { return lines_; }
  const std::vector<Header>& lines() const { return lines_; }

  // The first line of that name (any case), or nothing.
  std::optional<std::string_view> Find(std::string_view name) const;
  std::optional<std::string_view> Find(HeaderId id) const {
    for (const Header& line : lines_) {
      if (line.id == id) return line.value;
    }
    return std::nullopt;
  }
  // Whether a list-valued header has the token (any case), over all its lines.
  bool HasToken(HeaderId id, std::string_view token) const;

 private:
  std::vector<Header> lines_;
};

bool EqualsIgnoreCase(std::string_view a, std::string_view b);

enum class BodyFraming : uint8_t {
  kNone,        // no body
  kLength,      // Content-Length
  kChunked,     // Transfer-Encoding: chunked
  kUntilClose,  // a response that ends with its connection (HTTP/1.0)
};

struct RequestHead {
  compiler::abi::Method method = compiler::abi::Method::kOther;
  std::string_view method_text;
  std::string_view target;    // as received, origin form (an absolute form is reduced to it)
  std::string_view path;      // of target, as received
  std::string_view query;     // of target, without "?"
  std::string_view host;      // host[:port] asked for, valid by RFC 9110 7.2
  int minor_version = 1;      // HTTP/1.minor
  Headers headers;
  BodyFraming framing = BodyFraming::kNone;
  uint64_t content_length = 0;
  bool keep_alive = true;     // the client lets the connection stay open
  bool expects_continue = false;
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  int minor_version = 1;
  Headers headers;
  BodyFraming framing = BodyFraming::kNone;
  uint64_t content_length = 0;
  bool keep_alive = true;     // the connection may be used again after this message
};

}  // namespace runtime::http
