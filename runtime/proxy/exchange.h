// One request and its answer. Chooses the route, feeds the ExchangeMachine, carries out its commands and pumps bodies in both
// directions with back-pressure. Owns the machine, the attempt and the kept body; knows no socket of the client.
//
// Ended exchanges are handed to Transport::DeleteLater: they end inside their own callbacks.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/abi/facts.h"
#include "runtime/dialect/answer_reader.h"
#include "runtime/dialect/dialect.h"
#include "runtime/dialect/splice.h"
#include "runtime/engine/exchange_machine.h"
#include "runtime/http/facts_from_message.h"
#include "runtime/http/message.h"
#include "runtime/proxy/access_log.h"
#include "runtime/proxy/attempt.h"
#include "runtime/proxy/local_answer.h"
#include "runtime/proxy/worker_context.h"

namespace runtime::proxy {

// What becomes of the client's connection after an exchange.
enum class AfterExchange : uint8_t {
  kKeepAlive,
  kClose,   // the answer says so, or it was broken off in a framing that shows it
  kReset,   // broken off where a plain close would look like the end
};

// The client's connection, as an exchange sees it. Outlives the exchange's work (not its memory).
class ExchangeHost {
 public:
  virtual ~ExchangeHost() = default;
  virtual void SendToClient(std::span<const std::string_view> pieces) = 0;
  virtual size_t client_queued_bytes() const = 0;
  virtual void PauseRequestBody() = 0;
  virtual void ResumeRequestBody() = 0;
  virtual void OnDeadlineChanged() = 0;
  virtual void OnExchangeOver(AfterExchange next) = 0;  // last call
};

struct ExchangeRequest {
  const http::RequestHead& head;  // valid until OnExchangeOver
  std::string path;               // normalised
  std::string request_id;
  std::string client_ip;          // who asks: behind trusted proxies not who is connected
  base::TimePoint arrived;
  std::string_view peer_ip = {};  // who is connected
  bool client_tls = false;
  std::string_view forwarded_host = {};  // X-Forwarded-Host of a trusted proxy
};

class Exchange final : public AttemptObserver, public net::Deletable {
 public:
  Exchange(WorkerContext& worker, ExchangeHost& host, ExchangeRequest request);
  ~Exchange() override;

  // The body, as it comes. Start comes first, once.
  void Start();
  void OnRequestBody(std::span<const std::string_view> pieces);
  void OnRequestEnd();

  void OnClientGone();      // no call of the host follows
  void OnClientDrained();   // what was queued towards the client is written
  void OnTimer();
  std::optional<base::TimePoint> NextDeadline() const;

  // The gateway gives up on it (drain limit, a client that does not read).
  void BreakOff();

  const std::string& request_id() const { return request_.request_id; }
  bool answer_begun() const { return answer_begun_ || status_sent_early_; }

 private:
  enum class Phase : uint8_t { kReadingBody, kRunning, kOver };
  // How much of an answer is held back before its commit point (runtime/README.md).
  enum class Hold : uint8_t { kNothing, kFirstContent, kWhole };

  // AttemptObserver
  void OnAttemptConnected() override;
  void OnAttemptRequestSent() override;
  void OnAttemptInterim(const http::ResponseHead& head) override;
  void OnAttemptHead(const http::ResponseHead& head) override;
  void OnAttemptBody(std::span<const std::string_view> pieces) override;
  void OnAttemptEnd(bool framing_tells) override;
  void OnAttemptFailed(ErrorKind error, bool is_reuse_race) override;
  void OnAttemptDrained() override;

  void Begin();
  const dialect::ClientDialect& ClientReads();
  dialect::Api ApiOfAnswer(UpstreamId id);
  std::string_view EndpointPath() const;
  bool ReadsAnswer();  // looks into what the upstream answers: its end is told by its content

  void Dispatch(const engine::Event& event);
  void CarryOut(const engine::Command& command);
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
  void On(const engine::NoteRetry& command);
  void On(const engine::NoteRetryDenied& command);
  void On(const engine::NoteAttemptEnded& command);
  void On(const engine::NoteBreaker& command);
  void On(const engine::NoteRejected& command);
  void On(const engine::NoteQueued& command);
  void On(const engine::NoteLoadWait& command);
  std::function<void()> WakeFor(const engine::Event& news);
  std::string ModelAt(UpstreamId id);

