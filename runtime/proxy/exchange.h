// One request and its answer: conducts. Chooses the route, tells the ExchangeMachine what happens, carries out its commands and
// joins the objects that own the rest:
//
//   RequestBody      what the client sent: kept, streaming, rewritten
//   UpstreamAnswer   what an upstream answers: frames, content, end, failure
//   ClientAnswer     what the client gets; the only writer towards it
//   ExchangeRecorder log and metrics
//
// | phase       | what its connection may tell                    | what an attempt may tell               |
// | ----------- | ----------------------------------------------- | -------------------------------------- |
// | ReadingBody | more of the body, its end                       | nothing: there is none                 |
// | Running     | the same of a body that streams                 | anything, while there is one           |
// | Over        | nothing of the body                             | nothing                                |
//
// That its client is gone or has read, that a time is reached or the gateway stops may be told in each, and means nothing where it is over.
// Whatever ends an exchange is an event of the machine. Ended exchanges are handed to Transport::DeleteLater: they end inside
// their own callbacks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/recycled.h"
#include "compiler/abi/facts.h"
#include "runtime/dialect/dialect.h"
#include "runtime/engine/exchange_machine.h"
#include "runtime/http/facts_from_message.h"
#include "runtime/http/message.h"
#include "runtime/proxy/attempt.h"
#include "runtime/proxy/client_answer.h"
#include "runtime/proxy/exchange_host.h"
#include "runtime/proxy/exchange_recorder.h"
#include "runtime/proxy/gateway_answers.h"
#include "runtime/proxy/memory_budget.h"
#include "runtime/proxy/request_body.h"
#include "runtime/proxy/upstream_answer.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {

class Exchange final : public AttemptObserver, public AnswerListener, public net::Deletable, public base::Recycled<Exchange> {
 public:
  Exchange(WorkerContext& worker, ExchangeHost& host, const ExchangeRequest& request);
  ~Exchange() override;

  // The body, as it comes.
  void OnRequestBody(std::span<const std::string_view> pieces);
  void OnRequestEnd();

  void OnClientGone();      // no call of the host follows
  // Likewise: its body turned out to be wrong, and the client is told so with this status.
  void OnBodyRefused(int status, std::string_view reason);
  void OnClientDrained();   // what was queued towards the client is written
  void OnTimer();
  std::optional<base::TimePoint> NextDeadline() const;

  // The gateway stops, and its time to drain is over: an answer that was begun is broken off, a request that waits is told so.
  void Stop();

  std::string_view request_id() const { return request_.request_id; }
  bool answer_begun() const { return client_.has_begun(); }

 private:
  enum class Phase : uint8_t { kReadingBody, kRunning, kOver };

  // AttemptObserver
  void OnAttemptConnected() override;
  void OnAttemptRequestSent() override;
  void OnAttemptInterim(const http::ResponseHead& head) override;
  void OnAttemptHead(const http::ResponseHead& head) override;
  void OnAttemptBody(std::span<const std::string_view> pieces) override;
  void OnAttemptReadOver() override;
  void OnAttemptEnd(bool framing_tells) override;
  void OnAttemptFailed(ErrorKind error, bool is_reuse_race) override;
  void OnAttemptDrained() override;

  // AnswerListener
  void OnAnswerHead(const http::ResponseHead& head) override;
  void OnAnswerContent() override;
  void OnAnswerBytes(std::span<const std::string_view> pieces) override;
  void OnAnswerJson(std::string_view json) override;
  void OnAnswerFrame(const dialect::Frame& frame) override;
  void OnAnswerOutput(bool is_frame) override;
  void OnAnswerComplete(bool is_complete) override;
  void OnAnswerJudged(bool is_empty, bool prompt_too_long) override;
  void OnAnswerSent(engine::Continuation possible) override;

  // The request.
  void Begin();
  void Refuse(const engine::Refusal& refusal);
  std::optional<engine::Refusal> ReadRequest();  // fills the facts, chooses the route
  std::optional<engine::Refusal> DecodeBody();
  bool IsRefusedForOthers();
  bool MayHaveMembers() const;
  engine::RequestReady Describe();
  const dialect::ClientDialect& ClientReads();
  dialect::Api ApiOfAnswer(UpstreamId id);
  std::string_view EndpointPath() const;
  bool ReadsAnswer();  // looks into what the upstream answers: its end is told by its content
  std::string ModelAt(UpstreamId id);
  std::vector<std::string> PatchesFor(UpstreamId id);
  size_t MostCopied() const;
  bool ReadsBodyAnyway();
  bool HoldMemory();
  void KeepRefusal();
  void RefuseForMemory();
  void ObserveWhoIsAwaited();
  void TellDeadline();
  void TellDeadlineUnlessReading(const Attempt* attempt);
  engine::CacheUse UseOfCaches();
  void LetFollowersGoIfNotKept();
  void LetFollowersGo();

