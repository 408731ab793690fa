#include "runtime/proxy/access_log.h"

#include <cstdio>
#include <cstring>
#include <utility>

#include "base/short_text.h"
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

// One JSON object, put straight into the lane. Where it stands is kept here until Finish, so that it stays in a register.
class LaneObject {
 public:
  explicit LaneObject(observe::LogLane& lane) : lane_(lane), at_(lane.Room(0)), end_(lane.end()) {}

  template <MemberName kName>
  [[gnu::always_inline]] void Add(std::string_view value) {
    char* const at = Begin<kName>(observe::JsonStringRoom(value.size()));
    at_ = observe::PutJsonString(value, at);
  }
  // `value` holds nothing that JSON escapes.
  template <MemberName kName>
  [[gnu::always_inline]] void AddPlain(std::string_view value) {
    char* at = Begin<kName>(value.size() + 2);
    *at++ = '"';
    at = base::CopyText(at, value);
    *at++ = '"';
    at_ = at;
  }
  template <MemberName kName>
  [[gnu::always_inline]] void Add(int64_t value) {
    char* const at = Begin<kName>(observe::kNumberRoom);
    at_ = observe::PutInteger(value, at);
  }
  template <MemberName kName>
  [[gnu::always_inline]] void AddMillis(base::Duration value) {
    char* const at = Begin<kName>(observe::kNumberRoom);
    at_ = PutTime(value.count(), at);
  }
  template <MemberName kName>
  [[gnu::always_inline]] void Open() {  // its value is Put
    at_ = Begin<kName>(0);
  }
  [[gnu::always_inline]] void Put(char c) {
    if (at_ == end_) Grow(1);
    *at_++ = c;
  }
  // What `write` puts: by it where `part` holds something else, else as it was then.
  template <typename Write>
  [[gnu::always_inline]] void Share(LineParts::Part& part, const LineParts::Key& key, Write&& write) {
    if (part.key == key) [[likely]] {
      if (static_cast<size_t>(end_ - at_) < part.text.size()) Grow(part.text.size());
      at_ = base::CopyText(at_, part.text);
      return;
    }
    const auto begin = at_ - lane_.line();
    write();
    part.key = key;
    part.text.assign(lane_.line() + begin, at_);
  }
  // What comes next is the first member of an object.
  void OpenObject() { is_first_ = true; }
  // Nothing follows.
  void Finish() { lane_.MoveTo(at_); }

 private:
  template <MemberName kName>
  [[gnu::always_inline]] char* Begin(size_t value_room) {
    const size_t room = sizeof kName.text + value_room;
    if (static_cast<size_t>(end_ - at_) < room) Grow(room);
    char* const at = at_;
    std::memcpy(at, kName.text, sizeof kName.text);
    if (std::exchange(is_first_, false)) *at = '{';
    return at + sizeof kName.text;
  }
  // Several of the times of a line are mostly the same.
  [[gnu::always_inline]] char* PutTime(int64_t nanoseconds, char* at) {
    if (nanoseconds != last_time_) {
      last_time_ = nanoseconds;
      char* const end = observe::PutMillis(nanoseconds, at);
      last_size_ = static_cast<size_t>(end - at);
      std::memcpy(last_text_, at, sizeof last_text_);
      return end;
    }
    std::memcpy(at, last_text_, sizeof last_text_);
    return at + last_size_;
  }
  [[gnu::always_inline]] void Grow(size_t room) {
    const Rest rest = More(lane_, at_, room);
    at_ = rest.at;
    end_ = rest.end;
  }
  struct Rest {
    char* at;
    char* end;
  };
  [[gnu::noinline]] static Rest More(observe::LogLane& lane, char* at, size_t room) {
    lane.MoveTo(at);
    char* const moved = lane.Room(room);
    return {moved, lane.end()};
  }

  observe::LogLane& lane_;
  char* at_;
  char* end_;
  bool is_first_ = true;
  int64_t last_time_ = -1;  // no time of a line is
  size_t last_size_ = 0;
  char last_text_[observe::kNumberRoom];
};

// In the place of a route, for parts that name none.
constexpr char kAttempt = 'a';
constexpr char kEnd = 'e';

// Of the key of a part. Numbers of attempts are small.
int64_t Numbers(compiler::model::UpstreamId upstream, int number, int status) {
  return (int64_t{upstream.value} + 1) << 32 | static_cast<int64_t>(number) << 16 | status;
}

