// Bodies as Ollama's documentation shows them.
#include "examples/flaky_ollama/chat_api.h"

#include <gtest/gtest.h>

#include <sstream>

namespace examples::flaky_ollama {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr base::WallTime kNow{1769595722s + 123456789ns};  // 2026-01-28T10:22:02.123456789Z
constexpr AnswerTimes kTimes{kNow, 2300ms, 575ms};

ApiCall Call(Endpoint endpoint, std::string_view body) {
  const auto parsed = ParseApiCall(endpoint, body);
  EXPECT_TRUE(std::holds_alternative<ApiCall>(parsed)) << body;
  return std::holds_alternative<ApiCall>(parsed) ? std::get<ApiCall>(parsed) : ApiCall{};
}

ApiError Refused(Endpoint endpoint, std::string_view body) {
  const auto parsed = ParseApiCall(endpoint, body);
  EXPECT_TRUE(std::holds_alternative<ApiError>(parsed)) << body;
  return std::holds_alternative<ApiError>(parsed) ? std::get<ApiError>(parsed) : ApiError{};
}

// The data of each event.
std::vector<std::string> Events(const std::string& text) {
  std::vector<std::string> events;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = text.find("\n\n", begin);
    EXPECT_EQ(text.substr(begin, 6), "data: ");
    events.push_back(text.substr(begin + 6, end - begin - 6));
    begin = end + 2;
  }
  return events;
}

TEST(ChatApi, OllamaStreamsUnlessToldNotToAndOpenAiTheOtherWayRound) {
  constexpr std::string_view kBody = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
  EXPECT_TRUE(Call(Endpoint::kChat, kBody).stream);
  EXPECT_FALSE(Call(Endpoint::kOpenAiChat, kBody).stream);
  EXPECT_FALSE(Call(Endpoint::kChat, R"({"model":"m","stream":false,"messages":[{}]})").stream);
  EXPECT_TRUE(Call(Endpoint::kOpenAiChat, R"({"model":"m","stream":true,"messages":[{}]})").stream);
}

TEST(ChatApi, RefusesWhatOllamaRefuses) {
  EXPECT_EQ(Refused(Endpoint::kChat, "").message, "missing request body");
  EXPECT_EQ(Refused(Endpoint::kChat, "{").status, 400);
  EXPECT_EQ(Refused(Endpoint::kChat, "[]").status, 400);
  EXPECT_EQ(Refused(Endpoint::kChat, "{}").message, "model is required");
  EXPECT_EQ(Refused(Endpoint::kChat, R"({"model":""})").message, "model is required");
  EXPECT_EQ(Refused(Endpoint::kChat, R"({"model":"m","stream":"yes"})").status, 400);
  EXPECT_EQ(Refused(Endpoint::kOpenAiChat, R"({"model":"m","messages":[]})").status, 400);
}

TEST(ChatApi, WithoutAPromptTheModelIsOnlyLoaded) {
  const ApiCall load = Call(Endpoint::kGenerate, R"({"model":"m"})");
  EXPECT_TRUE(load.only_load);
  const json loaded = json::parse(Answer(load, 1, 1, 24, 0).Whole(kTimes));
  EXPECT_EQ(loaded["done_reason"], "load");
  EXPECT_EQ(loaded["response"], "");
  EXPECT_EQ(loaded["done"], true);
  const json unloaded = json::parse(
      Answer(Call(Endpoint::kChat, R"({"model":"m","messages":[],"keep_alive":0})"), 1, 1, 24, 0).Whole(kTimes));
  EXPECT_EQ(unloaded["done_reason"], "unload");
  EXPECT_EQ(unloaded["message"]["content"], "");
}

