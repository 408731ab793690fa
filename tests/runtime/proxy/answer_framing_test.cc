// In which framing an answer goes to the client: one row for each way that ChooseFraming can go.
#include "runtime/proxy/answer_framing.h"

#include <gtest/gtest.h>

#include "tests/runtime/proxy/request_path.h"

namespace tests {
namespace {

using http::BodyFraming;
using runtime::proxy::ChooseFraming;
using runtime::proxy::ClientFraming;
using runtime::proxy::HeldAnswer;
using runtime::proxy::Hold;
using Method = compiler::abi::Method;

TEST(ChooseFraming, KeepsWhatIsTrueAndPromisesNothingElse) {
  struct Row {
    std::string_view what;
    Method method;
    int minor_version;
    BodyFraming upstream;
    uint64_t length;
    HeldAnswer held;
    ClientFraming expected;
  };
  const HeldAnswer passes;
  const HeldAnswer stream{Hold::kFirstContent, false, true, 20};
  const HeldAnswer cut_object{Hold::kWhole, false, true, 20};
  const HeldAnswer object{Hold::kWhole, true, true, 20};
  const ClientFraming chunked{BodyFraming::kChunked, 0, true, true};
  const ClientFraming until_close{BodyFraming::kUntilClose, 0, true, false};
  // clang-format off
  const Row rows[] = {
      {"a length is passed on", Method::kPOST, 1, BodyFraming::kLength, 7, passes, {BodyFraming::kLength, 7, true, true}},
      {"… of an object that is not held whole", Method::kPOST, 1, BodyFraming::kLength, 7, cut_object, {BodyFraming::kLength, 7, true, true}},
      {"… not of a stream, to which an end may be added", Method::kPOST, 1, BodyFraming::kLength, 7, stream, chunked},
      {"… to HTTP/1.0, too", Method::kPOST, 0, BodyFraming::kLength, 7, passes, {BodyFraming::kLength, 7, true, true}},
      {"chunks stay chunks", Method::kPOST, 1, BodyFraming::kChunked, 0, passes, chunked},
      {"… which HTTP/1.0 does not know", Method::kPOST, 0, BodyFraming::kChunked, 0, passes, until_close},
      {"an object that is held gets its length", Method::kPOST, 1, BodyFraming::kChunked, 0, object, {BodyFraming::kLength, 20, true, true}},
      {"… from HTTP/1.0, too", Method::kPOST, 1, BodyFraming::kUntilClose, 0, object, {BodyFraming::kLength, 20, true, true}},
      {"… and to it", Method::kPOST, 0, BodyFraming::kUntilClose, 0, object, {BodyFraming::kLength, 20, true, true}},
      {"an end that only the closing shows stays one", Method::kPOST, 1, BodyFraming::kUntilClose, 0, passes, until_close},
      {"… unless the content tells it", Method::kPOST, 1, BodyFraming::kUntilClose, 0, stream, chunked},
      {"… but not to HTTP/1.0", Method::kPOST, 0, BodyFraming::kUntilClose, 0, stream, until_close},
      {"an object too large to be held", Method::kPOST, 1, BodyFraming::kChunked, 0, cut_object, chunked},
      {"no body", Method::kPOST, 1, BodyFraming::kNone, 0, passes, {BodyFraming::kNone, 0, false, true}},
      {"HEAD announces a length", Method::kHEAD, 1, BodyFraming::kLength, 7, passes, {BodyFraming::kLength, 7, false, true}},
      {"… and nothing else", Method::kHEAD, 1, BodyFraming::kChunked, 0, passes, {BodyFraming::kNone, 0, false, true}},
  };
  // clang-format on
  for (const Row& row : rows) {
    const ClientFraming got = ChooseFraming(RequestHead(BodyFraming::kNone, 0, row.method, row.minor_version),
                                            ResponseHead(200, row.upstream, "", row.length), row.held);
    EXPECT_EQ(got.framing, row.expected.framing) << row.what;
    EXPECT_EQ(got.sends_body, row.expected.sends_body) << row.what;
    EXPECT_EQ(got.may_keep_alive, row.expected.may_keep_alive) << row.what;
    if (got.framing == BodyFraming::kLength) {
      EXPECT_EQ(got.content_length, row.expected.content_length) << row.what;
    }
  }
}

}  // namespace
}  // namespace tests
