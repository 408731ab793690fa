#include "runtime/proxy/exchange_recorder.h"

#include <utility>
#include <variant>

#include "base/short_text.h"
#include "compiler/abi/fact_table.h"
#include "runtime/observe/decided.h"
#include "runtime/observe/json_line.h"
#include "runtime/observe/trace_context.h"
#include "runtime/proxy/access_log.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {
using engine::ErrorKind;
using engine::UpstreamId;

namespace {

constexpr std::string_view kCancelled = "cancelled";

uint64_t WhereItStands(std::string_view text) { return reinterpret_cast<uintptr_t>(text.data()); }

// A status as text, and the outcome of an attempt: its error, or else its status.
class StatusText {
 public:
  explicit StatusText(int status) { Put(status); }
  explicit StatusText(const engine::Outcome& outcome) {
    if (outcome.error != ErrorKind::kNone) text_ = compiler::abi::Name(outcome.error);
    else Put(outcome.status);
  }
  StatusText(const StatusText&) = delete;
  StatusText& operator=(const StatusText&) = delete;
  std::string_view text() const { return text_; }

 private:
  void Put(int status) { text_ = {digits_, static_cast<size_t>(observe::PutInteger(status, digits_) - digits_)}; }

  char digits_[observe::kNumberRoom];
  std::string_view text_;
};

}  // namespace

void ExchangeRecorder::Tells(const engine::Event& event, base::TimePoint now) {
  now_ = now;
  ends_attempt_ =
      std::holds_alternative<engine::ClientGone>(event) || std::holds_alternative<engine::GatewayStops>(event);
  if (const auto* head = std::get_if<engine::AttemptHead>(&event)) {
    head_at_ = now;
    retry_after_ = head->retry_after;
  }
}

void ExchangeRecorder::Record(const engine::RecordRetry& command) {
  if (!record_.attempts.empty()) record_.attempts.back().retry_wait = command.wait;
  const auto& upstream = worker_.policy().upstreams[command.upstream];
  constexpr std::string_view kBegin = "retry attempt ";
  char message[kBegin.size() + 2 * observe::kNumberRoom];
  char* end = base::CopyText(message, kBegin);
  end = observe::PutInteger(command.retry, end);
  *end++ = '/';
  end = observe::PutInteger(command.max_retries, end);
  observe::JsonLine line = worker_.Event("warn", {message, static_cast<size_t>(end - message)});
  line.Add("request_id", request_.request_id)
      .Add("upstream", upstream.name)
      .Add("cause", StatusText(command.cause).text())
      .AddMillis("wait_ms", command.wait.count());
  worker_.Log(line);
}

void ExchangeRecorder::Record(const engine::RecordRetryDenied& command) {
  const auto& upstream = worker_.policy().upstreams[command.upstream];
  record_.retry_denied = retry_denied_ = command.reason;
  worker_.metrics.CountBy(observe::LabelledCounter::kRetryDenied, {upstream.name, command.reason});
  observe::JsonLine line = worker_.Event("info", "retry denied");
  line.Add("request_id", request_.request_id).Add("upstream", upstream.name).Add("reason", command.reason);
  worker_.Log(line);
}

void ExchangeRecorder::Record(const engine::RecordMoveDenied& command) {
  move_denied_ = command.reason;
  const auto& upstream = worker_.policy().upstreams[command.upstream];
  worker_.metrics.CountBy(observe::LabelledCounter::kMoveDenied, {upstream.name, command.reason});
  observe::JsonLine line = worker_.Event("info", "move denied");
  line.Add("request_id", request_.request_id).Add("upstream", upstream.name).Add("reason", command.reason);
  worker_.Log(line);
}

