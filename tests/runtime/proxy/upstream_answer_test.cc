// What does the gateway make of this answer? Without network, policy or machine: a head, a body in pieces and an end go in; what the
// machine is told and what the client gets comes out as one line.
#include <functional>

#include "tests/runtime/proxy/upstream_answer_script.h"

namespace runtime::proxy {

class UpstreamAnswerPeer {
 public:
  static void SetStage(UpstreamAnswer* answer, UpstreamAnswer::Stage stage) { answer->stage_ = stage; }
  static void ForgetHead(UpstreamAnswer* answer) { answer->head_ = nullptr; }
  static void ForgetSent(UpstreamAnswer* answer) { answer->sent_.reset(); }
};

}  // namespace runtime::proxy

namespace tests {
namespace {

using runtime::proxy::UpstreamAnswerPeer;
using Stage = UpstreamAnswer::Stage;

TEST(UpstreamAnswer, IsMadeThisOf) {
  struct Row {
    std::string_view what;
    Api api;
    int status;
    BodyFraming framing;
    std::string_view type;
    std::vector<std::string_view> pieces;
    End end;
    std::string_view expected;
  };
  const auto chunked = BodyFraming::kChunked;
  const auto length = BodyFraming::kLength;
  const auto until_close = BodyFraming::kUntilClose;
  // clang-format off
  const std::vector<Row> rows = {
      // Of no dialect: HTTP alone tells.
      {"plain", Api::kPlain, 200, length, "text/plain", {"body"}, End::kFramed, "head 200; commit length 0; <body>; ended"},
      {"plain, in chunks", Api::kPlain, 200, chunked, "text/plain", {"bo", "dy"}, End::kFramed, "head 200; commit chunked; <bo>; <dy>; ended"},
      {"plain, until the connection ends", Api::kPlain, 200, until_close, "text/plain", {"body"}, End::kClosed, "head 200; commit until-close; <body>; ended"},
      {"plain, cut", Api::kPlain, 200, chunked, "text/plain", {"bo"}, End::kCut, "head 200; commit chunked; <bo>; failed truncated"},
      {"plain, reset before its body", Api::kPlain, 200, chunked, "text/plain", {}, End::kReset, "head 200; commit chunked; failed reset"},
      {"plain, no body", Api::kPlain, 204, BodyFraming::kNone, "", {}, End::kFramed, "head 204; commit none; ended"},
      {"a model that answers with nothing at all", Api::kOpenAiChat, 204, BodyFraming::kNone, "", {}, End::kFramed, "head 204; failed bad_response"},
      // Lines: the first content commits, the mark of the dialect ends it.
      {"lines", Api::kOllamaChat, 200, chunked, kLines, {kLine, kLastLine}, End::kFramed,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; <{\"done\":true,\"done_reason\":\"stop\"}|>; ended"},
      {"lines, until the connection ends", Api::kOllamaChat, 200, until_close, kLines, {kLine, kLastLine}, End::kClosed,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; <{\"done\":true,\"done_reason\":\"stop\"}|>; ended"},
      {"lines whose mark lacks its end, and silence", Api::kOllamaChat, 200, chunked, kLines, {kLine, kLastLine.substr(0, kLastLine.size() - 1)}, End::kFramed,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; <{\"done\":true,\"done_reason\":\"stop\"}|>; ended"},
      {"lines without their mark", Api::kOllamaChat, 200, chunked, kLines, {kLine}, End::kFramed,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; failed truncated"},
      {"lines without their mark, closed", Api::kOllamaChat, 200, until_close, kLines, {kLine}, End::kClosed,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; failed truncated"},
      {"lines, cut after content", Api::kOllamaChat, 200, chunked, kLines, {kLine}, End::kCut,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; failed truncated"},
      {"lines, cut before content", Api::kOllamaChat, 200, chunked, kLines, {}, End::kCut, "head 200; failed truncated"},
      {"lines, cut behind the last one", Api::kOllamaChat, 200, chunked, kLines, {kLine, kLastLine.substr(0, kLastLine.size() - 1)}, End::kCut,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; <{\"done\":true,\"done_reason\":\"stop\"}|>; ended"},
      {"an error before content", Api::kOllamaChat, 200, chunked, kLines, {kErrorLine}, End::kFramed, "head 200; failed stream_error"},
      {"an error after content", Api::kOllamaChat, 200, chunked, kLines, {kLine, kErrorLine}, End::kFramed,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; failed stream_error"},
      {"an error after content, in one piece", Api::kOllamaChat, 200, chunked, kLines, {"{\"message\":{\"content\":\"A\"}}\n{\"message\":{\"content\":\"B\"}}\n{\"error\":\"no\"}\n"}, End::kFramed,
       "head 200; commit chunked <{\"message\":{\"content\":\"A\"}}|>; <{\"message\":{\"content\":\"B\"}}|>; failed stream_error"},
      {"a last line without its end", Api::kOllamaChat, 200, chunked, kLines, {kLine, kLastLine.substr(0, kLastLine.size() - 1)}, End::kFramed,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; <{\"done\":true,\"done_reason\":\"stop\"}|>; ended"},
      {"… and the answer none", Api::kOllamaChat, 200, chunked, kLines, {kLine, kLine.substr(0, kLine.size() - 1)}, End::kFramed,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; <{\"message\":{\"content\":\"Hi\"}}|>; failed truncated"},
      {"… that is an error", Api::kOllamaChat, 200, chunked, kLines, {kLine, kErrorLine.substr(0, kErrorLine.size() - 1)}, End::kFramed,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; failed stream_error"},
      {"… and the cut comes within it", Api::kOllamaChat, 200, chunked, kLines, {kLine, kErrorLine.substr(0, kErrorLine.size() - 1)}, End::kCut,
       "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; failed stream_error"},
      {"nothing but the end", Api::kOllamaChat, 200, chunked, kLines, {kLastLine}, End::kFramed,
       "head 200; commit chunked <{\"done\":true,\"done_reason\":\"stop\"}|>; ended"},
      // Events.
      {"events", Api::kOpenAiChat, 200, chunked, kEvents, {kEvent, kLastEvent, kDone}, End::kFramed,
       "head 200; commit chunked <data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}||>; "
       "<67 bytes>; <data: [DONE]||>; ended"},
      {"events in one piece", Api::kOpenAiChat, 200, chunked, kEvents, {"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A\"}}]}\n\ndata: [DONE]\n\n"}, End::kFramed,
       "head 200; commit chunked <data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A\"}}]}||>; <data: [DONE]||>; ended unfinished"},
      {"the end mark and nothing else", Api::kOpenAiChat, 200, chunked, kEvents, {kDone}, End::kFramed, "head 200; failed truncated"},
      {"events as another type", Api::kOpenAiChat, 200, chunked, "text/plain", {kEvent, kLastEvent}, End::kFramed, "head 200; failed bad_response"},
      {"a proxy's words", Api::kOpenAiChat, 200, chunked, "text/plain", {"no healthy upstream"}, End::kFramed, "head 200; failed bad_response"},
      {"an empty body", Api::kOpenAiChat, 200, length, kJson, {}, End::kFramed, "head 200; failed bad_response"},
      {"an object of something else", Api::kOpenAiChat, 200, chunked, kJson, {R"({"detail":"model crashed"})"}, End::kFramed, "head 200; failed stream_error"},
      {"an object that nobody knows", Api::kOpenAiChat, 200, chunked, kJson, {R"({"a":1})"}, End::kFramed, R"(head 200; commit length 7 <{"a":1}>; ended)"},
      {"a page for people", Api::kOpenAiChat, 200, length, "text/html", {"<html>"}, End::kFramed, "head 200; failed bad_response"},
      {"… with an error status it is passed on", Api::kOpenAiChat, 502, length, "text/html", {"<html>"}, End::kFramed, "head 502; commit length 0; <<html>>; ended"},
      // Objects: held until they are whole.
      {"an object", Api::kOpenAiChat, 200, chunked, kJson, {kObject}, End::kFramed, "head 200; commit length 65 <65 bytes>; ended"},
      {"an object in pieces", Api::kOpenAiChat, 200, chunked, kJson, {kObject.substr(0, 9), kObject.substr(9)}, End::kFramed, "head 200; commit length 65 <65 bytes>; ended"},
      {"an object until the connection ends", Api::kOpenAiChat, 200, until_close, kJson, {kObject}, End::kClosed, "head 200; commit length 65 <65 bytes>; ended"},
      {"an object that was cut then", Api::kOpenAiChat, 200, until_close, kJson, {kObject.substr(0, 20)}, End::kClosed, "head 200; failed truncated"},
      {"an object, cut", Api::kOpenAiChat, 200, chunked, kJson, {kObject.substr(0, 20)}, End::kCut, "head 200; failed truncated"},
      {"an object that is an error", Api::kOpenAiChat, 200, chunked, kJson, {R"({"error":{"message":"no"}})"}, End::kFramed, "head 200; failed stream_error"},
      {"an error with its status", Api::kOpenAiChat, 503, length, kJson, {R"({"error":"no"})"}, End::kFramed, R"(head 503; commit length 0 <{"error":"no"}>; ended)"},
      {"an object of no dialect passes", Api::kPlain, 200, chunked, kJson, {"{}"}, End::kFramed, "head 200; commit chunked; <{}>; ended"},
  };
  // clang-format on
  for (const Row& row : rows) {
    EXPECT_EQ(Tell(Terms(row.api), ResponseHead(row.status, row.framing, row.type), row.pieces, row.end), row.expected)
        << row.what;
  }
}

TEST(UpstreamAnswer, CommitsAtTheAnswerWhereThinkingShallNot) {
  AnswerTerms terms = Terms(Api::kOllamaChat);
  const auto head = ResponseHead(200, BodyFraming::kChunked, kLines);
  EXPECT_EQ(Tell(terms, head, {kThinkingLine}, End::kCut),
            "head 200; commit chunked <{\"message\":{\"thinking\":\"Hm\"}}|>; failed truncated");
  terms.commits_at_answer = true;
  EXPECT_EQ(Tell(terms, head, {kThinkingLine}, End::kCut), "head 200; failed truncated");
}

TEST(UpstreamAnswer, IsNotReadWhereNobodyAsksForIt) {
  const auto lines = ResponseHead(200, BodyFraming::kChunked, kLines);
  EXPECT_EQ(Tell(Terms(Api::kOllamaChat, /*is_post=*/false), lines, {"x"}, End::kFramed),
            "head 200; commit chunked; <x>; ended");
  http::ResponseHead encoded = lines;
  encoded.headers.lines().push_back({"Content-Encoding", "gzip"});
  EXPECT_EQ(Tell(Terms(Api::kOllamaChat), encoded, {"x"}, End::kFramed), "head 200; commit chunked; <x>; ended");
}

TEST(UpstreamAnswer, TellsItsHeadWithTheBodyWherePredicatesReadIt) {
  AnswerTerms terms = Terms(Api::kPlain);
  terms.judges_body = true;
  const auto head = ResponseHead(200, BodyFraming::kChunked, kJson);
  EXPECT_EQ(Tell(terms, head, {R"({"a":1})"}, End::kFramed), R"(json 7; head 200; commit length 7 <{"a":1}>; ended)");
  EXPECT_EQ(Tell(terms, head, {R"({"a":)"}, End::kCut), "head 200; failed truncated");
  const std::string large(runtime::proxy::kMaxHeldBytes + 1, ' ');
  EXPECT_EQ(Tell(terms, head, {large, "{}"}, End::kFramed), "head 200; commit chunked <65537 bytes>; <{}>; ended");
  EXPECT_EQ(Tell(terms, ResponseHead(200, BodyFraming::kLength, kJson, runtime::proxy::kMaxHeldBytes + 1), {"{}"},
                 End::kFramed),
            "head 200; commit length 65537; <{}>; ended");
}

TEST(UpstreamAnswer, HasItsFramesJudgedBeforeAnythingElseIsToldOfThem) {
  AnswerTerms terms = Terms(Api::kOllamaChat);
  terms.judges_frames = true;
  EXPECT_EQ(Tell(terms, ResponseHead(200, BodyFraming::kChunked, kLines), {kErrorLine}, End::kFramed),
            "head 200; judge; failed stream_error");
}

TEST(UpstreamAnswer, ShowsPredicatesTheErrorInsideAStream) {
  AnswerTerms terms = Terms(Api::kOllamaChat);
  terms.judges_body = true;
  EXPECT_EQ(Tell(terms, ResponseHead(200, BodyFraming::kChunked, kLines), {kErrorLine}, End::kFramed),
            "head 200; json 25; failed stream_error");
}

// What a stream that breaks off tells its client: the upstream's words if it said why, else ours.
TEST(UpstreamAnswer, BreaksOffInTheUpstreamsWordsIfThereAreAny) {
  const auto head = ResponseHead(200, BodyFraming::kChunked, kLines);
  const auto break_frame = [&head](const std::vector<std::string_view>& pieces, bool drops) {
    Script script;
    script.answer.Begin(Terms(Api::kOllamaChat));
    script.answer.Head(head);
    for (const std::string_view piece : pieces) script.answer.Body(One(piece));
    if (drops) script.answer.Drop();
    return script.answer.BreakFrame(ErrorKind::k_truncated, "r-1");
  };
  EXPECT_EQ(break_frame({kLine, kErrorLine}, false), kErrorLine);
  EXPECT_NE(break_frame({kLine}, false).find("cut its answer off"), std::string::npos);
  EXPECT_NE(break_frame({kErrorLine}, false).find("cut its answer off"),
            std::string::npos);  // nobody was sent anything of it
  EXPECT_NE(break_frame({kLine, kErrorLine}, true).find("cut its answer off"), std::string::npos);
}

TEST(UpstreamAnswer, LeavesNothingToTheNextAttempt) {
  const auto head = ResponseHead(200, BodyFraming::kChunked, kLines);
  Script script;
  AnswerTerms terms = Terms(Api::kOllamaChat);
  terms.may_be_continued = terms.commits_at_answer = true;
  script.answer.Begin(terms);
  script.answer.Head(head);
  script.answer.Body(One(kThinkingLine));  // held
  script.answer.Drop();
  script.answer.Begin(terms);
  script.answer.Head(head);
  script.answer.Body(One(kLine));
  EXPECT_EQ(script.told, "head 200; head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>");
  script.answer.Drop();
  script.answer.Begin(terms);
  EXPECT_DEATH(script.answer.sent_text(), "of which nothing was remembered");
}

TEST(UpstreamAnswer, CountsTheTokensOfAnObject) {
  const auto head = ResponseHead(200, BodyFraming::kChunked, kJson);
  const auto tokens_of = [&head](std::string_view body) {
    Script script;
    script.answer.Begin(Terms(Api::kOpenAiChat));
    script.answer.Head(head);
    script.answer.Body(One(body));
    script.answer.End(true);
    return script.answer.tokens();
  };
  const auto object = tokens_of(
      R"({"model":"m","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}})");
  EXPECT_EQ(object.prompt, 3);
  EXPECT_EQ(object.completion, 1);
  EXPECT_TRUE(object.has_answer);
  EXPECT_FALSE(tokens_of(R"({"choices":[{"message":{"content":""},"finish_reason":"stop"}]})").has_answer);
  // Too large to be read, and so not empty.
  EXPECT_TRUE(tokens_of("{\"a\":\"" + std::string(runtime::proxy::kMaxHeldBytes, 'x') + "\"}").has_answer);
}

TEST(UpstreamAnswer, ThatOnlyThinksAtLengthHasNoAnswer) {
  AnswerTerms terms = Terms(Api::kOllamaChat);
  terms.commits_at_answer = true;
  Script script;
  script.answer.Begin(terms);
  const auto head = ResponseHead(200, BodyFraming::kChunked, kLines);
  script.answer.Head(head);
  const std::string line = "{\"message\":{\"thinking\":\"" + std::string(1000, 'x') + "\"}}\n";
  for (int i = 0; i < 80; ++i) script.answer.Body(One(line));
  EXPECT_EQ(script.answer.stage(), Stage::kPassing);  // no more is held back
  EXPECT_FALSE(script.answer.tokens().has_answer);
}

TEST(UpstreamAnswer, IsToldNoFurtherOnceItIsNotWanted) {
  const auto head = ResponseHead(200, BodyFraming::kChunked, kLines);
  EXPECT_EQ(Tell(Terms(Api::kOllamaChat), head, {kLine}, End::kFramed, "head"), "head 200; unwanted");
  EXPECT_EQ(Tell(Terms(Api::kOllamaChat), head, {kLine, kLine}, End::kFramed, "commit"),
            "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; unwanted");
  EXPECT_EQ(
      Tell(Terms(Api::kOpenAiChat), ResponseHead(200, BodyFraming::kChunked, kJson), {kObject}, End::kFramed, "commit"),
      "head 200; commit length 65 <65 bytes>; unwanted");
}

TEST(UpstreamAnswer, CountsTokens) {
  Script script;
  script.answer.Begin(Terms(Api::kOllamaChat));
  const auto head = ResponseHead(200, BodyFraming::kChunked, kLines);
  script.answer.Head(head);
  script.answer.Body(One(kLine));
  script.answer.Body(One(kLine));
  EXPECT_FALSE(script.is_complete);
  script.answer.Body(
      One("{\"model\":\"m\",\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":5,\"eval_count\":2}\n"));
  EXPECT_TRUE(script.is_complete);
  EXPECT_EQ(script.outputs, 2);
  EXPECT_EQ(script.answer.tokens().frames, 2);
  EXPECT_EQ(script.answer.tokens().prompt, 5);
  EXPECT_EQ(script.answer.tokens().completion, 2);
  EXPECT_EQ(script.answer.tokens().model, "m");
  EXPECT_TRUE(script.answer.tokens().has_answer);
}

// ---- Stage × event --------------------------------------------------------------------------------------------------

struct InStage {
  explicit InStage(Stage stage) {
    AnswerTerms terms = Terms(Api::kOllamaChat);
    terms.judges_body = stage == Stage::kUnjudged;
    if (stage == Stage::kIdle) return;
    script.answer.Begin(terms);
    if (stage == Stage::kAwaiting) return;
    head = ResponseHead(200, BodyFraming::kChunked, stage == Stage::kUnjudged ? kJson : kLines);
    script.answer.Head(head);
    if (stage == Stage::kPassing || stage == Stage::kOver) script.answer.Body(One(kLine));
    if (stage == Stage::kOver) script.answer.Cut(ErrorKind::k_truncated);
  }
  http::ResponseHead head;
  Script script;
};

TEST(UpstreamAnswerDeathTest, HandlesOrStopsEachEventInEachStage) {
  struct Event {
    std::string name;
    std::function<void(InStage&)> make;
    std::vector<Stage> handled;
  };
  // Whole lasts only as long as the commit is told.
  const std::vector<Stage> all = {Stage::kIdle,    Stage::kAwaiting, Stage::kUnjudged,
                                  Stage::kHolding, Stage::kPassing,  Stage::kOver};
  const std::vector<Stage> in_body = {Stage::kUnjudged, Stage::kHolding, Stage::kPassing};
  const auto head = ResponseHead(200, BodyFraming::kChunked, kLines);
  const std::vector<Event> events = {
      {"Begin", [](InStage& s) { s.script.answer.Begin(AnswerTerms()); }, {Stage::kIdle}},
      {"Head", [&head](InStage& s) { s.script.answer.Head(head); }, {Stage::kAwaiting}},
      {"Body", [](InStage& s) { s.script.answer.Body(One("{")); }, in_body},
      {"End", [](InStage& s) { s.script.answer.End(true); }, in_body},
      {"Cut",
       [](InStage& s) { s.script.answer.Cut(ErrorKind::k_reset); },
       {Stage::kAwaiting, Stage::kUnjudged, Stage::kHolding, Stage::kPassing}},
      {"TellRefusal", [](InStage& s) { s.script.answer.TellRefusal(); }, {}},  // of a success
      {"Drop", [](InStage& s) { s.script.answer.Drop(); }, all},
      {"its head",
       [](InStage& s) { s.script.answer.head(); },
       {Stage::kUnjudged, Stage::kHolding, Stage::kPassing, Stage::kOver}},
  };
  for (const Event& event : events) {
    for (const Stage stage : all) {
      InStage in(stage);
      ASSERT_EQ(in.script.answer.stage(), stage);
      if (std::find(event.handled.begin(), event.handled.end(), stage) != event.handled.end()) {
        event.make(in);
      } else {
        EXPECT_DEATH(event.make(in), "upstream answer: stage " + std::string(Name(stage)) + ", event " + event.name);
      }
    }
  }
}

TEST(UpstreamAnswerDeathTest, StopsWhereAFieldIsWrong) {
  InStage headless(Stage::kHolding);
  UpstreamAnswerPeer::ForgetHead(&headless.script.answer);
  EXPECT_DEATH(headless.script.answer.head(), "stage Holding, event its head");

  InStage over(Stage::kPassing);
  UpstreamAnswerPeer::SetStage(&over.script.answer, Stage::kOver);
  EXPECT_DEATH(over.script.answer.Body(One(kLine)), "stage Over, event Body");

  InStage unremembered(Stage::kIdle);
  UpstreamAnswerPeer::ForgetSent(&unremembered.script.answer);
  EXPECT_DEATH(unremembered.script.answer.BeginContinuation(AnswerTerms(), runtime::dialect::Splicer::Mode::kAfresh, 2),
               "stage Idle, event BeginContinuation of an answer of which nothing was remembered");
}

}  // namespace
}  // namespace tests
