// What an exchange leaves behind for people: event lines, metrics, its line of the access log.
#include <utility>

#include "compiler/abi/fact_table.h"
#include "runtime/proxy/exchange.h"

namespace runtime::proxy {
namespace {

std::string OutcomeText(const engine::Outcome& outcome) {
  if (outcome.error != ErrorKind::kNone) return std::string(compiler::abi::Name(outcome.error));
  return std::to_string(outcome.status);
}

}  // namespace

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
  worker_.NoteBreaker(command.upstream, command.transition, request_.request_id);
}

void Exchange::On(const engine::NoteRejected& command) {
  worker_.metrics.Count(CounterId::kBreakerRejected, static_cast<size_t>(command.upstream.value));
}

void Exchange::CountTokens() {
  if (!reader_ || record_.attempts.empty() || record_.status >= 300 || !record_.fallback.empty()) return;
  const TokenRecord& tokens = record_.tokens;
  const compiler::model::UpstreamId id = record_.attempts.back().upstream;
  const std::string upstream = worker_.policy().upstreams[id].name + std::string(1, '\0');
  const auto count = [&](std::string_view kind, int64_t amount) {
    if (amount > 0) {
      worker_.metrics.CountBy(CounterById::kTokens, upstream + std::string(kind), static_cast<uint64_t>(amount));
    }
  };
  count("prompt", tokens.prompt);
  count("completion", tokens.completion);
  if (tokens.completion < 0) count("uncounted", tokens.frames);
  const bool is_complete = record_.how == EndedHow::kComplete || record_.how == EndedHow::kContinued;
  if (is_complete && !tokens.has_answer && answer_api_ != dialect::Api::kPlain) {
    worker_.metrics.Count(CounterId::kEmptyAnswer, static_cast<size_t>(id.value));
  }
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
  if (record_.how == EndedHow::kComplete && record_.continuations > 0) record_.how = EndedHow::kContinued;
  CountTokens();
  worker_.metrics.CountBy(CounterById::kStreamEnd, Name(record_.how));
  worker_.metrics.Observe(HistogramId::kRequestDuration, 0, duration);
  if (!worker_.access) return;

  const AccessLogContext context{worker_, request_.head, request_.path, request_.request_id, request_.client_ip};
  worker_.access->Write(context, record_, status, duration);
}

}  // namespace runtime::proxy
