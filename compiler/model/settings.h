// The settings of a policy with their types and defaults: what the runtime reads. Units live in types. settings.def says
// how each is written; a member without a line there has no way to be set.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/abi/predicate.h"
#include "base/cidr.h"
#include "base/id.h"
#include "compiler/model/expr.h"

namespace compiler::model {

using abi::PredicateId;
using Duration = std::chrono::nanoseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

using UpstreamId = base::Id<struct UpstreamTag>;
using CacheId = base::Id<struct CacheTag>;
using ReplyId = base::Id<struct ReplyTag>;
using MockId = base::Id<struct MockTag>;
using RouteId = base::Id<struct RouteTag>;
using TlsId = base::Id<struct TlsTag>;

// "host:port" as written, IPv6 in brackets. port 0 lets the system choose (tests).
struct ListenAddress {
  std::string host;
  uint16_t port = 0;

  bool operator==(const ListenAddress&) const = default;
  std::string ToString() const { return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + std::to_string(port); }
};

// hash(tenant, request.json.messages): 32 hex digits that differ where one of the values does.
struct HashOf {
  std::vector<Expr> values;
};

// Where a template stands, and so how its values are written: what a request brings never ends the string or line around it.
enum class TextPlace : uint8_t {
  kKey,         // of a cache: JSON as its source text, so that "1" and 1 differ
  kText,        // as it is; a JSON string without its quotes
  kHeader,      // likewise; control characters become blanks (RFC 9110 5.5)
  kJsonString,  // likewise, escaped (RFC 8259 7); the constant parts are JSON, quotes and all
};

// Text with values in it: "qwen3_faq_${request.body}", or one value on its own.
struct Template {
  using Part = std::variant<std::string, Expr, HashOf>;
  std::vector<Part> parts;
  bool is_secret = false;  // a part came from secret(…): never logged
  TextPlace place = TextPlace::kKey;
};

struct Cors {
  bool enabled = false;
  bool any_origin = false;            // "*"
  std::vector<std::string> origins;   // exact, as a browser sends them
};

enum class AccessLog : uint8_t { kOff, kStdout, kFile, kSyslog, kJournald };

// How a line of the access log is written; kAuto: for people on a terminal, as JSON elsewhere.
enum class AccessLogFormat : uint8_t { kAuto, kJson, kText };

// What clients may send, how much at a time and how slowly.
struct ClientLimits {
  int connections = 20'000;
  std::optional<int> per_address;
  int64_t header_bytes = 64 << 10;
  int64_t header_line = 8 << 10;
  int header_count = 100;
  int64_t uri = 8 << 10;
  int64_t body = 64 << 20;
  Duration header_time = seconds(10);
  int64_t body_rate = 1 << 10;        // bytes a second, over the last 30 s
  int64_t read_rate = 1 << 10;        // likewise, of answers
  Duration idle = seconds(75);         // longer than the balancers in front keep theirs
  Duration write_stall = seconds(30);
  std::optional<int64_t> memory;      // what bodies and queued bytes of all requests may take; none: a quarter of the machine's
  Duration handshake_time = seconds(10);  // TLS, before header_time begins
  int handshakes = 64;                // TLS, under way at one time in each loop

  bool operator==(const ClientLimits&) const = default;
};

// A certificate with its key, and whose certificates clients must show.
struct TlsSettings {
  std::string name;
  std::string certificate;            // path of a PEM file: the chain, the gateway's own first
  std::string key;                    // path of a PEM file
  std::string client_ca;              // path of a PEM file; empty: no certificate is asked for
};

struct GatewaySettings {
  std::vector<ListenAddress> listen;
  std::vector<ListenAddress> listen_tls;
  std::vector<TlsId> tls;             // chosen by SNI; the first is the default
  bool redirect_https = false;        // plain listeners answer with a redirect
  std::optional<ListenAddress> admin = ListenAddress{"127.0.0.1", 9180};  // none: off
  bool admin_is_default = true;       // a default that can't be bound is a warning, a written one an error
  std::string metrics_prefix = "breakwater";
  int workers = 0;                    // 0: as many as CPUs may be used
  AccessLog access_log = AccessLog::kStdout;
  std::string access_log_path;        // for kFile
  AccessLogFormat access_log_format = AccessLogFormat::kAuto;
  Duration drain = seconds(30);
  Duration drain_delay{};             // how long accepting goes on after SIGTERM, while /health/ready says 503
  std::string state_path;             // where breakers and budgets outlive a restart; empty: nowhere
  std::optional<Template> admin_token;
  bool underscore_headers = false;    // header names with `_` are passed on
  Cors cors;
  std::vector<base::Cidr> trusted_proxies;
  ClientLimits limits;
};

// http://host:port/path. Without a path the request's own is kept; a base stands in front of it; an end point takes its place.
struct Url {
  std::string text;   // as written
  std::string host;   // without brackets
  uint16_t port = 80;
  std::string path;                   // without a slash at its end
  bool is_base = false;               // `path` is no end point of an API that is known (model_paths.h)
  bool is_tls = false;                // https
  std::string unix_path;              // unix:/path; empty: TCP

