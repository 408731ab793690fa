#include "runtime/proxy/client_connection.h"

#include <algorithm>
#include <utility>

#include "base/hex.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/request_path.h"
#include "runtime/observe/trace_context.h"
#include "runtime/proxy/access_log.h"
#include "runtime/proxy/admin.h"
#include "runtime/proxy/client_origin.h"
#include "runtime/proxy/cors.h"
#include "runtime/proxy/health.h"
#include "runtime/proxy/limits.h"
#include "runtime/proxy/live_page.h"
#include "runtime/proxy/request_screen.h"

namespace runtime::proxy {
namespace {

constexpr size_t kKeptPieces = 8;  // of an idle connection
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

struct KeptContext final : net::Deletable {
  explicit KeptContext(std::shared_ptr<WorkerContext> context) : kept(std::move(context)) {}
  const std::shared_ptr<WorkerContext> kept;
};

// An id from a client is kept if it can stand in a header, a log line and a URL as it is.
bool IsSaneRequestId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxRequestIdLength && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

bool IsLoopback(std::string_view ip) { return ip.starts_with("127.") || ip == "::1" || ip.starts_with("::ffff:127."); }

// An address, a name without a dot, or one under a domain that no public name is under (RFC 6761 6.3, RFC 6762 3, RFC 8375).
bool IsNameOfThisMachine(std::string_view host) {
  if (host.starts_with('[')) return true;
  host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.find('.') == std::string_view::npos || host.find_first_not_of("0123456789.") == std::string_view::npos)
    return true;
  for (const std::string_view domain : {".localhost", ".local", ".internal", ".home.arpa"}) {
    if (host.size() > domain.size() && http::EqualsIgnoreCase(host.substr(host.size() - domain.size()), domain))
      return true;
  }
  return false;
}

}  // namespace

ClientConnection::ClientConnection(ConnectionOwner& owner, ListenerRole role, std::unique_ptr<net::Stream> stream,
                                   bool is_trusted, std::shared_ptr<ConnectionPlace> place, bool is_tls)
    : worker_(owner.current_context()),
      owner_(owner),
      role_(role),
      is_trusted_(is_trusted),
      place_(std::move(place)),
      is_tls_(is_tls),
      handshaking_(is_tls),
      stream_(std::move(stream)),
      peer_ip_(stream_->peer().ip),
      timer_(worker_->transport.NewTimer([this] { OnTimer(); })) {
  stream_->SetObserver(this);
  SetOwnDeadline(is_tls ? limits().handshake_time : limits().idle);
}

ClientConnection::~ClientConnection() {
  if (handshaking_) owner_.OnHandshakeOver();
}

// ---- TLS ------------------------------------------------------------------------------------------------------------

void ClientConnection::OnConnected() {
  EndHandshake(nullptr);
  SetOwnDeadline(limits().idle);
}

void ClientConnection::EndHandshake(const net::TlsFailure* failure) {
  handshaking_ = false;
  owner_.OnHandshakeOver();
  if (failure == nullptr) return;
  worker_->metrics.CountBy(observe::LabelledCounter::kTlsFailures, {"client", net::Name(failure->reason)});
  observe::JsonLine line = worker_->Event("info", "TLS with a client failed");
  line.Add("client", peer_ip_).Add("reason", net::Name(failure->reason)).Add("why", net::Text(failure->reason));
  if (!failure->detail.empty()) line.Add("detail", failure->detail);
  worker_->Log(line);
}

// redirect = https. 308 keeps method and body (RFC 9110 15.4.9).
LocalAnswer ClientConnection::RedirectToTls(std::string_view path) const {
  const http::RequestHead& head = parser_->request();
  std::string_view host = head.host;
  const size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) host = host.substr(0, colon);
  const uint16_t port = worker_->gateway.tls_port.load(std::memory_order_relaxed);
  LocalAnswer answer;
  answer.status = 308;
  std::string location = "https://" + std::string(host);
  if (port != 443) location += ":" + std::to_string(port);
  answer.headers.emplace_back("Location", location.append(http::TargetOf(path, head.query)));
  return answer;
}

