// Feeds one message to a parser whole, byte by byte and cut in two at every place, and says what each way came to.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "runtime/http/message_parser.h"

namespace runtime::http {

struct Parsed {
  ParseError error = ParseError::kNone;
  size_t consumed = 0;  // compared for messages without an error only
  bool started = false;
  bool head_complete = false;
  bool message_complete = false;
  std::string body;
  std::string head;  // everything that the head says, as text

  bool operator==(const Parsed&) const = default;
};

inline std::string Describe(const Headers& headers, BodyFraming framing, uint64_t length, bool keep_alive) {
  std::string text = " framing " + std::to_string(static_cast<int>(framing)) + " length " + std::to_string(length) +
                     " keep_alive " + std::to_string(keep_alive) + "\n";
  for (const Header& line : headers.lines()) text.append(line.name).append("=").append(line.value).append("\n");
  return text;
}

inline std::string Describe(const MessageParser& parser, Role role) {
  if (role == Role::kRequest) {
    const RequestHead& head = parser.request();
    return std::string(head.method_text) + " " + std::to_string(static_cast<int>(head.method)) + " [" +
           std::string(head.target) + "] [" + std::string(head.path) + "] [" + std::string(head.query) + "] [" +
           std::string(head.host) + "] 1." + std::to_string(head.minor_version) +
           (head.expects_continue ? " expects" : "") +
           Describe(head.headers, head.framing, head.content_length, head.keep_alive);
  }
  const ResponseHead& head = parser.response();
  return std::to_string(head.status) + " [" + std::string(head.reason) + "] 1." + std::to_string(head.minor_version) +
         Describe(head.headers, head.framing, head.content_length, head.keep_alive);
}

// Feeds the pieces until one fails or the message is complete.
inline Parsed Parse(MessageParser* parser, Role role, const std::vector<std::string_view>& pieces) {
  Parsed parsed;
  for (std::string_view piece : pieces) {
    if (piece.empty() || parser->message_complete()) continue;
    // A copy of exactly that size: reading beyond it is seen by AddressSanitizer.
    const std::vector<char> copy(piece.begin(), piece.end());
    std::vector<std::string_view> body;
    const MessageParser::FeedResult result = parser->Feed({copy.data(), copy.size()}, &body);
    parsed.error = result.error;
    parsed.consumed += result.consumed;
    if (result.error != ParseError::kNone) break;
    for (std::string_view part : body) parsed.body.append(part);
    if (!parser->message_complete() && result.consumed != piece.size())
      ADD_FAILURE() << "bytes of the message were left";
  }
  parsed.started = parser->started();
  parsed.head_complete = parser->head_complete();
  parsed.message_complete = parser->message_complete();
  if (parsed.error == ParseError::kNone && parsed.head_complete) parsed.head = Describe(*parser, role);
  if (parsed.error != ParseError::kNone) {
    parsed.consumed = 0;
    parsed.body.clear();  // nothing of it may be used
    parsed.head_complete = false;
  }
  return parsed;
}

// `no_body`: the answer to HEAD. Fails the test if the ways differ.
inline Parsed ParseAllWays(Role role, std::string_view input, const ParserLimits& limits = {}, bool no_body = false) {
  MessageParser parser(role, limits);
  const auto parse = [&](const std::vector<std::string_view>& pieces) {
    parser.Reset();  // one parser for all: what it keeps must not matter
    if (no_body) parser.ExpectNoBody();
    return Parse(&parser, role, pieces);
  };
  const Parsed whole = parse({input});
  const auto expect_same = [&](const Parsed& other, const std::string& how) {
    EXPECT_EQ(Name(whole.error), Name(other.error)) << how;
    EXPECT_EQ(whole.consumed, other.consumed) << how;
    EXPECT_EQ(whole.head, other.head) << how;
    EXPECT_TRUE(whole == other) << how;
  };
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < input.size(); ++i) bytes.push_back(input.substr(i, 1));
  expect_same(parse(bytes), "byte by byte");
  // Long inputs are cut near both ends and here and there.
  const size_t step = input.size() > 4000 ? input.size() / 500 : 1;
  for (size_t cut = 1; cut < input.size() && !testing::Test::HasFailure(); cut += step) {
    expect_same(parse({input.substr(0, cut), input.substr(cut)}), "cut at " + std::to_string(cut));
  }
  return whole;
}

}  // namespace runtime::http
