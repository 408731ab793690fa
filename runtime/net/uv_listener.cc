// One UvListener may hold several sockets ("localhost" is 127.0.0.1 and ::1), all on one port.
#include "runtime/net/uv_listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "runtime/net/uv_stream.h"

namespace runtime::net {
namespace {

constexpr int kBacklog = 4096;              // the kernel lowers it to net.core.somaxconn
constexpr int kAcceptsPerTurn = 32;         // then others on the loop, and other loops on the port, get their turn
constexpr uint64_t kExhaustedPauseMs = 50;  // until accepting is tried again

using SharedAccept = std::shared_ptr<Transport::AcceptCallback>;

// The timer that takes accepting up again after descriptors ran out.
class AcceptPause final : public Handle {
 public:
  AcceptPause(Loop* loop, std::function<void()> resume) : Handle(loop), resume_(std::move(resume)) {
    uv_timer_init(loop->uv(), &timer_);
    Opened(reinterpret_cast<uv_handle_t*>(&timer_));
  }
  void Start() {
    uv_timer_start(
        &timer_,
        [](uv_timer_t* timer) {
          auto* self = static_cast<AcceptPause*>(timer->data);
          if (!self->is_closing()) self->resume_();
        },
        kExhaustedPauseMs, 0);
  }

 private:
  ~AcceptPause() override = default;
  uv_timer_t timer_;
  std::function<void()> resume_;
};

class ListenHandle final : public Handle {
 public:
  ListenHandle(Loop* loop, int socket, SharedAccept on_accept)
      : Handle(loop), socket_(socket), on_accept_(std::move(on_accept)) {
    uv_poll_init_socket(loop->uv(), &poll_, socket_);
    Opened(reinterpret_cast<uv_handle_t*>(&poll_));
    pause_ = new AcceptPause(loop, [this] { Start(); });
    Start();
  }

  void StopListening() {
    pause_->Abandon();
    Abandon();
  }

  void SetPaused(bool paused) {
    if (paused == paused_ || is_closing()) return;
    paused_ = paused;
    if (paused) {
      uv_poll_stop(&poll_);
    } else {
      Start();
    }
  }

 private:
  ~ListenHandle() override = default;

  void OnClosing() override { close(socket_); }  // at once, so that the port is free; libuv no longer polls it

  void Start() {
    if (paused_) return;
    uv_poll_start(&poll_, UV_READABLE,
                  [](uv_poll_t* poll, int, int) { static_cast<ListenHandle*>(poll->data)->Accept(); });
  }

  void Accept() {
    for (int i = 0; i < kAcceptsPerTurn && !is_closing() && !paused_; ++i) {
      sockaddr_storage remote;
      socklen_t size = sizeof(remote);
      const int socket = accept4(socket_, reinterpret_cast<sockaddr*>(&remote), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket < 0) {
        if (errno == ECONNABORTED || errno == EINTR) continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
          uv_poll_stop(&poll_);
          pause_->Start();
        }
        return;
      }
      const SharedAccept on_accept = on_accept_;  // the callback may destroy the listener
      (*on_accept)(std::make_unique<UvStream>(loop(), socket, AddressOf(reinterpret_cast<sockaddr*>(&remote))));
    }
  }

  int socket_;
  SharedAccept on_accept_;
  AcceptPause* pause_ = nullptr;
  bool paused_ = false;  // by the owner
  uv_poll_t poll_;
};

class UvListener final : public Listener {
 public:
  UvListener(std::vector<ListenHandle*> handles, uint16_t port) : handles_(std::move(handles)), port_(port) {}
  ~UvListener() override {
    for (ListenHandle* handle : handles_) handle->StopListening();
  }
  uint16_t port() const override { return port_; }
  void PauseAccepting() override {
    for (ListenHandle* handle : handles_) handle->SetPaused(true);
  }
  void ResumeAccepting() override {
    for (ListenHandle* handle : handles_) handle->SetPaused(false);
  }

 private:
  std::vector<ListenHandle*> handles_;
  uint16_t port_;
};

// Sockets that a service manager handed over (sd_listen_fds(3)): they listen already, on ports that this process may not be allowed to
// have, and connections wait in them while it starts.
std::vector<int> InheritedSockets() {
  std::vector<int> sockets;
  const char* const pid = std::getenv("LISTEN_PID");
  const char* const count = std::getenv("LISTEN_FDS");
  if (pid == nullptr || count == nullptr || std::atoll(pid) != getpid()) return sockets;
  constexpr int kFirst = 3;
  for (int fd = kFirst; fd < kFirst + std::min(std::atoi(count), 1024); ++fd) {
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) continue;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    sockets.push_back(fd);
  }
  return sockets;
}

