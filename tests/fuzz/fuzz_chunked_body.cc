// Any bytes as a chunked body: what the parser takes is what a reader made from the grammar of RFC 9112 7.1, and from nothing
// else, takes; whole and in pieces. The first byte chooses the cuts.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/fuzz/parse.h"

namespace {

using tests::fuzz::Require;

struct Body {
  std::string data;
  size_t size = 0;  // of its framing and all, trailers included
};

bool IsFieldChar(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); }

// The body at the beginning of `text`, if there is a whole and valid one. Slow and plain: chunk = 1*HEXDIG [ext] CRLF data
// CRLF. Extensions and trailer values are only held to characters here; their grammar is the parser's to narrow.
std::optional<Body> Read(std::string_view text) {
  Body body;
  const auto line = [&]() -> std::optional<std::string_view> {
    const size_t end = text.find("\r\n", body.size);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view found = text.substr(body.size, end - body.size);
    for (const char c : found) {
      if (!IsFieldChar(c)) return std::nullopt;
    }
    body.size = end + 2;
    return found;
  };
  for (;;) {
    const auto head = line();
    if (!head) return std::nullopt;
    const std::string_view digits = head->substr(0, head->find(';'));
    if (digits.empty() || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) return std::nullopt;
    const std::string_view significant = digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
    if (significant.size() > 8) return std::nullopt;  // more than any input holds
    const size_t size = significant.empty() ? 0 : std::stoul(std::string(significant), nullptr, 16);
    if (size == 0) break;
    if (text.size() - body.size < size + 2 || text.substr(body.size + size, 2) != "\r\n") return std::nullopt;
    body.data.append(text.substr(body.size, size));
    body.size += size + 2;
  }
  for (;;) {
    const auto trailer = line();
    if (!trailer) return std::nullopt;
    if (trailer->empty()) return body;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tests::fuzz;
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const ParserLimits limits;
  MessageParser parser(Role::kRequest, limits);
  const Result result = ParseBothWays(&parser, Role::kRequest, limits, head + std::string(text), data[0]);
  if (result.error != ParseError::kNone || !result.complete) return 0;
  const auto body = Read(text);
  Require(body.has_value());  // nothing is taken that the grammar does not allow
  Require(body->data == result.body && head.size() + body->size == result.consumed);
  return 0;
}
