// The real transport: one libuv loop. The way in is the constructor; everything else is net::Transport.
// Nothing outside this folder sees libuv. uv_loop.h holds the loop and the rule by which handles are freed; uv_stream,
// uv_listener, uv_timer and uv_resolver hold one kind of object each.
#pragma once

#include <memory>

#include "runtime/net/transport.h"

namespace runtime::net {

// One for each worker thread. May be constructed on another thread than the one that calls Run(). Ignores SIGPIPE for the
// whole process.
//
// Run() returns after Stop() once every socket and timer is closed; objects that are still held then are dead but may be
// destroyed at any time before or after the transport. Tasks posted before Stop() run; later ones are dropped. The
// destructor waits for a name look-up that the system resolver is still working on (a thread can't be called back).
class UvTransport final : public Transport {
 public:
  UvTransport();
  ~UvTransport() override;
  UvTransport(const UvTransport&) = delete;
  UvTransport& operator=(const UvTransport&) = delete;

  TimePoint Now() const override;
  WallTime WallNow() const override;
  // A name is looked up at once, on the calling thread, and all its addresses of this machine are listened on, under one
  // port. Port 0 lets the system choose.
  base::Result<std::unique_ptr<Listener>> Listen(const std::string& host, uint16_t port, PortUse use,
                                                 AcceptCallback on_accept) override;
  std::unique_ptr<Stream> Connect(const Address& address, StreamObserver* observer) override;
  std::unique_ptr<Resolution> Resolve(const std::string& host, uint16_t port, ResolveCallback done) override;
  std::unique_ptr<Timer> NewTimer(std::function<void()> on_fire) override;
  // `limit` bounds the time without progress while queued bytes are flushed, then the time spent reading.
  using Transport::CloseGracefully;
  void CloseGracefully(std::unique_ptr<Stream> stream, base::Duration limit, std::shared_ptr<void> holds) override;
  size_t closing_gracefully() const override;
  void DeleteLater(std::unique_ptr<Deletable> object) override;
  void Post(std::function<void()> task) override;
  void Run() override;
  void Stop() override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runtime::net
