#include "runtime/proxy/exchange.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "compiler/model/template.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/message_writer.h"
#include "runtime/proxy/error_messages.h"
#include "runtime/proxy/limits.h"

namespace runtime::proxy {
namespace {

using compiler::model::BodyKind;
using compiler::model::CacheId;
using compiler::model::RouteId;

// The most of a request body that any upstream of the policy wants kept; some is always kept, so that a reply can be shaped.
size_t MostKeptBytes(const compiler::model::Policy& policy) {
  int64_t most = 64 << 10;
  for (const auto& upstream : policy.upstreams) most = std::max(most, upstream.replay_body_bytes);
  return static_cast<size_t>(most);
}

bool IsJsonType(std::string_view content_type) {
  return http::EqualsIgnoreCase(content_type.substr(0, content_type.find(';')), "application/json");
}

bool IsStreamType(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return http::EqualsIgnoreCase(type, "application/x-ndjson") || http::EqualsIgnoreCase(type, "text/event-stream");
}

// Client SDKs retry by themselves, which would multiply the attempts that the gateway made: this header stops them.
constexpr std::string_view kShouldRetry = "X-Should-Retry";

std::string OutcomeText(const engine::Outcome& outcome) {
  if (outcome.error != ErrorKind::kNone) return std::string(compiler::abi::Name(outcome.error));
  return std::to_string(outcome.status);
}

}  // namespace

Exchange::Exchange(WorkerContext& worker, ExchangeHost& host, ExchangeRequest request)
    : worker_(worker), host_(host), request_(std::move(request)), message_facts_(worker.policy()) {
  worker_.metrics.AddInFlight(1);
}

Exchange::~Exchange() {
  StopFollowing();
  worker_.metrics.AddInFlight(-1);
}

// ---- Request ---------------------------------------------------------------------------------------------------------

void Exchange::Start() {
  const http::RequestHead& head = request_.head;
  if (head.framing == http::BodyFraming::kLength && head.content_length > MostKeptBytes(worker_.policy())) {
    streams_ = true;
    Begin();
  }
}

void Exchange::OnRequestBody(std::span<const std::string_view> pieces) {
  for (const std::string_view piece : pieces) record_.bytes_in += piece.size();
  if (phase_ == Phase::kOver) return;
  if (streams_) {
    QueueUpload(pieces);
    return;
  }
  for (const std::string_view piece : pieces) body_.append(piece);
  if (body_.size() <= MostKeptBytes(worker_.policy())) return;
  // Too large to keep: what has come is passed on, the rest as it comes.
  streams_ = true;
  const std::string so_far = std::move(body_);
  body_.clear();
  const std::string_view piece = so_far;
  QueueUpload(std::span<const std::string_view>(&piece, 1));
  Begin();
}

void Exchange::OnRequestEnd() {
  request_ended_ = true;
  if (phase_ == Phase::kReadingBody) {
    Begin();
  } else if (streams_ && phase_ == Phase::kRunning) {
    if (request_.head.framing == http::BodyFraming::kChunked) upload_.append(http::kLastChunk);
    FlushUpload();
  }
}

void Exchange::Begin() {
  phase_ = Phase::kRunning;
  const auto problem = message_facts_.FillRequest(request_.head, request_.path, body_, request_.client_ip,
                                                  /*client_tls=*/false, &facts_);
  if (problem == http::MessageFacts::BodyProblem::kDuplicateMember) {
    worker_.metrics.CountBy(CounterById::kBadRequest, "duplicate_json_member");
    SendGatewayError(400, "duplicate_json_member", "The JSON body names a member twice that the policy reads.", {});
    return;
  }
  if (problem == http::MessageFacts::BodyProblem::kTooDeep) {
    worker_.metrics.CountBy(CounterById::kBadRequest, "json_too_deep");
    SendGatewayError(400, "json_too_deep", "The JSON body is nested deeper than 64 levels.", {});
    return;
  }
  const auto route = ChooseRoute();
  if (!route) {
    SendGatewayError(404, "no_route", "No route of the policy takes this request.", {});
    return;
  }
  route_ = *route;
  const auto& settings = worker_.policy().routes[route_];
  record_.route = settings.name;

  for (const auto& cache : worker_.policy().caches) {  // a copy is kept only where a cache of the route may want it
    const auto is_it = [&](CacheId id) { return id.has_value() && &worker_.policy().caches[id] == &cache; };
    bool used = is_it(settings.cache);
    for (const auto& fallback : settings.fallback) {
      if (const auto* id = std::get_if<CacheId>(&fallback)) used = used || is_it(*id);
    }
    if (used) copy_limit_ = std::max(copy_limit_, static_cast<size_t>(cache.max_entry_bytes));
  }

  engine::RequestReady ready;
  ready.route = route_;
  ready.body_is_kept = !streams_;
  for (const UpstreamId id : settings.to) {
    const auto& upstream = worker_.policy().upstreams[id];
    if (body_.size() > static_cast<size_t>(upstream.replay_body_bytes)) ready.body_is_kept = false;
    if (upstream.timeouts.first_token) ready.wants_stream = ready.wants_stream || ClientReads().is_stream();
  }
  machine_ = std::make_unique<engine::ExchangeMachine>(*worker_.gateway.compiled, worker_.gateway.objects, worker_.random,
                                                       &facts_, request_.arrived);
  Dispatch(ready);
}

std::optional<RouteId> Exchange::ChooseRoute() const {
  const auto& routes = worker_.policy().routes;
  for (size_t i = 0; i < routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    if (!routes[id].when || worker_.gateway.compiled->predicates.Test(*routes[id].when, facts_)) return id;
  }
  return std::nullopt;
}

std::string_view Exchange::EndpointPath() const {
  if (!route_.has_value()) return {};
  const auto& to = worker_.policy().routes[route_].to;
  return to.empty() ? std::string_view() : worker_.policy().upstreams[to.front()].url.path;
}

const dialect::ClientDialect& Exchange::ClientReads() {
  if (!client_reads_) client_reads_ = dialect::Detect(request_.head.method, request_.path, EndpointPath(), body_);
  return *client_reads_;
}

// ---- The machine -----------------------------------------------------------------------------------------------------

void Exchange::Dispatch(const engine::Event& event) {
  events_.push_back(event);
  if (dispatching_) return;
  dispatching_ = true;
  engine::Commands commands;
  while (!events_.empty() && phase_ == Phase::kRunning) {
    const engine::Event next = std::move(events_.front());
    events_.pop_front();
    commands.clear();
    machine_->Handle(next, worker_.transport.Now(), &commands);
    for (const engine::Command& command : commands) CarryOut(command);
    if (finish_pending_) {  // last: a client that has its answer may ask again at once and shall find it in the cache
      if (client_framing_ == http::BodyFraming::kChunked && sends_body_) Send(http::kLastChunk);
      Over(keep_alive_ ? AfterExchange::kKeepAlive : AfterExchange::kClose);
    }
  }
  dispatching_ = false;
  if (phase_ == Phase::kRunning) host_.OnDeadlineChanged();
}

void Exchange::CarryOut(const engine::Command& command) {
  std::visit([this](const auto& c) { On(c); }, command);
}

std::optional<base::TimePoint> Exchange::NextDeadline() const {
  if (phase_ != Phase::kRunning || machine_ == nullptr) return std::nullopt;
  return machine_->NextDeadline();
}

void Exchange::OnTimer() {
  if (phase_ != Phase::kRunning || machine_ == nullptr) return;
  const base::TimePoint now = worker_.transport.Now();
  if (reading_paused_) machine_->NoteProgress(now);  // it is the client that stands still, not the upstream
  const auto deadline = machine_->NextDeadline();
  if (deadline && *deadline <= now) Dispatch(engine::TimeReached{});
}

void Exchange::OnClientGone() {
  if (phase_ == Phase::kOver) return;
  record_.how = EndedHow::kClientGone;
  if (machine_ != nullptr) Dispatch(engine::ClientGone{});
  DropAttempt();
  phase_ = Phase::kOver;
  WriteRecords();
}

void Exchange::BreakOff() {
  if (phase_ == Phase::kOver) return;
  record_.how = EndedHow::kCut;
  if (machine_ != nullptr) Dispatch(engine::ClientGone{});
  DropAttempt();
  phase_ = Phase::kOver;
  WriteRecords();
}

// ---- Attempts --------------------------------------------------------------------------------------------------------

void Exchange::On(const engine::StartAttempt& command) {
  DropAttempt();
  mark_.reset();  // outlives its attempt: it knows how far a frame got that is to be followed by one of ours
  const bool is_reconnect = attempt_upstream_ == command.upstream && attempt_number_ == command.number;
  const auto label = static_cast<size_t>(command.upstream.value);
  if (is_reconnect) {
    worker_.metrics.Count(CounterId::kReuseRace, label);
  } else if (command.number > 1) {
    worker_.metrics.Count(CounterId::kUpstreamRetry, label);
  }
  attempt_upstream_ = command.upstream;
  attempt_number_ = command.number;
  attempt_started_ = worker_.transport.Now();
  attempt_ = std::make_unique<Attempt>(worker_, command.upstream, *this);
  attempt_->Start(MakeUpstreamRequest(command.upstream, command.fresh_connection));
}

void Exchange::DropAttempt() {
  message_facts_.ClearResponse(&facts_);
  response_ = nullptr;
  held_.clear();
  content_told_ = false;
  upload_open_ = false;
  reading_paused_ = false;
  if (attempt_ == nullptr) return;
  attempt_->Abort();
  worker_.transport.DeleteLater(std::move(attempt_));
}

void Exchange::On(const engine::AbortAttempt&) { DropAttempt(); }

Attempt::Request Exchange::MakeUpstreamRequest(UpstreamId id, bool fresh_connection) {
  const auto& upstream = worker_.policy().upstreams[id];
  const http::RequestHead& head = request_.head;

  std::string target;
  if (upstream.url.path.empty()) {
    target = head.target;
  } else {
    target = upstream.url.path;
    if (!head.query.empty()) target.append("?").append(head.query);
  }

  std::vector<std::string> values;
  std::vector<http::SetHeader> set;
  values.reserve(upstream.headers.size());
  for (const auto& header : upstream.headers) {
    std::string value;
    compiler::model::Render(header.value, facts_, &value);
    // What came from a JSON body may hold anything; a field value may not (RFC 9110 5.5).
    std::replace_if(
        value.begin(), value.end(), [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; }, ' ');
    values.push_back(std::move(value));
    set.push_back({header.name, values.back()});
  }

  http::UpstreamRequest request;
  request.target = target;
  request.authority = upstream.url.authority;
  request.set = set;
  request.remove = upstream.remove_headers;
  request.request_id = request_.request_id;
  request.client_ip = request_.client_ip;
  if (head.framing == http::BodyFraming::kNone) {
    request.framing = http::BodyFraming::kNone;
  } else if (streams_) {
    request.framing = head.framing;
    request.content_length = head.content_length;
  } else {
    request.framing = http::BodyFraming::kLength;
    request.content_length = body_.size();
  }

  Attempt::Request result;
  result.bytes.reserve(512 + body_.size());
  http::AppendUpstreamRequest(head, request, &result.bytes);
  result.bytes.append(body_);
  result.is_whole = !streams_;
  result.is_head_method = head.method == compiler::abi::Method::kHEAD;
  result.fresh_connection = fresh_connection;
  return result;
}

void Exchange::QueueUpload(std::span<const std::string_view> pieces) {
  const bool is_chunked = request_.head.framing == http::BodyFraming::kChunked;
  for (const std::string_view piece : pieces) {
    if (is_chunked) http::AppendChunkHead(piece.size(), &upload_);
    upload_.append(piece);
    if (is_chunked) upload_.append(http::kChunkEnd);
  }
  FlushUpload();
}

void Exchange::FlushUpload() {
  if (upload_open_ && attempt_ != nullptr && attempt_->queued_bytes() < kHighWater) {
    attempt_->SendMore(upload_, request_ended_);
    upload_.clear();
  }
  const size_t waiting = upload_.size() + (attempt_ != nullptr ? attempt_->queued_bytes() : 0);
  if (!upload_paused_ && waiting > kHighWater && !request_ended_) {
    upload_paused_ = true;
    host_.PauseRequestBody();
  } else if (upload_paused_ && waiting == 0) {
    upload_paused_ = false;
    host_.ResumeRequestBody();
  }
}

void Exchange::OnAttemptConnected() { Dispatch(engine::AttemptConnected{}); }

void Exchange::OnAttemptRequestSent() {
  upload_open_ = streams_;
  Dispatch(engine::AttemptRequestSent{});
  if (upload_open_) FlushUpload();
}

void Exchange::OnAttemptDrained() {
  if (upload_open_) FlushUpload();
}

void Exchange::OnAttemptHead(const http::ResponseHead& head) {
  response_ = &head;
  message_facts_.FillResponse(head, &facts_);
  content_told_ = false;
  answer_is_whole_ = false;
  const bool has_body = head.framing != http::BodyFraming::kNone &&
                        request_.head.method != compiler::abi::Method::kHEAD;
  const std::string_view content_type = head.headers.Find("content-type").value_or("");
  hold_ = Hold::kNothing;
  if (has_body && request_.head.method == compiler::abi::Method::kPOST) {
    if (IsStreamType(content_type)) {
      if (ClientReads().api != dialect::Api::kPlain) hold_ = Hold::kFirstFrame;
    } else if (IsJsonType(content_type) &&
               (head.framing != http::BodyFraming::kLength || head.content_length <= kMaxHeldBytes)) {
      if (ClientReads().api != dialect::Api::kPlain) hold_ = Hold::kWhole;
    }
    if (hold_ != Hold::kNothing) {
      mark_ = std::make_unique<dialect::CompletionMark>(ClientReads(), head.status, content_type);
    }
  }
  Dispatch(engine::AttemptHead{head.status});
  if (response_ == nullptr || hold_ != Hold::kNothing) return;
  content_told_ = true;
  Dispatch(engine::AttemptContent{});
}

void Exchange::OnAttemptBody(std::span<const std::string_view> pieces) {
  machine_->NoteProgress(worker_.transport.Now());
  if (mark_ != nullptr) {
    for (const std::string_view piece : pieces) mark_->Feed(piece);
  }
  if (answer_begun_) {
    ForwardBody(pieces);
    return;
  }
  for (const std::string_view piece : pieces) held_.append(piece);
  if (content_told_) return;
  if (mark_ != nullptr && mark_->saw_error()) {  // an error inside a 200, and nothing of it was sent yet
    attempt_->Abort();
    OnAttemptFailed(ErrorKind::k_stream_error, false);
    return;
  }
  const bool has_frame = hold_ == Hold::kFirstFrame && mark_->saw_frame();
  if (has_frame || held_.size() > kMaxHeldBytes) {
    content_told_ = true;
    Dispatch(engine::AttemptContent{});
  }
}

void Exchange::OnAttemptEnd(bool framing_tells) {
  if (mark_ != nullptr && !mark_->IsComplete(framing_tells)) {
    OnAttemptFailed(ErrorKind::k_truncated, false);
    return;
  }
  answer_is_whole_ = true;
  if (!content_told_) {
    content_told_ = true;
    Dispatch(engine::AttemptContent{});
  }
  Dispatch(engine::AttemptEnded{});
}

void Exchange::OnAttemptFailed(ErrorKind error, bool is_reuse_race) {
  upload_open_ = false;
  if (error == ErrorKind::k_truncated && mark_ != nullptr && mark_->saw_error()) error = ErrorKind::k_stream_error;
  Dispatch(engine::AttemptFailed{error, is_reuse_race});
}

// ---- The upstream's answer to the client -----------------------------------------------------------------------------

bool Exchange::MayKeepAlive() const {
  return request_.head.keep_alive && request_ended_ && !worker_.gateway.is_draining.load(std::memory_order_relaxed);
}

bool Exchange::RetriesAreSpent() const {
  return !record_.retry_denied.empty() || record_.fallback_reason == "breaker_open";
}

void Exchange::On(const engine::CommitAnswer& command) {
  const http::ResponseHead& head = *response_;
  const auto& upstream = worker_.policy().upstreams[command.served_by];
  record_.served_by = upstream.name;
  record_.status = head.status;
  worker_.metrics.Observe(HistogramId::kFirstToken, static_cast<size_t>(command.served_by.value),
                          worker_.transport.Now() - attempt_started_);

  http::ClientResponse response;
  keep_alive_ = MayKeepAlive();
  const bool is_head_method = request_.head.method == compiler::abi::Method::kHEAD;
  if (is_head_method || head.framing == http::BodyFraming::kNone) {
    sends_body_ = false;
    client_framing_ = is_head_method && head.framing == http::BodyFraming::kLength ? http::BodyFraming::kLength
                                                                                   : http::BodyFraming::kNone;
    response.content_length = head.content_length;
  } else if (head.framing == http::BodyFraming::kLength) {
    client_framing_ = http::BodyFraming::kLength;
    response.content_length = head.content_length;
  } else if (answer_is_whole_ && hold_ == Hold::kWhole) {
    client_framing_ = http::BodyFraming::kLength;
    response.content_length = held_.size();
  } else if (request_.head.minor_version == 0 || (head.framing == http::BodyFraming::kUntilClose && mark_ == nullptr)) {
    // An end that only the closing shows stays one: the gateway can't vouch for it.
    client_framing_ = http::BodyFraming::kUntilClose;
    keep_alive_ = false;
  } else {
    client_framing_ = http::BodyFraming::kChunked;
  }
  response.framing = client_framing_;
  response.keep_alive = keep_alive_;
  response.client_minor_version = request_.head.minor_version;

  const HeaderList cors = head.headers.Find("access-control-allow-origin")
                              ? HeaderList()
                              : CorsHeaders(worker_.policy().gateway.cors, request_.head);
  std::vector<http::SetHeader> set;
  set.push_back({"X-Request-Id", request_.request_id});
  if (head.status >= 400 && RetriesAreSpent()) set.push_back({kShouldRetry, "false"});
  for (const auto& [name, value] : cors) set.push_back({name, value});
  response.set = set;

  if (copy_limit_ > 0) {
    copy_.emplace();
    copy_->status = head.status;
    for (const auto& line : head.headers.lines()) {
      if (http::IsHopByHop(line.name) || http::EqualsIgnoreCase(line.name, "date") ||
          http::EqualsIgnoreCase(line.name, "content-length") || http::EqualsIgnoreCase(line.name, "set-cookie")) {
        continue;
      }
      copy_->headers.emplace_back(line.name, line.value);
    }
  }

  std::string bytes;
  bytes.reserve(512 + held_.size());
  http::AppendClientResponse(head, response, &bytes);
  answer_begun_ = true;
  const std::string held = std::move(held_);
  held_.clear();
  if (held.empty() || !sends_body_) {
    Send(bytes);
    return;
  }
  const std::string_view piece = held;
  if (client_framing_ == http::BodyFraming::kChunked) {  // one write for head and first content
    http::AppendChunkHead(piece.size(), &bytes);
    const std::array<std::string_view, 3> pieces = {bytes, piece, http::kChunkEnd};
    Send(pieces);
  } else {
    const std::array<std::string_view, 2> pieces = {bytes, piece};
    Send(pieces);
  }
  if (copy_) copy_->body.append(piece);
}

void Exchange::ForwardBody(std::span<const std::string_view> pieces) {
  if (!sends_body_) return;
  for (const std::string_view piece : pieces) {
    if (client_framing_ == http::BodyFraming::kChunked) {
      std::string chunk;
      http::AppendChunkHead(piece.size(), &chunk);
      const std::array<std::string_view, 3> parts = {chunk, piece, http::kChunkEnd};
      Send(parts);
    } else {
      Send(piece);
    }
    if (copy_ && copy_->body.size() + piece.size() > copy_limit_) copy_.reset();
    if (copy_) copy_->body.append(piece);
  }
  if (!reading_paused_ && attempt_ != nullptr && host_.client_queued_bytes() > kHighWater) {
    reading_paused_ = true;
    attempt_->PauseReading();
  }
}

void Exchange::OnClientDrained() {
  if (!reading_paused_) return;
  reading_paused_ = false;
  if (machine_ != nullptr) machine_->NoteProgress(worker_.transport.Now());
  if (attempt_ != nullptr) attempt_->ResumeReading();
}

void Exchange::On(const engine::FinishAnswer&) {
  if (mark_ != nullptr && client_framing_ != http::BodyFraming::kLength) {  // clients wait for [DONE] where some servers forget it
    const std::string end = mark_->MissingEnd();
    const std::string_view piece = end;
    if (!end.empty()) ForwardBody(std::span<const std::string_view>(&piece, 1));
  }
  finish_pending_ = true;
}

void Exchange::On(const engine::BreakOffAnswer& command) {
  record_.how = EndedHow::kCut;
  if (client_framing_ == http::BodyFraming::kUntilClose) {
    Over(AfterExchange::kReset);
    return;
  }
  const bool is_told = mark_ != nullptr && mark_->saw_error();  // by the upstream's own error frame
  if (client_framing_ == http::BodyFraming::kChunked && ClientReads().is_stream() && mark_ != nullptr && !is_told) {
    const std::string frame = std::string(mark_->FrameBreak()) +
                              dialect::ErrorFrame(ClientReads(), compiler::abi::Name(command.error),
                                                  MessageFor(compiler::abi::Name(command.error)), request_.request_id);
    const std::string_view piece = frame;
    ForwardBody(std::span<const std::string_view>(&piece, 1));
  }
  Over(AfterExchange::kClose);  // without the last chunk, or short of Content-Length: the client sees the cut
}

void Exchange::On(const engine::StoreAnswer& command) {
  if (!copy_) return;
  worker_.gateway.objects.cache(command.cache)->Store(command.key, *copy_, worker_.transport.Now());
}

void Exchange::On(const engine::EndCacheFlight& command) {
  worker_.gateway.objects.cache(command.cache)->EndFlight(command.key);
}

void Exchange::On(const engine::FollowCache& command) {
  const uint64_t id = worker_.AddFollower([this] {
    followed_.reset();
    if (phase_ == Phase::kRunning) Dispatch(engine::CacheSettled{});
  });
  followed_ = Followed{command.cache, command.key, id};
  const auto wake = worker_.WakeUp(id);
  if (!worker_.gateway.objects.cache(command.cache)->Follow(command.key, id, wake)) wake();  // the leader was quicker
}

void Exchange::On(const engine::UnfollowCache&) { StopFollowing(); }

void Exchange::StopFollowing() {
  if (!followed_) return;
  worker_.gateway.objects.cache(followed_->cache)->Unfollow(followed_->key, followed_->follower);
  worker_.RemoveFollower(followed_->follower);
  followed_.reset();
}

// ---- Answers of the gateway's own ------------------------------------------------------------------------------------

void Exchange::MarkFallback(std::string name, std::string_view reason, size_t metric_index, LocalAnswer* answer) {
  record_.fallback = name;
  record_.fallback_reason = reason;
  worker_.metrics.Count(CounterId::kFallback, metric_index);
  answer->headers.emplace_back("X-Breakwater-Fallback", std::move(name));
  answer->headers.emplace_back("X-Breakwater-Fallback-Reason", reason);
  answer->headers.emplace_back("Cache-Control", "no-store");
}

void Exchange::On(const engine::SendReply& command) {
  const auto& reply = worker_.policy().replies[command.reply];
  LocalAnswer answer;
  answer.status = reply.status;
  const auto wall = Rfc3339Millis(worker_.transport.WallNow());
  // A text with an error status is read by SDKs as an error, not as a message of the model.
  dialect::ShapedBody shaped = reply.body.kind == BodyKind::kText && reply.status >= 400
                                   ? dialect::ShapeError(ClientReads(), reply.status, reply.name, reply.body.text,
                                                         request_.request_id)
                                   : dialect::ShapeReply(reply.body, ClientReads(), wall);
  answer.content_type = reply.content_type.value_or(std::move(shaped.content_type));
  answer.body = std::move(shaped.body);
  for (const auto& header : reply.headers) {
    std::string value;
    compiler::model::Render(header.value, facts_, &value);
    answer.headers.emplace_back(header.name, std::move(value));
  }
  record_.served_by = reply.name;
  if (command.is_fallback) {
    MarkFallback(reply.name, command.reason, worker_.gateway.metrics.FallbackIndex(command.reply), &answer);
  }
  SendLocal(std::move(answer));
}

void Exchange::On(const engine::SendCached& command) {
  const auto& cache = worker_.policy().caches[command.cache];
  const engine::CachedResponse& stored = *command.response;
  LocalAnswer answer;
  answer.status = stored.status;
  answer.headers = stored.headers;
  answer.body = stored.body;
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(worker_.transport.Now() - stored.stored_at);
  answer.headers.emplace_back("Age", std::to_string(age.count()));  // RFC 9111 5.1
  record_.served_by = cache.name;
  if (command.is_fallback) {
    std::erase_if(answer.headers, [](const auto& h) { return http::EqualsIgnoreCase(h.first, "cache-control"); });
    MarkFallback(cache.name, command.reason, worker_.gateway.metrics.FallbackIndex(command.cache), &answer);
  } else {
    worker_.metrics.Count(CounterId::kCacheHit, static_cast<size_t>(command.cache.value));
  }
  SendLocal(std::move(answer));
}

void Exchange::On(const engine::SendMock& command) {
  const auto& mock = worker_.policy().mocks[command.mock];
  LocalAnswer answer;
  answer.status = mock.status;
  dialect::ShapedBody shaped =
      dialect::ShapeReply(mock.body, ClientReads(), Rfc3339Millis(worker_.transport.WallNow()));
  answer.content_type = std::move(shaped.content_type);
  answer.body = std::move(shaped.body);
  record_.served_by = mock.name;
  MarkFallback(mock.name, command.reason, worker_.gateway.metrics.FallbackIndex(command.mock), &answer);
  SendLocal(std::move(answer));
}

void Exchange::On(const engine::SendError& command) {
  SendGatewayError(command.status, command.reason, MessageFor(command.reason), command.retry_after);
}

void Exchange::SendGatewayError(int status, std::string_view reason, std::string_view message,
                                std::optional<base::Duration> retry_after) {
  LocalAnswer answer;
  answer.status = status;
  dialect::ShapedBody shaped = dialect::ShapeError(ClientReads(), status, reason, message, request_.request_id);
  answer.content_type = std::move(shaped.content_type);
  answer.body = std::move(shaped.body);
  answer.headers.emplace_back("Cache-Control", "no-store");
  if (retry_after) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*retry_after).count();
    answer.headers.emplace_back("Retry-After", std::to_string(std::max<int64_t>(seconds, 1)));
  }
  record_.fallback_reason = reason;
  SendLocal(std::move(answer));
}

