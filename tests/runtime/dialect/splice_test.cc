// Two answers that become one. Each story is told with the second answer in one piece, byte by byte, and in every two pieces.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/dialect/answer_reader.h"
#include "runtime/dialect/splice.h"

namespace runtime::dialect {
namespace {

using Mode = Splicer::Mode;

SentAnswer Sent(std::string_view text, std::string_view thinking = "") {
  SentAnswer sent;
  sent.Add(thinking, "");
  sent.Add("", text);
  return sent;
}

// What the client has in the end; "-" if the two can't be joined.
std::string JoinIn(Mode mode, const std::string& first, std::vector<std::string_view> pieces) {
  Splicer splicer(mode, Sent(first));
  std::string thinking, text;
  for (const std::string_view piece : pieces) {
    if (!splicer.Take("", piece, &thinking, &text)) return "-";
  }
  return splicer.Settle(&text) ? first + text : "-";
}

std::string Join(Mode mode, const std::string& first, std::string_view second) {
  const std::string whole = JoinIn(mode, first, {second});
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < second.size(); ++i) {
    bytes.push_back(second.substr(i, 1));
    EXPECT_EQ(JoinIn(mode, first, {second.substr(0, i), second.substr(i)}), whole) << "cut at byte " << i << " of " << second;
  }
  EXPECT_EQ(JoinIn(mode, first, bytes), whole) << "byte by byte: " << second;
  return whole;
}

std::string Continue(const std::string& first, std::string_view second) { return Join(Mode::kContinued, first, second); }
std::string Restart(const std::string& first, std::string_view second) { return Join(Mode::kAfresh, first, second); }

TEST(Continued, GoesOnExactlyWhereTheTextEnds) {
  const std::string answer = "The wall is old. \"Why?\" she said, and walked on.\n\n- one\n- two\n";
  for (size_t cut = 1; cut < answer.size(); ++cut) {
    EXPECT_EQ(Continue(answer.substr(0, cut), answer.substr(cut)), answer) << "cut at " << cut;
  }
}

TEST(Continued, WhatIsSaidFromTheBeginningAgainIsSkipped) {
  const std::string answer = "The wall is old, and so is the house behind it.";
  for (size_t cut = 4; cut < answer.size(); ++cut) EXPECT_EQ(Continue(answer.substr(0, cut), answer), answer) << cut;
  EXPECT_EQ(Continue("1", "10"), "-") << "1 and 10, or 110? Nobody can tell";
}

TEST(Continued, AnotherAnswerIsNotJoined) {
  EXPECT_EQ(Continue("The wall behind the house is old.", "The wall behind the garden is older."), "-");
  EXPECT_EQ(Continue("The wall behind the house is old.", "The wall behind the"), "-");
  EXPECT_EQ(Continue("| a | b | c | d | e |\n| a | b | c | d | f |\n", "| a | b | c | d | g |\n"),
            "| a | b | c | d | e |\n| a | b | c | d | f |\n| a | b | c | d | g |\n")
      << "a text that repeats itself may go on so";
}

TEST(Continued, RepeatedWordIsSaidOnce) {
  EXPECT_EQ(Continue("The fox jumps over", "over the dog."), "The fox jumps over the dog.");
  EXPECT_EQ(Continue("The fox jumps over", " over the dog."), "The fox jumps over the dog.");
  EXPECT_EQ(Continue("The fox jumps over ", "over the dog."), "The fox jumps over the dog.");
  EXPECT_EQ(Continue("The fox jumps over", "over."), "The fox jumps over.");
  EXPECT_EQ(Continue("The fox jumps over", "overboard"), "The fox jumps overoverboard") << "a longer word is another one";
  EXPECT_EQ(Continue("Ha, ha", "ha!"), "Ha, haha!") << "too short to tell";
  EXPECT_EQ(Continue("la la lalala lalala", " lalala"), "la la lalala lalala lalala") << "the text repeats itself";
  EXPECT_EQ(Continue("0 0 0", " 0 0"), "0 0 0 0 0") << "numbers are no words";
}

TEST(Continued, SpaceThatIsAlreadyThereIsNotDoubled) {
  EXPECT_EQ(Continue("The wall ", " is old"), "The wall is old");
  EXPECT_EQ(Continue("The wall", " is old"), "The wall is old");
  EXPECT_EQ(Continue("if x:\n  ", "  return"), "if x:\n    return") << "indentation is left alone";
  EXPECT_EQ(Continue("a:\n ", " b"), "a:\n  b");
}

TEST(Afresh, WhatWasSentIsSkippedOnlyByteForByte) {
  const std::string answer = "Zwei Wörter, 漢字 und mehr.";
  for (size_t cut = 0; cut <= answer.size(); ++cut) EXPECT_EQ(Restart(answer.substr(0, cut), answer), answer) << cut;
  EXPECT_EQ(Restart("The wall", "the wall is old"), "-");
  EXPECT_EQ(Restart("The wall is", "The wall"), "-") << "it is shorter than what was sent";
}

TEST(Afresh, ThinkingIsComparedAsWell) {
  const auto restart = [](std::string_view sent_thinking, std::string_view sent_text, std::string_view thinking,
                          std::string_view text) -> std::string {
    Splicer splicer(Mode::kAfresh, Sent(sent_text, sent_thinking));
    std::string new_thinking, new_text;
    if (!splicer.Take(thinking, "", &new_thinking, &new_text) || !splicer.Take("", text, &new_thinking, &new_text) ||
        !splicer.Settle(&new_text)) {
      return "-";
    }
    return new_thinking + "|" + new_text;
  };
  EXPECT_EQ(restart("Hm, ", "", "Hm, so", "4"), "so|4");
  EXPECT_EQ(restart("Hm", "The", "Hm", "The end"), "| end");
  EXPECT_EQ(restart("Hm", "The", "Hmm", "The end"), "-");
  EXPECT_EQ(restart("Hmm", "", "Hm", "4"), "-");
}

TEST(Sent, SaysWhetherAnAnswerCanBeTakenOver) {
  EXPECT_TRUE(Sent("a").can_continue());
  EXPECT_FALSE(Sent("").can_continue());
  EXPECT_FALSE(Sent("a", "Hm").can_continue()) << "no server takes a given thinking";
  EXPECT_TRUE(Sent("a", "Hm").can_restart());
  EXPECT_FALSE(Sent(std::string(SentAnswer::kMaxBytes + 1, 'x')).can_restart());
  SentAnswer tools;
  tools.Observe("{}", *ReadObject(Api::kOllamaChat, R"({"message":{"tool_calls":[{"function":{"name":"get","arguments":{}}}]}})"));
  EXPECT_FALSE(tools.can_restart());
  SentAnswer signature;
  signature.Observe("{}", *ReadObject(Api::kAnthropicMessages,
                                   R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"x"}})"));
  EXPECT_FALSE(signature.can_restart()) << "nobody else can sign the same thinking";
}

