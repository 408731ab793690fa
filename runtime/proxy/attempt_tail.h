// The end of an attempt whose answer is over before HTTP says so: behind [DONE] or "done": true nothing belongs to it. Its client has it,
// its place is free; the connection is worth keeping if its end comes soon (kAnswerEndTime), and is closed if not.
#pragma once

#include <functional>
#include <memory>

#include "runtime/proxy/attempt.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {

class AttemptTail final : public AttemptObserver, public net::Deletable {
 public:
  // `over` is called once, when it is over, and hands it to Transport::DeleteLater. `worker` must outlive it.
  AttemptTail(WorkerContext& worker, std::unique_ptr<Attempt> attempt, std::function<void(AttemptTail*)> over);
  ~AttemptTail() override;

 private:
  void OnAttemptHead(const http::ResponseHead&) override {}
  void OnAttemptBody(std::span<const std::string_view> pieces) override;
  void OnAttemptEnd(bool framing_tells) override;
  void OnAttemptFailed(ErrorKind error, bool is_reuse_race) override;
  void End();

  const std::shared_ptr<WorkerContext> keeps_;  // of the generation that asked
  std::unique_ptr<Attempt> attempt_;
  std::function<void(AttemptTail*)> over_;
  std::unique_ptr<net::Timer> timer_;
  size_t surplus_ = 0;
};

}  // namespace runtime::proxy
