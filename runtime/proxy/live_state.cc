#include "runtime/proxy/live_state.h"

#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "compiler/model/print.h"
#include "runtime/observe/breaker_news.h"
#include "runtime/observe/json_line.h"

namespace runtime::proxy {
namespace {

using compiler::model::Place;
using compiler::model::Places;
using compiler::model::RouteId;
using compiler::model::RouteSettings;
using compiler::model::UpstreamId;
using compiler::model::UpstreamSettings;
using observe::CounterId;
using observe::HistogramId;
using observe::JsonLine;
using observe::LabelledCounter;

class JsonList {
 public:
  void Add(std::string_view json) {
    if (text_.size() > 1) text_.push_back(',');
    text_.append(json);
  }
  const std::string& Finish() {
    text_.push_back(']');
    return text_;
  }

 private:
  std::string text_ = "[";
};

class State {
 public:
  static constexpr size_t kMostRoutes = 20;

  explicit State(const WorkerContext& worker)
      : worker_(worker),
        policy_(worker.policy()),
        places_(worker.gateway.compiled->places),
        now_(worker.transport.Now()),
        wall_(worker.transport.WallNow()),
        in_flight_(worker.gateway.metrics.UpstreamsInFlight()),
        routes_to_(policy_.upstreams.size()) {
    // What requests came to at each upstream: attempts by their outcome, and those that its queue or its breaker did not let through.
    const auto& metrics = worker.gateway.metrics;
    const auto note = [this](const std::string& labels, std::string_view outcome, uint64_t count) {
      if (count > 0) outcomes_[labels.substr(0, labels.find('\0'))].Add(outcome, static_cast<int64_t>(count));
    };
    for (const LabelledCounter counter : {LabelledCounter::kAttempts, LabelledCounter::kQueueRefused}) {
      for (const auto& [labels, count] : metrics.Counts(counter))
        note(labels, std::string_view(labels).substr(labels.find('\0') + 1), count);
    }
    for (const auto& [labels, count] : metrics.Counts(CounterId::kBreakerRejected)) note(labels, "breaker_open", count);
    for (const auto& total : metrics.Totals(HistogramId::kFirstToken)) {
      if (total.count > 0)
        first_tokens_[total.labels].Add("count", static_cast<int64_t>(total.count)).AddMillis("ms", total.sum.count());
    }
    for (size_t i = 0; i < policy_.routes.size(); ++i) {
      const RouteId route(static_cast<int32_t>(i));
      for (const UpstreamId id : policy_.routes[route].to) {
        auto& routes = routes_to_[static_cast<size_t>(id.value)];
        if (routes.size() < kMostRoutes) routes.push_back(route);
      }
    }
  }

  std::string Text() {
    JsonLine state;
    state.Add("now", observe::Rfc3339Millis(wall_))
        .Add("version", BREAKWATER_VERSION)
        .AddRaw("policy", Policy())
        .AddRaw("is_draining", worker_.gateway.is_draining.load() ? "true" : "false")
        .Add("connections", worker_.gateway.metrics.connections())
        .Add("requests_in_flight", worker_.gateway.metrics.in_flight())
        .Add("log_lines_lost", static_cast<int64_t>(worker_.gateway.LostLogLines()));
    JsonList upstreams;
    for (size_t i = 0; i < policy_.upstreams.size(); ++i) upstreams.Add(Upstream(UpstreamId(static_cast<int32_t>(i))));
    JsonList answers;
    for (const auto& [labels, count] : worker_.gateway.metrics.Counts(LabelledCounter::kRequests)) {
      if (count == 0) continue;
      JsonLine answer;
      const size_t first = labels.find('\0');
      const size_t second = labels.find('\0', first + 1);
      answer.Add("route", std::string_view(labels).substr(0, first))
          .Add("status", std::string_view(labels).substr(first + 1, second - first - 1))
          .Add("served_by", std::string_view(labels).substr(second + 1))
          .Add("count", static_cast<int64_t>(count));
      answers.Add(answer.Finish());
    }
    JsonList troubles;
    std::set<std::string, std::less<>> decided;
    for (const std::string& line : Troubles()) {
      troubles.Add(line);
      if (const std::string_view at = DecidedIn(line); !at.empty()) decided.emplace(at);
    }
    state.AddRaw("upstreams", upstreams.Finish())
        .AddRaw("answers", answers.Finish())
        .AddRaw("troubles", troubles.Finish())
        .AddRaw("lines", Lines(decided));
    return state.Finish();
  }