  // What Host says: the host as written, the port only where it is not 80 (RFC 9110 7.2).
  std::string authority;
};

struct HeaderSetting {
  std::string name;   // as written
  Template value;
};

struct Timeouts {
  Duration connect = seconds(2);
  std::optional<Duration> first_token = std::nullopt;
  Duration idle = minutes(5);         // behind the first content, no byte for so long: servers are silent while they make a call
  Duration attempt = minutes(10);     // attempt_timeout: a whole answer, or a stream's way to its first content; SDKs wait as long by default
  Duration stall = minutes(10);       // no content for so long, whatever else comes
  std::optional<Duration> total = std::nullopt;  // from the start of the attempt to the last byte, of streams too

  // The most that an attempt may take that is no stream, and a stream to its first content.
  Duration most() const { return total ? std::min(attempt, *total) : attempt; }
};

// Wait before retry n (from 1): min(cap, from · factor^(n−1)), shortened by up to jitter of itself.
struct BackoffSettings {
  Duration from = milliseconds(100);
  double factor = 2;
  Duration cap = seconds(2);
  double jitter = 0;                  // 0 … 1
};

struct RetrySettings {
  int max_retries = 0;                // so at most max_retries + 1 attempts
  PredicateId when;
  BackoffSettings wait;
  std::optional<Duration> honour_cap; // Retry-After is obeyed up to here; none: not at all
  std::optional<double> budget;       // retries as a share of first attempts, 0 … 1; none: no limit
};

// failures(60s) of a breaker, or another measure with its arguments. A count needs no more precision than the largest
// number that it is compared with: above `enough` it may stand still.
struct WindowMeasure {
  abi::WindowMeasureKind kind{};
  Duration window{};                  // zero: it has none
  int64_t enough = 1;                 // ≥ 1, ≤ kMaxWindowCount; counts only
  Duration over{};                    // slow_ratio: what is slow
  int percentile = 0;                 // latency: 1 … 99

  bool operator==(const WindowMeasure&) const = default;
};
inline constexpr int64_t kMaxWindowCount = 10'000;

// How long a breaker stays open: min(cap, from · factor^n), n growing while it trips again and falling back with health.
struct OpenFor {
  Duration from = seconds(15);
  double factor = 1;                  // 1: always the same
  Duration cap = seconds(15);
  bool by_retry_after = false;        // as long as the last failure's Retry-After asked, up to cap; `from` where it said nothing

