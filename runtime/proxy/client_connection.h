// One accepted socket: reads requests, one at a time, and writes their answers in order. Knows nothing of upstreams or retries.
//
// Reading goes on while an answer is under way, so that a client that leaves is noticed at once; what it sends ahead
// (pipelining) waits, bounded. A client that ends its sending side counts as gone, as with nginx and Envoy.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/recycled.h"
#include "runtime/http/message_parser.h"
#include "runtime/net/tls.h"
#include "runtime/net/transport.h"
#include "runtime/proxy/connection_place.h"
#include "runtime/proxy/cors.h"
#include "runtime/proxy/exchange.h"
#include "runtime/proxy/rate_watch.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {

class ClientConnection;

// Who owns the connections: the worker.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual void OnConnectionOver(ClientConnection* connection) = 0;  // destroy it, not before the loop's turn ends
  virtual const std::shared_ptr<WorkerContext>& current_context() const = 0;  // of the generation in force
  virtual void OnHandshakeOver() = 0;  // of TLS, however it ended; before OnConnectionOver
};

// What an address serves.
enum class ListenerRole : uint8_t {
  kTraffic,
  kAdmin,   // only the operators' pages
  kShared,  // both: the operators' pages win
};

class ClientConnection final : public net::StreamObserver, public net::Deletable, public ExchangeHost, public base::Recycled<ClientConnection> {
 public:
  // `is_trusted`: a proxy of gateway.trusted_proxies. `place`: held until the socket is closed. `is_tls`: the stream speaks TLS, and
  // its handshake begins now.
  ClientConnection(ConnectionOwner& owner, ListenerRole role, std::unique_ptr<net::Stream> stream, bool is_trusted,
                   std::shared_ptr<ConnectionPlace> place, bool is_tls = false);
  ~ClientConnection() override;

  // A new generation is in force: a request that is under way goes on with its own, the next one has that.
  void RenewContext();

  // Drain: an idle connection closes now, a busy one after its answer.
  void Drain();
  // The drain limit is over: what is under way is broken off.
  void BreakOff();

  // net::StreamObserver
  void OnConnected() override;  // the TLS handshake is over
  void OnData(std::string_view bytes) override;
  void OnEnd() override;
  void OnError(net::NetError error) override;
  void OnWriteDrained() override;

 private:
  // ExchangeHost
  void SendToClient(std::span<const std::string_view> pieces) override;
  size_t client_queued_bytes() const override;
  void PauseRequestBody() override;
  void ResumeRequestBody() override;
  void OnDeadlineChanged() override;
  void OnExchangeOver(AfterExchange next) override;

  void Consume(std::string_view bytes);
  void BeginRequest();
  void EndRequest(AfterExchange next);
  void ContinueWithPending();
  void AnswerByItself(LocalAnswer answer);
  bool LooksForOrigin(http::ParseError error, std::string_view bytes);
  void RefuseRequest(http::ParseError error);
  void Record(int status, std::string_view reason, size_t bytes_out);
  void UpdateReading();
  void OnTimer();
  void SetOwnDeadline(std::optional<base::Duration> after);
  void BeginBodyTime();
  // By the kernel. What TLS adds is queued, too.
  uint64_t taken_bytes() const { return sent_bytes_ - std::min<uint64_t>(sent_bytes_, stream_->queued_bytes()); }
  const compiler::model::ClientLimits& limits() const { return worker_->policy().gateway.limits; }
  ExchangeRequest MakeExchangeRequest(std::string_view path, bool is_simple);
  std::string_view OwnHost() const;
  bool has_started() const { return parser_ != nullptr && parser_->started(); }
  void ChooseRequestId();  // the client's if it is sane
  void NewRequestId();
  bool MustWait() const;          // what comes now is not looked at yet
  bool IsBusy() const { return exchange_ != nullptr || answered_early_; }
  void Close(bool reset);
  void EndHandshake(const net::TlsFailure* failure);
  LocalAnswer RedirectToTls(std::string_view path) const;
  void CloseGracefully();

  std::shared_ptr<WorkerContext> worker_;  // of the request under way, or of the next
  ConnectionOwner& owner_;
  const ListenerRole role_;
  const bool is_trusted_;
  std::shared_ptr<ConnectionPlace> place_;
  const bool is_tls_;
  bool handshaking_;
  std::unique_ptr<net::Stream> stream_;     // null: over
  const std::string peer_ip_;
  std::unique_ptr<net::Timer> timer_;
  base::TimePoint timer_set_for_ = base::TimePoint::max();
  std::optional<base::TimePoint> own_deadline_;    // idle, header or body time
  std::optional<base::TimePoint> stall_deadline_;  // the client does not read
  std::optional<base::TimePoint> read_step_at_;    // while something waits to be read: of answer_rate_
  uint64_t sent_bytes_ = 0;
  uint64_t taken_at_stall_check_ = 0;
  base::Duration read_step_left_ = RateWatch::kStep;
  RateWatch answer_rate_;

  uint64_t body_bytes_ = 0;
  RateWatch body_rate_;

  std::unique_ptr<http::MessageParser> parser_;  // lent by the worker; null: between requests
  std::vector<std::string_view> pieces_;
  std::string pending_;                     // came ahead of its turn
  base::TimePoint request_arrived_;
  std::string request_id_;  // this and the next two: of the request under way; they keep their memory
  std::string path_;        // normalised, where it did not come so
  std::string client_ip_;   // behind a trusted proxy
  bool head_seen_ = false;
  bool request_ended_ = false;
  bool answered_early_ = false;             // answered by itself; the rest of the body is read and dropped
  bool consuming_ = false;
  bool has_more_ = false;                   // behind what was read last, of the same read
  bool body_paused_ = false;
  bool reading_paused_ = false;
  bool close_after_ = false;
  bool closes_late_ = false;                // … when own_deadline_ has come
  std::unique_ptr<Exchange> exchange_;

  struct RefusedHead {  // too long; its answer waits for its Origin
    http::ParseError error;
    OriginScan origin;
  };
  std::unique_ptr<RefusedHead> refused_head_;  // mostly null
};

}  // namespace runtime::proxy
