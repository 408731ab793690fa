// One answer in both shapes of its API: the fold of a stream that was made of an object is the object, and a stream that servers send
// folds into what its frames say. What one shape can't say of the other is refused.
#include "runtime/dialect/answer_shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "runtime/dialect/answer_reader.h"
#include "tests/runtime/dialect/recorded_frames.h"

namespace runtime::dialect {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kAsksForUsage = R"({"stream":true,"stream_options":{"include_usage":true}})";

ClientDialect StreamingClient(Api api) { return {api, StreamShapeOf(api), "m"}; }

std::optional<std::string> FromStream(Api api, std::string_view stream) {
  return WholeAnswerOf(api, ContentTypeOf(StreamShapeOf(api)), stream);
}

// What frames of a stream say, and whether a client takes it for whole.
struct Said {
  std::string text, thinking;
  int64_t prompt = kNoCount, completion = kNoCount;
  bool is_complete = false;
  bool saw_last = false;
};
Said Read(Api api, std::string_view stream) {
  AnswerReader reader(api, 200, ContentTypeOf(StreamShapeOf(api)));
  Said said;
  for (Frame frame; reader.Next(&stream, &frame);) {
    said.text += frame.reading.text;
    said.thinking += frame.reading.thinking;
    if (frame.reading.prompt_tokens != kNoCount) said.prompt = frame.reading.prompt_tokens;
    if (frame.reading.completion_tokens != kNoCount) said.completion = frame.reading.completion_tokens;
  }
  said.is_complete = reader.IsComplete(true);
  said.saw_last = reader.saw_last();
  return said;
}

struct Example {
  std::string name;
  Api api;
  std::string object;
};
void PrintTo(const Example& example, std::ostream* out) { *out << example.name; }

const Example kExamples[] = {
    {"OllamaChat", Api::kOllamaChat,
     R"({"model":"m","created_at":"t","message":{"role":"assistant","content":"The \"wall\"\nis 漢字"},"done":true,)"
     R"("done_reason":"stop","total_duration":5,"load_duration":1,"prompt_eval_count":11,"eval_count":3})"},
    {"OllamaChatThinks", Api::kOllamaChat,
     R"({"model":"m","created_at":"t","message":{"role":"assistant","content":"4","thinking":"Hm"},"done":true,)"
     R"("prompt_eval_count":11,"eval_count":3})"},
    {"OllamaGenerate", Api::kOllamaGenerate,
     R"({"model":"m","created_at":"t","response":"The wall","done":true,"context":[1,2],"prompt_eval_count":11,"eval_count":3})"},
    {"OllamaGenerateThinks", Api::kOllamaGenerate,
     R"({"model":"m","created_at":"t","response":"4","thinking":"Hm","done":true,"prompt_eval_count":11,"eval_count":3})"},
    {"OpenAiChat", Api::kOpenAiChat,
     R"({"id":"c","object":"chat.completion","created":1,"model":"m","system_fingerprint":null,"choices":[{"index":0,"message":)"
     R"({"role":"assistant","content":"The wall","refusal":null,"annotations":[],"tool_calls":[]},"logprobs":null,)"
     R"("finish_reason":"stop","stop_reason":null}],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14},)"
     R"("prompt_logprobs":null})"},
    {"OpenAiChatThinks", Api::kOpenAiChat,
     R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",)"
     R"("content":"4","reasoning_content":"Hm"},"finish_reason":"length"}],)"
     R"("usage":{"prompt_tokens":11,"completion_tokens":3}})"},
    {"OpenAiCompletions", Api::kOpenAiCompletions,
     R"({"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"upon","logprobs":null,)"
     R"("finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3}})"},
    {"Anthropic", Api::kAnthropicMessages,
     R"({"id":"msg","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"The wall"}],)"
     R"("stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":11,"output_tokens":3}})"},
    {"AnthropicThinks", Api::kAnthropicMessages,
     R"({"id":"msg","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"Hm","signature":""},)"
     R"({"type":"text","text":"4","citations":null}],"stop_reason":"stop_sequence","stop_sequence":"4",)"
     R"("usage":{"input_tokens":11,"cache_read_input_tokens":2,"output_tokens":3}})"},
};

class WholeAnswer : public testing::TestWithParam<Example> {};

TEST_P(WholeAnswer, FoldOfItsStreamIsTheObject) {
  const auto& [name, api, object] = GetParam();
  EXPECT_EQ(WholeAnswerOf(api, "application/json", object), object) << "kept as it is";
  const std::string stream = StreamOf(StreamingClient(api), kAsksForUsage, object);
  const auto again = FromStream(api, stream);
  ASSERT_TRUE(again) << stream;
  EXPECT_EQ(nlohmann::json::parse(*again), nlohmann::json::parse(object)) << stream;
}