TEST(ChatApi, AChatStreamIsLinesWithOneClosingMark) {
  const Answer answer(Call(Endpoint::kChat, R"({"model":"qwen3:32b","messages":[{"role":"user","content":"hi"}]})"), 1,
                      7, 5, 0);
  EXPECT_EQ(answer.content_type(), "application/x-ndjson");
  ASSERT_EQ(answer.tokens(), 5);
  std::string stream;
  for (int64_t i = 0; i < answer.tokens(); ++i) stream += answer.Token(i, kNow);
  stream += answer.End(kTimes);

  std::istringstream lines(stream);
  std::string line;
  std::string text;
  int done = 0;
  int count = 0;
  json last;
  while (std::getline(lines, line)) {
    last = json::parse(line);
    ++count;
    EXPECT_EQ(last["model"], "qwen3:32b");
    EXPECT_EQ(last["created_at"], "2026-01-28T10:22:02.123456789Z");
    EXPECT_EQ(last["message"]["role"], "assistant");
    text += last["message"]["content"];
    done += last["done"] == true ? 1 : 0;
  }
  EXPECT_EQ(count, 6);
  EXPECT_EQ(done, 1);
  EXPECT_EQ(text.substr(0, 9), "Answer 7:");
  EXPECT_EQ(last["done"], true);
  EXPECT_EQ(last["done_reason"], "stop");
  EXPECT_EQ(last["total_duration"], 2'300'000'000);
  EXPECT_EQ(last["eval_count"], 5);
  for (const char* member : {"load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_duration"}) {
    EXPECT_TRUE(last.contains(member)) << member;
  }

  // The same call without a stream says the same.
  const Answer whole(
      Call(Endpoint::kChat, R"({"model":"qwen3:32b","stream":false,"messages":[{"role":"user","content":"hi"}]})"), 1,
      7, 5, 0);
  const json body = json::parse(whole.Whole(kTimes));
  EXPECT_EQ(body["message"]["content"], text);
  EXPECT_EQ(body["done"], true);
  EXPECT_EQ(whole.content_type(), "application/json; charset=utf-8");
}

TEST(ChatApi, GenerateSpeaksOfResponses) {
  const Answer answer(Call(Endpoint::kGenerate, R"({"model":"m","prompt":"why"})"), 1, 3, 4, 0);
  EXPECT_EQ(json::parse(answer.Token(0, kNow))["response"], "Answer");
  EXPECT_FALSE(json::parse(answer.Token(0, kNow)).contains("message"));
  EXPECT_EQ(json::parse(answer.End(kTimes))["response"], "");
}

TEST(ChatApi, OpenAiEventsEndWithDone) {
  const Answer answer(
      Call(
          Endpoint::kOpenAiChat,
          R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]})"),
      1, 9, 3, 0);
  EXPECT_EQ(answer.content_type(), "text/event-stream");
  const json first = json::parse(Events(answer.Token(0, kNow)).at(0));
  EXPECT_EQ(first["object"], "chat.completion.chunk");
  EXPECT_EQ(first["choices"][0]["delta"]["content"], "Answer");
  EXPECT_TRUE(first["choices"][0]["finish_reason"].is_null());

  const std::vector<std::string> end = Events(answer.End(kTimes));
  ASSERT_EQ(end.size(), 3u);
  EXPECT_EQ(json::parse(end[0])["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(json::parse(end[1])["usage"]["completion_tokens"], 3);
  EXPECT_TRUE(json::parse(end[1])["choices"].empty());
  EXPECT_EQ(end[2], "[DONE]");
}

TEST(ChatApi, OpenAiWholeAnswersCarryUsage) {
  const Answer answer(
      Call(Endpoint::kOpenAiChat, R"({"model":"m","max_tokens":2,"messages":[{"role":"user","content":"hi"}]})"), 1, 9,
      3, 0);
  const json body = json::parse(answer.Whole(kTimes));
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["choices"][0]["message"]["content"], "Answer 9:");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(body["usage"]["completion_tokens"], 2);
}

TEST(ChatApi, GivesAsManyTokensAsAsked) {
  EXPECT_EQ(Answer(Call(Endpoint::kGenerate, R"({"model":"m","prompt":"x","options":{"num_predict":3}})"), 1, 1, 24, 0)
                .tokens(),
            3);
  EXPECT_EQ(
      Answer(Call(Endpoint::kGenerate, R"({"model":"m","prompt":"x","options":{"num_predict":500}})"), 1, 1, 24, 0)
          .tokens(),
      500);
  EXPECT_EQ(Answer(Call(Endpoint::kGenerate, R"({"model":"m","prompt":"x","options":{"num_predict":-1}})"), 1, 1, 24, 0)
                .tokens(),
            24);
}

