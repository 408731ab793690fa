// Blocking sockets over poll. Every descriptor is close-on-exec: a gateway that inherited a listener would keep it
// alive.
#include "tests/support/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace tests::support {
namespace {

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Whether `events` (or an error) came within what is left until `give_up`.
bool WaitForEvents(int fd, short events, Clock::time_point give_up) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(give_up - Clock::now()).count();
    pollfd entry{fd, events, 0};
    const int ready = poll(&entry, 1, left > 0 ? static_cast<int>(left) + 1 : 0);
    if (ready > 0) return true;
    if (ready == 0 && left <= 0) return false;
  }
}

}  // namespace

Socket::Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Socket Socket::Connect(uint16_t port, int receive_buffer) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (receive_buffer > 0) setsockopt(socket.fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  const int on = 1;
  setsockopt(socket.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in address = Loopback(port);
  if (::connect(socket.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return Socket();
  return socket;
}

Socket Socket::Bind(uint16_t port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(socket.fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = Loopback(port);
  if (::bind(socket.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return Socket();
  return socket;
}

bool Socket::Listen() { return ::listen(fd_, 1024) == 0; }

Socket Socket::Accept() {
  while (true) {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd >= 0) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return Socket(fd);
  }
}

uint16_t Socket::local_port() const {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.sin_port);
}

bool Socket::Send(std::string_view bytes, Clock::duration limit) {
  const Clock::time_point give_up = Clock::now() + limit;
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!WaitForEvents(fd_, POLLOUT, give_up)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

ReadResult Socket::Read(std::string* out, Clock::duration limit) {
  const Clock::time_point give_up = Clock::now() + limit;
  char buffer[64 << 10];
  while (true) {
    const ssize_t size = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size > 0) {
      out->append(buffer, static_cast<size_t>(size));
      return ReadResult::kData;
    }
    if (size == 0) return ReadResult::kEnd;
    if (errno == EAGAIN) {
      if (!WaitForEvents(fd_, POLLIN, give_up)) return ReadResult::kTimeout;
    } else if (errno != EINTR) {
      return ReadResult::kReset;
    }
  }
}

bool Socket::PeerHasClosed() const {
  pollfd entry{fd_, POLLIN | POLLRDHUP, 0};
  return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void Socket::FinishWriting() { ::shutdown(fd_, SHUT_WR); }

void Socket::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Socket::Reset() {
  const linger at_once{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  Close();
}

void Socket::ShutDown() { ::shutdown(fd_, SHUT_RDWR); }

}  // namespace tests::support
