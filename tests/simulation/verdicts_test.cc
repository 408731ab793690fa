// What the compiler proves about a policy, held against the engine: "never" never happens, whatever attempts meet, and the worst
// case is not exceeded, but can be reached. Beside each policy of which something is said stands one that is nearly the same and
// of which it is not true: there the engine must show it, or the test would prove nothing.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>

#include "compiler/analysis/bounds.h"
#include "tests/coverage/virtual_story.h"

namespace tests::simulation {
namespace {

using base::Duration;
using base::Random;
using coverage::Plan;
using coverage::Request;
using coverage::VirtualStory;
using runtime::engine::ErrorKind;
using namespace std::chrono_literals;  // NOLINT: times in tests

constexpr int kExchanges = 1'500;

std::string WithGateway(const std::string& blocks) {
  return "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\n" + blocks;
}

// Whatever an attempt can meet; times around `scale`.
Plan AnyPlan(Random& random, Duration scale) {
  constexpr ErrorKind kErrors[] = {
#define ERROR_KIND(name, is_timeout, doc) ErrorKind::k_##name,
#include "compiler/abi/errors.def"
#undef ERROR_KIND
  };
  const auto time = [&]() -> std::optional<Duration> {
    const double fraction = random.Fraction();
    if (fraction < 0.1) return std::nullopt;  // it stands still
    return std::chrono::duration_cast<Duration>(scale * (fraction < 0.4 ? 0.01 : 1.5 * random.Fraction()));
  };
  Plan plan;
  plan.connects = time();
  plan.answers = time();
  plan.content = time();
  plan.ends = time();
  const double kind = random.Fraction();
  // Nothing that the gateway makes itself comes from an upstream.
  const auto is_made_here = [](ErrorKind error) {
    return error == ErrorKind::k_queue_full || error == ErrorKind::k_queue_timeout || error == ErrorKind::k_breaker_open ||
           error == ErrorKind::k_client_timeout || error == ErrorKind::k_unfinished;  // no failure, and known after the answer
  };
  if (kind < 0.4) {
    do {
      plan.error = kErrors[random.Below(std::size(kErrors))];
    } while (is_made_here(plan.error));
  }
  constexpr int kStatuses[] = {200, 200, 203, 299, 301, 304, 400, 404, 408, 422, 429, 500, 501, 502, 503, 504, 599};
  plan.status = kStatuses[random.Below(std::size(kStatuses))];
  if (random.Fraction() < 0.2) plan.retry_after = 1s;
  return plan;
}

// How many of the exchanges tell of `what`.
int CountOf(const std::string& blocks, const std::string& what, const std::function<Plan(Random&)>& plan,
            int exchanges = kExchanges) {
  VirtualStory story(WithGateway(blocks));
  Random random(7);
  constexpr compiler::abi::Method kMethods[] = {compiler::abi::Method::kGET, compiler::abi::Method::kPOST};
  int count = 0;
  for (int i = 0; i < exchanges; ++i) {
    Request request;
    request.wants_stream = random.Fraction() < 0.5;
    request.method = kMethods[random.Below(2)];
    request.path = std::array{"/a", "/b", "/c"}[random.Below(3)];
    request.body = std::to_string(i);
    const std::string told = story.Send([&](const std::string&, int) { return plan(random); }, request);
    count += told.find(what) != std::string::npos;
    story.Wait(10ms);  // or a breaker that is open would stay so
  }
  return count;
}

// `never`: the check says that `what` never happens there; `near`: it is silent, and it does, at least `enough` times: where attempts
// meet what chance brings, once would be luck.
void ExpectNever(const std::string& code, const std::string& what, const std::string& never, const std::string& near,
                 const std::function<Plan(Random&)>& plan, int exchanges = kExchanges, int enough = 5) {
  const std::string found = coverage::Findings(WithGateway(never));
  EXPECT_NE(found.find("[" + code + "]"), std::string::npos) << found;
  const std::string beside = coverage::Findings(WithGateway(near));
  EXPECT_EQ(beside.find("[" + code + "]"), std::string::npos) << beside;
  EXPECT_EQ(CountOf(never, what, plan, exchanges), 0) << never;
  EXPECT_GE(CountOf(near, what, plan, exchanges), enough) << near;
}

Plan Anything(Random& random) { return AnyPlan(random, 1s); }
// Of attempts that meet anything at all so many fail that a breaker is open most of the time, and one in a hundred is refused.
Plan OftenRefused(Random& random) {
  const double kind = random.Fraction();
  return kind < 0.1 ? coverage::Error(ErrorKind::k_refused) : kind < 0.7 ? Plan{} : Anything(random);
}

std::string Retrying(const std::string& when, const std::string& more = "") {
  return "upstream a { url = \"http://a\" repeat_safe = true attempt_timeout = 1s retry { max_retries = 2 when " +
         when + " } " + more + " }\n";
}

TEST(Verdicts, ARetryOfWhatNoAttemptEndsWithNeverRuns) {
  // An open breaker does happen here.
  const std::string busy = "breaker { open when consecutive_failures >= 4 open_for = 50ms }";
  ExpectNever("PL0307", "record_retry", Retrying("error in {queue_full, queue_timeout, breaker_open}", busy),
              Retrying("error in {queue_full, queue_timeout, breaker_open, refused}", busy), OftenRefused);
  ExpectNever("PL0307", "record_retry", Retrying("status == none and error == none"),
              Retrying("status == none and error == reset"), Anything);
}

TEST(Verdicts, ARetryWhoseWaitsTakeTheDeadlineNeverRuns) {
  const auto policy = [](const char* deadline) {
    return std::string(
               "upstream a { url = \"http://a\" attempt_timeout = 50ms repeat_safe = true retry { max_retries = 2 when "
               "error == refused or "
               "status in 5xx wait = exponential(from: 1s, factor: 2, cap: 4s) } }\nroute r { to = a deadline = ") +
           deadline + " }\n";
  };
  const auto at_once = [](Random&) {
    Plan plan;
    plan.connects = plan.answers = 0ns;
    plan.error = ErrorKind::k_refused;
    return plan;
  };
  ExpectNever("PL0307", "record_retry a 2/2", policy("3s"), policy("3001ms"), at_once, 50);
}

TEST(Verdicts, ARetryThatNeedsAFirstTokenNeverRuns) {
  ExpectNever("PL0302", "record_retry", Retrying("(first_token ?? 0s) >= 1ms"),
              Retrying("latency >= 1ms and status == 500"), Anything);
}

TEST(Verdicts, NothingComesBehindAnAttemptThatHangsUntilTheDeadline) {
  const auto policy = [](const char* total) {
    return std::string("upstream a { url = \"http://a\" repeat_safe = true attempt_timeout = ") + total +
           " retry { max_retries = 1 when error == attempt_timeout } }\nroute r { to = a deadline = 2s }\n";
  };
  const auto hangs = [](Random&) {
    Plan plan;
    plan.answers = std::nullopt;
    return plan;
  };
  ExpectNever("PL0202", "record_retry", policy("2s"), policy("1s"), hangs, 50);
}

TEST(Verdicts, ALimitBehindAttemptTimeoutNeverStrikes) {
  const auto policy = [](const char* idle) {
    return std::string("upstream a { url = \"http://a\" timeouts { idle = ") + idle + " total = 1s } }\n";
  };
  ExpectNever("PL0209", "idle_timeout", policy("1001ms"), policy("500ms"), [](Random& random) {
    Plan plan = AnyPlan(random, 1s);
    plan.error = ErrorKind::k_reset;
    if (random.Fraction() < 0.7) plan.error = ErrorKind::kNone;
    return plan;
  });
}

TEST(Verdicts, ARuleForAnythingButSuccessStoresNothing) {
  const auto policy = [](const char* when) {
    return std::string("cache c { key = \"${client.ip} ${request.body}\" ttl = 1min store when ") + when +
           " }\nupstream a { url = \"http://a\" fallback = [c] }\n";
  };
  ExpectNever("PL0404", "store c", policy("status in {404, 500} or status == 304"), policy("status in {203, 299}"),
              Anything);
  ExpectNever("PL0404", "store c", policy("is_fallback"), policy("not is_fallback"), Anything);
}

TEST(Verdicts, AFallbackBehindThoseOfAllRoutesIsNeverUsed) {
  const auto policy = [](const char* last) {
    return std::string(
               "reply one { status = 599 header[\"Retry-After\"] = \"1\" }\nreply two { status = 599 "
               "header[\"Retry-After\"] = \"1\" }\nupstream a { url = \"http://a\" attempt_timeout = 1s fallback = "
               "[one] }\n"
               "route b { when request.path == \"/b\" to = a fallback = [two] }\nroute r { to = a ") +
           last + " }\n";
  };
  ExpectNever("PL0402", "send_reply one", policy("fallback = [two]"), policy(""), Anything);
}

TEST(Verdicts, AServerThatHangsNeverOpensABreakerWithTooFewPlaces) {
  const auto policy = [](const char* window) {
    return std::string(
               "upstream a { url = \"http://a\" attempt_timeout = 20s max_in_flight = 1 breaker { open when "
               "failed_requests(") +
           window + ") >= 5 open_for = 20s } }\n";
  };
  const auto hangs = [](Random&) {
    Plan plan;
    plan.answers = std::nullopt;
    return plan;
  };
  ExpectNever("PL0501", "record_breaker", policy("60s"), policy("81s"), hangs, 60, 1);
}

TEST(Verdicts, ARuleWhosePartsContradictNeverOpens) {
  const auto policy = [](const char* requests) {
    return std::string(
               "upstream a { url = \"http://a\" attempt_timeout = 1s breaker { open when failed_requests(60s) >= 5 and "
               "requests(60s) ") +
           requests + " open_for = 20ms } }\n";
  };
  ExpectNever("PL0501", "record_breaker", policy("< 5"), policy(">= 5"), Anything);
}

TEST(Verdicts, NoAttemptIsSlowerThanItMayBe) {
  const auto policy = [](const char* over) {
    return std::string(
               "upstream a { url = \"http://a\" timeouts { total = 1s } breaker { open when slow_ratio(60s, over: ") +
           over + ") > 50% and requests(60s) >= 5 open_for = 20ms } }\n";
  };
  const auto slow = [](Random&) {
    Plan plan;
    plan.answers = std::nullopt;
    return plan;
  };
  ExpectNever("PL0501", "record_breaker", policy("1001ms"), policy("500ms"), slow, 60);
}

TEST(Verdicts, ARuleWithoutRefusalsNeverOpensForAServerThatIsDown) {
  const auto policy = [](const char* errors) {
    return std::string(
               "upstream a { url = \"http://a\" attempt_timeout = 1s breaker { open when failed_requests(60s) >= 5 "
               "open_for = 20ms "
               "failure when status in 5xx or error in {timeout, stream_error") +
           errors + "} } }\n";
  };
  const auto down = [](Random&) {
    Plan plan;
    plan.connects = plan.answers = 0ns;
    plan.error = ErrorKind::k_refused;
    return plan;
  };
  ExpectNever("PL0508", "record_breaker", policy(""), policy(", refused, reset"), down, 60);
}

TEST(Verdicts, ARouteBehindOthersThatTakeItAllIsNeverReached) {
  const auto policy = [](const char* early) {
    return std::string(
               "upstream a { url = \"http://a\" attempt_timeout = 1s }\nupstream b { url = \"http://b\" "
               "attempt_timeout = 1s }\n"
               "route one { when request.path == \"/a\" to = a }\nroute two { when ") +
           early +
           " to = a }\nroute late { when request.path in {\"/a\", \"/b\"} and request.method == POST to = b }\nroute "
           "rest { to = a }\n";
  };
  ExpectNever("PL0701", "start b", policy("request.path == \"/b\""), policy("request.path == \"/c\""), Anything);
}

// ---- The worst case -------------------------------------------------------------------------------------------------

// When the last command of an exchange came, by the times in front of each line.
int64_t EndOf(const std::string& told) {
  int64_t last = 0;
  for (size_t at = 0; at < told.size(); at = told.find('\n', at) + 1) {
    if (told[at] >= '0' && told[at] <= '9') last = std::stoll(told.substr(at));
  }
  return last;
}

const std::string kFounding =
    "upstream a { url = \"http://a\" attempt_timeout = 15s repeat_safe = true retry { max_retries = 2 when status in "
    "5xx or "
    "error in {connect_failure, refused} wait = exponential(from: 500ms, factor: 2, cap: 2s) } }\n";

int64_t BoundOf(const VirtualStory& story, const std::string& route_name) {
  const auto& policy = story.compiled().policy;
  for (const auto& route : policy.routes) {
    if (route.name != route_name) continue;
    // What is asked here brings no stream that flows.
    const auto bounds = compiler::analysis::Bounds(policy).Of(route);
    const bool is_bounded = bounds.latency.value().high != compiler::analysis::kMost;
    return (is_bounded ? bounds.latency : bounds.latency_uncut).value().high / 1'000'000;
  }
  return -1;
}

TEST(WorstCase, OfTheFoundingPolicyIsReachedByThreeLateErrors) {
  VirtualStory story(WithGateway(kFounding));
  EXPECT_EQ(BoundOf(story, "default"), 46'500);
  Plan late = coverage::Status(503);
  late.connects = 0ms;
  late.answers = 14'999ms;
  late.content = late.ends = 0ms;
  EXPECT_EQ(EndOf(story.Send(late)), 46'497);
}

TEST(WorstCase, IsNotExceededWhateverAttemptsMeet) {
  const std::string policies[] = {
      kFounding,
      "upstream a { url = \"http://a\" attempt_timeout = 2s on_cut = continue repeat_safe = true retry { max_retries = "
      "1 when "
      "status in 5xx honour = retry_after(cap: 1s) } }\nupstream b { url = \"http://b\" timeouts { first_token = 1s "
      "total = "
      "3s } }\nmock m { delay = 700ms text = \"x\" }\nroute default { to = [a, b] fallback = [m] }\n",
      "upstream a { url = \"http://a\" attempt_timeout = 2s repeat_safe = true retry { max_retries = 3 when error in "
      "timeout or "
      "status == 500 } }\nmock m { delay = 700ms text = \"x\" }\nroute default { to = a fallback = [m] deadline = 4s "
      "}\n"};
  for (const std::string& policy : policies) {
    VirtualStory story(WithGateway(policy));
    const int64_t bound = BoundOf(story, "default");
    ASSERT_GT(bound, 0);
    Random random(11);
    int64_t longest = 0;
    for (int i = 0; i < kExchanges; ++i) {
      Request request;
      request.wants_stream = random.Fraction() < 0.5;
      const auto told = story.Send([&](const std::string&, int) { return AnyPlan(random, 2s); }, request);
      EXPECT_LE(EndOf(told), bound) << policy << told;
      longest = std::max(longest, EndOf(told));
    }
    EXPECT_GE(longest, 2'000) << policy;  // slow ones were among them
  }
}

}  // namespace
}  // namespace tests::simulation
