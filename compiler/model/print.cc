#include "compiler/model/print.h"

#include <concepts>
#include <set>
#include <type_traits>

#include "compiler/model/print_parts.h"
#include "compiler/model/setting_words.h"

namespace compiler::model {
namespace {

// A value as a policy writes it, or near to it; `type`: how the table says that it is read.
template <typename T>
std::string Written(std::string_view type, const T& value) {
  if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
  else if constexpr (std::is_same_v<T, Duration>) return PrintDuration(value.count());
  else if constexpr (std::is_same_v<T, std::string>) return Quote(value);
  else if constexpr (std::is_integral_v<T>) {
    if (type.ends_with("ByteRate")) return PrintSize(static_cast<int64_t>(value)) + "/s";
    return type.ends_with("Size") ? PrintSize(static_cast<int64_t>(value)) : std::to_string(value);
  } else if constexpr (std::is_floating_point_v<T>) return type.ends_with("Percent") ? PrintNumber(value * 100) + "%" : PrintNumber(value);
  else if constexpr (HasWords<T>()) return std::string(WordOf(value));
  else if constexpr (std::is_enum_v<T>) return std::to_string(static_cast<int>(value));
  else if constexpr (requires { value.has_value(); *value; }) return value.has_value() ? Written(type, *value) : std::string("none");
  else if constexpr (requires { value.ToString(); }) return value.ToString();
  else if constexpr (requires { value.begin()->size(); }) {
    std::string list;
    for (const auto& item : value) list += (list.empty() ? "" : ", ") + Written(type, item);
    return "[" + list + "]";
  }
  else return "(set)";
}

// Whether a value and its parts can be compared; a container says that it can before it is asked to.
template <typename T>
consteval bool MayCompare() {
  if constexpr (requires { typename T::value_type; }) return std::is_same_v<T, std::string> || MayCompare<typename T::value_type>();
  else return std::equality_comparable<T>;
}

// The settings structs of blocks, as SETTING's rows name them.
enum class BlockOf {
#define BLOCK(kind, parent, named, honoured, doc) k_##kind,
#include "compiler/model/settings.def"
};

// "name value" lines with two spaces for each level.
class Printer {
 public:
  explicit Printer(const Policy& policy) : policy_(policy) {}

  std::string Run() {
    PrintGateway();
    for (const UpstreamSettings& upstream : policy_.upstreams) PrintUpstream(upstream);
    for (const CacheSettings& cache : policy_.caches) PrintCache(cache);
    for (const ReplySettings& reply : policy_.replies) PrintReply(reply);
    for (const MockSettings& mock : policy_.mocks) PrintMock(mock);
    for (const TlsSettings& tls : policy_.tls) PrintTls(tls);
    for (const RouteSettings& route : policy_.routes) PrintRoute(route);
    PrintPredicates();
    return std::move(out_);
  }