 private:
  std::string Wall(base::TimePoint time) const { return observe::Rfc3339Millis(wall_ - (now_ - time)); }

  // The oldest first. Lines begin with their time.
  std::vector<std::string> Troubles() const {
    std::vector<std::string> lines;
    for (const observe::RecentLines* recent : {&worker_.gateway.common->troubles, &worker_.gateway.common->refusals}) {
      for (std::string& line : recent->All()) lines.push_back(std::move(line));
    }
    constexpr size_t kTime = sizeof(R"({"time":"2026-01-28T09:45:22.123456Z)") - 1;
    const auto time = [](const std::string& line) { return std::string_view(line).substr(0, kTime); };
    std::stable_sort(lines.begin(), lines.end(), [&](const auto& a, const auto& b) { return time(a) < time(b); });
    return lines;
  }

  // "chat.policy:31", as the line of the log has it. A quote in somebody else's words is escaped there, so this finds the member.
  static std::string_view DecidedIn(std::string_view line) {
    constexpr std::string_view kName = ",\"decided\":\"";
    const size_t found = line.find(kName);
    if (found == std::string_view::npos) return {};
    line.remove_prefix(found + kName.size());
    return line.substr(0, line.find('"'));
  }

  // What stands at these places of the policy, where it is known.
  std::string Lines(const std::set<std::string, std::less<>>& wanted) const {
    JsonLine lines;
    std::set<std::string, std::less<>> seen;
    const auto add = [&](const Place& place) {
      if (!place.text.empty() && wanted.contains(place.at) && seen.insert(place.at).second)
        lines.Add(place.at, place.text);
    };
    if (wanted.empty()) return lines.Finish();
    for (const Places::OfUpstream& upstream : places_.upstreams) {
      for (const Place* place : {&upstream.repeat_safe, &upstream.replay_body, &upstream.max_in_flight,
                                 &upstream.max_retries, &upstream.budget, &upstream.retry, &upstream.rest_when})
        add(*place);
      for (const Place& rule : upstream.open_when) add(rule);
    }
    for (const Places::OfRoute& route : places_.routes) {
      for (const Place* place : {&route.to, &route.fallback, &route.deadline}) add(*place);
    }
    return lines.Finish();
  }

  std::string Policy() const {
    const ReloadStatus::Look reloads = worker_.gateway.common->reload.Now();
    JsonLine policy;
    policy.Add("file", reloads.file)
        .Add("hash", worker_.gateway.compiled->hash)
        .Add("since", observe::Rfc3339Millis(worker_.gateway.since_wall));
    if (reloads.attempts > 0 && !reloads.last_was_good) {
      JsonLine refused;
      refused.Add("time", observe::Rfc3339Millis(reloads.last_attempt))
          .Add("reason", reloads.last_reason)
          .Add("findings", reloads.last_findings);
      policy.AddRaw("refused", refused.Finish());
    }
    return policy.Finish();
  }

