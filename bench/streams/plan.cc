// Frames are as long as those of the real servers, about 130 and 190 bytes.
#include "bench/streams/plan.h"

#include <charconv>
#include <cstddef>
#include <functional>

namespace bench::streams {
namespace {

constexpr std::string_view kMark = "\"content\":\"@";  // before the stamp
constexpr size_t kStampDigits = 19;                    // of an int64_t

using Field = std::function<int64_t*(std::string_view name)>;

bool ParseFields(std::string_view text, const Field& field) {
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find('&'));
    text.remove_prefix(one.size() + (one.size() < text.size() ? 1 : 0));
    const size_t equals = one.find('=');
    if (equals == std::string_view::npos) return false;
    int64_t* value = field(one.substr(0, equals));
    if (value == nullptr) return false;
    const char* end = one.data() + one.size();
    const auto read = std::from_chars(one.data() + equals + 1, end, *value);
    if (read.ec != std::errc() || read.ptr != end || *value < 0) return false;
  }
  return true;
}

int64_t* FieldOf(std::string_view name, StreamPlan* plan) {
  if (name == "tokens") return &plan->tokens;
  if (name == "interval_ms") return &plan->interval_ms;
  if (name == "phase_ms") return &plan->phase_ms;
  if (name == "padding") return &plan->padding;
  return nullptr;
}

int64_t* FieldOf(std::string_view name, ReaderPlan* plan) {
  if (name == "streams") return &plan->streams;
  if (name == "port") return &plan->port;
  if (name == "openai") return &plan->openai;
  if (name == "hold") return &plan->hold;
  if (name == "deaf_after") return &plan->deaf_after;
  if (name == "limit_s") return &plan->limit_s;
  return FieldOf(name, &plan->stream);
}

}  // namespace

std::string_view PathOf(Api api) { return api == Api::kOllama ? "/api/chat" : "/v1/chat/completions"; }
std::string_view ContentTypeOf(Api api) { return api == Api::kOllama ? "application/x-ndjson" : "text/event-stream"; }

bool ParsePlan(std::string_view text, StreamPlan* plan) {
  return ParseFields(text, [plan](std::string_view name) { return FieldOf(name, plan); });
}

bool ParsePlan(std::string_view text, ReaderPlan* plan) {
  return ParseFields(text, [plan](std::string_view name) { return FieldOf(name, plan); });
}

std::string ToText(const StreamPlan& plan) {
  return "tokens=" + std::to_string(plan.tokens) + "&interval_ms=" + std::to_string(plan.interval_ms) +
         "&phase_ms=" + std::to_string(plan.phase_ms) + "&padding=" + std::to_string(plan.padding);
}

std::string TokenFrame(Api api, TimePoint now, int64_t padding) {
  std::string stamp = std::to_string(now.time_since_epoch().count());
  stamp.insert(0, kStampDigits - stamp.size(), '0');
  stamp.append(static_cast<size_t>(padding), 'x');
  if (api == Api::kOllama) {
    return R"({"model":"qwen3:32b","created_at":"2026-01-01T00:00:00.000000000Z","message":{"role":"assistant",)" +
           std::string(kMark) + stamp + "\"},\"done\":false}\n";
  }
  return R"(data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1767225600,"model":"qwen3:32b",)"
         R"("system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant",)" +
         std::string(kMark) + stamp + "\"},\"finish_reason\":null}]}\n\n";
}

std::string LastFrames(Api api) {
  if (api == Api::kOllama) {
    return R"({"model":"qwen3:32b","created_at":"2026-01-01T00:00:00.000000000Z","message":{"role":"assistant","content":""},)"
           R"("done_reason":"stop","done":true,"prompt_eval_count":7,"eval_count":3})"
           "\n";
  }
  return R"(data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1767225600,"model":"qwen3:32b",)"
         R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
         "\n\ndata: [DONE]\n\n";
}

std::optional<TimePoint> StampOf(std::string_view line) {
  const size_t mark = line.find(kMark);
  if (mark == std::string_view::npos || line.size() < mark + kMark.size() + kStampDigits) return std::nullopt;
  int64_t stamp = 0;
  const char* begin = line.data() + mark + kMark.size();
  const auto read = std::from_chars(begin, begin + kStampDigits, stamp);
  if (read.ec != std::errc() || read.ptr != begin + kStampDigits) return std::nullopt;
  return TimePoint(base::Duration(stamp));
}

bool IsLast(Api api, std::string_view line) {
  return api == Api::kOllama ? line.find("\"done\":true") != std::string_view::npos : line == "data: [DONE]";
}

}  // namespace bench::streams
