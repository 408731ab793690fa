#include "runtime/proxy/answer_framing.h"

namespace runtime::proxy {

using http::BodyFraming;

ClientFraming ChooseFraming(const http::RequestHead& request, const http::ResponseHead& head, const HeldAnswer& held) {
  const bool is_head_method = request.method == compiler::abi::Method::kHEAD;
  if (is_head_method || head.framing == BodyFraming::kNone) {
    const bool announces = is_head_method && head.framing == BodyFraming::kLength;
    return {announces ? BodyFraming::kLength : BodyFraming::kNone, head.content_length, false, true};
  }
  if (head.framing == BodyFraming::kLength && held.hold != Hold::kFirstContent) {
    return {BodyFraming::kLength, head.content_length, true, true};
  }
  if (held.is_whole && held.hold == Hold::kWhole) return {BodyFraming::kLength, held.bytes, true, true};
  // An end that only the closing shows stays one: the gateway can't vouch for it.
  if (request.minor_version == 0 || (head.framing == BodyFraming::kUntilClose && !held.is_read)) {
    return {BodyFraming::kUntilClose, 0, true, false};
  }
  return {BodyFraming::kChunked, 0, true, true};
}

}  // namespace runtime::proxy
