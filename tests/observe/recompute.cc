#include "tests/observe/recompute.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "base/time.h"
#include "compiler/abi/fact_table.h"
#include "runtime/engine/exchange_machine.h"
#include "runtime/http/facts_from_message.h"
#include "runtime/http/message_parser.h"

namespace tests {
namespace {

using base::Duration;
using base::TimePoint;
using compiler::abi::ErrorKind;
using Json = nlohmann::json;
using runtime::engine::Event;
namespace engine = runtime::engine;

constexpr Duration kRounding = std::chrono::microseconds(3);  // the log has microseconds

ErrorKind ErrorOf(const std::string& name) {
#define ERROR_KIND(error, is_timeout, doc) \
  if (name == #error) return ErrorKind::k_##error;
#include "compiler/abi/errors.def"
#undef ERROR_KIND
  return ErrorKind::kNone;
}

// 2026-01-28T09:45:22.123456Z, since 1970.
Duration TimeOf(const std::string& text) {
  std::tm parts{};
  double seconds = 0;
  std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%lf", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour,
              &parts.tm_min, &seconds);
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return std::chrono::seconds(timegm(&parts)) + std::chrono::microseconds(std::llround(seconds * 1e6));
}

Duration Millis(const Json& object, const char* member) {
  return object.contains(member) ? std::chrono::nanoseconds(std::llround(object[member].get<double>() * 1e6))
                                 : Duration::zero();
}
std::string Text(const Json& object, const char* member) { return object.value(member, std::string()); }

// One request as its line tells it, and the machine that goes through it again.
class Exchange {
 public:
  Exchange(const compiler::CompiledPolicy& policy, engine::EngineObjects& objects, base::Random& random, Json line,
           Duration clock)
      : policy_(policy),
        line_(std::move(line)),
        message_facts_(policy.policy),
        parser_(runtime::http::Role::kRequest, {}) {
    id_ = Text(line_, "request_id");
    ended_ = TimePoint(TimeOf(Text(line_, "time")) - clock);
    arrived_ = ended_ - Millis(line_, "duration_ms");
    const std::string message =
        Text(line_, "method") + " " + Text(line_, "path") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    std::vector<std::string_view> body;
    parser_.Feed(message, &body);
    path_ = Text(line_, "path");
    message_facts_.FillRequest(parser_.request(), path_, {}, "10.0.0.99", false, &facts_);
    machine_ = std::make_unique<engine::ExchangeMachine>(policy, objects, random, &facts_, arrived_);
  }

  struct Timed {
    TimePoint at;
    Event event;
    const char* what;
  };