  void CheckAttempt(std::string_view event) const;  // there is one that can tell it

  // The machine.
  void Dispatch(engine::Event&& event);
  void NoteWordsOfFailure();
  void GiveUp(observe::EndedHow how);
  void Over();
  void On(const engine::StartAttempt& command);
  void On(const engine::AbortAttempt& command);
  void On(const engine::CommitAnswer& command);
  void On(const engine::ResumeAnswer& command);
  void On(const engine::SendKeepAlive& command);
  void On(const engine::FinishAnswer& command);
  void On(const engine::BreakOffAnswer& command);
  void On(const engine::StoreAnswer& command);
  void On(const engine::EndCacheFlight& command);
  void On(const engine::WaitForPlace& command);
  void On(const engine::StartLoad& command);
  void On(const engine::WaitForLoad& command);
  void On(const engine::StopWaiting& command);
  void On(const engine::ReleasePlace& command);
  void On(const engine::FollowCache& command);
  void On(const engine::UnfollowCache& command);
  void On(const engine::SendReply& command);
  void On(const engine::SendCached& command);
  void On(const engine::SendMock& command);
  void On(const engine::SendError& command);
  template <typename Recorded>
  void On(const Recorded& command) { recorder_.Record(command); }
  std::function<void()> WakeFor(const engine::Event& news);
  void StopFollowing();

  // Attempts and answers.
  std::optional<engine::Refusal> PrepareBody(const engine::StartAttempt& command);
  void BeginAnswer(const engine::StartAttempt& command);
  Attempt::Request MakeRequest(const engine::StartAttempt& command);
  void DropAttempt();
  void EndAttempt();
  void Conclude(const AnswerStep& step, bool is_reuse_race = false);
  void HoldBackIfFull();
  void SendLocal(LocalAnswer answer);
  void FailInStream(std::string_view body, std::string_view reason, std::string_view message);
  void MarkAsFallback(std::string_view name, std::string_view reason, size_t metric_index, LocalAnswer* answer);
  HeadTerms TermsOfHead(bool needs_date = true);
  CopyTerms TermsOfCopy(UpstreamId id) const;
  AnswerReaderTerms TermsOfReader(std::string_view now);

  WorkerContext& worker_;
  ExchangeHost& host_;
  const ExchangeRequest request_;
  Phase phase_ = Phase::kReadingBody;

  compiler::abi::Facts facts_;
  std::unique_ptr<ExchangeMemory> memory_;  // lent by the worker
  http::MessageFacts& message_facts_;       // in it
  std::string response_json_;  // what response.json borrows from
  compiler::model::RouteId route_;
  std::optional<dialect::ClientDialect> client_reads_;

  engine::ExchangeMachine machine_;
  std::vector<engine::Event>& events_;  // not yet told
  engine::Commands& commands_;          // of the event that is being told
  bool dispatching_ = false;
  bool in_head_ = false;               // the body that came with the head of the answer is told next
  bool deadline_waits_ = false;        // it may have changed: looked at when all is told of what was read

  RequestBody body_;
  UpstreamAnswer answer_;
  ClientAnswer client_;
  ExchangeRecorder recorder_;

  std::unique_ptr<Attempt> attempt_;
  bool body_is_decoded_ = false;
  int refused_status_ = 0;  // told to the client by its connection
  UpstreamId attempt_upstream_;
  int attempt_number_ = 0;
  base::TimePoint attempt_started_;
  std::optional<observe::UpstreamInFlight> in_flight_;

  struct Followed {
    compiler::model::CacheId cache;
    std::string key;
    uint64_t follower = 0;
  };
  std::optional<Followed> followed_;
  int refusal_status_ = 0;  // of the last answer that another upstream was to better, which is in memory_; 0: there is none
  MemoryBudget::Holding held_memory_;
  std::optional<uint64_t> memory_follower_;  // hears that it is to give way
  bool client_is_awaited_ = false;
  std::optional<base::TimePoint> refusal_told_by_;  // its body, which may say more, is waited for until then
  bool body_has_begun_ = false;  // of this attempt's answer
  bool is_stored_ = false;  // an answer of this exchange is in the cache that it leads
  std::optional<uint64_t> waiter_;  // for a place in a queue or a model, among the worker's followers
};

}  // namespace runtime::proxy