// A name that somebody else chose.
std::string_view Shortened(std::string_view name) {
  constexpr size_t kMost = 200;
  return name.substr(0, kMost);
}

// Nothing in it moves the cursor of a terminal, changes its colours or begins another line.
void AppendForPeople(std::string_view text, std::string* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool is_c1 = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;  // U+0080 … U+009F
    if (c >= 0x20 && c != 0x7f && !is_c1) {
      out->push_back(text[i]);
      continue;
    }
    out->append("\\x").push_back(kDigits[c >> 4]);
    out->push_back(kDigits[c & 0xf]);
  }
}

// 0.412 ms, 87 ms, 1.5 s
std::string ForPeople(base::Duration time) {
  const double ms = static_cast<double>(time.count()) / 1e6;
  char text[32];
  if (ms < 10) {
    std::snprintf(text, sizeof text, "%.3g ms", ms);
  } else if (ms < 1000) {
    std::snprintf(text, sizeof text, "%.0f ms", ms);
  } else {
    std::snprintf(text, sizeof text, "%.4g s", ms / 1000);
  }
  return text;
}

}  // namespace

AccessLog::AccessLog(observe::LineLog& log, net::Transport& transport)
    : transport_(transport), is_for_people_(log.is_for_people()), lane_(log), timer_(transport.NewTimer([this] {
        timer_is_set_ = false;
        lane_.HandOver();
      })) {}

void AccessLog::WriteJson(const AccessLogContext& context, const observe::ExchangeRecord& record, int status, base::Duration duration) {
  WorkerContext& worker = context.worker;
  const auto& upstreams = worker.policy().upstreams;
  const auto last_upstream = record.last_upstream();
  LaneObject line(lane_);
  const auto share = [&](const LineParts::Key& key, auto&& write) {
    line.Share(worker.line_parts.At(key), key, write);
  };
  line.AddPlain<"time">(clock_.Micros(context.time));
  line.AddPlain<"request_id">(context.request_id);
  line.AddPlain<"trace_id">(context.trace_id);
  line.AddPlain<"client">(context.client_ip);
  line.AddPlain<"method">(context.head.method_text);  // a token
  line.Add<"path">(context.path);
  share({record.route.data(), record.served_by.data(), Numbers(last_upstream, 0, status)}, [&] {
    line.Add<"status">(status);
    line.AddPlain<"route">(record.route);  // names of the policy are plain
    line.AddPlain<"served_by">(record.served_by);
    if (last_upstream.has_value()) line.AddPlain<"upstream">(upstreams[last_upstream].name);
    line.Open<"attempts">();
    line.Put('[');
  });
  for (size_t i = 0; i < record.attempts.size(); ++i) {
    const observe::AttemptRecord& attempt = record.attempts[i];
    if (i > 0) line.Put(',');
    const auto begin = [&] {
      line.OpenObject();
      line.AddPlain<"upstream">(upstreams[attempt.upstream].name);
      line.Add<"number">(attempt.number);
      if (!attempt.address.empty()) line.AddPlain<"address">(attempt.address);
      if (attempt.outcome.status != 0) line.Add<"status">(attempt.outcome.status);
    };
    if (attempt.address.empty())
      share({&kAttempt, nullptr, Numbers(attempt.upstream, attempt.number, attempt.outcome.status)}, begin);
    else begin();
    if (attempt.outcome.error != compiler::abi::ErrorKind::kNone) {
      line.AddPlain<"error">(compiler::abi::Name(attempt.outcome.error));
    } else if (attempt.is_cancelled) {
      line.AddPlain<"error">("cancelled");
    }
    if (!attempt.tls_reason.empty()) line.AddPlain<"tls_reason">(attempt.tls_reason);
    if (attempt.outcome.told_status != 0) line.Add<"told_status">(attempt.outcome.told_status);
    if (!attempt.detail.empty()) line.Add<"detail">(attempt.detail);
    if (attempt.outcome_class != engine::OutcomeClass::kSuccess) line.AddPlain<"class">(engine::Name(attempt.outcome_class));
    line.AddMillis<"at_ms">(attempt.began);
    if (attempt.head) line.AddMillis<"head_ms">(*attempt.head);
    if (attempt.content) line.AddMillis<"first_token_ms">(*attempt.content);
    line.AddMillis<"ms">(attempt.took);
    if (attempt.retry_after) line.AddMillis<"retry_after_ms">(*attempt.retry_after);
    if (attempt.retry_wait) line.AddMillis<"retry_ms">(*attempt.retry_wait);
    if (!attempt.retry_denied.empty()) line.AddPlain<"retry_denied">(attempt.retry_denied);
    if (!attempt.move_denied.empty()) line.AddPlain<"move_denied">(attempt.move_denied);
    line.Put('}');
  }
  line.Put(']');
  if (record.queued > base::Duration::zero()) line.AddMillis<"queued_ms">(record.queued);
  if (record.loading > base::Duration::zero()) line.AddMillis<"load_ms">(record.loading);
  if (!record.retry_denied.empty()) line.AddPlain<"retry_denied">(record.retry_denied);
  if (!record.fallback.empty()) line.Add<"fallback">(record.fallback);
  if (!record.fallback_reason.empty()) line.Add<"fallback_reason">(record.fallback_reason);
  if (!record.decided.empty()) line.Add<"decided">(record.decided);
  const observe::TokenRecord& tokens = record.tokens;
  if (!record.model.empty()) line.Add<"model">(Shortened(record.model));
  if (!tokens.model.empty()) line.Add<"model_answered">(Shortened(tokens.model));
  if (record.content) line.AddMillis<"first_token_ms">(*record.content);
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
  share({&kEnd, nullptr, static_cast<int64_t>(record.how)}, [&] {
    line.AddPlain<"how">(Name(record.how));
    line.Add<"worker">(worker.index);
    line.AddPlain<"policy">(worker.gateway.compiled->hash);
    line.Put('}');
  });
  line.Finish();
  lane_.EndLine();
}