TEST_P(WholeAnswer, ItsStreamSaysTheSameAndEnds) {
  const auto& [name, api, object] = GetParam();
  const auto whole = ReadObject(api, object);
  ASSERT_TRUE(whole);
  const std::string text(whole->text), thinking(whole->thinking);
  const Said said = Read(api, StreamOf(StreamingClient(api), kAsksForUsage, object));
  EXPECT_EQ(said.text, text);
  EXPECT_EQ(said.thinking, thinking);
  EXPECT_EQ(said.prompt, 11);
  EXPECT_EQ(said.completion, 3);
  EXPECT_TRUE(said.is_complete);
  EXPECT_TRUE(said.saw_last);
}

TEST_P(WholeAnswer, OpenAiClientsGetUsageInAStreamOnlyIfTheyAsk) {
  const auto& [name, api, object] = GetParam();
  const bool is_openai = api == Api::kOpenAiChat || api == Api::kOpenAiCompletions;
  for (const std::string_view body :
       {R"({"stream":true})", R"({"stream_options":{"include_usage":false}})", "no json", "[]"}) {
    const Said said = Read(api, StreamOf(StreamingClient(api), body, object));
    EXPECT_EQ(said.completion, is_openai ? kNoCount : 3) << body;
    EXPECT_TRUE(said.saw_last);
  }
}

