// `state`: what a gateway knows outlives its process, however that ends; and a file that is no good keeps nobody from serving.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <utility>

#include "runtime/engine/breaker.h"
#include "runtime/engine/kept_state.h"
#include "runtime/gateway/state_file.h"
#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

class State : public testing::Test {
 protected:
  std::string path() const { return (folder_.path() / "state").string(); }
  std::string Policy(const std::string& more = "") const {
    return Gateway(more.empty() ? "state = \"" + path() + "\"" : more) +
           Upstream("main", upstream_.url(),
                    "repeat_safe = true\n  breaker { open when failures(1h) >= 3  open_for = 1h }\n"
                    "  retry { max_retries = 1  when status == 500  wait = exponential(from: 1ms, factor: 2, cap: 2ms) "
                    " budget = 1% }");
  }
  static std::string StateOf(const GatewayProcess& gateway) { return gateway.Health("main").value("state", ""); }
  static int Failures(const GatewayProcess& gateway) { return gateway.Health("main").value("failure_count", -1); }
  void FailOnce(GatewayProcess& gateway) { EXPECT_EQ(Post(gateway.port(), "/fail", Chat("x")).status, 500); }
  std::string Contents() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // Of the two slots.
  runtime::gateway::StateText Newest() const {
    const std::string bytes = Contents();
    runtime::gateway::StateText newest;
    for (const size_t begin : {size_t{4096}, size_t{4096 + runtime::gateway::StateFile::kMostBytes}}) {
      if (bytes.size() <= begin) continue;
      auto state = runtime::gateway::DecodeSlot(std::string_view(bytes).substr(begin));
      if (state && state->number > newest.number) newest = std::move(*state);
    }
    return newest;
  }

  support::TempDir folder_;
  ScriptedUpstream upstream_{AnswerFailure};
};

TEST_F(State, AnOpenBreakerAndABudgetOutliveAStop) {
  {
    GatewayProcess gateway(Policy());
    FailOnce(gateway);  // and its retry
    EXPECT_EQ(StateOf(gateway), "CLOSED");
    FailOnce(gateway);  // the third
    EXPECT_EQ(StateOf(gateway), "OPEN");
    EXPECT_EQ(gateway.CountEvents("state restored"), 0);
    gateway.process().Signal(SIGTERM);
    EXPECT_EQ(gateway.process().WaitForExit(), 0);
  }
  const int asked = upstream_.request_count();
  GatewayProcess gateway(Policy());
  const Json event = gateway.WaitForEvent("state restored");
  EXPECT_EQ(event.value("file", ""), path());
  EXPECT_EQ(event.value("upstreams", 0), 1);
  EXPECT_EQ(event.value("open", ""), "main");
  EXPECT_EQ(StateOf(gateway), "OPEN");
  EXPECT_EQ(Failures(gateway), 3);
  EXPECT_NE(gateway.Health("main").value("retry_at", ""), "");
  EXPECT_EQ(Post(gateway.port(), "/x", Chat("x")).status, 503);
  EXPECT_EQ(upstream_.request_count(), asked) << "it is left alone";
  EXPECT_EQ(gateway.Metric("breakwater_retry_budget_available{upstream=\"main\"}"), 9) << "ten, less the one that was taken";
}

// The useful case beside it: without `state` all of that is gone.
TEST_F(State, WithoutItNothingDoes) {
  {
    GatewayProcess gateway(Policy("drain = 1s"));
    FailOnce(gateway);
    FailOnce(gateway);
    EXPECT_EQ(StateOf(gateway), "OPEN");
    gateway.process().Signal(SIGTERM);
    EXPECT_EQ(gateway.process().WaitForExit(), 0);
  }
  GatewayProcess gateway(Policy("drain = 1s"));
  EXPECT_EQ(StateOf(gateway), "CLOSED");
}

TEST_F(State, OutlivesACrash) {
  {
    GatewayProcess gateway(Policy());
    FailOnce(gateway);
    FailOnce(gateway);
    EXPECT_EQ(StateOf(gateway), "OPEN");
    ASSERT_TRUE(WaitUntil([&] {
      const auto kept = runtime::engine::DecodeKept(Newest().text);
      return kept && kept->upstreams.at(0).breaker->state == static_cast<int64_t>(runtime::engine::BreakerState::kOpen);
    }));
    gateway.process().Signal(SIGKILL);
    gateway.process().WaitForExit();
  }
  GatewayProcess gateway(Policy());
  EXPECT_EQ(StateOf(gateway), "OPEN");
}