  void TakeOver(const engine::StartAttempt& command);
  Attempt::Request MakeUpstreamRequest(UpstreamId id, bool fresh_connection);
  bool RewriteBody(UpstreamId id);  // false: it cannot be, and the client has its answer
  void QueueUpload(std::span<const std::string_view> pieces);
  void FlushUpload();
  void DropAttempt();
  bool TakeFrame(const dialect::Frame& frame);  // false: the attempt is over
  bool PassFrame(const dialect::Frame& frame);
  bool TellHead();  // false: the answer is not wanted
  void ReadResponseJson(std::string_view json);
  bool JoinFrame(const dialect::Frame& frame);  // … of an attempt that takes over
  void NoteSent();
  void NoteTokens(const dialect::FrameReading& reading);
  void NoteReading(const dialect::FrameReading& reading);
  void SendFrames();
  void ForwardBody(std::span<const std::string_view> pieces);
  void ForwardBody(std::string_view bytes) { ForwardBody(std::span<const std::string_view>(&bytes, 1)); }
  void Send(std::span<const std::string_view> pieces);
  void Send(std::string_view bytes) { Send(std::span<const std::string_view>(&bytes, 1)); }
  void SendLocal(LocalAnswer answer);
  void SendEarlyHead();
  bool CommitLate();  // false: it is no stream, and the client was told so
  void SendLocalLate(const LocalAnswer& answer);
  void TellLateFailure(std::string_view body, std::string_view reason, std::string_view message);
  void SendGatewayError(int status, std::string_view reason, std::string_view message,
                        std::optional<base::Duration> retry_after);
  void MarkFallback(std::string name, std::string_view reason, size_t metric_index, LocalAnswer* answer);
  bool MayKeepAlive() const;
  bool RetriesAreSpent() const;
  void Over(AfterExchange next);
  void WriteRecords();
  void CountTokens();
  void StopFollowing();

  WorkerContext& worker_;
  ExchangeHost& host_;
  ExchangeRequest request_;
  Phase phase_ = Phase::kReadingBody;
  bool request_ended_ = false;

  // Request body: kept whole for replay, or (streams_) passed on as it comes.
  std::string body_;
  bool streams_ = false;
  std::optional<std::string> rewritten_;  // for the upstream of the attempt, where it has a `rewrite`
  std::string upload_;             // framed, not yet handed to the attempt
  bool upload_open_ = false;       // the attempt takes more
  bool upload_paused_ = false;

  compiler::abi::Facts facts_;
  http::MessageFacts message_facts_;
  compiler::model::RouteId route_;
  std::optional<dialect::ClientDialect> client_reads_;
  std::unique_ptr<engine::ExchangeMachine> machine_;
  std::deque<engine::Event> events_;
  bool dispatching_ = false;

  std::unique_ptr<Attempt> attempt_;
  UpstreamId attempt_upstream_;
  int attempt_number_ = 0;
  base::TimePoint attempt_started_;
  const http::ResponseHead* response_ = nullptr;
  Hold hold_ = Hold::kNothing;
  bool judges_frames_ = false;     // `failure when` of the upstream reads chunk.…
  std::string held_;
  bool content_told_ = false;
  bool answer_is_whole_ = false;   // held_ is all of it
  dialect::Api answer_api_ = dialect::Api::kPlain;
  std::optional<dialect::AnswerReader> reader_;
  bool head_is_told_ = false;      // predicates of the policy may wait for the whole body
  std::string response_json_;      // what response.json borrows from
  std::string frames_;             // read, and not yet passed on
  std::string error_frame_;        // the upstream's own, in an answer that was committed
  std::optional<dialect::SentAnswer> sent_;   // where the answer may be continued
  std::optional<dialect::Splicer> splicer_;   // of an attempt that takes over
  bool client_reads_frames_ = false;          // the committed answer is a stream of frames

  // The answer as the client gets it.
  bool answer_begun_ = false;
  bool status_sent_early_ = false;  // a head with 200 went out while the client waited (route.keep_alive)
  bool failed_late_ = false;        // … and then there was nothing to go with it
  bool sends_body_ = true;
  http::BodyFraming client_framing_ = http::BodyFraming::kNone;
  bool keep_alive_ = true;
  bool reading_paused_ = false;

  std::vector<std::string_view> parts_;  // of one write; keeps its memory

  // A copy for the caches of the route, while it may still be stored.
  std::optional<engine::CachedResponse> copy_;
  size_t copy_limit_ = 0;

  struct Followed {
    compiler::model::CacheId cache;
    std::string key;
    uint64_t follower = 0;
  };
  std::optional<Followed> followed_;
  std::optional<uint64_t> waiter_;  // for a place in a queue or a model, among the worker's followers
  std::optional<UpstreamInFlight> in_flight_;
  bool finish_pending_ = false;    // the answer is complete; ends once the other commands are carried out

  std::optional<base::TimePoint> last_token_;  // of this attempt's stream
  ExchangeRecord record_;
};

}  // namespace runtime::proxy
