// The door, the request, and the machine. exchange_attempt.cc has the attempts and what they answer, exchange_waits.cc what is
// waited for.
#include "runtime/proxy/exchange.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/json_text.h"
#include "base/planted_fault.h"
#include "compiler/model/model_paths.h"
#include "compiler/model/template.h"
#include "runtime/dialect/members.h"
#include "runtime/dialect/repeats.h"
#include "runtime/http/body_decoder.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/request_path.h"
#include "runtime/proxy/connection_place.h"
#include "runtime/proxy/error_messages.h"

namespace runtime::proxy {

using compiler::model::CacheId;
using engine::Refusal;

Exchange::Exchange(WorkerContext& worker, ExchangeHost& host, const ExchangeRequest& request)
    : worker_(worker),
      host_(host),
      request_(request),
      memory_(worker.memories.Take()),
      message_facts_(memory_->facts),
      machine_(*worker.gateway.compiled, worker.gateway.objects, worker.random, &facts_, request_.arrived),
      events_(memory_->events),
      commands_(memory_->commands),
      body_(request_.head, worker.gateway.body_use.most_kept, host, std::move(memory_->body)),
      answer_(*this, std::move(memory_->held), std::move(memory_->frames)),
      client_(host, request_, worker.policy().gateway.cors, memory_->client_head, memory_->parts),
      recorder_(worker, request_) {
  recorder_.record().attempts = std::move(memory_->attempts);
  worker_.metrics.AddInFlight(1);
}

Exchange::~Exchange() {
  StopFollowing();
  On(engine::StopWaiting{});
  if (memory_follower_) worker_.RemoveFollower(*memory_follower_);
  body_.TakeBuffer(&memory_->body);
  answer_.TakeBuffers(&memory_->held, &memory_->frames);
  memory_->attempts = std::move(recorder_.record().attempts);
  worker_.memories.Put(std::move(memory_));
  worker_.metrics.AddInFlight(-1);
}

// ---- Request ---------------------------------------------------------------------------------------------------------

void Exchange::OnRequestBody(std::span<const std::string_view> pieces) {
  BW_CHECK(phase_ != Phase::kOver, "exchange: phase Over, event OnRequestBody");
  const bool is_beyond = body_.Add(pieces);
  if (is_beyond && ReadsBodyAnyway()) {
    body_.KeepUpTo(static_cast<size_t>(worker_.policy().gateway.limits.body));
  } else if (is_beyond) {
    body_.Stream();
    Begin();
  }
  if (!HoldMemory() && phase_ == Phase::kReadingBody) return RefuseForMemory();
  ObserveWhoIsAwaited();
}

void Exchange::OnRequestEnd() {
  BW_CHECK(phase_ != Phase::kOver, "exchange: phase Over, event OnRequestEnd");
  if (body_.End()) Begin();
  ObserveWhoIsAwaited();
}

void Exchange::Begin() {
  BW_CHECK(phase_ == Phase::kReadingBody, "an exchange begins twice");
  phase_ = Phase::kRunning;
  held_memory_.FinishUpload();
  if (const auto refusal = ReadRequest()) return Refuse(*refusal);
  Dispatch(Describe());
}

void Exchange::Refuse(const Refusal& refusal) {
  if (refusal.counts) recorder_.BadRequest(refusal.reason);
  Dispatch(engine::Refused{refusal});
}

std::optional<Refusal> Exchange::ReadRequest() {
  if (const auto refusal = DecodeBody()) return refusal;
  const http::ReadProblem problem = message_facts_.FillRequest(request_.head, request_.path, body_.kept(), request_.client_ip,
                                                               request_.client_tls, &facts_, !worker_.policy().slots.request_json.empty() && MayHaveMembers());
  if (problem != http::ReadProblem::kNone) return RefusalOf(problem);
  const auto& compiled = *worker_.gateway.compiled;
  const auto route = compiled.routes.Find(facts_, compiled.predicates);
  if (!route) return engine::refusals::no_route;
  route_ = *route;
  const auto& settings = worker_.policy().routes[route_];
  recorder_.record().route = settings.name;
  recorder_.record().route_id = route_;
  if (!settings.to.empty() && IsRefusedForOthers()) return engine::refusals::encoded_path;
  for (const UpstreamId id : settings.to) {
    const auto& upstream = worker_.policy().upstreams[id];
    std::string based;
    if (!upstream.url.path.empty()) based = compiler::model::PathAt(upstream.url, request_.path);
    const std::string_view sent = upstream.url.path.empty() ? request_.path : std::string_view(based);
    if (worker_.gateway.path_guard.Refuses(route_, upstream, request_.path, sent, request_.path_is_simple && based.empty())) return engine::refusals::ollama_server_changes;
  }
  return std::nullopt;
}

bool Exchange::MayHaveMembers() const {
  if (request_.head.framing == http::BodyFraming::kNone) return false;
  const bool is_json_api = dialect::Detect(request_.head.method, request_.path, {}, {}).api != dialect::Api::kPlain;
  return http::MayHaveMembers(request_.head, is_json_api);
}

// Model servers read no compressed bodies, so those to their APIs are always decoded; others where the policy reads them.
std::optional<Refusal> Exchange::DecodeBody() {
  using http::ContentCoding;
  const ContentCoding coding = http::CodingOf(request_.head.headers);
  if (coding == ContentCoding::kNone || request_.head.framing == http::BodyFraming::kNone) return std::nullopt;
  const bool is_read = worker_.gateway.body_use.is_read;
  const bool is_wanted = worker_.gateway.body_use.decodes && dialect::FamilyOf(request_.path) != dialect::ApiFamily::kNone;
  if (!is_read && !is_wanted) return std::nullopt;
  if (coding == ContentCoding::kUnknown || body_.is_streaming() || !worker_.gateway.body_use.decodes) {
    return is_read ? std::optional(engine::refusals::content_encoding) : std::nullopt;
  }
  std::string decoded;
  const auto limit = static_cast<size_t>(worker_.policy().gateway.limits.body);
  const auto share = static_cast<size_t>(worker_.gateway.memory.limit() / MemoryBudget::kShareOfOne);  // more of it would not be let in
  switch (http::DecodeBody(coding, body_.kept(), std::min(limit, share), &decoded)) {
    case http::DecodeProblem::kNone: break;
    case http::DecodeProblem::kBroken: return engine::refusals::broken_encoding;
    case http::DecodeProblem::kTooLarge: return share < limit ? engine::refusals::memory : engine::refusals::decoded_too_large;
  }
  body_.ReplaceKept(std::move(decoded));
  body_is_decoded_ = true;
  if (!HoldMemory()) return engine::refusals::memory;
  return std::nullopt;
}

// Whether a server that decodes the path once more than this one would see a path that this policy refuses: by a route that answers
// with an error, or, where other slashes come of it, by none. The facts stay as they are.
bool Exchange::IsRefusedForOthers() {
  if (request_.path_is_simple || !http::MayBeReadAnew(request_.path)) return false;
  const auto& compiled = *worker_.gateway.compiled;
  const auto slashes = [](std::string_view path) { return std::count(path.begin(), path.end(), '/'); };
  bool is_refused = false;
  for (const std::string& path : http::PathsForOthers(request_.path)) {
    facts_.request_path = compiler::abi::Str::Of(path);
    const auto route = compiled.routes.Find(facts_, compiled.predicates);
    if (!route) {
      is_refused = is_refused || slashes(path) != slashes(request_.path);
      continue;
    }
    const auto& reply = worker_.policy().routes[*route].reply;
    is_refused = is_refused || (reply.has_value() && worker_.policy().replies[reply].status >= 400);
  }
  facts_.request_path = compiler::abi::Str::Of(request_.path);
  return is_refused;
}

namespace {

// Paths whose answers are no text, and that change nothing: embeddings, ranks.
bool AsksForNumbers(std::string_view path) {
  return path.ends_with("/embeddings") || path.ends_with("/embed") || path.ends_with("/rerank");
}

}  // namespace

engine::RequestReady Exchange::Describe() {
  const auto& settings = worker_.policy().routes[route_];
  engine::RequestReady ready;
  ready.route = route_;
  ready.caches = UseOfCaches();
  if (MostCopied() > 0) {
    ready.answer_form = ClientReads().form();
    ready.shared_form = ClientReads().shared_form();
  }
  ready.body_is_kept = !body_.is_streaming();
  bool asks_whether_it_repeats = false;
  for (const UpstreamId id : settings.to) {
    const auto& upstream = worker_.policy().upstreams[id];
    if (body_.kept().size() > static_cast<size_t>(upstream.replay_body_bytes)) ready.body_is_kept = false;
    if (upstream.timeouts.first_token) ready.wants_stream = ready.wants_stream || ClientReads().is_stream();
    asks_whether_it_repeats = asks_whether_it_repeats || upstream.repeat_safe == compiler::model::RepeatSafe::kAuto;
  }
  if (asks_whether_it_repeats) {
    ready.repeats_at = [this](UpstreamId id) {
      const auto repeats = compiler::model::RepeatsAt(worker_.policy().upstreams[id].url, request_.path);
      return !body_.is_streaming() && dialect::MayRepeat(repeats, body_.kept());
    };
  }
  const auto has_loads = [this](UpstreamId id) { return worker_.gateway.objects.loads(id) != nullptr; };
  if (std::any_of(settings.to.begin(), settings.to.end(), has_loads)) {
    ready.model_at = [this](UpstreamId id) { return ModelAt(id); };
  }
  if (settings.keep_alive) ready.takes_keep_alive = ClientReads().is_stream();
  return ready;
}

// A body that is larger than what is kept for repeats is kept all the same where the policy reads it: to choose the route of this very
// request, or to change what is sent. What it says of other requests does not matter.
bool Exchange::ReadsBodyAnyway() {
  const BodyUse& use = worker_.gateway.body_use;
  if (!use.is_read && !use.first_route_by_body.has_value()) return false;
  const auto& compiled = *worker_.gateway.compiled;
  compiler::abi::Facts facts;
  http::MessageFacts message_facts(worker_.policy());
  message_facts.FillRequest(request_.head, request_.path, {}, request_.client_ip, request_.client_tls, &facts);
  const auto route = use.RouteWithoutBody(worker_.policy(), compiled.predicates, facts);
  if (!route.has_value()) return true;
  const auto& to = worker_.policy().routes[route].to;
  return std::any_of(to.begin(), to.end(), [this](UpstreamId id) {
    const auto& upstream = worker_.policy().upstreams[id];
    return upstream.rewrite.has_value() || !upstream.rewrites.empty();
  });
}

// False: there is no room for more of it.
bool Exchange::HoldMemory() {
  size_t held = body_.held_bytes();
  if (attempt_ != nullptr) held += attempt_->copied_bytes();
  if (client_.has_begun() && !client_.is_gone())
    held += answer_.remembered_bytes() + host_.client_queued_bytes() + client_.waiting_bytes();
  if (!held_memory_.has_begun()) {
    if (held <= MemoryBudget::kUncounted) return true;
    memory_follower_ = worker_.AddFollower([this] {
      if (phase_ == Phase::kReadingBody) RefuseForMemory();
    });
    held_memory_.Begin(&worker_.gateway.memory, AddressGroup(std::string(request_.client_ip)),
                       worker_.WakeUp(*memory_follower_));
    if (phase_ != Phase::kReadingBody) held_memory_.FinishUpload();
  }
  return held_memory_.Set(held);
}

void Exchange::RefuseForMemory() {
  observe::JsonLine line = worker_.Event("warn", "upload gives way");
  line.Add("request_id", request_.request_id)
      .Add("client", request_.client_ip)
      .Add("bytes", static_cast<int64_t>(body_.received()))
      .Add("limit", "memory");
  worker_.Log(line);
  phase_ = Phase::kRunning;
  body_.Drop();  // before its answer is counted, which would have the next one give way for this one
  Refuse(engine::refusals::memory);
}

// Whether the attempt stands still because of the client.
void Exchange::ObserveWhoIsAwaited() {
  const bool has_attempt = attempt_ != nullptr && !attempt_->is_over() && phase_ == Phase::kRunning;
  const bool is_awaited = has_attempt && (attempt_->is_paused() || (!answer_.has_head() && body_.waits_for_client()));
  if (is_awaited == client_is_awaited_) return;
  client_is_awaited_ = is_awaited;
  machine_.ObserveClientAwaited(is_awaited, worker_.transport.Now());
  if (phase_ == Phase::kRunning && !dispatching_) host_.OnDeadlineChanged();
}

// RFC 9111 3: GET and HEAD; and POST, where it asks a model. Everything else is for the upstream, whatever an entry says.
engine::CacheUse Exchange::UseOfCaches() {
  using compiler::abi::Method;
  engine::CacheUse use;
  if (worker_.policy().caches.empty()) return use;
  const Method method = request_.head.method;
  bool is_get = method == Method::kGET || method == Method::kHEAD;
  PLANT_FAULT(methods_share, is_get = true);
  const bool is_question = method == Method::kPOST && (ClientReads().api != dialect::Api::kPlain || AsksForNumbers(request_.path));
  // A GET with a body: what it means nobody knows. Some clients write that theirs has no bytes (RFC 9110 8.6).
  const bool is_odd = is_get && body_.received() > 0;
  use.reads = (is_get || is_question) && !is_odd && !request_.head.headers.HasToken(http::HeaderId::k_cache_control, "no-store");
  use.fills = use.reads && method != Method::kHEAD;
  if (!use.reads) return use;
  use.scope = is_get ? "GET " : "POST ";
  std::string_view query = request_.head.query;
  PLANT_FAULT(queries_share, query = {});
  use.scope.append(facts_.request_host.view()).append(http::TargetOf(request_.path, query));
  // What an API's client says of the shape of its answers beside the body.
  for (const std::string_view name : {"anthropic-version", "anthropic-beta", "openai-beta"}) {
    const std::string value = is_get ? std::string() : http::PassedValue(request_.head, name);
    if (!value.empty())
      use.scope.append("\n").append(name).append(":").append(std::to_string(value.size())).append(":").append(value);
  }
  use.header = [this](std::string_view name) {
    PLANT_FAULT(hidden_headers_count, return std::string(request_.head.headers.Find(name).value_or(std::string_view())));
    return http::PassedValue(request_.head, name);
  };
  return use;
}

// A copy of the answer is kept only where a cache of the route may want it.
size_t Exchange::MostCopied() const {
  if (worker_.policy().caches.empty() || !route_.has_value()) return 0;
  const auto& settings = worker_.policy().routes[route_];
  size_t most = 0;
  const auto consider = [&](CacheId id) {
    if (id.has_value()) most = std::max(most, static_cast<size_t>(worker_.policy().caches[id].max_entry_bytes));
  };
  consider(settings.cache);
  for (const auto& fallback : settings.fallback) {
    if (const auto* id = std::get_if<CacheId>(&fallback)) consider(*id);
  }
  return most;
}

std::string_view Exchange::EndpointPath() const {
  if (!route_.has_value()) return {};
  const auto& to = worker_.policy().routes[route_].to;
  if (to.empty()) return {};
  const auto& url = worker_.policy().upstreams[to.front()].url;
  return url.is_base ? std::string_view() : url.path;
}

// Empty: the request asks for no model, or only the upstream can tell, because its body streams past.
std::string Exchange::ModelAt(UpstreamId id) {
  if (body_.is_streaming() || !ReadsAnswer()) return {};
  const std::vector<std::string> patches = PatchesFor(id);
  if (patches.empty()) return ClientReads().model;
  std::string body = body_.kept();
  for (const std::string& patch : patches) {
    std::string patched;
    if (base::MergePatch(body, patch, &patched) != base::MergeOutcome::kMerged) return ClientReads().model;
    body = std::move(patched);
  }
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
    client_reads_ = dialect::Detect(request_.head.method, request_.path, EndpointPath(), body_.kept(), dialect);
  }
  return *client_reads_;
}

