// Frames that are known by their likeness: what is taken for like says exactly what the parser reads in it.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "runtime/dialect/answer_reader.h"
#include "runtime/dialect/frame_pattern.h"

namespace runtime::dialect {
namespace {

// A frame of each API with TEXT where its text stands.
struct Kind {
  Api api;
  std::string_view frame;
};
constexpr Kind kKinds[] = {
    {Api::kOllamaChat,
     R"({"model":"qwen3:32b","created_at":"2026-11-29T16:08:33.1Z","message":{"role":"assistant","content":"TEXT"},"done":false})"},
    {Api::kOllamaChat,
     R"({"model":"qwen3:32b","message":{"role":"assistant","content":"","thinking":"TEXT"},"created_at":"2026-11-29T16:08:33.1Z","done":false})"},
    {Api::kOllamaGenerate, R"({"model":"qwen3:32b","created_at":"2026-11-29T16:08:33.1Z","response":"TEXT","done":false})"},
    {Api::kOpenAiChat,
     R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"TEXT"},"finish_reason":null}]})"},
    {Api::kOpenAiChat, R"({"id":"c1","model":"m","choices":[{"index":0,"delta":{"reasoning_content":"TEXT"}}],"usage":null})"},
    {Api::kOpenAiCompletions, R"({"id":"c1","model":"m","choices":[{"index":0,"text":"TEXT","finish_reason":null}]})"},
    {Api::kAnthropicMessages, R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}})"},
    {Api::kAnthropicMessages, R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"TEXT"}})"},
};

std::string With(std::string_view frame, std::string_view text, std::string_view what = "TEXT") {
  std::string whole(frame);
  return whole.replace(whole.find(what), what.size(), text);
}

FramePattern Learned(Api api, std::string_view frame) {
  FramePattern pattern;
  const auto reading = ReadObject(api, frame);
  EXPECT_TRUE(reading) << frame;
  if (reading) pattern.Learn(frame, *reading);
  return pattern;
}

// What the pattern says of `frame`, which must be what the parser says. Nothing: it is not like the learned one.
std::optional<FrameReading> Matched(const FramePattern& pattern, Api api, const std::string& frame) {
  FrameReading reading;
  if (!pattern.Match(frame, &reading)) return std::nullopt;
  auto parsed = ReadObject(api, frame);
  EXPECT_TRUE(parsed) << frame;
  EXPECT_TRUE(reading.model.empty());
  if (parsed) {
    parsed->model = {};
    EXPECT_EQ(*parsed, reading) << frame;
  }
  return reading;
}

TEST(FramePattern, FramesWithAnotherTextSayWhatTheParserReads) {
  for (const Kind& kind : kKinds) {
    const FramePattern pattern = Learned(kind.api, With(kind.frame, "Hello"));
    for (const std::string_view text : {"x", " and", "Hello", "模型正忙", ":", ",", "{}", "assistant", "\x7f"}) {
      const std::string frame = With(kind.frame, text);  // the reading borrows from it
      const auto reading = Matched(pattern, kind.api, frame);
      ASSERT_TRUE(reading) << frame;
      EXPECT_EQ(std::string(reading->text) + std::string(reading->thinking), text);
    }
  }
}

TEST(FramePattern, TheTimeOfDayMayDiffer) {
  const FramePattern pattern = Learned(Api::kOllamaChat, With(kKinds[0].frame, "Hello"));
  const std::string later = With(With(kKinds[0].frame, " world"), "2027-01-01T00:00:00.123456789Z", "2026-11-29T16:08:33.1Z");
  EXPECT_TRUE(Matched(pattern, Api::kOllamaChat, later));
  EXPECT_FALSE(Matched(pattern, Api::kOllamaChat, With(later, "\xff", "2027")));
  EXPECT_FALSE(Matched(pattern, Api::kOllamaChat, With(later, "\\\"", "2027")));
}

