// Ties the pieces of this folder together; holds the timer and the graceful close, which are small.
#include "runtime/net/uv_transport.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "base/recycled.h"
#include "runtime/net/uv_listener.h"
#include "runtime/net/uv_loop.h"
#include "runtime/net/uv_resolver.h"
#include "runtime/net/uv_stream.h"

namespace runtime::net {
namespace {

class TimerHandle final : public Handle, public base::Recycled<TimerHandle> {
 public:
  TimerHandle(Loop* loop, std::function<void()> on_fire) : Handle(loop), on_fire_(std::move(on_fire)) {
    uv_timer_init(loop->uv(), &timer_);
    Opened(reinterpret_cast<uv_handle_t*>(&timer_));
  }

  void Set(TimePoint when) {
    if (is_closing()) return;
    // The loop counts in whole milliseconds of the same clock, rounded down: it reaches a time rounded up only after it.
    const int64_t at_ns = std::max<int64_t>(when.time_since_epoch().count(), 0);
    const uint64_t at_ms = static_cast<uint64_t>(at_ns / 1'000'000) + (at_ns % 1'000'000 != 0 ? 1 : 0);
    const uint64_t now_ms = uv_now(loop()->uv());
    uint64_t wait_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    // libuv runs timers until none is due: one that sets itself to the past would shut the sockets out.
    if (wait_ms == 0 && loop()->in_timer) wait_ms = 1;
    uv_timer_start(
        &timer_,
        [](uv_timer_t* timer) {
          auto* self = static_cast<TimerHandle*>(timer->data);
          if (self->is_closing()) return;
          Loop* loop = self->loop();
          loop->in_timer = true;
          self->on_fire_();
          loop->in_timer = false;
        },
        wait_ms, 0);
  }

  void Cancel() {
    if (!is_closing()) uv_timer_stop(&timer_);
  }

 private:
  ~TimerHandle() override = default;
  uv_timer_t timer_;
  std::function<void()> on_fire_;  // lives until the close callback: the owner may destroy the Timer inside it
};

class UvTimer final : public Timer, public base::Recycled<UvTimer> {
 public:
  UvTimer(Loop* loop, std::function<void()> on_fire) : handle_(new TimerHandle(loop, std::move(on_fire))) {}
  ~UvTimer() override { handle_->Abandon(); }
  UvTimer(const UvTimer&) = delete;
  UvTimer& operator=(const UvTimer&) = delete;
  void Set(TimePoint when) override { handle_->Set(when); }
  void Cancel() override { handle_->Cancel(); }

 private:
  TimerHandle* handle_;
};

// A stream on its way out: flushes, sends FIN, reads to the end.
class Lingering final : public StreamObserver, public Deletable {
 public:
  Lingering(Loop* loop, std::unique_ptr<Stream> stream, base::Duration limit, std::function<void(Lingering*)> done)
      : stream_(std::move(stream)), limit_(limit), done_(std::move(done)), timer_(loop, [this] { OnTimer(); }) {}

  // False if there is nothing to wait for.
  bool Start() {
    peer_ended_ = stream_->saw_end();
    stream_->SetObserver(this);
    stream_->FinishWriting();
    stream_->ResumeReading();
    last_queued_ = stream_->queued_bytes();
    timer_.Set(MonotonicNow() + limit_);
    return !peer_ended_ || last_queued_ > 0;
  }

  void OnData(std::string_view) override {}
  void OnEnd() override {
    peer_ended_ = true;
    if (stream_->queued_bytes() == 0) Finish();
  }
  void OnError(NetError) override { Finish(); }
  void OnWriteDrained() override {
    last_queued_ = 0;
    if (peer_ended_) {
      Finish();
    } else {
      timer_.Set(MonotonicNow() + limit_);
    }
  }

 private:
  void OnTimer() {
    const size_t queued = stream_->queued_bytes();
    if (queued < last_queued_) {  // slow, but reading
      last_queued_ = queued;
      timer_.Set(MonotonicNow() + limit_);
      return;
    }
    Finish();
  }

  void Finish() {
    stream_.reset();
    timer_.Cancel();
    done_(this);
  }

  std::unique_ptr<Stream> stream_;
  base::Duration limit_;
  std::function<void(Lingering*)> done_;
  UvTimer timer_;
  size_t last_queued_ = 0;
  bool peer_ended_ = false;
};

}  // namespace

class UvTransport::Impl {
 public:
  ~Impl() { lingering.clear(); }

  Loop loop;
  std::unordered_map<Lingering*, std::unique_ptr<Lingering>> lingering;
};

UvTransport::UvTransport() : impl_(std::make_unique<Impl>()) {}
UvTransport::~UvTransport() = default;

TimePoint UvTransport::Now() const { return MonotonicNow(); }

WallTime UvTransport::WallNow() const { return net::WallNow(); }

base::Result<std::unique_ptr<Listener>> UvTransport::Listen(const std::string& host, uint16_t port, PortUse use,
                                                            AcceptCallback on_accept) {
  return ListenOn(&impl_->loop, host, port, use, std::move(on_accept));
}

std::unique_ptr<Stream> UvTransport::Connect(const Address& address, StreamObserver* observer) {
  return std::make_unique<UvStream>(&impl_->loop, address, observer);
}

std::unique_ptr<Resolution> UvTransport::Resolve(const std::string& host, uint16_t port, ResolveCallback done) {
  return ResolveOn(&impl_->loop, host, port, std::move(done));
}

std::unique_ptr<Timer> UvTransport::NewTimer(std::function<void()> on_fire) {
  return std::make_unique<UvTimer>(&impl_->loop, std::move(on_fire));
}

size_t UvTransport::closing_gracefully() const { return impl_->lingering.size(); }

void UvTransport::CloseGracefully(std::unique_ptr<Stream> stream, base::Duration limit, std::shared_ptr<void> holds) {
  if (stream == nullptr || stream->is_dead()) return;
  auto lingering = std::make_unique<Lingering>(&impl_->loop, std::move(stream), limit, [this, holds = std::move(holds)](Lingering* self) {
    impl_->loop.DeleteLater(std::move(impl_->lingering.extract(self).mapped()));
  });
  if (!lingering->Start()) return;
  Lingering* key = lingering.get();
  impl_->lingering.emplace(key, std::move(lingering));
}

void UvTransport::DeleteLater(std::unique_ptr<Deletable> object) { impl_->loop.DeleteLater(std::move(object)); }
void UvTransport::Post(std::function<void()> task) { impl_->loop.Post(std::move(task)); }

void UvTransport::Run() {
  impl_->loop.Run();
  impl_->lingering.clear();
}

void UvTransport::Stop() { impl_->loop.Stop(); }

}  // namespace runtime::net