// ---- Reading ---------------------------------------------------------------------------------------------------------

void ClientConnection::OnData(std::string_view bytes) {
  if (consuming_ || MustWait() || !pending_.empty()) {
    pending_.append(bytes);
    UpdateReading();
    return;
  }
  Consume(bytes);
}

void ClientConnection::Consume(std::string_view bytes) {
  consuming_ = true;
  while (!bytes.empty() && stream_ != nullptr && !close_after_) {
    if (MustWait()) {
      pending_.append(bytes);
      break;
    }
    if (refused_head_ != nullptr) {
      if (refused_head_->origin.Feed(bytes)) RefuseRequest(refused_head_->error);
      break;
    }
    if (parser_ == nullptr) parser_ = worker_->parsers.Take();
    pieces_.clear();
    const bool was_started = parser_->started();
    const auto fed = parser_->Feed(bytes, &pieces_);
    if (!was_started && parser_->started()) {
      request_arrived_ = worker_->transport.Now();
      SetOwnDeadline(limits().header_time);
    }
    if (fed.error != http::ParseError::kNone) {
      if (!LooksForOrigin(fed.error, bytes)) RefuseRequest(fed.error);
      break;
    }
    bytes.remove_prefix(fed.consumed);
    has_more_ = !bytes.empty();
    if (!head_seen_ && parser_->head_complete()) {
      head_seen_ = true;
      BeginRequest();
      if (stream_ == nullptr || close_after_) break;
    }
    for (const std::string_view piece : pieces_) body_bytes_ += piece.size();
    if (!pieces_.empty() && exchange_ != nullptr) exchange_->OnRequestBody(pieces_);
    if (stream_ == nullptr || close_after_) break;
    if (parser_->message_complete()) {
      request_ended_ = true;
      SetOwnDeadline(std::nullopt);
      if (exchange_ != nullptr) {
        exchange_->OnRequestEnd();
      } else if (answered_early_) {
        EndRequest(AfterExchange::kKeepAlive);
      }
    } else if (head_seen_ && !own_deadline_ && !body_paused_) {
      SetOwnDeadline(RateWatch::kStep);
    }
    if (fed.consumed == 0 && pieces_.empty()) break;
  }
  consuming_ = false;
  OnDeadlineChanged();
  UpdateReading();
}

bool ClientConnection::MustWait() const {
  if ((IsBusy() && request_ended_) || body_paused_) return true;
  // Answers that the client does not read must not pile up behind requests that it sends all the same.
  return !head_seen_ && stream_ != nullptr && stream_->queued_bytes() > kHighWater;
}

void ClientConnection::BeginRequest() {
  const http::RequestHead& head = parser_->request();
  BeginBodyTime();
  ChooseRequestId();
  std::optional<std::string_view> path;
  const bool is_simple = http::IsSimplePath(head.path);
  if (is_simple || http::IsNormal(head.path)) {
    path = head.path;
  } else if (auto normal = http::NormalisePath(head.path)) {
    path_ = std::move(*normal);
    path = path_;
  }
  if (path && role_ != ListenerRole::kTraffic) {
    auto answer = AnswerHealth(*worker_, head, *path);
    if (!answer && role_ == ListenerRole::kAdmin) answer = AnswerLivePage(head, *path);
    if (!answer && role_ == ListenerRole::kAdmin) answer = AnswerAdmin(*worker_, head, *path, peer_ip_);
    if (!answer && role_ == ListenerRole::kAdmin) {
      answer =
          ShapedError("", 404, "not_found", "This address serves /health/…, /metrics and /admin/… only.", request_id_);
      Record(answer->status, "not_found", answer->body.size());
    }
    if (answer) {
      AnswerByItself(std::move(*answer));
      return;
    }
  }
  if (path && worker_->policy().gateway.redirect_https && !is_tls_) {
    AnswerByItself(RedirectToTls(*path));
    return;
  }
  if (auto screened = ScreenRequest(worker_->policy().gateway, head, OwnHost(), path.value_or(""), request_id_)) {
    if (!screened->reason.empty()) {
      worker_->metrics.CountBy(observe::LabelledCounter::kBadRequest, screened->reason);
      Record(screened->answer.status, screened->reason, screened->answer.body.size());
    }
    AnswerByItself(std::move(screened->answer));
    return;
  }
  if (head.expects_continue && head.framing != http::BodyFraming::kNone) stream_->Write(kContinue);  // RFC 9110 10.1.1
  exchange_ = std::make_unique<Exchange>(*worker_, *this, MakeExchangeRequest(*path, is_simple));
}

