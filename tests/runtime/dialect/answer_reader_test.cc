// What an answer is taken for, frame by frame and as a whole. Every story is told in one piece, split at every byte, and
// byte by byte: the frames must be the same.
#include <gtest/gtest.h>

#include <vector>

#include "runtime/dialect/answer_reader.h"
#include "tests/runtime/dialect/recorded_frames.h"

namespace runtime::dialect {
namespace {

constexpr std::string_view kNdjson = "application/x-ndjson";
constexpr std::string_view kSse = "text/event-stream; charset=utf-8";

// A frame in words: "text:Hel", "thinking:Hm", "tool", "error", "end" …
std::string Describe(const Frame& frame) {
  const FrameReading& r = frame.reading;
  if (!r.is_data) return "nothing";
  std::string text;
  const auto add = [&text](const std::string& word) { text += (text.empty() ? "" : " ") + word; };
  if (r.is_unread) add("unread");
  if (r.is_foreign) add("foreign");
  if (!r.thinking.empty()) add("thinking:" + std::string(r.thinking));
  if (!r.text.empty()) add("text:" + std::string(r.text));
  if (r.has_answer && r.text.empty()) add("other");
  if (r.has_thinking && r.thinking.empty()) add("other-thinking");
  if (!r.is_plain && !r.is_unread) add("special");
  if (r.is_error) add("error");
  if (r.is_terminal || r.is_last) add(r.is_last ? "last" : "terminal");
  if (r.prompt_tokens != kNoCount || r.completion_tokens != kNoCount)
    add("usage:" + std::to_string(r.prompt_tokens) + "/" + std::to_string(r.completion_tokens));
  return text.empty() ? "no content" : text;
}

struct Story {
  std::vector<std::string> frames;
  std::string bytes;  // all of them
  bool complete_if_framed = false;
  bool complete_if_closed = false;
  bool terminal = false;
  std::string missing;

