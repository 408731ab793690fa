#include "runtime/proxy/attempt_tail.h"

#include <utility>

#include "runtime/proxy/limits.h"

namespace runtime::proxy {

AttemptTail::AttemptTail(WorkerContext& worker, std::unique_ptr<Attempt> attempt, std::function<void(AttemptTail*)> over)
    : keeps_(worker.shared_from_this()), attempt_(std::move(attempt)), over_(std::move(over)), timer_(worker.transport.NewTimer([this] { End(); })) {
  attempt_->HandOver(*this);
  attempt_->ResumeReading();
  timer_->Set(worker.transport.Now() + kAnswerEndTime);
}

AttemptTail::~AttemptTail() = default;

// Comments, a usage that nobody waits for. A server that goes on talking is let go of.
void AttemptTail::OnAttemptBody(std::span<const std::string_view> pieces) {
  for (const std::string_view piece : pieces) surplus_ += piece.size();
  if (surplus_ > kMaxHeldBytes) End();
}

void AttemptTail::OnAttemptEnd(bool) { End(); }

void AttemptTail::OnAttemptFailed(ErrorKind, bool) { End(); }

void AttemptTail::End() {
  timer_.reset();
  if (!attempt_->is_over()) attempt_->Abort();
  if (const auto over = std::exchange(over_, nullptr)) over(this);
}

}  // namespace runtime::proxy
