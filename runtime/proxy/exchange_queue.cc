// One of the max_in_flight places of an upstream: waiting for it, giving it back. The news of it may come from the loop of
// another worker (Limiter::OnNews), so it travels as that of caches does.
#include "compiler/abi/fact_table.h"
#include "runtime/proxy/exchange.h"

namespace runtime::proxy {

void Exchange::On(const engine::WaitForPlace& command) {
  const uint64_t id = worker_.AddFollower([this] {
    waiter_.reset();
    if (phase_ == Phase::kRunning) Dispatch(engine::PlaceNews{});
  });
  waiter_ = id;
  const auto wake = worker_.WakeUp(id);
  if (!worker_.gateway.objects.limiter(command.upstream)->OnNews(command.place, wake)) wake();  // it was quicker
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
