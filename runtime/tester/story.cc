#include "runtime/tester/story.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace runtime::tester {
namespace {

using Json = nlohmann::json;

base::Duration Millis(const Json& json, const char* member) {
  return base::Duration(std::llround(json.value(member, 0.0) * 1e6));
}

std::string TextOf(const Json& json, const char* member) { return json.value(member, std::string()); }

// What an attempt came to.
std::string Outcome(const Json& attempt) {
  if (attempt.contains("error")) return TextOf(attempt, "error");
  return "status " + std::to_string(attempt.value("status", 0));
}

std::string TellEvent(const Json& event) {
  std::string text = TextOf(event, "message");
  if (event.contains("upstream")) text += " at " + TextOf(event, "upstream");
  if (event.contains("cause")) text += ", after " + TextOf(event, "cause");
  if (event.contains("reason")) text += ": " + TextOf(event, "reason");
  if (event.contains("wait_ms")) text += ", waits " + Readable(Millis(event, "wait_ms"));
  return text;
}

std::string TellAnswer(const Json& request) {
  std::string text = "answer: status " + std::to_string(request.value("status", 0)) + " by " +
                     TextOf(request, "served_by") + ", route " + TextOf(request, "route");
  if (request.contains("fallback_reason")) text += ", because of " + TextOf(request, "fallback_reason");
  if (const std::string how = TextOf(request, "how"); how != "complete" && how != "own") text += ", " + how;
  return text;
}

}  // namespace

std::string Readable(base::Duration duration) {
  const double ms = static_cast<double>(duration.count()) / 1e6;
  const bool is_short = ms < 1000;
  char text[48];
  std::snprintf(text, sizeof text, "%.3f", is_short ? ms : ms / 1000);
  std::string number = text;
  number.erase(number.find_last_not_of('0') + 1);
  if (number.back() == '.') number.pop_back();
  return number + (is_short ? "ms" : "s");
}

std::vector<std::string> Story::Tell() const {
  struct Told {
    base::TimePoint at;
    std::string text;
  };
  std::vector<Told> told;
  std::vector<size_t> begun;  // where the attempts of the last request stand in `told`, empty until they are over
  for (const Line& line : lines_) {
    switch (line.kind) {
      case kSend: begun.clear(); [[fallthrough]];
      case kLine: told.push_back({line.at, line.text}); continue;
      case kAttempt:
        begun.push_back(told.size());
        told.push_back({line.at, ""});
        continue;
      case kEvent:
      case kRequest: break;
    }
    const Json json = Json::parse(line.text, nullptr, false);
    if (json.is_discarded()) continue;
    if (line.kind == kEvent) {
      told.push_back({line.at, TellEvent(json)});
      continue;
    }
    const Json attempts = json.value("attempts", Json::array());
    for (size_t i = 0; i < std::min(attempts.size(), begun.size()); ++i) {
      Told attempt = told[begun[i]];
      const base::Duration took = Millis(attempts[i], "ms");
      attempt.at += took;
      attempt.text = "attempt " + std::to_string(attempts[i].value("number", 0)) + " at " +
                     TextOf(attempts[i], "upstream") + ": " + Outcome(attempts[i]) + " after " + Readable(took);
      // Where it ended: before what came of it at the same moment.
      const auto from = told.begin() + static_cast<std::ptrdiff_t>(begun[i]);
      const auto to = std::find_if(from + 1, told.end(), [&](const Told& other) { return other.at >= attempt.at; });
      *from = std::move(attempt);
      std::rotate(from, from + 1, to);
      for (size_t& index : begun) {
        if (index > begun[i] && index < static_cast<size_t>(to - told.begin())) --index;
      }
    }
    told.push_back({line.at, TellAnswer(json)});
  }
  std::vector<std::string> lines;
  for (const Told& one : told) {
    if (one.text.empty()) continue;
    std::string time = Readable(one.at - began_);
    time.resize(std::max<size_t>(time.size(), 8), ' ');
    lines.push_back(time + "  " + one.text);
  }
  return lines;
}

}  // namespace runtime::tester
