// What an ExchangeMachine is told and what it asks for. Events come in by one door, commands leave by another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "compiler/abi/facts.h"
#include "compiler/model/settings.h"
#include "base/time.h"
#include "runtime/engine/breaker.h"
#include "runtime/engine/cache.h"
#include "runtime/engine/limiter.h"
#include "runtime/engine/model_loads.h"
#include "runtime/engine/outcome.h"
#include "runtime/engine/refusal.h"

namespace runtime::engine {

using compiler::model::CacheId;
using compiler::model::MockId;
using compiler::model::ReplyId;
using compiler::model::RouteId;
using compiler::model::UpstreamId;

// ---- Events ---------------------------------------------------------------------------------------------------------

// What a request may have of caches, and what belongs to each key of it.
struct CacheUse {
  bool reads = true;
  bool fills = true;   // false, for HEAD: it may be answered from one
  std::string scope;   // method, path and query: no key is without them
  // The value of a request header (several lines joined), for answers that vary by it; null: such answers aren't found. Must live as
  // long as the machine.
  std::function<std::string(std::string_view name)> header = nullptr;
};

// The request is known and its route chosen; its facts (route phase) are filled. First event, once; or else Refused.
struct RequestReady {
  RouteId route;
  // The whole body is kept and can be sent again. False: it is larger than the replay buffer and streams past.
  bool body_is_kept = true;
  bool wants_stream = false;  // the client reads a stream: timeouts.first_token runs
  // What the client reads: the answers of which API, as an object, lines or events; and the form of those that the driver can give
  // to every client of the API. Caches keep answers of different forms apart, and are asked for both.
  uint8_t answer_form = 0;
  // The model that an upstream would be asked for, empty if the request asks for none; called only for upstreams with cold_load or
  // keep_warm. May be empty itself. Must live as long as the machine.
  std::function<std::string(UpstreamId)> model_at = nullptr;
  uint8_t shared_form = 0;
  // Whether this request, as that upstream would get it, leaves nothing behind but an answer (repeat_safe = auto); asked at most once
  // for each failure. Null: no. Must live as long as the machine.
  std::function<bool(UpstreamId)> repeats_at = nullptr;
  CacheUse caches = {};
  bool takes_keep_alive = false;  // the client can be sent something before its answer: route.keep_alive runs
};

// The gateway itself refuses the request: instead of RequestReady, or in answer to a StartAttempt that can't be carried out, which
// then was none.
struct Refused {
  Refusal refusal;
};

struct AttemptConnected {};  // the connection stands; the request is being sent. Not told of one that stood before
// Its first byte was handed to the kernel: from now on a repeat may be a second execution. It is connected, too
struct AttemptRequestSent {};

// The head of the answer is here (not a 1xx). response.header[…] slots are filled.
struct AttemptHead {
  int status = 0;
  std::optional<Duration> retry_after = std::nullopt;  // how long the upstream asks to be left alone
  bool is_stream = false;  // it looks like a stream (content in a frame says so, too): attempt_timeout bounds it to its first content only
  bool no_retry = false;   // the upstream says that another try is in vain (x-should-retry: false)
  int told_status = 0;     // of a 5xx whose body says that the request is at fault: the status that this deserves
};

// The commit point: content is ready to go to the client. Until it the driver holds the answer back (a JSON object
// until it is whole or 64 KiB; a stream until its first frame; anything else not at all).
struct AttemptContent {
  bool has_bytes = true;  // false: only the head goes out, content comes later (ObserveProgress)
};

struct AttemptEnded {  // the answer is complete, terminal mark of its dialect included
  bool is_unfinished = false;  // the server ended it and gave no reason: it passes, and is never kept
};

// The attempt failed. After it the attempt is gone: no AbortAttempt is needed.
struct AttemptFailed {
  ErrorKind error = ErrorKind::kNone;
  bool is_reuse_race = false;  // a reused connection was closed with no byte of an answer
  bool is_mismatch = false;    // of an answer that was to go on with another one: nothing is wrong with it, but they can't be joined
  int told_status = 0;         // of an error inside the answer: the status that its kind would have had; 0: unknown
};

struct PlaceNews {};     // there is news of the place that this exchange waits for (WaitForPlace)
struct LoadNews {};      // the load that this exchange waits for is over (WaitForLoad)
struct CacheSettled {};  // the leader that this exchange followed is done
struct ClientGone {};
struct GatewayStops {};  // the time to drain is over: what is under way ends now
struct TimeReached {};  // now ≥ NextDeadline()

using Event = std::variant<RequestReady, Refused, AttemptConnected, AttemptRequestSent, AttemptHead, AttemptContent,
                           AttemptEnded, AttemptFailed, PlaceNews, LoadNews, CacheSettled, ClientGone, GatewayStops, TimeReached>;

// ---- Commands, to be carried out in order ---------------------------------------------------------------------------

// How an attempt takes over an answer that was committed and then cut.
enum class Continuation : uint8_t {
  kNone,     // it doesn't
  kAfresh,   // asked as the client asked; what the client already has is skipped
  kPrefill,  // asked to go on from what the client already has
};

struct StartAttempt {
  UpstreamId upstream;
  int number = 1;                 // at this upstream
  bool fresh_connection = false;  // not a pooled one
  Continuation continuation = Continuation::kNone;
};
struct AbortAttempt {};  // close the attempt's connection and drop what it sent; no event of it follows

// Forward the attempt's answer: what is held now, the rest as it comes. Its status may be any that the chain lets
// through.
struct CommitAnswer {
  UpstreamId served_by;
};
struct ResumeAnswer {  // the committed answer goes on with this attempt's: forward what it adds, now and as it comes
  UpstreamId served_by;
};
struct SendKeepAlive {};  // the client still waits: send it something that says nothing, the first time after a head with 200
struct FinishAnswer {};  // the committed answer is complete: end it well
struct BreakOffAnswer {  // the committed answer can't be completed: the client must see that it is cut
  ErrorKind error{};  // kNone: the gateway stops
};
// Keep the answer that was just finished in this cache: under `key` if it can be given to every client of its API, else under
// `own_key`.
struct StoreAnswer {
  CacheId cache;
  std::string key;
  std::string own_key;
};

// The flight that this exchange led is over: call Cache::EndFlight. Comes after StoreAnswer, so that followers find it.
struct EndCacheFlight {
  CacheId cache;
  std::string key;
};

// Call Limiter::OnNews; its wake-up, or that it returned false, is PlaceNews (queued, never from within the call). May come
// again for the same place.
struct WaitForPlace {
  UpstreamId upstream;
  Limiter::Place place = Limiter::kNoPlace;
};
// Ask the upstream to load this model, by a request of its own that outlives this exchange, and call ModelLoads::End when that is
// over; give it ModelLoads::cold_load.
struct StartLoad {
  UpstreamId upstream;
  std::string model;
};
// Call ModelLoads::OnNews; its wake-up, or that it returned false, is LoadNews (queued, never from within the call). Comes after
// StartLoad.
struct WaitForLoad {
  UpstreamId upstream;
  ModelLoads::Waiter waiter = 0;
};
struct StopWaiting {};  // no PlaceNews or LoadNews is wanted any more
// Call Limiter::Release: comes once the attempt's connection is closed (AbortAttempt) or its answer complete.
struct ReleasePlace {
  UpstreamId upstream;
  Limiter::Place place = Limiter::kNoPlace;
  std::optional<Duration> client_time = Duration::zero();  // for Release: how long of it the client was waited for
};

// Call Cache::Follow; its wake-up, or that it returned false, is CacheSettled (queued, never from within the call).
struct FollowCache {
  CacheId cache;
  std::string key;
};
struct UnfollowCache {  // call Cache::Unfollow; so does a driver that dies between these two
  CacheId cache;
  std::string key;
};

// Why a fallback (or a gateway error) answers: the x-breakwater-fallback-reason header, log and metrics.
struct SendReply {  // a reply as the route's answer (fallback false) or as a fallback
  ReplyId reply;
  bool is_fallback = false;
  std::string_view reason;  // "breaker_open", "status_500", "refused" …; static text
};
struct SendCached {
  CacheId cache;
  std::shared_ptr<const CachedResponse> response;
  bool is_fallback = false;  // false: asked first and fresh
  std::string_view reason;
};
struct SendMock {  // its delay is over
  MockId mock;
  std::string_view reason;
};
struct SendError {  // nothing else is left: an error of the gateway's own
  int status = 502;
  std::string_view reason;  // a name of refusals.def, "connect_failure", "breaker_open", "deadline" …
  std::optional<Duration> retry_after;
  std::string_view text = {};  // for people, in words; empty: those that belong to the reason
};

// For log and metrics; the attempt itself starts with StartAttempt.
struct RecordRetry {  // written before the wait begins: "retry attempt 1/2"
  UpstreamId upstream;
  int retry = 1;
  int max_retries = 1;
  Duration wait{};
  Outcome cause;
};
struct RecordRetryDenied {  // at most once for each attempt
  UpstreamId upstream;
  std::string_view reason;  // a name of retry_denials.def; "not_matched" is not reported
};
// The outcome would lead on to the next upstream of the route, and may not; at most once for each attempt.
struct RecordMoveDenied {
  UpstreamId upstream;      // that it would have left
  std::string_view reason;  // body_too_large, not_repeat_safe: names of retry_denials.def
};
// Each attempt once; a reuse race of it once more before (kNeutral, error reset; StartAttempt with the same number
// follows).
struct RecordAttemptEnded {
  UpstreamId upstream;
  int number = 1;
  Outcome outcome;
  OutcomeClass outcome_class{};
  Duration took{};
};
struct RecordBreaker {
  UpstreamId upstream;
  BreakerTransition transition;
  Outcome cause = {};  // of the attempt that did it; nothing where none did
};
struct RecordRejected {  // the breaker let the request not through
  UpstreamId upstream;
};

// The request asked for one of the max_in_flight places of an upstream, and that is over: it has one after `waited`, was
// refused (queue_full), or its time ran out, at once or later (queue_timeout). kNone also where it left by itself.
struct RecordQueued {
  UpstreamId upstream;
  Duration waited{};
  ErrorKind error = ErrorKind::kNone;
};

// The request waited for a model to be loaded, and that is over: it goes on there, or elsewhere (went_on).
struct RecordLoadWait {
  UpstreamId upstream;
  Duration waited{};
  bool went_on = false;
};

using Command = std::variant<StartAttempt, AbortAttempt, CommitAnswer, ResumeAnswer, SendKeepAlive, FinishAnswer, BreakOffAnswer, StoreAnswer,
                             EndCacheFlight, WaitForPlace, StartLoad, WaitForLoad, StopWaiting, ReleasePlace,
                             FollowCache, UnfollowCache, SendReply, SendCached, SendMock, SendError,
                             RecordRetry, RecordRetryDenied, RecordMoveDenied, RecordAttemptEnded, RecordBreaker,
                             RecordRejected, RecordQueued, RecordLoadWait>;
using Commands = std::vector<Command>;

}  // namespace runtime::engine