dialect::Api Exchange::ApiOfAnswer(UpstreamId id) {
  const auto& upstream = worker_.policy().upstreams[id];
  if (upstream.url.path.empty()) return dialect::ApiOfAnswer(upstream.dialect, request_.path, ClientReads().api);
  return dialect::ApiOfAnswer(upstream.dialect, compiler::model::PathAt(upstream.url, request_.path), ClientReads().api);
}

bool Exchange::ReadsAnswer() {
  return request_.head.method == compiler::abi::Method::kPOST && ClientReads().api != dialect::Api::kPlain;
}

// ---- The machine -----------------------------------------------------------------------------------------------------

// An event that comes while commands are carried out waits for its turn.
void Exchange::Dispatch(engine::Event&& event) {
  if (dispatching_) {
    events_.push_back(std::move(event));
    return;
  }
  dispatching_ = true;
  for (size_t next = 0; phase_ != Phase::kOver; ++next) {
    commands_.clear();
    const base::TimePoint now = worker_.transport.Now();
    recorder_.Tells(event, now);
    machine_.Handle(event, now, &commands_);
    for (const engine::Command& command : commands_) {
      std::visit([this](const auto& c) { On(c); }, command);
    }
    if (machine_.done() && client_.is_handed_over()) Over();
    if (next == events_.size()) break;
    event = std::move(events_[next]);
  }
  events_.clear();
  dispatching_ = false;
  if (in_head_) deadline_waits_ = true;
  else if (phase_ != Phase::kOver) TellDeadline();
}