  // What happened, in the order of time.
  std::vector<Timed> Events() const {
    std::vector<Timed> events;
    const Json& attempts = line_["attempts"];
    const auto route = policy_.routes.Find(facts_, policy_.predicates);
    if (!route) return events;
    engine::RequestReady ready;
    ready.route = *route;
    ready.repeats_at = [](compiler::model::UpstreamId) { return false; };
    events.push_back(
        {arrived_ + (attempts.empty() ? Duration::zero() : Millis(attempts[0], "at_ms")), ready, "the request"});
    const bool client_left = Text(line_, "how") == "client_gone";
    TimePoint last_over = arrived_;
    bool is_cut_by_limit = false;
    for (size_t i = 0; i < attempts.size(); ++i) {
      const Json& attempt = attempts[i];
      const TimePoint began = arrived_ + Millis(attempt, "at_ms");
      const TimePoint over = began + Millis(attempt, "ms");
      const std::string error_name = Text(attempt, "error");
      const ErrorKind error = ErrorOf(error_name);
      const bool was_sent = error != ErrorKind::k_refused && error != ErrorKind::k_connect_failure &&
                            error != ErrorKind::k_connect_timeout && error != ErrorKind::k_dns_failure &&
                            error != ErrorKind::k_tls_failure && error != ErrorKind::k_exhausted;
      if (was_sent) {  // what goes on after a race began with the attempt, and is connected anew
        events.push_back({std::max(began, last_over), engine::AttemptConnected{}, "connected"});
        events.push_back({std::max(began, last_over), engine::AttemptRequestSent{}, "sent"});
      }
      last_over = over;
      if (attempt.contains("head_ms")) {
        engine::AttemptHead head;
        head.status = attempt.value("status", 0);
        if (error == ErrorKind::kNone) head.told_status = attempt.value("told_status", 0);  // whose fault a 5xx is
        if (attempt.contains("retry_after_ms")) head.retry_after = Millis(attempt, "retry_after_ms");
        events.push_back({began + Millis(attempt, "head_ms"), head, "head"});
      }
      if (attempt.contains(
              "first_token_ms")) {  // of a plain answer that may be its head alone: the limit that ran then tells
        const engine::AttemptContent content{true};
        events.push_back({began + Millis(attempt, "first_token_ms"), content, "content"});
      }
      const bool is_last = i + 1 == attempts.size();
      is_cut_by_limit = is_last && compiler::abi::IsTimeout(error);
      if (client_left && is_last && ended_ - over < kRounding) break;  // that ended it
      if (compiler::abi::IsTimeout(error)) {
        events.push_back({over, engine::TimeReached{}, "a limit"});
      } else if (error != ErrorKind::kNone) {
        // A kept connection that its server had closed: it counts nowhere, and the attempt goes on with the same number where it may.
        const bool goes_on = i + 1 < attempts.size() && attempts[i + 1]["upstream"] == attempt["upstream"] &&
                             attempts[i + 1]["number"] == attempt["number"];
        const bool is_race = error == ErrorKind::k_reset && Text(attempt, "class") == "neutral" &&
                             (goes_on || IsFailureByDefault(Text(attempt, "upstream")));
        events.push_back(
            {over, engine::AttemptFailed{error, is_race, false, attempt.value("told_status", 0)}, "failed"});
      } else if (attempt.value("status", 0) < 400 || i + 1 == attempts.size()) {
        events.push_back({over, engine::AttemptEnded{}, "ended"});  // what was given up at its head hears nothing more
      }
      if (attempt.contains("retry_ms") && !(client_left && is_last))
        events.push_back({over + Millis(attempt, "retry_ms"), engine::TimeReached{}, "the end of the wait"});
    }
    if (client_left) events.push_back({ended_, engine::ClientGone{}, "the client is gone"});
    if (Text(line_, "fallback_reason") == "deadline" && !is_cut_by_limit)
      events.push_back({ended_, engine::TimeReached{}, "the deadline"});
    return events;
  }

  void Handle(const Timed& timed) {
    TimePoint at = timed.at;
    if (std::holds_alternative<engine::TimeReached>(timed.event)) {
      const auto due = machine_->NextDeadline();
      if (due && *due > at && *due - at <= kRounding) at = *due;
      if (!due || *due > at)
        Note("the log has " + std::string(timed.what) + ", and nothing is due" +
             (due ? " for " + std::to_string((*due - at).count() / 1000) + " us" : ""));
    }
    commands_.clear();
    machine_->Handle(timed.event, at, &commands_);
    for (const engine::Command& command : commands_) {
      std::visit([this](const auto& c) { On(c); }, command);
    }
  }

  bool done() const { return machine_->done(); }
  const std::string& id() const { return id_; }
  std::string line() const { return line_.dump(); }
  void Note(std::string what) { decided_.push_back(std::move(what)); }
  const std::vector<std::string>& decided() const { return decided_; }
  std::vector<std::string>& transitions() { return transitions_; }