// 17:12:03.123  503  POST /api/chat  1.502 s  sorry, because of refused (chat.policy:31)  ollama: refused 0.4 ms, refused 0.5 ms  id …
void AccessLog::WriteText(const AccessLogContext& context, const observe::ExchangeRecord& record, int status, base::Duration duration) {
  const auto& upstreams = context.worker.policy().upstreams;
  const std::string_view time = clock_.Millis(context.time);
  std::string line(time.substr(11, 12));  // of 2026-01-28T09:45:22.123Z
  line.append("  ").append(std::to_string(status)).append("  ");
  AppendForPeople(context.head.method_text, &line);
  line.append(" ");
  AppendForPeople(context.path, &line);
  line.append("  ").append(ForPeople(duration)).append("  ");
  AppendForPeople(record.served_by, &line);
  if (!record.fallback_reason.empty()) line.append(", because of ").append(record.fallback_reason);
  if (!record.decided.empty()) {
    line.append(" (");
    AppendForPeople(record.decided, &line);
    line.append(")");
  }
  if (record.how != observe::EndedHow::kComplete && record.how != observe::EndedHow::kOwn)
    line.append(", ").append(Name(record.how));
  // An attempt that answered at once says no more than the line does already.
  const bool is_plain = record.attempts.size() == 1 && record.attempts.front().outcome.error == compiler::abi::ErrorKind::kNone &&
                        record.attempts.front().outcome.status == status;
  for (size_t i = 0; i < record.attempts.size() && !is_plain; ++i) {
    const observe::AttemptRecord& attempt = record.attempts[i];
    const bool is_same = i > 0 && record.attempts[i - 1].upstream == attempt.upstream;
    line.append(is_same ? ", " : "  ").append(is_same ? "" : upstreams[attempt.upstream].name + ": ");
    if (attempt.outcome.status != 0) line.append(std::to_string(attempt.outcome.status)).append(" ");
    if (attempt.outcome.error != compiler::abi::ErrorKind::kNone) line.append(compiler::abi::Name(attempt.outcome.error)).append(" ");
    if (attempt.is_cancelled) line.append("cancelled ");
    line.append("after ").append(ForPeople(attempt.took));
    if (attempt.detail.empty()) continue;
    line.append(" (");
    AppendForPeople(attempt.detail, &line);
    line.append(")");
  }
  if (!record.retry_denied.empty()) line.append("  no retry: ").append(record.retry_denied);
  line.append("  id ").append(context.request_id);
  char* const at = lane_.Room(line.size());
  std::memcpy(at, line.data(), line.size());
  lane_.MoveTo(at + line.size());
  lane_.EndLine();
}

void AccessLog::Write(const AccessLogContext& context, const observe::ExchangeRecord& record, int status, base::Duration duration) {
  if (is_for_people_) WriteText(context, record, status, duration);
  else WriteJson(context, record, status, duration);
  if (lane_.is_waiting() && !std::exchange(timer_is_set_, true)) timer_->Set(transport_.Now() + kMaxWait);
}

}  // namespace runtime::proxy
