#include "tests/differential/judges.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <stdexcept>

namespace tests::differential {
namespace {

using support::Socket;

constexpr std::string_view kLastRequest = "GET /the-last-one HTTP/1.1\r\nHost: judge\r\nConnection: close\r\n\r\n";
constexpr std::string_view kLastTarget = "GET /the-last-one ";

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("the folder's name is too long for a socket: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Socket ConnectTo(const std::string& path) {
  const sockaddr_un address = AddressOf(path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return Socket(fd);
  close(fd);
  return {};
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return lower;
}

uint64_t Hash(std::string_view text) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

// Of well-formed messages, as the judges write them: a head up to its empty line, then a body by length or in chunks.
std::string_view ValueOf(std::string_view head, std::string_view lower_name, std::string* storage) {
  *storage = Lower(head);
  const size_t at = storage->find("\r\n" + std::string(lower_name) + ":");
  if (at == std::string::npos) return {};
  const size_t from = at + 3 + lower_name.size();
  return Trim(head.substr(from, head.find("\r\n", from) - from));
}

// Takes one message's body from the front of *buffer, reading more as needed; false if the peer is gone.
bool TakeBody(Socket* socket, const std::string& head, std::string* buffer, std::string* body) {
  const auto need = [&](size_t size) {
    while (buffer->size() < size) {
      if (socket->Read(buffer) != support::ReadResult::kData) return false;
    }
    return true;
  };
  std::string storage;
  if (!ValueOf(head, "transfer-encoding", &storage).empty()) {
    for (;;) {
      size_t end;
      while ((end = buffer->find("\r\n")) == std::string::npos) {
        if (socket->Read(buffer) != support::ReadResult::kData) return false;
      }
      const size_t size = std::stoul(buffer->substr(0, end), nullptr, 16);
      if (!need(end + 2 + size + 2)) return false;  // proxies send no trailers
      body->append(*buffer, end + 2, size);
      buffer->erase(0, end + 2 + size + 2);
      if (size == 0) return true;
    }
  }
  const std::string_view length = ValueOf(head, "content-length", &storage);
  const size_t size = length.empty() ? 0 : std::stoul(std::string(length));
  if (!need(size)) return false;
  body->assign(*buffer, 0, size);
  buffer->erase(0, size);
  return true;
}

}  // namespace

std::string Digest(std::string_view head, std::string_view body) {
  static const std::set<std::string, std::less<>> kLeftOut = {"host", "connection", "content-length", "transfer-encoding"};
  std::multiset<std::string> headers;
  size_t from = head.find("\r\n") + 2;
  while (from < head.size()) {
    const size_t to = std::min(head.find("\r\n", from), head.size());
    const std::string_view line = head.substr(from, to - from);
    from = to + 2;
    if (line.empty()) continue;
    const size_t colon = line.find(':');
    const std::string name = Lower(line.substr(0, colon));
    if (!kLeftOut.contains(name)) headers.insert(name + ":" + std::string(Trim(line.substr(colon + 1))));
  }
  std::string all;
  for (const std::string& header : headers) all += header + "\n";
  const std::string_view line = head.substr(0, head.find("\r\n"));
  return std::string(line.substr(0, line.rfind(' '))) + " " + std::to_string(body.size()) + " " + std::to_string(Hash(body)) +
         " " + std::to_string(Hash(all));
}

EchoServer::EchoServer(const std::string& path) {
  const sockaddr_un address = AddressOf(path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  listener_ = Socket(fd);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || !listener_.Listen())
    throw std::runtime_error("can't listen on " + path);
  acceptor_ = std::thread([this] {
    std::vector<std::thread> serving;
    for (;;) {
      Socket socket = listener_.Accept();
      if (!socket.valid()) break;
      serving.emplace_back([this, connection = std::make_shared<Socket>(std::move(socket))] { Serve(std::move(*connection)); });
    }
    for (std::thread& thread : serving) thread.join();  // their judges are gone
  });
}

EchoServer::~EchoServer() {
  listener_.ShutDown();
  acceptor_.join();
}

void EchoServer::Serve(Socket socket) {
  std::string buffer;
  for (;;) {
    size_t end;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
      if (socket.Read(&buffer, std::chrono::hours(1)) != support::ReadResult::kData) return;
    }
    const std::string head = buffer.substr(0, end + 2);
    buffer.erase(0, end + 4);
    std::string body;
    if (!TakeBody(&socket, head, &buffer, &body)) return;
    if (!socket.Send("HTTP/1.1 200 OK\r\nX-Echo: " + Digest(head, body) + "\r\nContent-Length: 0\r\n\r\n")) return;
  }
}

Judge::Judge(Kind kind, const support::TempDir& folder, const std::string& echo_path) {
  const std::string at = folder.path().string();
  std::vector<std::string> command;
  if (kind == Kind::kNginx) {
    name_ = "nginx";
    path_ = at + "/nginx.sock";
    const std::string config = folder.Write("nginx.conf", support::ReplaceAll(support::ReplaceAll(R"(
daemon off; master_process off; worker_processes 1; pid DIR/nginx.pid; error_log DIR/nginx.err;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  ignore_invalid_headers off; underscores_in_headers on; merge_slashes off;
  large_client_header_buffers 8 64k; client_max_body_size 64m; keepalive_requests 1000000;
  upstream echo { server unix:ECHO; keepalive 16; }
  server {
    listen unix:DIR/nginx.sock;
    location / {
      proxy_pass http://echo; proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection "";
    }
  }
}
)", "DIR", at), "ECHO", echo_path));
    command = {"/usr/sbin/nginx", "-p", at, "-e", at + "/nginx.err", "-c", config};
  } else {
    name_ = "HAProxy";
    path_ = at + "/haproxy.sock";
    const std::string config = folder.Write("haproxy.cfg", support::ReplaceAll(support::ReplaceAll(R"(
global
  maxconn 256
  tune.bufsize 131072
  tune.http.maxhdr 300
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse always
frontend f
  bind unix@DIR/haproxy.sock
  default_backend b
backend b
  server echo unix@ECHO
)", "DIR", at), "ECHO", echo_path));
    command = {"/usr/sbin/haproxy", "-db", "-f", config};
  }
  if (access(command[0].c_str(), X_OK) != 0) throw std::runtime_error(command[0] + " is missing: scripts/install-packages installs it");
  process_ = std::make_unique<support::ChildProcess>(command, support::ChildProcess::Environment{});
  if (!support::WaitUntil([&] { return ConnectTo(path_).valid() || !process_->is_running(); }) || !process_->is_running()) {
    std::string said;
    for (const std::string& line : process_->err()) said += line + "\n";
    throw std::runtime_error(name_ + " did not start:\n" + said);
  }
}

Reading Judge::Read(std::string_view bytes) {
  Socket socket = ConnectTo(path_);
  if (!socket.valid()) throw std::runtime_error(name_ + " is gone");
  // A writer of its own: the answers must be read meanwhile.
  std::thread writer([&] {
    if (socket.Send(bytes)) socket.Send(kLastRequest);
  });
  std::string got;
  while (socket.Read(&got) == support::ReadResult::kData) {
  }
  writer.join();
  Reading reading;
  bool saw_last = false;
  size_t from = 0;
  while (from < got.size()) {
    const size_t end = got.find("\r\n\r\n", from);
    if (end == std::string::npos) break;
    std::string storage;
    const std::string head = got.substr(from, end + 2 - from);
    const std::string echo(ValueOf(head, "x-echo", &storage));
    if (echo.empty()) {
      reading.refused = true;
      break;
    }
    from = end + 4;
    if (echo.starts_with(kLastTarget)) saw_last = true;
    else reading.digests.push_back(echo);
  }
  reading.refused = reading.refused || !saw_last;
  return reading;
}

}  // namespace tests::differential
