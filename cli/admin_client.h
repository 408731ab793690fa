// The admin address of a running gateway, asked by the commands that act on it: one request on a connection of its own.
#pragma once

#include <string>
#include <string_view>

namespace cli {

struct AdminOptions {
  std::string address;  // host:port; empty: $BREAKWATER_ADMIN, else 127.0.0.1:9180
  std::string token;    // empty: $BREAKWATER_ADMIN_TOKEN, else the file that the gateway wrote
  int timeout_seconds = 5;
};

struct AdminAnswer {
  int status = 0;  // 0: there was none
  std::string body;
  std::string error;  // why not, for people
};

// `path`: with its query. A POST is sent with an empty JSON object and the token.
AdminAnswer AskAdmin(const AdminOptions& options, std::string_view method, const std::string& path);

// The address that AskAdmin asks.
std::string AdminAddress(const AdminOptions& options);

}  // namespace cli