TEST(WithBeginning, AsksToGoOnFromTheText) {
  EXPECT_EQ(WithBeginning(Api::kOllamaChat, R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true})", "The \"").value(),
            R"({"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"The \""}],"stream":true})");
  EXPECT_EQ(WithBeginning(Api::kOllamaChat, R"({"messages":[{"role":"assistant","content":"{"}]})", "a").value(),
            R"({"messages":[{"role":"assistant","content":"{a"}]})")
      << "a beginning of the client's own goes on";
  EXPECT_NE(WithBeginning(Api::kOpenAiChat, R"({"messages":[]})", "a")->find(R"("continue_final_message":true)"), std::string::npos);
  EXPECT_EQ(WithBeginning(Api::kOpenAiCompletions, R"({"prompt":"Once "})", "upon").value(), R"({"prompt":"Once upon"})");
  EXPECT_EQ(WithBeginning(Api::kOllamaGenerate, R"({"prompt":"x"})", "a"), std::nullopt) << "a template comes in between";
  EXPECT_EQ(WithBeginning(Api::kOllamaGenerate, R"({"prompt":"x","raw":true})", "a").value(), R"({"prompt":"xa","raw":true})");
  EXPECT_EQ(WithBeginning(Api::kOpenAiChat, "no json", "a"), std::nullopt);
}

TEST(WithBeginning, AnthropicGetsNoWhiteSpaceAtTheEnd) {
  const auto with = [](std::string_view body, std::string_view text) {
    return WithBeginning(Api::kAnthropicMessages, body, text);
  };
  EXPECT_EQ(with(R"({"messages":[{"role":"user","content":"q"}],"stream":true})", "The wall \n").value(),
            R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"The wall"}],"stream":true})");
  EXPECT_EQ(with(R"({"messages":[{"role":"assistant","content":"{"}]})", "a").value(),
            R"({"messages":[{"role":"assistant","content":"{a"}]})");
  EXPECT_EQ(with(R"({"messages":[{"role":"assistant","content":[{"type":"text","text":"{"}]}]})", "a").value(),
            R"({"messages":[{"role":"assistant","content":[{"type":"text","text":"{"},{"type":"text","text":"a"}]}]})");
  EXPECT_EQ(with(R"({"messages":[]})", " \n"), std::nullopt) << "nothing is left to be given";
  EXPECT_EQ(GivenBeginning(Api::kOllamaChat, "The wall "), "The wall ");
}

// Each with the second answer in one piece, byte by byte, and in every two pieces.
TEST(Continued, WhiteSpaceThatWasNotGivenIsSaidOnce) {
  const auto go_on = [](const std::string& given, const std::string& white, std::string_view second) {
    const std::string first = given + white;
    const auto join = [&](std::vector<std::string_view> pieces) {
      Splicer splicer(Mode::kContinued, Sent(first), given.size());
      std::string thinking, text;
      for (const std::string_view piece : pieces) EXPECT_TRUE(splicer.Take("", piece, &thinking, &text));
      EXPECT_TRUE(splicer.Settle(&text));
      return first + text;
    };
    const std::string whole = join({second});
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < second.size(); ++i) {
      bytes.push_back(second.substr(i, 1));
      EXPECT_EQ(join({second.substr(0, i), second.substr(i)}), whole) << "cut at byte " << i << " of " << second;
    }
    EXPECT_EQ(join(bytes), whole);
    return whole;
  };
  EXPECT_EQ(go_on("The wall", " ", " is old"), "The wall is old");
  EXPECT_EQ(go_on("The wall", " ", "is old"), "The wall is old") << "it saw the space somewhere else";
  EXPECT_EQ(go_on("The wall", "\n\n", "\n\n- one"), "The wall\n\n- one");
  EXPECT_EQ(go_on("if x:", "\n  ", "\n    return"), "if x:\n    return");
  EXPECT_EQ(go_on("The wall", "\n", "\n"), "The wall\n");
  EXPECT_EQ(go_on("jumps over", " ", " over the dog"), "jumps over the dog") << "a word that is repeated as well";
  EXPECT_EQ(go_on("The wall", " ", "The wall is old"), "The wall is old") << "all of it again";
  EXPECT_EQ(go_on("The wall", " ", ""), "The wall ");
}

TEST(JoinedFrame, KeepsIdsAndNamesOfTheFirstAnswer) {
  Blocks none;
  EXPECT_EQ(JoinedFrame(Api::kOllamaChat, R"({"model":"b","created_at":"t","message":{"role":"assistant","content":"x"},"done":false})",
                        R"({"model":"a"})", "", "new", &none),
            "{\"model\":\"a\",\"created_at\":\"t\",\"message\":{\"role\":\"assistant\",\"content\":\"new\"},\"done\":false}\n");
  EXPECT_EQ(JoinedFrame(Api::kOllamaChat, R"({"message":{"role":"assistant","content":""},"done":false})", R"({"model":"a"})", "", "", &none), "");
  EXPECT_EQ(JoinedFrame(Api::kOllamaGenerate, R"({"model":"b","response":"","done":true,"context":[1],"eval_count":2})",
                        R"({"model":"a"})", "", "", &none),
            "{\"model\":\"a\",\"response\":\"\",\"done\":true,\"eval_count\":2}\n");
  const std::string first = R"({"id":"c1","created":1,"model":"a","choices":[]})";
  EXPECT_EQ(JoinedFrame(Api::kOpenAiChat,
                        R"({"id":"c2","created":2,"model":"b","system_fingerprint":"f","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":null}]})",
                        first, "", "new", &none),
            "data: {\"id\":\"c1\",\"created\":1,\"model\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"new\"},\"finish_reason\":null}]}\n\n");
  EXPECT_EQ(JoinedFrame(Api::kOpenAiChat, R"({"id":"c2","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})", first, "", "", &none), "")
      << "a role frame is no news";
  EXPECT_EQ(JoinedFrame(Api::kOpenAiChat, R"({"id":"c2","choices":[],"usage":{"prompt_tokens":1}})", first, "", "", &none),
            "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":1},\"created\":1,\"model\":\"a\"}\n\n");
}

class JoinedEvents : public testing::Test {
 protected:
  static std::string Event(const std::string& type, const std::string& members) {
    return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + members + "}\n\n";
  }
  static std::string Delta(int index, const std::string& text, const std::string& kind = "text") {
    return Event("content_block_delta", ",\"index\":" + std::to_string(index) + ",\"delta\":{\"type\":\"" + kind +
                                            "_delta\",\"" + kind + "\":\"" + text + "\"}");
  }
  static std::string Begin(int index, const std::string& block) {
    return Event("content_block_start", ",\"index\":" + std::to_string(index) + ",\"content_block\":" + block);
  }
  static std::string Stop(int index) { return Event("content_block_stop", ",\"index\":" + std::to_string(index)); }
  static constexpr const char* kTextBlock = R"({"type":"text","text":""})";

  // What the client had of the first answer.
  void Sent(const std::string& events) { Each(events, [this](const Frame& frame) { sent_.Observe(frame.data, frame.reading); }); }
  // What it gets of these events of the second one: all of their text.
  std::string Join(const std::string& events) {
    if (!blocks_) blocks_ = sent_.blocks();
    std::string joined;
    Each(events, [&](const Frame& frame) {
      joined += JoinedFrame(Api::kAnthropicMessages, frame.data, "{}", frame.reading.thinking, frame.reading.text, &*blocks_);
    });
    return joined;
  }

 private:
  static void Each(const std::string& events, const std::function<void(const Frame&)>& take) {
    AnswerReader reader(Api::kAnthropicMessages, 200, "text/event-stream");
    std::string_view bytes = events;
    for (Frame frame; reader.Next(&bytes, &frame);) {
      if (!frame.data.empty()) take(frame);
    }
  }
  SentAnswer sent_;
  std::optional<Blocks> blocks_;
};

TEST_F(JoinedEvents, TextGoesOnInTheBlockThatIsOpen) {
  Sent(Event("message_start", R"(,"message":{"id":"m1"})") + Begin(0, kTextBlock) + Delta(0, "The "));
  EXPECT_EQ(Join(Event("message_start", R"(,"message":{"id":"m2"})") + Begin(0, kTextBlock) + Delta(0, "wall") + Stop(0)),
            Delta(0, "wall"));
  const std::string end = Event("message_delta", R"(,"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3})");
  EXPECT_EQ(Join(end), Stop(0) + end);
  EXPECT_EQ(Join(Event("message_stop", "")), Event("message_stop", ""));
}

