// What an answer is looked at for before anybody gets it: refusals that say more than their status, emptiness, lengths, answers too
// large to be held; and what stays of it for who asks later.
#include "tests/runtime/proxy/upstream_answer_script.h"

namespace tests {
namespace {

using runtime::proxy::kMaxHeldBytes;
using Stage = UpstreamAnswer::Stage;

// What the terms ask for, in a row of a table.
enum class Asks { kNothing, kRefusals, kBody, kEmptiness, kLength };

AnswerTerms TermsFor(Api api, Asks asks) {
  AnswerTerms terms = Terms(api);
  terms.reads_refusals = asks == Asks::kRefusals;
  terms.judges_body = asks == Asks::kBody;
  terms.judges_emptiness = asks == Asks::kEmptiness;
  terms.judges_length = asks == Asks::kLength;
  return terms;
}

TEST(UpstreamAnswer, IsJudgedBeforeAnybodyGetsIt) {
  struct Row {
    std::string_view what;
    Asks asks;
    Api api;
    int status;
    std::string_view type;
    std::vector<std::string_view> pieces;
    End end;
    std::string_view expected;
  };
  constexpr auto kChat = Api::kOpenAiChat;
  constexpr auto kOllama = Api::kOllamaChat;
  // clang-format off
  const std::vector<Row> rows = {
      // Whose fault it is, and how long to wait: of those refusals alone that can say it, in their body.
      {"a mistake of the request as 500", Asks::kRefusals, kChat, 500, kJson, {R"({"error":{"code":400,"message":"no"}})"}, End::kFramed,
       R"(head 500 for 400; commit length 37 <{"error":{"code":400,"message":"no"}}>; ended)"},
      {"… which nobody asks about", Asks::kNothing, kChat, 500, kJson, {R"({"error":{"code":400,"message":"no"}})"}, End::kFramed,
       R"(head 500; commit length 37 <{"error":{"code":400,"message":"no"}}>; ended)"},
      {"… nor about what stands under a 404", Asks::kRefusals, kChat, 404, kJson, {R"({"error":{"code":400,"message":"no"}})"}, End::kFramed,
       R"(head 404; commit length 37 <{"error":{"code":400,"message":"no"}}>; ended)"},
      {"a wait under a 429", Asks::kRefusals, kChat, 429, kJson, {R"({"retry_after":7})"}, End::kFramed, R"(head 429 in 7; commit length 17 <{"retry_after":7}>; ended)"},
      {"… under a 503", Asks::kRefusals, kChat, 503, kJson, {R"({"retry_after":7})"}, End::kFramed, R"(head 503 in 7; commit length 17 <{"retry_after":7}>; ended)"},
      {"… under a 500 it is of something else", Asks::kRefusals, kChat, 500, kJson, {R"({"retry_after":7})"}, End::kFramed, R"(head 500; commit length 17 <{"retry_after":7}>; ended)"},
      {"in words", Asks::kRefusals, kChat, 429, "text/plain", {"Try again in 7s"}, End::kFramed, R"(head 429 in 7s; commit length 15 <Try again in 7s>; ended)"},
      {"on a page for people", Asks::kRefusals, kChat, 503, "text/html", {"Try again in 7s"}, End::kFramed, R"(head 503; commit chunked; <Try again in 7s>; ended)"},
      {"cut", Asks::kRefusals, kChat, 503, kJson, {R"({"retry)"}, End::kCut, "head 503; failed truncated"},
      // A prompt that is too long for its model.
      {"too long", Asks::kLength, kChat, 400, kJson, {R"({"error":"prompt is too long"})"}, End::kFramed, R"(too long; head 400; commit length 30 <{"error":"prompt is too long"}>; ended)"},
      {"not too long", Asks::kLength, kChat, 400, kJson, {R"({"error":"no"})"}, End::kFramed, R"(judged; head 400; commit length 14 <{"error":"no"}>; ended)"},
      {"too long, and nobody asks", Asks::kNothing, kChat, 400, kJson, {R"({"error":"prompt is too long"})"}, End::kFramed, R"(head 400; commit length 30 <{"error":"prompt is too long"}>; ended)"},
      {"too long, as an error in a stream", Asks::kLength, kOllama, 200, kLines, {"{\"error\":\"prompt is too long\"}\n"}, End::kFramed, "head 200; too long; failed stream_error"},
      {"too long, as an error in an object", Asks::kLength, kChat, 200, kJson, {R"({"error":"prompt is too long"})"}, End::kFramed, "head 200; too long; failed stream_error"},
      {"no refusal", Asks::kLength, kChat, 200, kJson, {kObject}, End::kFramed, "head 200; commit length 65 <65 bytes>; ended"},
      // Whether it says anything.
      {"a stream that says something", Asks::kEmptiness, kOllama, 200, kLines, {kLine, kLastLine}, End::kFramed,
       "judged; head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; <{\"done\":true,\"done_reason\":\"stop\"}|>; judged; ended"},
      {"a stream that only thinks", Asks::kEmptiness, kOllama, 200, kLines, {kThinkingLine, kLastLine}, End::kFramed, "empty; head 200; commit chunked <65 bytes>; ended"},
      {"a stream of nothing", Asks::kEmptiness, kOllama, 200, kLines, {kLastLine}, End::kFramed, "empty; head 200; commit chunked <{\"done\":true,\"done_reason\":\"stop\"}|>; ended"},
      {"a stream that is cut before anything", Asks::kEmptiness, kOllama, 200, kLines, {kThinkingLine}, End::kFramed, "head 200; failed truncated"},
      {"an object that says something", Asks::kEmptiness, kChat, 200, kJson, {kObject}, End::kFramed, "judged; head 200; commit length 65 <65 bytes>; ended"},
      {"an object that says nothing", Asks::kEmptiness, kChat, 200, kJson, {R"({"choices":[{"message":{"content":""},"finish_reason":"stop"}]})"}, End::kFramed, "empty; head 200; commit length 63 <63 bytes>; ended"},
      // What predicates read of the body.
      {"an object", Asks::kBody, kChat, 200, kJson, {kObject}, End::kFramed, "json 65; head 200; commit length 65 <65 bytes>; ended"},
      {"an object that nobody knows", Asks::kBody, kChat, 200, kJson, {R"({"a":1})"}, End::kFramed, R"(json 7; head 200; commit length 7 <{"a":1}>; ended)"},
      {"an object that says itself that it is not whole", Asks::kBody, kOllama, 200, kJson, {R"({"message":{"content":"Hi"},"done":false})"}, End::kFramed, "head 200; failed truncated"},
      {"words that are no answer", Asks::kBody, kChat, 200, "text/plain", {"no healthy upstream"}, End::kFramed, "json 19; head 200; failed bad_response"},
      {"nothing at all", Asks::kBody, kChat, 200, kJson, {}, End::kFramed, "json 0; head 200; failed bad_response"},
  };
  // clang-format on
  for (const Row& row : rows) {
    EXPECT_EQ(Tell(TermsFor(row.api, row.asks), ResponseHead(row.status, BodyFraming::kChunked, row.type), row.pieces,
                   row.end),
              row.expected)
        << row.what;
  }
}

// What is longer than what may be held is told as soon as its first bytes say what it is, and passes as it comes.
TEST(UpstreamAnswer, ThatIsTooLargeToBeHeldPassesAsItComes) {
  const auto head = ResponseHead(200, BodyFraming::kLength, kJson, kMaxHeldBytes + 1);
  const std::string_view expected = "head 200; commit length 65537; <65 bytes>; <more>; ended";
  EXPECT_EQ(Tell(Terms(Api::kOpenAiChat), head, {kObject, "more"}, End::kFramed), expected);
  EXPECT_EQ(Tell(TermsFor(Api::kOpenAiChat, Asks::kBody), head, {kObject, "more"}, End::kFramed), expected);
  EXPECT_EQ(Tell(TermsFor(Api::kOpenAiChat, Asks::kBody), head, {kObject, "more"}, End::kFramed, "head"),
            "head 200; unwanted");
  EXPECT_EQ(Tell(Terms(Api::kOpenAiChat), head, {kObject, "more"}, End::kFramed, "commit"),
            "head 200; commit length 65537; unwanted");
}

// A server may fall silent behind what says that all is there, or in the middle of it.
TEST(UpstreamAnswer, EndsWhereItsMarkLacksNothingButTheEndOfItsLine) {
  const auto lines = ResponseHead(200, BodyFraming::kChunked, kLines);
  const std::string_view mark = kLastLine.substr(0, kLastLine.size() - 1);
  const std::string content = "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>";
  EXPECT_EQ(Tell(Terms(Api::kOllamaChat), lines, {kLine, mark}, End::kSilence),
            content + "; <{\"done\":true,\"done_reason\":\"stop\"}|>; ended");
  EXPECT_EQ(Tell(Terms(Api::kOllamaChat), lines, {kLine, mark.substr(0, 10)}, End::kSilence), content);
  // A line that the cut left without its end is a line, and goes to the client.
  EXPECT_EQ(Tell(Terms(Api::kOllamaChat), lines, {kLine, kLine.substr(0, kLine.size() - 1)}, End::kCut),
            content + "; <{\"message\":{\"content\":\"Hi\"}}|>; failed truncated");
  // Behind its reason nothing more is needed, however the connection ends.
  const std::string event =
      "head 200; commit chunked <data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}||>; <67 bytes>";
  EXPECT_EQ(
      Tell(Terms(Api::kOpenAiChat), ResponseHead(200, BodyFraming::kChunked, kEvents), {kEvent, kLastEvent}, End::kCut),
      event + "; ended");
}

TEST(UpstreamAnswer, IsNotCompleteOnceMoreOfItBegins) {
  const auto head = ResponseHead(200, BodyFraming::kChunked, kEvents);
  Script script;
  script.answer.Begin(Terms(Api::kOpenAiChat));
  script.answer.Head(head);
  script.answer.Body(One(kEvent));
  EXPECT_FALSE(script.is_complete);
  script.answer.Body(One(kLastEvent));
  EXPECT_TRUE(script.is_complete);
  script.answer.Body(One(kEvent.substr(0, kEvent.size() - 2)));  // a client would see it
  EXPECT_FALSE(script.is_complete);
}

constexpr std::string_view kCrash = "data: {\"detail\":\"model crashed\"}\n\n";

// Its server says why it ends, and puts the mark of success under it: who reads that reads no further.
TEST(UpstreamAnswer, GetsNoMarkOfSuccessUnderWhatItsServerSaysOfItsFailure) {
  const auto head = ResponseHead(200, BodyFraming::kChunked, kEvents);
  const std::string both = std::string(kCrash) + std::string(kDone);
  const std::string began =
      "head 200; commit chunked <data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}||>";
  const std::string crash = "; <data: {\"detail\":\"model crashed\"}||>";
  EXPECT_EQ(Tell(Terms(Api::kOpenAiChat), head, {kEvent, both}, End::kFramed), began + crash + "; failed stream_error");
  EXPECT_EQ(Tell(Terms(Api::kOpenAiChat), head, {kEvent, kCrash, kDone}, End::kFramed),
            began + crash + "; failed stream_error");

  // And nothing of that is left to the next one.
  Script script;
  script.answer.Begin(Terms(Api::kOpenAiChat));
  script.answer.Head(head);
  for (const std::string_view piece : {kEvent, kCrash, kDone}) script.answer.Body(One(piece));
  script.answer.Drop();
  script.answer.Begin(Terms(Api::kOpenAiChat));
  script.answer.Head(head);
  script.answer.Body(One(kEvent));
  script.told.clear();
  script.answer.Body(One(kEvent.substr(0, kEvent.size() - 2)));
  script.Step(script.answer.End(true));
  EXPECT_EQ(script.told, "<data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}||>; failed truncated");
}

// ---- What stays of it ------------------------------------------------------------------------------------------------

TEST(UpstreamAnswer, SaysWhatItsServerToldOfItsFailureUntilTheNextBegins) {
  const auto stream = ResponseHead(200, BodyFraming::kChunked, kLines);
  const auto words = ResponseHead(200, BodyFraming::kChunked, "text/plain");
  const auto later = ResponseHead(429, BodyFraming::kChunked, kJson);
  Script script;
  script.answer.Begin(Terms(Api::kOllamaChat));
  script.answer.Head(stream);
  script.answer.Body(One(kErrorLine));
  ASSERT_NE(script.answer.told_error(), nullptr);
  EXPECT_EQ(script.answer.told_error()->message, "out of memory");
  script.answer.Drop();
  ASSERT_NE(script.answer.told_error(), nullptr) << "who ends the answer may want it";

  script.answer.Begin(TermsFor(Api::kOllamaChat, Asks::kRefusals));
  EXPECT_EQ(script.answer.told_error(), nullptr);
  EXPECT_FALSE(script.answer.is_read());
  script.answer.Head(later);
  script.answer.Body(One(R"({"error":{"code":400,"message":"try again in 3s"}})"));
  script.answer.End(true);
  EXPECT_EQ(script.answer.wait_told(), "3s");
  script.answer.Drop();

  script.answer.Begin(Terms(Api::kOllamaChat));
  EXPECT_EQ(script.answer.wait_told(), "");
  EXPECT_EQ(script.answer.status_of_request(), 0);
  script.answer.Head(words);
  EXPECT_FALSE(script.Step(script.answer.Body(One("no healthy upstream"))));
  EXPECT_EQ(script.answer.told_error(), nullptr) << "words of something that is no model server";
}

// Clients of Responses count the events of an answer: a frame of the gateway's own is the next one.
TEST(UpstreamAnswer, ABreakOfAnAnswerWhoseEventsAreNumberedHasTheNextNumber) {
  const auto head = ResponseHead(200, BodyFraming::kChunked, kEvents);
  Script script;
  script.answer.Begin(Terms(Api::kOpenAiResponses));
  script.answer.Head(head);
  script.answer.Body(
      One("event: response.output_text.delta\ndata: "
          "{\"type\":\"response.output_text.delta\",\"sequence_number\":41,\"delta\":\"Hi\"}\n\n"));
  EXPECT_NE(script.answer.BreakFrame(ErrorKind::k_truncated, "r-1").find("\"sequence_number\":42"), std::string::npos);
}

// The body of a refusal is not waited for without end.
TEST(UpstreamAnswer, OfARefusalIsTheHeadToldWithoutItsBodyWhereThatIsNotAwaitedAnyLonger) {
  const auto head = ResponseHead(503, BodyFraming::kChunked, kJson);
  Script script;
  script.answer.Begin(TermsFor(Api::kOpenAiChat, Asks::kRefusals));
  script.answer.Head(head);
  EXPECT_TRUE(script.answer.holds_refusal());
  EXPECT_TRUE(script.Step(script.answer.TellRefusal()));
  EXPECT_FALSE(script.answer.holds_refusal());
  script.answer.Body(One(R"({"retry_after":7})"));
  script.Step(script.answer.End(true));
  EXPECT_EQ(script.told, R"(head 503; commit length 17 <{"retry_after":7}>; ended)");

  Script dropped;
  dropped.drop_at = "head";
  dropped.answer.Begin(TermsFor(Api::kOpenAiChat, Asks::kRefusals));
  dropped.answer.Head(head);
  EXPECT_FALSE(dropped.Step(dropped.answer.TellRefusal()));
  EXPECT_EQ(dropped.told, "head 503; unwanted");

  Script success;
  const auto answer = ResponseHead(200, BodyFraming::kChunked, kJson);
  success.answer.Begin(TermsFor(Api::kOpenAiChat, Asks::kBody));
  success.answer.Head(answer);
  EXPECT_EQ(success.answer.stage(), Stage::kUnjudged);
  EXPECT_FALSE(success.answer.holds_refusal()) << "its body is awaited as long as it takes";
}

}  // namespace
}  // namespace tests
