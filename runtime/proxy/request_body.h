// The body of one request: kept whole, so that it can be read, rewritten and sent again, or – larger than what is kept – passed
// on as it comes, with back-pressure. Knows nothing of exchanges, routes or upstreams.
#pragma once

#include <cstddef>
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json_text.h"
#include "runtime/http/message.h"

namespace runtime::proxy {

// Where a body comes from, and can be held back.
class BodySource {
 public:
  virtual ~BodySource() = default;
  virtual void PauseRequestBody() = 0;
  virtual void ResumeRequestBody() = 0;
};

// Where a body that is passed on goes.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual void SendMore(std::string_view bytes, bool last) = 0;  // framed; `last`: the request is whole now
  virtual size_t queued_bytes() const = 0;
};

class RequestBody {
 public:
  enum class Stage : uint8_t {
    kArriving,   // it is kept as it comes
    kKept,       // … and is whole
    kStreaming,  // larger than what is kept: passed on as it comes, once there is a first part of it
    kStreamed,   // … and its end has come; some may still wait for the upstream
    kDropped,    // nobody is to have it: it is counted as it comes, and forgotten
  };

  // `head` and `source` outlive it.
  RequestBody(const http::RequestHead& head, size_t most_kept, BodySource& source, std::string&& buffer = {});

  // Its length says that it is not kept. Then kFirstPart of it comes before anything else is done for it.
  static constexpr size_t kFirstPart = 64 << 10;
  bool is_too_long() const { return framing_ == http::BodyFraming::kLength && length_ > most_kept_; }

  // More of it. True: it turned out larger than what is kept; one of the next two follows.
  bool Add(std::span<const std::string_view> pieces);
  void KeepUpTo(size_t most_kept) { most_kept_ = most_kept; }
  void Stream();  // what has come is passed on, the rest as it comes
  void Drop();    // its request was refused while it came: its memory is free, and the rest is forgotten as it comes
  // It is whole. True: it is kept, so that the exchange can begin now.
  bool End();

  Stage stage() const { return stage_; }
  bool is_streaming() const { return stage_ == Stage::kStreaming || stage_ == Stage::kStreamed; }
  bool is_ended() const { return stage_ == Stage::kKept || stage_ == Stage::kStreamed; }
  uint64_t received() const { return received_; }
  size_t held_bytes() const { return HeldBy(kept_) + (rewritten_ ? HeldBy(*rewritten_) : 0) + upload_.size(); }
  // All that has come is sent, and there is more to come.
  bool waits_for_client() const {
    return stage_ == Stage::kStreaming && sink_ != nullptr && upload_.empty() && sink_->queued_bytes() == 0;
  }

  void TakeBuffer(std::string* to) { *to = std::move(kept_); }  // its memory, when it is needed no more

  // What the client sent; "" where it streams.
  const std::string& kept() const { return kept_; }
  // What the next attempt sends of it at once, valid until the next call of Restore, Rewrite or Replace.
  const std::string& view() const { return rewritten_ ? *rewritten_ : kept_; }

  // Another body in place of the one that was kept, as if the client had sent it: decoded.
  void ReplaceKept(std::string body);

  // What is sent, for one attempt: as the client sent it; patched (RFC 7396); another one. Only a body that is kept can be changed.
  void Restore() { rewritten_.reset(); }
  // Patches add up until Restore. Anything but kMerged leaves it as it is.
  base::MergeOutcome Rewrite(std::string_view patch);
  void Replace(std::string body);

  // The upload: `sink` takes what comes until CloseUpload. Only of a body that streams.
  void OpenUpload(BodySink& sink);
  void CloseUpload() { sink_ = nullptr; }
  void OnSinkDrained() { Flush(); }

 private:
  // Of what is large the room counts that it takes, not how much of that is used.
  static size_t HeldBy(const std::string& text) { return std::max(text.size(), text.capacity() > kFirstPart ? text.capacity() : 0); }

  void Queue(std::span<const std::string_view> pieces);
  void Flush();

  const http::BodyFraming framing_;
  const uint64_t length_;
  size_t most_kept_;
  BodySource& source_;
  Stage stage_ = Stage::kArriving;
  uint64_t received_ = 0;
  std::string kept_;
  std::optional<std::string> rewritten_;
  std::string upload_;         // framed, not yet taken by the sink
  BodySink* sink_ = nullptr;   // takes more
  bool source_paused_ = false;
};

std::string_view Name(RequestBody::Stage stage);

}  // namespace runtime::proxy
