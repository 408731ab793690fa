// What a client of each dialect reads when the gateway itself answers.
#include <gtest/gtest.h>

#include <sstream>

#include <nlohmann/json.hpp>

#include "runtime/dialect/answer_reader.h"
#include "runtime/dialect/dialect.h"
#include "runtime/dialect/rfc3339.h"

namespace runtime::dialect {
namespace {

using compiler::model::Body;
using compiler::model::BodyKind;
using Json = nlohmann::ordered_json;

constexpr std::string_view kTime = "2026-01-28T10:20:00Z";
constexpr std::string_view kFounding = R"({
    "model": "qwen3-32b",
    "created_at": "2026-01-28T10:20:00Z",
    "message": "当前AI服务繁忙,请稍后再试",
    "is_fallback": true
  })";

ClientDialect Client(Api api, Shape shape) { return {api, shape, "qwen3:32b"}; }
Body JsonBody(std::string_view text) { return {BodyKind::kJson, std::string(text)}; }
Body TextBody(std::string_view text) { return {BodyKind::kText, std::string(text)}; }

std::vector<Json> Lines(const std::string& body) {
  std::vector<Json> lines;
  std::istringstream in(body);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

// The data of each event; every event must be one data line and an empty one.
std::vector<std::string> Events(const std::string& body) {
  std::vector<std::string> events;
  size_t at = 0;
  while (at < body.size()) {
    const size_t end = body.find("\n\n", at);
    EXPECT_NE(end, std::string::npos) << "an event without its empty line";
    if (end == std::string::npos) break;
    const std::string event = body.substr(at, end - at);
    EXPECT_TRUE(event.starts_with("data: ")) << event;
    EXPECT_EQ(event.find('\n'), std::string::npos) << event;
    events.push_back(event.substr(6));
    at = end + 2;
  }
  return events;
}

TEST(ShapeReply, JsonIsSentExactlyAsWrittenToAClientThatReadsJson) {
  for (const Api api : {Api::kPlain, Api::kOllamaChat, Api::kOpenAiChat}) {
    const ShapedBody shaped = ShapeReply(JsonBody(kFounding), Client(api, Shape::kJson), kTime);
    EXPECT_EQ(shaped.body, kFounding);
    EXPECT_EQ(shaped.content_type, "application/json");
  }
}

TEST(ShapeReply, JsonIsOneLineWithTheTerminalMarkForNdjson) {
  const ShapedBody shaped = ShapeReply(JsonBody(kFounding), Client(Api::kOllamaChat, Shape::kNdjson), kTime);
  EXPECT_EQ(shaped.content_type, "application/x-ndjson");
  const std::vector<Json> lines = Lines(shaped.body);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["is_fallback"], true);
  EXPECT_EQ(lines[0]["done"], true);
  EXPECT_EQ(lines[0]["message"], "当前AI服务繁忙,请稍后再试");
  EXPECT_EQ(shaped.body.back(), '\n');
}

TEST(ShapeReply, TerminalMarkIsOnlyAddedWhereItIsMissing) {
  const ClientDialect client = Client(Api::kOllamaGenerate, Shape::kNdjson);
  EXPECT_EQ(ShapeReply(JsonBody(R"({ "done": true, "a": 1 })"), client, kTime).body, "{\"done\":true,\"a\":1}\n");
  EXPECT_EQ(ShapeReply(JsonBody("{ }"), client, kTime).body, "{\"done\":true}\n");
  // A member of an inner object is not the mark.
  EXPECT_EQ(ShapeReply(JsonBody(R"({"a": {"done": true}})"), client, kTime).body,
            "{\"a\":{\"done\":true},\"done\":true}\n");
}

TEST(ShapeReply, CompactingKeepsNumbersAndStringsByteForByte) {
  const ShapedBody shaped =
      ShapeReply(JsonBody("{ \"n\" : 1.500e+03 ,\n \"big\": 12345678901234567890123, \"s\": \" a \\\" { \\\\\" }"),
                 Client(Api::kOllamaChat, Shape::kNdjson), kTime);
  EXPECT_EQ(shaped.body, "{\"n\":1.500e+03,\"big\":12345678901234567890123,\"s\":\" a \\\" { \\\\\",\"done\":true}\n");
}

