// What a client gets as the answer of one exchange, and the only writer towards it: heads, bodies in the framing that was chosen, an
// early head where the client waits, a failure inside a stream, the end or an honest cut; and the copy for caches. Knows nothing of
// upstreams and machines. It asserts its stage: one answer, one head, nothing after the end.
//
// | stage      | what was sent                                        | what may come                          |
// | ---------- | ---------------------------------------------------- | -------------------------------------- |
// | Waiting    | nothing, or interim heads                            | any head; Leave                        |
// | Early      | a head with 200, and what says nothing               | KeepAlive, BeginInStream, FailInStream |
// | Body       | a head, and what has come of the body                | Body, End, BreakOff                    |
// | FailedLate | … and in the stream of an early head that it failed  | Body (dropped), End, BreakOff          |
// | Over       | all of it                                            | End                                    |
// | Gone       | the client is gone                                   | anything, and nothing is sent          |
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/model_paths.h"
#include "compiler/model/settings.h"
#include "runtime/dialect/dialect.h"
#include "runtime/http/message.h"
#include "runtime/proxy/answer_framing.h"
#include "runtime/proxy/cache_copy.h"
#include "runtime/proxy/exchange_host.h"
#include "runtime/proxy/local_answer.h"

namespace runtime::proxy {

// What a head says that neither the request nor the answer knows.
struct HeadTerms {
  std::string_view date;           // of answers of the gateway's own
  bool may_keep_alive = true;      // the client's connection can take another request afterwards
  bool retries_are_spent = false;  // clients shall not try again by themselves
  std::string_view upstream_authority = {};  // of the upstream whose answer it is: references to it are rewritten
  compiler::model::Bases bases = {};         // of the path that was asked for, and of the one that it was asked at
  CopyTerms copy = {};             // for the copy that a cache may want
};

class ClientAnswer {
 public:
  enum class Stage : uint8_t { kWaiting, kEarly, kBody, kFailedLate, kOver, kGone };
  static constexpr int kStages = 6;

  // All outlive it.
  // `head` and `parts` are memory for what is being sent; they hold nothing between two calls.
  ClientAnswer(ExchangeHost& host, const ExchangeRequest& request, const compiler::model::Cors& cors, std::string& head,
               std::vector<std::string_view>& parts)
      : host_(host), request_(request), cors_(cors), head_(head), parts_(parts) {}

  // While the client waits. An interim head (103) binds nobody; where it can't be sent it is left out.
  void SendInterim(const http::ResponseHead& head);
  // A head with 200 before an answer is there (`keep_alive` of a route): sent by the first SendKeepAlive.
  void SendEarlyHead(dialect::Shape shape, const HeadTerms& terms);
  void SendKeepAlive(std::string_view bytes);

  // The head, and the body as far as it was held. `is_stream`: it is made of frames of a dialect. `copied`: the most that a cache
  // may want of it; 0: none does.
  // With `more_follows` the head waits for what comes next, so that both leave in one write: FlushHead follows at the latest.
  void Begin(const http::ResponseHead& head, const ClientFraming& framing, bool is_stream, const HeadTerms& terms,
             std::string_view held, size_t copied, bool more_follows = false);
  void FlushHead() {
    if (head_waits_) SendHead();
  }
  // … where the head went out early: a stream of that shape goes on in it, anything else is told as a failure.
  void BeginInStream(const http::ResponseHead* copied_head, size_t copied, std::string_view held, const CopyTerms& terms = {});
  void FailInStream(std::string_view error_frame);
  // An answer of the gateway's own, head and body; only while nothing was sent.
  // A large body goes out in steps: Continue is called whenever the client has taken what was queued.
  void SendWhole(LocalAnswer answer, const HeadTerms& terms);
  void Continue();
  size_t waiting_bytes() const { return rest_.size() - rest_at_; }  // of a whole answer, not yet queued
  bool is_handed_over() const { return rest_.empty() || is_gone(); }

  void Body(std::span<const std::string_view> pieces);
  void Body(std::string_view bytes) { Body({&bytes, 1}); }
  // The client must see that it is cut. `frame`: goes into a stream before, where its framing shows a cut all the same.
  void BreakOff(std::string_view frame);
  // Nothing more comes. Ends a body well; after the others it changes nothing.
  void End();
  void Leave() {
    stage_ = Stage::kGone;
    head_waits_ = false;
  }  // the client is gone, or given up: no call of the host follows

  Stage stage() const { return stage_; }
  bool has_begun() const { return stage_ != Stage::kWaiting; }
  bool is_gone() const { return stage_ == Stage::kGone; }
  bool can_tell_break() const;             // BreakOff has a use for a frame
  bool takes_missing_end() const { return framing_.framing != http::BodyFraming::kLength; }
  bool is_full() const;                    // more than the high water waits for the client: its source shall pause
  AfterExchange after() const;             // from Over on
  int status() const { return status_; }   // sent; 0: none
  uint64_t sent_bytes() const { return sent_bytes_; }
  CacheCopy& copy() { return copy_; }

 private:
  friend class ClientAnswerPeer;  // tests break an invariant by writing a field

  void Send(std::span<const std::string_view> pieces);
  void SendHead();
  void Send(std::string_view bytes) { Send({&bytes, 1}); }
  void Check(bool holds, std::string_view event) const;

  ExchangeHost& host_;
  const ExchangeRequest& request_;
  const compiler::model::Cors& cors_;
  Stage stage_ = Stage::kWaiting;
  ClientFraming framing_;        // from Early on
  bool is_stream_ = false;       // likewise
  bool keep_alive_ = true;       // what the head said
  bool is_cut_ = false;          // Over: it was broken off
  bool is_told_ = false;         // … behind a frame that says so
  int status_ = 0;
  uint64_t sent_bytes_ = 0;
  std::string rest_;         // of a whole answer, from rest_at_ on
  size_t rest_at_ = 0;
  CacheCopy copy_;
  bool head_waits_ = false;  // in head_
  std::string& head_;
  std::vector<std::string_view>& parts_;  // of one write
};

std::string_view Name(ClientAnswer::Stage stage);

}  // namespace runtime::proxy
