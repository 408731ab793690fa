#include "runtime/proxy/access_log.h"

#include "compiler/abi/fact_table.h"
#include "runtime/proxy/line_log.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {

std::string_view Name(EndedHow how) {
  switch (how) {
    case EndedHow::kComplete: return "complete";
    case EndedHow::kContinued: return "continued";
    case EndedHow::kCut: return "cut";
    case EndedHow::kClientGone: return "client_gone";
  }
  return "";
}

std::string AccessLogLine(const AccessLogContext& context, const ExchangeRecord& record, int status,
                          base::Duration duration) {
  const WorkerContext& worker = context.worker;
  std::string attempts = "[";
  for (const AttemptRecord& attempt : record.attempts) {
    JsonLine item;
    item.Add("upstream", worker.policy().upstreams[attempt.upstream].name)
        .Add("number", static_cast<int64_t>(attempt.number));
    if (attempt.outcome.status != 0) item.Add("status", static_cast<int64_t>(attempt.outcome.status));
    if (attempt.outcome.error != compiler::abi::ErrorKind::kNone) {
      item.Add("error", compiler::abi::Name(attempt.outcome.error));
    }
    item.AddMillis("ms", attempt.took.count());
    if (attempts.size() > 1) attempts.push_back(',');
    attempts += item.Finish();
  }
  attempts.push_back(']');

  JsonLine line;
  line.Add("time", Rfc3339Millis(worker.transport.WallNow()))
      .Add("request_id", context.request_id)
      .Add("client", context.client_ip)
      .Add("method", context.head.method_text)
      .Add("path", context.path)
      .Add("status", static_cast<int64_t>(status))
      .Add("route", record.route)
      .Add("served_by", record.served_by);
  const auto* upstream = record.attempts.empty() ? nullptr : &worker.policy().upstreams[record.attempts.back().upstream];
  if (upstream != nullptr) line.Add("upstream", upstream->name);
  line.AddRaw("attempts", attempts);
  if (record.queued > base::Duration::zero()) line.AddMillis("queued_ms", record.queued.count());
  if (record.loading > base::Duration::zero()) line.AddMillis("load_ms", record.loading.count());
  if (!record.retry_denied.empty()) line.Add("retry_denied", record.retry_denied);
  if (!record.fallback.empty()) line.Add("fallback", record.fallback);
  if (!record.fallback_reason.empty()) line.Add("fallback_reason", record.fallback_reason);
  const TokenRecord& tokens = record.tokens;
  if (!tokens.model.empty()) line.Add("model", tokens.model);
  if (tokens.prompt >= 0) line.Add("prompt_tokens", tokens.prompt);
  if (tokens.completion >= 0) {
    line.Add("completion_tokens", tokens.completion);
  } else if (tokens.frames > 0) {
    line.Add("uncounted_tokens", tokens.frames);
  }
  if (record.keep_alives > 0) line.Add("keep_alives", static_cast<int64_t>(record.keep_alives));
  if (record.continuations > 0) line.Add("continuations", static_cast<int64_t>(record.continuations));
  line.Add("bytes_in", static_cast<int64_t>(record.bytes_in))
      .Add("bytes_out", static_cast<int64_t>(record.bytes_out))
      .AddMillis("duration_ms", duration.count())
      .Add("how", Name(record.how))
      .Add("worker", static_cast<int64_t>(worker.index))
      .Add("policy", worker.gateway.compiled->hash);
  return line.Finish();
}

}  // namespace runtime::proxy