  bool operator==(const Story&) const = default;
};

void Feed(AnswerReader* reader, std::string_view bytes, Story* story) {
  Frame frame;
  while (reader->Next(&bytes, &frame)) {
    story->frames.push_back(Describe(frame));
    story->bytes += frame.bytes;
  }
}

Story End(AnswerReader* reader, Story story) {
  Frame frame;
  if (reader->Finish(&frame)) {
    story.frames.push_back(Describe(frame));
    story.bytes += frame.bytes;
  }
  story.complete_if_framed = reader->IsComplete(true);
  story.complete_if_closed = reader->IsComplete(false);
  story.terminal = reader->is_finished() || (reader->saw_last() && reader->IsComplete(false));
  story.missing = reader->MissingEnd();
  return story;
}

Story Read(Api api, int status, std::string_view type, std::vector<std::string_view> pieces) {
  AnswerReader reader(api, status, type);
  Story story;
  for (const std::string_view piece : pieces) Feed(&reader, piece, &story);
  return End(&reader, std::move(story));
}

Story Tell(Api api, int status, std::string_view type, std::string_view body) {
  const Story whole = Read(api, status, type, {body});
  std::vector<std::string_view> bytes;
  for (size_t cut = 0; cut <= body.size(); ++cut) {
    const Story split = Read(api, status, type, {body.substr(0, cut), body.substr(cut)});
    if (split.frames.size() == whole.frames.size()) {
      EXPECT_EQ(split.frames, whole.frames) << "cut at byte " << cut << " of " << body;
    } else {  // only where there are no frames
      EXPECT_EQ(split.bytes, whole.bytes) << "cut at byte " << cut << " of " << body;
    }
    EXPECT_EQ(split.bytes, whole.bytes) << "cut at byte " << cut << " of " << body;
    EXPECT_EQ(split.complete_if_framed, whole.complete_if_framed) << "cut at byte " << cut << " of " << body;
    EXPECT_EQ(split.complete_if_closed, whole.complete_if_closed) << "cut at byte " << cut << " of " << body;
    if (cut < body.size()) bytes.push_back(body.substr(cut, 1));
  }
  const Story bytewise = Read(api, status, type, bytes);
  if (AnswerReader(api, status, type).has_frames()) {
    EXPECT_EQ(bytewise, whole) << body;
  }
  return whole;
}

bool IsComplete(Api api, std::string_view type, std::string_view body) {
  const Story story = Tell(api, 200, type, body);
  EXPECT_EQ(story.complete_if_framed, story.complete_if_closed) << body;
  EXPECT_EQ(story.complete_if_framed, story.terminal) << body;
  return story.complete_if_framed;
}

using Frames = std::vector<std::string>;

// ---- What servers send -----------------------------------------------------------------------------------------------

TEST(RecordedFrames, AreReadForWhatTheyAre) {
  for (const Recorded& recorded : kRecorded) {
    const Story story = Tell(recorded.api, 200, StreamShapeOf(recorded.api) == Shape::kSse ? kSse : kNdjson,
                             recorded.body);
    EXPECT_EQ(story.frames, Frames(recorded.frames)) << recorded.source;
    EXPECT_EQ(story.bytes, recorded.body) << recorded.source;
    EXPECT_EQ(story.complete_if_framed, recorded.is_complete) << recorded.source;
  }
}

TEST(RecordedFrames, EveryProperBeginningOfACompleteAnswerIsIncompleteUpToItsMark) {
  for (const Recorded& recorded : kRecorded) {
    if (!recorded.is_complete) continue;
    const std::string_view type = StreamShapeOf(recorded.api) == Shape::kSse ? kSse : kNdjson;
    size_t first_complete = 0;
    for (size_t size = 0; size <= recorded.body.size(); ++size) {
      const bool is_complete = Read(recorded.api, 200, type, {recorded.body.substr(0, size)}).complete_if_framed;
      if (is_complete && first_complete == 0) first_complete = size;
      EXPECT_EQ(is_complete, first_complete != 0) << recorded.source << ": " << size;
    }
    // The mark is the last brace of the frame that holds it.
    EXPECT_EQ(recorded.body[first_complete - 1], '}') << recorded.source;
    EXPECT_GT(first_complete, recorded.body.size() / 2) << recorded.source;
  }
}

// ---- Content ---------------------------------------------------------------------------------------------------------

TEST(Content, RoleAndLifecycleFramesHaveNone) {
  EXPECT_EQ(Tell(Api::kOpenAiChat, 200, kSse,
                 "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
                 "\"finish_reason\":null}]}\n\n: ping\n\n")
                .frames,
            (Frames{"no content", "nothing"}));
  EXPECT_EQ(Tell(Api::kOllamaChat, 200, kNdjson,
                 "{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":false}\n\r\n")
                .frames,
            (Frames{"no content", "nothing"}));
}

TEST(Content, RefusalsToolCallsAndTheUnknownAreAnswers) {
  const auto chunk = [](const std::string& delta) {
    return Tell(Api::kOpenAiChat, 200, kSse, "data: {\"choices\":[{\"delta\":" + delta + "}]}\n\n").frames.front();
  };
  EXPECT_EQ(chunk("{\"refusal\":\"No.\"}"), "other special");
  EXPECT_EQ(chunk("{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\"}}]}"), "other special");
  EXPECT_EQ(chunk("{\"audio\":{\"id\":\"a\"}}"), "other special");
  EXPECT_EQ(chunk("{\"tool_calls\":null,\"refusal\":null,\"content\":null}"), "no content");
  EXPECT_EQ(chunk("{\"reasoning\":\"Hm\"}"), "thinking:Hm");
  // … but what has nothing of the dialect is none: nobody commits to that.
  EXPECT_EQ(Tell(Api::kOpenAiChat, 200, kSse, "data: {\"x\":1}\n\n").frames.front(), "foreign special");
  EXPECT_EQ(Tell(Api::kOllamaChat, 200, kNdjson, "{\"x\":1}\n").frames.front(), "foreign special");
  EXPECT_EQ(Tell(Api::kOllamaChat, 200, kNdjson, "[1]\n").frames.front(), "foreign special");
}

TEST(Content, MalformedFrameSaysNothingAndIsPassedOn) {
  const Story story = Tell(Api::kOllamaChat, 200, kNdjson, "not json \"done\" true\n{\"done\":true}\n");
  EXPECT_EQ(story.frames, (Frames{"nothing", "last"}));
  EXPECT_TRUE(story.complete_if_framed);
  EXPECT_FALSE(IsComplete(Api::kOllamaChat, kNdjson, "not json \"done\" true\n"));
}

// ---- Marks -----------------------------------------------------------------------------------------------------------

TEST(Mark, NdjsonEndsWithDone) {
  EXPECT_TRUE(IsComplete(Api::kOllamaChat, kNdjson, "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"done\":true}\n"));
  EXPECT_TRUE(IsComplete(Api::kOllamaChat, kNdjson, "{\"done\":true}")) << "the last frame may lack its newline";
  EXPECT_TRUE(IsComplete(Api::kOllamaChat, kNdjson, "{\"done\" : true}\r\n"));
  EXPECT_TRUE(IsComplete(Api::kOllamaChat, "Application/X-NDJSON ; charset=utf-8", "{\"done\":true}\n"));
  EXPECT_TRUE(IsComplete(Api::kOllamaChat, kNdjson, "{\"done\":false,\"done\":true}\n")) << "the last one counts";
}

TEST(Mark, NdjsonWithoutDoneIsTruncatedHoweverWellHttpEnded) {
  EXPECT_FALSE(IsComplete(Api::kOllamaChat, kNdjson, ""));
  EXPECT_FALSE(IsComplete(Api::kOllamaChat, kNdjson, "{\"message\":{\"content\":\"a\"},\"done\":false}\n"));
  EXPECT_FALSE(IsComplete(Api::kOllamaChat, kNdjson, "{\"done\":true"));
  EXPECT_FALSE(IsComplete(Api::kOllamaChat, kNdjson, "{\"message\":{\"content\":\"{\\\"done\\\":true}\"},\"done\":false}\n"));
  EXPECT_FALSE(IsComplete(Api::kOllamaChat, kNdjson, "{\"message\":{\"done\":true},\"done\":false}\n"));
  EXPECT_FALSE(IsComplete(Api::kOllamaChat, kNdjson, "{\"done\":\"true\"}\n"));
}

TEST(Mark, PullEndsWithSuccess) {
  EXPECT_TRUE(IsComplete(Api::kOllamaPull, kNdjson, "{\"status\":\"pulling manifest\"}\n{\"status\":\"success\"}\n"));
  EXPECT_FALSE(IsComplete(Api::kOllamaPull, kNdjson, "{\"status\":\"writing manifest\"}\n"));
}

TEST(Mark, SseEndsWithFinishReasonOrDone) {
  constexpr Api kApi = Api::kOpenAiChat;
  EXPECT_TRUE(IsComplete(kApi, kSse, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"));
  const std::string said = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
  for (const char* done : {"data: [DONE]\n\n", "data:[DONE]\r\n\r\n", "data: [DONE]\r\r", "data: [DONE]"}) {
    EXPECT_TRUE(IsComplete(kApi, kSse, said + done)) << "unfinished, and over";
    EXPECT_FALSE(IsComplete(kApi, kSse, done)) << "nothing was said";
  }
  EXPECT_TRUE(IsComplete(kApi, kSse, ": comment\nevent: x\ndata: {\"choices\":\ndata: [{\"finish_reason\":\"length\"}]}\n\n"));
}

TEST(Mark, SseWithoutEitherIsTruncated) {
  constexpr Api kApi = Api::kOpenAiChat;
  EXPECT_FALSE(IsComplete(kApi, kSse, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"));
  EXPECT_FALSE(IsComplete(kApi, kSse, "data: {\"choices\":[{\"delta\":{\"content\":\"[DONE]\"}}]}\n\n"));
  EXPECT_FALSE(IsComplete(kApi, kSse, "data: {\"finish_reason\":\"stop\"}\n\n"));
  EXPECT_FALSE(IsComplete(kApi, kSse, ": [DONE]\n\n"));
}

TEST(Mark, EveryChoiceThatWasBegunMustBeFinished) {
  const std::string two = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},"
                          "{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\n";
  const std::string first = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
  const std::string second = "data: {\"choices\":[{\"index\":1,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n";
  EXPECT_FALSE(IsComplete(Api::kOpenAiChat, kSse, two + first));
  EXPECT_FALSE(IsComplete(Api::kOpenAiChat, kSse, two + second));
  EXPECT_TRUE(IsComplete(Api::kOpenAiChat, kSse, two + first + second));
  AnswerReader reader(Api::kOpenAiChat, 200, kSse, ReadingOptions{true, true, 2});
  const std::string body = two + first + "data: [DONE]\n\n";
  std::string_view rest = body;
  for (Frame frame; reader.Next(&rest, &frame);) {}
  EXPECT_EQ(reader.At(true), Completeness::kUnfinished) << "the server says that all is over, not that it is whole";
}

TEST(Mark, AnswerThatTheServerGaveUpIsAnError) {
  for (const char* reason : {"error", "abort"}) {
    const Story story = Tell(Api::kOpenAiChat, 200, kSse,
                             "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" + std::string(reason) +
                                 "\"}]}\n\ndata: [DONE]\n\n");
    EXPECT_FALSE(story.complete_if_framed) << reason;
  }
}

TEST(Mark, ErrorFrameIsNeverComplete) {
  const Story ollama = Tell(Api::kOllamaChat, 200, kNdjson, "{\"error\":\"out of memory\"}\n");
  EXPECT_EQ(ollama.frames, Frames{"error"});
  EXPECT_FALSE(ollama.complete_if_framed);
  EXPECT_TRUE(Tell(Api::kOllamaChat, 200, kNdjson, "{\"error\":null,\"done\":true}\n").complete_if_framed);
  EXPECT_TRUE(Tell(Api::kOllamaChat, 200, kNdjson, "{\"message\":{\"error\":\"x\"},\"done\":true}\n").complete_if_framed);

  const Story openai = Tell(Api::kOpenAiChat, 200, kSse, "data: {\"error\":{\"message\":\"x\"}}\n\ndata: [DONE]\n\n");
  EXPECT_FALSE(openai.complete_if_framed);
  EXPECT_FALSE(Tell(Api::kOllamaChat, 200, kNdjson, "{\"error\":\"out of memory\",\"done\":true}").complete_if_framed);
}

TEST(Mark, GatewayAddsTheEndThatStrictClientsWaitFor) {
  const std::string finish = "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}";
  for (const char* end : {"\n\n", "\n", ""}) {
    const Story story = Tell(Api::kOpenAiChat, 200, kSse, finish + end);
    EXPECT_EQ(story.missing, "data: [DONE]\n\n");
    EXPECT_EQ(story.bytes, finish + "\n\n") << "the last event gets the end that it lacks";
  }
  EXPECT_EQ(Tell(Api::kOpenAiChat, 200, kSse, finish + "\n\ndata: [DONE]\n\n").missing, "");
  EXPECT_EQ(Tell(Api::kOpenAiChat, 200, kSse, "data: {}\n\n").missing, "");
  EXPECT_EQ(Tell(Api::kAnthropicMessages, 200, kSse,
                 "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n")
                .missing,
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

TEST(Mark, PieceOfAFrameIsNeverPassedOn) {
  const Story lines = Tell(Api::kOllamaChat, 200, kNdjson, "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"mess");
  EXPECT_EQ(lines.bytes, "{\"message\":{\"content\":\"a\"},\"done\":false}\n");
  const Story after = Tell(Api::kOllamaChat, 200, kNdjson, "{\"done\":true}\n{\"mess");
  EXPECT_TRUE(after.complete_if_framed);
  EXPECT_EQ(after.bytes, "{\"done\":true}\n");
}

// ---- No frames -------------------------------------------------------------------------------------------------------

TEST(NoFrames, JsonThatEndsWithItsConnectionMustBeWhole) {
  const std::string body = R"({"a":[1,"]}\"",{"b":"\\"}],"c":2})";
  for (size_t size = 0; size <= body.size(); ++size) {
    const Story story = Read(Api::kOllamaChat, 200, "application/json", {std::string_view(body).substr(0, size)});
    EXPECT_EQ(story.complete_if_closed, size == body.size()) << body.substr(0, size);
    EXPECT_TRUE(story.complete_if_framed);
  }
  EXPECT_TRUE(Tell(Api::kPlain, 200, "application/json; charset=utf-8", body + "\n").complete_if_closed);
  EXPECT_FALSE(Tell(Api::kPlain, 200, "application/json", "12").complete_if_closed) << "it could have gone on";
}

TEST(NoFrames, DialectAppliesOnlyWhereItIsItsOwn) {
  EXPECT_TRUE(Tell(Api::kOllamaChat, 200, "text/html", "<html>").complete_if_closed);
  EXPECT_TRUE(Tell(Api::kOpenAiChat, 200, kNdjson, "{}\n").complete_if_framed);
  EXPECT_TRUE(Tell(Api::kOllamaChat, 503, kNdjson, "{}\n").complete_if_framed) << "an error status is no stream";
  EXPECT_TRUE(Tell(Api::kPlain, 200, kNdjson, "{}\n").complete_if_framed);
}

TEST(NoFrames, WholeObjectIsReadAsOne) {
  EXPECT_TRUE(ReadObject(Api::kOllamaChat, "{\"done\":false}")->is_unfinished);
  EXPECT_FALSE(ReadObject(Api::kOllamaChat, "{\"done\":true}")->is_unfinished);
  EXPECT_FALSE(ReadObject(Api::kOllamaChat, "{\"models\":[]}")->is_unfinished);
  EXPECT_TRUE(ReadObject(Api::kOpenAiChat, "{\"error\":{\"code\":\"x\"}}")->is_error);
  EXPECT_FALSE(ReadObject(Api::kOpenAiChat, "{\"error\":").has_value());
  const auto answer = ReadObject(
      Api::kOpenAiChat,
      R"({"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}})");
  EXPECT_EQ(answer->text, "Hi");
  EXPECT_EQ(answer->model, "m");
  EXPECT_EQ(answer->prompt_tokens, 3);
}

// ---- What waits for its end -----------------------------------------------------------------------------------------

AnswerReader::Pending PendingIn(Api api, std::string_view type, std::string_view bytes) {
  AnswerReader reader(api, 200, type);
  for (Frame frame; reader.Next(&bytes, &frame);) {}
  return reader.Peek();
}

TEST(Pending, AMarkThatLacksItsEndIsOne) {
  using Pending = AnswerReader::Pending;
  const std::string chat = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
  for (const char* mark : {"data: [DONE]", "data: [DONE]\n", "data:[DONE]\r\n"}) {
    EXPECT_EQ(PendingIn(Api::kOpenAiChat, kSse, chat + mark), Pending::kLast) << mark;
    EXPECT_EQ(PendingIn(Api::kOpenAiResponses, kSse, mark), Pending::kNothing) << "of another API";
  }
  for (const char* piece : {"data: [DON", "data: ", "d", ": [DONE]", "data: {\"choices\":[]}"}) {
    EXPECT_EQ(PendingIn(Api::kOpenAiChat, kSse, chat + piece), Pending::kNothing) << piece;
  }
  EXPECT_EQ(PendingIn(Api::kOllamaChat, kNdjson, "{\"done\":true}"), Pending::kLast);
  EXPECT_EQ(PendingIn(Api::kOllamaChat, kNdjson, "{\"done\":true"), Pending::kNothing);
  EXPECT_EQ(PendingIn(Api::kOllamaChat, kNdjson, "{\"message\":{\"content\":\"true\"},\"done\":false}"), Pending::kNothing);
  EXPECT_EQ(PendingIn(Api::kAnthropicMessages, kSse, "data: {\"type\":\"message_stop\"}\n"), Pending::kLast);
  EXPECT_EQ(PendingIn(Api::kOpenAiResponses, kSse, "event: response.completed\ndata: {\"type\":\"response.completed\"}"), Pending::kLast);
}

TEST(Pending, AReasonThatLacksItsEndIsOne) {
  using Pending = AnswerReader::Pending;
  for (const char* end : {"", "\n", "\r\n"}) {
    EXPECT_EQ(PendingIn(Api::kOpenAiChat, kSse, std::string("data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}") + end), Pending::kFinishes);
    EXPECT_EQ(PendingIn(Api::kOpenAiChat, kSse, std::string("data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}") + end), Pending::kNothing);
    EXPECT_EQ(PendingIn(Api::kAnthropicMessages, kSse, std::string("data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}") + end), Pending::kFinishes);
  }
  EXPECT_EQ(PendingIn(Api::kOpenAiChat, kSse, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}"), Pending::kNothing);
}

TEST(Pending, ContentBehindAReasonTakesItBackBeforeItsEndIsThere) {
  using Pending = AnswerReader::Pending;
  const std::string stop = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n";
  EXPECT_EQ(PendingIn(Api::kOpenAiChat, kSse, stop + "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}"), Pending::kTakesBack);
  EXPECT_EQ(PendingIn(Api::kOpenAiChat, kSse, stop + "data: {\"error\":\"boom\"}"), Pending::kTakesBack);
  EXPECT_EQ(PendingIn(Api::kOpenAiChat, kSse, stop + "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}"), Pending::kNothing);
  EXPECT_EQ(PendingIn(Api::kOpenAiChat, kSse, stop + "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}"), Pending::kNothing);
}

// ---- Framing --------------------------------------------------------------------------------------------------------

TEST(Framing, EventsWithoutBlankLinesAreEventsOfTheirOwn) {
  const std::string a = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}";
  const std::string stop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}";
  for (const char* end : {"\n", "\r\n", "\r"}) {
    const Story story = Tell(Api::kOpenAiChat, 200, kSse, a + end + stop + end + "data: [DONE]" + end);
    EXPECT_EQ(story.frames, (Frames{"text:a", "terminal", "last"})) << int(*end);
    EXPECT_TRUE(story.complete_if_closed);
  }
  EXPECT_EQ(Tell(Api::kOpenAiChat, 200, kSse, "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"a\"}}]}\n\n").frames, Frames{"text:a"}) << "one over two lines";
}