// What the client asked for: a trusted proxy says it where it wrote Host anew. A page can have a name of its own point to this machine (DNS
// rebinding) and is then of one origin with what it asks: here only names that nobody else can have are this machine's own.
std::string_view ClientConnection::OwnHost() const {
  const http::RequestHead& head = parser_->request();
  if (is_trusted_) {
    if (const auto host = head.headers.Find(http::HeaderId::k_x_forwarded_host)) return *host;
  } else if (worker_->policy().gateway.cors.enabled && !is_tls_ && IsLoopback(peer_ip_) &&
             !IsNameOfThisMachine(head.host)) {
    return {};
  }
  return head.host;
}

ExchangeRequest ClientConnection::MakeExchangeRequest(std::string_view path, bool is_simple) {
  const http::RequestHead& head = parser_->request();
  ExchangeRequest request{head, path, request_id_, peer_ip_, request_arrived_};
  request.peer_ip = peer_ip_;
  request.path_is_simple = is_simple;
  request.client_tls = is_tls_;
  request.from_proxy = is_trusted_;
  if (is_trusted_) {
    ClientOrigin origin = OriginBehind(worker_->policy().gateway.trusted_proxies, peer_ip_, head.headers);
    client_ip_ = std::move(origin.ip);
    request.client_ip = client_ip_;
    request.client_tls = origin.tls;
    request.forwarded_host = origin.host;
  }
  return request;
}

void ClientConnection::ChooseRequestId() {
  if (const auto given = parser_->request().headers.Find(http::HeaderId::k_x_request_id); given && IsSaneRequestId(*given)) {
    request_id_.assign(*given);
    return;
  }
  NewRequestId();
}

void ClientConnection::NewRequestId() {
  request_id_.resize(32);
  base::PutHex(worker_->random.Next(), request_id_.data());
  base::PutHex(worker_->random.Next(), request_id_.data() + 16);
}

// What the gateway answers without an exchange. A body that still comes is read and dropped.
void ClientConnection::AnswerByItself(LocalAnswer answer) {
  const http::RequestHead& head = parser_->request();
  // A client that waits for 100 may send its body after a final answer or not (RFC 9110 10.1.1): what follows could be either.
  const bool waits_for_continue = head.expects_continue && !request_ended_;
  const bool keep_alive =
      head.keep_alive && !answer.closes && !waits_for_continue && !worker_->gateway.is_draining.load();
  AddCorsHeaders(worker_->policy().gateway.cors, head, &answer.headers);
  std::string bytes;
  AppendLocalAnswer(
      answer,
      {request_id_, worker_->Date(), keep_alive, head.method == compiler::abi::Method::kHEAD, head.minor_version},
      &bytes);
  const std::string_view piece = bytes;
  SendToClient(std::span<const std::string_view>(&piece, 1));
  if (!keep_alive) {
    CloseGracefully();
    return;
  }
  answered_early_ = true;
}

// Of a head that is too long to be read the page that sent it must hear, if it is one that may: its Origin is waited for, bounded by
// header_time. True: it is.
bool ClientConnection::LooksForOrigin(http::ParseError error, std::string_view bytes) {
  const auto& cors = worker_->policy().gateway.cors;
  const int status = http::StatusOf(error);
  if (cors.origins.size() < 2 || (status != 414 && status != 431) || parser_->head_complete()) return false;
  if (parser_->HeaderSoFar("origin")) return false;
  refused_head_ = std::make_unique<RefusedHead>(RefusedHead{error, {}});
  return !refused_head_->origin.Feed(bytes);
}

