// The request's side of an exchange and its machine. exchange_queue.cc has the wait for a place, exchange_attempt.cc the attempts, exchange_answer.cc the upstream's
// answer on its way to the client, exchange_local.cc the answers of the gateway's own, exchange_notes.cc log and
// metrics, exchange_early.cc what is sent while the client waits.
#include "runtime/proxy/exchange.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "compiler/base/json_text.h"
#include "compiler/model/template.h"
#include "runtime/dialect/members.h"
#include "runtime/http/message_writer.h"
#include "runtime/proxy/limits.h"

namespace runtime::proxy {
namespace {

using compiler::model::CacheId;

}  // namespace

Exchange::Exchange(WorkerContext& worker, ExchangeHost& host, ExchangeRequest request)
    : worker_(worker), host_(host), request_(std::move(request)), message_facts_(worker.policy()) {
  worker_.metrics.AddInFlight(1);
}

Exchange::~Exchange() {
  StopFollowing();
  On(engine::StopWaiting{});
  worker_.metrics.AddInFlight(-1);
}

// ---- Request ---------------------------------------------------------------------------------------------------------

void Exchange::Start() {
  const http::RequestHead& head = request_.head;
  if (head.framing == http::BodyFraming::kLength && head.content_length > worker_.gateway.body_use.most_kept) {
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
  if (body_.size() <= worker_.gateway.body_use.most_kept) return;
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
  const auto coding = request_.head.headers.Find("content-encoding");
  if (coding && !http::EqualsIgnoreCase(*coding, "identity") && request_.head.framing != http::BodyFraming::kNone &&
      worker_.gateway.body_use.is_read) {
    worker_.metrics.CountBy(CounterById::kBadRequest, "content_encoding");
    SendGatewayError(415, "content_encoding", "The policy reads the body, so it must not be compressed.", {});
    return;
  }
  const auto problem = message_facts_.FillRequest(request_.head, request_.path, body_, request_.client_ip,
                                                  request_.client_tls, &facts_);
  if (problem == http::MessageFacts::BodyProblem::kDuplicateMember) {
    worker_.metrics.CountBy(CounterById::kBadRequest, "duplicate_json_member");
    SendGatewayError(400, "duplicate_json_member", "The JSON body names a member twice that the policy reads.", {});
    return;
  }
  if (problem == http::MessageFacts::BodyProblem::kTrailing) {
    worker_.metrics.CountBy(CounterById::kBadRequest, "json_trailing");
    SendGatewayError(400, "json_trailing", "Something follows the JSON of the body, which the policy reads.", {});
    return;
  }
  if (problem == http::MessageFacts::BodyProblem::kTooDeep) {
    worker_.metrics.CountBy(CounterById::kBadRequest, "json_too_deep");
    SendGatewayError(400, "json_too_deep", "The JSON body is nested deeper than 64 levels.", {});
    return;
  }
  const auto& compiled = *worker_.gateway.compiled;
  const auto route = compiled.routes.Find(facts_, compiled.predicates);
  const compiler::model::RouteId by_body = worker_.gateway.body_use.first_route_by_body;
  if (streams_ && by_body.has_value() && (!route || *route >= by_body)) {  // or else padding would lead around a route
    worker_.metrics.CountBy(CounterById::kBadRequest, "body_too_large_to_read");
    SendGatewayError(413, "body_too_large_to_read", "The policy chooses the route by the body, and this one is larger than what is kept.", {});
    return;
  }
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
  if (copy_limit_ > 0) {
    ready.answer_form = ClientReads().form();
    ready.shared_form = ClientReads().shared_form();
  }
  ready.route = route_;
  ready.body_is_kept = !streams_;
  for (const UpstreamId id : settings.to) {
    const auto& upstream = worker_.policy().upstreams[id];
    if (body_.size() > static_cast<size_t>(upstream.replay_body_bytes)) ready.body_is_kept = false;
    if (upstream.timeouts.first_token) ready.wants_stream = ready.wants_stream || ClientReads().is_stream();
  }
  const auto has_loads = [this](UpstreamId id) { return worker_.gateway.objects.loads(id) != nullptr; };
  if (std::any_of(settings.to.begin(), settings.to.end(), has_loads)) {
    ready.model_at = [this](UpstreamId id) { return ModelAt(id); };
  }
  // To HTTP/1.0 a failure inside a stream could not be shown but by a reset.
  if (settings.keep_alive) ready.takes_keep_alive = request_.head.minor_version > 0 && ClientReads().is_stream();
  machine_ = std::make_unique<engine::ExchangeMachine>(compiled, worker_.gateway.objects, worker_.random,
                                                       &facts_, request_.arrived);
  Dispatch(ready);
}

std::string_view Exchange::EndpointPath() const {
  if (!route_.has_value()) return {};
  const auto& to = worker_.policy().routes[route_].to;
  return to.empty() ? std::string_view() : worker_.policy().upstreams[to.front()].url.path;
}

// Empty: the request asks for no model, or only the upstream can tell, because its body streams past.
std::string Exchange::ModelAt(UpstreamId id) {
  if (streams_ || !ReadsAnswer()) return {};
  const auto& rewrite = worker_.policy().upstreams[id].rewrite;
  if (!rewrite) return ClientReads().model;
  std::string patch, body;
  compiler::model::Render(*rewrite, facts_, &patch);
  if (compiler::base::MergePatch(body_, patch, &body) != compiler::base::MergeOutcome::kMerged) return ClientReads().model;
  const auto members = dialect::ReadMembers(body);
  return members ? members->model : std::string();
}

const dialect::ClientDialect& Exchange::ClientReads() {
  if (!client_reads_) {
    auto dialect = compiler::model::UpstreamDialect::kAuto;
    if (route_.has_value()) {
      const auto& to = worker_.policy().routes[route_].to;
      if (!to.empty()) dialect = worker_.policy().upstreams[to.front()].dialect;
    }
    client_reads_ = dialect::Detect(request_.head.method, request_.path, EndpointPath(), body_, dialect);
  }
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

// ---- Ends ------------------------------------------------------------------------------------------------------------

bool Exchange::MayKeepAlive() const {
  return request_.head.keep_alive && request_ended_ && !worker_.gateway.is_draining.load(std::memory_order_relaxed);
}

bool Exchange::RetriesAreSpent() const {
  return !record_.retry_denied.empty() || record_.fallback_reason == "breaker_open";
}

void Exchange::Send(std::span<const std::string_view> pieces) {
  for (const std::string_view piece : pieces) record_.bytes_out += piece.size();
  host_.SendToClient(pieces);
}

void Exchange::Over(AfterExchange next) {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kOver;
  if (attempt_ != nullptr) worker_.transport.DeleteLater(std::move(attempt_));
  in_flight_.reset();
  WriteRecords();
  host_.OnExchangeOver(next);
}

// ---- Following another exchange's cache flight -----------------------------------------------------------------------

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

}  // namespace runtime::proxy
