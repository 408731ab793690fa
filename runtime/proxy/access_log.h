// One line for each request: enough to say afterwards what was tried, what answered and why. As JSON, from which every decision can be
// computed again, or for people at a terminal. Never bodies or secrets.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
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

// Parts of lines that many lines share, as they were written at first. They are found by where the policy's names stand: a table lives no
// longer than the generation of the policy that the lines name.
class LineParts {
 public:
  struct Key {
    const void* route = nullptr;
    const void* served_by = nullptr;
    int64_t numbers = -1;  // none is below zero
    bool operator==(const Key&) const = default;
  };
  struct Part {
    Key key;
    std::string text;
  };
  // The one place for parts with this key; another one's may stand there.
  Part& At(const Key& key) {
    uint64_t hash = reinterpret_cast<uintptr_t>(key.route) ^ reinterpret_cast<uintptr_t>(key.served_by) << 7 ^
                    static_cast<uint64_t>(key.numbers);
    return parts_[(hash * 0x9e3779b97f4a7c15) >> (64 - kBits)];
  }

 private:
  static constexpr size_t kBits = 6;
  std::array<Part, size_t{1} << kBits> parts_;
};

struct AccessLogContext {
  WorkerContext& worker;
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
