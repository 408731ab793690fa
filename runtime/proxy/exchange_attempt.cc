// Attempts of an exchange: the request as an upstream gets it, and what the attempt reports.
#include <algorithm>
#include <utility>

#include "compiler/base/json_text.h"
#include "compiler/model/template.h"
#include "runtime/base/buffers.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/message_writer.h"
#include "runtime/http/retry_after.h"
#include "runtime/proxy/exchange.h"
#include "runtime/proxy/limits.h"
#include "runtime/proxy/trace_context.h"

namespace runtime::proxy {
namespace {

bool IsJsonType(std::string_view content_type) {
  return http::EqualsIgnoreCase(content_type.substr(0, content_type.find(';')), "application/json");
}

bool IsStreamType(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return http::EqualsIgnoreCase(type, "application/x-ndjson") || http::EqualsIgnoreCase(type, "text/event-stream");
}

// A page for people, such as a proxy's error page sent with 200. No dialect answers in one.
bool IsPageType(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  for (const std::string_view page : {"text/html", "application/xhtml+xml", "text/xml", "application/xml"}) {
    if (http::EqualsIgnoreCase(type, page)) return true;
  }
  return false;
}

// Whether its breaker asks about each frame of a stream.
bool JudgesFrames(const compiler::model::Policy& policy, UpstreamId id) {
  const auto& breaker = policy.upstreams[id].breaker;
  return breaker && breaker->failure_when && policy.predicates[*breaker->failure_when].phase == compiler::abi::Phase::kStream;
}

}  // namespace

void Exchange::On(const engine::StartAttempt& command) {
  DropAttempt();
  reader_.reset();  // outlives its attempt: it knows how far a frame got that is to be followed by one of ours
  const bool is_reconnect = attempt_upstream_ == command.upstream && attempt_number_ == command.number;
  const auto label = static_cast<size_t>(command.upstream.value);
  if (is_reconnect) {
    worker_.metrics.Count(CounterId::kReuseRace, label);
  } else if (command.number > 1 && command.continuation == engine::Continuation::kNone) {
    worker_.metrics.Count(CounterId::kUpstreamRetry, label);
  }
  attempt_upstream_ = command.upstream;
  attempt_number_ = command.number;
  attempt_started_ = worker_.transport.Now();
  splicer_.reset();
  last_token_.reset();
  const TokenRecord before = std::exchange(record_.tokens, TokenRecord());
  if (command.continuation != engine::Continuation::kNone) {
    record_.tokens.frames = before.frames;
    record_.tokens.has_answer = before.has_answer;
  }
  if (!RewriteBody(command.upstream)) return;
  if (command.continuation == engine::Continuation::kNone) {
    sent_.reset();
  } else {
    TakeOver(command);
  }
  in_flight_.emplace(worker_.metrics, label);
  attempt_ = std::make_unique<Attempt>(worker_, command.upstream, *this);
  attempt_->Start(MakeUpstreamRequest(command.upstream, command.fresh_connection));
}

// Each upstream's patch is applied to what the client sent, not to what another upstream got.
bool Exchange::RewriteBody(UpstreamId id) {
  rewritten_.reset();
  const auto& rewrite = worker_.policy().upstreams[id].rewrite;
  if (!rewrite || request_.head.framing == http::BodyFraming::kNone) return true;
  if (streams_) {  // it has gone through in part before its end was known
    SendGatewayError(413, "body_too_large_to_rewrite", "The body is larger than what is kept, so it cannot be rewritten.", {});
    return false;
  }
  std::string patch;
  compiler::model::Render(*rewrite, facts_, &patch);
  std::string body;
  switch (compiler::base::MergePatch(body_, patch, &body)) {
    case compiler::base::MergeOutcome::kMerged: rewritten_ = std::move(body); break;
    case compiler::base::MergeOutcome::kNotAnObject: break;  // has no members: passed on as it is
    case compiler::base::MergeOutcome::kTooDeep:
      if (answer_begun_) break;  // it takes over an answer to this very body: sent as it is
      worker_.metrics.CountBy(CounterById::kBadRequest, "json_too_deep");
      SendGatewayError(400, "json_too_deep", "The JSON body is nested deeper than 64 levels.", {});
      return false;
  }
  return true;
}

bool Exchange::ReadsAnswer() {
  return request_.head.method == compiler::abi::Method::kPOST && ClientReads().api != dialect::Api::kPlain;
}

void Exchange::DropAttempt() {
  message_facts_.ClearResponse(&facts_);
  response_ = nullptr;
  held_.clear();
  frames_.clear();
  error_frame_.clear();
  content_told_ = false;
  upload_open_ = false;
  reading_paused_ = false;
  in_flight_.reset();
  if (attempt_ == nullptr) return;
  attempt_->Abort();
  worker_.transport.DeleteLater(std::move(attempt_));
}

void Exchange::On(const engine::AbortAttempt&) { DropAttempt(); }

// An attempt that takes over is asked to go on from what the client has, where its API has a way to ask for that.
void Exchange::TakeOver(const engine::StartAttempt& command) {
  using Mode = dialect::Splicer::Mode;
  const dialect::Api api = ApiOfAnswer(command.upstream);
  std::optional<std::string> begun;
  if (command.continuation == engine::Continuation::kPrefill) {
    begun = dialect::WithBeginning(api, rewritten_ ? *rewritten_ : body_, sent_->text());
  }
  splicer_.emplace(begun ? Mode::kContinued : Mode::kAfresh, *sent_, dialect::GivenBeginning(api, sent_->text()).size());
  if (begun) rewritten_ = std::move(begun);
}

Attempt::Request Exchange::MakeUpstreamRequest(UpstreamId id, bool fresh_connection) {
  const auto& upstream = worker_.policy().upstreams[id];
  const http::RequestHead& head = request_.head;

  std::string target;
  if (upstream.url.path.empty()) {
    target = head.target;
  } else {
    target = upstream.url.path;
    if (!head.query.empty()) target.append("?").append(head.query);
  }

  std::vector<std::string> values;
  std::vector<http::SetHeader> set;
  values.reserve(upstream.headers.size());
  for (const auto& header : upstream.headers) {
    std::string value;
    compiler::model::Render(header.value, facts_, &value);
    values.push_back(std::move(value));
    set.push_back({header.name, values.back()});
  }

  const std::string& body = rewritten_ ? *rewritten_ : body_;

  // An answer that is looked into must not come compressed.
  const bool names_coding = std::any_of(set.begin(), set.end(), [](const http::SetHeader& header) {
    return http::EqualsIgnoreCase(header.name, "accept-encoding");
  });
  if (!names_coding && ReadsAnswer()) set.push_back({"Accept-Encoding", "identity"});

  http::UpstreamRequest request;
  request.target = target;
  request.authority = upstream.url.authority;
  request.set = set;
  // A client's credentials are meant for the first upstream; another one gets them only by the policy's own words.
  std::vector<std::string> remove = upstream.remove_headers;
  const auto& to = worker_.policy().routes[route_].to;
  if (!to.empty() && to.front() != id) remove.insert(remove.end(), {"authorization", "cookie", "x-api-key", "api-key"});
  request.remove = remove;
  request.request_id = request_.request_id;
  request.peer_ip = request_.peer_ip;
  request.client_tls = request_.client_tls;
  request.forwarded_host = request_.forwarded_host;
  const std::string trace_parent = TraceParent(request_.request_id, worker_.random.Next());
  request.trace_parent = trace_parent;
  if (head.framing == http::BodyFraming::kNone) {
    request.framing = http::BodyFraming::kNone;
  } else if (streams_) {
    request.framing = head.framing;
    request.content_length = head.content_length;
  } else {
    request.framing = http::BodyFraming::kLength;
    request.content_length = body.size();
  }

  Attempt::Request result;
  result.bytes.reserve(512 + body.size());
  http::AppendUpstreamRequest(head, request, &result.bytes);
  result.bytes.append(body);
  result.is_whole = !streams_;
  result.is_head_method = head.method == compiler::abi::Method::kHEAD;
  result.fresh_connection = fresh_connection;
  return result;
}

void Exchange::QueueUpload(std::span<const std::string_view> pieces) {
  const bool is_chunked = request_.head.framing == http::BodyFraming::kChunked;
  for (const std::string_view piece : pieces) {
    if (is_chunked) http::AppendChunkHead(piece.size(), &upload_);
    upload_.append(piece);
    if (is_chunked) upload_.append(http::kChunkEnd);
  }
  FlushUpload();
}

void Exchange::FlushUpload() {
  if (upload_open_ && attempt_ != nullptr && attempt_->queued_bytes() < kHighWater) {
    attempt_->SendMore(upload_, request_ended_);
    base::ClearBuffer(&upload_);
  }
  const size_t waiting = upload_.size() + (attempt_ != nullptr ? attempt_->queued_bytes() : 0);
  if (!upload_paused_ && waiting > kHighWater && !request_ended_) {
    upload_paused_ = true;
    host_.PauseRequestBody();
  } else if (upload_paused_ && waiting == 0) {
    upload_paused_ = false;
    host_.ResumeRequestBody();
  }
}

void Exchange::OnAttemptConnected() { Dispatch(engine::AttemptConnected{}); }

void Exchange::OnAttemptRequestSent() {
  upload_open_ = streams_;
  Dispatch(engine::AttemptRequestSent{});
  if (upload_open_) FlushUpload();
}

void Exchange::OnAttemptDrained() {
  if (upload_open_) FlushUpload();
}

// Early hints are for the client (RFC 8297 2) and bind nobody: another attempt may still give the answer. 100 and 102 are
// between the upstream and us.
void Exchange::OnAttemptInterim(const http::ResponseHead& head) {
  machine_->NoteProgress(worker_.transport.Now());
  if (head.status != 103 || request_.head.minor_version == 0 || answer_begun_) return;
  std::string bytes;
  http::AppendClientResponse(head, http::ClientResponse(), &bytes);
  Send(bytes);
}

void Exchange::OnAttemptHead(const http::ResponseHead& head) {
  response_ = &head;
  message_facts_.FillResponse(head, &facts_);
  content_told_ = false;
  answer_is_whole_ = false;
  const auto coding = head.headers.Find("content-encoding");
  const bool is_encoded = coding && !http::EqualsIgnoreCase(*coding, "identity");  // passes by, nobody looks into it
  const bool has_body =
      head.framing != http::BodyFraming::kNone && request_.head.method == compiler::abi::Method::kPOST;
  std::string_view content_type = head.headers.Find("content-type").value_or("");
  hold_ = Hold::kNothing;
  judges_frames_ = false;
  const bool is_page = has_body && head.status < 300 && IsPageType(content_type) &&
                       ApiOfAnswer(attempt_upstream_) != dialect::Api::kPlain;
  if (has_body && !is_encoded) {
    const dialect::Api begun_in = answer_api_;
    answer_api_ = ApiOfAnswer(attempt_upstream_);
    if (splicer_ && answer_api_ != begun_in) content_type = {};  // another dialect can't go on with it
    const bool is_judged = !worker_.policy().slots.response_json.empty();  // by what its body says
    if (answer_api_ != dialect::Api::kPlain || is_judged) {
      if (answer_api_ != dialect::Api::kPlain && IsStreamType(content_type)) {
        hold_ = Hold::kFirstContent;
      } else if (IsJsonType(content_type) &&
                 (head.framing != http::BodyFraming::kLength || head.content_length <= kMaxHeldBytes)) {
        hold_ = Hold::kWhole;
      }
    }
    if (splicer_) answer_api_ = begun_in;
    if (hold_ != Hold::kNothing) {
      reader_.emplace(answer_api_, head.status, content_type, head.framing == http::BodyFraming::kUntilClose);
    }
    judges_frames_ = reader_ && reader_->has_frames() && JudgesFrames(worker_.policy(), attempt_upstream_);
  }
  head_is_told_ = false;
  if (hold_ == Hold::kWhole && !splicer_ && !worker_.policy().slots.response_json.empty()) return;  // told with the body
  if (!TellHead()) return;
  if (is_page) {
    attempt_->Abort();
    OnAttemptFailed(ErrorKind::k_bad_response, false);
    return;
  }
  if (splicer_ && !(reader_ && reader_->has_frames())) {
    attempt_->Abort();
    Dispatch(engine::AttemptFailed{ErrorKind::k_bad_response, false, true});
    return;
  }
  if (hold_ != Hold::kNothing) return;
  content_told_ = true;
  Dispatch(engine::AttemptContent{});
}

bool Exchange::TellHead() {
  head_is_told_ = true;
  std::optional<base::Duration> retry_after;
  if (response_->status >= 400) retry_after = http::RetryAfter(response_->headers, worker_.transport.WallNow());
  Dispatch(engine::AttemptHead{response_->status, retry_after});
  return phase_ == Phase::kRunning && response_ != nullptr;
}

void Exchange::ReadResponseJson(std::string_view json) {
  if (worker_.policy().slots.response_json.empty()) return;
  response_json_ = json;
  message_facts_.FillResponseBody(response_json_, &facts_);
}

dialect::Api Exchange::ApiOfAnswer(UpstreamId id) {
  const auto& upstream = worker_.policy().upstreams[id];
  return dialect::ApiOfAnswer(upstream.dialect, upstream.url.path.empty() ? request_.path : upstream.url.path,
                              ClientReads().api);
}

void Exchange::OnAttemptBody(std::span<const std::string_view> pieces) {
  if (!reader_) {
    machine_->NoteProgress(worker_.transport.Now());
    if (answer_begun_) {
      ForwardBody(pieces);
    } else {
      for (const std::string_view piece : pieces) held_.append(piece);
    }
    return;
  }
  dialect::Frame frame;
  for (std::string_view piece : pieces) {
    while (reader_->Next(&piece, &frame)) {
      if (!TakeFrame(frame)) return;
    }
  }
  SendFrames();
}

bool Exchange::TakeFrame(const dialect::Frame& frame) {
  if (judges_frames_ && (!frame.data.empty() || frame.reading.is_unread)) {
    message_facts_.FillChunk(frame.data, frame.bytes.size(), &facts_);
    machine_->NoteFrame(worker_.transport.Now());
    message_facts_.ClearChunk(&facts_);
  }
  if (!PassFrame(frame)) return false;
  if (frame.reading.is_data && reader_->has_terminal()) machine_->NoteComplete(worker_.transport.Now());
  return true;
}

bool Exchange::PassFrame(const dialect::Frame& frame) {
  NoteReading(frame.reading);
  if (frame.reading.is_error) {
    SendFrames();
    ReadResponseJson(frame.data);
    if (content_told_) error_frame_ = frame.bytes;
    attempt_->Abort();
    OnAttemptFailed(ErrorKind::k_stream_error, false);
    return false;
  }
  if (splicer_) return JoinFrame(frame);
  if (hold_ == Hold::kFirstContent && worker_.policy().upstreams[attempt_upstream_].on_cut != compiler::model::OnCut::kError) {
    if (!sent_) sent_.emplace();
    sent_->Note(frame.data, frame.reading);
    NoteSent();
  }
  if (content_told_) {
    frames_.append(frame.bytes);
    return true;
  }
  held_.append(frame.bytes);
  const auto& upstream = worker_.policy().upstreams[attempt_upstream_];
  const bool commits = upstream.commit == compiler::model::CommitAt::kAnswer ? frame.reading.has_answer
                                                                             : frame.reading.has_content();
  if ((hold_ == Hold::kFirstContent && commits) || held_.size() > kMaxHeldBytes) {
    if (!head_is_told_ && !TellHead()) return false;
    if (!reader_->has_frames()) record_.tokens.has_answer = true;  // too large to be read, and so not empty
    content_told_ = true;
    Dispatch(engine::AttemptContent{});
  }
  return phase_ == Phase::kRunning && response_ != nullptr;
}

// A frame of an answer that takes over: only what it adds goes to the client.
bool Exchange::JoinFrame(const dialect::Frame& frame) {
  const dialect::FrameReading& reading = frame.reading;
  if (!reading.is_data) return true;  // comments, and what nobody can read
  std::string thinking, text;
  bool joins = !reading.is_unread && splicer_->Take(reading.thinking, reading.text, &thinking, &text);
  const bool only_thinks = reading.has_thinking && !reading.has_answer;  // a signature: it says nothing of the text
  if (joins && (reading.is_terminal || (!reading.is_plain && !only_thinks))) joins = splicer_->Settle(&text);
  if (!joins) {
    SendFrames();
    attempt_->Abort();
    Dispatch(engine::AttemptFailed{ErrorKind::k_bad_response, false, true});
    return false;
  }
  std::string joined(frame.bytes);  // [DONE]
  if (!frame.data.empty()) {
    joined = dialect::JoinedFrame(answer_api_, frame.data, sent_->first_frame(), thinking, text, &splicer_->blocks());
  }
  if (joined.empty()) return true;
  sent_->Add(thinking, text);
  if (!reading.is_plain) sent_->AddSpecial();
  NoteSent();
  frames_.append(joined);
  if (!content_told_ && text.empty() && thinking.empty() && reading.is_plain && !reading.is_terminal) return true;
  sent_->SetBlocks(splicer_->blocks());
  if (content_told_) return true;
  content_told_ = true;
  Dispatch(engine::AttemptContent{});
  return phase_ == Phase::kRunning && response_ != nullptr;
}

void Exchange::NoteSent() {
  machine_->NoteSent(sent_->can_continue()  ? engine::Continuation::kPrefill
                     : sent_->can_restart() ? engine::Continuation::kAfresh
                                            : engine::Continuation::kNone);
}

// What the time limits need to know of a frame. Until the first content nothing but content is progress.
void Exchange::NoteReading(const dialect::FrameReading& reading) {
  const base::TimePoint now = worker_.transport.Now();
  if (reader_->has_frames()) NoteTokens(reading);  // a piece of an object says nothing by itself
  if (reading.has_content()) {
    machine_->NoteFirstOutput(now);
    if (last_token_) {
      worker_.metrics.Observe(HistogramId::kInterToken, static_cast<size_t>(attempt_upstream_.value), now - *last_token_);
    }
    if (reader_->has_frames()) last_token_ = now;
  }
  if (reading.has_content() || (content_told_ && reading.is_data)) machine_->NoteProgress(now);
}

void Exchange::NoteTokens(const dialect::FrameReading& reading) {
  TokenRecord& tokens = record_.tokens;
  if (!reading.model.empty() && tokens.model != reading.model) tokens.model = reading.model;
  if (reading.prompt_tokens != dialect::kNoCount) tokens.prompt = reading.prompt_tokens;
  if (reading.completion_tokens != dialect::kNoCount) tokens.completion = reading.completion_tokens;
  if (reader_->has_frames() && reading.has_content()) ++tokens.frames;
  tokens.has_answer |= reading.has_answer;
}

void Exchange::SendFrames() {
  if (!answer_begun_ || !content_told_ || frames_.empty()) return;
  ForwardBody(frames_);
  base::ClearBuffer(&frames_);
}

void Exchange::OnAttemptEnd(bool framing_tells) {
  if (reader_) {
    dialect::Frame frame;
    if (reader_->Finish(&frame) && !TakeFrame(frame)) return;
    SendFrames();
    if (!head_is_told_) {
      ReadResponseJson(held_);
      if (!TellHead()) return;
    }
    ErrorKind error = reader_->IsComplete(framing_tells) ? ErrorKind::kNone : ErrorKind::k_truncated;
    if (error == ErrorKind::kNone && !content_told_ && hold_ == Hold::kWhole && response_->status < 300 &&
        answer_api_ != dialect::Api::kPlain) {
      // A whole object that is held: servers put errors and unfinished answers into a 200, too.
      const auto reading = dialect::ReadObject(answer_api_, held_);
      if (reading) NoteTokens(*reading);
      if (!reading && !held_.empty()) record_.tokens.has_answer = true;
      if (reading && reading->is_error) error = ErrorKind::k_stream_error;
      if (reading && reading->is_unfinished) error = ErrorKind::k_truncated;
    }
    if (error != ErrorKind::kNone) {
      OnAttemptFailed(error, false);
      return;
    }
  }
  answer_is_whole_ = true;
  if (!content_told_) {
    content_told_ = true;
    Dispatch(engine::AttemptContent{});
  }
  SendFrames();
  Dispatch(engine::AttemptEnded{});
}

void Exchange::OnAttemptFailed(ErrorKind error, bool is_reuse_race) {
  upload_open_ = false;
  if (response_ != nullptr && !head_is_told_ && !TellHead()) return;
  if (error == ErrorKind::k_truncated && reader_ && response_ != nullptr) {  // what was kept may be the last frame, only without its end
    dialect::Frame frame;
    if (reader_->Finish(&frame) && !TakeFrame(frame)) return;
    SendFrames();
  }
  Dispatch(engine::AttemptFailed{error, is_reuse_race});
  if (attempt_ != nullptr && attempt_->is_over()) {  // its connection may serve another exchange from here on
    response_ = nullptr;
    message_facts_.ClearResponse(&facts_);
  }
}

}  // namespace runtime::proxy
