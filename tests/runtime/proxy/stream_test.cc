// Streams of model servers: what is held back, when an answer is committed, and that no incomplete answer is ever taken for
// complete. On a simulated network and a virtual clock.
#include <algorithm>
#include <iostream>

#include "runtime/proxy/limits.h"
#include "tests/runtime/proxy/stream_scene.h"

namespace tests {
namespace {

namespace proxy = runtime::proxy;
using Fault = ServerPlan::Fault;

const SpokenDialect* const kDialects[] = {&kOllama, &kOpenAi, &kAnthropic};

const std::string kUpstream =
    "upstream main {\n  url = \"http://10.0.0.1:11434\"\n  timeouts { first_token = 20s  idle = 5s  total = 60s }\n";
const std::string kSorry = "  fallback = [sorry]\n}\nreply sorry { status = 200  text = \"Later.\" }\n";

class StreamTest : public testing::Test {
 protected:
  void Begin(const std::string& policy) {
    server.reset();
    gateway = std::make_unique<SimGateway>(policy);
    server = std::make_unique<SimServer>(&gateway->network, "10.0.0.1", 11434, Serving(&plan));
  }
  Received AskFor(const SpokenDialect& dialect, const std::string& body, Fault fault = Fault::kNone) {
    plan.content_type = dialect.content_type;
    plan.body = body;
    plan.fault = fault;
    plan.fault_at = body.size();
    return Ask(*gateway, dialect, StreamRequest(dialect));
  }

