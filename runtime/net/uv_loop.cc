// The loop's turn: timers, [deferred], poll, [deferred], close callbacks. Deferred tasks run and the graveyard is emptied
// at the two marks.
#include "runtime/net/uv_loop.h"

#include <arpa/inet.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/recycled.h"

namespace runtime::net {
namespace {

// Failures here mean that the process has no descriptors or memory at its very start, or a bug of ours.
void CheckUv(int result, const char* what) {
  if (result == 0) return;
  std::fprintf(stderr, "breakwater: %s failed: %s\n", what, uv_strerror(result));
  std::abort();
}

}  // namespace

namespace {

constinit thread_local bool clock_is_held = false;
constinit thread_local int64_t held_ns = 0;  // 0: not read yet
constinit thread_local int64_t held_wall_ns = 0;  // likewise

}  // namespace

HeldClock::HeldClock() {
  clock_is_held = true;
  held_ns = held_wall_ns = 0;
}
HeldClock::~HeldClock() { clock_is_held = false; }

TimePoint MonotonicNow() {
  if (!clock_is_held) return TimePoint(base::Duration(static_cast<int64_t>(uv_hrtime())));
  if (held_ns == 0) held_ns = static_cast<int64_t>(uv_hrtime());
  return TimePoint(base::Duration(held_ns));
}

WallTime WallNow() {
  const auto read = [] { return std::chrono::time_point_cast<base::Duration>(std::chrono::system_clock::now()); };
  if (!clock_is_held) return read();
  if (held_wall_ns == 0) held_wall_ns = read().time_since_epoch().count();
  return WallTime(base::Duration(held_wall_ns));
}

NetError NetErrorOf(int uv_error) {
  switch (uv_error) {
    case UV_ECONNREFUSED: return NetError::kRefused;
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_EPIPE: return NetError::kReset;
    case UV_ENETUNREACH:
    case UV_EHOSTUNREACH:
    case UV_ENETDOWN:
    case UV_EADDRNOTAVAIL:
    case UV_EAFNOSUPPORT: return NetError::kUnreachable;
    case UV_ETIMEDOUT: return NetError::kTimedOut;
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
    case UV_EAI_ADDRFAMILY: return NetError::kNameNotFound;
    case UV_EAI_AGAIN:
    case UV_EAI_FAIL: return NetError::kNameFailure;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOMEM:
    case UV_ENOBUFS:
    case UV_EAI_MEMORY: return NetError::kExhausted;
    default: return NetError::kOther;
  }
}

Address AddressOf(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    return {text, ntohs(v4->sin_port)};
  }
  if (address->sa_family != AF_INET6) return {};
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {  // a dual-stack listener's view of an IPv4 client
    inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
  }
  return {text, ntohs(v6->sin6_port)};
}

bool ParseAddress(const std::string& ip, uint16_t port, sockaddr_storage* out) {
  std::memset(out, 0, sizeof(*out));
  return uv_ip4_addr(ip.c_str(), port, reinterpret_cast<sockaddr_in*>(out)) == 0 ||
         uv_ip6_addr(ip.c_str(), port, reinterpret_cast<sockaddr_in6*>(out)) == 0;
}

Loop::Loop() {
  std::signal(SIGPIPE, SIG_IGN);  // libuv writes without MSG_NOSIGNAL
  CheckUv(uv_loop_init(&loop_), "uv_loop_init");
  loop_.data = this;
  CheckUv(uv_async_init(&loop_, &wake_, [](uv_async_t* h) { static_cast<Loop*>(h->loop->data)->RunPosted(); }),
          "uv_async_init");
  uv_prepare_init(&loop_, &before_poll_);
  uv_check_init(&loop_, &after_poll_);
  uv_idle_init(&loop_, &no_wait_);
  uv_timer_init(&loop_, &trim_);
  uv_prepare_start(&before_poll_, [](uv_prepare_t* h) { static_cast<Loop*>(h->loop->data)->RunDeferred(); });
  uv_check_start(&after_poll_, [](uv_check_t* h) { static_cast<Loop*>(h->loop->data)->RunDeferred(); });
  constexpr uint64_t kTrimMs = 30'000;
  uv_timer_start(&trim_, [](uv_timer_t*) { base::SpareBlocks::TrimAll(); }, kTrimMs, kTrimMs);
  // Handle::Opened sets data; these five are ours and have none.
  wake_.data = before_poll_.data = after_poll_.data = no_wait_.data = trim_.data = nullptr;
}

