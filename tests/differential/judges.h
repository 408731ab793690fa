// nginx and HAProxy as readers of requests: each stands in front of a server that says what it was asked, so an answer tells
// how the judge read the request that it answers. Everything is on sockets of the file system; nothing outlives the object.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/socket.h"

namespace tests::differential {

// "METHOD target body-size body-hash headers-hash": one request, however it was framed. Headers that frame, or that a proxy
// may write for itself, are left out.
std::string Digest(std::string_view head, std::string_view body);

// The server behind the judges.
class EchoServer {
 public:
  explicit EchoServer(const std::string& path);
  ~EchoServer();

 private:
  void Serve(support::Socket socket);

  support::Socket listener_;
  std::thread acceptor_;
};

struct Reading {
  std::vector<std::string> digests;  // of the requests that were passed on, in order
  bool refused = false;              // the judge then gave an answer of its own, and closed
};

class Judge {
 public:
  enum class Kind { kNginx, kHaproxy };
  Judge(Kind kind, const support::TempDir& folder, const std::string& echo_path);

  const std::string& name() const { return name_; }

  // Sends the bytes and then one request that ends the connection; that one is not in the result unless it was swallowed.
  Reading Read(std::string_view bytes);

 private:
  std::string name_;
  std::string path_;
  std::unique_ptr<support::ChildProcess> process_;
};

}  // namespace tests::differential
