#include "runtime/proxy/upstream_answer.h"

#include <utility>

#include "base/check.h"
#include "compiler/abi/fact_table.h"
#include "runtime/base/buffers.h"
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

bool IsStreamType(std::string_view content_type) {
  const std::string_view type = MediaType(content_type);
  return http::EqualsIgnoreCase(type, "application/x-ndjson") || http::EqualsIgnoreCase(type, "text/event-stream");
}

// A page for people, such as a proxy's error page sent with 200. No dialect answers in one.
bool IsPageType(std::string_view content_type) {
  const std::string_view type = MediaType(content_type);
  for (const std::string_view page : {"text/html", "application/xhtml+xml", "text/xml", "application/xml"}) {
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
  stage_ = Stage::kAwaiting;
}

void UpstreamAnswer::Begin(const AnswerTerms& terms) {
  BeginAny(terms);
  api_ = dialect::Api::kPlain;
  tokens_ = TokenRecord();
  sent_.reset();
  splicer_.reset();
}

void UpstreamAnswer::BeginContinuation(const AnswerTerms& terms, dialect::Splicer::Mode mode, size_t given) {
  Check(sent_.has_value(), "BeginContinuation of an answer of which nothing was remembered");
  BeginAny(terms);
  TokenRecord before = std::exchange(tokens_, TokenRecord());
  tokens_.frames = before.frames;
  tokens_.has_answer = before.has_answer;
  splicer_.emplace(mode, *sent_, given);
}

const std::string& UpstreamAnswer::sent_text() const {
  Check(sent_.has_value(), "what was sent of it, of which nothing was remembered");
  return sent_->text();
}

void UpstreamAnswer::Drop() {
  stage_ = Stage::kIdle;
  head_ = nullptr;
  held_.clear();
  frames_.clear();
  error_frame_.clear();
}

const http::ResponseHead& UpstreamAnswer::head() const {
  Check(has_head() && head_ != nullptr, "its head");
  return *head_;
}

HeldAnswer UpstreamAnswer::held() const {
  return {hold_, stage_ == Stage::kWhole, reader_.has_value(), held_.size()};
}

std::string UpstreamAnswer::TakeHeld() { return std::exchange(held_, std::string()); }

// ---- The head --------------------------------------------------------------------------------------------------------

AnswerStep UpstreamAnswer::Head(const http::ResponseHead& head) {
  Check(stage_ == Stage::kAwaiting, "Head");
  head_ = &head;
  hold_ = Hold::kNothing;
  const auto coding = head.headers.Find("content-encoding");
  const bool is_encoded = coding && !http::EqualsIgnoreCase(*coding, "identity");  // passes by, nobody looks into it
  const bool has_body = head.framing != http::BodyFraming::kNone && terms_.is_read;
  const bool is_of_model = terms_.api != dialect::Api::kPlain;
  std::string_view content_type = head.headers.Find("content-type").value_or("");
  const bool is_page = has_body && head.status < 300 && is_of_model && IsPageType(content_type);
  if (has_body && !is_encoded) {
    if (splicer_ && terms_.api != api_) content_type = {};  // another dialect can't go on with it
    if (is_of_model && IsStreamType(content_type)) {
      hold_ = Hold::kFirstContent;
    } else if ((is_of_model || terms_.judges_body) && IsJsonType(content_type) &&
               (head.framing != http::BodyFraming::kLength || head.content_length <= kMaxHeldBytes)) {
      hold_ = Hold::kWhole;
    }
    if (!splicer_) api_ = terms_.api;
    if (hold_ != Hold::kNothing) {
      reader_.emplace(api_, head.status, content_type, head.framing == http::BodyFraming::kUntilClose);
    }
  }
  stage_ = Stage::kUnjudged;
  if (hold_ == Hold::kWhole && !splicer_ && terms_.judges_body) return {};  // told with the body
  if (!TellHead()) return {What::kUnwanted};
  if (is_page) return Fail(ErrorKind::k_bad_response);
  if (splicer_ && !has_frames()) return Fail(ErrorKind::k_bad_response, /*is_mismatch=*/true);
  if (hold_ == Hold::kNothing && !TellContent(Stage::kPassing)) return {What::kUnwanted};
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
      const AnswerStep step = TakeFrame(frame);
      if (step.what != What::kGoesOn) return step;
    }
  }
  Flush();
  return {};
}

