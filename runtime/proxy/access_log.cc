#include "runtime/proxy/access_log.h"

#include <cstring>
#include <utility>

#include "compiler/abi/fact_table.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {
namespace {

// `,"name":`, made when the gateway is compiled.
template <size_t kSize>
struct MemberName {
  constexpr MemberName(const char (&name)[kSize]) {  // NOLINT(google-explicit-constructor): a template argument
    text[0] = ',';
    text[1] = '"';
    for (size_t i = 0; i + 1 < kSize; ++i) text[i + 2] = name[i];
    text[kSize + 1] = '"';
    text[kSize + 2] = ':';
  }
  char text[kSize + 3] = {};
};

// One JSON object, put straight into the lane.
class LaneObject {
 public:
  explicit LaneObject(observe::LogLane& lane) : lane_(lane) {}

  template <MemberName kName>
  void Add(std::string_view value) {
    char* const at = Begin<kName>(observe::JsonStringRoom(value.size()));
    lane_.MoveTo(observe::PutJsonString(value, at));
  }
  // `value` holds nothing that JSON escapes.
  template <MemberName kName>
  void AddPlain(std::string_view value) {
    char* at = Begin<kName>(value.size() + 2);
    *at++ = '"';
    std::memcpy(at, value.data(), value.size());
    at += value.size();
    *at++ = '"';
    lane_.MoveTo(at);
  }
  template <MemberName kName>
  void Add(int64_t value) {
    char* const at = Begin<kName>(observe::kNumberRoom);
    lane_.MoveTo(observe::PutInteger(value, at));
  }
  template <MemberName kName>
  void AddMillis(base::Duration value) {
    char* const at = Begin<kName>(observe::kNumberRoom);
    lane_.MoveTo(observe::PutMillis(value.count(), at));
  }
  template <MemberName kName>
  void Open() {  // its value is Put
    lane_.MoveTo(Begin<kName>(0));
  }
  void Put(char c) {
    char* const at = lane_.Room(1);
    *at = c;
    lane_.MoveTo(at + 1);
  }
  // What comes next is the first member of an object.
  void OpenObject() { is_first_ = true; }

 private:
  template <MemberName kName>
  char* Begin(size_t value_room) {
    char* const at = lane_.Room(sizeof kName.text + value_room);
    std::memcpy(at, kName.text, sizeof kName.text);
    if (std::exchange(is_first_, false)) *at = '{';
    return at + sizeof kName.text;
  }

  observe::LogLane& lane_;
  bool is_first_ = true;
};

}  // namespace

AccessLog::AccessLog(observe::LineLog& log, net::Transport& transport)
    : transport_(transport), lane_(log), timer_(transport.NewTimer([this] {
        timer_is_set_ = false;
        lane_.HandOver();
      })) {}

void AccessLog::Write(const AccessLogContext& context, const observe::ExchangeRecord& record, int status,
                      base::Duration duration) {
  const WorkerContext& worker = context.worker;
  const auto& upstreams = worker.policy().upstreams;
  LaneObject line(lane_);
  line.AddPlain<"time">(clock_.Millis(transport_.WallNow()));
  line.AddPlain<"request_id">(context.request_id);
  line.Add<"client">(context.client_ip);
  line.Add<"method">(context.head.method_text);
  line.Add<"path">(context.path);
  line.Add<"status">(status);
  line.Add<"route">(record.route);
  line.Add<"served_by">(record.served_by);
  if (!record.attempts.empty()) line.Add<"upstream">(upstreams[record.attempts.back().upstream].name);
  line.Open<"attempts">();
  line.Put('[');
  for (size_t i = 0; i < record.attempts.size(); ++i) {
    const observe::AttemptRecord& attempt = record.attempts[i];
    if (i > 0) line.Put(',');
    line.OpenObject();
    line.Add<"upstream">(upstreams[attempt.upstream].name);
    line.Add<"number">(attempt.number);
    if (attempt.outcome.status != 0) line.Add<"status">(attempt.outcome.status);
    if (attempt.outcome.error != compiler::abi::ErrorKind::kNone) {
      line.AddPlain<"error">(compiler::abi::Name(attempt.outcome.error));
    }
    if (!attempt.tls_reason.empty()) line.AddPlain<"tls_reason">(attempt.tls_reason);
    line.AddMillis<"ms">(attempt.took);
    line.Put('}');
  }
  line.Put(']');
  if (record.queued > base::Duration::zero()) line.AddMillis<"queued_ms">(record.queued);
  if (record.loading > base::Duration::zero()) line.AddMillis<"load_ms">(record.loading);
  if (!record.retry_denied.empty()) line.Add<"retry_denied">(record.retry_denied);
  if (!record.fallback.empty()) line.Add<"fallback">(record.fallback);
  if (!record.fallback_reason.empty()) line.Add<"fallback_reason">(record.fallback_reason);
  const observe::TokenRecord& tokens = record.tokens;
  if (!tokens.model.empty()) line.Add<"model">(tokens.model);
  if (tokens.prompt >= 0) line.Add<"prompt_tokens">(tokens.prompt);
  if (tokens.completion >= 0) {
    line.Add<"completion_tokens">(tokens.completion);
  } else if (tokens.frames > 0) {
    line.Add<"uncounted_tokens">(tokens.frames);
  }
  if (record.keep_alives > 0) line.Add<"keep_alives">(record.keep_alives);
  if (record.continuations > 0) line.Add<"continuations">(record.continuations);
  line.Add<"bytes_in">(static_cast<int64_t>(record.bytes_in));
  line.Add<"bytes_out">(static_cast<int64_t>(record.bytes_out));
  line.AddMillis<"duration_ms">(duration);
  line.AddPlain<"how">(Name(record.how));
  line.Add<"worker">(worker.index);
  line.AddPlain<"policy">(worker.gateway.compiled->hash);
  line.Put('}');
  lane_.EndLine();
  if (lane_.is_waiting() && !std::exchange(timer_is_set_, true)) timer_->Set(transport_.Now() + kMaxWait);
}

}  // namespace runtime::proxy
