#include "runtime/proxy/admin.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/proxy/admin_token.h"
#include "runtime/proxy/json_answer.h"
#include "runtime/proxy/live_state.h"

namespace runtime::proxy {
namespace {

using nlohmann::ordered_json;

// A name that a page made to point here (DNS rebinding) is no name of this address.
bool IsOwnHost(const WorkerContext& worker, std::string_view host) {
  const size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) host = host.substr(0, colon);
  if (host.starts_with('[')) return host.ends_with(']');  // an address is no name
  const bool is_ipv4 = !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
  const auto& admin = worker.policy().gateway.admin;
  return is_ipv4 || http::EqualsIgnoreCase(host, "localhost") || (admin && http::EqualsIgnoreCase(host, admin->host));
}

}  // namespace

std::optional<LocalAnswer> CheckAdminCaller(WorkerContext& worker, const http::RequestHead& head,
                                            std::string_view peer_ip, bool acts) {
  AdminAccess& access = worker.gateway.common->admin;
  const base::TimePoint now = worker.transport.Now();
  const auto tell = [&](std::string_view reason) {
    observe::JsonLine line = worker.Event("warn", "admin action refused");
    line.Add("client", peer_ip).Add("path", head.path).Add("reason", reason);
    worker.Log(line);
  };
  const auto refuse = [&](int status, std::string_view reason, const std::string& why) {
    if (access.MayTell(now)) tell(reason);
    return JsonRefusal(status, why);
  };
  if (!IsOwnHost(worker, head.host))
    return refuse(421, "name of another host", "this address is not called so; ask it by its address");
  if (const auto site = head.headers.Find("sec-fetch-site"); site && *site != "none" && *site != "same-origin") {
    return refuse(403, "page of another origin", "a page of another origin may not do this");
  }
  if (acts && !head.headers.Find("content-type").value_or("").starts_with("application/json")) {
    return refuse(415, "no JSON", "write Content-Type: application/json");
  }
  if (!access.MayTry(peer_ip, now)) return JsonRefusal(429, "too many wrong tokens; try again in a minute");
  constexpr std::string_view kBearer = "Bearer ";
  std::string_view given = head.headers.Find("authorization").value_or("");
  const bool is_bearer =
      given.size() > kBearer.size() && http::EqualsIgnoreCase(given.substr(0, kBearer.size()), kBearer);
  if (is_bearer) given.remove_prefix(kBearer.size());
  if (is_bearer && IsSameToken(given, worker.gateway.admin_token)) return std::nullopt;
  if (is_bearer) access.RecordWrong(peer_ip, now);
  if (is_bearer || access.MayTell(now)) tell(is_bearer ? "wrong token" : "no token");
  LocalAnswer answer = JsonRefusal(
      401,
      "this needs the token: Authorization: Bearer …; the commands of the gateway's own user find it by themselves");
  answer.headers.emplace_back("WWW-Authenticate", "Bearer");
  return answer;
}

namespace {

// 90s, 10min, 1h; nothing if it is none.
std::optional<base::Duration> DurationOf(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number <= 0 || number > 1'000'000) return std::nullopt;
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (unit == "ms") return std::chrono::milliseconds(number);
  if (unit == "s") return std::chrono::seconds(number);
  if (unit == "min") return std::chrono::minutes(number);
  if (unit == "h") return std::chrono::hours(number);
  return std::nullopt;
}

using compiler::model::UpstreamId;

// Calls `use` with each upstream's id and name.
template <class Use>
void ForEachUpstream(const WorkerContext& worker, Use use) {
  const auto& upstreams = worker.policy().upstreams;
  for (size_t i = 0; i < upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    use(id, upstreams[id].name);
  }
}