AnswerStep UpstreamAnswer::TakeFrame(const dialect::Frame& frame) {
  if (terms_.judges_frames && has_frames() && (!frame.data.empty() || frame.reading.is_unread)) {
    listener_.OnAnswerFrame(frame);
  }
  const AnswerStep step = PassFrame(frame);
  if (step.what == What::kGoesOn && frame.reading.is_data && reader_->has_terminal()) listener_.OnAnswerComplete();
  return step;
}

AnswerStep UpstreamAnswer::PassFrame(const dialect::Frame& frame) {
  ObserveReading(frame.reading);
  if (frame.reading.is_error) {
    Flush();
    if (terms_.judges_body) listener_.OnAnswerJson(frame.data);
    if (stage_ == Stage::kPassing) error_frame_ = frame.bytes;
    if (stage_ == Stage::kUnjudged && !TellHead()) return {What::kUnwanted};
    return Fail(ErrorKind::k_stream_error);
  }
  if (splicer_) return JoinFrame(frame);
  if (hold_ == Hold::kFirstContent && terms_.may_be_continued) {
    if (!sent_) sent_.emplace();
    sent_->Note(frame.data, frame.reading);
    TellSent();
  }
  if (stage_ == Stage::kPassing) {
    frames_.append(frame.bytes);
    return {};
  }
  held_.append(frame.bytes);
  const bool commits = terms_.commits_at_answer ? frame.reading.has_answer : frame.reading.has_content();
  if ((hold_ == Hold::kFirstContent && commits) || held_.size() > kMaxHeldBytes) {
    if (stage_ == Stage::kUnjudged && !TellHead()) return {What::kUnwanted};
    if (!has_frames()) tokens_.has_answer = true;  // too large to be read, and so not empty
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
  if (joins && (reading.is_terminal || (!reading.is_plain && !only_thinks))) joins = splicer_->Settle(&text);
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
  if (!is_passing && text.empty() && thinking.empty() && reading.is_plain && !reading.is_terminal) return {};
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
  if (reader_) {
    dialect::Frame frame;
    if (reader_->Finish(&frame)) {
      const AnswerStep step = TakeFrame(frame);
      if (step.what != What::kGoesOn) return step;
    }
    Flush();
    if (stage_ == Stage::kUnjudged) {
      listener_.OnAnswerJson(held_);
      if (!TellHead()) return {What::kUnwanted};
    }
    if (!reader_->IsComplete(framing_tells)) return Fail(ErrorKind::k_truncated);
    if (stage_ == Stage::kHolding && hold_ == Hold::kWhole && head_->status < 300 && api_ != dialect::Api::kPlain) {
      // A whole object that is held: servers put errors and unfinished answers into a 200, too.
      const auto reading = dialect::ReadObject(api_, held_);
      if (reading) CountTokens(*reading);
      if (!reading && !held_.empty()) tokens_.has_answer = true;
      if (reading && reading->is_unfinished) return Fail(ErrorKind::k_truncated);
      if (reading && reading->is_error) return Fail(ErrorKind::k_stream_error);
    }
  }
  if (stage_ == Stage::kHolding && !TellContent(splicer_ ? Stage::kPassing : Stage::kWhole)) return {What::kUnwanted};
  Flush();
  stage_ = Stage::kOver;
  return {What::kEnded};
}

AnswerStep UpstreamAnswer::Cut(ErrorKind error) {
  Check(stage_ != Stage::kIdle && stage_ != Stage::kWhole && stage_ != Stage::kOver, "Cut");
  if (stage_ == Stage::kUnjudged && !TellHead()) return {What::kUnwanted};
  if (error == ErrorKind::k_truncated && reader_ && has_head()) {  // what was kept may be the last frame, only without its end
    dialect::Frame frame;
    if (reader_->Finish(&frame)) {
      const AnswerStep step = TakeFrame(frame);
      if (step.what != What::kGoesOn) return step;
    }
    Flush();
  }
  return Fail(error);
}

AnswerStep UpstreamAnswer::Fail(ErrorKind error, bool is_mismatch) {
  if (has_head()) stage_ = Stage::kOver;
  else Drop();
  return {What::kFailed, error, is_mismatch};
}

std::string UpstreamAnswer::BreakFrame(ErrorKind error, std::string_view request_id) const {
  std::string frame(reader_ ? reader_->FrameBreak() : "");
  if (!error_frame_.empty()) return frame += error_frame_;  // it has said itself what is wrong
  const dialect::ClientDialect reads{api_, dialect::StreamShapeOf(api_), {}};
  const std::string_view code = error == ErrorKind::kNone ? std::string_view("stopping") : compiler::abi::Name(error);
  return frame += dialect::ErrorFrame(reads, code, MessageFor(code), request_id);
}

}  // namespace runtime::proxy
