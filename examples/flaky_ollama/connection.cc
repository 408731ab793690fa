// See connection.h.
#include "examples/flaky_ollama/connection.h"

#include <algorithm>
#include <utility>

#include "examples/flaky_ollama/server.h"
#include "examples/flaky_ollama/service_time.h"
#include "runtime/http/message_writer.h"

namespace examples::flaky_ollama {
namespace {

using base::Duration;
using base::TimePoint;
using namespace std::chrono_literals;

constexpr size_t kMostPipelined = 1 << 20;  // bytes of requests behind the one that is answered
constexpr size_t kMostQueued = 256 << 10;   // bytes that a slow client may leave with us before tokens wait
constexpr int kTokensPerTurn = 512;         // then other connections get their turn
constexpr Duration kUntilCut = 20ms;        // the client gets what was sent before the reset
constexpr Duration kCloseLimit = 2s;
constexpr std::string_view kText = "text/plain; charset=utf-8";

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool StartsWith(std::string_view text, std::string_view begin) { return text.substr(0, begin.size()) == begin; }

// Loopback, private or unspecified, as Go's netip has it; link-local is none of them.
bool IsPrivateIpv4(std::string_view host) {
  if (host.empty() || host.find_first_not_of("0123456789.") != std::string_view::npos) return false;
  if (StartsWith(host, "127.") || StartsWith(host, "10.") || StartsWith(host, "192.168.") || host == "0.0.0.0")
    return true;
  if (!StartsWith(host, "172.")) return false;
  const std::string_view second = host.substr(4, host.find('.', 4) - 4);
  return second.size() == 2 && second >= "16" && second <= "31";
}

bool IsChangingPath(std::string_view path) {
  return path == "/api/pull" || path == "/api/push" || path == "/api/create" || path == "/api/copy" ||
         path == "/api/delete" || StartsWith(path, "/api/blobs/");
}

}  // namespace

bool IsAllowedHost(std::string_view host) {
  // Without the port; an IPv6 address stands in brackets.
  if (StartsWith(host, "[")) {
    const std::string_view address = host.substr(1, host.find(']') - 1);
    return address == "::1" || address == "::" || StartsWith(address, "fc") || StartsWith(address, "fd");
  }
  std::string name(host.substr(0, host.find(':')));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  if (name.empty() || name == "localhost" || IsPrivateIpv4(name)) return true;
  return EndsWith(name, ".localhost") || EndsWith(name, ".local") || EndsWith(name, ".internal");
}

Connection::Connection(Server* server, uint64_t id, std::unique_ptr<runtime::net::Stream> stream)
    : server_(server), id_(id), stream_(std::move(stream)), parser_(runtime::http::Role::kRequest, {}) {
  timer_ = server_->transport().NewTimer([this] { Tick(); });
  stream_->SetObserver(this);
}

// ---- Reading

void Connection::OnData(std::string_view bytes) {
  inbox_ += bytes;
  if (inbox_.size() > kMostPipelined && answering_) {
    ClientGone();  // nobody honest sends this much ahead
    return;
  }
  ReadRequests();
}

void Connection::OnEnd() { ClientGone(); }
void Connection::OnError(runtime::net::NetError) { ClientGone(); }

void Connection::ReadRequests() {
  if (reading_) return;  // an answer was ready at once: the loop below goes on
  reading_ = true;
  while (stream_ != nullptr && !answering_ && !inbox_.empty() && ReadOne()) {
  }
  reading_ = false;
}

bool Connection::ReadOne() {
  std::vector<std::string_view> pieces;
  const auto result = parser_.Feed(inbox_, &pieces);
  for (const std::string_view piece : pieces) body_ += piece;
  if (result.error != runtime::http::ParseError::kNone) {
    keep_alive_ = false;
    Write({runtime::http::StatusOf(result.error),
           std::string(kText),
           std::string(runtime::http::Explain(result.error)),
           {}});
    return false;
  }
  inbox_.erase(0, result.consumed);
  if (parser_.message_complete()) {
    Handle();
    return true;
  }
  if (parser_.head_complete() && parser_.request().expects_continue && !continue_sent_) {
    continue_sent_ = true;
    stream_->Write("HTTP/1.1 100 Continue\r\n\r\n");
  }
  return false;
}

void Connection::Handle() {
  const runtime::http::RequestHead& head = parser_.request();
  answering_ = true;
  keep_alive_ = head.keep_alive;
  head_only_ = head.method_text == "HEAD";
  chunked_ = head.minor_version >= 1;
  const std::string method(head.method_text);
  std::string path(head.path);

  if (server_->checks_hosts() && !IsAllowedHost(head.host)) {
    Write({403, std::string(kText), "", {}});
    return;
  }
  State& state = server_->state();
  if (path == "/control" || StartsWith(path, "/control/")) {
    const ControlReply control = Control(method, path, body_, &state);
    if (control.down_for) {
      keep_alive_ = false;
      server_->GoDown(*control.down_for, this);
    }
    Write(control.reply);
    return;
  }

  state.CountPath(path);
  RequestRecord record;
  record.at_ms = server_->SinceStartMs();
  record.method = method;
  record.target = std::string(head.target);
  for (const runtime::http::Header& header : head.headers.lines()) {
    record.headers.emplace_back(std::string(header.name), std::string(header.value));
  }
  record.body = body_.substr(0, State::kRecordedBody);

  // What it does not begin with is no path of the API.
  const std::string& base = server_->options().base;
  path = StartsWith(path, base + "/") ? path.substr(base.size()) : base.empty() ? path : "";
  std::optional<Endpoint> endpoint;
  if (method == "POST" && path == "/api/chat") endpoint = Endpoint::kChat;
  if (method == "POST" && path == "/api/generate") endpoint = Endpoint::kGenerate;
  if (method == "POST" && path == "/v1/chat/completions") endpoint = Endpoint::kOpenAiChat;
  if (endpoint) record.number = state.requests + 1;
  state.Record(std::move(record));
  if (endpoint) {
    StartAnswer(*endpoint);
  } else {
    Write(Route(method, path));
  }
}

Reply Connection::Route(std::string_view method, std::string_view path) {
  const std::string& model = server_->options().model;
  const bool reads = method == "GET" || method == "HEAD";
  if (method == "OPTIONS") return {204, std::string(kText), "", {}};
  if (path == "/" && reads) return {200, std::string(kText), "Ollama is running", {}};
  if (path == "/api/version" && reads) return {200, "application/json; charset=utf-8", std::string(kVersionBody), {}};
  if (path == "/api/tags" && reads) return {200, "application/json; charset=utf-8", TagsBody(model), {}};
  if (path == "/api/ps" && reads) {
    return {200, "application/json; charset=utf-8", PsBody(model, server_->transport().WallNow() + 5min), {}};
  }
  if (path == "/v1/models" && reads) return {200, "application/json", OpenAiModelsBody(model), {}};
  // Says yes and changes nothing: a gateway must not let these through, and the counters show whether it did.
  if (IsChangingPath(path)) return {200, "application/json; charset=utf-8", R"({"status":"success"})", {}};
  for (const std::string_view known : {"/", "/api/version", "/api/tags", "/api/ps", "/v1/models", "/api/chat",
                                       "/api/generate", "/v1/chat/completions"}) {
    if (path == known) return {405, std::string(kText), "405 method not allowed", {}};
  }
  return {404, std::string(kText), "404 page not found", {}};
}

// ---- Answers of the model

void Connection::StartAnswer(Endpoint endpoint) {
  State& state = server_->state();
  const Settings& settings = state.settings;
  const uint64_t number = ++state.requests;
  ++state.in_flight;
  state.most_in_flight = std::max(state.most_in_flight, state.in_flight);
  Fault fault = state.schedule.Next(settings, number);
  if (state.in_flight > settings.parallel + settings.max_queue) fault = Make(FaultKind::k_busy);

  auto parsed = ParseApiCall(endpoint, body_);
  ApiCall call;
  if (auto* wrong = std::get_if<ApiError>(&parsed)) {
    call.endpoint = endpoint;
    fault = {FaultKind::k_bad_request, wrong->status};
    generation_.emplace(Generation{call, Answer(call, 0, number, 0, 0), fault, number, 1.0, {}, {}});
    SetOutcome(fault.kind);
    Write({wrong->status, "application/json; charset=utf-8", ErrorBody(endpoint, wrong->status, wrong->message), {}});
    return;
  }
  call = std::get<ApiCall>(parsed);
  const TimePoint now = server_->transport().Now();
  const double speed = SpeedFactor(settings, number);
  generation_.emplace(Generation{call, Answer(call, settings.seed, number, settings.tokens, settings.thinking_tokens),
                                 fault, number, speed, now, now + PromptTime(settings, state.in_flight, speed)});

  switch (fault.kind) {
    case FaultKind::k_busy:
    case FaultKind::k_bad_request:
    case FaultKind::k_rate_limited:
    case FaultKind::k_status: {
      // Refused before the model sees it: no time passes.
      Reply reply{
          fault.status, "application/json; charset=utf-8", ErrorBody(endpoint, fault.status, Message(fault.kind)), {}};
      if (fault.kind == FaultKind::k_rate_limited) reply.headers.emplace_back("Retry-After", "1");
      SetOutcome(fault.kind);
      Write(reply);
      return;
    }
    case FaultKind::k_hang: return;  // ends when the client leaves
    case FaultKind::k_ok:
    case FaultKind::k_oom:
    case FaultKind::k_reset:
    case FaultKind::k_cut:
    case FaultKind::k_stream_error:
    case FaultKind::k_truncate:
      if (call.only_load) generation_->due = now;
      timer_->Set(generation_->due);
      return;
  }
}

void Connection::OnWriteDrained() {
  if (generation_ && generation_->fault.kind != FaultKind::k_hang) Tick();
}

void Connection::Tick() {
  if (stream_ == nullptr || !generation_) return;
  Generation& generation = *generation_;
  if (generation.cut_pending) {
    SetOutcome(generation.fault.kind);
    ResetNow();
    return;
  }
  const Settings& settings = server_->state().settings;
  const TimePoint now = server_->transport().Now();
  const int64_t stop_after = StopAfter();
  std::string out;
  int tokens_left_this_turn = kTokensPerTurn;
  while (generation.due <= now && tokens_left_this_turn-- > 0) {
    if (!generation.prompt_done && !EndPrompt(&out)) return;
    if (generation.next_token >= stop_after) {
      FinishAnswer(&out);
      return;
    }
    if (generation.call.stream)
      AppendFrame(generation.answer.Token(generation.next_token, server_->transport().WallNow()), &out);
    ++generation.next_token;
    ++server_->state().tokens;
    generation.due += TokenTime(settings, server_->state().in_flight, generation.speed, generation.answer.tokens());
    if (out.size() > kMostQueued) break;
  }
  if (!out.empty()) stream_->Write(out);
  // A slow client slows the model down: OnWriteDrained goes on.
  if (stream_->queued_bytes() > kMostQueued) return;
  timer_->Set(generation.due);
}

bool Connection::EndPrompt(std::string* out) {
  Generation& generation = *generation_;
  generation.prompt_done = true;
  generation.prompt = server_->transport().Now() - generation.started;
  const FaultKind kind = generation.fault.kind;
  if (kind == FaultKind::k_reset) {
    SetOutcome(kind);
    ResetNow();
    return false;
  }
  if (kind == FaultKind::k_oom || (kind == FaultKind::k_stream_error && !generation.call.stream)) {
    const int status = generation.fault.status;
    const Reply reply{
        status, "application/json; charset=utf-8", ErrorBody(generation.call.endpoint, status, Message(kind)), {}};
    SetOutcome(kind);
    Write(reply);
    return false;
  }
  if (generation.call.stream) WriteStreamHead(out);
  return true;
}

int64_t Connection::StopAfter() const {
  const int64_t all = generation_->answer.tokens();
  const FaultKind kind = generation_->fault.kind;
  const bool in_mid_stream =
      generation_->call.stream && (kind == FaultKind::k_cut || kind == FaultKind::k_stream_error);
  return in_mid_stream ? (all + 1) / 2 : all;
}

void Connection::FinishAnswer(std::string* out) {
  Generation& generation = *generation_;
  const FaultKind kind = generation.fault.kind;
  const AnswerTimes times{server_->transport().WallNow(), server_->transport().Now() - generation.started,
                          generation.prompt};
  if (!generation.call.stream) {
    const Reply reply{200, std::string(generation.answer.content_type()), generation.answer.Whole(times), {}};
    if (kind != FaultKind::k_cut && kind != FaultKind::k_truncate) {
      SetOutcome(kind);
      Write(reply);
      return;
    }
    WriteHead(reply, reply.body.size(), out);
    *out += reply.body.substr(0, reply.body.size() / 2);
    if (kind == FaultKind::k_cut) {
      CutSoon(*out);
      return;
    }
    stream_->Write(*out);
    SetOutcome(kind);
    Close();
    return;
  }
  if (kind == FaultKind::k_cut) {
    CutSoon(*out);
    return;
  }
  if (kind == FaultKind::k_stream_error) {
    AppendFrame(generation.answer.StreamError(Message(kind)), out);
  } else if (kind != FaultKind::k_truncate) {
    AppendFrame(generation.answer.End(times), out);
  }
  if (chunked_) *out += runtime::http::kLastChunk;
  stream_->Write(*out);
  SetOutcome(kind);
  EndMessage();
}

void Connection::WriteStreamHead(std::string* out) {
  if (!chunked_) keep_alive_ = false;  // HTTP/1.0: the answer ends with its connection
  runtime::http::AppendStatusLine(200, out);
  runtime::http::AppendHeader("Content-Type", generation_->answer.content_type(), out);
  if (chunked_) runtime::http::AppendHeader("Transfer-Encoding", "chunked", out);
  if (!keep_alive_) runtime::http::AppendHeader("Connection", "close", out);
  runtime::http::AppendEndOfHead(out);
}

void Connection::AppendFrame(std::string_view frame, std::string* out) const {
  if (chunked_) runtime::http::AppendChunkHead(frame.size(), out);
  *out += frame;
  if (chunked_) *out += runtime::http::kChunkEnd;
}

void Connection::CutSoon(std::string_view last_bytes) {
  if (!last_bytes.empty()) stream_->Write(last_bytes);
  generation_->cut_pending = true;
  timer_->Set(server_->transport().Now() + kUntilCut);
}

void Connection::SetOutcome(FaultKind kind) {
  State& state = server_->state();
  --state.in_flight;
  ++state.outcomes[static_cast<size_t>(kind)];
  state.SetOutcome(generation_->number, Name(kind));
  timer_->Cancel();
  generation_.reset();
}

// ---- Writing and the end

void Connection::WriteHead(const Reply& reply, uint64_t length, std::string* out) const {
  runtime::http::AppendStatusLine(reply.status, out);
  if (reply.status != 204) {
    runtime::http::AppendHeader("Content-Type", reply.content_type, out);
    runtime::http::AppendHeader("Content-Length", length, out);
  }
  for (const auto& [name, value] : reply.headers) runtime::http::AppendHeader(name, value, out);
  if (!keep_alive_) runtime::http::AppendHeader("Connection", "close", out);
  runtime::http::AppendEndOfHead(out);
}

void Connection::Write(const Reply& reply) {
  std::string out;
  WriteHead(reply, reply.body.size(), &out);
  if (!head_only_) out += reply.body;
  stream_->Write(out);
  EndMessage();
}

void Connection::EndMessage() {
  if (!keep_alive_) {
    Close();
    return;
  }
  parser_.Reset();
  body_.clear();
  continue_sent_ = false;
  answering_ = false;
  ReadRequests();
}

void Connection::Close() {
  server_->transport().CloseGracefully(std::move(stream_), kCloseLimit);
  server_->Forget(id_);
}

void Connection::ResetNow() {
  stream_->Reset();
  stream_.reset();
  server_->Forget(id_);
}

void Connection::ClientGone() {
  if (stream_ == nullptr) return;
  if (generation_) {
    State& state = server_->state();
    --state.in_flight;
    // A cut that was about to happen happened: the client saw it coming.
    if (generation_->cut_pending) {
      ++state.outcomes[static_cast<size_t>(generation_->fault.kind)];
      state.SetOutcome(generation_->number, Name(generation_->fault.kind));
    } else {
      ++state.aborted;
      state.SetOutcome(generation_->number, "aborted");
    }
    generation_.reset();
  }
  timer_->Cancel();
  stream_.reset();
  server_->Forget(id_);
}

void Connection::CutByDown() {
  if (stream_ == nullptr) return;
  if (generation_) {
    State& state = server_->state();
    --state.in_flight;
    ++state.cut_by_down;
    state.SetOutcome(generation_->number, "down");
    generation_.reset();
  }
  timer_->Cancel();
  ResetNow();
}

}  // namespace examples::flaky_ollama