LocalAnswer PolicyPage(const WorkerContext& worker) {
  const GatewayCommon& common = *worker.gateway.common;
  const ReloadStatus::Look reloads = common.reload.Now();
  ordered_json body;
  body["hash"] = worker.gateway.compiled->hash;
  body["file"] = reloads.file;
  body["since"] = observe::Rfc3339(worker.gateway.since_wall);
  body["reloads"] = {{"attempts", reloads.attempts}, {"successes", reloads.successes}};
  if (reloads.attempts > 0) {
    body["last_attempt"] = {{"time", observe::Rfc3339(reloads.last_attempt)},
                            {"result", reloads.last_was_good ? "ok" : "refused"},
                            {"reason", reloads.last_reason},
                            {"findings", reloads.last_findings}};
  }
  ordered_json breakers = ordered_json::object();
  ordered_json drained = ordered_json::array();
  ForEachUpstream(worker, [&](UpstreamId id, const std::string& name) {
    const engine::Breaker* breaker = worker.gateway.objects.breaker(id);
    if (breaker != nullptr) breakers[name] = engine::Name(breaker->Look(worker.transport.Now()).state);
    if (worker.gateway.objects.is_drained(id)) drained.push_back(name);
  });
  body["breakers"] = breakers;
  body["drained"] = drained;
  body["log_level"] = worker.gateway.events.least_level_name();
  ordered_json actions = ordered_json::array();
  for (const AdminAccess::Done& done : common.admin.done()) {
    actions.push_back({{"time", observe::Rfc3339(done.time)},
                       {"action", done.action},
                       {"client", done.client},
                       {"status", done.status}});
  }
  body["actions"] = actions;  // the last ones, the newest at the end
  return JsonAnswer(200, body);
}

LocalAnswer ActOnBreaker(WorkerContext& worker, std::string_view name, std::string_view action,
                         std::string_view query) {
  if (action != "open" && action != "close" && action != "reset")
    return JsonRefusal(404, "a breaker takes open, close and reset");
  std::optional<base::Duration> for_how_long;
  if (!query.empty()) {
    if (action == "reset" || !query.starts_with("for="))
      return JsonRefusal(400, "open and close take `for`, and nothing else");
    for_how_long = DurationOf(query.substr(4));
    if (!for_how_long) return JsonRefusal(400, "`for` is a time such as 90s, 10min or 1h");
  }
  std::optional<UpstreamId> found;
  std::vector<std::string> known;
  ForEachUpstream(worker, [&](UpstreamId id, const std::string& upstream) {
    if (worker.gateway.objects.breaker(id) == nullptr) return;
    known.push_back(upstream);
    if (upstream == name) found = id;
  });
  if (!found) return JsonRefusal(404, "no upstream of that name has a breaker; " + Listed(known));
  const base::TimePoint now = worker.transport.Now();
  engine::Breaker* const breaker = worker.gateway.objects.breaker(*found);
  std::optional<engine::BreakerTransition> transition;
  if (action == "open") {
    transition = breaker->OpenByHand(now, for_how_long);
    if (engine::Limiter* limiter = worker.gateway.objects.limiter(*found)) limiter->WakeAll();
  } else {
    transition = breaker->CloseByHand(now, for_how_long.value_or(base::Duration::zero()));
  }
  if (transition) worker.RecordBreaker(*found, *transition, "");
  return JsonAnswer(200, {{"breaker", std::string(name)}, {"state", engine::Name(breaker->Look(now).state)}});
}

LocalAnswer ActOnUpstream(WorkerContext& worker, std::string_view name, std::string_view action) {
  if (action != "drain" && action != "resume") return JsonRefusal(404, "an upstream takes drain and resume");
  std::optional<UpstreamId> found;
  std::vector<std::string> known;
  ForEachUpstream(worker, [&](UpstreamId id, const std::string& upstream) {
    known.push_back(upstream);
    if (upstream == name) found = id;
  });
  if (!found) return JsonRefusal(404, "there is no upstream of that name; " + Listed(known));
  const bool drains = action == "drain";
  worker.gateway.objects.SetDrained(*found, drains);
  engine::Limiter* const limiter = worker.gateway.objects.limiter(*found);
  if (drains && limiter != nullptr) limiter->WakeAll();
  return JsonAnswer(200, {{"upstream", std::string(name)}, {"drained", drains}});
}

LocalAnswer Purge(WorkerContext& worker, std::string_view name) {
  const auto& caches = worker.policy().caches;
  std::vector<std::string> known;
  for (size_t i = 0; i < caches.size(); ++i) {
    const compiler::model::CacheId id(static_cast<int32_t>(i));
    known.push_back(caches[id].name);
    if (caches[id].name != name) continue;
    engine::Cache* const cache = worker.gateway.objects.cache(id);
    const uint64_t entries = cache->stats().entries;
    cache->Purge();
    return JsonAnswer(200, {{"cache", std::string(name)}, {"purged", entries}});
  }
  return JsonRefusal(404, "there is no cache of that name; " + Listed(known));
}