void ExchangeRecorder::Record(const engine::RecordAttemptEnded& command) {
  observe::AttemptRecord& attempt = record_.attempts.emplace_back();
  attempt.upstream = command.upstream;
  attempt.number = command.number;
  attempt.outcome = command.outcome;
  attempt.outcome_class = command.outcome_class;
  const base::TimePoint began = now_ - command.took;
  attempt.began = began - request_.arrived;
  attempt.took = command.took;
  if (head_at_) attempt.head = *std::exchange(head_at_, std::nullopt) - began;
  if (content_at_) attempt.content = *std::exchange(content_at_, std::nullopt) - began;
  attempt.retry_after = std::exchange(retry_after_, std::nullopt);
  if (!address_.empty()) attempt.address.swap(address_);  // a new record's is empty
  if (!detail_.empty()) attempt.detail.swap(detail_);
  attempt.retry_denied = std::exchange(retry_denied_, {});
  attempt.move_denied = std::exchange(move_denied_, {});
  attempt.is_cancelled = ends_attempt_ && command.outcome.error == ErrorKind::kNone;
  if (command.outcome.error == ErrorKind::k_tls_failure) attempt.tls_reason = record_.tls_reason;
  const auto& upstream = worker_.policy().upstreams[command.upstream];
  worker_.metrics.Observe(observe::HistogramId::kUpstreamLatency, static_cast<size_t>(command.upstream.value), command.took);
  const auto& outcome = command.outcome;
  worker_.metrics.CountKnown(observe::LabelledCounter::kAttempts, static_cast<uint64_t>(command.upstream.value),
                             static_cast<uint64_t>(attempt.is_cancelled) << 63 | static_cast<uint64_t>(outcome.error) << 32 | static_cast<uint32_t>(outcome.status),
                             [&](const auto& with) { with({upstream.name, attempt.is_cancelled ? kCancelled : StatusText(outcome).text()}); });
}

void ExchangeRecorder::Record(const engine::RecordBreaker& command) {
  const bool has_cause = command.cause.status != 0 || command.cause.error != ErrorKind::kNone;
  std::string cause = has_cause ? std::string(StatusText(command.cause).text()) : std::string();
  // Some rules count once the attempt is over.
  const bool is_over =
      detail_.empty() && !record_.attempts.empty() && record_.attempts.back().upstream == command.upstream;
  const std::string& detail = is_over ? record_.attempts.back().detail : detail_;
  if (has_cause && !detail.empty()) cause += ": " + detail;
  worker_.RecordBreaker(command.upstream, command.transition, request_.request_id, cause);
}

void ExchangeRecorder::Record(const engine::RecordRejected& command) {
  record_.refused_by = command.upstream;
  worker_.metrics.Count(observe::CounterId::kBreakerRejected, static_cast<size_t>(command.upstream.value));
}

void ExchangeRecorder::Record(const engine::RecordQueued& command) {
  record_.queued += command.waited;
  const auto& upstream = worker_.policy().upstreams[command.upstream];
  if (command.error == ErrorKind::kNone || command.waited > base::Duration::zero()) {
    worker_.metrics.Observe(observe::HistogramId::kQueue, static_cast<size_t>(command.upstream.value), command.waited);
  }
  if (command.error == ErrorKind::kNone) return;
  record_.refused_by = command.upstream;
  worker_.metrics.CountBy(observe::LabelledCounter::kQueueRefused,
                          {upstream.name, compiler::abi::Name(command.error)});
}

void ExchangeRecorder::Record(const engine::RecordLoadWait& command) {
  record_.loading += command.waited;
  worker_.metrics.Observe(observe::HistogramId::kLoadWait, static_cast<size_t>(command.upstream.value), command.waited);
}

// ---- What the driver sees --------------------------------------------------------------------------------------------

void ExchangeRecorder::AttemptStarted(UpstreamId id, int number, bool is_reconnect, bool takes_over) {
  last_token_.reset();
  head_at_.reset();
  content_at_.reset();
  address_.clear();
  detail_.clear();
  record_.refused_by = {};
  if (!is_reconnect) ++attempts_started_;
  const auto label = static_cast<size_t>(id.value);
  if (is_reconnect) {
    worker_.metrics.Count(observe::CounterId::kReuseRace, label);
  } else if (number > 1 && !takes_over) {
    worker_.metrics.Count(observe::CounterId::kUpstreamRetry, label);
  }
}

