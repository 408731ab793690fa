#include "runtime/policy_test/story.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace runtime::policy_test {
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
  std::string text = "answer: status " + std::to_string(request.value("status", 0)) + " by " + TextOf(request, "served_by") +
                     ", route " + TextOf(request, "route");
  if (request.contains("fallback_reason")) text += ", because of " + TextOf(request, "fallback_reason");
  if (TextOf(request, "how") != "complete") text += ", " + TextOf(request, "how");
  return text;
}

}  // namespace

std::string Readable(base::Duration duration) {
  const double ms = static_cast<double>(duration.count()) / 1e6;
  char text[48];
  if (ms < 1000) std::snprintf(text, sizeof text, "%.6gms", ms);
  else std::snprintf(text, sizeof text, "%.9gs", ms / 1000);
  return text;
}

std::vector<std::string> Story::Tell() const {
  struct Told {
    base::TimePoint at;
    std::string text;
  };
  std::vector<Told> told;
  size_t sent = 0;  // what was told when the last request began
  for (const Line& line : lines_) {
    if (line.kind == kSend) sent = told.size() + 1;
    if (line.kind == kLine || line.kind == kSend) {
      told.push_back({line.at, line.text});
      continue;
    }
    const Json json = Json::parse(line.text, nullptr, false);
    if (json.is_discarded()) continue;
    if (line.kind == kEvent) {
      told.push_back({line.at, TellEvent(json)});
      continue;
    }
    const Json attempts = json.value("attempts", Json::array());
    for (size_t i = 0; i < attempts.size(); ++i) {
      const base::Duration took = Millis(attempts[i], "ms");
      const base::TimePoint ended = i < line.attempts.size() ? line.attempts[i] + took : line.at;
      // Before what came of it at the same moment.
      const Told attempt{ended, "attempt " + std::to_string(attempts[i].value("number", 0)) + " at " +
                                    TextOf(attempts[i], "upstream") + ": " + Outcome(attempts[i]) + " after " + Readable(took)};
      const auto since = told.begin() + static_cast<std::ptrdiff_t>(sent);
      told.insert(std::find_if(since, told.end(), [&](const Told& other) { return other.at >= ended; }), attempt);
    }
    told.push_back({line.at, TellAnswer(json)});
  }
  std::stable_sort(told.begin(), told.end(), [](const Told& a, const Told& b) { return a.at < b.at; });
  std::vector<std::string> lines;
  for (const Told& one : told) {
    std::string time = Readable(one.at - began_);
    time.resize(std::max<size_t>(time.size(), 8), ' ');
    lines.push_back(time + "  " + one.text);
  }
  return lines;
}

}  // namespace runtime::policy_test