TEST(Framing, ANameThatStandsByItselfIsThatOfTheNext) {
  EXPECT_EQ(Tell(Api::kAnthropicMessages, 200, kSse, "event: message_stop\n\ndata: {}\n\n").frames, (Frames{"nothing", "last"}));
  EXPECT_EQ(Tell(Api::kOpenAiChat, 200, kSse, "event: error\n\ndata: {\"message\":\"x\"}\n\n").frames, (Frames{"nothing", "error"}));
  const std::string finished = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n";
  EXPECT_FALSE(Tell(Api::kOpenAiChat, 200, kSse, finished + "event: error\n\n").complete_if_framed) << "it was about to say what";
  EXPECT_TRUE(Tell(Api::kOpenAiChat, 200, kSse, "event: ping\n\n" + finished).complete_if_framed);
}

// ---- Spellings ------------------------------------------------------------------------------------------------------

TEST(Spelling, OfAReason) {
  const auto is_complete = [](const std::string& choice) {
    return IsComplete(Api::kOpenAiChat, kSse, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}," + choice + "}]}\n\n");
  };
  for (const char* reason : {"\"finish_reason\":\"STOP\"", "\"finish_reason\":null,\"finishReason\":\"stop\"", "\"finish_details\":{\"type\":\"stop\"}",
                             "\"index\":1,\"finish_reason\":\"stop\""}) {
    EXPECT_TRUE(is_complete(reason)) << reason;
  }
  for (const char* none : {"null", "\"\"", "\" \"", "\"null\"", "\"NULL\"", "\"None\"", "\"nil\"", "\"undefined\"", "\"NaN\"", "\"false\"", "false", "0", "{}", "[]",
                           "\"FINISH_REASON_UNSPECIFIED\"", "\"not_finished\"", "\"in_progress\"", "\"pending\"", "\"N/A\""}) {
    EXPECT_FALSE(is_complete("\"finish_reason\":" + std::string(none))) << none;
  }
}

