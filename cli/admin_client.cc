#include "cli/admin_client.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "runtime/proxy/admin_token.h"

namespace cli {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The token that a gateway with this admin port left for whoever may read it.
std::string TokenOf(const AdminOptions& options, const std::string& port) {
  if (!options.token.empty()) return options.token;
  if (std::string token = Environment("BREAKWATER_ADMIN_TOKEN"); !token.empty()) return token;
  for (const std::string& folder : runtime::proxy::AdminTokenFolders()) {
    std::ifstream file(folder + "/" + runtime::proxy::AdminTokenFile(port));
    std::string token;
    if (file && std::getline(file, token) && !token.empty()) return token;
  }
  return "";
}

int Connect(const std::string& host, const std::string& port, int timeout_seconds, std::string* error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int result = getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  if (result != 0) {
    *error = gai_strerror(result);
    return -1;
  }
  int connected = -1;
  for (const addrinfo* entry = list; entry != nullptr && connected < 0; entry = entry->ai_next) {
    const int fd = socket(entry->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    const timeval limit{timeout_seconds, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, entry->ai_addr, entry->ai_addrlen) == 0) {
      connected = fd;
    } else {
      *error = std::strerror(errno);
      close(fd);
    }
  }
  freeaddrinfo(list);
  return connected;
}

}  // namespace

std::string AdminAddress(const AdminOptions& options) {
  if (!options.address.empty()) return options.address;
  const std::string from_environment = Environment("BREAKWATER_ADMIN");
  return from_environment.empty() ? "127.0.0.1:9180" : from_environment;
}

AdminAnswer AskAdmin(const AdminOptions& options, std::string_view method, const std::string& path) {
  AdminAnswer answer;
  const std::string address = AdminAddress(options);
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    answer.error = address + " has no port";
    return answer;
  }
  std::string host = address.substr(0, colon);
  const std::string port = address.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "0.0.0.0" || host == "::") host = host == "::" ? "::1" : "127.0.0.1";
  std::string problem;
  const int fd = Connect(host, port, options.timeout_seconds, &problem);
  if (fd < 0) {
    answer.error = "no gateway answers at " + address + ": " + problem;
    return answer;
  }
  const bool is_post = method == "POST";
  std::string request =
      std::string(method) + " " + path + " HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n";
  if (path.starts_with("/admin/")) {
    const std::string token = TokenOf(options, port);
    if (!token.empty()) request += "Authorization: Bearer " + token + "\r\n";
  }
  if (is_post) request += "Content-Type: application/json\r\nContent-Length: 2\r\n";
  request += is_post ? "\r\n{}" : "\r\n";
  for (size_t sent = 0; sent < request.size();) {
    const ssize_t count = send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) break;
    sent += static_cast<size_t>(count);
  }
  std::string text;
  char buffer[16 << 10];
  ssize_t got = 0;
  while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) text.append(buffer, static_cast<size_t>(got));
  close(fd);
  const size_t end = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || end == std::string::npos) {
    answer.error = "what answers at " + address + " is no gateway";
    return answer;
  }
  answer.status = std::atoi(text.c_str() + 9);
  answer.body = text.substr(end + 4);
  return answer;
}

}  // namespace cli
