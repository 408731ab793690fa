// The policies that tests of ExchangeMachine share: the founding one, one upstream with a retry, two in a row, a cache
// in front.
#pragma once

#include <memory>

#include "tests/runtime/engine/machine_scene.h"

namespace tests {

class FoundingPolicy : public testing::Test {
 protected:
  FoundingPolicy() {
    PolicyBuilder b;
    ids_ = AddFoundingPolicy(&b);
    scene_ = std::make_unique<Scene>(b.Build());
  }
  Scene& scene() { return *scene_; }

  FoundingIds ids_;
  std::unique_ptr<Scene> scene_;
};

class OneUpstream : public testing::Test {
 protected:
  OneUpstream() {
    a = b.Upstream("a");
    model::RetrySettings retry;
    retry.max_retries = 1;
    retry.when = b.When(expr::Or(expr::StatusIn({{429, 429}, {500, 599}}),
                                 expr::ErrorIn({ErrorKind::k_refused, ErrorKind::k_reset, ErrorKind::k_idle_timeout})));
    retry.wait = {100ms, 2, 1s, 0};
    b[a].retry = retry;
    b[a].timeouts = {2s, 4s, 3s, 20s};
    route = b.Route({a});
  }
  Scene& scene() {
    if (scene_ == nullptr) scene_ = std::make_unique<Scene>(b.Build());
    return *scene_;
  }

  PolicyBuilder b;
  model::UpstreamId a;
  model::RouteId route;

 private:
  std::unique_ptr<Scene> scene_;
};

class TwoUpstreams : public testing::Test {
 protected:
  TwoUpstreams() {
    a = b.Upstream("a");
    c = b.Upstream("c");
    for (const model::UpstreamId id : {a, c}) {
      b[id].repeat_safe = model::RepeatSafe::kTrue;
      b[id].breaker = b.Breaker(abi::WindowMeasureKind::kFailures, 60s, 2, 30s, 1);
    }
    route = b.Route({a, c});
  }
  Scene& scene() {
    if (scene_ == nullptr) scene_ = std::make_unique<Scene>(b.Build());
    return *scene_;
  }

  PolicyBuilder b;
  model::UpstreamId a;
  model::UpstreamId c;
  model::RouteId route;

 private:
  std::unique_ptr<Scene> scene_;
};

class CacheInFront : public OneUpstream {
 protected:
  CacheInFront() {
    cache = b.Cache("answers", 10s);
    b[route].cache = cache;
    b[route].deadline = 30s;
  }
  model::CacheId cache;
};

}  // namespace tests
