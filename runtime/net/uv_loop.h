// Private to this folder. The libuv loop, what runs at the end of a turn, and the one rule by which memory that libuv
// knows is freed: a Handle dies when its close callback came and nobody holds it any more.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/net/transport.h"

namespace runtime::net {

NetError NetErrorOf(int uv_error);
Address AddressOf(const sockaddr* address);                                      // IPv4 in IPv6 is given as IPv4
bool ParseAddress(const std::string& ip, uint16_t port, sockaddr_storage* out);  // numeric only

// The monotonic clock of this thread.
TimePoint MonotonicNow();
WallTime WallNow();

// While one of these lives, MonotonicNow and WallNow of its thread read their clocks once: what one read brought is dealt with at one time.
class HeldClock {
 public:
  HeldClock();
  ~HeldClock();
  HeldClock(const HeldClock&) = delete;
  HeldClock& operator=(const HeldClock&) = delete;
};

class Loop {
 public:
  Loop();
  ~Loop();

  uv_loop_t* uv() { return &loop_; }
  char* read_buffer() { return read_buffer_.get(); }
  static constexpr size_t kReadBufferSize = 64 << 10;

  // Runs the task later in this turn or in the next one, never from inside this call. It runs in any case: a task that
  // calls an owner asks delivers_callbacks() first.
  void Defer(std::function<void()> task);
  void DeleteLater(std::unique_ptr<Deletable> object);
  void Post(std::function<void()> task);  // thread-safe
  void Run();
  void Stop();  // thread-safe

  // Whether owners may still be called.
  bool delivers_callbacks() const { return !closing_down_; }
  bool in_timer = false;

  // A request that is not bound to a handle (a name look-up) holds the loop until it is over.
  void RequestBegins() { ++open_requests_; }
  void RequestEnds() { --open_requests_; }

 private:
  friend class Handle;
  void RunDeferred();
  void RunPosted();
  void CloseEverything();
  void Wake();

  uv_loop_t loop_;
  uv_async_t wake_;
  uv_prepare_t before_poll_;
  uv_check_t after_poll_;
  uv_timer_t trim_;  // gives memory back that is not needed
  uv_idle_t no_wait_;  // active while something is deferred, so that polling doesn't block
  std::unique_ptr<char[]> read_buffer_{new char[kReadBufferSize]};

  std::vector<std::function<void()>> deferred_;
  std::vector<std::unique_ptr<Deletable>> graveyard_;
  std::vector<std::function<void()>> running_;       // of RunDeferred: empty outside of it
  std::vector<std::unique_ptr<Deletable>> dying_;
  size_t open_handles_ = 0;
  size_t open_requests_ = 0;
  bool closing_down_ = false;

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
  bool stop_asked_ = false;                    // guarded by mutex_
};

// One libuv handle and what its callbacks need. Made with new, and in front of it an object that the owner holds (a
// Stream, Timer or Listener), which calls Abandon in its destructor. Never deleted by anybody but itself.
class Handle {
 public:
  explicit Handle(Loop* loop) : loop_(loop) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  void Close();    // idempotent; no callback to the owner follows
  void Abandon();  // the object in front is gone: closes, and lets go of the memory
  bool is_closing() const { return closing_; }
  Loop* loop() { return loop_; }

 protected:
  // Loop::Defer, unless the handle is closed by then; keeps the handle's memory until the task ran.
  void DeferUnlessClosed(std::function<void()> task);
  virtual ~Handle() = default;
  void Opened(uv_handle_t* handle);  // after uv_*_init
  virtual void OnClosing() {}        // right after uv_close

 private:
  friend class Loop;
  void LetGo();

  Loop* loop_;
  uv_handle_t* handle_ = nullptr;
  bool closing_ = false;
  bool closed_ = false;
  bool abandoned_ = false;
  int deferred_calls_ = 0;
};

}  // namespace runtime::net