void Exchange::TellDeadline() {
  deadline_waits_ = false;
  host_.OnDeadlineChanged();
}

// In a call of `attempt`, which says when all is told of what it read. Not, where it has ended, or another one has taken its place.
void Exchange::TellDeadlineUnlessReading(const Attempt* attempt) {
  const bool is_reading = attempt_.get() == attempt && !attempt_->is_over();
  if (deadline_waits_ && !is_reading && phase_ == Phase::kRunning) TellDeadline();
}

std::optional<base::TimePoint> Exchange::NextDeadline() const {
  if (phase_ != Phase::kRunning) return std::nullopt;
  const auto deadline = machine_.NextDeadline();
  return refusal_told_by_ && deadline ? std::min(*refusal_told_by_, *deadline) : refusal_told_by_ ? refusal_told_by_ : deadline;
}

void Exchange::OnTimer() {
  if (phase_ != Phase::kRunning) return;
  const base::TimePoint now = worker_.transport.Now();
  if (refusal_told_by_ && *refusal_told_by_ <= now) {
    refusal_told_by_.reset();
    if (answer_.holds_refusal()) return Conclude(answer_.TellRefusal());
  }
  const auto deadline = machine_.NextDeadline();
  if (deadline && *deadline <= now) Dispatch(engine::TimeReached{});
}

