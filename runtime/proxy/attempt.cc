#include "runtime/proxy/attempt.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/buffers.h"
#include "runtime/proxy/limits.h"

namespace runtime::proxy {
namespace {

ErrorKind ConnectErrorOf(net::NetError error) {
  switch (error) {
    case net::NetError::kRefused: return ErrorKind::k_refused;
    case net::NetError::kNameNotFound:
    case net::NetError::kNameFailure: return ErrorKind::k_dns_failure;
    case net::NetError::kTls: return ErrorKind::k_tls_failure;
    case net::NetError::kTruncated:
    case net::NetError::kReset:
    case net::NetError::kUnreachable:
    case net::NetError::kTimedOut:
    case net::NetError::kOther: return ErrorKind::k_connect_failure;
    case net::NetError::kExhausted: return ErrorKind::k_exhausted;  // here, not there
  }
  return ErrorKind::k_connect_failure;
}

}  // namespace

Attempt::Attempt(WorkerContext& worker, UpstreamId upstream, AttemptObserver& observer)
    : worker_(worker), upstream_(upstream), observer_(&observer) {}

Attempt::~Attempt() = default;

const compiler::model::UpstreamSettings& Attempt::settings() const { return worker_.policy().upstreams[upstream_]; }

void Attempt::Start(Request&& request) {
  request_ = std::move(request);
  if (!request_.fresh_connection) {
    connection_ = worker_.pools[upstream_]->Take();
    if (connection_ != nullptr) {
      taken_at_ = worker_.transport.Now();
      connection_->stream->SetObserver(this);
      OnConnected();
      return;
    }
  }
  phase_ = Phase::kResolving;
  const auto& url = settings().url;
  if (const auto* known = worker_.names.Find(url.host, url.port)) {
    if (known->size() == 1) {
      connecting_to_ = known->front();
      Connect();
      return;
    }
    addresses_.assign(known->rbegin(), known->rend());
    ConnectNext();
    return;
  }
  name_wait_ = worker_.names.WaitFor(url.host, url.port, [this](net::ResolveResult result) {
    name_wait_.reset();
    if (phase_ != Phase::kResolving) return;
    if (result.addresses.empty()) {
      Fail(ErrorKind::k_dns_failure);
      return;
    }
    addresses_.assign(result.addresses.rbegin(), result.addresses.rend());
    ConnectNext();
  });
}

void Attempt::ConnectNext() {
  connecting_to_ = std::move(addresses_.back());
  addresses_.pop_back();
  Connect();
}

void Attempt::Connect() {
  phase_ = Phase::kConnecting;
  const auto& url = settings().url;
  const bool is_tls = url.is_tls && worker_.gateway.tls.is_on;
  auto stream = is_tls ? worker_.gateway.tls.upstreams[upstream_]->Connect(worker_.transport, connecting_to_, url.host, this)
                       : worker_.transport.Connect(connecting_to_, this);
  if (request_.spare == nullptr) {
    connection_ = std::make_unique<UpstreamConnection>(std::move(stream));
    return;
  }
  connection_ = std::move(request_.spare);
  connection_->Reopen(std::move(stream));
}

// Before the stream goes. A server whose certificate has ended fails every request: its event comes once a second.
void Attempt::RecordTlsFailure() {
  const net::TlsFailure* failure = connection_->stream->tls_failure();
  if (failure == nullptr) return;
  tls_failure_ = *failure;
  detail_ = net::Name(failure->reason);
  if (!failure->detail.empty()) detail_ += ": " + failure->detail;
  worker_.metrics.CountBy(observe::LabelledCounter::kTlsFailures, {settings().name, net::Name(failure->reason)});
  if (!worker_.pools[upstream_]->MayTellOfTls()) return;
  observe::JsonLine line = worker_.Event("warn", "TLS with an upstream failed");
  line.Add("upstream", settings().name)
      .Add("address",
           compiler::model::ListenAddress{connection_->stream->peer().ip, connection_->stream->peer().port}.ToString())
      .Add("reason", net::Name(failure->reason))
      .Add("why", net::Text(failure->reason));
  if (!failure->detail.empty()) line.Add("detail", failure->detail);
  worker_.Log(line);
}

void Attempt::FailConnect(ErrorKind error) {
  if (error == ErrorKind::k_exhausted) return Fail(error);  // says nothing of the address, and the next would meet the same
  const auto& url = settings().url;
  worker_.names.Suspect(url.host, url.port);
  if (!addresses_.empty()) {
    ConnectNext();  // the next address of the name, inside this attempt
    return;
  }
  Fail(error);
}

void Attempt::OnConnected() {
  phase_ = Phase::kExchanging;
  if (request_.is_head_method) connection_->parser.ExpectNoBody();
  observer_->OnAttemptConnected();
  if (phase_ != Phase::kExchanging) return;
  SendRequest();
}

void Attempt::SendRequest() {
  const std::array<std::string_view, 2> pieces = {request_.head, TakePiece()};
  connection_->stream->Write(std::span(pieces).first(pieces[1].empty() ? 1 : 2));
  request_.head.clear();
  SendRest();
  observer_->OnAttemptRequestSent();
}

std::string_view Attempt::TakePiece() {
  const std::string_view piece = request_.body.substr(0, kHighWater);
  request_.body.remove_prefix(piece.size());
  return piece;
}

// What the kernel does not take at once is copied, so no more of a body is given to it than a piece: the rest stays where it is.
void Attempt::SendRest() {
  while (!request_.body.empty() && connection_->stream->queued_bytes() == 0) connection_->stream->Write(TakePiece());
}

void Attempt::SendMore(std::string_view bytes, bool last) {
  if (phase_ != Phase::kExchanging) return;
  if (last) request_.is_whole = true;
  if (!bytes.empty()) connection_->stream->Write(bytes);
}

size_t Attempt::queued_bytes() const {
  return phase_ == Phase::kExchanging ? connection_->stream->queued_bytes()
                                      : request_.head.size() + request_.body.size();
}

void Attempt::PauseReading() {
  if (is_paused_) return;
  is_paused_ = true;
  if (phase_ == Phase::kExchanging) connection_->stream->PauseReading();
}

void Attempt::ResumeReading() {
  is_paused_ = false;
  if (phase_ == Phase::kExchanging) connection_->stream->ResumeReading();
}

void Attempt::AppendWholeBody(std::string* to) const {
  if (!is_telling_head_ || connection_ == nullptr || !connection_->parser.message_complete()) return;
  for (const std::string_view piece : connection_->pieces) to->append(piece);
}

void Attempt::Abort() {
  if (phase_ == Phase::kOver) return;
  // Given up while it connects: a silent address must not be the first one for ever.
  if (phase_ == Phase::kConnecting) worker_.names.Demote(settings().url.host, settings().url.port, connecting_to_);
  phase_ = Phase::kOver;
  request_.body = {};
  name_wait_.reset();
  // The socket goes at once, the parser stays: the head that the exchange looks at lives in it.
  if (connection_ != nullptr) connection_->stream.reset();
}

void Attempt::OnData(std::string_view bytes) {
  if (phase_ != Phase::kExchanging) return;
  http::MessageParser& parser = connection_->parser;
  std::vector<std::string_view>& pieces = connection_->pieces;
  while (!bytes.empty()) {
    pieces.clear();
    const auto fed = parser.Feed(bytes, &pieces);
    if (fed.error != http::ParseError::kNone) {
      detail_ = http::Name(fed.error);
      Fail(ErrorKind::k_bad_response);
      return;
    }
    bytes.remove_prefix(fed.consumed);
    if (!head_seen_ && parser.head_complete()) {
      const int status = parser.response().status;
      if (status < 200) {  // RFC 9110 15.2: any number of them may come before the answer
        if (status == 101 || ++interim_responses_ > kMaxInterimResponses) {
          detail_ = status == 101 ? "status 101 that nobody asked for" : "too many interim answers";
          Fail(ErrorKind::k_bad_response);
          return;
        }
        observer_->OnAttemptInterim(parser.response());
        if (phase_ != Phase::kExchanging) return;
        parser.Reset();
        if (request_.is_head_method) parser.ExpectNoBody();
        continue;
      }
      head_seen_ = true;
      is_telling_head_ = true;
      observer_->OnAttemptHead(parser.response());
      is_telling_head_ = false;
      if (phase_ != Phase::kExchanging) return;
    }
    if (!pieces.empty()) {
      observer_->OnAttemptBody(pieces);
      if (phase_ != Phase::kExchanging) return;
    }
    if (parser.message_complete()) {
      Finish(/*framing_tells=*/true, /*has_surplus=*/!bytes.empty());
      return;
    }
    if (fed.consumed == 0) break;
  }
  base::ClearBuffer(&pieces);  // one for each chunk of the read
  observer_->OnAttemptReadOver();
}

void Attempt::OnEnd() {
  if (phase_ == Phase::kConnecting) {
    FailConnect(ErrorKind::k_connect_failure);
    return;
  }
  if (phase_ != Phase::kExchanging) return;
  if (connection_->parser.FinishAtEnd()) {
    Finish(/*framing_tells=*/false, /*has_surplus=*/true);
    return;
  }
  FailAtEnd();
}

void Attempt::OnError(net::NetError error) {
  if (error == net::NetError::kTls && phase_ != Phase::kOver) RecordTlsFailure();
  if (phase_ == Phase::kConnecting) {
    FailConnect(ConnectErrorOf(error));
    return;
  }
  if (phase_ != Phase::kExchanging) return;
  // TLS 1.3 knows of a server's no to the client's certificate only after its own handshake (RFC 8446 4.4.2.4).
  const bool is_refused = error == net::NetError::kTls && !connection_->is_reused && !connection_->parser.started() &&
                          interim_responses_ == 0 && !head_seen_;
  if (is_refused) {
    Fail(ErrorKind::k_tls_failure);
    return;
  }
  FailAtEnd();
}

// The connection ended and the answer was not complete.
void Attempt::FailAtEnd() {
  if (head_seen_) {
    Fail(ErrorKind::k_truncated);
    return;
  }
  const bool nothing_came = !connection_->parser.started() && interim_responses_ == 0;
  if (connection_->is_reused) worker_.pools[upstream_]->Clear();  // its neighbours are gone, too, most likely
  // A server that had the request for longer than a connection takes has begun with it: no race, and bounds count on it.
  const bool is_at_once = connection_->is_reused && worker_.transport.Now() - taken_at_ < settings().timeouts.connect;
  Fail(ErrorKind::k_reset, is_at_once && nothing_came);
}

void Attempt::Fail(ErrorKind error, bool is_reuse_race) {
  Abort();
  observer_->OnAttemptFailed(error, is_reuse_race);
}

void Attempt::Finish(bool framing_tells, bool has_surplus) {
  const bool is_reusable = framing_tells && !has_surplus && request_.is_whole && request_.body.empty() &&
                           connection_->parser.response().keep_alive && connection_->stream->queued_bytes() == 0;
  phase_ = Phase::kOver;
  request_.body = {};
  connection_->stream->ResumeReading();
  const KeepAliveHints hints = is_reusable ? ReadKeepAlive(connection_->parser.response().headers) : KeepAliveHints();
  observer_->OnAttemptEnd(framing_tells);  // reads the head: the connection is given back only afterwards
  if (is_reusable) {
    worker_.pools[upstream_]->Put(std::move(connection_), hints);
  } else {
    connection_->stream.reset();
  }
}

void Attempt::OnWriteDrained() {
  if (phase_ != Phase::kExchanging) return;
  SendRest();
  observer_->OnAttemptDrained();
}

}  // namespace runtime::proxy
