#include "runtime/proxy/request_body.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/buffers.h"
#include "runtime/http/message_writer.h"
#include "runtime/proxy/limits.h"

namespace runtime::proxy {

std::string_view Name(RequestBody::Stage stage) {
  switch (stage) {
    case RequestBody::Stage::kArriving: return "Arriving";
    case RequestBody::Stage::kKept: return "Kept";
    case RequestBody::Stage::kStreaming: return "Streaming";
    case RequestBody::Stage::kStreamed: return "Streamed";
    case RequestBody::Stage::kDropped: return "Dropped";
  }
  return "?";
}

RequestBody::RequestBody(const http::RequestHead& head, size_t most_kept, BodySource& source, std::string&& buffer)
    : framing_(head.framing), length_(head.content_length), most_kept_(most_kept), source_(source), kept_(std::move(buffer)) {}

bool RequestBody::Add(std::span<const std::string_view> pieces) {
  BW_CHECK(!is_ended(), "more of a request body after its end: stage ", Name(stage_), ", event Add");
  for (const std::string_view piece : pieces) received_ += piece.size();
  if (stage_ == Stage::kDropped) return false;
  if (stage_ == Stage::kStreaming) {
    Queue(pieces);
    return false;
  }
  for (const std::string_view piece : pieces) {
    const size_t needed = kept_.size() + piece.size();
    if (needed > kept_.capacity()) {  // by doubling, and no further than it is to become
      const size_t doubled = framing_ == http::BodyFraming::kLength ? std::min<size_t>(2 * kept_.capacity(), length_) : 2 * kept_.capacity();
      std::string roomier;  // a string that has room already takes twice as much, whatever it is asked for
      roomier.reserve(std::max(needed, doubled));
      roomier.append(kept_);
      kept_.swap(roomier);
    }
    kept_.append(piece);
  }
  return kept_.size() > (is_too_long() ? std::min(most_kept_, kFirstPart) : most_kept_);
}

void RequestBody::Stream() {
  BW_CHECK(stage_ == Stage::kArriving, "a request body streams that doesn't arrive: stage ", Name(stage_), ", event Stream");
  stage_ = Stage::kStreaming;
  const std::string so_far = std::exchange(kept_, std::string());
  const std::string_view piece = so_far;
  Queue({&piece, 1});
}

void RequestBody::Drop() {
  BW_CHECK(stage_ == Stage::kArriving, "a request body is dropped that doesn't arrive: stage ", Name(stage_), ", event Drop");
  stage_ = Stage::kDropped;
  std::string().swap(kept_);  // an assignment would keep its room
}

bool RequestBody::End() {
  BW_CHECK(!is_ended(), "a request body ends twice: stage ", Name(stage_), ", event End");
  if (stage_ == Stage::kDropped) return false;
  if (stage_ == Stage::kArriving) {
    stage_ = Stage::kKept;
    return true;
  }
  stage_ = Stage::kStreamed;
  if (framing_ == http::BodyFraming::kChunked) upload_.append(http::kLastChunk);
  Flush();
  return false;
}

void RequestBody::ReplaceKept(std::string body) {
  BW_CHECK(stage_ == Stage::kKept && !rewritten_, "a body is decoded late: stage ", Name(stage_), ", event ReplaceKept");
  kept_ = std::move(body);
}

base::MergeOutcome RequestBody::Rewrite(std::string_view patch) {
  BW_CHECK(stage_ == Stage::kKept, "a body is rewritten that is not kept whole: stage ", Name(stage_), ", event Rewrite");
  std::string body;
  const auto outcome = base::MergePatch(view(), patch, &body);
  if (outcome == base::MergeOutcome::kMerged) rewritten_ = std::move(body);
  return outcome;
}

void RequestBody::Replace(std::string body) {
  BW_CHECK(stage_ == Stage::kKept, "a body is replaced that is not kept whole: stage ", Name(stage_), ", event Replace");
  rewritten_ = std::move(body);
}

void RequestBody::OpenUpload(BodySink& sink) {
  BW_CHECK(is_streaming(), "an upload of a body that is kept: stage ", Name(stage_), ", event OpenUpload");
  sink_ = &sink;
  Flush();
}

void RequestBody::Queue(std::span<const std::string_view> pieces) {
  const bool is_chunked = framing_ == http::BodyFraming::kChunked;
  for (const std::string_view piece : pieces) {
    if (is_chunked) http::AppendChunkHead(piece.size(), &upload_);
    upload_.append(piece);
    if (is_chunked) upload_.append(http::kChunkEnd);
  }
  Flush();
}

void RequestBody::Flush() {
  if (!is_streaming()) return;
  if (sink_ != nullptr && sink_->queued_bytes() < kHighWater) {
    sink_->SendMore(upload_, is_ended());
    base::ClearBuffer(&upload_);
  }
  const size_t waiting = upload_.size() + (sink_ != nullptr ? sink_->queued_bytes() : 0);
  if (!source_paused_ && waiting > kHighWater && !is_ended()) {
    source_paused_ = true;
    source_.PauseRequestBody();
  } else if (source_paused_ && waiting == 0) {
    source_paused_ = false;
    source_.ResumeRequestBody();
  }
}

}  // namespace runtime::proxy
