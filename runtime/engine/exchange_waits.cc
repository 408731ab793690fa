// What a request may wait for before an attempt: the model to be loaded, one of the upstream's places; and how any wait is given up.
#include <algorithm>
#include <utility>

#include "runtime/engine/exchange_state.h"

namespace runtime::engine {
namespace {

// How long a request waits for a model before it goes where one is ready; a model that is there after all is known sooner.
constexpr Duration kTryOthersAfter = std::chrono::seconds(1);

}  // namespace

// False: it waits for nothing. What is done instead is the caller's to say.
bool ExchangeMachine::State::LeaveWait() {
  switch (phase) {
    case Phase::kFollowing:
      if (followed) Emit(UnfollowCache{followed->cache, followed->key});
      followed.reset();
      return true;  // no upstream was asked yet
    case Phase::kLoading: LeaveLoad(); break;
    case Phase::kQueued: LeaveQueue(ErrorKind::kNone); break;
    case Phase::kBackingOff: break;
    case Phase::kNew:
    case Phase::kAttempting:
    case Phase::kHeld:
    case Phase::kCommitted:
    case Phase::kContinuing:
    case Phase::kMocking:
    case Phase::kDone: return false;
  }
  EndVisit();
  return true;
}

// ---- For a model ----------------------------------------------------------------------------------------------------

// True: waits for the load. False: it is there, or it's better to ask.
bool ExchangeMachine::State::WaitForModel(UpstreamId id, int number, Continuation continuation) {
  asked_at = id;
  asked_model = model_at(id);
  ModelLoads* const loads = &LoadsOf(id);
  const ModelLoads::Entry entry = loads->Ask(asked_model, now);
  if (entry.answer == ModelLoads::Answer::kWarm) return false;
  if (entry.answer == ModelLoads::Answer::kBegin) Emit(StartLoad{id, asked_model});
  // In the middle of an answer, or after a load that came to nothing: it asks beside the load.
  if (continuation != Continuation::kNone || load_waited_at == id) {
    loads->Leave(entry.waiter);
    return false;
  }
  load_waited_at = id;
  const bool has_choice = position + 1 < route->to.size();
  loading = LoadWait{
      id, number, entry.waiter, now, has_choice ? now + kTryOthersAfter : TimePoint::max(), now + *loads->cold_load()};
  phase = Phase::kLoading;
  Emit(WaitForLoad{id, entry.waiter});
  return true;
}

void ExchangeMachine::State::OnLoadNews() {
  const LoadWait mine = Existing(loading, "load that is waited for");
  const ModelLoads::News news = LoadsOf(mine.upstream).Look(mine.waiter);
  if (news == ModelLoads::News::kLoading) {
    Emit(WaitForLoad{mine.upstream, mine.waiter});
    return;
  }
  EndLoadWait(news == ModelLoads::News::kOver);
  if (news == ModelLoads::News::kOver && TakePlace(mine.upstream, mine.number)) return;
  EndVisit();
  TryNextUpstream();
}

// The load takes its time: whoever can be served elsewhere goes there.
void ExchangeMachine::State::TryOthersWhileLoading() {
  if (!AnotherUpstreamWouldTakeIt(true)) {
    Existing(loading, "load that is waited for").try_others_at = now + kTryOthersAfter;
    return;
  }
  LeaveLoad();
  EndVisit();
  TryNextUpstream();
}

void ExchangeMachine::State::LeaveLoad() {
  Emit(StopWaiting{});
  EndLoadWait(false);
}

void ExchangeMachine::State::EndLoadWait(bool went_on) {
  const LoadWait mine = Existing(std::exchange(loading, std::nullopt), "load that is waited for");
  LoadsOf(mine.upstream).Leave(mine.waiter);
  Emit(RecordLoadWait{mine.upstream, now - mine.since, went_on});
  if (!went_on) trouble.last = {0, ErrorKind::k_first_token_timeout};
}

// What the attempt tells of its model.
void ExchangeMachine::State::ObserveModel(bool answered) {
  ModelLoads* const loads = objects.loads(attempt.upstream);
  if (loads == nullptr || asked_at != attempt.upstream) return;
  if (answered) loads->ObserveContent(asked_model, now);
  else loads->ObserveSilence(asked_model);
}

// ---- For a place ----------------------------------------------------------------------------------------------------

void ExchangeMachine::State::OnPlaceNews() {
  const QueuePlace mine = Existing(queued, "place that is waited for");
  if (LimiterOf(mine.upstream).HasSlot(mine.place)) {
    queued.reset();
    Emit(RecordQueued{mine.upstream, now - mine.since, ErrorKind::kNone});
    if (Launch(mine.upstream, mine.number, mine.place)) return;
  } else if (BreakerRefuses(mine.upstream)) {
    LeaveQueue(ErrorKind::kNone);
  } else {
    Emit(WaitForPlace{mine.upstream, mine.place});
    return;
  }
  EndVisit();
  TryNextUpstream();
}

void ExchangeMachine::State::LeaveQueue(ErrorKind error) {
  const QueuePlace mine = Existing(std::exchange(queued, std::nullopt), "place that is waited for");
  Emit(StopWaiting{});
  GiveBackUnused(mine.upstream, mine.place);
  if (error == ErrorKind::kNone) {
    Emit(RecordQueued{mine.upstream, now - mine.since, error});
  } else {
    RefusePlace(mine.upstream, now - mine.since, error, now);
  }
}

void ExchangeMachine::State::RefusePlace(UpstreamId id, Duration waited, ErrorKind error, TimePoint retry_at) {
  Emit(RecordQueued{id, waited, error});
  trouble.last = {0, error};
  trouble.retry_at = std::min(trouble.retry_at.value_or(retry_at), retry_at);
}

}  // namespace runtime::engine
