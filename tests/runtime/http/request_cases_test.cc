// What clients get wrong, and what is done about it: one line for each case, numbered as in the list of HTTP/1.1 cases
// that the gateway is held to. Each is fed whole, byte by byte and cut at every place.
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

// A request with these header lines (each with its line end).
std::string Get(const std::string& lines) { return "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n"; }
std::string Post(const std::string& lines, const std::string& body) {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" + body;
}
std::string Chunked(const std::string& body) { return Post("Transfer-Encoding: chunked\r\n", body); }
std::string Line(const std::string& request_line) { return request_line + "\r\nHost: a\r\n\r\n"; }
std::string Zero(const char* text, size_t size) { return std::string(text, size); }

const Case kRefused[] = {
    {"1 length and chunked", Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
     E::k_length_and_encoding},
    {"1 chunked and length", Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
     E::k_length_and_encoding},
    {"2 two different lengths", Post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), E::k_bad_content_length},
    {"3 two equal lengths", Post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), E::k_bad_content_length},
    {"3 length list", Post("Content-Length: 5, 5\r\n", "hello"), E::k_bad_content_length},
    {"4 length with plus", Post("Content-Length: +5\r\n", "hello"), E::k_bad_content_length},
    {"4 length minus zero", Post("Content-Length: -0\r\n", ""), E::k_bad_content_length},
    {"4 length in hex", Post("Content-Length: 0x10\r\n", "hello"), E::k_bad_content_length},
    {"4 length with inner space", Post("Content-Length: 5 5\r\n", "hello"), E::k_bad_content_length},
    {"4 length with semicolon", Post("Content-Length: 5;\r\n", "hello"), E::k_bad_content_length},
    {"4 empty length", Post("Content-Length:\r\n", ""), E::k_bad_content_length},
    {"4 blank length", Post("Content-Length:  \r\n", ""), E::k_bad_content_length},
    {"4 length with underscore", Post("Content-Length: 1_0\r\n", "hello"), E::k_bad_content_length},
    {"4 full-width digits", Post("Content-Length: \xef\xbc\x95\r\n", "hello"), E::k_bad_content_length},
    {"5 empty length, then a valid one", Post("Content-Length:\r\nContent-Length: 5\r\n", "hello"),
     E::k_bad_content_length},
    {"6 length of 2^64", Post("Content-Length: 18446744073709551616\r\n", ""), E::k_bad_content_length},
    {"6 length of 40 digits", Post("Content-Length: 1000000000000000000000000000000000000000\r\n", ""),
     E::k_bad_content_length},
    {"6 length of 2^64 - 1", Post("Content-Length: 18446744073709551615\r\n", ""), E::k_body_too_large},
    {"8 chunked is not last", Post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
     E::k_bad_transfer_encoding},
    {"8 no chunked at all", Post("Transfer-Encoding: gzip\r\n", "0\r\n\r\n"), E::k_bad_transfer_encoding},
    {"9 gzip, chunked", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), E::k_unsupported_transfer_coding},
    {"9 unknown coding, chunked", Post("Transfer-Encoding: foo, chunked\r\n", "0\r\n\r\n"),
     E::k_unsupported_transfer_coding},
    {"10 leading comma", Post("Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n"), E::k_bad_transfer_encoding},
    {"10 trailing comma", Post("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), E::k_bad_transfer_encoding},
    {"10 quoted chunked", Post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), E::k_bad_transfer_encoding},
    {"10 chunked with parameter", Post("Transfer-Encoding: chunked;a=b\r\n", "0\r\n\r\n"), E::k_bad_transfer_encoding},
    {"10 empty transfer-encoding", Post("Transfer-Encoding: \r\n", ""), E::k_bad_transfer_encoding},
    {"10 empty transfer-encoding and length", Post("Transfer-Encoding:\r\nContent-Length: 2\r\n", "ab"),
     E::k_length_and_encoding},
    {"11 chunked twice", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
     E::k_bad_transfer_encoding},
    {"12 space before the colon of transfer-encoding", Post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
     E::k_bad_header},
    {"12 space before a colon", Get("X : y\r\n"), E::k_bad_header},
    {"12 tab before a colon", Get("X\t: y\r\n"), E::k_bad_header},
    {"13 vertical tab before chunked", Post("Transfer-Encoding:\vchunked\r\n", "0\r\n\r\n"), E::k_bad_header},
    {"13 xchunked", Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), E::k_bad_transfer_encoding},
    {"14 chunked on HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     E::k_bad_transfer_encoding},
    {"15 Transfer_Encoding", Post("Transfer_Encoding: chunked\r\n", "0\r\n\r\n"), E::k_framing_twin},
    {"15 Content_Length", Post("Content_Length: 5\r\n", "hello"), E::k_framing_twin},
    {"15 content_length, odd case", Post("cONTENT_lENGTH: 5\r\n", "hello"), E::k_framing_twin},
    {"16 folded header", Get("X: a\r\n b\r\n"), E::k_bad_header},
    {"16 folded transfer-encoding", Post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), E::k_bad_header},
    {"16 folded length", Post("Content-Length:\r\n 5\r\n", "hello"), E::k_bad_header},
    {"17 white space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", E::k_bad_header},
    {"17 blank line of spaces", "GET / HTTP/1.1\r\n  \r\nHost: a\r\n\r\n", E::k_bad_header},
    {"18 bare CR in a value", Get("X: a\rb\r\n"), E::k_bad_line_ending},
    {"18 bare CR hides a header", Get("X: \rTransfer-Encoding: chunked\r\n"), E::k_bad_line_ending},
    {"18 CR CR LF", Get("X: a\r\r\n"), E::k_bad_line_ending},
    {"18 bare CR in a name", Get("X\rY: a\r\n"), E::k_bad_header},
    {"18 CR ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\rX", E::k_bad_line_ending},
    {"19 NUL in a value", Get(Zero("X: a\0b\r\n", 8)), E::k_bad_header},
    {"19 0x01 in a value", Get("X: a\x01\r\n"), E::k_bad_header},
    {"19 0x08 in a value", Get("X: a\b\r\n"), E::k_bad_header},
    {"19 vertical tab in a value", Get("X: a\v\r\n"), E::k_bad_header},
    {"19 form feed in a value", Get("X: a\f\r\n"), E::k_bad_header},
    {"19 0x1f in a value", Get("X: a\x1f\r\n"), E::k_bad_header},
    {"19 0x7f in a value", Get("X: a\x7f\r\n"), E::k_bad_header},
    {"20 brackets in a name", Get("X[]: a\r\n"), E::k_bad_header},
    {"20 at sign in a name", Get("X@: a\r\n"), E::k_bad_header},
    {"20 non-ASCII in a name", Get("X\xc3\xa9: a\r\n"), E::k_bad_header},
    {"20 0x85 in a name", Get("X\x85: a\r\n"), E::k_bad_header},
    {"20 NUL in a name", Get(Zero("X\0: a\r\n", 7)), E::k_bad_header},
    {"21 no colon", Get("X\r\n"), E::k_bad_header},
    {"21 empty name", Get(": x\r\n"), E::k_bad_header},
    {"22 bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", E::k_unsupported_version},
    {"22 bare LF after a header", "GET / HTTP/1.1\r\nHost: a\n\r\n", E::k_bad_line_ending},
    {"22 bare LF ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", E::k_bad_header},
    {"23 bare LF after a chunk size", Chunked("5\nhello\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"23 bare LF after chunk data", Chunked("5\r\nhello\n0\r\n\r\n"), E::k_bad_chunk},
    {"23 bare LF in the last chunk", Chunked("0\n\r\n"), E::k_bad_chunk},
    {"24 chunk size 0x5", Chunked("0x5\r\nhello\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"24 chunk size +5", Chunked("+5\r\nhello\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"24 chunk size -1", Chunked("-1\r\nhello\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"24 space before the chunk size", Chunked(" 5\r\nhello\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"24 underscore in the chunk size", Chunked("5_\r\nhello\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"24 space after the chunk size", Chunked("5 \r\nhello\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"24 empty chunk size", Chunked("\r\nhello\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"25 chunk size of 17 digits", Chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"25 chunk size of 2^64 - 1", Chunked("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), E::k_body_too_large},
    {"26 chunk size followed by text", Chunked("1these-bytes\r\nx\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"27 CR inside the chunk line", Chunked("2\r\r;a\r\nxx\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"27 LF in a chunk extension", Chunked("2;a\nxx\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"27 CR in a chunk extension", Chunked("2;a\rb\r\nxx\r\n0\r\n\r\n"), E::k_bad_chunk},
    {"29 wrong bytes after chunk data", Chunked("1\r\nxab0\r\n\r\n"), E::k_bad_chunk},
    {"29 half a line end after chunk data", Chunked("1\r\nx\r0\r\n\r\n"), E::k_bad_chunk},
    {"30 malformed trailer", Chunked("0\r\nX y\r\n\r\n"), E::k_bad_trailer},
    {"30 trailer Content-Length", Chunked("0\r\nContent-Length: 5\r\n\r\n"), E::k_bad_trailer},
    {"30 trailer Transfer-Encoding", Chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), E::k_bad_trailer},
    {"31 no host", "GET / HTTP/1.1\r\n\r\n", E::k_missing_host},
    {"31 two hosts", Get("Host: b\r\n"), E::k_duplicate_host},
    {"31 two equal hosts", Get("Host: a\r\n"), E::k_duplicate_host},
    {"31 empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", E::k_bad_host},
    {"31 host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", E::k_bad_host},
    {"31 space in the host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", E::k_bad_host},
    {"31 user in the host", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", E::k_bad_host},
    {"31 slash in the host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", E::k_bad_host},
    {"31 port with letters", "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", E::k_bad_host},
    {"31 port too large", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", E::k_bad_host},
    {"31 two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", E::k_bad_host},
    {"31 open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", E::k_bad_host},
    {"31 no IPv6 in brackets", "GET / HTTP/1.1\r\nHost: [a]\r\n\r\n", E::k_bad_host},
    {"31 text after the bracket", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", E::k_bad_host},
    {"31 broken escape in the host", "GET / HTTP/1.1\r\nHost: a%4\r\n\r\n", E::k_bad_host},
    {"31 non-ASCII host", "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", E::k_bad_host},
    {"32 absolute form with another host", Line("GET http://b/x HTTP/1.1"), E::k_host_differs},
    {"32 absolute form with another port", Line("GET http://a:81/x HTTP/1.1"), E::k_host_differs},
    {"32 absolute form without Host", "GET http://a/x HTTP/1.1\r\n\r\n", E::k_missing_host},
    {"32 absolute form with a user", Line("GET http://u@a/ HTTP/1.1"), E::k_bad_target},
    {"32 another scheme", Line("GET ftp://a/ HTTP/1.1"), E::k_bad_target},
    {"33 asterisk with GET", Line("GET * HTTP/1.1"), E::k_bad_target},
    {"33 authority with GET", Line("GET a:80 HTTP/1.1"), E::k_bad_target},
    {"33 CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", E::k_connect_method},
    {"34 space in the target", Line("GET /a b HTTP/1.1"), E::k_bad_request_line},
    {"34 control in the target", Line("GET /a\x01 HTTP/1.1"), E::k_bad_target},
    {"34 tab in the target", Line("GET /a\tb HTTP/1.1"), E::k_bad_target},
    {"34 fragment", Line("GET /a#b HTTP/1.1"), E::k_bad_target},
    {"34 raw 0x80 in the target", Line("GET /\x80 HTTP/1.1"), E::k_bad_target},
    {"34 raw UTF-8 in the query", Line("GET /?q=\xc3\xa9 HTTP/1.1"), E::k_bad_target},
    {"34 http:/x", Line("GET http:/x HTTP/1.1"), E::k_bad_target},
    {"34 backslash", Line("GET /a\\b HTTP/1.1"), E::k_bad_target},
    {"34 angle brackets", Line("GET /<b> HTTP/1.1"), E::k_bad_target},
    {"34 braces in the path", Line("GET /{b} HTTP/1.1"), E::k_bad_target},
    {"34 two spaces before the target", Line("GET  / HTTP/1.1"), E::k_bad_request_line},
    {"34 two spaces after the target", Line("GET /  HTTP/1.1"), E::k_bad_request_line},
    {"36 HTTP/0.9", "GET /\r\n\r\n", E::k_unsupported_version},
    {"36 HTTP/0.9 with headers", "GET /x\nHost: a\r\nContent-Length: 5\r\n\r\nhello", E::k_unsupported_version},
    {"36 HTTP/1.10", Line("GET / HTTP/1.10"), E::k_unsupported_version},
    {"36 HTTP/2.0", Line("GET / HTTP/2.0"), E::k_unsupported_version},
    {"36 hTTP/1.1", Line("GET / hTTP/1.1"), E::k_bad_request_line},
    {"36 HTTP/9.9", Line("GET / HTTP/9.9"), E::k_unsupported_version},
    {"36 HTTP/1.2", Line("GET / HTTP/1.2"), E::k_unsupported_version},
    {"36 RTSP", Line("OPTIONS / RTSP/1.0"), E::k_unsupported_version},
    {"36 ICE", Line("SOURCE / ICE/1.0"), E::k_unsupported_version},
    {"37 HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", E::k_http2_preface},
    {"38 TLS on a plain port", Zero("\x16\x03\x01\x02\x00\x01", 6), E::k_bad_start},
    {"38 JSON instead of a request", "{\"a\": 1}\r\n\r\n", E::k_bad_start},
    {"38 leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", E::k_bad_start},
    {"38 bare LF before the request", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", E::k_bad_start},
    {"38 bare CR before the request", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", E::k_bad_start},
    {"38 five empty lines", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", E::k_bad_start},
    {"39 unknown method", Line("BREW / HTTP/1.1"), E::k_unknown_method},
    {"39 lower-case method", Line("get / HTTP/1.1"), E::k_unknown_method},
    {"39 method and more", Line("GETX / HTTP/1.1"), E::k_unknown_method},
    {"39 method of 10 KB", Line(std::string(10000, 'G') + " / HTTP/1.1"), E::k_unknown_method},
    {"41 Connection names Content-Length", Post("Connection: content-length\r\nContent-Length: 1\r\n", "x"),
     E::k_connection_names_framing},
    {"41 Connection names Transfer-Encoding", Get("Connection: close, Transfer-Encoding\r\n"),
     E::k_connection_names_framing},
    {"41 Connection names Host", Get("Connection: host\r\n"), E::k_connection_names_framing},
    {"45 unknown expectation", Post("Expect: 200-ok\r\nContent-Length: 1\r\n", "x"), E::k_unknown_expectation},
};

class RefusedRequest : public testing::TestWithParam<Case> {};

TEST_P(RefusedRequest, IsRefusedForTheRightReasonHoweverItIsCut) {
  const Parsed parsed = ParseAllWays(Role::kRequest, GetParam().input);
  EXPECT_EQ(Name(GetParam().error), Name(parsed.error));
  EXPECT_FALSE(parsed.message_complete);
}

INSTANTIATE_TEST_SUITE_P(Cases, RefusedRequest, testing::ValuesIn(kRefused), [](const auto& param) {
  std::string name;
  for (const char c : std::string(param.param.name)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name + "_" + std::to_string(param.index);
});

struct Accepted {
  const char* name;
  std::string input;
  std::string head;  // as Describe writes it, its first line
  std::string body;
  std::string rest;  // what belongs to the next message
};

void PrintTo(const Accepted& c, std::ostream* out) { *out << c.name; }

const Accepted kAccepted[] = {
    {"plain GET", Get("A: b\r\n"), "GET 1 [/] [/] [] [a] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"7 length with a leading zero", Post("Content-Length: 010\r\n", "0123456789"),
     "POST 3 [/x] [/x] [] [a] 1.1 framing 1 length 10 keep_alive 1", "0123456789", ""},
    {"length zero", Post("Content-Length: 0\r\n", ""), "POST 3 [/x] [/x] [] [a] 1.1 framing 1 length 0 keep_alive 1",
     "", ""},
    {"length with spaces around it", Post("Content-Length:   5  \r\n", "hello"),
     "POST 3 [/x] [/x] [] [a] 1.1 framing 1 length 5 keep_alive 1", "hello", ""},
    {"13 Chunked and white space", Post("tRANSFER-eNCODING: \t Chunked\t\r\n", "5\r\nhello\r\n0\r\n\r\n"),
     "POST 3 [/x] [/x] [] [a] 1.1 framing 2 length 0 keep_alive 1", "hello", ""},
    {"chunk sizes in hex of either case", Chunked("A\r\n0123456789\r\n00b\r\nabcdefghijk\r\n0\r\n\r\n"),
     "POST 3 [/x] [/x] [] [a] 1.1 framing 2 length 0 keep_alive 1", "0123456789abcdefghijk", ""},
    {"28 chunk extensions", Chunked("5;a;b=c;d=\"e f\"\r\nhello\r\n0;z\r\n\r\n"),
     "POST 3 [/x] [/x] [] [a] 1.1 framing 2 length 0 keep_alive 1", "hello", ""},
    {"30 trailers are dropped", Chunked("1\r\nx\r\n0\r\nHost: evil\r\nAuthorization: b\r\nConnection: close\r\n\r\n"),
     "POST 3 [/x] [/x] [] [a] 1.1 framing 2 length 0 keep_alive 1", "x", ""},
    {"31 host with a port", "GET / HTTP/1.1\r\nHost: A.example:8080\r\n\r\n",
     "GET 1 [/] [/] [] [A.example:8080] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"31 IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
     "GET 1 [/] [/] [] [[::1]:80] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"31 HTTP/1.0 needs no host", "GET / HTTP/1.0\r\n\r\n", "GET 1 [/] [/] [] [] 1.0 framing 0 length 0 keep_alive 0",
     "", ""},
    {"32 absolute form", Line("GET http://A:80/x?y HTTP/1.1"),
     "GET 1 [/x?y] [/x] [y] [A:80] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"32 absolute form without a path", Line("GET HTTP://a?y=/z HTTP/1.1"),
     "GET 1 [/?y=/z] [/] [y=/z] [a] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"32 absolute form, nothing after the host", Line("GET http://a HTTP/1.1"),
     "GET 1 [/] [/] [] [a] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"33 asterisk with OPTIONS", Line("OPTIONS * HTTP/1.1"),
     "OPTIONS 6 [*] [*] [] [a] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"34 two slashes stay a path", Line("GET //evil/x HTTP/1.1"),
     "GET 1 [//evil/x] [//evil/x] [] [a] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"34 browsers send these raw", Line("GET /a[1]?q={b}|^ HTTP/1.1"),
     "GET 1 [/a[1]?q={b}|^] [/a[1]] [q={b}|^] [a] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"query with a question mark", Line("GET /a?b?c HTTP/1.1"),
     "GET 1 [/a?b?c] [/a] [b?c] [a] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"38 empty lines before the request", "\r\n\r\n" + Get(""),
     "GET 1 [/] [/] [] [a] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"39 a method that predicates don't name", Line("PROPFIND / HTTP/1.1"),
     "PROPFIND 0 [/] [/] [] [a] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"41 Connection: close and a name", Get("Connection: close, x-api-key\r\n"),
     "GET 1 [/] [/] [] [a] 1.1 framing 0 length 0 keep_alive 0", "", ""},
    {"Connection: close with a tab", Get("Connection: close\t\r\n"),
     "GET 1 [/] [/] [] [a] 1.1 framing 0 length 0 keep_alive 0", "", ""},
    {"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
     "GET 1 [/] [/] [] [] 1.0 framing 0 length 0 keep_alive 1", "", ""},
    {"42 GET with a body", Get("Content-Length: 3\r\n") + "abcGET",
     "GET 1 [/] [/] [] [a] 1.1 framing 1 length 3 keep_alive 1", "abc", "GET"},
    {"42 HEAD with a body", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
     "HEAD 2 [/] [/] [] [a] 1.1 framing 1 length 3 keep_alive 1", "abc", ""},
    {"43 pipelined after a body", Post("Content-Length: 5\r\n", "helloGET / HTTP/1.1\r\n"),
     "POST 3 [/x] [/x] [] [a] 1.1 framing 1 length 5 keep_alive 1", "hello", "GET / HTTP/1.1\r\n"},
    {"43 pipelined after chunks", Chunked("5\r\nhello\r\n0\r\n\r\nGET /"),
     "POST 3 [/x] [/x] [] [a] 1.1 framing 2 length 0 keep_alive 1", "hello", "GET /"},
    {"44 bytes after close are not read", Get("Connection: close\r\n") + "garbage",
     "GET 1 [/] [/] [] [a] 1.1 framing 0 length 0 keep_alive 0", "", "garbage"},
    {"45 Expect", Post("Expect: 100-Continue\r\nContent-Length: 1\r\n", "x"),
     "POST 3 [/x] [/x] [] [a] 1.1 expects framing 1 length 1 keep_alive 1", "x", ""},
    {"45 Expect on HTTP/1.0 is ignored", "POST / HTTP/1.0\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\nx",
     "POST 3 [/] [/] [] [] 1.0 framing 1 length 1 keep_alive 0", "x", ""},
    {"45 Expect without a body means nothing", Get("Expect: 100-continue\r\n"),
     "GET 1 [/] [/] [] [a] 1.1 framing 0 length 0 keep_alive 1", "", ""},
    {"46 Upgrade to websocket", Get("Connection: Upgrade\r\nUpgrade: websocket\r\n") + "GET /smuggled",
     "GET 1 [/] [/] [] [a] 1.1 framing 0 length 0 keep_alive 1", "", "GET /smuggled"},
    {"46 Upgrade with a body", Post("Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n", "abGET"),
     "POST 3 [/x] [/x] [] [a] 1.1 framing 1 length 2 keep_alive 1", "ab", "GET"},
    {"46 Upgrade with chunks",
     Post("Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\nGET"),
     "POST 3 [/x] [/x] [] [a] 1.1 framing 2 length 0 keep_alive 1", "x", "GET"},
    {"empty values and bytes above 0x7f", Get("X:\r\nY: \xc3\xa9\r\nZ:\t \t\r\n"),
     "GET 1 [/] [/] [] [a] 1.1 framing 0 length 0 keep_alive 1", "", ""},
};

class AcceptedRequest : public testing::TestWithParam<Accepted> {};

TEST_P(AcceptedRequest, IsReadToItsEndHoweverItIsCut) {
  const Parsed parsed = ParseAllWays(Role::kRequest, GetParam().input);
  EXPECT_EQ("", Name(parsed.error));
  EXPECT_TRUE(parsed.message_complete);
  EXPECT_EQ(GetParam().head, parsed.head.substr(0, parsed.head.find('\n')));
  EXPECT_EQ(GetParam().body, parsed.body);
  EXPECT_EQ(GetParam().rest, GetParam().input.substr(parsed.consumed));
}

INSTANTIATE_TEST_SUITE_P(Cases, AcceptedRequest, testing::ValuesIn(kAccepted), [](const auto& param) {
  std::string name;
  for (const char c : std::string(param.param.name)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name + "_" + std::to_string(param.index);
});

}  // namespace
}  // namespace runtime::http
