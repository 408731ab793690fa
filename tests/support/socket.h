// A blocking TCP socket with deadlines: what the client and the upstream of an end-to-end test are made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/support/wait.h"

namespace tests::support {

enum class ReadResult { kData, kEnd, kReset, kTimeout };

// Owns its file descriptor. One thread at a time, except ShutDown.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() { Close(); }
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;

  // Not valid() if nobody listens there. receive_buffer: SO_RCVBUF in bytes; 0 leaves the kernel's choice.
  static Socket Connect(uint16_t port, int receive_buffer = 0);
  // Bound to a loopback port, 0 for any; not listening yet.
  static Socket Bind(uint16_t port);
  bool Listen();
  Socket Accept();  // not valid() after ShutDown
  uint16_t local_port() const;

  bool valid() const { return fd_ >= 0; }

  // False if the peer is gone, or took too long to read it.
  bool Send(std::string_view bytes, Clock::duration limit = kPatience);
  // Appends what is there, waiting for at least one byte.
  ReadResult Read(std::string* out, Clock::duration limit = kPatience);
  // What Read would say now of the end of the connection, without waiting and without taking bytes.
  bool PeerHasClosed() const;

  void FinishWriting();  // FIN
  void Close();
  void Reset();     // RST
  void ShutDown();  // wakes a thread that waits in here

 private:
  int fd_ = -1;
};

}  // namespace tests::support
