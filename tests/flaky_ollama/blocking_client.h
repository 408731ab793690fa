// A client for tests that want to see bytes and how a connection ended: one blocking socket, nothing parsed.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace examples::flaky_ollama {

enum class End : uint8_t { kOpen, kFin, kReset, kRefused, kTimeout };

class BlockingClient {
 public:
  explicit BlockingClient(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    timeval limit{20, 0};  // a hung test ends
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) end_ = End::kRefused;
  }
  ~BlockingClient() { Close(); }
  BlockingClient(const BlockingClient&) = delete;
  BlockingClient& operator=(const BlockingClient&) = delete;

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return;  // the reading side tells why
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }

  // Reads until `text` was seen or the connection ended. Returns everything read so far.
  const std::string& ReadUntil(std::string_view text) {
    while (received_.find(text) == std::string::npos && end_ == End::kOpen) ReadSome();
    return received_;
  }
  const std::string& ReadToEnd() {
    while (end_ == End::kOpen) ReadSome();
    return received_;
  }

  End end() const { return end_; }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  void ReadSome() {
    char buffer[16384];
    const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
    if (got > 0) {
      received_.append(buffer, static_cast<size_t>(got));
    } else if (got == 0) {
      end_ = End::kFin;
    } else if (errno != EINTR) {  // which comes without any signal of ours where libuv uses io_uring
      end_ = errno == ECONNRESET ? End::kReset : End::kTimeout;
    }
  }

  int fd_;
  End end_ = End::kOpen;
  std::string received_;
};

// What came of one request.
struct Got {
  std::string head;
  std::string body;  // as it came: chunked where it was
  End end;

  int status() const { return head.size() < 12 ? 0 : std::stoi(head.substr(9, 3)); }
};

inline std::string RequestText(std::string_view method, std::string_view path, std::string_view body,
                               std::string_view more = "") {
  std::string text =
      std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more);
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + std::string(body);
}

// One request on a connection of its own, read to the end.
inline Got Ask(uint16_t port, std::string_view method, std::string_view path, std::string_view body = "") {
  BlockingClient client(port);
  if (client.end() != End::kOpen) return {"", "", client.end()};
  client.Send(RequestText(method, path, body, "Connection: close\r\n"));
  const std::string& all = client.ReadToEnd();
  const size_t split = all.find("\r\n\r\n");
  if (split == std::string::npos) return {all, "", client.end()};
  return {all.substr(0, split), all.substr(split + 4), client.end()};
}

}  // namespace examples::flaky_ollama