TEST(ShapeReply, JsonThatIsNoObjectIsFollowedByTheMark) {
  const ShapedBody shaped = ShapeReply(JsonBody("[1, 2]"), Client(Api::kOllamaChat, Shape::kNdjson), kTime);
  const std::vector<Json> lines = Lines(shaped.body);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], Json::parse("[1,2]"));
  EXPECT_EQ(lines[1]["done"], true);
}

TEST(ShapeReply, JsonIsOneEventAndDoneForSse) {
  const ShapedBody shaped = ShapeReply(JsonBody(kFounding), Client(Api::kOpenAiChat, Shape::kSse), kTime);
  EXPECT_EQ(shaped.content_type, "text/event-stream");
  const std::vector<std::string> events = Events(shaped.body);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(Json::parse(events[0])["is_fallback"], true);
  EXPECT_EQ(events[1], "[DONE]");
}

TEST(ShapeReply, TextIsPlainForAPlainClient) {
  const ShapedBody shaped = ShapeReply(TextBody("Back soon."), Client(Api::kPlain, Shape::kJson), kTime);
  EXPECT_EQ(shaped.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(shaped.body, "Back soon.");
}

TEST(ShapeReply, TextIsAMessageOfOllama) {
  const Json chat =
      Json::parse(ShapeReply(TextBody("Back \"soon\"."), Client(Api::kOllamaChat, Shape::kJson), kTime).body);
  EXPECT_EQ(chat["model"], "qwen3:32b");
  EXPECT_EQ(chat["created_at"], kTime);
  EXPECT_EQ(chat["message"]["role"], "assistant");
  EXPECT_EQ(chat["message"]["content"], "Back \"soon\".");
  EXPECT_EQ(chat["done"], true);
  EXPECT_EQ(chat["done_reason"], "stop");

  const Json generate = Json::parse(ShapeReply(TextBody("x"), Client(Api::kOllamaGenerate, Shape::kJson), kTime).body);
  EXPECT_EQ(generate["response"], "x");
  EXPECT_EQ(generate["done"], true);
  EXPECT_FALSE(generate.contains("message"));
}

TEST(ShapeReply, TextIsAContentLineAndAMarkForNdjson) {
  const std::vector<Json> chat =
      Lines(ShapeReply(TextBody("Hi"), Client(Api::kOllamaChat, Shape::kNdjson), kTime).body);
  ASSERT_EQ(chat.size(), 2u);
  EXPECT_EQ(chat[0]["message"]["content"], "Hi");
  EXPECT_EQ(chat[0]["done"], false);
  EXPECT_EQ(chat[1]["message"]["content"], "");
  EXPECT_EQ(chat[1]["done"], true);

  const std::vector<Json> generate =
      Lines(ShapeReply(TextBody("Hi"), Client(Api::kOllamaGenerate, Shape::kNdjson), kTime).body);
  ASSERT_EQ(generate.size(), 2u);
  EXPECT_EQ(generate[0]["response"], "Hi");
  EXPECT_EQ(generate[1]["done"], true);
}

TEST(ShapeReply, TextIsACompletionOfOpenAi) {
  const Json chat = Json::parse(ShapeReply(TextBody("Hi"), Client(Api::kOpenAiChat, Shape::kJson), kTime).body);
  EXPECT_EQ(chat["object"], "chat.completion");
  EXPECT_EQ(chat["created"], 1769595600);
  EXPECT_EQ(chat["choices"][0]["message"]["content"], "Hi");
  EXPECT_EQ(chat["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(chat["usage"]["total_tokens"], 0);

  const Json old = Json::parse(ShapeReply(TextBody("Hi"), Client(Api::kOpenAiCompletions, Shape::kJson), kTime).body);
  EXPECT_EQ(old["object"], "text_completion");
  EXPECT_EQ(old["choices"][0]["text"], "Hi");
}

TEST(ShapeReply, TextIsDeltaFinishReasonAndDoneForSse) {
  const std::vector<std::string> events =
      Events(ShapeReply(TextBody("a\nb"), Client(Api::kOpenAiChat, Shape::kSse), kTime).body);
  ASSERT_EQ(events.size(), 3u);
  const Json content = Json::parse(events[0]);
  EXPECT_EQ(content["object"], "chat.completion.chunk");
  EXPECT_EQ(content["choices"][0]["delta"]["content"], "a\nb");
  EXPECT_TRUE(content["choices"][0]["finish_reason"].is_null());
  EXPECT_EQ(Json::parse(events[1])["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(events[2], "[DONE]");

  const std::vector<std::string> old =
      Events(ShapeReply(TextBody("x"), Client(Api::kOpenAiCompletions, Shape::kSse), kTime).body);
  ASSERT_EQ(old.size(), 3u);
  EXPECT_EQ(Json::parse(old[0])["choices"][0]["text"], "x");
}

TEST(ShapeReply, TextIsAResponse) {
  const Json whole = Json::parse(ShapeReply(TextBody("Hi"), Client(Api::kOpenAiResponses, Shape::kJson), kTime).body);
  EXPECT_EQ(whole["object"], "response");
  EXPECT_EQ(whole["status"], "completed");
  EXPECT_EQ(whole["output"][0]["content"][0]["text"], "Hi");
  const std::string stream = ShapeReply(TextBody("Hi"), Client(Api::kOpenAiResponses, Shape::kSse), kTime).body;
  EXPECT_TRUE(stream.starts_with("event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,")) << stream;
  EXPECT_NE(stream.find("event: response.output_text.delta\n"), std::string::npos);
  EXPECT_NE(stream.find("event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":8,"), std::string::npos);
}

TEST(ShapeReply, OnlyWhatAnswersInTextDoes) {
  ClientDialect client;
  EXPECT_TRUE(AnswersInText(client)) << "no API is known: text is text";
  client.family = ApiFamily::kOpenAi;
  EXPECT_FALSE(AnswersInText(client)) << "/v1/embeddings";
  client.api = Api::kOpenAiChat;
  EXPECT_TRUE(AnswersInText(client));
}

TEST(ShapeReply, EmptyReplyHasNoBodyAndNoType) {
  const ShapedBody shaped = ShapeReply(Body{}, Client(Api::kOllamaChat, Shape::kNdjson), kTime);
  EXPECT_EQ(shaped.body, "");
  EXPECT_EQ(shaped.content_type, "");
}

// What the gateway itself writes must pass for complete in its own eyes, too.
TEST(ShapeReply, EveryShapeCarriesItsTerminalMark) {
  for (const Body& body : {JsonBody(kFounding), TextBody("text"), JsonBody("[]")}) {
    for (const Api api : {Api::kOllamaChat, Api::kOllamaGenerate, Api::kOpenAiChat, Api::kOpenAiCompletions}) {
      const ClientDialect client = Client(api, StreamShapeOf(api));
      const ShapedBody shaped = ShapeReply(body, client, kTime);
      AnswerReader reader(api, 200, shaped.content_type);
      std::string_view rest = shaped.body;
      for (Frame frame; reader.Next(&rest, &frame);) EXPECT_FALSE(frame.reading.is_error) << frame.bytes;
      // An object of the policy's own is sent as it is: no answer of the API, but with its end.
      EXPECT_TRUE(body.kind == BodyKind::kText ? reader.IsComplete(false) : reader.saw_last()) << shaped.body;
      EXPECT_EQ(reader.MissingEnd(), "");
    }
  }
}

TEST(ShapeError, SpeaksTheDialectOfTheClient) {
  const ShapedBody ollama =
      ShapeError(Client(Api::kOllamaChat, Shape::kNdjson), 503, "breaker_open", "Try again.", "r-1");
  EXPECT_EQ(ollama.content_type, "application/json");
  const Json o = Json::parse(ollama.body);
  EXPECT_EQ(o["error"], "Try again.");
  EXPECT_EQ(o["code"], "breaker_open");
  EXPECT_EQ(o["request_id"], "r-1");

  const Json a =
      Json::parse(ShapeError(Client(Api::kOpenAiChat, Shape::kSse), 503, "breaker_open", "Try again.", "r-1").body);
  EXPECT_EQ(a["error"]["message"], "Try again.");
  EXPECT_EQ(a["error"]["type"], "server_error");
  EXPECT_EQ(a["error"]["code"], "breaker_open");
  EXPECT_EQ(a["request_id"], "r-1");
  const Json bad = Json::parse(ShapeError(Client(Api::kOpenAiChat, Shape::kJson), 400, "bad_request", "m", "r").body);
  EXPECT_EQ(bad["error"]["type"], "invalid_request_error");

  const Json plain = Json::parse(ShapeError(Client(Api::kPlain, Shape::kJson), 404, "no_route", "m", "r-2").body);
  EXPECT_EQ(plain["error"], "m");
  EXPECT_EQ(plain["code"], "no_route");
  EXPECT_EQ(plain["request_id"], "r-2");
}

TEST(ShapeError, IsThatOfTheFamilyWhereNoAnswerIsRead) {
  ClientDialect client;
  client.family = ApiFamily::kOpenAi;
  EXPECT_EQ(Json::parse(ShapeError(client, 413, "body", "Too large.", "r").body)["error"]["type"], "invalid_request_error");
  client.family = ApiFamily::kAnthropic;
  EXPECT_EQ(Json::parse(ShapeError(client, 413, "body", "Too large.", "r").body)["type"], "error");
  client.family = ApiFamily::kOllama;
  EXPECT_EQ(Json::parse(ShapeError(client, 413, "body", "Too large.", "r").body)["error"], "Too large.");
}

TEST(ErrorFrame, OfAResponseIsReadByEverybodyWhoReadsThem) {
  ClientDialect client = Client(Api::kOpenAiResponses, Shape::kSse);
  client.next_event = 7;
  const std::string frame = ErrorFrame(client, "truncated", "cut", "r-1");
  EXPECT_TRUE(frame.starts_with("event: error\ndata: {\"type\":\"error\",\"sequence_number\":7,")) << frame;
  EXPECT_NE(frame.find("\"error\":{\"message\":\"cut\""), std::string::npos) << "what SDKs look for";
  EXPECT_NE(frame.find("event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":8,"), std::string::npos) << "what Codex looks for";
}

TEST(ShapeError, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  const ShapedBody shaped =
      ShapeError(Client(Api::kOllamaChat, Shape::kJson), 502, "bad_response", "bad \xff byte", "r");
  EXPECT_EQ(Json::parse(shaped.body)["error"], "bad \xEF\xBF\xBD byte");
}

TEST(ErrorFrame, IsALineOrAnEventOrNothing) {
  const std::string line = ErrorFrame(Client(Api::kOllamaChat, Shape::kNdjson), "truncated", "cut", "r-1");
  const std::vector<Json> lines = Lines(line);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["error"], "cut");
  EXPECT_EQ(line.back(), '\n');
  EXPECT_FALSE(lines[0].contains("done"));

  const std::vector<std::string> events =
      Events(ErrorFrame(Client(Api::kOpenAiChat, Shape::kSse), "truncated", "cut", "r-1"));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(Json::parse(events[0])["error"]["message"], "cut");
  EXPECT_EQ(Json::parse(events[0])["request_id"], "r-1");

  EXPECT_EQ(ErrorFrame(Client(Api::kPlain, Shape::kJson), "truncated", "cut", "r-1"), "");
}

TEST(UnixSeconds, ReadsTimesOfRfc3339) {
  EXPECT_EQ(UnixSeconds("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(UnixSeconds("2026-01-28T10:20:00Z"), 1769595600);
  EXPECT_EQ(UnixSeconds("2026-01-28T10:20:00.123456789Z"), 1769595600);
  EXPECT_EQ(UnixSeconds("2026-01-28T12:20:00.5+02:00"), 1769595600);
  EXPECT_EQ(UnixSeconds("2026-02-30T00:00:00Z"), 0);
  EXPECT_EQ(UnixSeconds("soon"), 0);
}

}  // namespace
}  // namespace runtime::dialect
