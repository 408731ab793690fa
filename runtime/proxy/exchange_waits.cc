// What is waited for before an attempt: one of the max_in_flight places of an upstream, the load of its model, another exchange's
// flight of a cache. The news may come from the loop of another worker.
#include <functional>
#include <utility>

#include "base/check.h"
#include "runtime/proxy/exchange.h"

namespace runtime::proxy {
namespace {

// What a command names is there.
engine::Limiter& LimiterOf(const WorkerContext& worker, UpstreamId id) {
  return base::Existing(worker.gateway.objects.limiter(id), "limiter", "of an exchange that waits");
}
engine::ModelLoads& LoadsOf(const WorkerContext& worker, UpstreamId id) {
  return base::Existing(worker.gateway.objects.loads(id), "loads of models", "of an exchange that waits");
}
engine::Cache& CacheOf(const WorkerContext& worker, compiler::model::CacheId id) {
  return base::Existing(worker.gateway.objects.cache(id), "cache", "of an exchange that waits");
}

}  // namespace

std::function<void()> Exchange::WakeFor(const engine::Event& news) {
  const uint64_t id = worker_.AddFollower([this, news] {
    if (phase_ == Phase::kRunning) Dispatch(engine::Event(news));
  });
  waiter_ = id;
  return worker_.WakeUp(id);
}

void Exchange::On(const engine::StopWaiting&) {
  if (const auto waiter = std::exchange(waiter_, std::nullopt)) worker_.RemoveFollower(*waiter);
}

// ---- A place, a model ------------------------------------------------------------------------------------------------

void Exchange::On(const engine::WaitForPlace& command) {
  const auto wake = WakeFor(engine::PlaceNews{});
  if (!LimiterOf(worker_, command.upstream).OnNews(command.place, wake)) wake();  // it was quicker
}

void Exchange::On(const engine::ReleasePlace& command) {
  LimiterOf(worker_, command.upstream).Release(command.place, worker_.transport.Now(), command.client_time);
}

void Exchange::On(const engine::StartLoad& command) { worker_.start_load(command.upstream, command.model); }

void Exchange::On(const engine::WaitForLoad& command) {
  const auto wake = WakeFor(engine::LoadNews{});
  if (!LoadsOf(worker_, command.upstream).OnNews(command.waiter, wake)) wake();
}

// ---- Another exchange's flight ---------------------------------------------------------------------------------------

void Exchange::On(const engine::EndCacheFlight& command) {
  CacheOf(worker_, command.cache).EndFlight(command.key, is_stored_);
}

void Exchange::On(const engine::FollowCache& command) {
  const uint64_t id = worker_.AddFollower([this] {
    if (phase_ == Phase::kRunning) Dispatch(engine::CacheSettled{});
  });
  followed_ = Followed{command.cache, command.key, id};
  const auto wake = worker_.WakeUp(id);
  if (!CacheOf(worker_, command.cache).Follow(command.key, id, wake)) wake();  // the leader was quicker
}

void Exchange::On(const engine::UnfollowCache&) { StopFollowing(); }

void Exchange::StopFollowing() {
  const auto followed = std::exchange(followed_, std::nullopt);
  if (!followed) return;
  CacheOf(worker_, followed->cache).Unfollow(followed->key, followed->follower);
  worker_.RemoveFollower(followed->follower);
}

}  // namespace runtime::proxy
