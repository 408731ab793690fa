// Keeps the record of one exchange: counts what happens as it happens, and at the end writes the line of the access log and the
// metrics that are made of the whole record. The only place from which an exchange counts or logs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "compiler/model/settings.h"
#include "base/time.h"
#include "runtime/engine/exchange_events.h"
#include "runtime/http/forwarding.h"
#include "runtime/net/transport.h"
#include "runtime/proxy/exchange_host.h"
#include "runtime/observe/exchange_record.h"
#include "runtime/observe/trace_context.h"

namespace runtime::proxy {

struct WorkerContext;

class ExchangeRecorder {
 public:
  // Both outlive it.
  ExchangeRecorder(WorkerContext& worker, const ExchangeRequest& request) : worker_(worker), request_(request) {}

  observe::ExchangeRecord& record() { return record_; }
  const observe::ExchangeRecord& record() const { return record_; }

  // The machine is about to be told this, at this moment: what it says then was decided now.
  void Tells(const engine::Event& event, base::TimePoint now);

  // What the machine tells.
  void Record(const engine::RecordRetry& command);
  void Record(const engine::RecordRetryDenied& command);
  void Record(const engine::RecordMoveDenied& command);
  void Record(const engine::RecordAttemptEnded& command);
  void Record(const engine::RecordBreaker& command);
  void Record(const engine::RecordRejected& command);
  void Record(const engine::RecordQueued& command);
  void Record(const engine::RecordLoadWait& command);

  // What the driver sees.
  void AttemptStarted(engine::UpstreamId id, int number, bool is_reconnect, bool takes_over);
  void ConnectsTo(engine::UpstreamId id, const net::Address& address);
  void FailsBecause(std::string_view detail) { detail_.assign(detail.substr(0, kMostDetail)); }  // the attempt, in somebody's own words
  void FirstContent(engine::UpstreamId id, base::Duration took, bool is_of_model);  // it answers from here on
  void Continued(engine::UpstreamId id);                          // … an answer that another one began
  void Token(engine::UpstreamId id, base::TimePoint now);         // a frame with content
  void KeepAlive();
  void BadRequest(std::string_view reason);
  void DroppedHeaders(const http::DroppedHeaders& dropped);
  void NotStored(std::string_view reason);
  void Fallback(std::string_view name, std::string_view reason, size_t metric_index);
  void CacheHit(compiler::model::CacheId id);
  void LateFailure(std::string_view reason);  // nothing more is to come of an answer whose head went out early

  // Client SDKs would multiply attempts that were already made, here or at the next upstream.
  bool RetriesAreSpent() const {
    return attempts_started_ > 1 || !record_.retry_denied.empty() || record_.fallback_reason == "breaker_open";
  }

  static constexpr size_t kMostDetail = 200;

  // Once, when the exchange is over and the record complete.
  void Write();

 private:
  void CountTokens();
  bool WentWrong(int status) const;

  WorkerContext& worker_;
  const ExchangeRequest& request_;
  observe::ExchangeRecord record_;
  int attempts_started_ = 0;  // reconnects not counted
  const observe::TraceIdText& TraceId();
  std::optional<observe::TraceIdText> trace_id_;
  std::optional<base::TimePoint> last_token_;  // of this attempt's stream
  base::TimePoint now_;                        // of the event that the machine was told last
  bool ends_attempt_ = false;                  // that event is why an attempt under way is given up
  bool is_of_upstream_ = false;                // what the client gets is an upstream's
  // Of the attempt under way, until its end is told.
  std::optional<base::TimePoint> head_at_;
  std::optional<base::TimePoint> content_at_;
  std::optional<base::Duration> retry_after_;
  std::string address_;
  std::string detail_;
  std::string_view retry_denied_;
  std::string_view move_denied_;
};

}  // namespace runtime::proxy
