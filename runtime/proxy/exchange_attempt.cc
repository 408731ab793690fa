// Attempts of an exchange: the request as an upstream gets it, and what the attempt reports.
#include <utility>

#include "compiler/base/json_text.h"
#include "compiler/model/template.h"
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

}  // namespace

void Exchange::On(const engine::StartAttempt& command) {
  DropAttempt();
  reader_.reset();  // outlives its attempt: it knows how far a frame got that is to be followed by one of ours
  const bool is_reconnect = attempt_upstream_ == command.upstream && attempt_number_ == command.number;
  const auto label = static_cast<size_t>(command.upstream.value);
  if (is_reconnect) {
    worker_.metrics.Count(CounterId::kReuseRace, label);
  } else if (command.number > 1) {
    worker_.metrics.Count(CounterId::kUpstreamRetry, label);
  }
  attempt_upstream_ = command.upstream;
  attempt_number_ = command.number;
  attempt_started_ = worker_.transport.Now();
  if (!RewriteBody(command.upstream)) return;
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
    upload_.clear();
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
  const bool has_body = head.framing != http::BodyFraming::kNone && !is_encoded &&
                        request_.head.method != compiler::abi::Method::kHEAD;
  const std::string_view content_type = head.headers.Find("content-type").value_or("");
  hold_ = Hold::kNothing;
  if (has_body && request_.head.method == compiler::abi::Method::kPOST) {
    answer_api_ = ApiOfAnswer(attempt_upstream_);
    if (answer_api_ != dialect::Api::kPlain) {
      if (IsStreamType(content_type)) {
        hold_ = Hold::kFirstContent;
      } else if (IsJsonType(content_type) &&
                 (head.framing != http::BodyFraming::kLength || head.content_length <= kMaxHeldBytes)) {
        hold_ = Hold::kWhole;
      }
    }
    if (hold_ != Hold::kNothing) reader_.emplace(answer_api_, head.status, content_type);
  }
  std::optional<base::Duration> retry_after;
  if (head.status >= 400) retry_after = http::RetryAfter(head.headers, worker_.transport.WallNow());
  Dispatch(engine::AttemptHead{head.status, retry_after});
  if (response_ == nullptr || hold_ != Hold::kNothing) return;
  content_told_ = true;
  Dispatch(engine::AttemptContent{});
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
  NoteReading(frame.reading);
  if (frame.reading.is_error) {
    SendFrames();
    if (content_told_) error_frame_ = frame.bytes;
    attempt_->Abort();
    OnAttemptFailed(ErrorKind::k_stream_error, false);
    return false;
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
    content_told_ = true;
    Dispatch(engine::AttemptContent{});
  }
  return phase_ == Phase::kRunning && response_ != nullptr;
}

// What the time limits need to know of a frame. Until the first content nothing but content is progress.
void Exchange::NoteReading(const dialect::FrameReading& reading) {
  const base::TimePoint now = worker_.transport.Now();
  if (reading.has_content()) machine_->NoteFirstOutput(now);
  if (reading.has_content() || (content_told_ && reading.is_data)) machine_->NoteProgress(now);
  if (reader_->has_terminal() && reading.is_data) machine_->NoteComplete(now);
}

void Exchange::SendFrames() {
  if (!answer_begun_ || frames_.empty()) return;
  ForwardBody(frames_);
  frames_.clear();
}

void Exchange::OnAttemptEnd(bool framing_tells) {
  if (reader_) {
    dialect::Frame frame;
    if (reader_->Finish(&frame) && !TakeFrame(frame)) return;
    SendFrames();
    ErrorKind error = reader_->IsComplete(framing_tells) ? ErrorKind::kNone : ErrorKind::k_truncated;
    if (error == ErrorKind::kNone && !content_told_ && hold_ == Hold::kWhole && response_->status < 300) {
      // A whole object that is held: servers put errors and unfinished answers into a 200, too.
      const auto reading = dialect::ReadObject(answer_api_, held_);
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
