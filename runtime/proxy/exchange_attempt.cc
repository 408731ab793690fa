// The attempts of an exchange and what they answer. What the client gets of that: exchange_answer.cc.
#include <utility>

#include "base/check.h"
#include "compiler/model/template.h"
#include "runtime/engine/fallback.h"
#include "runtime/http/retry_after.h"
#include "runtime/proxy/answer_framing.h"
#include "runtime/proxy/error_messages.h"
#include "runtime/proxy/exchange.h"
#include "runtime/proxy/limits.h"
#include "runtime/observe/trace_context.h"
#include "runtime/proxy/upstream_request.h"
#include "runtime/observe/wall_clock.h"

namespace runtime::proxy {

using engine::Continuation;
using base::MergeOutcome;
using engine::Refusal;

namespace {

// Whether its breaker asks about each frame of a stream.
bool JudgesFrames(const compiler::model::Policy& policy, UpstreamId id) {
  const auto& breaker = policy.upstreams[id].breaker;
  return breaker && breaker->failure_when && policy.predicates[*breaker->failure_when].phase == compiler::abi::Phase::kStream;
}

}  // namespace

// ---- An attempt begins -----------------------------------------------------------------------------------------------

void Exchange::On(const engine::StartAttempt& command) {
  DropAttempt();
  const bool is_reconnect = attempt_upstream_ == command.upstream && attempt_number_ == command.number;
  recorder_.AttemptStarted(command.upstream, command.number, is_reconnect, command.continuation != Continuation::kNone);
  client_is_awaited_ = body_has_begun_ = false;  // the clock of the attempt is new
  attempt_upstream_ = command.upstream;
  attempt_number_ = command.number;
  attempt_started_ = worker_.transport.Now();
  if (const auto refusal = PrepareBody(command)) return Refuse(*refusal);
  BeginAnswer(command);
  in_flight_.emplace(worker_.metrics, static_cast<size_t>(command.upstream.value));
  attempt_ = std::make_unique<Attempt>(worker_, command.upstream, *this);
  attempt_->Start(MakeRequest(command));
}

// Each upstream's patch is applied to what the client sent, not to what another upstream got.
std::optional<Refusal> Exchange::PrepareBody(const engine::StartAttempt& command) {
  body_.Restore();
  const std::vector<std::string> patches = PatchesFor(command.upstream);
  if (patches.empty() || request_.head.framing == http::BodyFraming::kNone) return std::nullopt;
  if (body_.is_streaming()) return engine::refusals::body_too_large_to_rewrite;  // it has gone through in part before its end was known
  if (MayHaveMembers() && !http::IsReadAsUtf8(request_.head, body_.kept())) return RefusalOf(http::ReadProblem::k_json_charset);
  for (const std::string& patch : patches) {
    const MergeOutcome outcome = body_.Rewrite(patch);
    if (outcome == MergeOutcome::kMerged) continue;
    if (outcome == MergeOutcome::kNotAnObject && (body_.kept().empty() || !MayHaveMembers()))
      return std::nullopt;  // sound, a picture
    http::ReadProblem problem = http::ProblemOf(outcome);
    if (outcome == MergeOutcome::kNotAnObject) {  // which of the reasons?
      const auto json = base::CheckJson(body_.kept());
      if (json != base::JsonProblem::kNone) problem = http::ProblemOf(json);
    }
    return RefusalOf(problem);
  }
  return std::nullopt;
}

// What this request's body is patched with there: the plain patch, then the blocks whose condition holds.
std::vector<std::string> Exchange::PatchesFor(UpstreamId id) {
  const auto& upstream = worker_.policy().upstreams[id];
  std::vector<std::string> patches;
  const auto add = [&](const compiler::model::Template& patch) {
    compiler::model::RenderPatch(patch, facts_, &patches.emplace_back());
  };
  if (upstream.rewrite) add(*upstream.rewrite);
  for (const auto& rewrite : upstream.rewrites) {
    if (worker_.gateway.compiled->predicates.Test(rewrite.when, facts_)) add(rewrite.patch);
  }
  return patches;
}

void Exchange::BeginAnswer(const engine::StartAttempt& command) {
  const auto& upstream = worker_.policy().upstreams[command.upstream];
  AnswerTerms terms;
  terms.is_read = request_.head.method == compiler::abi::Method::kPOST;
  if (terms.is_read) {
    terms.api = ApiOfAnswer(command.upstream);
    terms.wants_stream = ClientReads().is_stream();
    terms.choices = ClientReads().choices;
    terms.reads_refusals = terms.api != dialect::Api::kPlain || ClientReads().family != dialect::ApiFamily::kNone;
  }
  terms.judges_body = !worker_.policy().slots.response_json.empty();
  terms.judges_emptiness = worker_.gateway.answer_use.judges_emptiness;
  terms.judges_length = worker_.gateway.answer_use.judges_length;
  facts_.empty_answer = facts_.prompt_too_long = 0;
  terms.judges_frames = JudgesFrames(worker_.policy(), command.upstream);
  terms.commits_at_answer = upstream.commit == compiler::model::CommitAt::kAnswer;
  terms.may_be_continued = upstream.on_cut != compiler::model::OnCut::kError;
  if (command.continuation == Continuation::kNone) return answer_.Begin(terms);

  // It is asked to go on from what the client has, where its API has a way to ask for that.
  using Mode = dialect::Splicer::Mode;
  const std::string sent = answer_.sent_text();
  std::optional<std::string> begun;
  if (command.continuation == Continuation::kPrefill) begun = dialect::WithBeginning(terms.api, body_.view(), sent);
  answer_.BeginContinuation(terms, begun ? Mode::kContinued : Mode::kAfresh, dialect::GivenBeginning(terms.api, sent).size());
  if (begun) body_.Replace(std::move(*begun));
}

Attempt::Request Exchange::MakeRequest(const engine::StartAttempt& command) {
  const auto& to = worker_.policy().routes[route_].to;
  const observe::TraceParentText trace_parent = observe::TraceParent(request_.request_id, worker_.random.Next());
  UpstreamRequestTerms terms{request_, worker_.policy().upstreams[command.upstream], facts_};
  terms.is_first_of_route = to.empty() || to.front() == command.upstream;
  terms.reads_answer = ReadsAnswer() || MostCopied() > 0;  // what a cache keeps is for clients that ask for other codings, too
  terms.drops_origin = worker_.policy().gateway.cors.enabled;
  terms.passes_underscores = worker_.policy().gateway.underscore_headers;
  terms.body_is_decoded = body_is_decoded_;
  terms.read = worker_.policy().slots.request_headers;
  http::DroppedHeaders dropped;
  terms.dropped = &dropped;
  terms.trace_parent = {trace_parent.data(), trace_parent.size()};
  terms.streams = body_.is_streaming();
  terms.body = body_.view();
  Attempt::Request request = MakeUpstreamRequest(terms, std::move(memory_->upstream_head));
  request.fresh_connection = command.fresh_connection;
  request.spare = std::move(memory_->connection);
  if (dropped.count > 0) recorder_.DroppedHeaders(dropped);
  return request;
}

void Exchange::DropAttempt() {
  message_facts_.ClearResponse(&facts_);
  answer_.Drop();
  body_.CloseUpload();
  in_flight_.reset();
  if (attempt_ == nullptr) return;
  attempt_->Abort();
  EndAttempt();
}

// It ends inside its own callbacks.
void Exchange::EndAttempt() {
  attempt_->TakeBuffers(&memory_->upstream_head, &memory_->connection);
  worker_.transport.DeleteLater(std::move(attempt_));
}

void Exchange::On(const engine::AbortAttempt&) {
  KeepRefusal();
  DropAttempt();
}

// An answer that is let go of for another upstream's: if nobody answers, the client gets it after all. What of it came with its head,
// which is all of it where it is small.
void Exchange::KeepRefusal() {
  if (attempt_ == nullptr || !answer_.has_head() || answer_.head().status < 400) return;
  const http::ResponseHead& head = answer_.head();
  refusal_status_ = 0;
  const auto coding = head.headers.Find(http::HeaderId::k_content_encoding);
  if (coding && !http::EqualsIgnoreCase(*coding, "identity")) return;
  std::string& body = memory_->refusal_body;
  body.assign(answer_.held_text());  // of one that was judged by its body
  if (body.empty()) attempt_->AppendWholeBody(&body);
  if (body.empty() || body.size() > kMaxHeldBytes) return;
  memory_->refusal_type.assign(head.headers.Find(http::HeaderId::k_content_type).value_or(""));
  refusal_status_ = head.status;
}

// ---- What the attempt reports ----------------------------------------------------------------------------------------

void Exchange::CheckAttempt(std::string_view event) const {
  constexpr std::string_view kNames[] = {"ReadingBody", "Running", "Over"};
  BW_CHECK(attempt_ != nullptr, "exchange: phase ", kNames[static_cast<size_t>(phase_)], ", event ", event);
}

void Exchange::OnAttemptConnected() {
  CheckAttempt("OnAttemptConnected");
  recorder_.ConnectsTo(attempt_upstream_, attempt_->peer());
}

void Exchange::OnAttemptRequestSent() {
  CheckAttempt("OnAttemptRequestSent");
  machine_.ObserveRequestSent();
  if (body_.is_streaming()) body_.OpenUpload(*attempt_);
  HoldMemory();
  ObserveWhoIsAwaited();
}

void Exchange::OnAttemptDrained() {
  CheckAttempt("OnAttemptDrained");
  body_.OnSinkDrained();
  HoldMemory();
  ObserveWhoIsAwaited();
}

void Exchange::OnAttemptInterim(const http::ResponseHead& head) {
  CheckAttempt("OnAttemptInterim");
  client_.SendInterim(head);
}

void Exchange::OnAttemptHead(const http::ResponseHead& head) {
  CheckAttempt("OnAttemptHead");
  message_facts_.FillResponse(head, &facts_);
  if (head.status >= 500 && ReadsAnswer()) NoteWordsOfFailure();
  const Attempt* const attempt = attempt_.get();
  in_head_ = true;
  const AnswerStep step = answer_.Head(head);
  in_head_ = false;
  if (step.what == AnswerStep::What::kGoesOn && answer_.holds_refusal()) {
    refusal_told_by_ = worker_.transport.Now() + kRefusalBody;
    if (phase_ == Phase::kRunning && !dispatching_) host_.OnDeadlineChanged();
  }
  Conclude(step);
  ObserveWhoIsAwaited();
  TellDeadlineUnlessReading(attempt);
}

// "out of memory" tells more than "500". Of an answer that may be given up at its head nothing else is read; those with a status
// below 500 are about the request, and may quote it.
void Exchange::NoteWordsOfFailure() {
  std::string body;
  base::Existing(attempt_, "attempt", "of an answer").AppendWholeBody(&body);
  if (!body.empty()) recorder_.FailsBecause(dialect::ReadError(body).message);
}

void Exchange::OnAttemptBody(std::span<const std::string_view> pieces) {
  CheckAttempt("OnAttemptBody");
  machine_.ObserveProgress(worker_.transport.Now());  // any byte is a sign of life
  Conclude(answer_.Body(pieces));
  // With the first of them the idle limit begins to run, which is due before the one that was waited for.
  if (!std::exchange(body_has_begun_, true)) deadline_waits_ = true;
}

void Exchange::OnAttemptEnd(bool framing_tells) {
  CheckAttempt("OnAttemptEnd");
  Conclude(answer_.End(framing_tells));
}

void Exchange::OnAttemptReadOver() {
  CheckAttempt("OnAttemptReadOver");
  client_.FlushHead();
  if (deadline_waits_ && phase_ == Phase::kRunning) TellDeadline();
}

void Exchange::OnAttemptFailed(ErrorKind error, bool is_reuse_race) {
  CheckAttempt("OnAttemptFailed");
  recorder_.ConnectsTo(attempt_upstream_, attempt_->peer());
  recorder_.FailsBecause(attempt_->detail());
  Conclude(answer_.Cut(error), is_reuse_race);
}

void Exchange::Conclude(const AnswerStep& step, bool is_reuse_race) {
  switch (step.what) {
    case AnswerStep::What::kGoesOn:
    case AnswerStep::What::kUnwanted: return;
    case AnswerStep::What::kEnded:
      if (step.is_unfinished) recorder_.record().how = observe::EndedHow::kUnfinished;
      if (attempt_ != nullptr && !attempt_->is_over()) {  // HTTP has not said so yet: nobody waits for that
        const bool is_sent = !body_.is_streaming() && !attempt_->borrows_body();
        if (!is_sent) attempt_->Abort();  // it may be in the middle of its request
        else {
          attempt_->TakeBuffers(&memory_->upstream_head, &memory_->connection);
          worker_.await_end(std::move(attempt_));
        }
      }
      return Dispatch(engine::AttemptEnded{step.is_unfinished});
    case AnswerStep::What::kFailed: break;
  }
  auto& failed = base::Existing(attempt_, "attempt", "of an answer that failed");
  if (const net::TlsFailure* failure = failed.tls_failure(); failure != nullptr && step.error == ErrorKind::k_tls_failure) {
    recorder_.record().tls_reason = net::Name(failure->reason);
    recorder_.record().tls_text = net::Text(failure->reason);
  }
  failed.Abort();
  const dialect::ToldError* told = step.error == ErrorKind::k_stream_error ? answer_.told_error() : nullptr;
  if (told != nullptr) recorder_.FailsBecause(told->message);
  else if (step.error == ErrorKind::k_bad_response && failed.detail().empty()) {
    recorder_.FailsBecause(step.is_mismatch ? "it does not go on from what was sent" : "it is no answer of its API");
  }
  Dispatch(engine::AttemptFailed{step.error, is_reuse_race, step.is_mismatch, told != nullptr ? told->status : 0});
  if (attempt_ != nullptr && attempt_->is_over()) DropAttempt();  // no other one has begun
}

// ---- What its answer tells -------------------------------------------------------------------------------------------

void Exchange::OnAnswerHead(const http::ResponseHead& head) {
  std::optional<base::Duration> retry_after;
  if (head.status >= 400) retry_after = http::RetryAfter(head.headers, worker_.transport.WallNow());
  if (head.status == 429 && !retry_after) retry_after = http::LimitReset(head.headers, worker_.transport.WallNow());
  if (!retry_after) retry_after = http::WaitOf(answer_.wait_told(), worker_.transport.WallNow());
  if (head.status >= 500 && !answer_.held_text().empty()) recorder_.FailsBecause(dialect::ReadError(answer_.held_text()).message);
  const auto should_retry = head.headers.Find(http::HeaderId::k_x_should_retry);
  const bool no_retry = should_retry && http::EqualsIgnoreCase(*should_retry, "false");
  Dispatch(engine::AttemptHead{head.status, retry_after, answer_.expects_frames(), no_retry, answer_.status_of_request()});
}

void Exchange::OnAnswerContent() { Dispatch(engine::AttemptContent{answer_.held().hold != Hold::kNothing}); }

void Exchange::OnAnswerBytes(std::span<const std::string_view> pieces) {
  client_.Body(pieces);
  LetFollowersGoIfNotKept();
  HoldBackIfFull();
  if (!HoldMemory()) answer_.ForgetSent();  // what is queued is bounded by itself; it counts all the same
}

void Exchange::OnAnswerJson(std::string_view json) {
  response_json_ = json;
  message_facts_.FillResponseBody(response_json_, &facts_);
}

void Exchange::OnAnswerFrame(const dialect::Frame& frame) {
  message_facts_.FillChunk(frame.data, frame.bytes.size(), &facts_);
  machine_.ObserveFrame(worker_.transport.Now());
  message_facts_.ClearChunk(&facts_);
}

void Exchange::OnAnswerOutput(bool is_frame) {
  const base::TimePoint now = worker_.transport.Now();
  if (!is_frame) return machine_.ObserveBegun(now);  // of a whole answer every byte is one step
  machine_.ObserveContent(now);
  recorder_.Token(attempt_upstream_, now);
}

void Exchange::OnAnswerComplete(bool is_complete) {
  if (is_complete) machine_.ObserveComplete(worker_.transport.Now());
  else machine_.ObserveIncomplete();
}

void Exchange::OnAnswerJudged(bool is_empty, bool prompt_too_long) {
  facts_.empty_answer = is_empty ? 1 : 0;
  facts_.prompt_too_long = prompt_too_long ? 1 : 0;
}

void Exchange::OnAnswerSent(Continuation possible) { machine_.ObserveSent(possible); }

}  // namespace runtime::proxy
