#include "runtime/proxy/upstream_answer.h"

#include <utility>

#include "base/check.h"
#include "base/planted_fault.h"
#include "compiler/abi/fact_table.h"
#include "base/buffers.h"
#include "runtime/proxy/error_messages.h"
#include "runtime/proxy/limits.h"

namespace runtime::proxy {

using engine::ErrorKind;
using What = AnswerStep::What;

namespace {

std::string_view MediaType(std::string_view content_type) { return content_type.substr(0, content_type.find(';')); }

bool IsJsonType(std::string_view content_type) {
  return http::EqualsIgnoreCase(MediaType(content_type), "application/json");
}

// A page for people, such as a proxy's error page sent with 200. No dialect answers in one.
bool IsPageType(std::string_view content_type) {
  static constexpr std::string_view kPages[] = {"text/html", "application/xhtml+xml", "text/xml", "application/xml"};
  const std::string_view type = MediaType(content_type);
  for (const std::string_view page : kPages) {
    if (http::EqualsIgnoreCase(type, page)) return true;
  }
  return false;
}

}  // namespace

std::string_view Name(UpstreamAnswer::Stage stage) {
  switch (stage) {
    case UpstreamAnswer::Stage::kIdle: return "Idle";
    case UpstreamAnswer::Stage::kAwaiting: return "Awaiting";
    case UpstreamAnswer::Stage::kUnjudged: return "Unjudged";
    case UpstreamAnswer::Stage::kHolding: return "Holding";
    case UpstreamAnswer::Stage::kWhole: return "Whole";
    case UpstreamAnswer::Stage::kPassing: return "Passing";
    case UpstreamAnswer::Stage::kOver: return "Over";
  }
  return "?";
}

void UpstreamAnswer::Check(bool holds, std::string_view event) const {
  BW_CHECK(holds, "upstream answer: stage ", Name(stage_), ", event ", event);
}

// ---- Beginning -------------------------------------------------------------------------------------------------------

void UpstreamAnswer::BeginAny(const AnswerTerms& terms) {
  Check(stage_ == Stage::kIdle, "Begin");
  terms_ = terms;
  reader_.reset();
  is_formed_ = false;
  expects_frames_ = false;
  was_complete_ = false;
  is_whole_ = false;
  told_.reset();
  status_of_request_ = 0;
  wait_told_.clear();
  stage_ = Stage::kAwaiting;
}

void UpstreamAnswer::Begin(const AnswerTerms& terms) {
  BeginAny(terms);
  api_ = dialect::Api::kPlain;
  tokens_ = observe::TokenRecord();
  sent_.reset();
  splicer_.reset();
}

void UpstreamAnswer::BeginContinuation(const AnswerTerms& terms, dialect::Splicer::Mode mode, size_t given) {
  Check(sent_.has_value(), "BeginContinuation of an answer of which nothing was remembered");
  BeginAny(terms);
  observe::TokenRecord before = std::exchange(tokens_, observe::TokenRecord());
  tokens_.frames = before.frames;
  tokens_.has_answer = before.has_answer;
  splicer_.emplace(mode, *sent_, given);
}

const std::string& UpstreamAnswer::sent_text() const {
  Check(sent_.has_value(), "what was sent of it, of which nothing was remembered");
  return sent_->text();
}

void UpstreamAnswer::ForgetSent() {
  if (!sent_ || splicer_ || sent_->bytes() == 0) return;
  sent_->Forget();
  TellSent();
}

void UpstreamAnswer::Drop() {
  stage_ = Stage::kIdle;
  head_ = nullptr;
  held_.clear();
  frames_.clear();
  error_frame_.clear();
  mark_at_.reset();
}

const http::ResponseHead& UpstreamAnswer::head() const {
  Check(has_head() && head_ != nullptr, "its head");
  return *head_;
}

HeldAnswer UpstreamAnswer::held() const {
  return {hold_, stage_ == Stage::kWhole, reader_.has_value(), held_.size()};
}

// ---- The head --------------------------------------------------------------------------------------------------------

AnswerStep UpstreamAnswer::Head(const http::ResponseHead& head) {
  Check(stage_ == Stage::kAwaiting, "Head");
  head_ = &head;
  hold_ = Hold::kNothing;
  const auto coding = head.headers.Find(http::HeaderId::k_content_encoding);
  const bool is_encoded = coding && !http::EqualsIgnoreCase(*coding, "identity");  // passes by, nobody looks into it
  const bool has_body = head.framing != http::BodyFraming::kNone && terms_.is_read;
  const bool is_of_model = terms_.api != dialect::Api::kPlain;
  const bool succeeds = head.status >= 200 && head.status < 300;
  const std::string_view content_type = head.headers.Find(http::HeaderId::k_content_type).value_or("");
  fits_ = head.framing != http::BodyFraming::kLength || head.content_length <= kMaxHeldBytes;
  const bool is_page = has_body && succeeds && is_of_model && IsPageType(content_type);
  // Whose fault a refusal is, and how long to wait, some servers say in its body alone.
  const bool says_more = terms_.reads_refusals && !splicer_ && (head.status >= 500 || head.status == 429);
  bool is_judged_later = false;
  if (has_body && !is_encoded) {
    const bool is_other_api = splicer_ && terms_.api != api_;  // another dialect can't go on with it
    if (!splicer_) api_ = terms_.api;
    const dialect::ReadingOptions options{head.framing == http::BodyFraming::kUntilClose, terms_.wants_stream, terms_.choices};
    if (is_of_model && succeeds && !is_page && !is_other_api) {
      reader_.emplace(api_, head.status, content_type, options);
      expects_frames_ = reader_->expects_frames();
      is_judged_later = terms_.judges_body || terms_.judges_emptiness;
    } else if (fits_ && (is_of_model || terms_.judges_body || says_more) && IsJsonType(content_type)) {
      hold_ = Hold::kWhole;
      is_judged_later = terms_.judges_body || (terms_.judges_length && !succeeds) || says_more;
    } else if (fits_ && head.status >= 400 &&
               ((is_of_model && terms_.judges_length) || (says_more && !IsPageType(content_type)))) {  // in words, or as another type
      hold_ = Hold::kWhole;
      is_judged_later = true;
    }
    if (hold_ != Hold::kNothing) {
      reader_.emplace(api_, head.status, content_type, options);
      is_formed_ = true;
    }
  }
  stage_ = Stage::kUnjudged;
  if (is_judged_later && !splicer_) return {};  // told with the body
  if (!TellHead()) return {What::kUnwanted};
  const bool is_silent = terms_.is_read && succeeds && is_of_model && !has_body;  // 204: no API of a model has it
  if (is_page || is_silent) return Fail(ErrorKind::k_bad_response);
  if (splicer_ && !reader_) return Fail(ErrorKind::k_bad_response, /*is_mismatch=*/true);
  if (!reader_ && !TellContent(Stage::kPassing)) return {What::kUnwanted};
  return {};
}

// The first bytes are here: what the body is, is known.
AnswerStep UpstreamAnswer::TakeForm() {
  if (is_formed_ || reader_->form() == dialect::AnswerForm::kUndecided) return {};
  is_formed_ = true;
  expects_frames_ = has_frames();
  if (has_frames()) {
    hold_ = Hold::kFirstContent;
    if (stage_ == Stage::kUnjudged && !terms_.judges_emptiness && !TellHead()) return {What::kUnwanted};
    return {};
  }
  if (splicer_) return Fail(ErrorKind::k_bad_response, /*is_mismatch=*/true);
  if (reader_->form() == dialect::AnswerForm::kOther) return {};  // failed once its bytes are kept
  if (fits_) {
    hold_ = Hold::kWhole;
    return {};
  }
  if (stage_ == Stage::kUnjudged && !TellHead()) return {What::kUnwanted};
  tokens_.has_answer = is_whole_ = true;  // too large to be read, and so not empty
  if (!TellContent(Stage::kPassing)) return {What::kUnwanted};
  return {};
}

bool UpstreamAnswer::TellHead() {
  stage_ = Stage::kHolding;
  listener_.OnAnswerHead(*head_);
  return stage_ == Stage::kHolding;
}

bool UpstreamAnswer::TellContent(Stage stage) {
  stage_ = stage;
  listener_.OnAnswerContent();
  return stage_ == stage;
}

// ---- The body --------------------------------------------------------------------------------------------------------

AnswerStep UpstreamAnswer::Body(std::span<const std::string_view> pieces) {
  Check(stage_ == Stage::kUnjudged || stage_ == Stage::kHolding || stage_ == Stage::kPassing, "Body");
  if (!reader_) {
    listener_.OnAnswerBytes(pieces);
    return {};
  }
  dialect::Frame frame;
  for (std::string_view piece : pieces) {
    while (reader_->Next(&piece, &frame)) {
      if (!is_formed_) {
        if (const AnswerStep step = TakeForm(); step.what != What::kGoesOn) return step;
      }
      const AnswerStep step = TakeFrame(frame);
      if (step.what != What::kGoesOn) return step;
      if (has_frames() && reader_->saw_last()) return EndFrames(true);  // nothing that follows belongs to it
    }
  }
  if (has_frames()) {
    if (const AnswerStep step = LookAhead(); step.what != What::kGoesOn) return step;
  }
  Flush();
  return {};
}

// A frame of which only the end is missing: it says what the server was about when it falls silent now.
AnswerStep UpstreamAnswer::LookAhead() {
  switch (reader_->Peek()) {
    case dialect::AnswerReader::Pending::kNothing: return {};
    case dialect::AnswerReader::Pending::kTakesBack:
      if (std::exchange(was_complete_, false)) listener_.OnAnswerComplete(false);
      return {};
    case dialect::AnswerReader::Pending::kLast:
    case dialect::AnswerReader::Pending::kFinishes: break;
  }
  if (const AnswerStep step = TakeForm(); step.what != What::kGoesOn) return step;
  dialect::Frame frame;
  while (reader_->Finish(&frame)) {
    if (const AnswerStep step = TakeFrame(frame); step.what != What::kGoesOn) return step;
  }
  return reader_->saw_last() ? EndFrames(true) : AnswerStep{};
}

AnswerStep UpstreamAnswer::TakeFrame(const dialect::Frame& frame) {
  if (terms_.judges_frames && has_frames() && (!frame.data.empty() || frame.reading.is_unread)) {
    listener_.OnAnswerFrame(frame);
  }
  const AnswerStep step = PassFrame(frame);
  if (step.what != What::kGoesOn || !has_frames() || !frame.reading.is_data) return step;
  const bool is_complete = reader_->is_finished();
  if (is_complete || was_complete_) listener_.OnAnswerComplete(is_complete);
  was_complete_ = is_complete;
  return step;
}

AnswerStep UpstreamAnswer::PassFrame(const dialect::Frame& frame) {
  ObserveReading(frame.reading);
  if (frame.reading.is_error) {
    Flush();
    if (stage_ == Stage::kPassing && frame.is_proper_error) error_frame_ = frame.bytes;
    return FailTold(frame.data, frame.told_status);
  }
  if (splicer_) return JoinFrame(frame);
  if (hold_ == Hold::kFirstContent && terms_.may_be_continued) {
    if (!sent_) sent_.emplace();
    sent_->Observe(frame.data, frame.reading);
    TellSent();
  }
  if (stage_ == Stage::kPassing) {
    if (frame.reading.is_last && !frame.reading.has_content()) mark_at_ = frames_.size();
    frames_.append(frame.bytes);
    return {};
  }
  held_.append(frame.bytes);
  if (reader_->form() == dialect::AnswerForm::kOther && is_model_success()) {
    return FailTold(held_, 0);  // no answer of the API: its words are told, not passed on
  }
  const bool commits =
      terms_.commits_at_answer || terms_.judges_emptiness ? frame.reading.has_answer : frame.reading.has_content();
  if ((hold_ == Hold::kFirstContent && commits) || held_.size() > kMaxHeldBytes) {
    Judge(false);
    if (stage_ == Stage::kUnjudged && !TellHead()) return {What::kUnwanted};
    if (!has_frames()) tokens_.has_answer = is_whole_ = true;  // too large to be read, and so not empty
    if (!TellContent(Stage::kPassing)) return {What::kUnwanted};
  }
  return {};
}

// A frame of an answer that takes over: only what it adds goes to the client.
AnswerStep UpstreamAnswer::JoinFrame(const dialect::Frame& frame) {
  const dialect::FrameReading& reading = frame.reading;
  if (!reading.is_data) return {};  // comments, and what nobody can read
  std::string thinking, text;
  bool joins = !reading.is_unread && splicer_->Take(reading.thinking, reading.text, &thinking, &text);
  const bool only_thinks = reading.has_thinking && !reading.has_answer;  // a signature: it says nothing of the text
  if (joins && (reading.is_terminal || reading.is_last || (!reading.is_plain && !only_thinks))) joins = splicer_->Settle(&text);
  if (!joins) {
    Flush();
    return Fail(ErrorKind::k_bad_response, /*is_mismatch=*/true);
  }
  std::string joined(frame.bytes);  // [DONE]
  if (!frame.data.empty()) {
    joined = dialect::JoinedFrame(api_, frame.data, sent_->first_frame(), thinking, text, &splicer_->blocks());
  }
  if (joined.empty()) return {};
  sent_->Add(thinking, text);
  if (!reading.is_plain) sent_->AddSpecial();
  TellSent();
  frames_.append(joined);
  const bool is_passing = stage_ == Stage::kPassing;
  if (!is_passing && text.empty() && thinking.empty() && reading.is_plain && !reading.is_terminal && !reading.is_last) return {};
  sent_->SetBlocks(splicer_->blocks());
  if (!is_passing && !TellContent(Stage::kPassing)) return {What::kUnwanted};
  return {};
}

void UpstreamAnswer::TellSent() {
  listener_.OnAnswerSent(sent_->can_continue()  ? engine::Continuation::kPrefill
                         : sent_->can_restart() ? engine::Continuation::kAfresh
                                                : engine::Continuation::kNone);
}

// What the time limits need to know of a frame. Until the first content nothing but content is progress.
void UpstreamAnswer::ObserveReading(const dialect::FrameReading& reading) {
  if (has_frames()) CountTokens(reading);  // a piece of an object says nothing by itself
  if (reading.has_content()) listener_.OnAnswerOutput(has_frames());
}

void UpstreamAnswer::CountTokens(const dialect::FrameReading& reading) {
  if (!reading.model.empty() && tokens_.model != reading.model) tokens_.model = reading.model;
  if (reading.prompt_tokens != dialect::kNoCount) tokens_.prompt = reading.prompt_tokens;
  if (reading.completion_tokens != dialect::kNoCount) tokens_.completion = reading.completion_tokens;
  if (has_frames() && reading.has_content()) ++tokens_.frames;
  tokens_.has_answer |= reading.has_answer;
}

void UpstreamAnswer::Flush() {
  if (stage_ != Stage::kPassing || frames_.empty()) return;
  const std::string_view piece = frames_;
  listener_.OnAnswerBytes({&piece, 1});
  base::ClearBuffer(&frames_);
}

// ---- Ends ------------------------------------------------------------------------------------------------------------

AnswerStep UpstreamAnswer::End(bool framing_tells) {
  Check(stage_ == Stage::kUnjudged || stage_ == Stage::kHolding || stage_ == Stage::kPassing, "End");
  if (!reader_) return Ended(false);
  dialect::Frame frame;
  while (reader_->Finish(&frame)) {
    if (const AnswerStep step = TakeForm(); step.what != What::kGoesOn) return step;
    const AnswerStep step = TakeFrame(frame);
    if (step.what != What::kGoesOn) return step;
  }
  if (const AnswerStep step = TakeForm(); step.what != What::kGoesOn) return step;
  return has_frames() ? EndFrames(framing_tells) : EndObject(framing_tells);
}

AnswerStep UpstreamAnswer::EndFrames(bool framing_tells) {
  const dialect::Completeness end = reader_->At(framing_tells);
  // No mark of success goes out under what its server did not finish: an error is about to follow, and who reads the mark reads no further.
  if (end == dialect::Completeness::kTruncated && stage_ == Stage::kPassing && mark_at_) frames_.resize(*mark_at_);
  Flush();
  if (end == dialect::Completeness::kTruncated) {
    // An object of something else, and then nothing: what it says is why.
    if (reader_->complains() && !reader_->saw_error()) return FailTold(reader_->foreign(), 0);
    if (stage_ == Stage::kUnjudged && !TellHead()) return {What::kUnwanted};
    return Fail(ErrorKind::k_truncated);
  }
  is_whole_ = end == dialect::Completeness::kComplete && reader_->said_answer();
  Judge(!reader_->said_answer());
  return Ended(end == dialect::Completeness::kUnfinished);
}

AnswerStep UpstreamAnswer::EndObject(bool framing_tells) {
  if (!reader_->IsComplete(framing_tells)) {
    if (stage_ == Stage::kUnjudged && !TellHead()) return {What::kUnwanted};
    return Fail(ErrorKind::k_truncated);
  }
  if (stage_ == Stage::kPassing) return Ended(false);
  if (!is_model_success()) {  // a refusal, or an object that is no answer of a model
    if (terms_.reads_refusals && head_->status >= 500) status_of_request_ = dialect::StatusOfRequest(held_);
    if (terms_.reads_refusals && (head_->status == 429 || head_->status == 503)) wait_told_ = dialect::WaitTold(held_);
    if (terms_.judges_length && head_->status >= 400) {
      listener_.OnAnswerJudged(false, dialect::ReadError(held_, head_->status).prompt_too_long);
    }
    if (terms_.judges_body) listener_.OnAnswerJson(held_);
    is_whole_ = true;
    return Ended(false);
  }
  // Servers put errors, unfinished answers and other things into a 200, too.
  const dialect::WholeReading whole = dialect::ReadWhole(api_, held_);
  CountTokens(whole.reading);
  switch (whole.verdict) {
    case dialect::WholeVerdict::kError:
    case dialect::WholeVerdict::kNoAnswer: return FailTold(held_, 0);
    case dialect::WholeVerdict::kUnfinished:
      if (stage_ == Stage::kUnjudged && !TellHead()) return {What::kUnwanted};
      return Fail(ErrorKind::k_truncated);
    case dialect::WholeVerdict::kForeign:
      if (terms_.wants_stream) return FailTold(held_, 0);  // who reads a stream would take it for an answer of nothing
      tokens_.has_answer = true;  // nobody knows; no cache keeps it
      break;
    case dialect::WholeVerdict::kEmpty: Judge(true); break;
    case dialect::WholeVerdict::kAnswer:
      is_whole_ = true;
      Judge(false);
  }
  if (terms_.judges_body) listener_.OnAnswerJson(held_);
  return Ended(false);
}

AnswerStep UpstreamAnswer::Ended(bool is_unfinished) {
  if (stage_ == Stage::kUnjudged && !TellHead()) return {What::kUnwanted};
  if (stage_ == Stage::kHolding && !TellContent(splicer_ ? Stage::kPassing : Stage::kWhole)) return {What::kUnwanted};
  Flush();
  stage_ = Stage::kOver;
  AnswerStep step{What::kEnded};
  step.is_unfinished = is_unfinished;
  return step;
}

AnswerStep UpstreamAnswer::TellRefusal() {
  Check(holds_refusal(), "TellRefusal");
  return TellHead() ? AnswerStep{} : AnswerStep{What::kUnwanted};
}

void UpstreamAnswer::Judge(bool is_empty) {
  if (terms_.judges_emptiness) listener_.OnAnswerJudged(is_empty, false);
}

bool UpstreamAnswer::is_model_success() const {
  return api_ != dialect::Api::kPlain && head_->status >= 200 && head_->status < 300;
}

bool UpstreamAnswer::is_unbounded() const { return !reader_ && (head_ == nullptr || head_->framing == http::BodyFraming::kUntilClose); }

// What ends with its connection may be cut, unless it is read and says itself that it is whole.
bool UpstreamAnswer::may_be_stored() const {
  PLANT_FAULT(unbounded_is_kept, return true);
  return is_whole_ || (!reader_ && !is_unbounded());
}

AnswerStep UpstreamAnswer::Cut(ErrorKind error) {
  Check(stage_ != Stage::kIdle && stage_ != Stage::kWhole && stage_ != Stage::kOver, "Cut");
  if (stage_ == Stage::kUnjudged && !TellHead()) return {What::kUnwanted};
  if (error == ErrorKind::k_truncated && reader_ && has_head()) {  // what was kept may be the last frame, only without its end
    dialect::Frame frame;
    while (reader_->Finish(&frame) && has_frames()) {  // the first call tells what it is, where that was open
      if (const AnswerStep step = TakeForm(); step.what != What::kGoesOn) return step;
      if (const AnswerStep step = TakeFrame(frame); step.what != What::kGoesOn) return step;
    }
    Flush();
    // The connection broke behind all that there was to say.
    if (has_frames() && reader_->At(false) != dialect::Completeness::kTruncated) return EndFrames(false);
  }
  return Fail(error);
}

// It says itself what is wrong, or is nothing that its API has.
AnswerStep UpstreamAnswer::FailTold(std::string_view said, int status) {
  told_ = dialect::ReadError(said, status);
  const auto reading = dialect::ReadObject(api_, said);
  const bool is_error = has_frames() || (reading && (reading->is_error || !told_->message.empty()));
  listener_.OnAnswerJudged(false, told_->prompt_too_long);
  if (terms_.judges_body) listener_.OnAnswerJson(said);
  if (stage_ == Stage::kUnjudged && !TellHead()) return {What::kUnwanted};
  if (!is_error) told_.reset();
  return Fail(is_error ? ErrorKind::k_stream_error : ErrorKind::k_bad_response);
}

AnswerStep UpstreamAnswer::Fail(ErrorKind error, bool is_mismatch) {
  if (has_head()) stage_ = Stage::kOver;
  else Drop();
  return {What::kFailed, error, is_mismatch};
}

std::string UpstreamAnswer::BreakFrame(ErrorKind error, std::string_view request_id) const {
  std::string frame(reader_ ? reader_->FrameBreak() : "");
  if (!error_frame_.empty()) return frame += error_frame_;  // it has said itself what is wrong, so that clients hear it
  dialect::ClientDialect reads;
  reads.api = api_;
  reads.shape = dialect::StreamShapeOf(api_);
  if (reader_) reads.next_event = reader_->last_sequence() + 1;
  const std::string_view name = error == ErrorKind::kNone ? std::string_view("stopping") : compiler::abi::Name(error);
  const bool is_told = told_ && error == ErrorKind::k_stream_error;
  const std::string_view code = is_told && !told_->code.empty() ? std::string_view(told_->code) : name;
  const std::string_view message = is_told && !told_->message.empty() ? std::string_view(told_->message) : MessageFor(name);
  return frame += dialect::ErrorFrame(reads, code, message, request_id);
}

}  // namespace runtime::proxy