void ClientConnection::RefuseRequest(http::ParseError error) {
  worker_->metrics.CountBy(observe::LabelledCounter::kBadRequest, http::Name(error));
  close_after_ = true;
  bool is_recorded = false;
  if (answered_early_) {  // one request, one answer
    Close(/*reset=*/true);
    return;
  }
  if (exchange_ != nullptr) {  // its body turned out to be wrong
    const bool answer_begun = exchange_->answer_begun();
    if (answer_begun) {
      exchange_->OnClientGone();
    } else {
      exchange_->OnBodyRefused(http::StatusOf(error), http::Name(error));
    }
    worker_->transport.DeleteLater(std::move(exchange_));
    if (answer_begun) {
      Close(/*reset=*/true);
      return;
    }
    is_recorded = true;
  }
  if (!head_seen_) NewRequestId();
  const std::string& id = request_id_;
  const std::string_view path = parser_->head_complete() ? parser_->request().path : std::string_view();
  LocalAnswer answer = ShapedError(path, http::StatusOf(error), http::Name(error), http::Explain(error), id);
  auto origin = parser_->HeaderSoFar("origin");
  if (refused_head_ != nullptr && !origin) origin = refused_head_->origin.origin();
  for (auto& header : CorsHeadersOfRefused(worker_->policy().gateway.cors, origin)) {
    answer.headers.push_back(std::move(header));
  }
  std::string bytes;
  const bool is_head_method = parser_->head_complete() && parser_->request().method == compiler::abi::Method::kHEAD;
  AppendLocalAnswer(answer, {id, worker_->Date(), /*keep_alive=*/false, is_head_method}, &bytes);
  observe::JsonLine line = worker_->Event("warn", "request refused");
  line.Add("request_id", id)
      .Add("client", peer_ip_)
      .Add("status", static_cast<int64_t>(answer.status))
      .Add("reason", http::Name(error));
  worker_->Log(line);
  if (!is_recorded) Record(answer.status, http::Name(error), bytes.size());
  stream_->Write(bytes);
  CloseGracefully();
}

// The line of the access log of a request that got no exchange.
void ClientConnection::Record(int status, std::string_view reason, size_t bytes_out) {
  worker_->metrics.CountBy(observe::LabelledCounter::kRequests, {"none", std::to_string(status), "gateway"});
  if (!worker_->access) return;
  observe::ExchangeRecord record;
  record.how = observe::EndedHow::kOwn;
  record.status = status;
  record.fallback_reason = reason;
  record.bytes_out = bytes_out;
  const std::string client_ip =
      is_trusted_ ? OriginBehind(worker_->policy().gateway.trusted_proxies, peer_ip_, parser_->request().headers).ip
                  : peer_ip_;
  const observe::TraceIdText trace_id = observe::TraceId(parser_->request().headers.Find("traceparent"), request_id_);
  const AccessLogContext context{
      *worker_,  parser_->request(),          parser_->request().path, request_id_, {trace_id.data(), trace_id.size()},
      client_ip, worker_->transport.WallNow()};
  worker_->access->Write(context, record, status, worker_->transport.Now() - request_arrived_);
}

// ---- The exchange ----------------------------------------------------------------------------------------------------

void ClientConnection::OnExchangeOver(AfterExchange next) {
  worker_->transport.DeleteLater(std::move(exchange_));
  EndRequest(next);
}

void ClientConnection::EndRequest(AfterExchange next) {
  answered_early_ = false;
  body_paused_ = false;
  if (next == AfterExchange::kReset) {
    Close(/*reset=*/true);
    return;
  }
  if (next == AfterExchange::kCloseLate) {
    close_after_ = closes_late_ = true;
    SetOwnDeadline(kLateClose);
    return;
  }
  // A client that wants it closed sends nothing more: what is written reaches it without a wait for its own end (RFC 9112 9.6).
  if (next == AfterExchange::kClose && request_ended_ && !parser_->request().keep_alive && pending_.empty() && !has_more_ && !is_tls_ &&
      stream_->queued_bytes() == 0) {
    Close(/*reset=*/false);
    return;
  }
  if (next == AfterExchange::kClose || worker_->gateway.is_draining.load(std::memory_order_relaxed)) {
    CloseGracefully();
    return;
  }
  worker_->parsers.Put(std::move(parser_));
  RenewContext();
  if (pieces_.capacity() > kKeptPieces) std::vector<std::string_view>().swap(pieces_);
  head_seen_ = false;
  request_ended_ = false;
  SetOwnDeadline(limits().idle);
  if (!consuming_) ContinueWithPending();
}