TEST_F(JoinedEvents, TheBlockIsEndedEvenWhereTheSecondOneNeverSaysSo) {
  Sent(Begin(0, kTextBlock) + Delta(0, "The "));
  EXPECT_EQ(Join(Delta(0, "wall") + Event("message_stop", "")), Delta(0, "wall") + Stop(0) + Event("message_stop", ""));
}

TEST_F(JoinedEvents, WhereTheBlockHadEndedANewOneBegins) {
  Sent(Begin(0, kTextBlock) + Delta(0, "The ") + Stop(0));
  EXPECT_EQ(Join(Begin(0, kTextBlock) + Delta(0, "wall") + Delta(0, "s") + Stop(0)),
            Begin(1, kTextBlock) + Delta(1, "wall") + Delta(1, "s"));
}

TEST_F(JoinedEvents, NothingNewBeginsNoBlock) {
  Sent(Begin(0, kTextBlock) + Delta(0, "The end") + Stop(0));
  const std::string end = Event("message_delta", R"(,"delta":{"stop_reason":"end_turn"})");
  EXPECT_EQ(Join(Begin(0, kTextBlock) + Stop(0) + end), end);
}

TEST_F(JoinedEvents, TextAfterThinkingBeginsItsOwnBlock) {
  const std::string thinking = R"({"type":"thinking","thinking":"","signature":""})";
  Sent(Begin(0, thinking) + Delta(0, "Hm", "thinking"));
  EXPECT_EQ(Join(Begin(0, thinking) + Delta(0, ", so", "thinking") + Stop(0) + Begin(1, kTextBlock) + Delta(1, "The")),
            Delta(0, ", so", "thinking") + Stop(0) + Begin(1, kTextBlock) + Delta(1, "The"));
}