void Exchange::OnClientGone() { GiveUp(observe::EndedHow::kClientGone); }

void Exchange::Stop() {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kRunning;
  recorder_.record().how = observe::EndedHow::kCut;
  Dispatch(engine::GatewayStops{});
}

void Exchange::OnBodyRefused(int status, std::string_view reason) {
  refused_status_ = status;
  recorder_.record().fallback_reason = reason;
  GiveUp(observe::EndedHow::kComplete);
}


void Exchange::GiveUp(observe::EndedHow how) {
  if (phase_ == Phase::kOver) return;
  recorder_.record().how = how;
  client_.Leave();
  Dispatch(engine::ClientGone{});
}

// Comes last, when all commands of the last event are carried out: a client that has its answer may ask again at once, and shall find
// it in the cache.
void Exchange::Over() {
  BW_CHECK(phase_ != Phase::kOver, "an exchange ends twice");
  BW_CHECK(attempt_ == nullptr || attempt_->is_over(), "an exchange ends before its attempt");
  client_.End();
  phase_ = Phase::kOver;
  if (attempt_ != nullptr) EndAttempt();
  observe::ExchangeRecord& record = recorder_.record();
  record.bytes_in = body_.received();
  record.bytes_out = client_.sent_bytes();
  record.status = refused_status_ != 0 ? refused_status_ : client_.status();
  record.tokens = answer_.tokens();
  if (client_reads_) record.model = client_reads_->model;
  record.tokens.is_read = answer_.is_read();
  record.tokens.is_of_model = answer_.api() != dialect::Api::kPlain;
  recorder_.Write();
  if (!client_.is_gone()) host_.OnExchangeOver(client_.after());
}

}  // namespace runtime::proxy
