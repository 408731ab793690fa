// A stage for tests of ExchangeMachine: one policy, its breakers and caches, any number of exchanges, times written
// down in ms since the start. What an event led to comes back as lines (tests/support/describe_command.h).
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/engine/exchange_machine.h"
#include "tests/support/describe_command.h"
#include "tests/support/policy_builder.h"

namespace tests {

using namespace std::chrono_literals;  // NOLINT: times in tests
using base::TimePoint;
using runtime::engine::AttemptConnected;
using runtime::engine::AttemptContent;
using runtime::engine::AttemptEnded;
using runtime::engine::AttemptFailed;
using runtime::engine::AttemptHead;
using runtime::engine::AttemptRequestSent;
using runtime::engine::BreakerState;
using runtime::engine::CacheSettled;
using runtime::engine::ClientGone;
using runtime::engine::ErrorKind;
using runtime::engine::PlaceNews;
using runtime::engine::RequestReady;
using runtime::engine::TimeReached;
using Lines = std::vector<std::string>;

inline TimePoint At(std::chrono::nanoseconds since_start) { return TimePoint(std::chrono::hours(1)) + since_start; }

class Scene {
 public:
  explicit Scene(std::unique_ptr<compiler::CompiledPolicy> p) : owned(std::move(p)), policy(*owned), objects(policy) {}
  explicit Scene(const compiler::CompiledPolicy& p) : policy(p), objects(policy) {}  // must outlive it

  std::unique_ptr<compiler::CompiledPolicy> owned;
  const compiler::CompiledPolicy& policy;
  runtime::engine::EngineObjects objects;
  base::Random random{1};

  runtime::engine::Breaker& breaker(int32_t upstream = 0) { return *objects.breaker(model::UpstreamId(upstream)); }
  runtime::engine::Limiter& limiter(int32_t upstream = 0) { return *objects.limiter(model::UpstreamId(upstream)); }
  BreakerState StateAt(std::chrono::nanoseconds t, int32_t upstream = 0) { return breaker(upstream).Look(At(t)).state; }
};

class TestExchange {
 public:
  TestExchange(Scene& scene, std::chrono::nanoseconds arrived, abi::Method method = abi::Method::kPOST)
      : scene_(scene) {
    facts.request_method = static_cast<int32_t>(method);
    facts.request_body = abi::Str::Of("question");
    machine_ = std::make_unique<runtime::engine::ExchangeMachine>(scene.policy, scene.objects, scene.random, &facts,
                                                                  At(arrived));
  }

  // Handles one event at t. StoreAnswer, the flights of caches and places are carried out, the rest is only written down.
  Lines On(std::chrono::nanoseconds t, const runtime::engine::Event& event) {
    runtime::engine::Commands commands;
    machine_->Handle(event, At(t), &commands);
    Lines lines;
    for (const runtime::engine::Command& command : commands) {
      lines.push_back(Describe(command, scene_.policy.policy));
      if (const auto* c = std::get_if<runtime::engine::StoreAnswer>(&command)) {
        scene_.objects.cache(c->cache)->Store(c->key, {200, {}, "stored answer", {}}, At(t));
      } else if (const auto* e = std::get_if<runtime::engine::EndCacheFlight>(&command)) {
        scene_.objects.cache(e->cache)->EndFlight(e->key);
      } else if (const auto* f = std::get_if<runtime::engine::FollowCache>(&command)) {
        EXPECT_TRUE(scene_.objects.cache(f->cache)->Follow(f->key, 1, [this] { ++wake_ups; }));
      } else if (const auto* w = std::get_if<runtime::engine::WaitForPlace>(&command)) {
        if (!scene_.objects.limiter(w->upstream)->OnNews(w->place, [this] { ++wake_ups; })) ++wake_ups;
      } else if (const auto* l = std::get_if<runtime::engine::WaitForLoad>(&command)) {
        if (!scene_.objects.loads(l->upstream)->OnNews(l->waiter, [this] { ++wake_ups; })) ++wake_ups;
      } else if (const auto* r = std::get_if<runtime::engine::ReleasePlace>(&command)) {
        scene_.objects.limiter(r->upstream)->Release(r->place, At(t), r->client_time);
      } else if (const auto* u = std::get_if<runtime::engine::UnfollowCache>(&command)) {
        scene_.objects.cache(u->cache)->Unfollow(u->key, 1);
      }
    }
    return lines;
  }
  Lines Ready(std::chrono::nanoseconds t, int32_t route = 0) {
    return On(t, RequestReady{model::RouteId(route), true, false});
  }

  // A whole successful answer at once.
  void Succeed(std::chrono::nanoseconds t) {
    On(t, AttemptConnected{});
    On(t, AttemptRequestSent{});
    On(t, AttemptHead{200});
    On(t, AttemptContent{});
    On(t, AttemptEnded{});
  }

  std::optional<std::chrono::nanoseconds> next_deadline() const {
    const auto deadline = machine_->NextDeadline();
    return deadline ? std::optional(*deadline - At(0ns)) : std::nullopt;
  }
  bool done() const { return machine_->done(); }
  void ObserveProgress(std::chrono::nanoseconds t) { machine_->ObserveProgress(At(t)); }
  void ObserveContent(std::chrono::nanoseconds t) { machine_->ObserveContent(At(t)); }
  void ObserveClientAwaited(bool is_awaited, std::chrono::nanoseconds t) { machine_->ObserveClientAwaited(is_awaited, At(t)); }
  void ObserveComplete(std::chrono::nanoseconds t) { machine_->ObserveComplete(At(t)); }
  void ObserveSent(runtime::engine::Continuation possible) { machine_->ObserveSent(possible); }
  void Destroy() { machine_.reset(); }
  runtime::engine::ExchangeMachine& machine() { return *machine_; }

  abi::Facts facts;
  int wake_ups = 0;

 private:
  Scene& scene_;
  std::unique_ptr<runtime::engine::ExchangeMachine> machine_;
};

// Runs a request that fails at every attempt with `error`, from t on; ends at its final answer. Only for founding-like
// waits.
inline void FailRequest(Scene& scene, std::chrono::nanoseconds t, ErrorKind error = ErrorKind::k_refused) {
  TestExchange exchange(scene, t);
  exchange.Ready(t);
  while (!exchange.done()) {
    exchange.On(t, AttemptFailed{error, false});
    if (!exchange.done()) {
      t = *exchange.next_deadline();
      exchange.On(t, TimeReached{});
    }
  }
}

}  // namespace tests
