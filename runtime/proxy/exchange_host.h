// What stands on the two sides of an exchange's door: the request as the client's connection hands it over, and what the exchange
// asks of that connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/time.h"
#include "runtime/http/message.h"
#include "runtime/proxy/request_body.h"

namespace runtime::proxy {

// What becomes of the client's connection after an exchange.
enum class AfterExchange : uint8_t {
  kKeepAlive,
  kClose,   // the answer says so, or it was broken off in a framing that shows it
  kCloseLate,  // broken off behind a frame that says so: not before whoever is in front has passed the frame on
  kReset,   // broken off where a plain close would look like the end
};

// The client's connection, as an exchange sees it. Outlives the exchange's work (not its memory).
class ExchangeHost : public BodySource {
 public:
  virtual void SendToClient(std::span<const std::string_view> pieces) = 0;
  virtual size_t client_queued_bytes() const = 0;
  virtual void OnDeadlineChanged() = 0;
  virtual void OnExchangeOver(AfterExchange next) = 0;  // last call
};

struct ExchangeRequest {
  const http::RequestHead& head;  // valid until OnExchangeOver
  // Text is the connection's, and valid as long as the head.
  std::string_view path;          // normalised
  std::string_view request_id;
  std::string_view client_ip;     // who asks: behind trusted proxies not who is connected
  base::TimePoint arrived;
  std::string_view peer_ip = {};  // who is connected
  bool client_tls = false;
  bool from_proxy = false;               // peer_ip is of trusted_proxies
  std::string_view forwarded_host = {};  // X-Forwarded-Host of a trusted proxy
  bool path_is_simple = false;    // by http::IsSimplePath
};

}  // namespace runtime::proxy
