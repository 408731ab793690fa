// Any bytes as a request or response: no crash, the same result however they are cut, and what the gateway would write for
// an accepted request is accepted in its turn. The first byte chooses direction and limits, the second the cuts.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/random.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/message_parser.h"

namespace {

using namespace runtime::http;

struct Result {
  ParseError error = ParseError::kNone;
  size_t consumed = 0;
  std::string body;
  bool complete = false;
};

void Require(bool holds) {
  if (!holds) std::abort();
}

Result Parse(MessageParser* parser, std::string_view input, uint64_t seed, bool whole) {
  runtime::base::Random random(seed);
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const Role role = (data[0] & 1) != 0 ? Role::kResponse : Role::kRequest;
  ParserLimits limits;
  if ((data[0] & 2) != 0)
    limits = {.header_bytes = 200, .header_line = 50, .header_count = 5, .uri = 20, .body = 30, .chunk_extensions = 8};
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);

  MessageParser whole(role, limits), cut(role, limits);
  if ((data[0] & 4) != 0) {
    whole.ExpectNoBody();
    cut.ExpectNoBody();
  }
  const Result a = Parse(&whole, input, 0, true);
  const Result b = Parse(&cut, input, data[1], false);
  Require(a.error == b.error);
  if (a.error != ParseError::kNone) return 0;
  Require(a.consumed == b.consumed && a.body == b.body && a.complete == b.complete);
  Require(whole.head_complete() == cut.head_complete());
  if (role == Role::kResponse || !whole.head_complete()) return 0;

  const RequestHead& head = whole.request();
  if (const auto path = NormalisePath(head.path)) Require(NormalisePath(*path) == path);
  UpstreamRequest request;
  request.target = head.target;
  request.authority = "upstream";
  request.framing = head.framing;
  request.content_length = head.content_length;
  std::string out;
  AppendUpstreamRequest(head, request, &out);
  MessageParser again(
      Role::kRequest,
      {.header_bytes = 1 << 20, .header_line = 1 << 20, .header_count = 200, .uri = 1 << 20, .body = 0});
  std::vector<std::string_view> none;
  Require(again.Feed(out, &none).error == ParseError::kNone && again.head_complete());
  Require(again.request().framing == head.framing && again.request().content_length == head.content_length);
  return 0;
}
