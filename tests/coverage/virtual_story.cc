// Drives ExchangeMachine as the proxy does, on a clock that jumps to the next thing that happens.
#include "tests/coverage/virtual_story.h"

#include <deque>
#include <stdexcept>
#include <utility>

#include "compiler/diagnostics/render.h"
#include "compiler/source/source_buffer.h"
#include "tests/support/describe_command.h"

namespace tests::coverage {
namespace {

namespace engine = runtime::engine;
namespace abi = compiler::abi;
using compiler::model::RouteId;

std::string Render(const std::string& policy, const compiler::diagnostics::Diagnostics& diagnostics) {
  if (diagnostics.empty()) return "";
  const compiler::source::SourceBuffer source("walk.policy", policy);
  return compiler::diagnostics::RenderAll(source, diagnostics, {});
}

// What is still to come of the attempt that is under way.
using Upcoming = std::deque<std::pair<TimePoint, engine::Event>>;

Upcoming EventsOf(const Plan& plan, TimePoint at) {
  Upcoming events;
  const auto add = [&](const std::optional<Duration>& after, engine::Event event) {
    if (!after) return false;
    at += *after;
    events.emplace_back(at, std::move(event));
    return true;
  };
  if (!add(plan.connects, engine::AttemptConnected{})) return events;
  events.emplace_back(at, engine::AttemptRequestSent{});
  if (plan.error != ErrorKind::kNone) {
    add(plan.answers, engine::AttemptFailed{plan.error, false});
    return events;
  }
  if (!add(plan.answers, engine::AttemptHead{plan.status, plan.retry_after})) return events;
  if (!add(plan.content, engine::AttemptContent{})) return events;
  add(plan.ends, engine::AttemptEnded{});
  return events;
}

}  // namespace

std::string Findings(const std::string& policy, bool for_run) {
  compiler::diagnostics::Diagnostics diagnostics;
  compiler::CompileOptions options;
  options.for_run = for_run;
  compiler::CheckPolicy(policy, options, &diagnostics);
  return Render(policy, diagnostics);
}

VirtualStory::VirtualStory(const std::string& policy) {
  compiler::diagnostics::Diagnostics diagnostics;
  compiler::CompileOptions options;
  options.for_run = true;
  compiled_ = compiler::CompileInterpreted(policy, options, &diagnostics);
  if (compiled_ == nullptr) throw std::runtime_error("the policy does not compile:\n" + Render(policy, diagnostics));
  objects_ = std::make_unique<engine::EngineObjects>(*compiled_);
}

std::string VirtualStory::Send(const Plan& plan, const Request& request) {
  return Send([&plan](const std::string&, int) { return plan; }, request);
}

std::string VirtualStory::Send(const Planner& plan, const Request& request) {
  const compiler::model::Policy& policy = compiled_->policy;
  abi::Facts facts;
  facts.request_method = static_cast<int32_t>(request.method);
  facts.request_path = abi::Str::Of(request.path);
  facts.request_body = abi::Str::Of(request.body);
  engine::RequestReady ready;
  ready.takes_keep_alive = request.wants_stream;
  ready.wants_stream = request.wants_stream;
  for (int32_t i = 0; i < static_cast<int32_t>(policy.routes.size()) && !ready.route.has_value(); ++i) {
    const auto& when = policy.routes[RouteId(i)].when;
    if (!when || compiled_->predicates.Test(*when, facts)) ready.route = RouteId(i);
  }

  const TimePoint arrived = now_;
  engine::ExchangeMachine machine(*compiled_, *objects_, random_, &facts, arrived);
  std::string story;
  Upcoming upcoming;
  engine::Event event = ready;
  while (true) {
    engine::Commands commands;
    machine.Handle(event, now_, &commands);
    for (const engine::Command& command : commands) {
      const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now_ - arrived).count();
      story += std::to_string(ms) + "ms " + Describe(command, policy) + "\n";
      if (std::holds_alternative<engine::CommitAnswer>(command)) machine.ObserveSent(engine::Continuation::kPrefill);
      if (const auto* start = std::get_if<engine::StartAttempt>(&command)) {
        upcoming = EventsOf(plan(policy.upstreams[start->upstream].name, start->number), now_);
      } else if (std::holds_alternative<engine::AbortAttempt>(command)) {
        upcoming.clear();
      } else if (const auto* place = std::get_if<engine::ReleasePlace>(&command)) {
        objects_->limiter(place->upstream)->Release(place->place, now_, place->client_time);
      } else if (const auto* store = std::get_if<engine::StoreAnswer>(&command)) {
        const bool kept =
            objects_->cache(store->cache)->Store(store->key, {200, {}, std::string(stored_bytes, 'x'), {}}, now_);
        story += kept ? "kept\n" : "not kept\n";
      } else if (const auto* flight = std::get_if<engine::EndCacheFlight>(&command)) {
        objects_->cache(flight->cache)->EndFlight(flight->key);
      }
    }
    if (machine.done()) return story;

    const std::optional<TimePoint> deadline = machine.NextDeadline();
    if (!upcoming.empty() && (!deadline || upcoming.front().first <= *deadline)) {
      now_ = std::max(now_, upcoming.front().first);
      event = upcoming.front().second;
      upcoming.pop_front();
    } else if (deadline) {
      now_ = std::max(now_, *deadline);
      event = engine::TimeReached{};
    } else {
      throw std::runtime_error("the exchange is stuck after\n" + story);
    }
  }
}

}  // namespace tests::coverage
