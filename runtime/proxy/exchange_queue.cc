// What is waited for before an attempt: one of the max_in_flight places of an upstream, or the load of its model. The news may
// come from the loop of another worker, so it travels as that of caches does.
#include <functional>

#include "compiler/abi/fact_table.h"
#include "runtime/proxy/exchange.h"

namespace runtime::proxy {

std::function<void()> Exchange::WakeFor(const engine::Event& news) {
  const uint64_t id = worker_.AddFollower([this, news] {
    waiter_.reset();
    if (phase_ == Phase::kRunning) Dispatch(news);
  });
  waiter_ = id;
  return worker_.WakeUp(id);
}

void Exchange::On(const engine::WaitForPlace& command) {
  const auto wake = WakeFor(engine::PlaceNews{});
  if (!worker_.gateway.objects.limiter(command.upstream)->OnNews(command.place, wake)) wake();  // it was quicker
}

void Exchange::On(const engine::StartLoad& command) { worker_.start_load(command.upstream, command.model); }

void Exchange::On(const engine::WaitForLoad& command) {
  const auto wake = WakeFor(engine::LoadNews{});
  if (!worker_.gateway.objects.loads(command.upstream)->OnNews(command.waiter, wake)) wake();
}

void Exchange::On(const engine::NoteLoadWait& command) {
  record_.loading += command.waited;
  worker_.metrics.Observe(HistogramId::kLoadWait, static_cast<size_t>(command.upstream.value), command.waited);
}

void Exchange::On(const engine::StopWaiting&) {
  if (waiter_) worker_.RemoveFollower(*waiter_);
  waiter_.reset();
}

void Exchange::On(const engine::ReleasePlace& command) {
  worker_.gateway.objects.limiter(command.upstream)->Release(command.place, worker_.transport.Now());
}

void Exchange::On(const engine::NoteQueued& command) {
  record_.queued += command.waited;
  const auto& upstream = worker_.policy().upstreams[command.upstream];
  if (command.error == ErrorKind::kNone || command.waited > base::Duration::zero()) {
    worker_.metrics.Observe(HistogramId::kQueue, static_cast<size_t>(command.upstream.value), command.waited);
  }
  if (command.error == ErrorKind::kNone) return;
  worker_.metrics.CountBy(CounterById::kQueueRefused,
                          upstream.name + std::string(1, '\0') + std::string(compiler::abi::Name(command.error)));
}

}  // namespace runtime::proxy