void Exchange::SendLocal(LocalAnswer answer) {
  DropAttempt();
  for (auto& header : CorsHeaders(worker_.policy().gateway.cors, request_.head)) {
    const bool stands_already = std::any_of(answer.headers.begin(), answer.headers.end(), [&](const auto& h) {
      return http::EqualsIgnoreCase(h.first, header.first);
    });
    if (!stands_already) answer.headers.push_back(std::move(header));
  }
  if (answer.status >= 400 && RetriesAreSpent()) answer.headers.emplace_back(kShouldRetry, "false");
  keep_alive_ = MayKeepAlive();
  record_.status = answer.status;
  answer_begun_ = true;
  std::string bytes;
  AppendLocalAnswer(answer,
                    {request_.request_id, worker_.Date(), keep_alive_,
                     request_.head.method == compiler::abi::Method::kHEAD},
                    &bytes);
  Send(bytes);
  Over(keep_alive_ ? AfterExchange::kKeepAlive : AfterExchange::kClose);
}

void Exchange::Send(std::span<const std::string_view> pieces) {
  for (const std::string_view piece : pieces) record_.bytes_out += piece.size();
  host_.SendToClient(pieces);
}

void Exchange::Over(AfterExchange next) {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kOver;
  if (attempt_ != nullptr) worker_.transport.DeleteLater(std::move(attempt_));
  WriteRecords();
  host_.OnExchangeOver(next);
}