// Made once.
const observe::TraceIdText& ExchangeRecorder::TraceId() {
  if (!trace_id_) trace_id_ = observe::TraceId(request_.head.headers.Find(http::HeaderId::k_traceparent), request_.request_id);
  return *trace_id_;
}

void ExchangeRecorder::FirstContent(UpstreamId id, base::Duration took, bool is_of_model) {
  record_.served_by = worker_.policy().upstreams[id].name;
  is_of_upstream_ = true;
  content_at_ = now_;
  const bool is_first = !record_.content;
  if (is_first) record_.content = now_ - request_.arrived;
  if (!is_of_model) return;  // how soon a server fails, or lists its models, says nothing about how long people wait
  const observe::TraceOf trace{TraceId(), worker_.transport.WallNow()};
  if (is_first) worker_.metrics.Observe(observe::HistogramId::kClientFirstToken, 0, *record_.content, trace);
  worker_.metrics.Observe(observe::HistogramId::kFirstToken, static_cast<size_t>(id.value), took, trace);
}

// Where the url names a host: which of its addresses it was.
void ExchangeRecorder::ConnectsTo(UpstreamId id, const net::Address& address) {
  const auto& url = worker_.policy().upstreams[id].url;
  if (address.ip.empty() || address.ip == url.host) return;
  address_ = compiler::model::ListenAddress{address.ip, address.port}.ToString();
}

void ExchangeRecorder::Continued(UpstreamId id) {
  ++record_.continuations;
  observe::JsonLine line = worker_.Event("warn", "answer continued");
  line.Add("request_id", request_.request_id).Add("upstream", worker_.policy().upstreams[id].name);
  worker_.Log(line);
}

void ExchangeRecorder::Token(UpstreamId id, base::TimePoint now) {
  if (last_token_) {
    worker_.metrics.Observe(observe::HistogramId::kInterToken, static_cast<size_t>(id.value), now - *last_token_);
  }
  last_token_ = now;
}

void ExchangeRecorder::KeepAlive() {
  ++record_.keep_alives;
  worker_.metrics.CountBy(observe::LabelledCounter::kKeepAlive, record_.route);
}

void ExchangeRecorder::BadRequest(std::string_view reason) { worker_.metrics.CountBy(observe::LabelledCounter::kBadRequest, reason); }

// The event once for a gateway: who set the header looks for it once.
void ExchangeRecorder::DroppedHeaders(const http::DroppedHeaders& dropped) {
  worker_.metrics.CountBy(observe::LabelledCounter::kDroppedHeader, {"underscore"}, dropped.count);
  if (worker_.gateway.told_dropped_header.exchange(true)) return;
  observe::JsonLine line = worker_.Event("warn", "request header dropped");
  line.Add("request_id", request_.request_id)
      .Add("header", dropped.first)
      .Add("help", "names with \"_\" are taken for others by some servers; gateway { underscore_headers = true } passes them on");
  worker_.Log(line);
}

void ExchangeRecorder::NotStored(std::string_view reason) { worker_.metrics.CountBy(observe::LabelledCounter::kCacheNotStored, {reason}); }

void ExchangeRecorder::Fallback(std::string_view name, std::string_view reason, size_t metric_index) {
  record_.fallback = name;
  record_.fallback_reason = reason;
  worker_.metrics.Count(observe::CounterId::kFallback, metric_index);
}

void ExchangeRecorder::CacheHit(compiler::model::CacheId id) {
  worker_.metrics.Count(observe::CounterId::kCacheHit, static_cast<size_t>(id.value));
}

void ExchangeRecorder::LateFailure(std::string_view reason) {
  worker_.metrics.CountBy(observe::LabelledCounter::kLateFailure, {record_.route, reason});
  if (record_.fallback_reason.empty()) record_.fallback_reason = reason;
  record_.how = observe::EndedHow::kCut;
}