  // What the line says was decided, in the same words.
  std::vector<std::string> Logged(Recomputed* counts) const {
    std::vector<std::string> logged;
    for (const Json& attempt : line_["attempts"]) {
      ++counts->attempts;
      const std::string upstream = Text(attempt, "upstream");
      const std::string error =
          Text(attempt, "error") == "cancelled" ? "" : Text(attempt, "error");  // of the client, not of the attempt
      const std::string outcome = OutcomeText(attempt.value("status", 0), error);
      if (attempt.contains("retry_denied")) {
        ++counts->denials;
        logged.push_back("no retry at " + upstream + ": " + Text(attempt, "retry_denied"));
      }
      if (attempt.contains("move_denied"))
        logged.push_back("no move from " + upstream + ": " + Text(attempt, "move_denied"));
      const std::string outcome_class = Text(attempt, "class").empty() ? "success" : Text(attempt, "class");
      logged.push_back("attempt " + std::to_string(attempt.value("number", 0)) + " at " + upstream + " is a " +
                       outcome_class + ": " + outcome);
      if (attempt.contains("retry_ms")) {
        ++counts->retries;
        logged.push_back("retry at " + upstream + " after " + WaitText(Millis(attempt, "retry_ms")));
      }
    }
    if (line_["attempts"].size() > 1) {
      const Json& attempts = line_["attempts"];
      for (size_t i = 1; i < attempts.size(); ++i)
        counts->moves += Text(attempts[i], "upstream") != Text(attempts[i - 1], "upstream") ? 1 : 0;
    }
    if (line_.contains("fallback")) {
      ++counts->fallbacks;
      logged.push_back("fallback " + Text(line_, "fallback") + " because of " + Text(line_, "fallback_reason"));
    } else if (Text(line_, "how") == "client_gone") {
      logged.push_back("the client is gone");
    } else if (Text(line_, "how") == "cut") {
      logged.push_back("cut");
    } else if (line_.contains("fallback_reason")) {
      logged.push_back("error " + std::to_string(line_.value("status", 0)) + " because of " +
                       Text(line_, "fallback_reason"));
    } else {
      logged.push_back("served by " + Text(line_, "served_by"));
    }
    return logged;
  }

 private:
  // Whether the breaker has no rule of its own by which a reset could be neutral.
  bool IsFailureByDefault(const std::string& name) const {
    for (const auto& upstream : policy_.policy.upstreams) {
      if (upstream.name == name) return !upstream.breaker || !upstream.breaker->failure_when;
    }
    return true;
  }
  static std::string OutcomeText(int status, const std::string& error) {
    return (status == 0 ? std::string("no status") : std::to_string(status)) + (error.empty() ? "" : ", " + error);
  }
  static std::string WaitText(Duration wait) { return std::to_string(wait.count() / 1000) + " us"; }
  const std::string& NameOf(compiler::model::UpstreamId id) const { return policy_.policy.upstreams[id].name; }

  template <typename Command>
  void On(const Command&) {}
  void On(const engine::RecordRetryDenied& c) {
    denied_ = c.reason;
    Note("no retry at " + NameOf(c.upstream) + ": " + std::string(c.reason));
  }
  void On(const engine::RecordMoveDenied& c) {
    Note("no move from " + NameOf(c.upstream) + ": " + std::string(c.reason));
  }
  void On(const engine::RecordAttemptEnded& c) {
    const std::string error =
        c.outcome.error == ErrorKind::kNone ? "" : std::string(compiler::abi::Name(c.outcome.error));
    Note("attempt " + std::to_string(c.number) + " at " + NameOf(c.upstream) + " is a " +
         std::string(engine::Name(c.outcome_class)) + ": " + OutcomeText(c.outcome.status, error));
  }
  void On(const engine::RecordRetry& c) { Note("retry at " + NameOf(c.upstream) + " after " + WaitText(c.wait)); }
  void On(const engine::RecordBreaker& c) {
    transitions_.push_back(NameOf(c.upstream) + " " + std::string(engine::Name(c.transition.from)) + " to " +
                           std::string(engine::Name(c.transition.to)) + ", generation " +
                           std::to_string(c.transition.generation) + ", by " + id_);
  }
  void On(const engine::CommitAnswer& c) { served_by_ = NameOf(c.served_by); }
  void On(const engine::FinishAnswer&) { Note("served by " + served_by_); }
  void On(const engine::BreakOffAnswer&) { Note("cut"); }
  void On(const engine::SendReply& c) {
    const std::string& name = policy_.policy.replies[c.reply].name;
    Note(c.is_fallback ? "fallback " + name + " because of " + std::string(c.reason) : "served by " + name);
  }
  void On(const engine::SendError& c) {
    Note("error " + std::to_string(c.status) + " because of " + std::string(c.reason));
  }

