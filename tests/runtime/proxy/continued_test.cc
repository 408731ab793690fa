// An answer that is cut and goes on at another upstream: nothing is lost, nothing doubled, and what can't be joined ends with the
// cause of the cut. On a simulated network and a virtual clock.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>

#include <nlohmann/json.hpp>

#include "tests/runtime/proxy/stream_scene.h"

namespace tests {
namespace {

using Fault = ServerPlan::Fault;
using Json = nlohmann::json;

const SpokenDialect* const kDialects[] = {&kOllama, &kOpenAi, &kAnthropic};

std::string TwoUpstreams(const std::string& first, const std::string& second) {
  const std::string limits = "  timeouts { first_token = 20s  idle = 5s  total = 60s }\n";
  return "upstream first {\n  url = \"http://10.0.0.1:11434\"\n" + limits + first + "\n}\nupstream second {\n" +
         "  url = \"http://10.0.0.2:11434\"\n" + limits + second + "\n}\nroute all { to = [first, second] }\n";
}

// How a second server takes the beginning of an answer.
enum class Prefill { kGoesOn, kEchoes, kRefuses, kDiffers };

// What the request gives as the beginning of the answer.
std::optional<std::string> GivenIn(const std::string& request) {
  const Json body = Json::parse(request.substr(request.find("\r\n\r\n") + 4), nullptr, false);
  if (!body.is_object() || body["messages"].empty() || body["messages"].back()["role"] != "assistant")
    return std::nullopt;
  return body["messages"].back()["content"].get<std::string>();
}

class ContinuedTest : public testing::Test {
 protected:
  void BeginTwo(const std::string& policy, Prefill prefill) {
    first.reset();
    second.reset();
    requests.clear();
    gateway = std::make_unique<SimGateway>(policy);
    first = std::make_unique<SimServer>(&gateway->network, "10.0.0.1", 11434, Serving(&plan));
    second = std::make_unique<SimServer>(&gateway->network, "10.0.0.2", 11434, [this, prefill](SimPeer& peer) {
      second_plan = PlanFor(GivenIn(peer.received), prefill);
      second_plan.piece_seed = second_piece_seed;
      Serving(&second_plan, &requests)(peer);
    });
  }
  ServerPlan PlanFor(const std::optional<std::string>& given, Prefill prefill) {
    // As Anthropic's servers, it takes no beginning that ends with white space.
    const bool ends_badly =
        given && dialect == &kAnthropic && std::string_view(" \t\r\n").find(given->back()) != std::string_view::npos;
    if (given && (prefill == Prefill::kRefuses || ends_badly)) {
      return {400, "application/json", "{\"error\":{\"message\":\"no prefill\"}}"};
    }
    std::string_view text = kWords;
    if (given && prefill == Prefill::kGoesOn) text.remove_prefix(given->size());
    ServerPlan answer{200, dialect->content_type, dialect->begin};
    if (!given && !second_thinks.empty()) answer.body += dialect->thinking(second_thinks);
    if (prefill == Prefill::kDiffers) answer.body += dialect->text("Quite another answer to the question.");
    for (; !text.empty(); text.remove_prefix(std::min<size_t>(text.size(), 5))) {
      answer.body += dialect->text(std::string(text.substr(0, 5)));
    }
    answer.body += dialect->end;
    return answer;
  }
  Received AskCut(const SpokenDialect& spoken, size_t words, Fault fault, const std::string& thinking = "") {
    dialect = &spoken;
    plan = {200, spoken.content_type, spoken.begin};
    if (!thinking.empty()) plan.body += spoken.thinking(thinking);
    for (std::string_view text = kWords.substr(0, words); !text.empty();
         text.remove_prefix(std::min<size_t>(text.size(), 7)))
      plan.body += spoken.text(std::string(text.substr(0, 7)));
    plan.fault = fault;
    plan.fault_at = plan.body.size();
    return Ask(*gateway, spoken, StreamRequest(spoken));
  }
  // The answer is whole: once, with one id, one end, one usage, and events in the order in which clients insist on them.
  void ExpectWhole(const Received& received, const std::string& story) {
    EXPECT_EQ(received.text, kWords) << story << "\n" << received.body;
    EXPECT_TRUE(received.is_taken_for_complete(*dialect)) << story << "\n" << received.body;
    EXPECT_EQ(received.ends, 1) << story;
    EXPECT_TRUE(received.http_ended) << story;
    EXPECT_EQ(received.body.find("\"usage\":{\"prompt"), received.body.rfind("\"usage\":{\"prompt"))
        << "one usage " << story;
    if (dialect == &kAnthropic) ExpectOrder(received.body, story);
  }
  static void ExpectOrder(const std::string& body, const std::string& story);

