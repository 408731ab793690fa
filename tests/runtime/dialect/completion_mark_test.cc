// Whether an answer that passed may be taken for complete. Every story is told in one piece and split at every byte.
#include <gtest/gtest.h>

#include "runtime/dialect/dialect.h"

namespace runtime::dialect {
namespace {

const ClientDialect kChat{Api::kOllamaChat, Shape::kNdjson, "m"};
const ClientDialect kOpenAi{Api::kOpenAiChat, Shape::kSse, "m"};
const ClientDialect kPlain{};
constexpr std::string_view kNdjson = "application/x-ndjson";
constexpr std::string_view kSse = "text/event-stream; charset=utf-8";

struct Ending {
  bool complete_if_framed = false;
  bool complete_if_closed = false;
  bool error = false;
  std::string frame_break;
  std::string missing;

  bool operator==(const Ending&) const = default;
};

Ending LookAt(const CompletionMark& mark) {
  return {mark.IsComplete(true), mark.IsComplete(false), mark.saw_error(), std::string(mark.FrameBreak()),
          mark.MissingEnd()};
}

Ending Tell(const ClientDialect& client, int status, std::string_view type, std::string_view body) {
  CompletionMark whole(client, status, type);
  whole.Feed(body);
  const Ending ending = LookAt(whole);
  for (size_t cut = 0; cut <= body.size(); ++cut) {
    CompletionMark split(client, status, type);
    split.Feed(body.substr(0, cut));
    split.Feed(body.substr(cut));
    EXPECT_EQ(LookAt(split), ending) << "cut at byte " << cut << " of " << body;
  }
  CompletionMark bytewise(client, status, type);
  for (const char& c : body) bytewise.Feed(std::string_view(&c, 1));
  EXPECT_EQ(LookAt(bytewise), ending) << "byte by byte: " << body;
  return ending;
}

bool IsComplete(const ClientDialect& client, std::string_view type, std::string_view body) {
  const Ending ending = Tell(client, 200, type, body);
  EXPECT_EQ(ending.complete_if_framed, ending.complete_if_closed) << body;
  return ending.complete_if_framed;
}

TEST(CompletionMark, NdjsonEndsWithDone) {
  EXPECT_TRUE(IsComplete(kChat, kNdjson, "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"done\":true}\n"));
  EXPECT_TRUE(IsComplete(kChat, kNdjson, "{\"done\":true}")) << "the last frame may lack its newline";
  EXPECT_TRUE(IsComplete(kChat, kNdjson, "{\"done\" : true}\r\n"));
  EXPECT_TRUE(IsComplete(kChat, "Application/X-NDJSON ; charset=utf-8", "{\"done\":true}\n"));
}

TEST(CompletionMark, NdjsonWithoutDoneIsTruncatedHoweverWellHttpEnded) {
  EXPECT_FALSE(IsComplete(kChat, kNdjson, ""));
  EXPECT_FALSE(IsComplete(kChat, kNdjson, "{\"message\":{\"content\":\"a\"},\"done\":false}\n"));
  EXPECT_FALSE(IsComplete(kChat, kNdjson, "{\"done\":true"));
  EXPECT_FALSE(IsComplete(kChat, kNdjson, "{\"message\":{\"content\":\"{\\\"done\\\":true}\"},\"done\":false}\n"));
  EXPECT_FALSE(IsComplete(kChat, kNdjson, "{\"message\":{\"done\":true},\"done\":false}\n"));
  EXPECT_FALSE(IsComplete(kChat, kNdjson, "{\"done\":\"true\"}\n"));
}

TEST(CompletionMark, EveryProperBeginningOfANdjsonStreamIsIncomplete) {
  const std::string body =
      "{\"message\":{\"content\":\"true\"},\"done\":false}\n{\"done\":true,\"done_reason\":\"stop\"}";
  for (size_t size = 0; size < body.size(); ++size) {
    CompletionMark mark(kChat, 200, kNdjson);
    mark.Feed(std::string_view(body).substr(0, size));
    EXPECT_FALSE(mark.IsComplete(true)) << body.substr(0, size);
  }
}

TEST(CompletionMark, MalformedLineSaysNothing) {
  EXPECT_TRUE(IsComplete(kChat, kNdjson, "not json \"done\" true\n{\"done\":true}\n"));
  EXPECT_FALSE(IsComplete(kChat, kNdjson, "not json \"done\" true\n"));
}

TEST(CompletionMark, ErrorFrameIsSeenAndNeverComplete) {
  const Ending ollama = Tell(kChat, 200, kNdjson, "{\"error\":\"out of memory\"}\n");
  EXPECT_TRUE(ollama.error);
  EXPECT_FALSE(ollama.complete_if_framed);
  EXPECT_TRUE(Tell(kChat, 200, kNdjson, "{\"done\":true}\n{\"error\":\"late\"}\n").error);
  EXPECT_FALSE(Tell(kChat, 200, kNdjson, "{\"error\":null,\"done\":true}\n").error);
  EXPECT_FALSE(Tell(kChat, 200, kNdjson, "{\"message\":{\"error\":\"x\"},\"done\":true}\n").error);

  const Ending openai = Tell(kOpenAi, 200, kSse, "data: {\"error\":{\"message\":\"x\"}}\n\n");
  EXPECT_TRUE(openai.error);
  EXPECT_FALSE(openai.complete_if_framed);
  // Not seen as an error before the frame is whole, but not complete either.
  const Ending unfinished = Tell(kChat, 200, kNdjson, "{\"error\":\"out of memory\",\"done\":true}");
  EXPECT_FALSE(unfinished.error);
  EXPECT_FALSE(unfinished.complete_if_framed);
}

TEST(CompletionMark, FrameIsSeenWhenItIsWhole) {
  CompletionMark lines(kChat, 200, kNdjson);
  lines.Feed("\r\n{\"message\":");
  EXPECT_FALSE(lines.saw_frame()) << "an empty line is none";
  lines.Feed("{}}");
  EXPECT_FALSE(lines.saw_frame());
  lines.Feed("\n");
  EXPECT_TRUE(lines.saw_frame());

  CompletionMark events(kOpenAi, 200, kSse);
  events.Feed(": keep-alive\n\ndata: {}\n");
  EXPECT_FALSE(events.saw_frame()) << "a comment is none";
  events.Feed("\n");
  EXPECT_TRUE(events.saw_frame());

  CompletionMark other(kChat, 200, kSse);
  EXPECT_FALSE(other.saw_frame());
  other.Feed("x");
  EXPECT_TRUE(other.saw_frame()) << "of another dialect: any byte is content";
}

TEST(CompletionMark, SseEndsWithFinishReasonOrDone) {
  EXPECT_TRUE(
      IsComplete(kOpenAi, kSse, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"));
  EXPECT_TRUE(IsComplete(kOpenAi, kSse, "data: [DONE]\n\n"));
  EXPECT_TRUE(IsComplete(kOpenAi, kSse, "data:[DONE]\r\n\r\n"));
  EXPECT_TRUE(IsComplete(kOpenAi, kSse, "data: [DONE]\r\r"));
  EXPECT_TRUE(IsComplete(kOpenAi, kSse, "data: [DONE]"));
  EXPECT_TRUE(IsComplete(kOpenAi, kSse,
                         ": comment\nevent: x\ndata: {\"choices\":\ndata: [{\"finish_reason\":\"length\"}]}\n\n"));
}

TEST(CompletionMark, SseWithoutEitherIsTruncated) {
  EXPECT_FALSE(
      IsComplete(kOpenAi, kSse, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"));
  EXPECT_FALSE(
      IsComplete(kOpenAi, kSse, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\" : null }]}\n\n"));
  EXPECT_FALSE(IsComplete(kOpenAi, kSse, "data: {\"choices\":[{\"delta\":{\"content\":\"[DONE]\"}}]}\n\n"));
  EXPECT_FALSE(IsComplete(kOpenAi, kSse, "data: {\"finish_reason\":\"stop\"}\n\n"));
  EXPECT_FALSE(IsComplete(kOpenAi, kSse, ": [DONE]\n\n"));
}

TEST(CompletionMark, GatewayAddsDoneAfterAFinishReason) {
  const std::string finish = "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}";
  EXPECT_EQ(Tell(kOpenAi, 200, kSse, finish + "\n\n").missing, "data: [DONE]\n\n");
  EXPECT_EQ(Tell(kOpenAi, 200, kSse, finish + "\n").missing, "\ndata: [DONE]\n\n");
  EXPECT_EQ(Tell(kOpenAi, 200, kSse, finish).missing, "\n\ndata: [DONE]\n\n");
  EXPECT_EQ(Tell(kOpenAi, 200, kSse, finish + "\n\ndata: [DONE]\n\n").missing, "");
  EXPECT_EQ(Tell(kOpenAi, 200, kSse, "data: {}\n\n").missing, "");
}

TEST(CompletionMark, FrameBreakEndsWhatTheAnswerLeftUnfinished) {
  EXPECT_EQ(Tell(kChat, 200, kNdjson, "{\"a\":1}\n").frame_break, "");
  EXPECT_EQ(Tell(kChat, 200, kNdjson, "{\"a\":1}\n{\"a").frame_break, "\n");
  EXPECT_EQ(Tell(kOpenAi, 200, kSse, "data: 1\n\n").frame_break, "");
  EXPECT_EQ(Tell(kOpenAi, 200, kSse, "data: 1\n").frame_break, "\n");
  EXPECT_EQ(Tell(kOpenAi, 200, kSse, "data: 1").frame_break, "\n\n");
  EXPECT_EQ(Tell(kPlain, 200, "text/plain", "abc").frame_break, "");
}

TEST(CompletionMark, JsonThatEndsWithItsConnectionMustBeWhole) {
  const std::string body = R"({"a":[1,"]}\"",{"b":"\\"}],"c":2})";
  for (size_t size = 0; size <= body.size(); ++size) {
    CompletionMark mark(kChat, 200, "application/json");
    mark.Feed(std::string_view(body).substr(0, size));
    EXPECT_EQ(mark.IsComplete(false), size == body.size()) << body.substr(0, size);
    EXPECT_TRUE(mark.IsComplete(true));
  }
  EXPECT_TRUE(Tell(kPlain, 200, "application/json; charset=utf-8", body + "\n").complete_if_closed);
  EXPECT_FALSE(Tell(kPlain, 200, "application/json", "12").complete_if_closed) << "it could have gone on";
}

TEST(CompletionMark, DialectAppliesOnlyWhereItIsItsOwn) {
  EXPECT_TRUE(Tell(kChat, 200, "text/html", "<html>").complete_if_closed);
  EXPECT_TRUE(Tell(kOpenAi, 200, kNdjson, "{}\n").complete_if_framed);
  EXPECT_TRUE(Tell(kChat, 503, kNdjson, "{}\n").complete_if_framed) << "an error status is no stream";
  EXPECT_TRUE(Tell(kPlain, 200, kNdjson, "{}\n").complete_if_framed);
}

TEST(CompletionMark, MarkIsFoundAfterAFrameThatIsTooLong) {
  const std::string longest(CompletionMark::kMaxFrameBytes + 1, 'x');
  CompletionMark lines(kChat, 200, kNdjson);
  lines.Feed(longest);
  EXPECT_FALSE(lines.IsComplete(false));
  EXPECT_TRUE(lines.IsComplete(true)) << "what can't be looked at is left to HTTP";
  EXPECT_EQ(lines.FrameBreak(), "\n");
  lines.Feed("\n{\"done\":false}\n");
  EXPECT_FALSE(lines.IsComplete(true));
  lines.Feed("{\"done\":true}\n");
  EXPECT_TRUE(lines.IsComplete(false));

  CompletionMark events(kOpenAi, 200, kSse);
  events.Feed("data: " + longest + "\n\n");
  EXPECT_FALSE(events.IsComplete(false));
  EXPECT_TRUE(events.IsComplete(true));
  events.Feed("data: [DONE]\n\n");
  EXPECT_TRUE(events.IsComplete(false));
}

TEST(CompletionMark, ALineThatFitsIsLookedAtInWhateverPieces) {
  const std::string padding(CompletionMark::kMaxFrameBytes - 100, 'x');
  CompletionMark mark(kChat, 200, kNdjson);
  mark.Feed("{\"context\":\"");
  for (size_t at = 0; at < padding.size(); at += 4096) mark.Feed(std::string_view(padding).substr(at, 4096));
  mark.Feed("\",\"done\":true}\n");
  EXPECT_TRUE(mark.IsComplete(false));
}

}  // namespace
}  // namespace runtime::dialect
