#include "tests/support/describe_command.h"

#include <sstream>

#include "runtime/engine/fallback.h"

namespace tests {
namespace {

using namespace runtime::engine;  // NOLINT: this file is about nothing else

struct Describer {
  const compiler::model::Policy& policy;

  std::string Name(UpstreamId id) const { return policy.upstreams[id].name; }
  std::string Name(CacheId id) const { return policy.caches[id].name; }

  std::string operator()(const StartAttempt& c) const {
    return "start " + Name(c.upstream) + " " + std::to_string(c.number) + (c.fresh_connection ? " fresh" : "") +
           (c.continuation == Continuation::kPrefill ? " prefill" : c.continuation == Continuation::kAfresh ? " afresh" : "");
  }
  std::string operator()(const AbortAttempt&) const { return "abort"; }
  std::string operator()(const CommitAnswer& c) const { return "commit " + Name(c.served_by); }
  std::string operator()(const ResumeAnswer& c) const { return "resume " + Name(c.served_by); }
  std::string operator()(const SendKeepAlive&) const { return "keep_alive"; }
  std::string operator()(const FinishAnswer&) const { return "finish"; }
  std::string operator()(const BreakOffAnswer& c) const { return "break_off " + (c.error == ErrorKind::kNone ? "nothing" : std::string(ReasonOf({0, c.error}))); }
  std::string operator()(const StoreAnswer& c) const { return "store " + Name(c.cache); }
  std::string operator()(const EndCacheFlight& c) const { return "end_flight " + Name(c.cache); }
  std::string operator()(const WaitForPlace& c) const { return "wait_for_place " + Name(c.upstream); }
  std::string operator()(const StartLoad& c) const { return "start_load " + Name(c.upstream) + " " + c.model; }
  std::string operator()(const WaitForLoad& c) const { return "wait_for_load " + Name(c.upstream); }
  std::string operator()(const RecordLoadWait& c) const {
    return "record_load_wait " + Name(c.upstream) + " " + DescribeDuration(c.waited) + (c.went_on ? "" : " in vain");
  }
  std::string operator()(const StopWaiting&) const { return "stop_waiting"; }
  std::string operator()(const ReleasePlace& c) const { return "release_place " + Name(c.upstream); }
  std::string operator()(const FollowCache& c) const { return "follow " + Name(c.cache); }
  std::string operator()(const UnfollowCache& c) const { return "unfollow " + Name(c.cache); }
  std::string operator()(const SendReply& c) const {
    return "send_reply " + policy.replies[c.reply].name + (c.is_fallback ? " fallback " + std::string(c.reason) : "");
  }
  std::string operator()(const SendCached& c) const {
    return "send_cached " + Name(c.cache) + (c.is_fallback ? " fallback " + std::string(c.reason) : "");
  }
  std::string operator()(const SendMock& c) const {
    return "send_mock " + policy.mocks[c.mock].name + " " + std::string(c.reason);
  }
  std::string operator()(const SendError& c) const {
    std::string text = "send_error " + std::to_string(c.status) + " " + std::string(c.reason);
    if (c.retry_after) text += " retry_after " + DescribeDuration(*c.retry_after);
    return text;
  }
  std::string operator()(const RecordRetry& c) const {
    return "record_retry " + Name(c.upstream) + " " + std::to_string(c.retry) + "/" + std::to_string(c.max_retries) +
           " wait " + DescribeDuration(c.wait) + " " + std::string(ReasonOf(c.cause));
  }
  std::string operator()(const RecordRetryDenied& c) const {
    return "record_denied " + Name(c.upstream) + " " + std::string(c.reason);
  }
  std::string operator()(const RecordMoveDenied& c) const {
    return "record_move_denied " + Name(c.upstream) + " " + std::string(c.reason);
  }
  std::string operator()(const RecordAttemptEnded& c) const {
    std::string outcome(ReasonOf(c.outcome));
    if (c.outcome.status == 0 && c.outcome.error == ErrorKind::kNone) outcome = "nothing";
    return "record_ended " + Name(c.upstream) + " " + std::to_string(c.number) + " " + outcome + " " +
           std::string(runtime::engine::Name(c.outcome_class)) + " " + DescribeDuration(c.took);
  }
  std::string operator()(const RecordBreaker& c) const {
    return "record_breaker " + Name(c.upstream) + " " + std::string(runtime::engine::Name(c.transition.from)) + ">" +
           std::string(runtime::engine::Name(c.transition.to));
  }
  std::string operator()(const RecordRejected& c) const { return "record_rejected " + Name(c.upstream); }
  std::string operator()(const RecordQueued& c) const {
    return "record_queued " + Name(c.upstream) + " " + DescribeDuration(c.waited) +
           (c.error == ErrorKind::kNone ? "" : " " + std::string(ReasonOf({0, c.error})));
  }
};

}  // namespace

std::string Describe(const Command& command, const compiler::model::Policy& policy) {
  return std::visit(Describer{policy}, command);
}

std::string DescribeDuration(std::chrono::nanoseconds d) {
  std::ostringstream out;
  out << static_cast<double>(d.count()) / 1e6 << "ms";
  return out.str();
}

}  // namespace tests
