#include "cli/explain_log_line.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/exit_codes.h"
#include "cli/inputs.h"
#include "compiler/diagnostics/render.h"
#include "compiler/expand/imports.h"

namespace cli {
namespace {

using Json = nlohmann::json;
using compiler::WrittenPolicy;
using compiler::model::BlockOrigin;

struct Meaning {
  std::string_view name;
  std::string_view doc;
};
constexpr Meaning kErrors[] = {
#define ERROR_KIND(name, is_timeout, doc) {#name, doc},
#include "compiler/abi/errors.def"
#undef ERROR_KIND
};
constexpr Meaning kDenials[] = {
#define RETRY_DENIAL(enumerator, name, doc) {name, doc},
#include "runtime/engine/retry_denials.def"
#undef RETRY_DENIAL
};
// Reasons of the gateway that are neither an error of an attempt nor a status.
constexpr Meaning kReasons[] = {
    {"no_route", "no route of the policy takes it"},
    {"deadline", "the time of the route's `deadline` was up"},
    {"cancelled", "the gateway gave it up, because the client had left or may get no answer any more"},
};

template <typename Table>
std::string_view DocOf(const Table& table, std::string_view name) {
  for (const Meaning& meaning : table) {
    if (meaning.name == name) return meaning.doc;
  }
  return {};
}

std::string Text(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}
std::optional<int64_t> Whole(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? std::optional(found->get<int64_t>()) : std::nullopt;
}
double Number(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

// 0.412 ms, 87 ms, 1.5 s, 2 min 5 s
std::string Time(double ms) {
  char text[64];
  if (ms < 10) {
    std::snprintf(text, sizeof text, "%.3g ms", ms);
  } else if (ms < 1000) {
    std::snprintf(text, sizeof text, "%.0f ms", ms);
  } else if (ms < 120'000) {
    std::snprintf(text, sizeof text, "%.3g s", ms / 1000);
  } else {
    std::snprintf(text, sizeof text, "%.0f min %.0f s", std::floor(ms / 60'000), std::fmod(ms, 60'000) / 1000);
  }
  return text;
}

class Explainer {
 public:
  Explainer(const Json& line, const WrittenPolicy* policy) : line_(line), policy_(policy) {}

  std::string Explain() {
    Asked();
    Refused();
    Attempts();
    Answered();
    Ended();
    Cost();
    return std::move(out_);
  }

 private:
  // " (chat.policy:12)", or nothing where no policy is there or the block is not in it.
  std::string PlaceOf(compiler::source::SourceRange range) const {
    if (policy_ == nullptr || range.end == 0) return {};
    const auto position = policy_->source->PositionOf(range.begin);
    return " (" + policy_->source->NameAt(range.begin) + ":" + std::to_string(position.line) + ")";
  }
  template <typename Entities, typename Blocks>
  const BlockOrigin* BlockOf(const Entities& entities, const Blocks& blocks, std::string_view name) const {
    auto block = blocks.begin();
    for (const auto& entity : entities) {
      if (block == blocks.end()) break;
      if (entity.name == name) return block->is_written() ? &*block : nullptr;
      ++block;
    }
    return nullptr;
  }
  const BlockOrigin* Upstream(std::string_view name) const {
    return policy_ == nullptr ? nullptr : BlockOf(policy_->policy.upstreams, policy_->origins.upstreams, name);
  }
  const BlockOrigin* Route(std::string_view name) const {
    return policy_ == nullptr ? nullptr : BlockOf(policy_->policy.routes, policy_->origins.routes, name);
  }
  std::string PlaceOf(const BlockOrigin* block) const { return block == nullptr ? std::string() : PlaceOf(block->kind_range); }
  // Of a line with `when` in an inner block of an upstream.
  std::string PlaceOfWhen(std::string_view upstream, std::string_view inner, std::string_view word) const {
    const BlockOrigin* block = Upstream(upstream);
    if (block != nullptr) block = block->Block(inner);
    if (block == nullptr) return {};
    const auto lines = block->Whens(word);
    return lines.empty() ? PlaceOf(block) : PlaceOf(lines.front()->statement);
  }
  std::string PlaceOfAnswer(std::string_view name) const {
    if (policy_ == nullptr) return {};
    const auto& policy = policy_->policy;
    const auto& origins = policy_->origins;
    for (const BlockOrigin* block : {BlockOf(policy.replies, origins.replies, name), BlockOf(policy.caches, origins.caches, name),
                                     BlockOf(policy.mocks, origins.mocks, name)}) {
      if (block != nullptr) return PlaceOf(block);
    }
    return PlaceOf(Upstream(name));
  }

  void Say(const std::string& sentence) { out_ += sentence + "\n"; }

  // "refused: the connection was refused …", "status_500: the server answered 500", "breaker_open: …"
  std::string Why(const std::string& reason) const {
    if (reason.starts_with("status_")) return "the server answered with status " + reason.substr(7);
    std::string_view doc = DocOf(kErrors, reason);
    if (doc.empty()) doc = DocOf(kReasons, reason);
    return doc.empty() ? reason : reason + ": " + std::string(doc);
  }

  void Asked() {
    const std::string path = Text(line_, "path");
    Say(Text(line_, "method") + " " + path + " from " + Text(line_, "client") + ", " + Text(line_, "time") + ", request id " +
        Text(line_, "request_id"));
    if (policy_ != nullptr && !Text(line_, "policy").empty() && Text(line_, "policy") != policy_->hash) {
      Say("  This line was written under another policy (" + Text(line_, "policy") + "; this one is " + policy_->hash +
          "): lines of the policy below may be other ones.");
    }
    const std::string route = Text(line_, "route");
    if (!route.empty() && route != "none") Say("  Route `" + route + "` took it" + PlaceOf(Route(route)) + ".");
    if (Number(line_, "queued_ms") > 0) Say("  It waited " + Time(Number(line_, "queued_ms")) + " for a place at an upstream (max_in_flight).");
    if (Number(line_, "load_ms") > 0) Say("  It waited " + Time(Number(line_, "load_ms")) + " for its model to be loaded (cold_load).");
    if (const auto sent = Whole(line_, "keep_alives"); sent.value_or(0) > 0) {
      Say("  It was sent " + std::to_string(*sent) + " signs of life while it waited, the first with status 200 (keep_alive).");
    }
  }

  void Refused() {
    if (Text(line_, "route") != "none" && !Text(line_, "route").empty()) return;
    const std::string reason = Text(line_, "fallback_reason").empty() ? Text(line_, "reason") : Text(line_, "fallback_reason");
    if (!reason.empty()) Say("  It was refused before any route: " + Why(reason) + ".");
  }

  void Attempts() {
    const auto attempts = line_.find("attempts");
    if (attempts == line_.end() || !attempts->is_array()) return;
    for (const Json& attempt : *attempts) {
      if (!attempt.is_object()) continue;
      const std::string upstream = Text(attempt, "upstream");
      const std::string error = Text(attempt, "error");
      const auto status = Whole(attempt, "status");
      std::string sentence = "  Attempt " + std::to_string(Whole(attempt, "number").value_or(1)) + " at `" + upstream + "`" +
                             PlaceOf(Upstream(upstream)) + ": ";
      if (status) sentence += "status " + std::to_string(*status);
      if (!error.empty()) sentence += (status ? ", then " : "") + Why(error);
      if (const std::string detail = Text(attempt, "detail"); !detail.empty()) sentence += " (" + detail + ")";
      Say(sentence + ", after " + Time(Number(attempt, "ms")) + ".");
      if (attempt.contains("retry_ms")) Say("  It was tried again after " + Time(Number(attempt, "retry_ms")) + PlaceOfWhen(upstream, "retry", "") + ".");
      if (const std::string denied = Text(attempt, "retry_denied"); !denied.empty()) Denied("  No further retry" + PlaceOfWhen(upstream, "retry", ""), denied);
      if (const std::string move = Text(attempt, "move_denied"); !move.empty()) Denied("  It did not move on to the next upstream", move);
    }
    const bool is_told = std::any_of(attempts->begin(), attempts->end(), [](const Json& attempt) { return attempt.is_object() && attempt.contains("retry_denied"); });
    if (const std::string denied = Text(line_, "retry_denied"); !denied.empty() && !is_told) {
      const std::string last = attempts->empty() ? Text(line_, "upstream") : Text(attempts->back(), "upstream");
      Denied("  No further retry" + PlaceOfWhen(last, "retry", ""), denied);
    }
  }

  void Denied(const std::string& what, const std::string& reason) {
    const std::string_view doc = DocOf(kDenials, reason);
    Say(what + ": " + reason + (doc.empty() ? "" : ", " + std::string(doc)) + ".");
  }

  void Answered() {
    const auto status = Whole(line_, "status");
    const std::string by = Text(line_, "served_by");
    const std::string reason = Text(line_, "fallback_reason");
    std::string sentence = "  The client got " + (status ? "status " + std::to_string(*status) : std::string("nothing"));
    if (status == 499) sentence = "  The client left before anything was sent";
    else if (by == "gateway") sentence += ", an error of the gateway's own";
    else if (!by.empty()) sentence += " from `" + by + "`" + PlaceOfAnswer(by);
    if (!Text(line_, "fallback").empty()) sentence += ", a fallback";
    if (!reason.empty()) sentence += ", because of " + Why(reason);
    const std::string upstream = Text(line_, "upstream");
    if (reason == "breaker_open") sentence += PlaceOfWhen(upstream, "breaker", "open");
    if (const std::string decided = Text(line_, "decided"); !decided.empty()) sentence += "; " + decided + " decided that";
    Say(sentence + ".");
  }

  void Ended() {
    const std::string how = Text(line_, "how");
    if (how == "cut") Say("  The answer broke off, and the client could see that.");
    if (how == "client_gone") Say("  The client left before the end of the answer.");
    if (how == "continued") Say("  The answer broke off and another upstream finished it (on_cut).");
    if (how == "unfinished") Say("  The server ended its answer without saying that it is finished.");
  }

  std::string Model() const {
    for (const char* member : {"model_answered", "model"}) {
      if (const std::string name = Text(line_, member); !name.empty()) return name;
    }
    return "the model";
  }

  void Cost() {
    std::string sentence = "  It took " + Time(Number(line_, "duration_ms")) + " in all";
    if (const auto tokens = Whole(line_, "completion_tokens")) {
      sentence += "; " + Model() + " read " +
                  std::to_string(Whole(line_, "prompt_tokens").value_or(0)) + " tokens and wrote " + std::to_string(*tokens);
    }
    Say(sentence + ".");
  }

  const Json& line_;
  const WrittenPolicy* policy_;
  std::string out_;
};

}  // namespace

namespace {

// A line as those tools give it out that logs are read with: behind a time and a name (syslog, docker compose), or as a text inside of
// their own JSON (journalctl -o json, Docker's files, Loki).
Json ReadLine(std::string_view text) {
  Json line = Json::parse(text.substr(std::min(text.find('{'), text.size())), nullptr, false);
  if (!line.is_object() || line.contains("request_id")) return line;
  for (const char* member : {"MESSAGE", "log", "message", "line"}) {
    const std::string inner = Text(line, member);
    if (inner.find("\"request_id\"") == std::string::npos) continue;
    Json unwrapped = Json::parse(inner.substr(std::min(inner.find('{'), inner.size())), nullptr, false);
    if (unwrapped.is_object()) return unwrapped;
  }
  return line;
}

}  // namespace

std::string ExplainLogLine(std::string_view text, const WrittenPolicy* policy, std::string* why) {
  const Json line = ReadLine(text);
  if (!line.is_object()) {
    *why = "it is no JSON object";
    return {};
  }
  for (const char* member : {"request_id", "status", "how"}) {
    if (!line.contains(member)) {
      *why = std::string("it has no `") + member + "`: is it an event? Those stand on standard error; the access log goes to standard output";
      return {};
    }
  }
  return Explainer(line, policy).Explain();
}

int RunExplainLogLine(const ExplainLogLineOptions& options) {
  std::string why;
  std::optional<WrittenPolicy> policy;
  if (!options.policy.empty()) {
    const auto input = ReadInput(options.policy, &why);
    if (!input) {
      std::cerr << "breakwater: can't read " << options.policy << ": " << why << "\n";
      return kUnreadable;
    }
    compiler::diagnostics::Diagnostics diagnostics;
    const auto source = compiler::ReadSource(input->name, input->text, compiler::ImportsBeside(input->path));
    policy = compiler::CheckWritten(source, {}, &diagnostics);
    if (!policy) {
      std::cerr << compiler::diagnostics::RenderAll(*source, diagnostics);
      return kFindings;
    }
  }
  int code = kClean;
  const auto explain = [&](const std::string& line) {
    const std::string words = ExplainLogLine(line, policy ? &*policy : nullptr, &why);
    if (words.empty()) {
      std::cerr << "breakwater: this is no line of the access log, " << why << ": " << line.substr(0, 200) << "\n";
      code = kUnreadable;
      return;
    }
    std::cout << words;
  };
  if (options.line != "-") {
    explain(options.line);
    return code;
  }
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty()) explain(line);
  }
  return code;
}

}  // namespace cli