TEST_F(JoinedEvents, SignaturesOfAnotherThinkingAreDropped) {
  Sent(Begin(0, kTextBlock) + Delta(0, "The "));
  EXPECT_EQ(Join(Begin(0, R"({"type":"redacted_thinking","data":"x"})") + Stop(0) +
                 Event("content_block_delta", R"(,"index":1,"delta":{"type":"signature_delta","signature":"x"})")),
            "");
}

TEST_F(JoinedEvents, OtherBlocksFollowUnderTheirNextNumber) {
  Sent(Begin(0, kTextBlock) + Delta(0, "Let me "));
  const std::string tool = R"({"type":"tool_use","id":"t","name":"look","input":{}})";
  const auto input = [](int index) {
    return Event("content_block_delta",
                 ",\"index\":" + std::to_string(index) + R"(,"delta":{"type":"input_json_delta","partial_json":"{}"})");
  };
  EXPECT_EQ(Join(Begin(0, kTextBlock) + Delta(0, "see") + Stop(0) + Begin(4, tool) + input(4) + Stop(4) + Begin(5, kTextBlock) +
                 Delta(5, "So") + Stop(5)),
            Delta(0, "see") + Stop(0) + Begin(1, tool) + input(1) + Stop(1) + Begin(2, kTextBlock) + Delta(2, "So"));
}

TEST_F(JoinedEvents, FramesOfStrangersAreLeftAlone) {
  Sent(Begin(0, kTextBlock) + Delta(0, "The "));
  EXPECT_EQ(Join("data: {\"type\":7}\n\ndata: {}\n\ndata: {\"type\":\"content_block_start\",\"content_block\":[\"type\"]}\n\n"),
            Stop(0) + "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"content_block\":[\"type\"],\"index\":1}\n\n");
  EXPECT_EQ(Join(Event("ping", "")), Event("ping", ""));
}

}  // namespace
}  // namespace runtime::dialect