TEST(FramePattern, AnythingElseIsLeftToTheParser) {
  for (const Kind& kind : kKinds) {
    const FramePattern pattern = Learned(kind.api, With(kind.frame, "Hello"));
    const auto is_like = [&](const std::string& frame) { return Matched(pattern, kind.api, frame).has_value(); };
    // Text that the parser must look at.
    for (const std::string_view text : {"", "\\n", "a\\\"b", "\\u0041", "\n", "\x1f", "\xff", "\xc3", "\xed\xa0\x80", "a\"b", "\""})
      EXPECT_FALSE(is_like(With(kind.frame, text))) << kind.frame << " with " << text;
    // Every frame that is cut, longer, or differs in one byte outside its text and the time.
    const std::string like = With(kind.frame, "Hello");
    for (size_t size = 0; size < like.size(); ++size) EXPECT_FALSE(is_like(like.substr(0, size))) << size;
    EXPECT_FALSE(is_like(like + " "));
    EXPECT_FALSE(is_like(like + like));
    const size_t text = like.find("Hello");
    const size_t time = like.find("2026-");
    for (size_t i = 0; i < like.size(); ++i) {
      const bool in_time = time != std::string::npos && i >= time && i < time + 22;
      if (in_time || (i >= text && i < text + 5)) continue;
      std::string other = like;
      other[i] = other[i] == 'e' ? 'o' : 'e';
      EXPECT_FALSE(is_like(other)) << other;
    }
  }
}

TEST(FramePattern, AFrameIsLearnedOnlyWhereItsTextCanBeFound) {
  const auto is_learned = [](Api api, const std::string& frame) {
    FrameReading reading;
    return Learned(api, frame).Match(frame, &reading);
  };
  for (const Kind& kind : kKinds) {
    EXPECT_TRUE(is_learned(kind.api, With(kind.frame, "Hello")));
    EXPECT_FALSE(is_learned(kind.api, With(kind.frame, "")));
    EXPECT_FALSE(is_learned(kind.api, With(kind.frame, "\\u0048ello")));
    EXPECT_FALSE(is_learned(kind.api, With(kind.frame, std::string(4096, 'x'))));  // one of these is kept for each stream
  }
  // A text that stands there as something else, too.
  EXPECT_FALSE(is_learned(Api::kOllamaChat, With(kKinds[0].frame, "assistant")));
  EXPECT_FALSE(is_learned(Api::kOllamaChat, With(kKinds[0].frame, "content")));
  EXPECT_FALSE(is_learned(Api::kOllamaChat, With(kKinds[0].frame, ",")));
  EXPECT_FALSE(is_learned(Api::kOllamaChat, R"({"created_at":"Hello","message":{"content":"Hello"},"done":false})"));
  // The text is written as an escape, and the same letters stand elsewhere.
  EXPECT_FALSE(is_learned(Api::kOllamaChat, R"({"message":{"role":"Hello","content":"\u0048ello"},"done":false})"));
  // What says more than its text.
  EXPECT_FALSE(is_learned(Api::kOllamaChat, R"({"message":{"content":"Hello"},"done":true})"));
  EXPECT_FALSE(is_learned(Api::kOllamaChat, R"({"message":{"content":"Hello","thinking":"Hm"},"done":false})"));
  EXPECT_FALSE(is_learned(Api::kOllamaChat, R"({"message":{"content":"Hello","tool_calls":[{"a":1}]},"done":false})"));
  EXPECT_FALSE(is_learned(Api::kOpenAiChat, R"({"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]})"));
  EXPECT_FALSE(is_learned(Api::kOpenAiChat, R"({"choices":[{"index":1,"delta":{"content":"Hello"}}]})"));
  EXPECT_FALSE(is_learned(Api::kOpenAiChat, R"({"choices":[{"index":0,"delta":{"content":"Hello"}}],"error":"no"})"));
}

TEST(FramePattern, UsageThatIsCountedInEachFrameIsReadInEach) {
  const auto frame = [](int count) {
    return R"({"choices":[{"index":0,"delta":{"content":"Hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":)" +
           std::to_string(count) + "}}";
  };
  const FramePattern pattern = Learned(Api::kOpenAiChat, frame(1));
  EXPECT_EQ(1, Matched(pattern, Api::kOpenAiChat, frame(1))->completion_tokens);
  EXPECT_FALSE(Matched(pattern, Api::kOpenAiChat, frame(2)));
}

TEST(FramePattern, NothingIsLearnedForEverFromFramesThatAlwaysDiffer) {
  FramePattern pattern;
  const auto learn = [&pattern](int id) {
    const std::string frame = R"({"id":)" + std::to_string(id) + R"(,"choices":[{"index":0,"delta":{"content":"Hello"}}]})";
    FrameReading reading;
    const bool was_like = pattern.Match(frame, &reading);
    if (!was_like) pattern.Learn(frame, *ReadObject(Api::kOpenAiChat, frame));
    return was_like;
  };
  for (int id = 0; id < 100; ++id) EXPECT_FALSE(learn(id));
  EXPECT_FALSE(learn(99));  // given up

  pattern = FramePattern();
  for (int id = 0; id < 10; ++id) learn(id);
  EXPECT_TRUE(learn(9));
}

}  // namespace
}  // namespace runtime::dialect
