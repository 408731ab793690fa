// The answer of an upstream, from its head to its end: what of it is news for the machine (head, content, end, failure), and which
// bytes go to the client. Reads frames and objects of the dialects; holds back what may still be replaced by another answer; joins
// an answer to one that was cut. Knows nothing of connections, machines, clients or policies: what it is to look for comes as
// AnswerTerms, what it sees goes to an AnswerListener.
//
// | stage    | waits for                                                    | a head is shown |
// | -------- | ------------------------------------------------------------ | --------------- |
// | Idle     | Begin                                                        | no              |
// | Awaiting | Head; Cut                                                    | no              |
// | Unjudged | as much of the body as predicates read: the head is told then | yes            |
// | Holding  | content; the end                                             | yes             |
// | Whole    | (told all of it at once, within End)                         | yes             |
// | Passing  | more bytes; the end                                          | yes             |
// | Over     | nothing: it ended or failed                                  | yes             |
//
// Drop leads to Idle from everywhere, also from inside a call of the listener: then the answer is not wanted, and nothing more of it
// is told.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/abi/facts.h"
#include "runtime/dialect/answer_reader.h"
#include "runtime/dialect/dialect.h"
#include "runtime/dialect/splice.h"
#include "runtime/dialect/told_error.h"
#include "runtime/engine/exchange_events.h"
#include "runtime/http/message.h"
#include "runtime/proxy/answer_framing.h"
#include "runtime/observe/exchange_record.h"

namespace runtime::proxy {

// What an answer is looked at for.
struct AnswerTerms {
  bool is_read = false;             // of a POST: it may be one of a model
  dialect::Api api = dialect::Api::kPlain;  // that the upstream answers in
  bool wants_stream = false;        // the request asks for a stream: the first bytes decide, whatever the type says
  int64_t choices = 1;              // that the request asks for
  bool reads_refusals = false;      // of a path of a model API: the body of a 5xx or 429 says whose fault it is and how long to wait
  bool judges_body = false;         // predicates of the policy read response.json
  bool judges_emptiness = false;    // … empty_answer: it is held until that is known
  bool judges_length = false;       // … prompt_too_long, which the body of a refusal tells
  bool judges_frames = false;       // `failure when` of the upstream reads chunk.…
  bool commits_at_answer = false;   // what the model thinks does not commit
  bool may_be_continued = false;    // what is sent is remembered, so that another upstream can go on from it
};

class AnswerListener {
 public:
  virtual ~AnswerListener() = default;
  // News for the machine. Each may end in Drop.
  virtual void OnAnswerHead(const http::ResponseHead& head) = 0;
  virtual void OnAnswerContent() = 0;  // the commit point: held() and all that follows can go to the client
  // What goes to the client after the commit point. Valid during the call.
  virtual void OnAnswerBytes(std::span<const std::string_view> pieces) = 0;
  // What it says about itself. None of these may end in Drop.
  virtual void OnAnswerJudged(bool is_empty, bool prompt_too_long) = 0;  // before what is judged by it: its head, or its failure
  virtual void OnAnswerJson(std::string_view json) = 0;          // a whole object, or an error inside a stream; valid during the call
  virtual void OnAnswerFrame(const dialect::Frame& frame) = 0;   // with judges_frames, before anything else is told of it
  virtual void OnAnswerOutput(bool is_frame) = 0;                // content of the model, committing or not
  virtual void OnAnswerComplete(bool is_complete) = 0;           // its dialect says that it has all its content; false: it had not
  virtual void OnAnswerSent(engine::Continuation possible) = 0;  // how another upstream could go on from here
};

// What a piece of an answer led to.
struct AnswerStep {
  enum class What : uint8_t {
    kGoesOn,    // more is to come
    kUnwanted,  // it was dropped by the listener
    kEnded,     // it is complete
    kFailed,
  };
  What what = What::kGoesOn;
  engine::ErrorKind error = engine::ErrorKind::kNone;  // kFailed
  bool is_mismatch = false;  // … it is in order, but can't be joined to the one that it was to go on with
  bool is_unfinished = false;  // kEnded: its server says that all is over, and not that it is whole

  bool operator==(const AnswerStep&) const = default;
};

class UpstreamAnswer {
 public:
  enum class Stage : uint8_t { kIdle, kAwaiting, kUnjudged, kHolding, kWhole, kPassing, kOver };
  static constexpr int kStages = 7;

  // Strings: memory for what is held and for frames, which TakeBuffers gives back.
  explicit UpstreamAnswer(AnswerListener& listener, std::string&& held = {}, std::string&& frames = {})
      : listener_(listener), held_(std::move(held)), frames_(std::move(frames)) {}
  void TakeBuffers(std::string* held, std::string* frames) {
    *held = std::move(held_);
    *frames = std::move(frames_);
  }