  const SpokenDialect* dialect = nullptr;
  ServerPlan plan;
  ServerPlan second_plan;
  uint64_t second_piece_seed = 0;
  std::string second_thinks;
  std::vector<std::string> requests;  // of the second
  std::unique_ptr<SimGateway> gateway;
  std::unique_ptr<SimServer> first;
  std::unique_ptr<SimServer> second;
};

// As the SDK of Anthropic builds a message of its events: each has the name of its type; one message_start; blocks numbered from 0,
// each begun before it gets its deltas and ended before the next; one message_delta, one message_stop.
void ContinuedTest::ExpectOrder(const std::string& body, const std::string& story) {
  int starts = 0, deltas = 0, stops = 0, last = -1;
  std::string open;
  for (size_t at = 0, next; (next = body.find("\n\n", at)) != std::string::npos; at = next + 2) {
    const std::string event = body.substr(at, next - at);
    if (event.starts_with(":")) continue;  // a comment
    const size_t data = event.find("\ndata: ");
    ASSERT_TRUE(event.starts_with("event: ") && data != std::string::npos) << event;
    const Json json = Json::parse(event.substr(data + 7));
    const std::string type = json["type"];
    EXPECT_EQ(event.substr(7, data - 7), type) << story;
    EXPECT_EQ(stops, 0) << "after the end: " << event << story;
    if (type == "message_start") {
      ++starts;
      EXPECT_EQ(json["message"]["id"], "m1");
    } else if (type == "content_block_start") {
      EXPECT_EQ(open, "") << story << "\n" << body;
      EXPECT_EQ(json["index"], ++last) << story << "\n" << body;
      open = json["content_block"]["type"];
    } else if (type == "content_block_delta") {
      EXPECT_EQ(json["index"], last) << story << "\n" << body;
      EXPECT_EQ(json["delta"]["type"], open + "_delta") << story << "\n" << body;
    } else if (type == "content_block_stop") {
      EXPECT_EQ(json["index"], last) << story << "\n" << body;
      EXPECT_NE(open, "") << story << "\n" << body;
      open.clear();
    } else if (type == "message_delta") {
      ++deltas;
      EXPECT_EQ(open, "") << story << "\n" << body;
    } else if (type == "message_stop") {
      ++stops;
    }
  }
  EXPECT_EQ(starts, 1) << story;
  EXPECT_EQ(deltas, 1) << story << "\n" << body;
  EXPECT_EQ(stops, 1) << story;
}

TEST_F(ContinuedTest, CutAnswerGoesOnWithoutLosingOrDoublingAByte) {
  for (const Prefill prefill : {Prefill::kGoesOn, Prefill::kEchoes, Prefill::kRefuses}) {
    BeginTwo(TwoUpstreams("on_cut = continue", ""), prefill);
    for (const SpokenDialect* spoken : kDialects) {
      for (size_t words = 4; words < kWords.size() && !HasFailure(); ++words) {
        const Fault fault = std::array{Fault::kFin, Fault::kReset, Fault::kStall, Fault::kCleanEnd}[words % 4];
        ExpectWhole(AskCut(*spoken, words, fault), spoken->path + " cut at " + std::to_string(words));
      }
    }
  }
}

TEST_F(ContinuedTest, WhatTheClientHasIsSentAsTheBeginning) {
  BeginTwo(TwoUpstreams("on_cut = continue", ""), Prefill::kGoesOn);
  for (const SpokenDialect* spoken : kDialects) {
    requests.clear();
    AskCut(*spoken, 15, Fault::kFin);
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_EQ(GivenIn(requests[0]), spoken == &kAnthropic ? "Waves roll in," : "Waves roll in, ") << requests[0];
  }
}

TEST_F(ContinuedTest, UpstreamWithoutPrefillIsAskedAfresh) {
  for (const char* settings : {"prefill = false", ""}) {
    for (const SpokenDialect* spoken : kDialects) {
      BeginTwo(TwoUpstreams(*settings ? "on_cut = continue" : "on_cut = restart", settings), Prefill::kGoesOn);
      ExpectWhole(AskCut(*spoken, 20, Fault::kFin), spoken->path);
      ASSERT_EQ(requests.size(), 1u);
      EXPECT_EQ(requests[0].find("assistant"), std::string::npos) << requests[0];
    }
  }
}

TEST_F(ContinuedTest, ThinkingCannotBeGivenButMayBeRepeated) {
  BeginTwo(TwoUpstreams("on_cut = continue", ""), Prefill::kGoesOn);
  const Received received = AskCut(kOllama, 10, Fault::kFin, "Hm");
  EXPECT_EQ(requests.at(0).find("assistant"), std::string::npos) << "asked afresh";
  EXPECT_TRUE(received.saw_error) << "the second one did not think the same";
  EXPECT_EQ(received.text, kWords.substr(0, 10));
  second_thinks = "Hm";
  for (const SpokenDialect* spoken : {&kOllama, &kOpenAi}) {
    const Received repeated = AskCut(*spoken, 10, Fault::kFin, "Hm");
    ExpectWhole(repeated, spoken->path);
    EXPECT_EQ(repeated.thinking, "Hm");
  }
}

// A text block after a thinking block, cut in either.
TEST_F(ContinuedTest, BlocksOfThinkingAreRepeatedAsWell) {
  BeginTwo(TwoUpstreams("on_cut = continue", ""), Prefill::kGoesOn);
  const auto block = [](int index, const std::string& kind) {
    return "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":" + std::to_string(index) +
           ",\"content_block\":{\"type\":\"" + kind + "\",\"" + kind + "\":\"\"}}\n\n";
  };
  const std::string start = kAnthropic.begin.substr(0, kAnthropic.begin.find("\n\n") + 2);
  const std::string stop = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n";
  const auto at = [](std::string event, int index) {
    return event.replace(event.find("\"index\":0"), 9, "\"index\":" + std::to_string(index));
  };
  dialect = &kAnthropic;
  std::string whole =
      start + block(0, "thinking") + kAnthropic.thinking("Hm, ") + kAnthropic.thinking("so") + stop + block(1, "text");
  const size_t text_at = whole.size();
  for (std::string_view rest = kWords; !rest.empty(); rest.remove_prefix(std::min<size_t>(rest.size(), 6))) {
    whole += at(kAnthropic.text(std::string(rest.substr(0, 6))), 1);
  }
  whole += at(kAnthropic.end, 1);
  const size_t first_content = (start + block(0, "thinking") + kAnthropic.thinking("Hm, ")).size();
  second.reset();
  const ServerPlan answers{200, kAnthropic.content_type, whole};
  second = std::make_unique<SimServer>(&gateway->network, "10.0.0.2", 11434, Serving(&answers, &requests));
  for (size_t cut = first_content; cut < text_at + 400 && !HasFailure(); cut += 7) {
    plan = {200, kAnthropic.content_type, whole, Fault::kReset, cut};
    const Received received = Ask(*gateway, kAnthropic, StreamRequest(kAnthropic));
    ExpectWhole(received, "cut at " + std::to_string(cut));
    EXPECT_EQ(received.thinking, "Hm, so");
  }
}

TEST_F(ContinuedTest, WhatCannotBeJoinedReportsTheCauseOfTheCut) {
  BeginTwo(TwoUpstreams("on_cut = restart", ""), Prefill::kDiffers);
  for (const SpokenDialect* spoken : kDialects) {
    const Received received = AskCut(*spoken, 20, Fault::kStall);
    EXPECT_FALSE(received.is_taken_for_complete(*spoken));
    EXPECT_EQ(received.text, kWords.substr(0, 20));
    EXPECT_NE(received.body.find("idle_timeout"), std::string::npos) << received.body;
  }
}

TEST_F(ContinuedTest, NobodyElseIsAskedUnlessThePolicySaysSo) {
  BeginTwo(TwoUpstreams("on_cut = error", ""), Prefill::kGoesOn);
  for (const SpokenDialect* spoken : kDialects) {
    EXPECT_TRUE(AskCut(*spoken, 20, Fault::kFin).saw_error);
    EXPECT_TRUE(requests.empty());
  }
}

// What the next one would have to be sent is refused, and the client has a beginning already.
TEST_F(ContinuedTest, ABodyThatTheNextOneMustNotGetAsItIsIsACut) {
  const std::string json = "Content-Type: application/json\r\n";
  struct Case {
    std::string type;
    std::string member;
  };
  for (const Case& c : {Case{"Content-Type: application/json; charset=utf-16\r\n", ""},
                        Case{json, "\"keep_alive\":1,\"keep_alive\":2,"}, Case{json, "\"Keep_Alive\":1,"}}) {
    for (const SpokenDialect* spoken : kDialects) {
      std::string request = StreamRequest(*spoken);
      if (!c.member.empty()) {  // the length of the body grows by that of the member
        const size_t body = request.find("\r\n\r\n") + 4;
        const size_t length = request.find("Content-Length: ") + 16;
        request.insert(body + 1, c.member);
        request.replace(length, request.find('\r', length) - length, std::to_string(request.size() - body));
      }
      const size_t type = request.find("Content-Type: ");
      if (type != std::string::npos) request.erase(type, request.find('\n', type) + 1 - type);
      request.insert(request.find("\r\n") + 2, c.type);
      for (const bool is_last : {true, false}) {
        std::string policy = TwoUpstreams("on_cut = continue", "rewrite = json { \"keep_alive\": 5 }");
        if (!is_last) {
          policy.replace(policy.find("to = [first, second]"), 20, "to = [first, second, third]");
          policy += "upstream third { url = \"http://10.0.0.3:11434\" }\n";
        }
        BeginTwo(policy, Prefill::kGoesOn);
        SimServer third(&gateway->network, "10.0.0.3", 11434, [&](SimPeer& peer) {
          second_plan = PlanFor(GivenIn(peer.received), Prefill::kGoesOn);
          Serving(&second_plan, nullptr)(peer);
        });
        dialect = spoken;
        plan = {200, spoken->content_type, spoken->begin + spoken->text(std::string(kWords.substr(0, 20)))};
        plan.fault = Fault::kFin;
        plan.fault_at = plan.body.size();
        const Received received = Ask(*gateway, *spoken, request);
        EXPECT_TRUE(requests.empty()) << "the second one got it all the same: " << requests[0];
        if (is_last) {
          EXPECT_TRUE(received.saw_error) << received.body;
          EXPECT_EQ(received.text, kWords.substr(0, 20)) << received.body;
        } else {
          ExpectWhole(received, c.type + c.member);
        }
      }
    }
  }
}

// ---- Errors by class -------------------------------------------------------------------------------------------------

TEST_F(ContinuedTest, WhatAnErrorSaysDecidesWhoIsAskedNext) {
  const std::string policy = TwoUpstreams("repeat_safe = true", "");
  BeginTwo(
      policy.substr(0, policy.rfind('}')) + "  next when response.json.error.code == \"context_length_exceeded\"\n}\n",
      Prefill::kGoesOn);
  dialect = &kOpenAi;
  plan = {400, "application/json", "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}"};
  plan.piece_seed = 3;
  EXPECT_EQ(Ask(*gateway, kOpenAi, StreamRequest(kOpenAi)).text, kWords);

  plan.body = "{\"error\":{\"message\":\"flagged\",\"code\":\"content_filter\"}}";
  const Received refused = Ask(*gateway, kOpenAi, StreamRequest(kOpenAi));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body, plan.body) << "passed on with its reason";
  plan = {200, kOpenAi.content_type, kOpenAi.begin + "data: {\"error\":{\"code\":\"context_length_exceeded\"}}\n\n"};
  EXPECT_EQ(Ask(*gateway, kOpenAi, StreamRequest(kOpenAi)).text, kWords) << "inside a stream, too";
}

// ---- Cuts anywhere ---------------------------------------------------------------------------------------------------

// Cut at bytes that are drawn, and so are the way in which it is cut and the pieces into which both answers fall. BREAKWATER_CUTS=N
// goes on until it has made so many.
TEST_F(ContinuedTest, WhereverItIsCutTheAnswerBecomesWhole) {
  const uint64_t cuts = FromEnvironment("BREAKWATER_CUTS", 0);
  const uint64_t seed = FromEnvironment("BREAKWATER_CUTS_SEED", 1);
  base::Random random(seed);
  uint64_t made = 0, rescued = 0;
  do {
    for (const Prefill prefill : {Prefill::kGoesOn, Prefill::kEchoes, Prefill::kRefuses}) {
      BeginTwo(TwoUpstreams("on_cut = continue  repeat_safe = true", ""), prefill);
      for (const SpokenDialect* spoken : kDialects) {
        dialect = spoken;
        const std::string body = DrawBody(*spoken, random, /*thinks=*/false);
        for (size_t at = random.Below(15); at <= body.size() && !HasFailure(); at += 1 + random.Below(15), ++made) {
          plan = {200, spoken->content_type, body};
          plan.fault = std::array{Fault::kFin, Fault::kReset, Fault::kStall, Fault::kCleanEnd}[random.Below(4)];
          plan.fault_at = at;
          plan.chunked = random.Below(4) != 0;
          plan.piece_seed = random.Below(3) == 0 ? 0 : 1 + random.Below(1'000'000);
          second_piece_seed = random.Below(2) == 0 ? 0 : 1 + random.Below(1'000'000);
          const size_t before = requests.size();
          const Received received = Ask(*gateway, *spoken, StreamRequest(*spoken));
          const std::string story = spoken->path + " seed " + std::to_string(seed) + " prefill " +
                                    std::to_string(static_cast<int>(prefill)) + " fault " +
                                    std::to_string(static_cast<int>(plan.fault)) + " at " + std::to_string(at) +
                                    " of " + std::to_string(body.size());
          if (received.saw_error) {  // the beginning was too short to tell a repetition from a coincidence
            EXPECT_LT(received.text.size(), 4u) << story << "\n" << received.body;
            EXPECT_EQ(received.text, kWords.substr(0, received.text.size())) << story;
            continue;
          }
          ExpectWhole(received, story);
          rescued += requests.size() > before ? 1 : 0;
        }
      }
    }
  } while (made < cuts && !HasFailure());
  std::cout << made << " cuts: " << rescued << " taken over\n";
  EXPECT_GT(rescued, made / 2);
}

}  // namespace
}  // namespace tests
