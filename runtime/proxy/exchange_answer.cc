// What the client gets: the commands of the machine that send, and the little that is decided here about how.
#include <utility>

#include "runtime/engine/fallback.h"
#include "runtime/observe/wall_clock.h"
#include "runtime/proxy/answer_framing.h"
#include "runtime/proxy/error_messages.h"
#include "runtime/proxy/exchange.h"

namespace runtime::proxy {

// ---- What the client gets of it --------------------------------------------------------------------------------------

void Exchange::On(const engine::CommitAnswer& command) {
  const http::ResponseHead& head = answer_.head();
  recorder_.FirstContent(command.served_by, worker_.transport.Now() - attempt_started_,
                         head.status < 400 && ReadsAnswer());
  const HeldAnswer held = answer_.held();
  const std::string_view bytes = answer_.held_text();
  if (client_.stage() != ClientAnswer::Stage::kEarly) {
    HeadTerms terms = TermsOfHead(/*needs_date=*/false);  // its server tells it
    const auto& url = worker_.policy().upstreams[command.served_by].url;
    terms.upstream_authority = url.authority;
    std::string asked_at;
    if (!url.path.empty()) {
      asked_at = compiler::model::PathAt(url, request_.path);
      terms.bases = compiler::model::BasesOf(request_.path, asked_at);
    }
    terms.copy = TermsOfCopy(command.served_by);
    client_.Begin(head, ChooseFraming(request_.head, head, held), answer_.has_frames(), terms, bytes, MostCopied(),
                  in_head_);
    LetFollowersGoIfNotKept();
    return;
  }
  // Its status can't be told any more.
  const bool fits = head.status < 300 && answer_.has_frames() &&
                    dialect::StreamShapeOf(answer_.api()) == ClientReads().shape;
  if (fits) {
    client_.BeginInStream(&head, MostCopied(), bytes, TermsOfCopy(command.served_by));
    LetFollowersGoIfNotKept();
  } else if (head.status >= 400) {
    const std::string status = std::to_string(head.status);
    FailInStream(bytes, "status_" + status, "The model server answered with status " + status + ".");
  } else {
    FailInStream({}, "bad_response", "The model server answered with something that is no stream.");
  }
}

void Exchange::On(const engine::ResumeAnswer& command) {
  recorder_.FirstContent(command.served_by, worker_.transport.Now() - attempt_started_, ReadsAnswer());
  recorder_.Continued(command.served_by);
}

void Exchange::HoldBackIfFull() {
  if (attempt_ == nullptr || attempt_->is_paused() || !client_.is_full()) return;
  attempt_->PauseReading();
  ObserveWhoIsAwaited();
  LetFollowersGo();  // nobody knows when a client reads on that doesn't now
}

void Exchange::OnClientDrained() {
  HoldMemory();
  if (!client_.is_handed_over()) {
    client_.Continue();
    if (client_.is_handed_over() && machine_.done()) Over();
    return;
  }
  if (attempt_ == nullptr || !attempt_->is_paused()) return;
  attempt_->ResumeReading();
  ObserveWhoIsAwaited();
}

// Its last chunk goes out with Over.
void Exchange::On(const engine::FinishAnswer&) {
  if (client_.takes_missing_end()) client_.Body(answer_.MissingEnd());
}

void Exchange::On(const engine::BreakOffAnswer& command) {
  recorder_.record().how = observe::EndedHow::kCut;
  client_.BreakOff(client_.can_tell_break() ? answer_.BreakFrame(command.error, request_.request_id) : std::string());
}

void Exchange::On(const engine::StoreAnswer& command) {
  CacheCopy& copy = client_.copy();
  if (!copy.exists()) return;
  copy.End(answer_.may_be_stored(), answer_.is_unbounded());
  if (!copy.exists()) return recorder_.NotStored(copy.TakeNotKept());
  if (ReadsAnswer()) copy.ShareIfPossible(answer_.api(), ClientReads());
  const std::string& key = copy.response().is_shared ? command.key : command.own_key;
  const engine::CacheUse use = UseOfCaches();
  const bool is_kept =
      engine::KeepAnswer(*worker_.gateway.objects.cache(command.cache), key, copy.response(), use, worker_.transport.Now());
  if (is_kept && command.cache == worker_.policy().routes[route_].cache) is_stored_ = true;
}

// Whoever follows this exchange need not wait for an answer that no cache will have.
void Exchange::LetFollowersGoIfNotKept() {
  if (MostCopied() == 0 || client_.copy().exists()) return;
  if (!client_.copy().not_kept().empty()) recorder_.NotStored(client_.copy().TakeNotKept());
  LetFollowersGo();
}

void Exchange::LetFollowersGo() {
  if (const auto flight = machine_.GiveUpFlight()) worker_.gateway.objects.cache(flight->cache)->EndFlight(flight->key, /*stored=*/false);
}

// ---- What the gateway sends by itself --------------------------------------------------------------------------------

CopyTerms Exchange::TermsOfCopy(UpstreamId id) const {
  using compiler::abi::Method;
  const bool is_of_get = request_.head.method == Method::kGET || request_.head.method == Method::kHEAD;
  return {&worker_.policy().upstreams[id], worker_.policy().gateway.underscore_headers, is_of_get};
}

HeadTerms Exchange::TermsOfHead(bool needs_date) {
  const bool may_keep_alive = request_.head.keep_alive && body_.is_ended() &&
                              !worker_.gateway.is_draining.load(std::memory_order_relaxed);
  return {needs_date ? std::string_view(worker_.Date()) : std::string_view(), may_keep_alive, recorder_.RetriesAreSpent()};
}

AnswerReaderTerms Exchange::TermsOfReader(std::string_view now) {
  return {ClientReads(), request_.request_id, now, client_.stage() == ClientAnswer::Stage::kEarly};
}

void Exchange::On(const engine::SendKeepAlive&) {
  if (client_.stage() == ClientAnswer::Stage::kWaiting) client_.SendEarlyHead(ClientReads().shape, TermsOfHead());
  if (client_.is_full()) return;  // it doesn't read what it was sent already
  recorder_.KeepAlive();
  client_.SendKeepAlive(dialect::KeepAliveBytes(ClientReads()));
}

void Exchange::MarkAsFallback(std::string_view name, std::string_view reason, size_t metric_index, LocalAnswer* answer) {
  recorder_.Fallback(name, reason, metric_index);
  MarkFallback(name, reason, answer);
}

void Exchange::On(const engine::SendReply& command) {
  const auto& reply = worker_.policy().replies[command.reply];
  const bool tells_time = reply.body.kind == compiler::model::BodyKind::kText;
  LocalAnswer answer =
      ReplyAnswer(reply, facts_, TermsOfReader(tells_time ? observe::Rfc3339Millis(worker_.transport.WallNow()) : std::string()));
  recorder_.record().served_by = reply.name;
  if (command.is_fallback) {
    MarkAsFallback(reply.name, command.reason, observe::Metrics::FallbackIndex(worker_.policy(), command.reply), &answer);
  }
  SendLocal(std::move(answer));
}

void Exchange::On(const engine::SendCached& command) {
  const auto& cache = worker_.policy().caches[command.cache];
  const engine::CachedResponse& stored = *command.response;
  LocalAnswer answer = StoredAnswer(stored, body_.kept(), worker_.transport.Now() - stored.stored_at, command.is_fallback,
                                    TermsOfReader({}));
  recorder_.record().served_by = cache.name;
  if (command.is_fallback) {
    MarkAsFallback(cache.name, command.reason, observe::Metrics::FallbackIndex(worker_.policy(), command.cache), &answer);
  } else {
    recorder_.CacheHit(command.cache);
  }
  SendLocal(std::move(answer));
}

void Exchange::On(const engine::SendMock& command) {
  const auto& mock = worker_.policy().mocks[command.mock];
  LocalAnswer answer = MockAnswer(mock, facts_, TermsOfReader(observe::Rfc3339Millis(worker_.transport.WallNow())));
  recorder_.record().served_by = mock.name;
  MarkAsFallback(mock.name, command.reason, observe::Metrics::FallbackIndex(worker_.policy(), command.mock), &answer);
  SendLocal(std::move(answer));
}

void Exchange::On(const engine::SendError& command) {
  int status = command.status;
  std::string_view code = command.reason;
  std::string_view text = command.text.empty() ? MessageFor(command.reason) : command.text;
  std::string with_reason;
  if (command.reason == compiler::abi::Name(ErrorKind::k_tls_failure) && !recorder_.record().tls_text.empty()) {
    with_reason = text.substr(0, text.size() - 1);  // its full stop
    with_reason.append(": ").append(recorder_.record().tls_text).append(".");
    text = with_reason;
  }
  // What its server said of it, as if it had come in time.
  const dialect::ToldError* told = command.reason == compiler::abi::Name(ErrorKind::k_stream_error) ? answer_.told_error() : nullptr;
  if (told != nullptr) {
    if (told->status != 0) status = told->status;
    if (!told->code.empty()) code = told->code;
    if (!told->message.empty()) text = told->message;
  }
  LocalAnswer answer = ErrorAnswer(status, code, text, command.retry_after, TermsOfReader({}));
  const bool is_refusal = refusal_status_ != 0 && refusal_status_ == status && command.reason.starts_with("status_") && command.text.empty();
  if (is_refusal) {
    answer.content_type = memory_->refusal_type;
    answer.body = memory_->refusal_body;
  }
  recorder_.record().fallback_reason = command.reason;
  SendLocal(std::move(answer));
}

void Exchange::SendLocal(LocalAnswer answer) {
  answer_.ForgetTokens();  // of attempts that came to nothing
  if (client_.stage() != ClientAnswer::Stage::kEarly) {
    client_.SendWhole(std::move(answer), TermsOfHead());
    HoldMemory();
    return;
  }
  if (FitsStream(answer, ClientReads().shape)) {
    client_.BeginInStream(nullptr, 0, answer.body);
    return;
  }
  const std::string& told = recorder_.record().fallback_reason;
  const std::string reason = told.empty() ? "status_" + std::to_string(answer.status) : told;
  FailInStream(answer.body, reason, MessageFor(reason));
}

void Exchange::FailInStream(std::string_view body, std::string_view reason, std::string_view message) {
  recorder_.LateFailure(reason);
  client_.FailInStream(dialect::LateErrorFrame(ClientReads(), body, reason, message, request_.request_id));
  client_.copy().Drop();
}

}  // namespace runtime::proxy