  // An attempt begins: its answer is one of its own, or is to go on with what was sent so far – asked to (kContinued), or asked what
  // the client asked (kAfresh). `given`: how much of the text it was given as a beginning.
  void Begin(const AnswerTerms& terms);
  void BeginContinuation(const AnswerTerms& terms, dialect::Splicer::Mode mode, size_t given);
  const std::string& sent_text() const;  // of the answer so far; only where it can be continued
  size_t remembered_bytes() const { return sent_ ? sent_->bytes() : 0; }
  void ForgetSent();  // no room: it can't be continued any more

  // What comes of it, in order.
  AnswerStep Head(const http::ResponseHead& head);  // final; must live until Drop
  AnswerStep Body(std::span<const std::string_view> pieces);
  AnswerStep End(bool framing_tells);               // false: the body ended with the connection
  AnswerStep Cut(engine::ErrorKind error);          // the attempt failed
  void Drop();

  Stage stage() const { return stage_; }
  bool has_head() const { return stage_ >= Stage::kUnjudged; }
  const http::ResponseHead& head() const;

  // At the commit point.
  HeldAnswer held() const;
  std::string_view held_text() const { return held_; }

  // Of the answer that was begun last; stay after Drop, for an answer that must be ended.
  bool is_read() const { return reader_.has_value(); }
  bool has_frames() const { return reader_ && reader_->has_frames(); }
  dialect::Api api() const { return api_; }  // that the client gets
  std::string_view MissingEnd() const { return reader_ ? reader_->MissingEnd() : std::string_view(); }
  // What is sent in a stream that breaks off, so that the client hears why: the upstream's own words, or ours.
  std::string BreakFrame(engine::ErrorKind error, std::string_view request_id) const;
  // What the upstream said itself of its failure, of the attempt that was begun last; null: nothing.
  const dialect::ToldError* told_error() const { return told_ ? &*told_ : nullptr; }
  // It is read as frames, as far as its head and the request tell.
  bool expects_frames() const { return expects_frames_; }
  // It may be given to others: it is whole and says something.
  bool is_unbounded() const;   // only the closing of its connection ended it, and nobody reads it
  bool may_be_stored() const;

  const observe::TokenRecord& tokens() const { return tokens_; }
  // What the body of a refusal says that its head does not, once the head is told: that the request is at fault though its status is
  // 5xx (the status that this deserves; 0: it does not), and how long to wait (dialect::WaitTold).
  int status_of_request() const { return status_of_request_; }
  const std::string& wait_told() const { return wait_told_; }
  // A refusal whose body is awaited before its head is told.
  bool holds_refusal() const { return stage_ == Stage::kUnjudged && head_->status >= 400; }
  // … is not waited for any longer: the head is told.
  AnswerStep TellRefusal();

  void ForgetTokens() { tokens_ = observe::TokenRecord(); }

 private:
  friend class UpstreamAnswerPeer;  // tests break an invariant by writing a field

  void BeginAny(const AnswerTerms& terms);
  AnswerStep TakeForm();
  AnswerStep TakeFrame(const dialect::Frame& frame);
  AnswerStep PassFrame(const dialect::Frame& frame);
  AnswerStep JoinFrame(const dialect::Frame& frame);
  bool TellHead();     // false: it is not wanted
  bool TellContent(Stage stage);
  void ObserveReading(const dialect::FrameReading& reading);
  void CountTokens(const dialect::FrameReading& reading);
  void TellSent();
  void Flush();
  AnswerStep EndFrames(bool framing_tells);
  AnswerStep EndObject(bool framing_tells);
  AnswerStep LookAhead();
  AnswerStep Ended(bool is_unfinished);
  void Judge(bool is_empty);
  AnswerStep FailTold(std::string_view said, int status);
  AnswerStep Fail(engine::ErrorKind error, bool is_mismatch = false);
  bool is_model_success() const;  // a 2xx of an API that is read
  void Check(bool holds, std::string_view event) const;

  AnswerListener& listener_;
  Stage stage_ = Stage::kIdle;
  AnswerTerms terms_;
  const http::ResponseHead* head_ = nullptr;  // from Unjudged on
  Hold hold_ = Hold::kNothing;
  dialect::Api api_ = dialect::Api::kPlain;
  std::optional<dialect::AnswerReader> reader_;
  bool is_formed_ = false;       // the reader has said what the body is
  bool expects_frames_ = false;
  bool fits_ = true;             // it is no longer than what may be held
  bool was_complete_ = false;
  bool is_whole_ = false;        // it ended, complete, and says something
  std::optional<dialect::ToldError> told_;
  int status_of_request_ = 0;
  std::string wait_told_;
  std::string held_;         // before the commit point
  std::string frames_;       // read, and not yet passed on
  std::optional<size_t> mark_at_;  // where in them its mark of the end stands
  std::string error_frame_;  // its own, after the commit point
  std::optional<dialect::SentAnswer> sent_;   // where it may be continued
  std::optional<dialect::Splicer> splicer_;   // it goes on with another one
  observe::TokenRecord tokens_;
};

std::string_view Name(UpstreamAnswer::Stage stage);

}  // namespace runtime::proxy
