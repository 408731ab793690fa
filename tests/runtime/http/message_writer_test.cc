#include "runtime/http/message_writer.h"

#include <gtest/gtest.h>

#include "runtime/http/message_parser.h"

namespace runtime::http {
namespace {

TEST(MessageWriter, WritesHeads) {
  std::string out;
  AppendRequestLine("POST", "/a?b", &out);
  AppendHeader("Host", "x", &out);
  AppendHeader("Content-Length", uint64_t{18446744073709551615u}, &out);
  AppendEndOfHead(&out);
  EXPECT_EQ("POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n", out);
  out.clear();
  AppendStatusLine(503, &out);
  AppendStatusLine(299, &out);
  EXPECT_EQ("HTTP/1.1 503 Service Unavailable\r\nHTTP/1.1 299 \r\n", out);
}

TEST(MessageWriter, WritesChunksThatTheParserReads) {
  std::string out;
  AppendStatusLine(200, &out);
  AppendHeader("Transfer-Encoding", "chunked", &out);
  AppendEndOfHead(&out);
  std::string sent;
  for (const size_t size : {size_t{1}, size_t{15}, size_t{16}, size_t{255}, size_t{70000}}) {
    const std::string data(size, static_cast<char>('a' + size % 26));
    AppendChunkHead(size, &out);
    out.append(data).append(kChunkEnd);
    sent += data;
  }
  out.append(kLastChunk);
  ParserLimits limits;
  limits.body = 0;
  MessageParser parser(Role::kResponse, limits);
  std::vector<std::string_view> body;
  const auto result = parser.Feed(out, &body);
  EXPECT_EQ(ParseError::kNone, result.error);
  EXPECT_EQ(out.size(), result.consumed);
  EXPECT_TRUE(parser.message_complete());
  std::string received;
  for (std::string_view piece : body) received += piece;
  EXPECT_TRUE(received == sent);
}

}  // namespace
}  // namespace runtime::http
