// One JSON line for each request: enough to say afterwards what was tried, what answered and why. Never bodies or secrets.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/settings.h"
#include "runtime/base/time.h"
#include "runtime/engine/outcome.h"
#include "runtime/http/message.h"
#include "runtime/net/transport.h"
#include "runtime/proxy/line_log.h"
#include "runtime/proxy/wall_clock.h"

namespace runtime::proxy {

struct AttemptRecord {
  compiler::model::UpstreamId upstream;
  int number = 1;
  engine::Outcome outcome;
  base::Duration took{};
};

enum class EndedHow : uint8_t { kComplete, kContinued, kCut, kClientGone };

// What an answer of a model used, as the upstream that ended it counted it. kNoCount: it didn't.
struct TokenRecord {
  static constexpr int64_t kNoCount = -1;
  std::string model;  // as the upstream names it
  int64_t prompt = kNoCount;
  int64_t completion = kNoCount;
  int64_t frames = 0;  // with content: all that is known of an answer that was cut
  bool has_answer = false;
};
std::string_view Name(EndedHow how);

struct ExchangeRecord {
  std::string_view route = "none";
  std::string served_by = "gateway";
  std::string fallback;                 // its name; empty: none
  std::string fallback_reason;
  std::vector<AttemptRecord> attempts;
  base::Duration queued{};              // waited for places at upstreams, in all
  base::Duration loading{};             // waited for models to be loaded, in all
  std::string_view retry_denied;        // the last reason; empty: none
  int status = 0;                       // sent to the client; 0: none
  uint64_t bytes_in = 0;                // of the request's body
  uint64_t bytes_out = 0;               // to the client, heads included
  TokenRecord tokens;
  int keep_alives = 0;                  // sent while the client waited
  int continuations = 0;                // times that another upstream took a cut answer over
  EndedHow how = EndedHow::kComplete;
};

struct WorkerContext;

struct AccessLogContext {
  const WorkerContext& worker;
  const http::RequestHead& head;
  std::string_view path;
  std::string_view request_id;
  std::string_view client_ip;
};

// One worker's access log. Its lines go out when a chunk of them is full, or kMaxWait after the first of them.
class AccessLog {
 public:
  static constexpr base::Duration kMaxWait = std::chrono::milliseconds(100);

  // Both must outlive it.
  AccessLog(LineLog& log, net::Transport& transport);

  // `duration`: of the exchange. `record` holds nothing that the line borrows later.
  void Write(const AccessLogContext& context, const ExchangeRecord& record, int status, base::Duration duration);

 private:
  net::Transport& transport_;
  LogLane lane_;
  Rfc3339Clock clock_;
  std::unique_ptr<net::Timer> timer_;
  bool timer_is_set_ = false;
};

}  // namespace runtime::proxy
