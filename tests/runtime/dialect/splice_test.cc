// Two answers that become one. Each story is told with the second answer in one piece, byte by byte, and in every two pieces.
#include <gtest/gtest.h>

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
  tools.Note(Api::kOllamaChat, "{}", *ReadObject(Api::kOllamaChat, R"({"message":{"tool_calls":[{"function":{}}]}})"));
  EXPECT_FALSE(tools.can_restart());
  SentAnswer anthropic;
  anthropic.Note(Api::kAnthropicMessages, "{}", *ReadObject(Api::kAnthropicMessages, R"({"type":"ping"})"));
  EXPECT_FALSE(anthropic.can_restart());
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

TEST(JoinedFrame, KeepsIdsAndNamesOfTheFirstAnswer) {
  EXPECT_EQ(JoinedFrame(Api::kOllamaChat, R"({"model":"b","created_at":"t","message":{"role":"assistant","content":"x"},"done":false})",
                        R"({"model":"a"})", "", "new"),
            "{\"model\":\"a\",\"created_at\":\"t\",\"message\":{\"role\":\"assistant\",\"content\":\"new\"},\"done\":false}\n");
  EXPECT_EQ(JoinedFrame(Api::kOllamaChat, R"({"message":{"role":"assistant","content":""},"done":false})", R"({"model":"a"})", "", ""), "");
  EXPECT_EQ(JoinedFrame(Api::kOllamaGenerate, R"({"model":"b","response":"","done":true,"context":[1],"eval_count":2})",
                        R"({"model":"a"})", "", ""),
            "{\"model\":\"a\",\"response\":\"\",\"done\":true,\"eval_count\":2}\n");
  const std::string first = R"({"id":"c1","created":1,"model":"a","choices":[]})";
  EXPECT_EQ(JoinedFrame(Api::kOpenAiChat,
                        R"({"id":"c2","created":2,"model":"b","system_fingerprint":"f","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":null}]})",
                        first, "", "new"),
            "data: {\"id\":\"c1\",\"created\":1,\"model\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"new\"},\"finish_reason\":null}]}\n\n");
  EXPECT_EQ(JoinedFrame(Api::kOpenAiChat, R"({"id":"c2","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})", first, "", ""), "")
      << "a role frame is no news";
  EXPECT_EQ(JoinedFrame(Api::kOpenAiChat, R"({"id":"c2","choices":[],"usage":{"prompt_tokens":1}})", first, "", ""),
            "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":1},\"created\":1,\"model\":\"a\"}\n\n");
}

}  // namespace
}  // namespace runtime::dialect