// The text cut into frames anywhere, as a model server would.
TEST_P(WholeAnswer, HoweverTheStreamIsCutItsFoldIsTheSame) {
  const auto& [name, api, object] = GetParam();
  const std::string stream = StreamOf(StreamingClient(api), kAsksForUsage, object);
  const Json parsed = Json::parse(object);
  base::Random random(7);
  for (int round = 0; round < 200; ++round) {
    std::string cut;
    const std::string separator = StreamShapeOf(api) == Shape::kSse ? "\n\n" : "\n";
    for (size_t at = 0, next; (next = stream.find(separator, at)) != std::string::npos; at = next + separator.size()) {
      const std::string frame = stream.substr(at, next - at);
      const size_t data = StreamShapeOf(api) == Shape::kSse ? frame.find("data: ") + 6 : 0;
      Json json = Json::parse(frame.substr(data), nullptr, false);
      std::string* text = nullptr;
      for (const char* path :
           {"/message/content", "/response", "/choices/0/delta/content", "/choices/0/text", "/delta/text"}) {
        const Json::json_pointer pointer(path);
        if (!json.is_discarded() && json.contains(pointer)) text = json[pointer].get_ptr<std::string*>();
        if (text != nullptr) break;
      }
      const bool is_last = json.is_discarded() || json.value("done", false) || text == nullptr || text->empty();
      std::string rest = text == nullptr ? "" : *text;
      bool is_first = true;
      while (!is_last && !rest.empty()) {
        size_t size = 1 + random.Below(rest.size());
        while (size < rest.size() && (static_cast<unsigned char>(rest[size]) & 0xC0) == 0x80)
          ++size;  // between characters
        *text = rest.substr(0, size);
        rest.erase(0, size);
        if (!is_first && json.contains("/choices/0/delta/reasoning_content"_json_pointer)) {
          json["/choices/0/delta"_json_pointer].erase("reasoning_content");
          text = json["/choices/0/delta/content"_json_pointer].get_ptr<std::string*>();
        }
        if (!is_first && json.contains("/message/thinking"_json_pointer)) {
          json["message"].erase("thinking");
          text = json["/message/content"_json_pointer].get_ptr<std::string*>();
        }
        if (!is_first && json.contains("thinking")) {
          json.erase("thinking");
          text = json["response"].get_ptr<std::string*>();
        }
        cut += frame.substr(0, data) + json.dump() + separator;
        if (random.Below(4) == 0 && separator == "\n\n") cut += ": a comment\n\n";
        is_first = false;
      }
      if (is_last) cut += frame + separator;
    }
    const auto folded = FromStream(api, cut);
    ASSERT_TRUE(folded) << cut;
    ASSERT_EQ(nlohmann::json::parse(*folded), nlohmann::json(parsed)) << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(Examples, WholeAnswer, testing::ValuesIn(kExamples),
                         [](const auto& param) { return param.param.name; });

TEST(WholeAnswerOf, RecordedStreamsAreFoldedOrRefused) {
  int folded = 0;
  for (const Recorded& recorded : kRecorded) {
    const bool is_plain = recorded.is_complete &&
                          std::none_of(recorded.frames.begin(), recorded.frames.end(),
                                       [](const auto& frame) { return frame.find("special") != std::string::npos; });
    const auto whole = FromStream(recorded.api, recorded.body);
    if (!is_plain) {
      EXPECT_EQ(whole, std::nullopt) << recorded.source;
      continue;
    }
    const Said said = Read(recorded.api, recorded.body);
    EXPECT_EQ(whole.has_value(), said.completion != kNoCount) << "an object has usage: " << recorded.source;
    if (!whole) continue;
    ++folded;
    const auto reading = ReadObject(recorded.api, *whole);
    ASSERT_TRUE(reading);
    EXPECT_EQ(reading->text, said.text) << recorded.source;
    EXPECT_EQ(reading->thinking, said.thinking) << recorded.source;
    EXPECT_EQ(reading->completion_tokens, said.completion) << recorded.source;
    EXPECT_TRUE(reading->is_terminal) << *whole;
  }
  EXPECT_GE(folded, 4);
}

TEST(WholeAnswerOf, WhatAnObjectAloneCanSayIsRefused) {
  const auto refuses = [](Api api, std::string_view object) {
    return WholeAnswerOf(api, "application/json", object) == std::nullopt;
  };
  EXPECT_TRUE(refuses(Api::kOllamaChat, R"({"message":{"content":"","tool_calls":[{"function":{}}]},"done":true})"));
  EXPECT_TRUE(refuses(Api::kOllamaChat, R"({"message":{"content":"Hel"},"done":false})"));
  EXPECT_TRUE(refuses(Api::kOllamaChat, R"({"error":"no"})"));
  EXPECT_TRUE(refuses(Api::kOllamaPull, R"({"status":"success"})"));
  EXPECT_TRUE(
      refuses(Api::kOpenAiChat, R"({"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]})"))
      << "no usage";
  EXPECT_TRUE(
      refuses(Api::kOpenAiChat,
              R"({"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"},{"index":1,"message":)"
              R"({"content":"b"},"finish_reason":"stop"}],"usage":{}})"));
  EXPECT_TRUE(refuses(Api::kOpenAiChat,
                      R"({"choices":[{"index":0,"message":{"content":"a"},"logprobs":{"content":[1]},"finish_reason":)"
                      R"("stop"}],"usage":{"prompt_tokens":1}})"));
  EXPECT_TRUE(refuses(Api::kAnthropicMessages,
                      R"({"type":"message","content":[{"type":"thinking","thinking":"Hm","signature":"x"}],)"
                      R"("stop_reason":"end_turn","stop_sequence":null,"usage":{"output_tokens":1}})"));
  EXPECT_TRUE(refuses(Api::kAnthropicMessages,
                      R"({"type":"message","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],)"
                      R"("stop_reason":"end_turn","stop_sequence":null,"usage":{"output_tokens":1}})"));
  EXPECT_TRUE(refuses(Api::kOllamaChat, "no json"));
  EXPECT_TRUE(refuses(Api::kPlain, R"({"message":{"content":"4"},"done":true})"));
  EXPECT_EQ(WholeAnswerOf(Api::kOllamaChat, "text/plain", R"({"message":{"content":"4"},"done":true})"), std::nullopt);
}

TEST(WholeAnswerOf, BrokenStreamsAreRefused) {
  const std::string first = R"({"model":"m","message":{"role":"assistant","content":"4"},"done":false})"
                            "\n";
  const std::string last = R"({"model":"m","message":{"role":"assistant","content":""},"done":true})"
                           "\n";
  EXPECT_TRUE(FromStream(Api::kOllamaChat, first + last));
  EXPECT_FALSE(FromStream(Api::kOllamaChat, first)) << "cut";
  EXPECT_FALSE(FromStream(Api::kOllamaChat, first + "{\"mess\n" + last)) << "a frame that nobody can read";
  EXPECT_FALSE(FromStream(Api::kOllamaChat, first + "{\"error\":\"x\"}\n" + last));
  EXPECT_FALSE(FromStream(Api::kOllamaChat, R"({"message":{"content":"4"},"logprobs":[1],"done":false})"
                                            "\n" +
                                                last))
      << "of each frame, and the last one has none";
  EXPECT_FALSE(FromStream(Api::kOpenAiChat, first + last));
  const std::string start = R"({"type":"message_start","message":{"type":"message","content":[]}})";
  const std::string stop = R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})";
  EXPECT_FALSE(FromStream(Api::kAnthropicMessages, "data: " + start + "\n\ndata: " + stop + "\n\n")) << "no usage";
}

}  // namespace
}  // namespace runtime::dialect