  ServerPlan plan;
  std::unique_ptr<SimGateway> gateway;
  std::unique_ptr<SimServer> server;
};

TEST_F(StreamTest, FramesWithoutContentAreHeldBackAndAnyFailureFallsBack) {
  Begin(kUpstream + kSorry);
  for (const SpokenDialect* dialect : kDialects) {
    for (const Fault fault : {Fault::kFin, Fault::kReset, Fault::kStall, Fault::kCleanEnd}) {
      const Received received = AskFor(*dialect, dialect->begin, fault);
      EXPECT_EQ(received.status, 200);
      EXPECT_EQ(received.text, "Later.") << dialect->path;
      EXPECT_NE(received.head.find("X-Breakwater-Fallback: sorry"), std::string::npos) << received.head;
      EXPECT_TRUE(received.is_taken_for_complete(*dialect));
    }
    const Received in_band = AskFor(*dialect, dialect->begin + dialect->error);
    EXPECT_NE(in_band.head.find("X-Breakwater-Fallback-Reason: stream_error"), std::string::npos) << in_band.head;
  }
}

TEST_F(StreamTest, RoleFrameThenSilenceIsNotProgress) {
  Begin(kUpstream + kSorry);
  for (const SpokenDialect* dialect : kDialects) {
    const auto before = gateway->network.now();
    const Received received = AskFor(*dialect, dialect->begin, Fault::kStall);
    EXPECT_NE(received.head.find("Reason: first_token_timeout"), std::string::npos) << received.head;
    EXPECT_LT(gateway->network.now() - before, 21s);
  }
}

TEST_F(StreamTest, ThinkingIsContentUnlessThePolicyWaitsForTheAnswer) {
  for (const bool waits : {false, true}) {
    Begin(kUpstream + (waits ? "  commit = answer\n" : "") + kSorry);
    for (const SpokenDialect* dialect : kDialects) {
      const Received received = AskFor(*dialect, dialect->begin + dialect->thinking("Hm"), Fault::kFin);
      EXPECT_EQ(received.thinking, waits ? "" : "Hm") << dialect->path;
      EXPECT_EQ(received.text, waits ? "Later." : "");
      EXPECT_EQ(received.is_taken_for_complete(*dialect), waits);
      const Received whole =
          AskFor(*dialect, dialect->begin + dialect->thinking("Hm") + dialect->text("4") + dialect->end);
      EXPECT_EQ(whole.thinking + whole.text, "Hm4");
      EXPECT_TRUE(whole.is_taken_for_complete(*dialect));
    }
  }
}

TEST_F(StreamTest, CompleteAnswerIsOneHoweverItsConnectionEnds) {
  Begin(kUpstream + kSorry);
  for (const SpokenDialect* dialect : kDialects) {
    for (const Fault fault : {Fault::kFin, Fault::kReset, Fault::kStall}) {
      const auto before = gateway->network.now();
      const Received received = AskFor(*dialect, dialect->begin + dialect->text("4") + dialect->end, fault);
      EXPECT_TRUE(received.is_taken_for_complete(*dialect)) << dialect->path;
      EXPECT_TRUE(received.http_ended);
      EXPECT_EQ(received.ends, 1) << received.body;
      EXPECT_LT(gateway->network.now() - before, 1s + proxy::kLinger + 100ms) << "nobody waits for a server that forgot to hang up";
    }
  }
}

TEST_F(StreamTest, WholeObjectWithAnErrorOrNotDoneIsNoAnswer) {
  Begin(kUpstream + kSorry);
  plan.content_type = "application/json";
  for (const char* body : {"{\"error\":\"x\"}", "{\"message\":{\"content\":\"Hel\"},\"done\":false}"}) {
    plan.body = body;
    const Received received = Ask(*gateway, kOllama, StreamRequest(kOllama, "{\"stream\":false}"));
    EXPECT_NE(received.body.find("Later."), std::string::npos) << received.body;
  }
}

TEST_F(StreamTest, WhatAnUpstreamSpeaksCanBeSaid) {
  const std::string elsewhere = "POST /elsewhere/talk HTTP/1.1\r\nHost: g\r\nConnection: close\r\n"
                                "Content-Length: 15\r\n\r\n{\"stream\":true}";
  for (const bool is_said : {false, true}) {
    Begin(kUpstream + (is_said ? "  dialect = openai\n" : "") + kSorry);
    plan = {200, kOpenAi.content_type, kOpenAi.begin};
    const Received received = Ask(*gateway, kOpenAi, elsewhere);
    EXPECT_EQ(received.text, is_said ? "Later." : "") << received.body;
  }
}

// ---- No truncated success --------------------------------------------------------------------------------------------

// BREAKWATER_CUTS=N draws more.
TEST_F(StreamTest, NoCutIsEverTakenForACompleteAnswer) {
  constexpr uint64_t kCuts = 3000;
  const uint64_t cuts = FromEnvironment("BREAKWATER_CUTS", kCuts);
  const uint64_t seed = FromEnvironment("BREAKWATER_CUTS_SEED", 1);
  Begin(kUpstream + "}\n");
  base::Random random(seed);
  uint64_t complete = 0, cut = 0, refused = 0;
  for (uint64_t i = 0; i < cuts && !HasFailure(); ++i) {
    const SpokenDialect& dialect = *kDialects[random.Below(3)];
    plan = {200, dialect.content_type, DrawBody(dialect, random, random.Below(3) == 0)};
    plan.chunked = random.Below(4) != 0;
    plan.last_chunk = random.Below(4) != 0;
    plan.piece_seed = random.Below(3) == 0 ? 0 : 1 + random.Below(1'000'000);
    plan.fault = static_cast<Fault>(random.Below(5));
    plan.fault_at = random.Below(plan.body.size() + 1);
    bool has_error = false;
    if (plan.fault != Fault::kNone && random.Below(4) == 0) {  // an error of the server's own where a frame ends
      const std::string separator = dialect.content_type == "text/event-stream" ? "\n\n" : "\n";
      const size_t end = plan.body.find(separator, plan.fault_at);
      if (end != std::string::npos && end + separator.size() < plan.body.size() - dialect.end.size()) {
        plan.body = plan.body.substr(0, end + separator.size()) + dialect.error + (random.Below(2) ? dialect.end : "");
        plan.fault_at = plan.body.size();
        has_error = true;
      }
    }
    const Received received = Ask(*gateway, dialect, StreamRequest(dialect));
    const bool taken = received.is_taken_for_complete(dialect);
    const std::string story = "cut " + std::to_string(i) + " of seed " + std::to_string(seed) + ": " + dialect.path +
                              " fault " + std::to_string(static_cast<int>(plan.fault)) + " at " +
                              std::to_string(plan.fault_at) + " of " + std::to_string(plan.body.size());
    EXPECT_EQ(received.text, kWords.substr(0, received.text.size())) << story;
    if (taken) {
      EXPECT_EQ(received.text, kWords) << story;
      EXPECT_EQ(received.ends, 1) << story << "\n" << received.body;
    } else if (plan.fault == Fault::kNone) {
      ADD_FAILURE() << story << ": a complete answer was reported as failed\n" << received.head << received.body;
    }
    if (has_error) {
      EXPECT_FALSE(taken) << story;
    }
    // From the last brace on everything is there (who only waits can't know that a line feed is all that is missing).
    const size_t mark = plan.body.size() - (plan.fault == Fault::kStall ? 0 : 1);
    if (!has_error && &dialect == &kOllama && plan.fault_at >= mark) {
      EXPECT_TRUE(taken) << story;
    }
    (taken ? complete : received.status == 200 ? cut : refused) += 1;
  }
  std::cout << cuts << " answers: " << complete << " complete, " << cut << " cut, " << refused << " refused\n";
  if (cuts < kCuts) return;
  EXPECT_GT(complete, cuts / 20);
  EXPECT_GT(cut, cuts / 20);
  EXPECT_GT(refused, cuts / 100);
}

// ---- failure when chunk.… -----------------------------------------------------------------------------------------------

class FrameFailureTest : public StreamTest {
 protected:
  void BeginWith(const std::string& failure_when) {
    Begin(kUpstream + "  breaker {\n    failure when " + failure_when + "\n    open when failures(60s) >= 1000\n  }\n" + kSorry);
  }
  // Whether the answer counts as a failure. The client gets all of it, whatever the breaker makes of it.
  bool Fails(const SpokenDialect& dialect, const std::string& body, Fault fault = Fault::kNone) {
    const std::string before = Failures();
    const Received received = AskFor(dialect, body, fault);
    EXPECT_EQ(received.is_taken_for_complete(dialect), fault == Fault::kNone) << received.body;
    const std::string after = Failures();
    return after != before;
  }
  std::string Failures() {
    const std::string health = gateway->Get("/health/circuit-breaker/main");
    const size_t at = health.find("\"failure_count\":");
    return at == std::string::npos ? health : health.substr(at, health.find(',', at) - at);
  }
};

TEST_F(FrameFailureTest, AMemberOfOneFrameIsEnough) {
  BeginWith("status in 5xx or chunk.json.degraded == true");
  const std::string degraded = "{\"model\":\"m\",\"message\":{\"content\":\"b\"},\"degraded\":true,\"done\":false}\n";
  const auto body = [](const std::vector<std::string>& frames) {
    std::string all = kOllama.begin;
    for (const std::string& frame : frames) all += frame;
    return all + kOllama.end;
  };
  const std::string a = kOllama.text("a");
  EXPECT_FALSE(Fails(kOllama, body({a, a, a})));
  EXPECT_TRUE(Fails(kOllama, body({degraded, a, a})));  // before the answer is committed
  EXPECT_TRUE(Fails(kOllama, body({a, degraded, a})));
  EXPECT_TRUE(Fails(kOllama, body({a, a, degraded})));
  EXPECT_FALSE(Fails(kOllama, body({a, "{\"degraded\":false,\"message\":{\"content\":\"\"},\"done\":false}\n"})));
  EXPECT_FALSE(Fails(kOllama, body({a})));  // the next one begins anew
}

TEST_F(FrameFailureTest, ErrorsInsideAStreamCount) {
  BeginWith("chunk.json.error != none");
  for (const SpokenDialect* dialect : kDialects) {
    const std::string whole = dialect->begin + dialect->text("a") + dialect->end;
    EXPECT_FALSE(Fails(*dialect, whole)) << dialect->path;
    EXPECT_TRUE(Fails(*dialect, dialect->begin + dialect->text("a") + dialect->error, Fault::kCleanEnd)) << dialect->path;
    EXPECT_FALSE(Fails(*dialect, dialect->begin + dialect->text("a"), Fault::kFin)) << "a cut is none, by this rule";
  }
}

TEST_F(FrameFailureTest, SizesAreThoseOfTheFrameWithItsEnd) {
  for (const SpokenDialect* dialect : kDialects) {
    const std::string frame = dialect->text(std::string(1000, 'x'));
    const std::string whole = dialect->begin + frame + dialect->end;
    BeginWith("chunk.size >= " + std::to_string(frame.size()) + "B");
    EXPECT_TRUE(Fails(*dialect, whole)) << dialect->path;
    BeginWith("chunk.size > " + std::to_string(frame.size()) + "B");
    EXPECT_FALSE(Fails(*dialect, whole)) << dialect->path;
  }
}

TEST_F(FrameFailureTest, AnObjectHasNoFrames) {
  BeginWith("chunk.json.message.content == \"a\" or chunk.size > 0B");
  plan.content_type = "application/json";
  plan.body = "{\"message\":{\"content\":\"a\"},\"done\":true}";
  const std::string before = Failures();
  EXPECT_EQ(Ask(*gateway, kOllama, StreamRequest(kOllama, "{\"model\":\"m\",\"stream\":false}")).status, 200);
  EXPECT_EQ(Failures(), before);
}

}  // namespace
}  // namespace tests
