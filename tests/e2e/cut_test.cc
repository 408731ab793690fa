// kill -9 of the upstream in mid-stream never yields an answer that looks complete: neither by HTTP's framing nor by
// the terminal mark of the client's dialect.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

struct Cut {
  std::string name;
  std::string target;  // see stalling_upstream.cc
  int client_minor_version = 1;
  std::string body;
};

std::ostream& operator<<(std::ostream& out, const Cut& cut) { return out << cut.name; }

class KilledUpstream : public testing::TestWithParam<Cut> {};

TEST_P(KilledUpstream, NeverLeavesAnAnswerThatLooksComplete) {
  const Cut& cut = GetParam();
  support::ChildProcess upstream({STALLING_UPSTREAM}, {});
  ASSERT_TRUE(WaitUntil([&] { return !upstream.out().empty(); }));
  GatewayProcess gateway(
      Gateway() +
      Upstream("main", "http://127.0.0.1:" + upstream.out()[0], "repeat_safe = true\n  fallback = [sorry]") +
      "reply sorry { status = 200  body = json { \"is_fallback\": true } }\n");

  RawClient client(gateway.port());
  client.Send(ToText({.target = cut.target,
                      .headers = {{"X-Request-Id", "cut"}},
                      .body = cut.body,
                      .minor_version = cut.client_minor_version}));
  Answer answer = client.ReadHead();
  ASSERT_EQ(answer.status, 200);
  ASSERT_TRUE(client.ReadUntil("beginning", &answer)) << testing::PrintToString(answer);
  upstream.Signal(SIGKILL);
  ASSERT_EQ(upstream.WaitForExit(), -SIGKILL);
  client.ReadToEnd(&answer);

  // To an old client, such as nginx, a frame of its API tells it: a reset would take the frame with it.
  const bool has_frames = cut.target.starts_with("/api/chat") || cut.target.starts_with("/v1");
  const bool is_told = cut.client_minor_version == 0 && has_frames && cut.target.find("length") == std::string::npos;
  if (is_told) EXPECT_NE(answer.body.find("\"error\""), std::string::npos) << testing::PrintToString(answer);
  else EXPECT_FALSE(answer.looks_complete()) << testing::PrintToString(answer);
  EXPECT_NE(answer.end, Answer::End::kTimeout);
  EXPECT_EQ(answer.body.find("\"done\":true"), std::string::npos) << answer.body;
  EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos) << answer.body;
  EXPECT_EQ(answer.body.find("is_fallback"), std::string::npos) << "content went out: too late for a fallback";
  EXPECT_TRUE(client.WaitForClose());

  const Json access = gateway.WaitForAccess("cut");
  EXPECT_EQ(access["how"], "cut");
  ASSERT_EQ(access["attempts"].size(), 1u);
  EXPECT_EQ(access["attempts"][0]["error"], "truncated");

  // A client of a stream that can still be spoken to is told in its own dialect.
  if (cut.client_minor_version == 1 && cut.target.find("length") == std::string::npos) {
    if (cut.target.starts_with("/api/chat")) {
      const size_t last = answer.body.rfind('\n', answer.body.size() - 2);
      const Json error = Json::parse(answer.body.substr(last + 1), nullptr, false);
      ASSERT_TRUE(error.is_object()) << answer.body;
      EXPECT_EQ(error["code"], "truncated");
      EXPECT_EQ(error["request_id"], "cut");
    } else if (cut.target.starts_with("/v1")) {
      const size_t last = answer.body.rfind("\n\ndata: ");
      ASSERT_NE(last, std::string::npos) << answer.body;
      const Json error = Json::parse(answer.body.substr(last + 8), nullptr, false);
      ASSERT_TRUE(error.is_object()) << answer.body;
      EXPECT_EQ(error["error"]["code"], "truncated");
      EXPECT_EQ(error["request_id"], "cut");
    }
  }
}

const std::string kSseBody = R"({"model":"m","messages":[],"stream":true})";

INSTANTIATE_TEST_SUITE_P(Framing, KilledUpstream,
                         testing::Values(Cut{"NdjsonChunked", "/api/chat?chunked", 1, Chat("x", true)},
                                         Cut{"NdjsonLength", "/api/chat?length", 1, Chat("x", true)},
                                         Cut{"NdjsonUntilClose", "/api/chat?close", 1, Chat("x", true)},
                                         Cut{"NdjsonChunkedToOldClient", "/api/chat?chunked", 0, Chat("x", true)},
                                         Cut{"NdjsonUntilCloseToOldClient", "/api/chat?close", 0, Chat("x", true)},
                                         Cut{"SseChunked", "/v1/chat/completions?chunked", 1, kSseBody},
                                         Cut{"SseLength", "/v1/chat/completions?length", 1, kSseBody},
                                         Cut{"SseUntilClose", "/v1/chat/completions?close", 1, kSseBody},
                                         Cut{"SseChunkedToOldClient", "/v1/chat/completions?chunked", 0, kSseBody},
                                         Cut{"PlainChunked", "/text?chunked", 1, "x"},
                                         Cut{"PlainLength", "/text?length", 1, "x"},
                                         Cut{"PlainChunkedToOldClient", "/text?chunked", 0, "x"},
                                         Cut{"LargeJsonChunked", "/json?chunked", 1, "{}"},
                                         Cut{"LargeJsonLength", "/json?length", 1, "{}"}),
                         [](const testing::TestParamInfo<Cut>& cut) { return cut.param.name; });

}  // namespace
}  // namespace tests::e2e