TEST(Spelling, OfAnEndThatIsNone) {
  EXPECT_FALSE(IsComplete(Api::kAnthropicMessages, kSse,
                          "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[],\"stop_reason\":\"end_turn\"}}\n\n"))
      << "what begins has not ended";
}

TEST(Spelling, OfAnError) {
  const std::string said = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
  const std::string done = "data: [DONE]\n\n";
  for (const char* error :
       {"data: error: boom\n\n", "data: [ERROR] boom\n\n", "data: Internal Server Error\n\n", "event: modelStreamErrorException\ndata: {\"message\":\"x\"}\n\n",
        "event: stream-error\ndata: x\n\n", "event: Failure\ndata: {}\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\"\",\"error\":{\"message\":\"x\"}}}]}\n\n",
        "data: {\"choices\":[{\"del\ndata: {\"error\":{\"message\":\"x\"}}\n\n", "data: {\"detail\":\"model crashed\"}\n\n", "data: {\"type\":\"error\",\"message\":\"x\"}\n\n",
        "data: {\"type\":\"error\"}\n\n", "data: {\"error_code\":50003,\"text\":\"x\"}\n\n", "data: {\"Error\":\"x\"}\n\n", "data: {\"exception\":\"ValueError: x\"}\n\n",
        "data: {\"status\":{\"code\":\"FAILED\",\"message\":\"x\"}}\n\n", "data: {\"fault\":{\"faultstring\":\"x\"}}\n\n", "data: {\"output\":{\"error\":\"x\"}}\n\n",
        "data: <html><body>502 Bad Gateway</body></html>\n\n", "data: upstream connect error or disconnect/reset before headers\n\n",
        "data: {'error': {'message': 'x'}}\n\n", "data: {\"error\":{\"message\":\"bo\n\n", "data: The model is overloaded, try again later\n\n"}) {
    EXPECT_FALSE(Tell(Api::kOpenAiChat, 200, kSse, said + error + done).complete_if_framed) << error;
  }
  for (const char* none : {"data: errors are common\n\n", "event: response.mcp_call.failed\ndata: {\"choices\":[]}\n\n", "data: {\"choices\":[],\"error\":\"ok\"}\n\n",
                           "data: {\"choices\":[],\"error\":{\"code\":0,\"message\":\"success\"}}\n\n", "data: {\"choices\":[],\"error\":{\"code\":200,\"message\":\"OK\"}}\n\n",
                           "data: {\"sources\":[\"x\"]}\n\n", "data: {\"error_code\":0}\n\n", "data: ping\n\n", "data: [HEARTBEAT]\n\n", "data: keep alive\n\n",
                           "data: the queue is overloaded, still waiting\n\n"}) {
    EXPECT_TRUE(Tell(Api::kOpenAiChat, 200, kSse, said + none + done).complete_if_framed) << none;
  }
  for (const char* body : {"null", "[]", "true", "12", "[{\"choices\":[]}]"}) {
    EXPECT_EQ(ReadWhole(Api::kOpenAiChat, body).verdict, WholeVerdict::kNoAnswer) << body;
  }
}

