// One answer out of two: what another upstream goes on with, and what of it the client gets.
#include "tests/runtime/proxy/upstream_answer_script.h"

namespace tests {
namespace {

using Stage = UpstreamAnswer::Stage;
using Mode = runtime::dialect::Splicer::Mode;

struct CutAnswer {
  CutAnswer() {
    AnswerTerms terms = Terms(Api::kOllamaChat);
    terms.may_be_continued = true;
    script.answer.Begin(terms);
    script.answer.Head(head);
    script.answer.Body(One(kLine));
    script.answer.Cut(ErrorKind::k_truncated);
    script.answer.Drop();
    script.told.clear();
    again = terms;
  }
  http::ResponseHead head = ResponseHead(200, BodyFraming::kChunked, kLines);
  Script script;
  AnswerTerms again;
};

TEST(UpstreamAnswer, GoesOnWithOneThatWasCut) {
  CutAnswer cut;
  EXPECT_EQ(cut.script.sent, Continuation::kPrefill);
  EXPECT_EQ(cut.script.answer.sent_text(), "Hi");
  cut.script.answer.BeginContinuation(cut.again, Mode::kAfresh, 2);
  EXPECT_TRUE(cut.script.Step(cut.script.answer.Head(cut.head)));
  cut.script.Step(cut.script.answer.Body(One("{\"message\":{\"content\":\"Hi there\"}}\n")));
  EXPECT_EQ(cut.script.told, "head 200; commit chunked; <{\"message\":{\"content\":\" there\"}}|>");
}

TEST(UpstreamAnswer, RemembersWhatWasAdded) {
  CutAnswer cut;
  cut.script.answer.BeginContinuation(cut.again, Mode::kAfresh, 2);
  cut.script.answer.Head(cut.head);
  cut.script.answer.Body(One("{\"message\":{\"content\":\"Hi there\"}}\n"));
  EXPECT_EQ(cut.script.answer.sent_text(), "Hi there");
  cut.script.sent = Continuation::kNone;
  cut.script.answer.Body(One("{\"message\":{\"content\":\"!\"}}\n"));
  EXPECT_EQ(cut.script.sent, Continuation::kPrefill);
  cut.script.answer.Body(One("{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{}}}]}}\n"));
  EXPECT_EQ(cut.script.sent, Continuation::kNone);  // nobody can go on from a call of a tool
}

// Asked to go on, it may repeat what it was given; until that is decided nothing is passed on, at the latest at its end.
TEST(UpstreamAnswer, DecidesTheSeamAtTheEndAtTheLatest) {
  CutAnswer cut;
  cut.script.answer.BeginContinuation(cut.again, Mode::kContinued, 2);
  cut.script.answer.Head(cut.head);
  cut.script.answer.Body(One("{\"message\":{\"content\":\"H\"}}\n"));
  EXPECT_EQ(cut.script.answer.stage(), Stage::kHolding);
  cut.script.answer.Body(One(kLastLine));
  EXPECT_EQ(cut.script.answer.sent_text(), "HiH");
  EXPECT_TRUE(cut.script.Step(AnswerStep()));
}

TEST(UpstreamAnswer, ThatWasToGoOnLeavesNothingToTheNext) {
  CutAnswer cut;
  cut.script.answer.BeginContinuation(cut.again, Mode::kAfresh, 2);
  cut.script.answer.Head(cut.head);
  cut.script.answer.Body(One("{\"message\":{\"role\":\"assistant\",\"content\":\"\"}}\n"));
  cut.script.answer.Cut(ErrorKind::k_truncated);
  cut.script.answer.Drop();
  cut.script.answer.BeginContinuation(cut.again, Mode::kAfresh, 2);
  cut.script.answer.Head(cut.head);
  cut.script.told.clear();
  cut.script.answer.Body(One("{\"message\":{\"content\":\"Hi there\"}}\n"));
  EXPECT_EQ(cut.script.told, "commit chunked; <{\"message\":{\"content\":\" there\"}}|>");
  cut.script.answer.Cut(ErrorKind::k_truncated);
  cut.script.answer.Drop();
  cut.script.answer.Begin(cut.again);  // an answer of its own
  cut.script.answer.Head(cut.head);
  cut.script.told.clear();
  cut.script.answer.Body(One("{\"message\":{\"content\":\"Other\"}}\n"));
  EXPECT_EQ(cut.script.told, "commit chunked <{\"message\":{\"content\":\"Other\"}}|>");
}

TEST(UpstreamAnswer, PassesOnWhatJoinsBeforeWhatDoesNot) {
  CutAnswer cut;
  cut.script.answer.BeginContinuation(cut.again, Mode::kAfresh, 2);
  cut.script.answer.Head(cut.head);
  cut.script.told.clear();
  const std::string giant(runtime::dialect::AnswerReader::kMaxFrameBytes + 10, 'x');
  cut.script.Step(cut.script.answer.Body(One("{\"message\":{\"content\":\"Hi there\"}}\n" + giant + "\n")));
  EXPECT_EQ(cut.script.told,
            "commit chunked; <{\"message\":{\"content\":\" there\"}}|>; failed bad_response, no match");
}

TEST(UpstreamAnswer, DoesNotGoOnWithWhatCannotBeJoined) {
  CutAnswer cut;
  cut.script.answer.BeginContinuation(cut.again, Mode::kAfresh, 2);
  cut.script.answer.Head(cut.head);
  cut.script.Step(cut.script.answer.Body(One("{\"message\":{\"content\":\"Something else\"}}\n")));
  EXPECT_EQ(cut.script.told, "head 200; failed bad_response, no match");

  CutAnswer object;
  object.script.answer.BeginContinuation(object.again, Mode::kAfresh, 2);
  const auto head = ResponseHead(200, BodyFraming::kChunked, "text/plain");
  EXPECT_TRUE(object.script.Step(object.script.answer.Head(head)));  // its first bytes tell what it is
  object.script.Step(object.script.answer.Body(One("Some text")));
  EXPECT_EQ(object.script.told, "head 200; failed bad_response, no match");
}

// What it took in before it was found that nobody wants it does not come out of the next one.
TEST(UpstreamAnswer, ThatIsDroppedAtItsSeamLeavesNothingToTheNext) {
  CutAnswer cut;
  cut.script.drop_at = "commit";
  cut.script.answer.BeginContinuation(cut.again, Mode::kAfresh, 2);
  cut.script.answer.Head(cut.head);
  cut.script.Step(cut.script.answer.Body(One("{\"message\":{\"content\":\"Hi there\"}}\n")));
  EXPECT_EQ(cut.script.told, "head 200; commit chunked; unwanted");
  cut.script.drop_at = {};
  cut.script.told.clear();
  cut.script.answer.Begin(cut.again);
  cut.script.answer.Head(cut.head);
  cut.script.answer.Body(One(kLine));
  cut.script.answer.Body(One(kLine));
  EXPECT_EQ(cut.script.told,
            "head 200; commit chunked <{\"message\":{\"content\":\"Hi\"}}|>; <{\"message\":{\"content\":\"Hi\"}}|>");
}

// Where there is no room for what was sent, nobody can go on from it; one that goes on already needs it.
TEST(UpstreamAnswer, IsForgottenWhereThereIsNoRoomToRememberIt) {
  Script fresh;
  AnswerTerms terms = Terms(Api::kOllamaChat);
  terms.may_be_continued = true;
  fresh.answer.Begin(terms);
  fresh.sent = Continuation::kAfresh;
  fresh.answer.ForgetSent();
  EXPECT_EQ(fresh.sent, Continuation::kAfresh) << "nothing was remembered, and nothing is told";
  const auto head = ResponseHead(200, BodyFraming::kChunked, kLines);
  fresh.answer.Head(head);
  fresh.answer.Body(One(kLine));
  EXPECT_EQ(fresh.sent, Continuation::kPrefill);
  EXPECT_EQ(fresh.answer.remembered_bytes(), 2u);
  fresh.answer.ForgetSent();
  EXPECT_EQ(fresh.answer.remembered_bytes(), 0u);
  EXPECT_EQ(fresh.sent, Continuation::kNone);
  fresh.sent = Continuation::kAfresh;
  fresh.answer.ForgetSent();
  EXPECT_EQ(fresh.sent, Continuation::kAfresh) << "it is told once";

  CutAnswer cut;
  cut.script.answer.BeginContinuation(cut.again, Mode::kAfresh, 2);
  cut.script.answer.ForgetSent();
  EXPECT_EQ(cut.script.answer.remembered_bytes(), 2u);
}

}  // namespace
}  // namespace tests
