// One try of a request at one upstream: finds a connection, sends, reads the answer. Knows nothing of the client, of other
// attempts, or of whether there will be one; no timer runs here (the exchange's machine has them all).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/recycled.h"
#include "compiler/abi/facts.h"
#include "runtime/http/message.h"
#include "runtime/net/tls.h"
#include "runtime/proxy/request_body.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {

using compiler::abi::ErrorKind;
using compiler::model::UpstreamId;

// Calls may come from inside Start. After OnAttemptEnd or OnAttemptFailed nothing follows. Who asks only whether a server answers
// (ModelLoad, HealthCheck) hears the head or the failure, and leaves the rest out.
class AttemptObserver {
 public:
  virtual ~AttemptObserver() = default;
  virtual void OnAttemptConnected() {}
  virtual void OnAttemptRequestSent() {}  // its first bytes were handed to the kernel; more of the body may be sent now
  virtual void OnAttemptInterim(const http::ResponseHead&) {}  // a 1xx; valid during the call
  virtual void OnAttemptHead(const http::ResponseHead& head) = 0;  // final, valid until the attempt is destroyed
  virtual void OnAttemptBody(std::span<const std::string_view>) {}
  virtual void OnAttemptReadOver() {}  // of what one read brought, all was told; not where the answer has ended or failed in it
  virtual void OnAttemptEnd(bool /*framing_tells*/) {}  // false: the body ended with the connection
  virtual void OnAttemptFailed(ErrorKind error, bool is_reuse_race) = 0;
  virtual void OnAttemptDrained() {
  }  // what was queued of the request is written; more of its body may be queued by now
};

class Attempt final : public net::StreamObserver, public net::Deletable, public BodySink, public base::Recycled<Attempt> {
 public:
  Attempt(WorkerContext& worker, UpstreamId upstream, AttemptObserver& observer);
  ~Attempt() override;

  struct Request {
    std::string head;
    std::string_view body = {};    // as far as it is known; borrowed until it is sent or the attempt given up
    bool is_whole = true;          // false: the rest comes by SendMore
    bool is_head_method = false;   // HEAD: the answer has no body
    bool fresh_connection = false;
    std::unique_ptr<UpstreamConnection> spare = nullptr;  // of an earlier attempt, without a stream: memory for a new connection
  };
  void Start(Request&& request);

  // More of the request, framed. `last`: it is whole now.
  void SendMore(std::string_view bytes, bool last) override;
  size_t queued_bytes() const override;

  // Copied for the connection and not yet taken by the kernel.
  size_t copied_bytes() const { return phase_ == Phase::kExchanging ? connection_->stream->queued_bytes() : 0; }
  // The borrowed body is still needed.
  bool borrows_body() const { return !request_.body.empty(); }

  // Why TLS failed, where OnAttemptFailed said tls_failure: its reason and a sentence for people.
  const net::TlsFailure* tls_failure() const { return tls_failure_ ? &*tls_failure_ : nullptr; }
  // Why it failed, more closely than its error says: the reason of TLS, of the parser. Empty: there is no more to say.
  std::string_view detail() const { return detail_; }

  // That it is connected to, or was, or tried last; no ip: it came to none.
  const net::Address& peer() const {
    return connection_ != nullptr && connection_->stream != nullptr ? connection_->stream->peer() : connecting_to_;
  }

  // Back-pressure: whoever reads the answer can't take more. Ends with the answer.
  void PauseReading();
  void ResumeReading();
  bool is_paused() const { return is_paused_; }

  // The body, if all of it came together with the head; nothing otherwise. Within OnAttemptHead only.
  void AppendWholeBody(std::string* to) const;

  // Closes the connection; no call of the observer follows.
  void Abort();

  // The answer is over before its HTTP message is: somebody else waits for that.
  void HandOver(AttemptObserver& observer) { observer_ = &observer; }

  bool is_over() const { return phase_ == Phase::kOver; }

  // The memory of the head that was sent, for another one; empty. Likewise that of a connection that was closed, or not needed. For who
  // lets go of the attempt: what it told of its answer is gone with that.
  void TakeBuffers(std::string* head, std::unique_ptr<UpstreamConnection>* connection) {
    request_.head.clear();
    *head = std::move(request_.head);
    if (request_.spare != nullptr) *connection = std::move(request_.spare);
    else if (connection_ != nullptr && connection_->stream == nullptr) *connection = std::move(connection_);
  }

  // net::StreamObserver
  void OnConnected() override;
  void OnData(std::string_view bytes) override;
  void OnEnd() override;
  void OnError(net::NetError error) override;
  void OnWriteDrained() override;

 private:
  enum class Phase : uint8_t { kNew, kResolving, kConnecting, kExchanging, kOver };

  const compiler::model::UpstreamSettings& settings() const;
  void ConnectNext();
  void Connect();
  void FailConnect(ErrorKind error);
  void RecordTlsFailure();
  void SendRequest();
  std::string_view TakePiece();  // of the body
  void SendRest();
  void Fail(ErrorKind error, bool is_reuse_race = false);
  void FailAtEnd();
  void Finish(bool framing_tells, bool has_surplus);

  WorkerContext& worker_;
  const UpstreamId upstream_;
  AttemptObserver* observer_;
  Phase phase_ = Phase::kNew;
  Request request_;
  std::unique_ptr<NameCache::Wait> name_wait_;
  net::Address connecting_to_;
  std::vector<net::Address> addresses_;  // still to be tried, last first
  std::unique_ptr<UpstreamConnection> connection_;
  base::TimePoint taken_at_{};  // from the pool
  std::optional<net::TlsFailure> tls_failure_;
  std::string detail_;
  bool head_seen_ = false;
  bool is_telling_head_ = false;
  bool is_paused_ = false;
  int interim_responses_ = 0;
};

}  // namespace runtime::proxy