TEST_F(State, IsWrittenWhenSomethingHasChanged) {
  GatewayProcess gateway(Policy());
  ASSERT_TRUE(WaitUntil([&] { return Newest().number == 1; }));
  // What must not happen can only be waited out.
  EXPECT_FALSE(WaitUntil([&] { return Newest().number > 1; }, milliseconds(2500)));
  FailOnce(gateway);
  EXPECT_TRUE(WaitUntil([&] { return Newest().number > 1; }));
}

TEST_F(State, AForeignFileIsLeftAloneAndTheGatewayServes) {
  const std::string text = "# my notes\n";
  folder_.Write("state", text);
  {
    GatewayProcess gateway(Policy());
    const Json event = gateway.WaitForEvent("state not kept");
    EXPECT_EQ(event.value("level", ""), "error");
    EXPECT_EQ(event.value("reason", ""), path() + " is something else than the state of a gateway, and left as it is");
    FailOnce(gateway);
    gateway.process().Signal(SIGTERM);
    EXPECT_EQ(gateway.process().WaitForExit(), 0);
  }
  EXPECT_EQ(Contents(), text);
}

TEST_F(State, ADamagedFileIsToldAndWrittenAnew) {
  {
    GatewayProcess gateway(Policy());
    FailOnce(gateway);
    FailOnce(gateway);
    gateway.process().Signal(SIGTERM);
    EXPECT_EQ(gateway.process().WaitForExit(), 0);
  }
  std::string text = Contents();
  for (size_t i = 4096; i < text.size(); i += 7) text[i] = '#';
  folder_.Write("state", text);
  {
    GatewayProcess gateway(Policy());
    const Json event = gateway.WaitForEvent("state not restored");
    EXPECT_EQ(event.value("level", ""), "warn");
    EXPECT_EQ(event.value("reason", ""), path() + " is damaged");
    EXPECT_EQ(StateOf(gateway), "CLOSED");
    FailOnce(gateway);
    gateway.process().Signal(SIGTERM);
    EXPECT_EQ(gateway.process().WaitForExit(), 0);
  }
  GatewayProcess gateway(Policy());
  EXPECT_EQ(Failures(gateway), 2);
}

TEST_F(State, TwoGatewaysDontShareAFile) {
  GatewayProcess first(Policy());
  GatewayProcess second(Policy());
  EXPECT_EQ(second.WaitForEvent("state not kept").value("reason", ""),
            path() + " belongs to another gateway, which is running");
  EXPECT_EQ(first.CountEvents("state not kept"), 0);
}

TEST_F(State, AFolderThatIsMissingOrClosedIsSaid) {
  GatewayProcess gateway(Policy("state = \"" + path() + "/below/state\""));
  EXPECT_EQ(gateway.WaitForEvent("state not kept").value("reason", ""),
            path() + "/below/state: No such file or directory");
  FailOnce(gateway);
}

// What is kept belongs to names and outlives other numbers, as over a reload; another path does not come in by one.
TEST_F(State, AnotherPolicyReadsItAndAReloadCantChangeThePath) {
  {
    GatewayProcess gateway(Policy());
    FailOnce(gateway);
    gateway.process().Signal(SIGTERM);
    EXPECT_EQ(gateway.process().WaitForExit(), 0);
  }
  const std::string other = support::ReplaceAll(Policy(), "failures(1h) >= 3", "failures(2h) >= 5");
  GatewayProcess gateway(other);
  EXPECT_EQ(Failures(gateway), 2);
  gateway.folder().Write("test.policy", support::ReplaceAll(other, path(), path() + "2"));
  gateway.process().Signal(SIGHUP);
  EXPECT_EQ(gateway.WaitForEvent("reload refused").value("reason", ""),
            "`state` can't change while the gateway runs; restart it, or write it as it was");
  EXPECT_EQ(Failures(gateway), 2);
}

}  // namespace
}  // namespace tests::e2e
