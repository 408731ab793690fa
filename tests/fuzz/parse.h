// What the fuzz targets of runtime/http share: a message fed whole and in pieces, which must come to the same.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "runtime/http/message_parser.h"

namespace tests::fuzz {

using runtime::http::MessageParser;
using runtime::http::ParseError;
using runtime::http::ParserLimits;
using runtime::http::Role;

inline void Require(bool holds) {
  if (!holds) std::abort();
}

struct Result {
  ParseError error = ParseError::kNone;
  size_t consumed = 0;
  std::string body;
  bool complete = false;
};

inline Result Parse(MessageParser* parser, std::string_view input, uint64_t seed, bool whole) {
  base::Random random(seed);
  Result result;
  while (!input.empty() && result.error == ParseError::kNone && !parser->message_complete()) {
    const size_t n = whole ? input.size() : std::min<size_t>(input.size(), 1 + random.Below(1 + seed % 16));
    const std::vector<char> piece(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(n));
    std::vector<std::string_view> body;
    const auto fed = parser->Feed({piece.data(), piece.size()}, &body);
    result.error = fed.error;
    result.consumed += fed.consumed;
    for (std::string_view part : body) result.body.append(part);
    Require(fed.error != ParseError::kNone || parser->message_complete() || fed.consumed == n);
    input.remove_prefix(n);
  }
  result.complete = parser->message_complete();
  return result;
}

// Parses it both ways, `seed` choosing the cuts, and returns what both came to. *parser has seen it whole.
inline Result ParseBothWays(MessageParser* parser, Role role, const ParserLimits& limits, std::string_view input, uint64_t seed,
                            bool no_body = false) {
  MessageParser cut(role, limits);
  if (no_body) {
    parser->ExpectNoBody();
    cut.ExpectNoBody();
  }
  const Result a = Parse(parser, input, 0, true);
  const Result b = Parse(&cut, input, seed, false);
  Require(a.error == b.error);
  if (a.error != ParseError::kNone) return a;
  Require(a.consumed == b.consumed && a.body == b.body && a.complete == b.complete);
  Require(parser->head_complete() == cut.head_complete());
  return a;
}

inline constexpr ParserLimits kTightLimits{
    .header_bytes = 200, .header_line = 50, .header_count = 5, .uri = 20, .body = 30, .chunk_extensions = 8};

}  // namespace tests::fuzz
