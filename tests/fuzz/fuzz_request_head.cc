// Any bytes as a request: no crash, the same result however they are cut, and what the gateway would write for an accepted
// request is accepted in its turn and framed alike. The first byte chooses limits, the second the cuts.
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
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  MessageParser parser(Role::kRequest, limits);
  const Result result = ParseBothWays(&parser, Role::kRequest, limits, input, data[1]);
  if (result.error != ParseError::kNone || !parser.head_complete()) return 0;

  const RequestHead& head = parser.request();
  if (const auto path = NormalisePath(head.path)) Require(NormalisePath(*path) == path);
  UpstreamRequest request;
  request.target = head.target;
  request.authority = "upstream";
  request.framing = head.framing;
  request.content_length = head.content_length;
  std::string out;
  AppendUpstreamRequest(head, request, &out);
  const ParserLimits wide{.header_bytes = 1 << 20, .header_line = 1 << 20, .header_count = 200, .uri = 1 << 20, .body = 0};
  MessageParser again(Role::kRequest, wide);
  std::vector<std::string_view> none;
  Require(again.Feed(out, &none).error == ParseError::kNone && again.head_complete());
  Require(again.request().method_text == head.method_text && again.request().target == head.target);
  Require(again.request().framing == head.framing && again.request().content_length == head.content_length);
  return 0;
}