// A connection at rest holds no old policy.
void ClientConnection::RenewContext() {
  if (parser_ != nullptr || IsBusy()) return;
  const auto& current = owner_.current_context();
  if (current == worker_) return;
  // The exchange that has just ended is destroyed later in this turn: the context after it.
  net::Transport& transport = worker_->transport;
  transport.DeleteLater(std::make_unique<KeptContext>(std::exchange(worker_, current)));
}

void ClientConnection::ContinueWithPending() {
  if (stream_ == nullptr) return;
  if (!pending_.empty()) {
    const std::string bytes = std::move(pending_);
    pending_.clear();
    Consume(bytes);
  } else {
    UpdateReading();
  }
}

void ClientConnection::SendToClient(std::span<const std::string_view> pieces) {
  if (stream_ == nullptr) return;
  for (const std::string_view piece : pieces) sent_bytes_ += piece.size();
  stream_->Write(pieces);
  if (!stall_deadline_ && stream_->queued_bytes() > 0) {
    taken_at_stall_check_ = taken_bytes();
    const base::TimePoint now = worker_->transport.Now();
    stall_deadline_ = now + limits().write_stall;
    read_step_at_ = now + read_step_left_;
    OnDeadlineChanged();
  }
}

size_t ClientConnection::client_queued_bytes() const { return stream_ == nullptr ? 0 : stream_->queued_bytes(); }

void ClientConnection::PauseRequestBody() {
  body_paused_ = true;
  SetOwnDeadline(std::nullopt);
  UpdateReading();
}

void ClientConnection::ResumeRequestBody() {
  body_paused_ = false;
  if (!request_ended_) SetOwnDeadline(RateWatch::kStep);
  if (!consuming_) ContinueWithPending();
}

void ClientConnection::UpdateReading() {
  if (stream_ == nullptr) return;
  const bool pause = body_paused_ || pending_.size() > kMaxPipelinedBytes;
  if (pause == reading_paused_) return;
  reading_paused_ = pause;
  if (pause) {
    stream_->PauseReading();
  } else {
    stream_->ResumeReading();
  }
}

void ClientConnection::OnWriteDrained() {
  stall_deadline_.reset();
  // Only time counts in which something waits to be read: a step goes on where it stopped.
  if (read_step_at_) read_step_left_ = std::max(*read_step_at_ - worker_->transport.Now(), base::Duration::zero());
  read_step_at_.reset();
  if (exchange_ != nullptr) {
    exchange_->OnClientDrained();
  } else if (!consuming_) {
    ContinueWithPending();
  }
}

// ---- Ends ------------------------------------------------------------------------------------------------------------

void ClientConnection::OnEnd() {
  if (exchange_ == nullptr && stream_->queued_bytes() > 0) {
    CloseGracefully();  // its answer is still on the way
    return;
  }
  // What it has of an answer that ends with the connection must not look whole to a client that still reads.
  Close(/*reset=*/exchange_ != nullptr && exchange_->answer_begun());
}
void ClientConnection::OnError(net::NetError) {
  if (handshaking_) EndHandshake(stream_->tls_failure());
  Close(/*reset=*/false);
}

void ClientConnection::Close(bool reset) {
  if (stream_ == nullptr) return;
  if (exchange_ != nullptr) {
    exchange_->OnClientGone();
    worker_->transport.DeleteLater(std::move(exchange_));
  }
  if (reset) stream_->Reset();
  stream_.reset();
  place_.reset();
  timer_->Cancel();
  owner_.OnConnectionOver(this);
}