  std::string Upstream(UpstreamId id) {
    const UpstreamSettings& settings = policy_.upstreams[id];
    JsonLine upstream;
    upstream.Add("name", settings.name)
        .Add("address", settings.url.unix_path.empty() ? settings.url.authority : settings.url.unix_path);
    if (const engine::Breaker* breaker = worker_.gateway.objects.breaker(id))
      upstream.AddRaw("breaker", Breaker(id, *breaker));
    if (worker_.gateway.objects.is_drained(id)) upstream.AddRaw("is_drained", "true");
    if (const auto outcomes = outcomes_.find(settings.name); outcomes != outcomes_.end())
      upstream.AddRaw("outcomes", outcomes->second.Finish());
    if (const auto first = first_tokens_.find(settings.name); first != first_tokens_.end())
      upstream.AddRaw("first_token", first->second.Finish());
    const auto in_flight = in_flight_.find(settings.name);
    upstream.Add("in_flight", in_flight == in_flight_.end() ? int64_t{0} : in_flight->second);
    if (const engine::Limiter* limiter = worker_.gateway.objects.limiter(id)) {
      upstream.Add("places", static_cast<int64_t>(settings.max_in_flight.value_or(0)))
          .Add("waiting", limiter->Look().waiting);
      if (settings.queue) upstream.Add("queue", static_cast<int64_t>(settings.queue->length));
    }
    if (const engine::RetryBudget* budget = worker_.gateway.objects.budget(id)) {
      upstream.AddRaw("budget", "{\"left\":" + std::to_string(budget->balance()) + "}");
    }
    return upstream.AddRaw("instead", Instead(id)).Finish();
  }

  std::string Breaker(UpstreamId id, const engine::Breaker& breaker) const {
    const UpstreamSettings& settings = policy_.upstreams[id];
    const auto look = breaker.Look(now_);
    JsonLine json;
    json.Add("state", engine::Name(look.state))
        .Add("failure_count", look.failure_count)
        .Add("success_count", look.success_count);
    if (look.last_failure_time) json.Add("last_failure_time", Wall(*look.last_failure_time));
    if (look.retry_at) json.Add("retry_at", Wall(*look.retry_at));
    json.Add("probes_in_flight", static_cast<int64_t>(look.probes_in_flight))
        .Add("probes", static_cast<int64_t>(settings.breaker->probes));
    if (const int64_t threshold = Threshold(*settings.breaker); threshold > 0) json.Add("threshold", threshold);
    JsonList rules;
    const auto& open_when = settings.breaker->open_when;
    for (size_t i = 0; i < open_when.size(); ++i) {
      JsonLine rule;
      rule.Add("rule", compiler::model::PrintRule(policy_.predicates[open_when[i]].expr, settings.breaker->measures));
      if (places_.upstreams.Has(id) && i < places_.upstreams[id].open_when.size())
        AddPlace(places_.upstreams[id].open_when[i], &rule);
      rules.Add(rule.Finish());
    }
    json.AddRaw("rules", rules.Finish());
    if (const auto opening = worker_.gateway.common->breakers.Last(settings.name)) {
      JsonLine why;
      why.Add("state", opening->state)
          .Add("at", observe::Rfc3339Millis(opening->at))
          .Add("until", observe::Rfc3339Millis(opening->until))
          .Add("rule", opening->rule)
          .AddRaw("counts", opening->counts);
      AddPlace(opening->place, &why);
      if (opening->probes_failed > 0) {
        why.Add("probes_failed", static_cast<int64_t>(opening->probes_failed))
            .Add("last_probe", observe::Rfc3339Millis(opening->last_probe));
      }
      if (!opening->last_error.empty()) why.Add("last_error", opening->last_error);
      if (!opening->request_id.empty()) why.Add("request_id", opening->request_id);
      json.AddRaw("opening", why.Finish());
    }
    return json.Finish();
  }

  static void AddPlace(const Place& place, JsonLine* json) {
    if (!place.at.empty()) json->Add("place", place.at);
    if (!place.text.empty()) json->Add("line", place.text);
  }

