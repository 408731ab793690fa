#include "runtime/proxy/client_answer.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "base/planted_fault.h"
#include "base/buffers.h"
#include "base/small_vector.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/message_writer.h"
#include "runtime/proxy/cors.h"
#include "runtime/proxy/limits.h"

namespace runtime::proxy {

using http::BodyFraming;

namespace {

// nginx in front holds a stream back until it has a buffer full of it, or its end, unless it is told so.
constexpr std::string_view kBuffering = "X-Accel-Buffering";

}  // namespace

std::string_view Name(ClientAnswer::Stage stage) {
  switch (stage) {
    case ClientAnswer::Stage::kWaiting: return "Waiting";
    case ClientAnswer::Stage::kEarly: return "Early";
    case ClientAnswer::Stage::kBody: return "Body";
    case ClientAnswer::Stage::kFailedLate: return "FailedLate";
    case ClientAnswer::Stage::kOver: return "Over";
    case ClientAnswer::Stage::kGone: return "Gone";
  }
  return "?";
}

void ClientAnswer::Check(bool holds, std::string_view event) const {
  BW_CHECK(holds, "client answer: stage ", Name(stage_), ", event ", event);
}

void ClientAnswer::Send(std::span<const std::string_view> pieces) {
  if (stage_ == Stage::kGone) return;
  for (const std::string_view piece : pieces) sent_bytes_ += piece.size();
  host_.SendToClient(pieces);
}

void ClientAnswer::SendHead() {
  head_waits_ = false;
  Send(head_);
}

// ---- While the client waits ------------------------------------------------------------------------------------------

// Early hints are for the client (RFC 8297 2); 100 and 102 are between the upstream and us.
void ClientAnswer::SendInterim(const http::ResponseHead& head) {
  if (head.status != 103 || request_.head.minor_version == 0 || stage_ != Stage::kWaiting) return;
  std::string bytes;
  http::AppendClientResponse(head, http::ClientResponse(), &bytes);
  Send(bytes);
}

void ClientAnswer::SendEarlyHead(dialect::Shape shape, const HeadTerms& terms) {
  if (stage_ == Stage::kGone) return;
  Check(stage_ == Stage::kWaiting, "SendEarlyHead");
  // To HTTP/1.0, which nginx speaks by default, the stream ends with its connection; a failure is told by its frame there, too.
  const bool is_chunked = request_.head.minor_version > 0;
  keep_alive_ = terms.may_keep_alive && is_chunked;
  framing_ = {is_chunked ? BodyFraming::kChunked : BodyFraming::kUntilClose, 0, true, is_chunked};
  is_stream_ = true;
  HeaderList cors;
  AddCorsHeaders(cors_, request_.head, &cors);
  std::string bytes;
  http::AppendStatusLine(200, &bytes);
  http::AppendHeader("Date", terms.date, &bytes);
  http::AppendHeader("Content-Type", dialect::ContentTypeOf(shape), &bytes);
  http::AppendHeader("Cache-Control", "no-store", &bytes);
  http::AppendHeader(kBuffering, "no", &bytes);
  for (const auto& [name, value] : cors) http::AppendHeader(name, value, &bytes);
  http::AppendHeader("X-Request-Id", request_.request_id, &bytes);
  if (is_chunked) http::AppendHeader("Transfer-Encoding", "chunked", &bytes);
  if (!keep_alive_) http::AppendHeader("Connection", "close", &bytes);
  http::AppendEndOfHead(&bytes);
  status_ = 200;
  Send(bytes);
  stage_ = Stage::kEarly;
}

void ClientAnswer::SendKeepAlive(std::string_view bytes) {
  if (stage_ == Stage::kGone) return;
  Check(stage_ == Stage::kEarly, "SendKeepAlive");
  Body(bytes);
}

namespace {

// A part, or nothing, is not the answer to another request.
bool IsForOthers(int status) {
  PLANT_FAULT(parts_are_kept, return true);
  return status != 204 && status != 205 && status != 206 && status != 304;
}

}  // namespace

// ---- Heads -----------------------------------------------------------------------------------------------------------

void ClientAnswer::Begin(const http::ResponseHead& head, const ClientFraming& framing, bool is_stream,
                         const HeadTerms& terms, std::string_view held, size_t copied, bool more_follows) {
  if (stage_ == Stage::kGone) return;
  Check(stage_ == Stage::kWaiting, "Begin");
  framing_ = framing;
  is_stream_ = is_stream;
  keep_alive_ = terms.may_keep_alive && framing.may_keep_alive;

  http::ClientResponse response;
  response.framing = framing.framing;
  response.content_length = framing.content_length;
  response.keep_alive = keep_alive_;
  response.client_minor_version = request_.head.minor_version;
  response.drops_cors = cors_.enabled;
  response.upstream_authority = terms.upstream_authority;
  response.upstream_base = terms.bases.of_upstream;
  response.client_base = terms.bases.of_client;
  response.client_authority = request_.forwarded_host.empty() ? request_.head.host : request_.forwarded_host;
  response.client_tls = request_.client_tls;
  HeaderList cors;
  if (cors_.enabled) cors = CorsHeaders(cors_, request_.head);
  for (auto& [name, value] : cors) {  // the upstream's own Vary stays beside ours
    const auto vary = head.headers.Find(http::HeaderId::k_vary);
    if (vary && http::EqualsIgnoreCase(name, "vary")) value.insert(0, std::string(*vary).append(", "));
  }
  base::SmallVector<http::SetHeader, 6> set;
  set.push_back({"X-Request-Id", request_.request_id});
  if (head.status >= 400 && terms.retries_are_spent) set.push_back({kShouldRetry, "false"});
  for (const auto& [name, value] : cors) set.push_back({name, value});
  if (is_stream && !head.headers.Find(kBuffering)) set.push_back({kBuffering, "no"});
  response.set = set;

  const bool is_head_method = request_.head.method == compiler::abi::Method::kHEAD;
  if (copied > 0 && !is_head_method && IsForOthers(head.status)) copy_.Begin(head, response, copied, terms.copy);

  head_.clear();
  http::AppendClientResponse(head, response, &head_);
  status_ = head.status;
  stage_ = Stage::kBody;
  if (held.empty() || !framing_.sends_body) {
    head_waits_ = more_follows && framing_.sends_body;
    if (!head_waits_) Send(head_);
    return;
  }
  copy_.Add(held);
  if (framing_.framing == BodyFraming::kChunked) {  // one write for head and first content
    http::AppendChunkHead(held.size(), &head_);
    const std::array<std::string_view, 3> pieces = {head_, held, http::kChunkEnd};
    Send(pieces);
  } else {
    const std::array<std::string_view, 2> pieces = {head_, held};
    Send(pieces);
  }
}

void ClientAnswer::BeginInStream(const http::ResponseHead* copied_head, size_t copied, std::string_view held, const CopyTerms& terms) {
  if (stage_ == Stage::kGone) return;
  Check(stage_ == Stage::kEarly, "BeginInStream");
  stage_ = Stage::kBody;
  if (copied_head != nullptr && copied > 0 && IsForOthers(copied_head->status)) {
    http::ClientResponse response;
    response.drops_cors = cors_.enabled;
    copy_.Begin(*copied_head, response, copied, terms);
  }
  if (!held.empty()) Body(held);
}

// Without the last chunk afterwards, as an answer that breaks off: a client that looks at HTTP alone sees it, too.
void ClientAnswer::FailInStream(std::string_view error_frame) {
  if (stage_ == Stage::kGone) return;
  Check(stage_ == Stage::kEarly, "FailInStream");
  Body(error_frame);
  is_told_ = true;
  keep_alive_ = false;
  stage_ = Stage::kFailedLate;
}

void ClientAnswer::SendWhole(LocalAnswer answer, const HeadTerms& terms) {
  if (stage_ == Stage::kGone) return;
  Check(stage_ == Stage::kWaiting, "SendWhole");
  if (cors_.enabled) AddCorsHeaders(cors_, request_.head, &answer.headers);
  if (answer.status >= 400 && terms.retries_are_spent) answer.headers.emplace_back(kShouldRetry, "false");
  keep_alive_ = terms.may_keep_alive;
  status_ = answer.status;
  head_.clear();
  const bool has_rest = answer.text().size() > kHighWater && request_.head.method != compiler::abi::Method::kHEAD;
  AppendLocalAnswer(answer,
                    {request_.request_id, terms.date, keep_alive_,
                     request_.head.method == compiler::abi::Method::kHEAD, request_.head.minor_version},
                    &head_);
  if (has_rest) {
    rest_ = std::move(head_);
    stage_ = Stage::kOver;
    return Continue();
  }
  Send(head_);
  stage_ = Stage::kOver;
}

// As much as the client takes, so that many of them don't hold whole answers in queues.
void ClientAnswer::Continue() {
  while (!rest_.empty() && !is_full()) {
    const std::string_view piece = std::string_view(rest_).substr(rest_at_, kHighWater);
    sent_bytes_ += piece.size();
    host_.SendToClient({&piece, 1});
    rest_at_ += piece.size();
    if (rest_at_ < rest_.size()) continue;
    std::string().swap(rest_);
    rest_at_ = 0;
  }
}

// ---- Body and end ----------------------------------------------------------------------------------------------------

void ClientAnswer::Body(std::span<const std::string_view> pieces) {
  if (stage_ == Stage::kGone || stage_ == Stage::kFailedLate) return;
  Check(stage_ == Stage::kEarly || stage_ == Stage::kBody, "Body");
  if (!framing_.sends_body) return;
  // What came in one read leaves in one write, as one chunk.
  size_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  if (size == 0) return;  // a chunk of size 0 would be the end
  const bool is_chunked = framing_.framing == BodyFraming::kChunked;
  if (is_chunked || head_waits_) {
    if (!std::exchange(head_waits_, false)) head_.clear();
    if (is_chunked) http::AppendChunkHead(size, &head_);
    if (is_chunked && pieces.size() == 1) {
      const std::array<std::string_view, 3> parts = {head_, pieces[0], http::kChunkEnd};
      Send(parts);
      if (copy_.exists()) copy_.Add(pieces[0]);
      return;
    }
    parts_.assign(1, head_);
    parts_.insert(parts_.end(), pieces.begin(), pieces.end());
    if (is_chunked) parts_.push_back(http::kChunkEnd);
    Send(parts_);
    base::ClearBuffer(&parts_);
  } else {
    Send(pieces);
  }
  if (copy_.exists()) {
    for (const std::string_view piece : pieces) copy_.Add(piece);
  }
}

// To HTTP/1.0 too: behind a frame that tells it the closing need not.
bool ClientAnswer::can_tell_break() const {
  return stage_ == Stage::kBody && framing_.framing != BodyFraming::kLength && is_stream_;
}

void ClientAnswer::BreakOff(std::string_view frame) {
  if (stage_ == Stage::kGone) return;
  Check(stage_ == Stage::kBody || stage_ == Stage::kFailedLate, "BreakOff");
  FlushHead();
  if (stage_ == Stage::kBody && !frame.empty()) {
    Check(can_tell_break(), "BreakOff with a frame");
    Body(frame);
    is_told_ = true;
  }
  is_cut_ = stage_ == Stage::kBody;
  stage_ = Stage::kOver;  // without the last chunk, or short of Content-Length: the client sees the cut
}

void ClientAnswer::End() {
  if (stage_ == Stage::kGone || stage_ == Stage::kOver) return;
  Check(stage_ == Stage::kBody || stage_ == Stage::kFailedLate, "End");
  const bool has_last_chunk = stage_ == Stage::kBody && framing_.framing == BodyFraming::kChunked && framing_.sends_body;
  if (head_waits_) {
    if (has_last_chunk) head_.append(http::kLastChunk);
    SendHead();
  } else if (has_last_chunk) {
    Send(http::kLastChunk);
  }
  stage_ = Stage::kOver;
}

bool ClientAnswer::is_full() const { return stage_ != Stage::kGone && host_.client_queued_bytes() > kHighWater; }

AfterExchange ClientAnswer::after() const {
  Check(stage_ == Stage::kOver, "after");
  // A reset would take with it what a proxy in front still holds of the frame: only where nothing else can tell.
  if (is_told_) return AfterExchange::kCloseLate;
  if (is_cut_) return framing_.framing == BodyFraming::kUntilClose ? AfterExchange::kReset : AfterExchange::kClose;
  return keep_alive_ ? AfterExchange::kKeepAlive : AfterExchange::kClose;
}

}  // namespace runtime::proxy