// ---- Log and metrics -------------------------------------------------------------------------------------------------

void Exchange::On(const engine::NoteRetry& command) {
  const auto& upstream = worker_.policy().upstreams[command.upstream];
  JsonLine line = worker_.Event(
      "warn", "retry attempt " + std::to_string(command.retry) + "/" + std::to_string(command.max_retries));
  line.Add("request_id", request_.request_id)
      .Add("upstream", upstream.name)
      .Add("cause", OutcomeText(command.cause))
      .AddMillis("wait_ms", command.wait.count());
  worker_.Log(line);
}

void Exchange::On(const engine::NoteRetryDenied& command) {
  const auto& upstream = worker_.policy().upstreams[command.upstream];
  record_.retry_denied = command.reason;
  worker_.metrics.CountBy(CounterById::kRetryDenied, upstream.name + std::string(1, '\0') + std::string(command.reason));
  JsonLine line = worker_.Event("info", "retry denied");
  line.Add("request_id", request_.request_id).Add("upstream", upstream.name).Add("reason", command.reason);
  worker_.Log(line);
}

void Exchange::On(const engine::NoteAttemptEnded& command) {
  record_.attempts.push_back({command.upstream, command.number, command.outcome, command.took});
  const auto& upstream = worker_.policy().upstreams[command.upstream];
  worker_.metrics.Observe(HistogramId::kUpstreamLatency, static_cast<size_t>(command.upstream.value), command.took);
  worker_.metrics.CountBy(CounterById::kAttempts, upstream.name + std::string(1, '\0') + OutcomeText(command.outcome));
}

