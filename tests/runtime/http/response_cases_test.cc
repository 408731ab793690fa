// What upstreams send, right and wrong. Each is fed whole, byte by byte and cut at every place.
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "tests/runtime/http/parse_all_ways.h"

namespace runtime::http {
namespace {

using E = ParseError;

struct Case {
  const char* name;
  std::string input;
  E error;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::string Ok(const std::string& lines, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + lines + "\r\n" + body;
}

const Case kRefused[] = {
    {"17 length and chunked", Ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
     E::k_length_and_encoding},
    {"17 two lengths", Ok("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), E::k_bad_content_length},
    {"17 two lengths, written in two ways", Ok("Content-Length: 5\r\nContent-Length: 05\r\n", "hello"), E::k_bad_content_length},
    {"17 two equal lengths and chunked", Ok("Content-Length: 5\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
     E::k_length_and_encoding},
    {"17 folded header", Ok("X: a\r\n b\r\n", ""), E::k_bad_header},
    {"17 NUL in a value", Ok(std::string("X: \0\r\n", 6), ""), E::k_bad_header},
    {"17 HTTP/0.9 text", "Hello there, this is a page.\r\n\r\n", E::k_bad_status_line},
    {"17 status of two digits", "HTTP/1.1 20 OK\r\n\r\n", E::k_bad_status_line},
    {"17 status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", E::k_bad_status_line},
    {"17 status 99", "HTTP/1.1 099 X\r\n\r\n", E::k_bad_status_line},
    {"17 status 600", "HTTP/1.1 600 X\r\n\r\n", E::k_bad_status_line},
    {"17 CR CR in the status line", "HTTP/1.1 200\r\rContent-Length: 5\r\n\r\nhello", E::k_bad_status_line},
    {"17 control in the reason", "HTTP/1.1 200 O\x01K\r\n\r\n", E::k_bad_status_line},
    {"17 HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", E::k_unsupported_version},
    {"17 RTSP", "RTSP/1.0 200 OK\r\n\r\n", E::k_bad_status_line},
    {"17 empty line before the status line", "\r\nHTTP/1.1 200 OK\r\n\r\n", E::k_bad_start},
    {"chunked is not last", Ok("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), E::k_bad_transfer_encoding},
    {"gzip without chunked", Ok("Transfer-Encoding: gzip\r\n", "0\r\n\r\n"), E::k_bad_transfer_encoding},
    {"empty transfer-encoding", Ok("Transfer-Encoding:\r\n", "0\r\n\r\n"), E::k_bad_transfer_encoding},
    {"gzip, chunked", Ok("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), E::k_unsupported_transfer_coding},
    {"chunked on HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     E::k_bad_transfer_encoding},
    {"26 101 unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
     E::k_unexpected_upgrade},
    {"26 101 without Upgrade", "HTTP/1.1 101 Switching Protocols\r\n\r\n", E::k_unexpected_upgrade},
    {"malformed chunk", Ok("Transfer-Encoding: chunked\r\n", "5\r\nhelloX"), E::k_bad_chunk},
};

class RefusedResponse : public testing::TestWithParam<Case> {};

TEST_P(RefusedResponse, IsRefusedForTheRightReasonHoweverItIsCut) {
  const Parsed parsed = ParseAllWays(Role::kResponse, GetParam().input);
  EXPECT_EQ(Name(GetParam().error), Name(parsed.error));
}

INSTANTIATE_TEST_SUITE_P(Cases, RefusedResponse, testing::ValuesIn(kRefused), [](const auto& param) {
  std::string name;
  for (const char c : std::string(param.param.name)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name + "_" + std::to_string(param.index);
});

struct Accepted {
  const char* name;
  std::string input;
  std::string head;
  std::string body;
  std::string rest;
  bool complete;
  bool no_body = false;
};
void PrintTo(const Accepted& c, std::ostream* out) { *out << c.name; }

const Accepted kAccepted[] = {
    {"with a length", Ok("Content-Length: 5\r\n", "hello"), "200 [OK] 1.1 framing 1 length 5 keep_alive 1", "hello", "",
     true},
    {"17 the same length twice", Ok("Content-Length: 5\r\nX: y\r\nContent-Length: 5\r\n", "helloX"),
     "200 [OK] 1.1 framing 1 length 5 keep_alive 1", "hello", "X", true},
    {"11 cut short", Ok("Content-Length: 9\r\n", "hello"), "200 [OK] 1.1 framing 1 length 9 keep_alive 1", "hello", "",
     false},
    {"12 surplus", Ok("Content-Length: 2\r\n", "hello"), "200 [OK] 1.1 framing 1 length 2 keep_alive 1", "he", "llo",
     true},
    {"12 surplus after close", Ok("Connection: close\r\nContent-Length: 2\r\n", "hello"),
     "200 [OK] 1.1 framing 1 length 2 keep_alive 0", "he", "llo", true},
    {"chunked", Ok("Transfer-Encoding: chunked\r\n", "5;x\r\nhello\r\n0\r\nA: b\r\n\r\nX"),
     "200 [OK] 1.1 framing 2 length 0 keep_alive 1", "hello", "X", true},
    {"chunked with a tab after it", Ok("Transfer-Encoding: chunked\t\r\n", "5\r\nhello\r\n0\r\n\r\n"),
     "200 [OK] 1.1 framing 2 length 0 keep_alive 1", "hello", "", true},
    {"13 no last chunk", Ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"),
     "200 [OK] 1.1 framing 2 length 0 keep_alive 1", "hello", "", false},
    {"26 100 is a message of its own", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
     "100 [Continue] 1.1 framing 0 length 0 keep_alive 1", "", "HTTP/1.1 200 OK\r\n", true},
    {"26 103", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", "103 [Early Hints] 1.1 framing 0 length 0 keep_alive 1",
     "", "", true},
    {"27 until the connection closes", "HTTP/1.0 200 OK\r\n\r\nhello", "200 [OK] 1.0 framing 3 length 0 keep_alive 0",
     "hello", "", false},
    {"27 HTTP/1.1 until close", Ok("", "hello"), "200 [OK] 1.1 framing 3 length 0 keep_alive 0", "hello", "", false},
    {"HTTP/1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
     "200 [OK] 1.0 framing 1 length 0 keep_alive 1", "", "", true},
    {"29 204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
     "204 [No Content] 1.1 framing 0 length 5 keep_alive 0", "", "hello", true},
    {"29 204 with chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "204 [No Content] 1.1 framing 0 length 0 keep_alive 0", "", "0\r\n\r\n", true},
    {"29 304 tells a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
     "304 [Not Modified] 1.1 framing 0 length 5 keep_alive 1", "", "", true},
    {"29 answer to HEAD", Ok("Content-Length: 5\r\n", ""), "200 [OK] 1.1 framing 0 length 5 keep_alive 1", "", "", true,
     true},
    {"29 chunked answer to HEAD", Ok("Transfer-Encoding: chunked\r\n", ""),
     "200 [OK] 1.1 framing 0 length 0 keep_alive 1", "", "", true, true},
    {"29 answer to HEAD without framing", Ok("", ""), "200 [OK] 1.1 framing 0 length 0 keep_alive 1", "", "", true,
     true},
    {"no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "200 [] 1.1 framing 1 length 0 keep_alive 1", "", "",
     true},
    {"no reason and no space", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
     "200 [] 1.1 framing 1 length 0 keep_alive 1", "", "", true},
};

class AcceptedResponse : public testing::TestWithParam<Accepted> {};

TEST_P(AcceptedResponse, IsReadHoweverItIsCut) {
  const Parsed parsed = ParseAllWays(Role::kResponse, GetParam().input, {}, GetParam().no_body);
  EXPECT_EQ("", Name(parsed.error));
  EXPECT_EQ(GetParam().complete, parsed.message_complete);
  EXPECT_EQ(GetParam().head, parsed.head.substr(0, parsed.head.find('\n')));
  EXPECT_EQ(GetParam().body, parsed.body);
  EXPECT_EQ(GetParam().rest, GetParam().input.substr(parsed.consumed));
}

INSTANTIATE_TEST_SUITE_P(Cases, AcceptedResponse, testing::ValuesIn(kAccepted), [](const auto& param) {
  std::string name;
  for (const char c : std::string(param.param.name)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name + "_" + std::to_string(param.index);
});

}  // namespace
}  // namespace runtime::http