 private:
  void Open(const std::string& head) {
    Line(head + " {");
    written_.emplace_back();
    depth_ += 2;
  }
  void Close() {
    depth_ -= 2;
    written_.pop_back();
    Line("}");
  }
  void Line(const std::string& text) { out_ += std::string(depth_, ' ') + text + "\n"; }
  void Set(const char* name, const std::string& value) {
    if (!written_.empty()) written_.back().insert(name);
    Line(std::string(name) + " = " + value);
  }
  // What is set, stands in the table, and has no line of its own above: a setting that was added to the table is printed, too.
  template <BlockOf kBlock, typename Struct>
  void Rest(const Struct& settings, const std::string& prefix = "") {
    [[maybe_unused]] const Struct plain{};
#define SETTING(block, name, Type, default_text, other_text, range, member, doc) \
  if constexpr (kBlock == BlockOf::k_##block) SetIfLeft(prefix + #name, #Type, settings.member, plain.member);
#include "compiler/model/settings.def"
  }
  template <typename T>
  void SetIfLeft(const std::string& name, std::string_view type, const T& value, const T& plain) {
    if constexpr (MayCompare<T>()) {
      if (written_.back().count(name) > 0 || value == plain) return;
      Set(name.c_str(), Written(type, value));
    } else {
      (void)name, (void)type, (void)value, (void)plain;  // what has parts has lines of its own
    }
  }
  // Printed under another name, or left out for a reason.
  void Said(std::initializer_list<const char*> names) { written_.back().insert(names.begin(), names.end()); }
  void Set(const char* name, Duration value) { Set(name, PrintDuration(value.count())); }
  void Set(const char* name, bool value) { Set(name, std::string(value ? "true" : "false")); }
  void Set(const char* name, int value) { Set(name, std::to_string(value)); }
  void Set(const char* name, const std::optional<Duration>& value) {
    if (value) Set(name, *value);
    else Set(name, std::string("none"));
  }

  static std::string PredicateName(PredicateId id) { return "#" + std::to_string(id.value); }
  void When(const char* word, PredicateId id) { Line(std::string(word) + "when " + PredicateName(id)); }

  std::string Chain(const std::vector<FallbackRef>& chain) const {
    std::string out = "[";
    for (const FallbackRef& step : chain) {
      if (out.size() > 1) out += ", ";
      if (const auto* reply = std::get_if<ReplyId>(&step)) out += "reply " + policy_.replies[*reply].name;
      if (const auto* cache = std::get_if<CacheId>(&step)) out += "cache " + policy_.caches[*cache].name;
      if (const auto* mock = std::get_if<MockId>(&step)) out += "mock " + policy_.mocks[*mock].name;
    }
    return out + "]";
  }

  void Headers(const std::vector<HeaderSetting>& headers) {
    for (const HeaderSetting& header : headers)
      Set(("header[" + Quote(header.name) + "]").c_str(), PrintTemplate(header.value));
  }

  void PrintGateway() {
    const GatewaySettings& g = policy_.gateway;
    Open("gateway");
    for (const ListenAddress& address : g.listen) Set("listen", address.ToString());
    Set("admin", g.admin ? g.admin->ToString() : std::string("off"));
    for (const ListenAddress& address : g.listen_tls) Set("listen_tls", address.ToString());
    for (TlsId id : g.tls) Set("tls", policy_.tls[id].name);
    if (g.redirect_https) Set("redirect", std::string("https"));
    if (g.admin_token) Set("admin_token", g.admin_token->is_secret ? "secret" : PrintTemplate(*g.admin_token));
    Set("metrics_prefix", g.metrics_prefix);
    Set("workers", g.workers);
    Set("access_log", g.access_log == AccessLog::kOff      ? "off"
                      : g.access_log == AccessLog::kStdout ? "stdout"
                      : g.access_log == AccessLog::kFile   ? Quote(g.access_log_path)
                      : g.access_log == AccessLog::kSyslog ? Quote("syslog:" + g.access_log_path)
                                                           : Quote("journald:" + g.access_log_path));
    if (g.access_log_format != AccessLogFormat::kAuto)
      Set("access_log_format", std::string(WordOf(g.access_log_format)));
    Set("drain", g.drain);
    if (g.drain_delay != Duration::zero()) Set("drain_delay", g.drain_delay);
    std::string origins = !g.cors.enabled ? "off" : g.cors.any_origin ? "*" : "";
    for (const std::string& origin : g.cors.origins) origins += (origins.empty() ? "" : " ") + origin;
    Set("cors", origins);
    if (g.underscore_headers) Set("underscore_headers", g.underscore_headers);
    for (const base::Cidr& network : g.trusted_proxies) Set("trusted_proxy", network.ToString());
    Said({"trusted_proxies"});
    Rest<BlockOf::k_gateway>(g);
    PrintLimits(g.limits);
    Close();
  }

  void PrintTls(const TlsSettings& tls) {
    Open("tls " + tls.name);
    Set("certificate", Quote(tls.certificate));
    Set("key", Quote(tls.key));
    Set("client_ca", Quote(tls.client_ca));
    Rest<BlockOf::k_tls>(tls);
    Close();
  }

  // The defaults would stand in every printed policy.
  void PrintLimits(const ClientLimits& limits) {
    if (limits == ClientLimits()) return;
    Open("limits");
    Set("connections", limits.connections);
    Set("per_address", limits.per_address ? std::to_string(*limits.per_address) : std::string("none"));
    Set("header_bytes", PrintSize(limits.header_bytes));
    Set("header_line", PrintSize(limits.header_line));
    Set("header_count", limits.header_count);
    Set("uri", PrintSize(limits.uri));
    Set("body", PrintSize(limits.body));
    Set("header_time", limits.header_time);
    Set("body_rate", PrintSize(limits.body_rate) + "/s");
    Set("read_rate", PrintSize(limits.read_rate) + "/s");
    if (limits.memory) Set("memory", PrintSize(*limits.memory));
    Set("idle", limits.idle);
    Set("write_stall", limits.write_stall);
    Set("handshake_time", limits.handshake_time);
    Set("handshakes", limits.handshakes);
    Rest<BlockOf::k_limits>(limits);
    Close();
  }

  void PrintUpstream(const UpstreamSettings& u) {
    Open("upstream " + u.name);
    Set("url", u.url.text + " host " + u.url.host + " port " + std::to_string(u.url.port) + (u.url.is_base ? " base " : " path ") +
                   Quote(u.url.path) + " authority " + u.url.authority);
    Set("timeouts.connect", u.timeouts.connect);
    Set("timeouts.first_token", u.timeouts.first_token);
    Set("timeouts.idle", u.timeouts.idle);
    Set("timeouts.attempt", u.timeouts.attempt);
    if (u.timeouts.stall != std::max(Timeouts().stall, u.timeouts.attempt)) Set("timeouts.stall", u.timeouts.stall);
    if (u.timeouts.total) Set("timeouts.total", *u.timeouts.total);
    Said({"timeouts.stall"});
    Rest<BlockOf::k_timeouts>(u.timeouts, "timeouts.");
    Set("repeat_safe", std::string(WordOf(u.repeat_safe)));
    Set("replay_body", PrintSize(u.replay_body_bytes));
    if (u.pool != PoolSettings()) {
      Open("pool");
      Set("idle", u.pool.idle);
      Set("size", u.pool.size);
      Rest<BlockOf::k_pool>(u.pool);
      Close();
    }
    Headers(u.headers);
    for (const std::string& name : u.remove_headers) Set("remove_header", Quote(name));
    if (u.rewrite) Set("rewrite", "json " + PrintTemplate(*u.rewrite));
    for (const ConditionalRewrite& rewrite : u.rewrites) {
      Open("rewrite " + rewrite.name);
      When("", rewrite.when);
      Set("patch", "json " + PrintTemplate(rewrite.patch));
      Rest<BlockOf::k_rewrite>(rewrite);
      Close();
    }
    if (u.decode != Decode::kAuto) Set("decode", std::string(WordOf(u.decode)));
    if (u.dialect != UpstreamDialect::kAuto) Set("dialect", std::string(WordOf(u.dialect)));
    if (u.commit != CommitAt::kAnyOutput) Set("commit", std::string(WordOf(u.commit)));
    if (u.on_cut != OnCut::kError) Set("on_cut", std::string(WordOf(u.on_cut)));
    if (!u.prefill) Set("prefill", u.prefill);
    if (u.cold_load) Set("cold_load", *u.cold_load);
    if (u.keep_warm) Set("keep_warm", *u.keep_warm);
    if (u.retry) {
      Open("retry");
      Set("max_retries", u.retry->max_retries);
      When("", u.retry->when);
      const BackoffSettings& wait = u.retry->wait;
      Set("wait", "exponential(from: " + PrintDuration(wait.from.count()) + ", factor: " + PrintNumber(wait.factor) +
                      ", cap: " + PrintDuration(wait.cap.count()) + ", jitter: " + PrintNumber(wait.jitter * 100) +
                      "%)");
      if (u.retry->honour_cap) Set("honour", "retry_after(cap: " + PrintDuration(u.retry->honour_cap->count()) + ")");
      if (u.retry->budget) Set("budget", PrintNumber(*u.retry->budget * 100) + "%");
      Rest<BlockOf::k_retry>(*u.retry);
      Close();
    }
    if (u.breaker) PrintBreaker(*u.breaker);
    if (u.max_in_flight) Set("max_in_flight", *u.max_in_flight);
    if (u.tls) {
      Open("tls");
      Set("ca", Quote(u.tls->ca));
      Set("certificate", Quote(u.tls->certificate));
      Set("key", Quote(u.tls->key));
      Set("name", Quote(u.tls->name));
      for (const std::string& pin : u.tls->pins) Set("pin", Quote(pin));
      Rest<BlockOf::k_upstream_tls>(*u.tls);
      Close();
    }
    if (u.health) {
      Open("health");
      Set("path", Quote(u.health->path));
      Set("interval", u.health->interval);
      Set("timeout", u.health->timeout);
      Rest<BlockOf::k_health>(*u.health);
      Close();
    }
    if (u.queue) {
      Open("queue");
      Set("length", u.queue->length);
      Set("timeout", u.queue->timeout);
      Rest<BlockOf::k_queue>(*u.queue);
      Close();
    }
    Set("fallback", Chain(u.fallback));
    Said({"attempt_timeout"});
    Rest<BlockOf::k_upstream>(u);
    Close();
  }

  void PrintBreaker(const BreakerSettings& b) {
    Open("breaker");
    for (PredicateId id : b.open_when) When("open ", id);
    if (b.failure_when) When("failure ", *b.failure_when);
    if (b.rest_when) When("rest ", *b.rest_when);
    if (b.open_for.by_retry_after) {
      Set("open_for", "retry_after(cap: " + PrintDuration(b.open_for.cap.count()) + ")");
    } else if (b.open_for.is_constant()) {
      Set("open_for", b.open_for.from);
    } else {
      Set("open_for", "exponential(from: " + PrintDuration(b.open_for.from.count()) + ", factor: " +
                          PrintNumber(b.open_for.factor) + ", cap: " + PrintDuration(b.open_for.cap.count()) + ")");
    }
    Set("probes", b.probes);
    Rest<BlockOf::k_breaker>(b);
    for (PredicateId id : b.close_when) When("close ", id);
    for (size_t i = 0; i < b.measures.size(); ++i) {
      const WindowMeasure& measure = b.measures[i];
      const abi::WindowMeasureInfo& info = abi::WindowMeasures()[static_cast<size_t>(measure.kind)];
      std::string text = Print(measure);
      if (info.type.base == abi::BaseType::kInt) text += " up to " + std::to_string(measure.enough);
      Line("window[" + std::to_string(i) + "] = " + text);
    }
    Close();
  }

  void PrintCache(const CacheSettings& c) {
    Open("cache " + c.name);
    Set("key", PrintTemplate(c.key));
    Set("ttl", c.ttl);
    Set("stale", c.stale);
    Set("shared", c.shared);
    When("store ", c.store_when);
    Set("max_entry", PrintSize(c.max_entry_bytes));
    Set("max_bytes", PrintSize(c.max_bytes));
    Rest<BlockOf::k_cache>(c);
    Close();
  }

  void PrintBody(const Body& body) {
    if (body.kind == BodyKind::kJson) Set("body", "json " + (body.values ? PrintTemplate(*body.values) : body.text));
    if (body.kind == BodyKind::kText) Set("text", body.values ? PrintTemplate(*body.values) : Quote(body.text));
  }

  void PrintReply(const ReplySettings& r) {
    Open("reply " + r.name);
    Set("status", r.status);
    PrintBody(r.body);
    if (r.content_type) Set("content_type", Quote(*r.content_type));
    Headers(r.headers);
    Rest<BlockOf::k_reply>(r);
    Close();
  }

  void PrintMock(const MockSettings& m) {
    Open("mock " + m.name);
    Set("status", m.status);
    Set("delay", m.delay);
    PrintBody(m.body);
    Rest<BlockOf::k_mock>(m);
    Close();
  }

  void PrintRoute(const RouteSettings& r) {
    Open("route " + r.name);
    if (r.when) When("", *r.when);
    for (UpstreamId id : r.to) Set("to", policy_.upstreams[id].name);
    if (r.reply.has_value()) Set("reply", policy_.replies[r.reply].name);
    if (r.next_when) When("next ", *r.next_when);
    Set("fallback", Chain(r.fallback));
    if (r.cache.has_value()) Set("cache", policy_.caches[r.cache].name);
    if (r.deadline) Set("deadline", *r.deadline);
    if (r.keep_alive) Set("keep_alive", *r.keep_alive);
    Rest<BlockOf::k_route>(r);
    Close();
  }

  void PrintPredicates() {
    int number = 0;
    for (const PredicateDef& predicate : policy_.predicates) {
      Line("#" + std::to_string(number++) + " " + std::string(abi::Name(predicate.phase)) + ": " +
           Print(predicate.expr));
    }
    const auto slots = [this](const char* family, const auto& keys, const auto& text) {
      for (size_t i = 0; i < keys.size(); ++i)
        Line(std::string(family) + "[" + std::to_string(i) + "] = " + text(keys[i]));
    };
    const auto plain = [](const std::string& key) { return key; };
    slots("request.header", policy_.slots.request_headers, plain);
    slots("request.query", policy_.slots.request_queries, plain);
    const auto path_text = [](const std::vector<std::string>& path) {
      std::string out;
      for (const std::string& member : path) out += (out.empty() ? "" : ".") + member;
      return out;
    };
    slots("request.json", policy_.slots.request_json, path_text);
    slots("response.json", policy_.slots.response_json, path_text);
    slots("chunk.json", policy_.slots.chunk_json, path_text);
    slots("response.header", policy_.slots.response_headers, plain);
    for (size_t i = 0; i < policy_.patterns.size(); ++i)
      Line("pattern[" + std::to_string(i) + "] = /" + std::string(policy_.patterns[i]->source()) + "/");
    if (policy_.reads_request_body) Line("reads the request body");
  }

  const Policy& policy_;
  std::string out_;
  size_t depth_ = 0;
  std::vector<std::set<std::string>> written_;  // of each open block
};

}  // namespace

std::string Print(const Policy& policy) { return Printer(policy).Run(); }

}  // namespace compiler::model