TEST(ChatApi, ThinkingComesFirstAndApart) {
  const Answer answer(Call(Endpoint::kChat, R"({"model":"m","messages":[{}]})"), 1, 1, 2, 3);
  ASSERT_EQ(answer.tokens(), 5);
  for (int64_t i = 0; i < 5; ++i) {
    const json message = json::parse(answer.Token(i, kNow))["message"];
    EXPECT_EQ(message.contains("thinking"), i < 3);
    EXPECT_EQ(message["content"] == "", i < 3);
  }
}

TEST(ChatApi, ErrorsLookAsEachKindOfClientExpects) {
  EXPECT_EQ(ErrorBody(Endpoint::kChat, 500, "out of memory"), R"({"error":"out of memory"})");
  const json openai = json::parse(ErrorBody(Endpoint::kOpenAiChat, 400, "no"));
  EXPECT_EQ(openai["error"]["message"], "no");
  EXPECT_EQ(openai["error"]["type"], "invalid_request_error");
  const Answer answer(Call(Endpoint::kChat, R"({"model":"m","messages":[{}]})"), 1, 1, 2, 0);
  EXPECT_EQ(answer.StreamError("boom"), "{\"error\":\"boom\"}\n");
}

TEST(ChatApi, TheSameSeedAndNumberGiveTheSameWords) {
  const ApiCall call = Call(Endpoint::kChat, R"({"model":"m","messages":[{}]})");
  EXPECT_EQ(Answer(call, 5, 11, 30, 0).Whole(kTimes), Answer(call, 5, 11, 30, 0).Whole(kTimes));
  EXPECT_NE(Answer(call, 5, 11, 30, 0).Whole(kTimes), Answer(call, 5, 12, 30, 0).Whole(kTimes));
  EXPECT_NE(Answer(call, 5, 11, 30, 0).Whole(kTimes), Answer(call, 6, 11, 30, 0).Whole(kTimes));
}

TEST(ChatApi, MessageOfTheAssistantAtTheEndIsContinued) {
  const std::string question = R"({"model":"m","messages":[{"role":"user","content":"hi"})";
  for (const Endpoint endpoint : {Endpoint::kChat, Endpoint::kOpenAiChat}) {
    const auto text_of = [&](const ApiCall& call) {
      const json body = json::parse(Answer(call, 5, 11, 24, 3).Whole(kTimes));
      return (endpoint == Endpoint::kChat ? body["message"] : body["choices"][0]["message"])["content"].get<std::string>();
    };
    const std::string end = R"(],"stream":false})";
    const std::string whole = text_of(Call(endpoint, question + end));
    for (size_t at = whole.find_first_of(" ."); at != std::string::npos; at = whole.find_first_of(" .", at + 1)) {
      const json said = {{"role", "assistant"}, {"content", whole.substr(0, at)}};
      const std::string rest = text_of(Call(endpoint, question + "," + said.dump() + end));
      EXPECT_EQ(whole.substr(0, at) + rest, whole);
    }
  }
}

TEST(ChatApi, ListsItsModel) {
  const json tags = json::parse(TagsBody("qwen3:32b"));
  EXPECT_EQ(tags["models"][0]["name"], "qwen3:32b");
  EXPECT_EQ(tags["models"][0]["details"]["family"], "qwen3");
  const json ps = json::parse(PsBody("qwen3:32b", kNow));
  EXPECT_EQ(ps["models"][0]["expires_at"], "2026-01-28T10:22:02.123456789Z");
  EXPECT_GT(ps["models"][0]["size_vram"], 0);
  EXPECT_EQ(json::parse(OpenAiModelsBody("m"))["data"][0]["id"], "m");
}

}  // namespace
}  // namespace examples::flaky_ollama
