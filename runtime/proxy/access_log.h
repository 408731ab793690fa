// One line for each request: enough to say afterwards what was tried, what answered and why. As JSON, from which every decision can be
// computed again, or for people at a terminal. Never bodies or secrets.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"
#include "runtime/http/message.h"
#include "runtime/net/transport.h"
#include "runtime/observe/exchange_record.h"
#include "runtime/observe/line_log.h"
#include "runtime/observe/wall_clock.h"

namespace runtime::proxy {

struct WorkerContext;

struct AccessLogContext {
  const WorkerContext& worker;
  const http::RequestHead& head;
  std::string_view path;
  std::string_view request_id;
  std::string_view trace_id;
  std::string_view client_ip;
  base::WallTime time;  // of its end
};

// One worker's access log. Its lines go out when a chunk of them is full, or kMaxWait after the first of them.
class AccessLog {
 public:
  static constexpr base::Duration kMaxWait = std::chrono::milliseconds(100);

  // Both must outlive it.
  AccessLog(observe::LineLog& log, net::Transport& transport);

  // `duration`: of the exchange. `record` holds nothing that the line borrows later.
  void Write(const AccessLogContext& context, const observe::ExchangeRecord& record, int status, base::Duration duration);

 private:
  void WriteJson(const AccessLogContext& context, const observe::ExchangeRecord& record, int status, base::Duration duration);
  void WriteText(const AccessLogContext& context, const observe::ExchangeRecord& record, int status, base::Duration duration);

  net::Transport& transport_;
  const bool is_for_people_;
  observe::LogLane lane_;
  observe::Rfc3339Clock clock_;
  std::unique_ptr<net::Timer> timer_;
  bool timer_is_set_ = false;
};

}  // namespace runtime::proxy
