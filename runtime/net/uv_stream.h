// Private to this folder. A TCP connection on libuv: reading, writing with a bounded number of copies, and the ways to end.
#pragma once

#include <memory>
#include <string>

#include "base/recycled.h"
#include "runtime/net/uv_loop.h"

namespace runtime::net {

class StreamHandle;

class UvStream final : public Stream, public base::Recycled<UvStream> {
 public:
  // Connects; the outcome comes to the observer.
  UvStream(Loop* loop, const Address& address, StreamObserver* observer);
  // Takes a connected socket over. Nothing is read before the next turn, so the observer can still be set.
  UvStream(Loop* loop, int accepted_socket, const Address& peer);
  ~UvStream() override;
  UvStream(const UvStream&) = delete;
  UvStream& operator=(const UvStream&) = delete;

  void SetObserver(StreamObserver* observer) override;
  void Write(std::span<const std::string_view> pieces) override;
  size_t queued_bytes() const override;
  void PauseReading() override;
  void ResumeReading() override;
  void FinishWriting() override;
  void Reset() override;
  const Address& peer() const override { return peer_; }

  Unread Look() const override;
  bool is_dead() const override;
  bool saw_end() const override;

 private:
  StreamHandle* handle_;
  Address peer_;
};

}  // namespace runtime::net
