// Any bytes as a response: no crash, the same result however they are cut, and what the gateway would write for an accepted
// one is accepted in its turn, with the framing that the gateway chose. The first byte chooses, the second cuts.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/http/forwarding.h"
#include "tests/fuzz/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace runtime::http;
  using namespace tests::fuzz;
  if (size < 3) return 0;
  const ParserLimits limits = (data[0] & 2) != 0 ? kTightLimits : ParserLimits();
  const bool no_body = (data[0] & 4) != 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  MessageParser parser(Role::kResponse, limits);
  const Result result = ParseBothWays(&parser, Role::kResponse, limits, input, data[1], no_body);
  if (result.error != ParseError::kNone || !parser.head_complete()) return 0;

  const ResponseHead& head = parser.response();
  Require(head.status >= 100 && head.status <= 599 && head.status != 101);
  ClientResponse response;
  response.keep_alive = (data[0] & 8) != 0;
  if (head.framing != BodyFraming::kNone) {
    response.framing = head.framing == BodyFraming::kUntilClose ? BodyFraming::kChunked : head.framing;
    response.content_length = head.content_length;
  }
  std::string out;
  AppendClientResponse(head, response, &out);
  const ParserLimits wide{.header_bytes = 1 << 20, .header_line = 1 << 20, .header_count = 200, .uri = 1 << 20, .body = 0};
  MessageParser again(Role::kResponse, wide);
  if (no_body) again.ExpectNoBody();
  std::vector<std::string_view> none;
  Require(again.Feed(out, &none).error == ParseError::kNone && again.head_complete());
  Require(again.response().status == head.status);
  if (response.framing != BodyFraming::kNone) Require(again.response().framing == response.framing);
  return 0;
}
