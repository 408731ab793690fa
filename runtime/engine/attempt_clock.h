// The time limits of one attempt: connect, first_token, idle and total, and which of them strikes next.
#pragma once

#include <chrono>
#include <optional>

#include "compiler/model/settings.h"
#include "runtime/base/time.h"
#include "runtime/engine/outcome.h"

namespace runtime::engine {

struct AttemptClock {
  base::TimePoint started;  // of the attempt; a reconnect after a reuse race doesn't move it
  base::TimePoint connecting_since;
  bool connected = false;
  std::optional<base::TimePoint> content_at;
  std::optional<base::TimePoint> progress_at;  // the head, then each step of the answer
  std::optional<base::TimePoint> complete_at;  // the answer has all its content; what came last after that

  // How long a server may take to end what is complete: its usage, and the end of its HTTP message.
  static constexpr base::Duration kEndTime = std::chrono::seconds(1);

  struct Limit {
    base::TimePoint at;
    ErrorKind error{};
  };
  // connect runs until the connection stands. first_token, where set and the client reads a stream, from the start to
  // the first content; without it the answer's silence is measured by idle from the head on, with it from the first
  // content on. total runs always. A complete answer has kEndTime to end, with no error.
  Limit Next(const compiler::model::Timeouts& timeouts, bool wants_stream) const {
    Limit next{started + timeouts.total, ErrorKind::k_attempt_timeout};
    const auto consider = [&next](base::TimePoint at, ErrorKind error) {
      if (at <= next.at) next = {at, error};
    };
    if (complete_at) {
      consider(*complete_at + kEndTime, ErrorKind::kNone);
      return next;
    }
    if (!connected) consider(connecting_since + timeouts.connect, ErrorKind::k_connect_timeout);
    if (wants_stream && timeouts.first_token && !content_at) {
      consider(started + *timeouts.first_token, ErrorKind::k_first_token_timeout);
    } else if (progress_at) {
      consider(*progress_at + timeouts.idle, ErrorKind::k_idle_timeout);
    }
    return next;
  }
};

}  // namespace runtime::engine
