#include "runtime/observe/metric_series.h"

#include <initializer_list>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>
#include <variant>

#include "compiler/abi/fact_table.h"
#include "runtime/http/message_parser.h"

namespace runtime::observe {
namespace {

using compiler::model::Policy;
using compiler::model::RouteSettings;
using compiler::model::UpstreamSettings;

using Series = std::vector<std::string>;

constexpr std::string_view kDenials[] = {
#define RETRY_DENIAL(enumerator, name, doc) name,
#include "runtime/engine/retry_denials.def"
#undef RETRY_DENIAL
};
constexpr std::string_view kBadRequests[] = {
#define PARSE_ERROR(name, status, doc) #name,
#include "runtime/http/parse_errors.def"
#undef PARSE_ERROR
#define READ_PROBLEM(name, doc) #name,
#include "runtime/http/read_problems.def"
#undef READ_PROBLEM
#define SCREEN_REASON(name, status, doc) #name,
#include "runtime/observe/screen_reasons.def"
#undef SCREEN_REASON
};
constexpr std::string_view kTlsReasons[] = {
#define TLS_REASON(name, text) #name,
#include "runtime/net/tls_reasons.def"
#undef TLS_REASON
};
constexpr std::string_view kErrors[] = {
#define ERROR_KIND(name, is_timeout, doc) #name,
#include "compiler/abi/errors.def"
#undef ERROR_KIND
};

// Of upstreams and of the gateway's own errors: those that are there from the start.
constexpr std::string_view kUpstreamStatuses[] = {"200", "429", "500", "502", "503", "504"};
constexpr std::string_view kOwnStatuses[] = {"499", "500", "502", "503", "504"};
constexpr int kRefusedStatuses[] = {
    404,
#define PARSE_ERROR(name, status, doc) status,
#include "runtime/http/parse_errors.def"
#undef PARSE_ERROR
#define SCREEN_REASON(name, status, doc) status,
#include "runtime/observe/screen_reasons.def"
#undef SCREEN_REASON
};

std::string Joined(std::initializer_list<std::string_view> values) {
  std::string labels;
  for (const std::string_view value : values) {
    if (!labels.empty()) labels.push_back('\0');
    labels.append(value);
  }
  return labels;
}

// An attempt was made: what never gets so far is told elsewhere.
bool IsOfAnAttempt(std::string_view error) {
  return error != "queue_full" && error != "queue_timeout" && error != "breaker_open";
}

template <typename Wanted>
void ForUpstreams(const Policy& policy, Series* series, std::initializer_list<std::string_view> values, Wanted wanted) {
  for (const UpstreamSettings& upstream : policy.upstreams) {
    if (!wanted(upstream)) continue;
    for (const std::string_view value : values) series->push_back(Joined({upstream.name, value}));
  }
}

void Requests(const Policy& policy, Series* series) {
  const auto status_of = [&policy](const compiler::model::FallbackRef& ref) -> std::pair<std::string, std::string> {
    if (const auto* reply = std::get_if<compiler::model::ReplyId>(&ref)) {
      return {std::to_string(policy.replies[*reply].status), policy.replies[*reply].name};
    }
    if (const auto* cache = std::get_if<compiler::model::CacheId>(&ref)) return {"200", policy.caches[*cache].name};
    const auto& mock = policy.mocks[std::get<compiler::model::MockId>(ref)];
    return {std::to_string(mock.status), mock.name};
  };
  for (const RouteSettings& route : policy.routes) {
    std::set<std::string> seen;  // a chain may name one twice
    const auto add = [&](std::string_view status, std::string_view served_by) {
      std::string labels = Joined({route.name, status, served_by});
      if (seen.insert(labels).second) series->push_back(std::move(labels));
    };
    if (route.reply.has_value()) {
      add(std::to_string(policy.replies[route.reply].status), policy.replies[route.reply].name);
      continue;
    }
    for (const compiler::model::UpstreamId id : route.to) {
      for (const std::string_view status : kUpstreamStatuses) add(status, policy.upstreams[id].name);
    }
    if (route.cache.has_value()) add("200", policy.caches[route.cache].name);
    for (const auto& fallback : route.fallback) {
      const auto [status, name] = status_of(fallback);
      add(status, name);
    }
    for (const std::string_view status : kOwnStatuses) add(status, "gateway");
    if (route.keep_alive) add("200", "gateway");  // its status was sent before it failed
  }
  std::set<int> refused(std::begin(kRefusedStatuses), std::end(kRefusedStatuses));
  for (const int status : refused) series->push_back(Joined({"none", std::to_string(status), "gateway"}));
}

}  // namespace

Series ImpliedSeries(LabelledCounter id, const Policy& policy) {
  Series series;
  const auto all = [](const UpstreamSettings&) { return true; };
  switch (id) {
    case LabelledCounter::kRequests: Requests(policy, &series); break;
    case LabelledCounter::kAttempts:
      for (const UpstreamSettings& upstream : policy.upstreams) {
        for (const std::string_view status : kUpstreamStatuses) series.push_back(Joined({upstream.name, status}));
        for (const std::string_view error : kErrors) {
          if (IsOfAnAttempt(error)) series.push_back(Joined({upstream.name, error}));
        }
        series.push_back(Joined({upstream.name, "cancelled"}));
      }
      break;
    case LabelledCounter::kRetryDenied:
      for (const UpstreamSettings& upstream : policy.upstreams) {
        if (!upstream.retry) continue;
        for (const std::string_view reason : kDenials) {
          if (reason != "not_matched") series.push_back(Joined({upstream.name, reason}));
        }
      }
      break;
    case LabelledCounter::kQueueRefused:
      ForUpstreams(policy, &series, {"queue_full", "queue_timeout"},
                   [](const UpstreamSettings& upstream) { return upstream.max_in_flight.has_value(); });
      break;
    case LabelledCounter::kHealthChecks:
      ForUpstreams(policy, &series, {"200", "timeout", "refused"},
                   [](const UpstreamSettings& upstream) { return upstream.health.has_value(); });
      break;
    case LabelledCounter::kModelLoads:
      ForUpstreams(policy, &series, {"200", "timeout"}, [](const UpstreamSettings& upstream) {
        return upstream.cold_load.has_value() || upstream.keep_warm.has_value();
      });
      break;
    case LabelledCounter::kBadRequest:
      for (const std::string_view reason : kBadRequests) series.emplace_back(reason);
      break;
    case LabelledCounter::kDroppedHeader: series.emplace_back("underscore"); break;
    case LabelledCounter::kCacheNotStored:
      if (policy.caches.empty()) break;
      for (const std::string_view reason : {"no_store", "private", "vary", "content_encoding", "too_large", "empty", "unbounded"}) series.emplace_back(reason);
      break;
    case LabelledCounter::kRefusedConnections:
      series.emplace_back("connections");
      if (policy.gateway.limits.per_address) series.emplace_back("per_address");
      break;
    case LabelledCounter::kKeepAlive:
      for (const RouteSettings& route : policy.routes) {
        if (route.keep_alive) series.push_back(route.name);
      }
      break;
    case LabelledCounter::kLateFailure:
      for (const RouteSettings& route : policy.routes) {
        if (!route.keep_alive) continue;
        for (const std::string_view error : kErrors) series.push_back(Joined({route.name, error}));
        series.push_back(Joined({route.name, "deadline"}));
      }
      break;
    case LabelledCounter::kTokens: ForUpstreams(policy, &series, {"prompt", "completion", "uncounted"}, all); break;
    case LabelledCounter::kPolicyReloads: series = {"ok", "refused"}; break;
    case LabelledCounter::kAdminActions:
      for (const std::string_view action : {"reload", "stop", "open", "close", "reset", "drain", "resume", "purge", "log-level"}) {
        for (const std::string_view result : {"ok", "refused"}) series.push_back(Joined({action, result}));
      }
      break;
    case LabelledCounter::kTlsFailures:
      for (const std::string_view reason : kTlsReasons) {
        if (!policy.gateway.listen_tls.empty()) series.push_back(Joined({"client", reason}));
        for (const UpstreamSettings& upstream : policy.upstreams) {
          if (upstream.url.is_tls) series.push_back(Joined({upstream.name, reason}));
        }
      }
      break;
    case LabelledCounter::kStreamEnd:
      series = {"complete", "continued", "unfinished", "cut", "client_gone", "own"};
      break;
    case LabelledCounter::kCount: break;
    default: break;  // a metric whose values only the world knows
  }
  return series;
}

}  // namespace runtime::observe
