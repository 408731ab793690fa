// policies/qwen3-32b.policy, read by the compiler and run by the engine: the founding behaviour without a socket. The
// same story stands in exchange_machine_test.cc on a policy made by hand; this one shows that the file means the same.
#include <fstream>
#include <sstream>

#include "compiler/compile.h"
#include "tests/runtime/engine/machine_scene.h"

namespace tests {
namespace {

using testing::Contains;
using testing::ElementsAre;

class FoundingFile : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file(BREAKWATER_FOUNDING_POLICY);
    std::stringstream text;
    text << file.rdbuf();
    compiler::diagnostics::Diagnostics diagnostics;
    compiled_ = compiler::CompileInterpreted(text.str(), {}, &diagnostics);
    ASSERT_NE(compiled_, nullptr);
    scene_ = std::make_unique<Scene>(*compiled_);
    // Without a route everything goes to the one upstream; what stands before it refuses paths that change the server.
    for (size_t i = 0; i < compiled_->policy.routes.size(); ++i) {
      const model::RouteId id(static_cast<int32_t>(i));
      if (!compiled_->policy.routes[id].to.empty()) route_ = id.value;
    }
  }
  Scene& scene() { return *scene_; }

  std::shared_ptr<const compiler::CompiledPolicy> compiled_;
  std::unique_ptr<Scene> scene_;
  int32_t route_ = -1;
};

TEST_F(FoundingFile, FiveFailedRequestsOpenItTheSixthFallsBackAtOnceAndThreeProbesCloseIt) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(scene().StateAt(2s * i), BreakerState::kClosed);
    EXPECT_EQ(scene().breaker().Look(At(2s * i)).failure_count, i);
    TestExchange x(scene(), 2s * i);
    x.Ready(2s * i, route_);
    EXPECT_THAT(x.On(2s * i, AttemptFailed{ErrorKind::k_refused, false}),
                Contains("record_retry ollama_qwen3_32b 1/2 wait 500ms refused"));
    x.On(2s * i + 500ms, TimeReached{});
    EXPECT_THAT(x.On(2s * i + 500ms, AttemptHead{500}),
                Contains("record_retry ollama_qwen3_32b 2/2 wait 1000ms status_500"));
    x.On(2s * i + 1500ms, TimeReached{});
    EXPECT_THAT(x.On(2s * i + 1500ms, AttemptFailed{ErrorKind::k_connect_failure, false}),
                Contains("send_reply static_response fallback connect_failure"));
    EXPECT_TRUE(x.done());
  }
  TestExchange sixth(scene(), 10s);
  EXPECT_THAT(sixth.Ready(10s, route_),
              ElementsAre("record_rejected ollama_qwen3_32b", "send_reply static_response fallback breaker_open"));
  EXPECT_EQ(scene().breaker().Look(At(10s)).failure_count, 5);

  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(scene().StateAt(25s + 1s * i), BreakerState::kHalfOpen);
    TestExchange probe(scene(), 25s + 1s * i);
    probe.Ready(25s + 1s * i, route_);
    probe.Succeed(25s + 1s * i);
  }
  EXPECT_EQ(scene().StateAt(28s), BreakerState::kClosed);
}

TEST_F(FoundingFile, RetriesNeither400Nor429NorATimeout) {
  for (const int status : {400, 429}) {
    TestExchange x(scene(), 0s);
    x.Ready(0s, route_);
    EXPECT_THAT(x.On(1s, AttemptHead{status}), ElementsAre());
    EXPECT_THAT(x.On(1s, AttemptContent{}), ElementsAre("commit ollama_qwen3_32b"));
  }
  TestExchange x(scene(), 0s);
  x.Ready(0s, route_);
  x.On(0s, AttemptConnected{});
  EXPECT_EQ(x.next_deadline(), 15s);
  EXPECT_THAT(x.On(15s, TimeReached{}), Contains("send_reply static_response fallback attempt_timeout"));
}

TEST_F(FoundingFile, KeepsGoodAnswersByTheirQuestionForTenMinutes) {
  TestExchange good(scene(), 0s);
  good.Ready(0s, route_);
  good.On(1s, AttemptHead{200});
  good.On(1s, AttemptContent{});
  EXPECT_THAT(good.On(1s, AttemptEnded{}), Contains("store cache_fallback"));
  const auto answer_at = [this](std::chrono::nanoseconds t, std::string_view question) {
    TestExchange x(scene(), t);
    x.facts.request_body = abi::Str::Of(question);
    x.Ready(t, route_);
    return x.On(t, AttemptFailed{ErrorKind::k_dns_failure, false}).back();
  };
  EXPECT_EQ(answer_at(600s, "question"), "send_cached cache_fallback fallback dns_failure");
  EXPECT_EQ(answer_at(600s, "another"), "send_reply static_response fallback dns_failure");
  EXPECT_EQ(answer_at(601s, "question"), "send_reply static_response fallback dns_failure");
}

}  // namespace
}  // namespace tests