Loop::~Loop() {
  CloseEverything();
  while (open_requests_ > 0) uv_run(&loop_, UV_RUN_ONCE);
  for (uv_handle_t* handle :
       {reinterpret_cast<uv_handle_t*>(&wake_), reinterpret_cast<uv_handle_t*>(&before_poll_),
        reinterpret_cast<uv_handle_t*>(&after_poll_), reinterpret_cast<uv_handle_t*>(&no_wait_),
        reinterpret_cast<uv_handle_t*>(&trim_)}) {
    uv_close(handle, nullptr);
  }
  uv_run(&loop_, UV_RUN_DEFAULT);
  CheckUv(uv_loop_close(&loop_), "uv_loop_close");
}

void Loop::Wake() {
  uv_idle_start(&no_wait_, [](uv_idle_t*) {});
}

void Loop::Defer(std::function<void()> task) {
  deferred_.push_back(std::move(task));
  Wake();
}

void Loop::DeleteLater(std::unique_ptr<Deletable> object) {
  graveyard_.push_back(std::move(object));
  Wake();
}

void Loop::RunDeferred() {
  if (deferred_.empty() && graveyard_.empty()) return;
  uv_idle_stop(&no_wait_);
  // What the tasks defer in their turn waits for the next mark: the sockets come in between.
  // (Vectors are swapped, not made anew: this comes with every request.)
  running_.swap(deferred_);
  for (std::function<void()>& task : running_) task();
  running_.clear();
  while (!graveyard_.empty()) {
    dying_.swap(graveyard_);
    dying_.clear();
  }
  if (!deferred_.empty()) Wake();
}

void Loop::Post(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }
  uv_async_send(&wake_);
}

void Loop::Stop() {
  {
    std::lock_guard lock(mutex_);
    stop_asked_ = true;
  }
  uv_async_send(&wake_);
}

void Loop::RunPosted() {
  if (closing_down_) return;
  std::vector<std::function<void()>> tasks;
  bool stop = false;
  {
    std::lock_guard lock(mutex_);
    tasks.swap(posted_);
    stop = stop_asked_;
  }
  for (std::function<void()>& task : tasks) task();
  if (stop) uv_stop(&loop_);
}

void Loop::Run() {
  uv_run(&loop_, UV_RUN_DEFAULT);  // `wake_` keeps it going until uv_stop
  CloseEverything();
}

void Loop::CloseEverything() {
  closing_down_ = true;
  uv_walk(
      &loop_,
      [](uv_handle_t* handle, void*) {
        if (handle->data != nullptr) static_cast<Handle*>(handle->data)->Close();
      },
      nullptr);
  do {
    RunDeferred();
    while (open_handles_ > 0) uv_run(&loop_, UV_RUN_NOWAIT);
  } while (!deferred_.empty() || !graveyard_.empty());
  std::vector<std::function<void()>> never_run;
  {
    std::lock_guard lock(mutex_);
    never_run.swap(posted_);
  }
}

void Handle::Opened(uv_handle_t* handle) {
  handle_ = handle;
  handle_->data = this;
  ++loop_->open_handles_;
}

void Handle::Close() {
  if (closing_) return;
  closing_ = true;
  if (handle_ == nullptr) {  // never opened
    closed_ = true;
    return;
  }
  uv_close(handle_, [](uv_handle_t* handle) {
    auto* self = static_cast<Handle*>(handle->data);
    --self->loop_->open_handles_;
    self->closed_ = true;
    self->LetGo();
  });
  OnClosing();
}

void Handle::Abandon() {
  abandoned_ = true;
  Close();
  LetGo();
}

void Handle::DeferUnlessClosed(std::function<void()> task) {
  ++deferred_calls_;
  loop_->Defer([this, task = std::move(task)] {
    --deferred_calls_;
    if (!closing_) task();
    LetGo();
  });
}

void Handle::LetGo() {
  if (closed_ && abandoned_ && deferred_calls_ == 0) delete this;
}

}  // namespace runtime::net