// ---- Long frames -----------------------------------------------------------------------------------------------------

TEST(LongFrame, PassesUninspectedAndTheMarkIsFoundAfterIt) {
  const std::string longest(AnswerReader::kMaxFrameBytes + 1, 'x');
  AnswerReader lines(Api::kOllamaChat, 200, kNdjson);
  Story story;
  Feed(&lines, longest, &story);
  EXPECT_EQ(story.bytes, longest) << "it is not kept";
  EXPECT_FALSE(lines.IsComplete(true)) << "it is not over";
  EXPECT_EQ(lines.FrameBreak(), "\n");
  Feed(&lines, "tail\n", &story);
  EXPECT_EQ(story.bytes, longest + "tail\n");
  EXPECT_EQ(lines.FrameBreak(), "");
  EXPECT_FALSE(lines.IsComplete(false));
  EXPECT_TRUE(lines.IsComplete(true)) << "what can't be looked at is left to HTTP";
  Feed(&lines, "{\"done\":false}\n", &story);
  EXPECT_FALSE(lines.IsComplete(true));
  Feed(&lines, "{\"done\":true}\n", &story);
  EXPECT_TRUE(lines.IsComplete(false));

  AnswerReader events(Api::kOpenAiChat, 200, kSse);
  Feed(&events, "data: " + longest, &story);
  EXPECT_EQ(events.FrameBreak(), "\n\n");
  Feed(&events, "\n", &story);
  EXPECT_EQ(events.FrameBreak(), "\n");
  Feed(&events, "\n", &story);
  EXPECT_EQ(events.FrameBreak(), "");
  EXPECT_TRUE(events.IsComplete(true));
  Feed(&events, "data: [DONE]\n\n", &story);
  EXPECT_TRUE(events.IsComplete(false));
}

TEST(LongFrame, OneThatFitsIsLookedAtInWhateverPieces) {
  const std::string padding(AnswerReader::kMaxFrameBytes - 100, 'x');
  AnswerReader reader(Api::kOllamaChat, 200, kNdjson);
  Story story;
  Feed(&reader, "{\"context\":\"", &story);
  for (size_t at = 0; at < padding.size(); at += 4096) Feed(&reader, std::string_view(padding).substr(at, 4096), &story);
  Feed(&reader, "\",\"done\":true}\n", &story);
  EXPECT_TRUE(reader.IsComplete(false));
}

}  // namespace
}  // namespace runtime::dialect
