// The time limits of one attempt – connect, first_token, attempt_timeout, idle, stall, total – and which of them strikes next.
//
// They bound what the upstream does with the time that it has: while the client is waited for, for more of its request or to read,
// they stand still (the client's own limits bound that).
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "compiler/model/settings.h"
#include "base/time.h"
#include "runtime/engine/outcome.h"

namespace runtime::engine {

class AttemptClock {
 public:
  // How long the end of an answer that has all its content is waited for, whatever `idle` says.
  static constexpr base::Duration kLongestEnd = std::chrono::seconds(30);

  void Start(base::TimePoint now) { started_ = connecting_since_ = now; }
  // A reconnect after a reuse race doesn't begin the attempt anew, nor the time for a connection.
  void Reconnect(base::TimePoint now) {
    connected_ = false;
    connecting_since_ = now - own_time(now);
  }
  void ObserveConnected() { connected_ = true; }
  // The head is here. is_stream: behind its first content only a written total bounds it.
  void ObserveHead(base::TimePoint now, bool is_stream) {
    connected_ = true;
    is_stream_ = is_stream;
    byte_at_ = now;
  }
  // Bytes of the answer, whatever they say. What is no stream and was begun has no other content.
  void ObserveBytes(base::TimePoint now, bool is_begun) {
    byte_at_ = now;
    if (is_stream_ || !is_begun) return;
    ObserveContent(now);
  }
  void ObserveStream() { is_stream_ = true; }
  void ObserveContent(base::TimePoint now) {
    if (!first_content_at_) first_content_at_ = now;
    content_at_ = byte_at_ = now;
  }
  // It has all its content; more content takes that back.
  void ObserveComplete(bool is_complete) { is_complete_ = is_complete; }

  // The client is waited for from now on, or isn't any more.
  void WaitForClient(bool waits, base::TimePoint now) {
    if (waits == waits_since_.has_value()) return;
    if (waits) {
      waits_since_ = now;
      return;
    }
    const base::TimePoint since = *std::exchange(waits_since_, std::nullopt);
    client_time_ += now - since;
    for (std::optional<base::TimePoint>* at : {&byte_at_, &content_at_}) {
      if (*at) **at += now - std::max(**at, since);
    }
  }

  bool waits_for_client() const { return waits_since_.has_value(); }
  bool has_content() const { return first_content_at_.has_value(); }
  bool is_complete() const { return is_complete_; }
  bool is_stream() const { return is_stream_; }
  base::TimePoint started() const { return started_; }
  base::Duration client_time(base::TimePoint now) const {
    return client_time_ + (waits_since_ ? now - *waits_since_ : base::Duration::zero());
  }
  // How much of the time since its start was the upstream's.
  base::Duration own_time(base::TimePoint now) const { return now - started_ - client_time(now); }

  struct Limit {
    base::TimePoint at = base::TimePoint::max();
    ErrorKind error = ErrorKind::kNone;
    bool cuts_what_flows = false;  // total, of an answer that has content: nothing was wrong with it
  };
  // A complete answer ends with kNone.
  Limit Next(const compiler::model::Timeouts& timeouts, bool wants_stream) const {
    Limit next;
    const auto consider = [&next](base::TimePoint at, ErrorKind error, bool cuts_what_flows = false) {
      if (at < next.at) next = {at, error, cuts_what_flows};
    };
    if (!connected_) consider(connecting_since_ + timeouts.connect, ErrorKind::k_connect_timeout);
    if (waits_since_) return next;
    if (is_complete_) {  // only its end is missing: nobody thinks any more
      consider(*byte_at_ + std::min(timeouts.idle, kLongestEnd), ErrorKind::kNone);
      return next;
    }
    const base::TimePoint began = started_ + client_time_;
    if (has_content()) consider(*byte_at_ + timeouts.idle, ErrorKind::k_idle_timeout);
    if (wants_stream && timeouts.first_token && !has_content()) {
      consider(began + *timeouts.first_token, ErrorKind::k_first_token_timeout);
    }
    if (!is_stream_ || !has_content()) consider(began + timeouts.attempt, ErrorKind::k_attempt_timeout);
    consider(content_at_.value_or(began) + timeouts.stall, ErrorKind::k_idle_timeout);
    if (timeouts.total) consider(began + *timeouts.total, ErrorKind::k_attempt_timeout, has_content());
    return next;
  }

 private:
  base::TimePoint started_;
  base::TimePoint connecting_since_;
  bool connected_ = false;
  bool is_stream_ = false;
  bool is_complete_ = false;
  std::optional<base::TimePoint> first_content_at_;
  std::optional<base::TimePoint> content_at_;  // the last one
  std::optional<base::TimePoint> byte_at_;     // the last one, the head's too
  std::optional<base::TimePoint> waits_since_;
  base::Duration client_time_{};
};

}  // namespace runtime::engine