void ClientConnection::CloseGracefully() {
  if (stream_ == nullptr) return;
  close_after_ = true;
  worker_->transport.CloseGracefully(std::move(stream_), kLinger, std::move(place_));
  timer_->Cancel();
  owner_.OnConnectionOver(this);
}

void ClientConnection::Drain() {
  if (!IsBusy() && !has_started()) CloseGracefully();
}

void ClientConnection::BreakOff() {
  if (exchange_ != nullptr) {
    exchange_->Stop();  // it hears of the end by OnExchangeOver
  }
  if (closes_late_) return CloseGracefully();  // what tells the client is on its way
  Close(/*reset=*/true);
}

// ---- Time ------------------------------------------------------------------------------------------------------------

void ClientConnection::SetOwnDeadline(std::optional<base::Duration> after) {
  own_deadline_.reset();
  if (after) own_deadline_ = worker_->transport.Now() + *after;
  OnDeadlineChanged();
}

// While more of a body is waited for, its rate is looked at now and then. A byte now and then must not hold the connection for ever,
// nor may one burst buy time for later.
void ClientConnection::BeginBodyTime() {
  body_bytes_ = 0;
  body_rate_.Begin(0);
  own_deadline_.reset();  // set once it shows that more of it must come
}

// One timer for everything of this connection. Moving a deadline away is free: the timer fires early and is set anew.
void ClientConnection::OnDeadlineChanged() {
  if (stream_ == nullptr || consuming_) return;  // Consume looks once, when it has told all
  base::TimePoint next = base::TimePoint::max();
  if (own_deadline_) next = std::min(next, *own_deadline_);
  if (stall_deadline_) next = std::min(next, *stall_deadline_);
  if (read_step_at_) next = std::min(next, *read_step_at_);
  if (exchange_ != nullptr) {
    if (const auto deadline = exchange_->NextDeadline()) next = std::min(next, *deadline);
  }
  if (next >= timer_set_for_) return;
  timer_set_for_ = next;
  timer_->Set(next);
}

void ClientConnection::OnTimer() {
  timer_set_for_ = base::TimePoint::max();
  const base::TimePoint now = worker_->transport.Now();
  if (closes_late_ && own_deadline_ && now >= *own_deadline_) return CloseGracefully();
  if (stall_deadline_ && now >= *stall_deadline_) {
    if (taken_bytes() == taken_at_stall_check_) {
      Close(/*reset=*/true);  // the client does not read
      return;
    }
    taken_at_stall_check_ = taken_bytes();
    stall_deadline_ = now + limits().write_stall;
  }
  if (read_step_at_ && now >= *read_step_at_) {
    if (!answer_rate_.Step(taken_bytes(), limits().read_rate)) {
      Close(/*reset=*/true);  // it reads so slowly that it holds what others wait for
      return;
    }
    read_step_left_ = RateWatch::kStep;
    read_step_at_ = now + read_step_left_;
  }
  if (own_deadline_ && now >= *own_deadline_) {
    own_deadline_.reset();
    if (handshaking_) {
      const net::TlsFailure failure{net::TlsReason::k_timeout, ""};
      EndHandshake(&failure);
      Close(/*reset=*/true);
      return;
    }
    if (!has_started() && !IsBusy()) {
      if (stream_->Look() == net::Unread::kBytes) {  // a request is here, and the loop is about to tell
        SetOwnDeadline(limits().header_time);
        return;
      }
      CloseGracefully();  // idle
      return;
    }
    const bool comes_in_time = head_seen_ && !request_ended_ && body_rate_.Step(body_bytes_, limits().body_rate);
    if (comes_in_time) {
      SetOwnDeadline(RateWatch::kStep);
      return;
    }
    if (!request_ended_ && !answered_early_) {
      RefuseRequest(refused_head_ != nullptr ? refused_head_->error : http::ParseError::k_request_timeout);
      return;
    }
    Close(/*reset=*/exchange_ != nullptr && exchange_->answer_begun());
    return;
  }
  if (exchange_ != nullptr) exchange_->OnTimer();
  OnDeadlineChanged();
}

}  // namespace runtime::proxy