void Exchange::On(const engine::NoteBreaker& command) {
  const auto& upstream = worker_.policy().upstreams[command.upstream];
  std::string_view message = "breaker closed";
  if (command.transition.to == engine::BreakerState::kOpen) {
    message = "breaker opened";
    worker_.metrics.Count(CounterId::kBreakerOpen, static_cast<size_t>(command.upstream.value));
  } else if (command.transition.to == engine::BreakerState::kHalfOpen) {
    message = "breaker half-open";
  }
  JsonLine line = worker_.Event("warn", message);
  line.Add("upstream", upstream.name)
      .Add("from", engine::Name(command.transition.from))
      .Add("to", engine::Name(command.transition.to))
      .Add("generation", static_cast<int64_t>(command.transition.generation))
      .Add("request_id", request_.request_id);
  worker_.Log(line);
}

void Exchange::On(const engine::NoteRejected& command) {
  worker_.metrics.Count(CounterId::kBreakerRejected, static_cast<size_t>(command.upstream.value));
}

void Exchange::WriteRecords() {
  constexpr int kClientClosedRequest = 499;  // as nginx logs it
  const int status = record_.status != 0 ? record_.status : kClientClosedRequest;
  const base::Duration duration = worker_.transport.Now() - request_.arrived;
  std::string labels(record_.route);
  labels.push_back('\0');
  labels += std::to_string(status);
  labels.push_back('\0');
  labels += record_.served_by;
  worker_.metrics.CountBy(CounterById::kRequests, labels);
  worker_.metrics.CountBy(CounterById::kStreamEnd, Name(record_.how));
  worker_.metrics.Observe(HistogramId::kRequestDuration, 0, duration);
  if (worker_.gateway.access == nullptr) return;

  const AccessLogContext context{worker_, request_.head, request_.path, request_.request_id, request_.client_ip};
  worker_.gateway.access->Write(AccessLogLine(context, record_, status, duration));
}

}  // namespace runtime::proxy