  OpenFor() = default;
  template <typename Rep, typename Period>
  OpenFor(std::chrono::duration<Rep, Period> constant) : from(constant), cap(constant) {}  // NOLINT: a constant is one
  OpenFor(Duration first, double by, Duration most) : from(first), factor(by), cap(most) {}
  bool is_constant() const { return !by_retry_after && (factor == 1 || from == cap); }
};

struct BreakerSettings {
  std::vector<PredicateId> open_when;       // any of them
  std::optional<PredicateId> failure_when;  // instead of the default classification
  std::optional<PredicateId> rest_when;     // outcomes after which the upstream is left alone though it is well
  OpenFor open_for;
  int probes = 1;                           // most requests in flight while half-open
  std::vector<PredicateId> close_when;      // any of them
  std::vector<WindowMeasure> measures;      // slots that the rules above read (Facts::window)
};

// Requests that wait for one of max_in_flight places.
struct QueueSettings {
  int length = 0;                     // most that wait; required
  Duration timeout{};                 // how long each; required
};

// Asked while the breaker is open.
struct HealthSettings {
  std::string path;                   // required
  Duration interval = seconds(2);
  Duration timeout = seconds(1);
};

struct CacheSettings {
  std::string name;
  Template key;
  Duration ttl{};
  Duration stale{};                   // how long after ttl an entry may still serve while the upstreams are down
  bool shared = false;
  PredicateId store_when;
  int64_t max_entry_bytes = 1 << 20;
  int64_t max_bytes = 64 << 20;
};

enum class BodyKind : uint8_t { kNone, kJson, kText };

struct Body {
  BodyKind kind = BodyKind::kNone;
  std::string text;                   // JSON exactly as written, or plain text
  std::optional<Template> values = std::nullopt;  // instead of `text` where values of the request stand in it
};

struct ReplySettings {
  std::string name;
  int status = 200;
  Body body;
  std::optional<std::string> content_type;  // by the kind of body where it is absent
  std::vector<HeaderSetting> headers;
};

struct MockSettings {
  std::string name;
  int status = 200;
  Duration delay{};
  Body body;
};

// One step of a fallback chain.
using FallbackRef = std::variant<ReplyId, CacheId, MockId>;

// What an upstream speaks; kAuto: told by the path that it is asked at.
enum class UpstreamDialect : uint8_t { kAuto, kOllama, kOpenAi, kAnthropic, kResponses };

// Which content commits an answer: from there on it can't be taken back.
enum class CommitAt : uint8_t { kAnyOutput, kAnswer };

// What becomes of an answer that breaks off after its commit: the next upstream goes on from there, or is asked afresh and
// what was already sent is skipped, or the client is told.
enum class OnCut : uint8_t { kError, kContinue, kRestart };

// Whether a POST or PATCH may be sent twice; kAuto: on the paths of known model APIs (decided where requests are classified).
enum class RepeatSafe : uint8_t { kFalse, kTrue, kAuto };

// Whether compressed bodies of requests are decoded; kAuto: on the paths of model APIs, and where the policy reads them.
enum class Decode : uint8_t { kAuto, kNever };

// Connections to the upstream that wait for the next request, for each worker.
struct PoolSettings {
  Duration idle = seconds(60);
  int size = 256;                     // 0: none

  bool operator==(const PoolSettings&) const = default;
};

// How an https upstream proves who it is, and how the gateway does. Paths of PEM files; all may be empty.
struct UpstreamTls {
  std::string ca;                     // instead of the system's
  std::string certificate;
  std::string key;
  std::string name;                   // asked for and checked instead of the url's host
  std::vector<std::string> pins;      // sha256:… of public keys
};

// A rewrite that only some requests get, in the order in which they are written.
struct ConditionalRewrite {
  std::string name;
  PredicateId when;
  Template patch;
};

struct UpstreamSettings {
  std::string name;
  Url url;
  PoolSettings pool;
  std::optional<UpstreamTls> tls;
  Decode decode = Decode::kAuto;
  std::vector<ConditionalRewrite> rewrites;
  Timeouts timeouts;
  RepeatSafe repeat_safe = RepeatSafe::kAuto;
  int64_t replay_body_bytes = 16 << 20;
  std::vector<HeaderSetting> headers;
  std::vector<std::string> remove_headers;   // lower case
  std::optional<Template> rewrite;           // a JSON object: the merge patch of a JSON body (RFC 7396)
  UpstreamDialect dialect = UpstreamDialect::kAuto;
  CommitAt commit = CommitAt::kAnyOutput;
  OnCut on_cut = OnCut::kError;
  bool prefill = true;                // goes on from a given beginning of an answer
  std::optional<Duration> cold_load;  // how long loading a model takes at most; none: nobody waits for it
  std::optional<Duration> keep_warm;  // after so long without a request the model is asked to stay
  std::optional<RetrySettings> retry;
  std::optional<BreakerSettings> breaker;
  std::optional<int> max_in_flight;   // none: no limit
  std::optional<QueueSettings> queue; // only with max_in_flight
  std::optional<HealthSettings> health;  // only with breaker
  std::vector<FallbackRef> fallback;
};

struct RouteSettings {
  std::string name;
  std::optional<PredicateId> when;    // none: takes everything
  std::vector<UpstreamId> to;         // empty when reply is set
  std::optional<PredicateId> next_when;  // further outcomes that go on to the next of `to`
  ReplyId reply;                      // an answer, not a fallback; none when to is set
  std::vector<FallbackRef> fallback;  // already resolved: the route's own, else the first upstream's
  CacheId cache;                      // asked first; may be none
  std::optional<Duration> deadline;
  std::optional<Duration> keep_alive; // of streams, until their first content; the price is a status sent early
};

}  // namespace compiler::model