  // What users read. Where values of their request stand in it, that is all that can be said.
  static void AddBody(const compiler::model::Body& body, JsonLine* step) {
    constexpr size_t kMost = 200;
    if (body.values) {
      step->AddRaw("text_is_of_request", "true");
    } else if (body.kind != compiler::model::BodyKind::kNone) {
      std::string text = body.text.substr(0, kMost);
      if (text.size() < body.text.size()) {
        while (!text.empty() && (static_cast<unsigned char>(body.text[text.size()]) & 0xc0) == 0x80)
          text.pop_back();  // no half of a character
        text += "…";
      }
      step->Add("text", text);
    }
  }

  // What the number of failures is compared with, where the first rule is one such comparison: "3 of 5"; else 0.
  int64_t Threshold(const compiler::model::BreakerSettings& breaker) const {
    if (breaker.open_when.empty() || breaker.measures.empty()) return 0;
    const auto& rule = policy_.predicates[breaker.open_when.front()].expr;
    const auto& kind = compiler::abi::WindowMeasures()[static_cast<size_t>(breaker.measures.front().kind)];
    const bool counts = kind.type.base == compiler::abi::BaseType::kInt;
    return counts && breaker.open_when.size() == 1 && rule.operands.size() == 2 ? breaker.measures.front().enough : 0;
  }

  // What the first kMostRoutes routes that ask this upstream do where it gives no answer, in their order.
  std::string Instead(UpstreamId id) const {
    JsonList ways;
    for (const RouteId route_id : routes_to_[static_cast<size_t>(id.value)]) {
      const RouteSettings& route = policy_.routes[route_id];
      const auto at = std::find(route.to.begin(), route.to.end(), id);
      JsonList then;
      const auto add = [&then](std::string_view kind, std::string_view name, int status,
                               const compiler::model::Body* body = nullptr) {
        JsonLine step;
        step.Add("kind", kind);
        if (!name.empty()) step.Add("name", name);
        if (status != 0) step.Add("status", static_cast<int64_t>(status));
        if (body != nullptr) AddBody(*body, &step);
        then.Add(step.Finish());
      };
      for (auto next = at + 1; next != route.to.end(); ++next) add("upstream", policy_.upstreams[*next].name, 0);
      bool is_sure = false;
      for (const auto& fallback : route.fallback) {
        if (const auto* reply = std::get_if<compiler::model::ReplyId>(&fallback)) {
          add("reply", policy_.replies[*reply].name, policy_.replies[*reply].status, &policy_.replies[*reply].body);
          is_sure = true;
        } else if (const auto* mock = std::get_if<compiler::model::MockId>(&fallback)) {
          add("mock", policy_.mocks[*mock].name, policy_.mocks[*mock].status, &policy_.mocks[*mock].body);
          is_sure = true;
        } else {
          add("cache", policy_.caches[std::get<compiler::model::CacheId>(fallback)].name, 0);
        }
        if (is_sure) break;
      }
      if (!is_sure) add("error", "", 0);
      JsonLine way;
      way.Add("route", route.name).AddRaw("then", then.Finish());
      if (!route.fallback.empty() && places_.routes.Has(route_id)) AddPlace(places_.routes[route_id].fallback, &way);
      ways.Add(way.Finish());
    }
    return ways.Finish();
  }

  const WorkerContext& worker_;
  const compiler::model::Policy& policy_;
  const Places& places_;
  const base::TimePoint now_;
  const base::WallTime wall_;
  const std::unordered_map<std::string, int64_t> in_flight_;
  std::unordered_map<std::string, JsonLine> outcomes_, first_tokens_;  // by the name of the upstream
  std::vector<std::vector<RouteId>> routes_to_;                        // by upstream
};

}  // namespace

LocalAnswer LiveState(const WorkerContext& worker) {
  LocalAnswer answer;
  answer.content_type = "application/json";
  answer.body = State(worker).Text() + "\n";
  answer.headers.emplace_back("Cache-Control", "no-store");
  answer.headers.emplace_back("X-Content-Type-Options", "nosniff");
  return answer;
}

}  // namespace runtime::proxy
