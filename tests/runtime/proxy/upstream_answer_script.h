// What tests of an upstream's answer share: a listener that writes down what it is told as one line, and what servers send.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "runtime/proxy/limits.h"
#include "runtime/proxy/upstream_answer.h"
#include "tests/runtime/proxy/request_path.h"

namespace tests {

using http::BodyFraming;
using runtime::dialect::Api;
using runtime::engine::Continuation;
using runtime::engine::ErrorKind;
using runtime::proxy::AnswerStep;
using runtime::proxy::AnswerTerms;
using runtime::proxy::UpstreamAnswer;
using What = AnswerStep::What;

// Writes down what it is told, and commits at once.
class Script : public runtime::proxy::AnswerListener {
 public:
  Script() : answer(*this) {}

  void OnAnswerHead(const http::ResponseHead& head) override {
    std::string word = "head " + std::to_string(head.status);
    if (answer.status_of_request() != 0) word += " for " + std::to_string(answer.status_of_request());
    if (!answer.wait_told().empty()) word += " in " + answer.wait_told();
    Tell(word);
  }
  void OnAnswerContent() override {
    const runtime::proxy::HeldAnswer held = answer.held();
    const auto framing = ChooseFraming(RequestHead(), answer.head(), held);
    static constexpr std::string_view kNames[] = {"none", "length", "chunked", "until-close"};
    std::string word = "commit " + std::string(kNames[static_cast<size_t>(framing.framing)]);
    if (framing.framing == BodyFraming::kLength) word += " " + std::to_string(framing.content_length);
    const std::string bytes(answer.held_text());
    if (!bytes.empty()) word += " <" + Short(bytes) + ">";
    Tell(word);
  }
  void OnAnswerBytes(std::span<const std::string_view> pieces) override {
    std::string bytes;
    for (const std::string_view piece : pieces) bytes.append(piece);
    Tell("<" + Short(bytes) + ">");
  }
  void OnAnswerJson(std::string_view json) override { Tell("json " + std::to_string(json.size())); }
  void OnAnswerFrame(const runtime::dialect::Frame&) override { Tell("judge"); }
  void OnAnswerOutput(bool) override { ++outputs; }
  void OnAnswerComplete(bool complete) override { is_complete = complete; }
  void OnAnswerJudged(bool is_empty, bool prompt_too_long) override {
    if (is_empty) Tell("empty");
    if (prompt_too_long) Tell("too long");
    if (tells_all_judgements && !is_empty && !prompt_too_long) Tell("judged");
  }
  void OnAnswerSent(Continuation possible) override { sent = possible; }

  bool Step(const AnswerStep& step) {
    switch (step.what) {
      case What::kGoesOn: return true;
      case What::kUnwanted: Tell("unwanted"); break;
      case What::kEnded: Tell(step.is_unfinished ? "ended unfinished" : "ended"); break;
      case What::kFailed:
        Tell("failed " + std::string(compiler::abi::Name(step.error)) + (step.is_mismatch ? ", no match" : ""));
        break;
    }
    return false;
  }

  UpstreamAnswer answer;
  std::string told;
  int outputs = 0;
  bool is_complete = false;
  bool tells_all_judgements = false;
  std::string_view drop_at;  // drops it at the first word that begins so
  Continuation sent = Continuation::kNone;

 private:
  static std::string Short(const std::string& bytes) {
    std::string text = bytes.size() > 60 ? std::to_string(bytes.size()) + " bytes" : bytes;
    std::replace(text.begin(), text.end(), '\n', '|');
    return text;
  }
  void Tell(const std::string& word) {
    if (!told.empty()) told += "; ";
    told += word;
    if (!drop_at.empty() && word.starts_with(drop_at)) answer.Drop();
  }
};

// How a body ends: as HTTP says, with its connection, or not at all; kSilence: nothing tells.
enum class End { kFramed, kClosed, kCut, kReset, kSilence };

inline AnswerTerms Terms(Api api, bool is_post = true) {
  AnswerTerms terms;
  terms.is_read = is_post;
  terms.api = api;
  return terms;
}

inline std::string Tell(const AnswerTerms& terms, const http::ResponseHead& head,
                        const std::vector<std::string_view>& pieces, End end, std::string_view drop_at = {}) {
  Script script;
  script.drop_at = drop_at;
  script.tells_all_judgements = terms.judges_emptiness || terms.judges_length;
  script.answer.Begin(terms);
  bool goes_on = script.Step(script.answer.Head(head));
  for (size_t i = 0; i < pieces.size() && goes_on; ++i) goes_on = script.Step(script.answer.Body(One(pieces[i])));
  if (!goes_on) return script.told;
  switch (end) {
    case End::kFramed: script.Step(script.answer.End(true)); break;
    case End::kClosed: script.Step(script.answer.End(false)); break;
    case End::kCut: script.Step(script.answer.Cut(ErrorKind::k_truncated)); break;
    case End::kReset: script.Step(script.answer.Cut(ErrorKind::k_reset)); break;
    case End::kSilence: break;
  }
  return script.told;
}

inline constexpr std::string_view kLines = "application/x-ndjson";
inline constexpr std::string_view kEvents = "text/event-stream";
inline constexpr std::string_view kJson = "application/json";

// clang-format off
inline constexpr std::string_view kLine = R"({"message":{"content":"Hi"}})" "\n";
inline constexpr std::string_view kThinkingLine = R"({"message":{"thinking":"Hm"}})" "\n";
inline constexpr std::string_view kLastLine = R"({"done":true,"done_reason":"stop"})" "\n";
inline constexpr std::string_view kErrorLine = R"({"error":"out of memory"})" "\n";
inline constexpr std::string_view kEvent = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
inline constexpr std::string_view kLastEvent = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
inline constexpr std::string_view kDone = "data: [DONE]\n\n";
inline constexpr std::string_view kObject = R"({"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]})";
// clang-format on

}  // namespace tests