  const compiler::CompiledPolicy& policy_;
  const Json line_;
  std::string id_;
  std::string path_;
  TimePoint arrived_;
  TimePoint ended_;
  runtime::http::MessageFacts message_facts_;
  runtime::http::MessageParser parser_;
  compiler::abi::Facts facts_;
  std::unique_ptr<engine::ExchangeMachine> machine_;
  engine::Commands commands_;
  std::string served_by_;
  std::string denied_;
  std::vector<std::string> decided_;
  std::vector<std::string> transitions_;
};

std::string Joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text;
}

}  // namespace

Recomputed Recompute(const compiler::CompiledPolicy& policy, const std::vector<std::string>& access,
                     const std::vector<std::string>& events, Duration clock) {
  Recomputed result;
  engine::EngineObjects objects(policy);
  base::Random random(1);
  std::vector<std::unique_ptr<Exchange>> exchanges;
  struct Step {
    Exchange::Timed timed;
    size_t exchange;
  };
  std::vector<Step> steps;
  for (const std::string& text : access) {
    exchanges.push_back(std::make_unique<Exchange>(policy, objects, random, Json::parse(text), clock));
    for (auto& timed : exchanges.back()->Events()) steps.push_back({std::move(timed), exchanges.size() - 1});
  }
  // Lines stand in the order in which exchanges ended: that settles what the clock can't.
  std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.timed.at < b.timed.at; });

  std::vector<std::string> transitions;
  for (const Step& step : steps) {
    Exchange& exchange = *exchanges[step.exchange];
    exchange.Handle(step.timed);
    for (std::string& transition : exchange.transitions()) transitions.push_back(std::move(transition));
    exchange.transitions().clear();
  }
  for (const auto& exchange : exchanges) {
    ++result.requests;
    if (!exchange->done()) exchange->Note("it is not over");
    std::vector<std::string> decided = exchange->decided();
    std::vector<std::string> logged = exchange->Logged(&result);
    if (std::find(logged.begin(), logged.end(), "the client is gone") != logged.end())
      decided.push_back("the client is gone");
    if (decided == logged) continue;
    result.differences.push_back(exchange->id() + ": the log says: " + Joined(logged) +
                                 "\n    and the policy: " + Joined(decided) + "\n    " + exchange->line());
  }

  std::vector<std::string> logged;
  for (const std::string& text : events) {
    const Json event = Json::parse(text);
    if (!Text(event, "message").starts_with("breaker ")) continue;
    logged.push_back(Text(event, "upstream") + " " + Text(event, "from") + " to " + Text(event, "to") +
                     ", generation " + std::to_string(event.value("generation", 0)) + ", by " +
                     Text(event, "request_id"));
  }
  result.transitions = logged.size();
  for (size_t i = 0; i < std::max(logged.size(), transitions.size()); ++i) {
    const std::string in_log = i < logged.size() ? logged[i] : "nothing";
    const std::string computed = i < transitions.size() ? transitions[i] : "nothing";
    if (in_log != computed)
      result.differences.push_back("breaker: the log says: " + in_log + "\n    and the policy: " + computed);
  }
  return result;
}

}  // namespace tests
