// Limits, what stays valid until when, and the parser's use for one message after another. Single cases of good and bad
// messages stand in request_cases_test and response_cases_test.
#include "runtime/http/message_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/random.h"
#include "tests/runtime/http/parse_all_ways.h"

namespace runtime::http {
namespace {

using E = ParseError;

std::string Repeat(const std::string& text, size_t n) {
  std::string all;
  for (size_t i = 0; i < n; ++i) all += text;
  return all;
}
std::string Get(const std::string& lines) { return "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n"; }
std::string Chunked(const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
}

E ErrorOf(const std::string& input, const ParserLimits& limits = {}) {
  return ParseAllWays(Role::kRequest, input, limits).error;
}

TEST(MessageParser, TellsHeadersOfAHeadThatWasRefused) {
  ParserLimits limits;
  limits.header_line = 50;
  MessageParser parser(Role::kRequest, limits);
  std::vector<std::string_view> none;
  EXPECT_EQ(std::nullopt, parser.HeaderSoFar("origin"));
  EXPECT_EQ(E::k_header_too_long, parser.Feed(Get("Origin: http://a\r\nX: " + std::string(100, 'x') + "\r\n"), &none).error);
  EXPECT_EQ("http://a", parser.HeaderSoFar("origin").value_or("none"));
  EXPECT_EQ(std::nullopt, parser.HeaderSoFar("x"));  // not whole
}

TEST(MessageParserLimits, TargetIsBoundedToTheByte) {
  ParserLimits limits;
  limits.uri = 100;
  const auto with_target_of = [](size_t n) {
    return "GET /" + std::string(n - 1, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  };
  EXPECT_EQ(E::kNone, ErrorOf(with_target_of(100), limits));
  EXPECT_EQ(E::k_uri_too_long, ErrorOf(with_target_of(101), limits));
  EXPECT_EQ(414, StatusOf(E::k_uri_too_long));
}

TEST(MessageParserLimits, HeaderLineIsBoundedToTheByte) {
  ParserLimits limits;
  limits.header_line = 100;
  EXPECT_EQ(E::kNone, ErrorOf(Get("X: " + std::string(97, 'x') + "\r\n"), limits));
  EXPECT_EQ(E::k_header_too_long, ErrorOf(Get("X: " + std::string(98, 'x') + "\r\n"), limits));
  EXPECT_EQ(E::k_bad_line_ending,
            ErrorOf(Get("X: " + std::string(97, 'x') + "\rx\r\n"), limits));  // the first fault counts
  EXPECT_EQ(E::k_header_too_long, ErrorOf(Get(std::string(200, 'n') + ": x\r\n"), limits));
  EXPECT_EQ(E::k_header_too_long,
            ErrorOf(Get("X:" + std::string(200, ' ') + "x\r\n"), limits));  // blanks count as well
}

TEST(MessageParserLimits, HeadersAreCounted) {
  ParserLimits limits;
  limits.header_count = 5;
  EXPECT_EQ(E::kNone, ErrorOf(Get(Repeat("X: y\r\n", 4)), limits));  // and Host
  EXPECT_EQ(E::k_too_many_headers, ErrorOf(Get(Repeat("X: y\r\n", 5)), limits));
}

TEST(MessageParserLimits, TheHeadIsBoundedToTheByte) {
  const std::string input = Get(Repeat("X: y\r\n", 20));
  ParserLimits limits;
  limits.header_bytes = input.size();
  EXPECT_EQ(E::kNone, ErrorOf(input, limits));
  limits.header_bytes = input.size() - 1;
  EXPECT_EQ(E::k_head_too_large, ErrorOf(input, limits));
}

TEST(MessageParserLimits, DefaultsRefuseBeforeTheRestIsRead) {
  for (const auto& [input, error] :
       {std::pair(std::string("GET /") + std::string(20 << 20, 'x'), E::k_uri_too_long),
        std::pair("GET / HTTP/1.1\r\nX: " + std::string(20 << 20, 'x'), E::k_header_too_long),
        std::pair("GET / HTTP/1.1\r\n" + Repeat("X: y\r\n", 1000000), E::k_too_many_headers)}) {
    MessageParser parser(Role::kRequest, {});
    std::vector<std::string_view> body;
    const auto result = parser.Feed(input, &body);
    EXPECT_EQ(Name(error), Name(result.error));
    EXPECT_LE(result.consumed, 64u << 10);
  }
}

TEST(MessageParserLimits, BodiesAreBoundedByLengthAndByChunks) {
  ParserLimits limits;
  limits.body = 10;
  EXPECT_EQ(E::kNone, ErrorOf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789", limits));
  EXPECT_EQ(E::k_body_too_large, ErrorOf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", limits));
  EXPECT_EQ(E::kNone, ErrorOf(Chunked("5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"), limits));
  EXPECT_EQ(E::k_body_too_large, ErrorOf(Chunked("5\r\nhello\r\n6\r\n"), limits));  // before its first byte
  EXPECT_EQ(413, StatusOf(E::k_body_too_large));
  limits.body = 0;  // none
  EXPECT_EQ(E::kNone, ErrorOf(Chunked("b\r\nhello world\r\n0\r\n\r\n"), limits));
}

TEST(MessageParserLimits, ChunkExtensionsOfAllChunksAreBounded) {
  ParserLimits limits;
  limits.chunk_extensions = 100;
  // A chunk line of 18 bytes with its line end is free: "1;" + 14 + CR LF.
  const std::string small = "1;" + std::string(14, 'e') + "\r\nx\r\n";
  EXPECT_EQ(E::kNone, ErrorOf(Chunked(Repeat(small, 50) + "0\r\n\r\n"), limits));
  const std::string ten_more = "1;" + std::string(24, 'e') + "\r\nx\r\n";
  EXPECT_EQ(E::kNone, ErrorOf(Chunked(Repeat(ten_more, 10) + "0\r\n\r\n"), limits));
  EXPECT_EQ(E::k_chunk_extensions_too_long, ErrorOf(Chunked(Repeat(ten_more, 11) + "0\r\n\r\n"), limits));
  EXPECT_EQ(E::k_chunk_extensions_too_long, ErrorOf(Chunked("1;" + std::string(200, 'e')), limits));
  EXPECT_EQ(E::k_chunk_extensions_too_long,
            ErrorOf(Chunked(std::string(200, '0') + "1\r\nx\r\n"), limits));  // leading zeros
}

TEST(MessageParser, AChunkExtensionHoldsNoControlCharacters) {
  for (const char c : {'\0', '\x01', '\n', '\x1f', '\x7f'}) {
    for (const std::string& line : {std::string("1;a=b") + c, std::string("1;a=\"b") + c + "\"", std::string("1;a") + c + "=b"})
      EXPECT_EQ(E::k_bad_chunk, ErrorOf(Chunked(line + "\r\nx\r\n0\r\n\r\n"), {})) << static_cast<int>(c) << " in " << line;
  }
  EXPECT_EQ(E::kNone, ErrorOf(Chunked("1;a=\"b\t \xff\"\r\nx\r\n0\r\n\r\n"), {}));
}

TEST(MessageParserLimits, TrailersAreBounded) {
  ParserLimits limits;
  limits.header_count = 5;
  limits.header_line = 100;
  EXPECT_EQ(E::kNone, ErrorOf(Chunked("0\r\n" + Repeat("X: y\r\n", 5) + "\r\n"), limits));
  EXPECT_EQ(E::k_trailers_too_large, ErrorOf(Chunked("0\r\n" + Repeat("X: y\r\n", 6) + "\r\n"), limits));
  EXPECT_EQ(E::k_trailers_too_large, ErrorOf(Chunked("0\r\nX: " + std::string(200, 'y') + "\r\n\r\n"), limits));
  limits.header_bytes = 100;
  limits.header_count = 100;
  EXPECT_EQ(E::k_trailers_too_large, ErrorOf(Chunked("0\r\n" + Repeat("X: y\r\n", 30) + "\r\n"), limits));
}

TEST(MessageParser, OneMessageAfterAnotherOnOneConnection) {
  const std::string stream = "\r\n" + Get("N: 1\r\n") + Chunked("3\r\nabc\r\n0\r\n\r\n") +
                             "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + Get("N: 4\r\n");
  base::Random random(7);
  for (int round = 0; round < 200; ++round) {
    MessageParser parser(Role::kRequest, {});
    std::vector<std::string> bodies;
    std::string body;
    size_t at = 0;
    while (at < stream.size()) {
      const std::string_view piece = std::string_view(stream).substr(at, 1 + random.Below(40));
      std::vector<std::string_view> parts;
      const auto result = parser.Feed(piece, &parts);
      ASSERT_EQ(E::kNone, result.error);
      for (std::string_view part : parts) body += part;
      at += result.consumed;
      if (parser.message_complete()) {
        EXPECT_EQ(0u, parser.Feed("GET", &parts).consumed);  // not before Reset
        bodies.push_back(body);
        body.clear();
        parser.Reset();
        EXPECT_FALSE(parser.started());
        EXPECT_FALSE(parser.head_complete());
      }
    }
    ASSERT_EQ((std::vector<std::string>{"", "abc", "hi", ""}), bodies);
  }
}

TEST(MessageParser, BodyPiecesPointIntoWhatWasFed) {
  MessageParser parser(Role::kRequest, {});
  const std::string input = Chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  std::vector<std::string_view> body;
  parser.Feed(input, &body);
  ASSERT_EQ(2u, body.size());
  for (std::string_view piece : body) {
    EXPECT_GE(piece.data(), input.data());
    EXPECT_LE(piece.data() + piece.size(), input.data() + input.size());
  }
}

TEST(MessageParser, TheHeadStaysValidWhileTheBodyIsRead) {
  MessageParser parser(Role::kRequest, {});
  std::vector<std::string_view> body;
  std::string head = "POST /path?query HTTP/1.1\r\nHost: host\r\nTransfer-Encoding: chunked\r\nName: value\r\n\r\n";
  parser.Feed(head, &body);
  ASSERT_TRUE(parser.head_complete());
  const std::string_view path = parser.request().path;
  const std::string_view value = *parser.request().headers.Find("NAME");
  std::fill(head.begin(), head.end(), '#');  // what was fed may be overwritten
  for (int i = 0; i < 1000; ++i) parser.Feed("5;extension\r\nhello\r\n", &body);
  parser.Feed("0\r\nTrailer: " + std::string(1000, 't') + "\r\n\r\n", &body);
  EXPECT_TRUE(parser.message_complete());
  EXPECT_EQ("/path", path);
  EXPECT_EQ("value", value);
  EXPECT_EQ(3u, parser.request().headers.lines().size());  // trailers are not among them
}

TEST(MessageParser, StartedTellsAMessageFromAnEmptyLine) {
  MessageParser parser(Role::kRequest, {});
  std::vector<std::string_view> body;
  parser.Feed("\r\n", &body);
  EXPECT_FALSE(parser.started());
  parser.Feed("G", &body);
  EXPECT_TRUE(parser.started());
  EXPECT_FALSE(parser.FinishAtEnd());
}

TEST(MessageParser, OnlyABodyUntilCloseIsCompletedByTheEnd) {
  const auto finishes = [](Role role, std::string_view input) {
    MessageParser parser(role, {});
    std::vector<std::string_view> body;
    EXPECT_EQ(E::kNone, parser.Feed(input, &body).error);
    const bool result = parser.FinishAtEnd();
    EXPECT_EQ(result, parser.message_complete());
    return result;
  };
  EXPECT_TRUE(finishes(Role::kResponse, "HTTP/1.0 200 OK\r\n\r\nsome"));
  EXPECT_TRUE(finishes(Role::kResponse, "HTTP/1.1 200 OK\r\n\r\n"));
  EXPECT_TRUE(finishes(Role::kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"));
  EXPECT_FALSE(finishes(Role::kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"));
  EXPECT_FALSE(finishes(Role::kResponse, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"));
  EXPECT_FALSE(finishes(Role::kResponse, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"));
  EXPECT_FALSE(finishes(Role::kResponse, "HTTP/1.1 200 OK\r\n"));
  EXPECT_FALSE(finishes(Role::kResponse, ""));
  EXPECT_FALSE(finishes(Role::kRequest, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab"));
}

TEST(MessageParser, ExpectNoBodyHoldsForOneMessage) {
  MessageParser parser(Role::kResponse, {});
  std::vector<std::string_view> body;
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
  parser.ExpectNoBody();
  parser.Feed(answer, &body);
  EXPECT_TRUE(parser.message_complete());
  parser.Reset();
  parser.Feed(answer, &body);
  EXPECT_FALSE(parser.message_complete());
}

TEST(MessageParser, EveryErrorHasANameAStatusAndASentence) {
  std::set<std::string_view> names;
#define PARSE_ERROR(name, status, doc)                       \
  EXPECT_EQ(#name, Name(E::k_##name));                       \
  EXPECT_EQ(status, StatusOf(E::k_##name));                  \
  EXPECT_TRUE(Explain(E::k_##name).ends_with('.')) << #name; \
  EXPECT_TRUE(names.insert(#name).second);
#include "runtime/http/parse_errors.def"
#undef PARSE_ERROR
  EXPECT_EQ("", Name(E::kNone));
  EXPECT_GT(names.size(), 25u);
}

// Mutations of good messages: whatever comes, all ways of cutting agree, and nothing is read out of bounds.
TEST(MessageParser, RandomMutationsAreTreatedAlikeHoweverTheyAreCut) {
  const std::vector<std::pair<Role, std::string>> seeds = {
      {Role::kRequest, Get("Connection: close\r\nContent-Length: 3\r\n") + "abc"},
      {Role::kRequest, Chunked("3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\nGET / HTTP/1.1\r\n")},
      {Role::kResponse, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
      {Role::kResponse, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"},
  };
  const std::string interesting = std::string("\r\n\t :,;=/?#09afAFxX-+\x00\x0b\x7f\x80", 26);
  constexpr uint64_t kSeed = 20240611;
  base::Random random(kSeed);
  ParserLimits limits;
  limits.header_line = 60;
  limits.header_count = 5;
  limits.header_bytes = 150;
  limits.uri = 20;
  limits.body = 40;
  limits.chunk_extensions = 8;
  size_t refused = 0;
  for (int i = 0; i < 3000 && !HasFailure(); ++i) {
    auto [role, input] = seeds[random.Below(seeds.size())];
    for (uint64_t edits = 1 + random.Below(3); edits > 0; --edits) {
      const size_t at = random.Below(input.size());
      switch (random.Below(4)) {
        case 0: input[at] = interesting[random.Below(interesting.size())]; break;
        case 1: input.insert(at, 1, interesting[random.Below(interesting.size())]); break;
        case 2: input.erase(at, 1); break;
        default: input.insert(at, input.substr(random.Below(input.size()), random.Below(30))); break;
      }
      if (input.empty()) input = "x";
    }
    SCOPED_TRACE("seed " + std::to_string(kSeed) + " round " + std::to_string(i) + ": " +
                 testing::PrintToString(input));
    if (ParseAllWays(role, input, limits).error != E::kNone) ++refused;
  }
  EXPECT_GT(refused, 1000u);
  EXPECT_LT(refused, 2900u);
}

}  // namespace
}  // namespace runtime::http