// One of those with this address, for a loop of its own; -1 if there is none.
int InheritedFor(const sockaddr* address) {
  static const std::vector<int> inherited = InheritedSockets();
  const Address wanted = AddressOf(address);
  for (const int socket : inherited) {
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    if (getsockname(socket, reinterpret_cast<sockaddr*>(&local), &size) != 0 || local.ss_family != address->sa_family)
      continue;
    if (wanted.port == 0 || !(AddressOf(reinterpret_cast<sockaddr*>(&local)) == wanted)) continue;
    const int own = fcntl(socket, F_DUPFD_CLOEXEC, 3);
    if (own >= 0) fcntl(own, F_SETFL, fcntl(own, F_GETFL) | O_NONBLOCK);
    return own;
  }
  return -1;
}

// A bound, listening socket, or -1 with errno. What it accepts inherits TCP_NODELAY.
int OpenListening(const sockaddr* address, socklen_t size, PortUse use) {
  const int on = 1;
  if (const int inherited = InheritedFor(address); inherited >= 0) {
    setsockopt(inherited, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return inherited;
  }
  const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const auto share = [&] { return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0; };
  // Behind the bind of the first one: until then the kernel lets nobody else in, and it lets nobody in who is there already.
  const bool is_bound = (use != PortUse::kMore || share()) && bind(fd, address, size) == 0 && (use != PortUse::kFirst || share());
  if (!is_bound || listen(fd, kBacklog) != 0) {
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

uint16_t PortOf(int socket) {
  sockaddr_storage local;
  socklen_t size = sizeof(local);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&local), &size) != 0) return 0;
  return AddressOf(reinterpret_cast<sockaddr*>(&local)).port;
}

void SetPort(sockaddr_storage* address, uint16_t port) {
  if (address->ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = htons(port);
  }
}

std::string Advice(int error) {
  switch (error) {
    case EADDRINUSE: return "the port is taken; stop the program that uses it or choose another port";
    case EACCES: return "not permitted; choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL: return "this machine has no such address; write one of its own, or 0.0.0.0 for all";
    case EMFILE:
    case ENFILE: return "out of file descriptors; raise the limit (ulimit -n)";
    default: return std::strerror(error);
  }
}

std::vector<sockaddr_storage> AddressesOf(const std::string& host, std::string* problem) {
  std::vector<sockaddr_storage> addresses;
  sockaddr_storage numeric;
  if (ParseAddress(host, 0, &numeric)) {
    addresses.push_back(numeric);
    return addresses;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int result = host.empty() ? EAI_NONAME : getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (result != 0) {
    *problem =
        std::string("the name was not found (") + gai_strerror(result) + "); write a numeric address of this machine";
    return addresses;
  }
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    sockaddr_storage address{};
    std::memcpy(&address, entry->ai_addr, entry->ai_addrlen);
    addresses.push_back(address);
  }
  freeaddrinfo(list);
  return addresses;
}

}  // namespace

base::Result<std::unique_ptr<Listener>> ListenOn(Loop* loop, const std::string& host, uint16_t port, PortUse use,
                                                 Transport::AcceptCallback on_accept) {
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  const std::string what = "can't listen on " + shown + ":" + std::to_string(port) + ": ";
  std::string problem;
  std::vector<sockaddr_storage> addresses = AddressesOf(host, &problem);
  if (addresses.empty()) return base::Error{what + problem};

  std::vector<int> sockets;
  int last_error = 0;
  for (sockaddr_storage& address : addresses) {
    SetPort(&address, sockets.empty() ? port : PortOf(sockets.front()));
    const socklen_t size = address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    const int socket = OpenListening(reinterpret_cast<const sockaddr*>(&address), size, use);
    if (socket >= 0) {
      sockets.push_back(socket);
      continue;
    }
    last_error = errno;
    // A name may have an address of a family that this machine lacks (::1 in a container): the others do.
    if (last_error == EADDRNOTAVAIL || last_error == EAFNOSUPPORT) continue;
    for (int open : sockets) close(open);
    return base::Error{what + Advice(last_error)};
  }
  if (sockets.empty()) return base::Error{what + Advice(last_error)};

  const uint16_t actual_port = PortOf(sockets.front());
  const auto shared_accept = std::make_shared<Transport::AcceptCallback>(std::move(on_accept));
  std::vector<ListenHandle*> handles;
  for (int socket : sockets) handles.push_back(new ListenHandle(loop, socket, shared_accept));
  return std::unique_ptr<Listener>(std::make_unique<UvListener>(std::move(handles), actual_port));
}

}  // namespace runtime::net