// ---- The end ---------------------------------------------------------------------------------------------------------

void ExchangeRecorder::CountTokens() {
  if (!record_.tokens.is_read || record_.attempts.empty() || record_.status >= 300 || !record_.fallback.empty()) return;
  const observe::TokenRecord& tokens = record_.tokens;
  const UpstreamId id = record_.attempts.back().upstream;
  const std::string& upstream = worker_.policy().upstreams[id].name;
  const auto count = [&](std::string_view kind, int64_t amount) {
    if (amount > 0) {
      worker_.metrics.CountBy(observe::LabelledCounter::kTokens, {upstream, kind}, static_cast<uint64_t>(amount));
    }
  };
  count("prompt", tokens.prompt);
  count("completion", tokens.completion);
  if (tokens.completion < 0) count("uncounted", tokens.frames);
  const bool is_complete = record_.how == observe::EndedHow::kComplete || record_.how == observe::EndedHow::kContinued;
  if (is_complete && !tokens.has_answer && tokens.is_of_model) {
    worker_.metrics.Count(observe::CounterId::kEmptyAnswer, static_cast<size_t>(id.value));
  }
}

void ExchangeRecorder::Write() {
  constexpr int kClientClosedRequest = 499;  // as nginx logs it
  const int status = record_.status != 0 ? record_.status : kClientClosedRequest;
  const base::Duration duration = worker_.transport.Now() - request_.arrived;
  // The names are the policy's or the program's: where they stand says which they are.
  worker_.metrics.CountKnown(observe::LabelledCounter::kRequests, WhereItStands(record_.route),
                             WhereItStands(record_.served_by) ^ static_cast<uint64_t>(status) << 48,
                             [&](const auto& with) { with({record_.route, StatusText(status).text(), record_.served_by}); });
  if (record_.how == observe::EndedHow::kComplete) {
    if (!is_of_upstream_) record_.how = observe::EndedHow::kOwn;
    else if (record_.continuations > 0) record_.how = observe::EndedHow::kContinued;
  }
  CountTokens();
  worker_.metrics.CountKnown(observe::LabelledCounter::kStreamEnd, static_cast<uint64_t>(record_.how), 0,
                             [&](const auto& with) { with({Name(record_.how)}); });
  const observe::TraceIdText& trace_id = TraceId();
  const base::WallTime now = worker_.transport.WallNow();
  worker_.metrics.Observe(observe::HistogramId::kRequestDuration, 0, duration, {trace_id, now});
  // Told once the last attempt was over, by one that would have been next.
  if (!retry_denied_.empty() && !record_.attempts.empty()) record_.attempts.back().retry_denied = retry_denied_;
  if (!move_denied_.empty() && !record_.attempts.empty()) record_.attempts.back().move_denied = move_denied_;
  const bool went_wrong = WentWrong(status);
  const bool is_shown = went_wrong && worker_.TakesTrouble(!record_.attempts.empty());
  if (!worker_.access && !is_shown) return;

  if (went_wrong || !record_.retry_denied.empty() || status >= 400) {
    record_.decided = observe::Decided(worker_.policy(), worker_.gateway.compiled->places, worker_.gateway.common->breakers, record_, status);
  }
  const AccessLogContext context{worker_,
                                 request_.head,
                                 request_.path,
                                 request_.request_id,
                                 {trace_id.data(), trace_id.size()},
                                 request_.client_ip,
                                 now};
  if (worker_.access) worker_.access->Write(context, record_, status, duration);
  if (is_shown) worker_.troubles.Write(context, record_, status, duration);
}

// Its client got less than it asked for, or nearly did.
bool ExchangeRecorder::WentWrong(int status) const {
  return !record_.fallback.empty() || status >= 500 || record_.how == observe::EndedHow::kCut || record_.attempts.size() > 1;
}

}  // namespace runtime::proxy
