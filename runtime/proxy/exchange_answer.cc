// The upstream's answer on its way to the client: commit, body with back-pressure, end or honest cut, and the caches' copy.
#include <algorithm>
#include <array>
#include <utility>

#include "compiler/abi/fact_table.h"
#include "runtime/base/buffers.h"
#include "runtime/dialect/whole.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/message_writer.h"
#include "runtime/proxy/error_messages.h"
#include "runtime/proxy/exchange.h"
#include "runtime/proxy/limits.h"

namespace runtime::proxy {
namespace {

// Whether a header is about the bytes of an answer, which another shape of it hasn't.
bool IsOfOneShape(std::string_view name) {
  for (const std::string_view header : {"etag", "digest", "content-digest", "repr-digest", "content-md5", "accept-ranges"}) {
    if (http::EqualsIgnoreCase(name, header)) return true;
  }
  return false;
}

}  // namespace

void Exchange::On(const engine::CommitAnswer& command) {
  const http::ResponseHead& head = *response_;
  const auto& upstream = worker_.policy().upstreams[command.served_by];
  record_.served_by = upstream.name;
  record_.status = head.status;
  client_reads_frames_ = reader_ && reader_->has_frames();
  worker_.metrics.Observe(HistogramId::kFirstToken, static_cast<size_t>(command.served_by.value),
                          worker_.transport.Now() - attempt_started_);

  if (status_sent_early_ && !CommitLate()) return;
  http::ClientResponse response;
  if (!status_sent_early_) keep_alive_ = MayKeepAlive();
  const bool is_head_method = request_.head.method == compiler::abi::Method::kHEAD;
  if (status_sent_early_) {
    // its framing was chosen then
  } else if (is_head_method || head.framing == http::BodyFraming::kNone) {
    sends_body_ = false;
    client_framing_ = is_head_method && head.framing == http::BodyFraming::kLength ? http::BodyFraming::kLength
                                                                                   : http::BodyFraming::kNone;
    response.content_length = head.content_length;
  } else if (head.framing == http::BodyFraming::kLength && hold_ != Hold::kFirstContent) {
    client_framing_ = http::BodyFraming::kLength;
    response.content_length = head.content_length;
  } else if (answer_is_whole_ && hold_ == Hold::kWhole) {
    client_framing_ = http::BodyFraming::kLength;
    response.content_length = held_.size();
  } else if (request_.head.minor_version == 0 || (head.framing == http::BodyFraming::kUntilClose && !reader_)) {
    // An end that only the closing shows stays one: the gateway can't vouch for it.
    client_framing_ = http::BodyFraming::kUntilClose;
    keep_alive_ = false;
  } else {
    client_framing_ = http::BodyFraming::kChunked;
  }
  response.framing = client_framing_;
  response.keep_alive = keep_alive_;
  response.client_minor_version = request_.head.minor_version;

  HeaderList cors = head.headers.Find("access-control-allow-origin")
                              ? HeaderList()
                              : CorsHeaders(worker_.policy().gateway.cors, request_.head);
  for (auto& [name, value] : cors) {  // the upstream's own Vary stays beside ours
    const auto vary = head.headers.Find("vary");
    if (vary && http::EqualsIgnoreCase(name, "vary")) value = std::string(*vary) + ", " + value;
  }
  std::vector<http::SetHeader> set;
  set.push_back({"X-Request-Id", request_.request_id});
  if (head.status >= 400 && RetriesAreSpent()) set.push_back({kShouldRetry, "false"});
  for (const auto& [name, value] : cors) set.push_back({name, value});
  response.set = set;

  if (copy_limit_ > 0 && !is_head_method && head.status != 206) {  // a part is not the answer to another request
    copy_.emplace();
    copy_->status = head.status;
    for (const auto& line : head.headers.lines()) {
      if (http::IsHopByHop(line.name) || http::EqualsIgnoreCase(line.name, "date") ||
          http::EqualsIgnoreCase(line.name, "content-length") || http::EqualsIgnoreCase(line.name, "set-cookie")) {
        continue;
      }
      copy_->headers.emplace_back(line.name, line.value);
    }
  }

  std::string bytes;
  bytes.reserve(512 + held_.size());
  if (!status_sent_early_) http::AppendClientResponse(head, response, &bytes);
  answer_begun_ = true;
  const std::string held = std::move(held_);
  held_.clear();
  if (held.empty() || !sends_body_) {
    if (!bytes.empty()) Send(bytes);
    return;
  }
  const std::string_view piece = held;
  if (client_framing_ == http::BodyFraming::kChunked) {  // one write for head and first content
    http::AppendChunkHead(piece.size(), &bytes);
    const std::array<std::string_view, 3> pieces = {bytes, piece, http::kChunkEnd};
    Send(pieces);
  } else {
    const std::array<std::string_view, 2> pieces = {bytes, piece};
    Send(pieces);
  }
  if (copy_) copy_->body.append(piece);
}

void Exchange::On(const engine::ResumeAnswer& command) {
  record_.served_by = worker_.policy().upstreams[command.served_by].name;
  ++record_.continuations;
  worker_.metrics.Observe(HistogramId::kFirstToken, static_cast<size_t>(command.served_by.value),
                          worker_.transport.Now() - attempt_started_);
  JsonLine line = worker_.Event("warn", "answer continued");
  line.Add("request_id", request_.request_id).Add("upstream", record_.served_by);
  worker_.Log(line);
}

void Exchange::ForwardBody(std::span<const std::string_view> pieces) {
  if (!sends_body_) return;
  // What came in one read leaves in one write, as one chunk.
  size_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  if (size == 0) return;  // a chunk of size 0 would be the end
  if (client_framing_ == http::BodyFraming::kChunked) {
    std::string chunk_head;
    http::AppendChunkHead(size, &chunk_head);
    parts_.assign(1, chunk_head);
    parts_.insert(parts_.end(), pieces.begin(), pieces.end());
    parts_.push_back(http::kChunkEnd);
    Send(parts_);
    base::ClearBuffer(&parts_);
  } else {
    Send(pieces);
  }
  if (copy_ && copy_->body.size() + size > copy_limit_) copy_.reset();
  if (copy_) {
    for (const std::string_view piece : pieces) copy_->body.append(piece);
  }
  if (!reading_paused_ && attempt_ != nullptr && host_.client_queued_bytes() > kHighWater) {
    reading_paused_ = true;
    attempt_->PauseReading();
  }
}

void Exchange::OnClientDrained() {
  if (!reading_paused_) return;
  reading_paused_ = false;
  if (machine_ != nullptr) machine_->NoteProgress(worker_.transport.Now());
  if (attempt_ != nullptr) attempt_->ResumeReading();
}

void Exchange::On(const engine::FinishAnswer&) {
  SendFrames();
  if (reader_ && client_framing_ != http::BodyFraming::kLength) ForwardBody(reader_->MissingEnd());
  finish_pending_ = true;
}

void Exchange::On(const engine::BreakOffAnswer& command) {
  record_.how = EndedHow::kCut;
  if (failed_late_) return Over(AfterExchange::kClose);  // the client knows
  SendFrames();
  if (client_framing_ == http::BodyFraming::kUntilClose) {
    Over(AfterExchange::kReset);
    return;
  }
  if (client_framing_ == http::BodyFraming::kChunked && client_reads_frames_) {
    std::string frame(reader_ ? reader_->FrameBreak() : "");
    if (!error_frame_.empty()) {
      frame += error_frame_;  // the upstream has said itself what is wrong
    } else {
      const dialect::ClientDialect reads{answer_api_, dialect::StreamShapeOf(answer_api_), {}};
      const std::string_view code = compiler::abi::Name(command.error);
      frame += dialect::ErrorFrame(reads, code, MessageFor(code), request_.request_id);
    }
    ForwardBody(frame);
  }
  Over(AfterExchange::kClose);  // without the last chunk, or short of Content-Length: the client sees the cut
}

// What can be given to every client of the API is kept once, as the object that a client gets who wants no stream.
void Exchange::On(const engine::StoreAnswer& command) {
  if (!copy_) return;
  if (!copy_->is_shared && copy_->status == 200 && ReadsAnswer() && answer_api_ == ClientReads().api) {
    const auto type = std::find_if(copy_->headers.begin(), copy_->headers.end(), [](const auto& header) {
      return http::EqualsIgnoreCase(header.first, "content-type");
    });
    std::optional<std::string> whole;
    if (type != copy_->headers.end()) whole = dialect::WholeAnswerOf(answer_api_, type->second, copy_->body);
    if (whole) {
      copy_->is_shared = true;
      copy_->body = std::move(*whole);
      if (ClientReads().is_stream()) type->second = dialect::ContentTypeOf(dialect::Shape::kJson);
      std::erase_if(copy_->headers, [](const auto& header) { return IsOfOneShape(header.first); });
    }
  }
  const std::string& key = copy_->is_shared ? command.key : command.own_key;
  worker_.gateway.objects.cache(command.cache)->Store(key, *copy_, worker_.transport.Now());
}

}  // namespace runtime::proxy