LocalAnswer SetLogLevel(WorkerContext& worker, std::string_view level) {
  if (!worker.gateway.events.SetLeastLevel(level)) return JsonRefusal(404, "levels are info, warn and error");
  return JsonAnswer(200, {{"log_level", std::string(level)}});
}

// What was asked for: reload, breaker/NAME/open, …; `path` is what follows /admin/.
struct Action {
  std::string_view kind, name, verb;
};
Action ActionOf(std::string_view path) {
  Action action;
  const size_t first = path.find('/');
  action.kind = path.substr(0, first);
  if (first == std::string_view::npos) return action;
  const size_t last = path.rfind('/');
  if (last == first) {
    action.verb = path.substr(first + 1);
  } else {
    action.name = path.substr(first + 1, last - first - 1);
    action.verb = path.substr(last + 1);
  }
  return action;
}

LocalAnswer Act(WorkerContext& worker, const Action& action, std::string_view query) {
  GatewayCommon& common = *worker.gateway.common;
  const bool is_word = action.name.empty() && action.verb.empty();
  if (action.kind == "reload" && is_word) {
    const auto attempt = common.reload.Ask("breakwater reload");
    if (!attempt) return JsonRefusal(409, "this gateway was started without a file to read again");
    return JsonAnswer(202, {{"attempt", *attempt}});
  }
  if (action.kind == "stop" && is_word) {
    if (common.stop == nullptr) return JsonRefusal(409, "whoever started this gateway stops it");
    common.stop();
    return JsonAnswer(202, {{"stopping", true}});
  }
  if (action.kind == "breaker" && !action.name.empty()) return ActOnBreaker(worker, action.name, action.verb, query);
  if (action.kind == "upstream" && !action.name.empty()) return ActOnUpstream(worker, action.name, action.verb);
  if (action.kind == "cache" && !action.name.empty() && action.verb == "purge") return Purge(worker, action.name);
  if (action.kind == "log-level" && action.name.empty()) return SetLogLevel(worker, action.verb);
  return JsonRefusal(
      404,
      "there are reload, stop, breaker/NAME/{open,close,reset}, upstream/NAME/{drain,resume}, cache/NAME/purge and "
      "log-level/{info,warn,error}");
}

// By what they do; for the counter.
std::string_view Counted(const Action& action) {
  if (action.kind == "reload" || action.kind == "stop" || action.kind == "log-level") return action.kind;
  for (const std::string_view verb : {"open", "close", "reset", "drain", "resume", "purge"}) {
    if (action.verb == verb) return verb;
  }
  return "unknown";
}

}  // namespace

std::optional<LocalAnswer> AnswerAdmin(WorkerContext& worker, const http::RequestHead& head, std::string_view path,
                                       std::string_view peer_ip) {
  constexpr std::string_view kPrefix = "/admin/";
  if (!path.starts_with(kPrefix)) return std::nullopt;
  const bool reads = head.method == compiler::abi::Method::kGET;
  const bool acts = head.method == compiler::abi::Method::kPOST;
  if (!reads && !acts) {
    LocalAnswer answer = JsonRefusal(405, "actions are POST; GET reads /admin/policy and /admin/state");
    answer.headers.emplace_back("Allow", "GET, POST");
    return answer;
  }
  if (auto refused = CheckAdminCaller(worker, head, peer_ip, acts)) return refused;
  if (reads) {
    if (path == "/admin/policy") return PolicyPage(worker);
    if (path == "/admin/state") return LiveState(worker);
    return JsonRefusal(404, "GET reads /admin/policy and /admin/state; actions are POST");
  }
  const Action action = ActionOf(path.substr(kPrefix.size()));
  LocalAnswer answer = Act(worker, action, head.query);
  const bool is_done = answer.status < 300;
  worker.metrics.CountBy(observe::LabelledCounter::kAdminActions, {Counted(action), is_done ? "ok" : "refused"});
  worker.gateway.common->admin.Record(
      {worker.transport.WallNow(), std::string(path.substr(kPrefix.size())), std::string(peer_ip), answer.status});
  observe::JsonLine line = worker.Event("info", "admin action");
  line.Add("action", path.substr(kPrefix.size()))
      .Add("client", peer_ip)
      .Add("status", static_cast<int64_t>(answer.status));
  if (!head.query.empty()) line.Add("query", head.query);
  worker.gateway.events.WriteAlways(line.Finish());  // whatever the level of the log: who did what
  return answer;
}

}  // namespace runtime::proxy
