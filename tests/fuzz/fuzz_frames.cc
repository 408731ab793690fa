// Answers of every dialect, cut into pieces as the first byte of the input says: whatever the bytes are, the frames must be
// the same in one piece and in many, nothing but whole frames may come out, and a complete answer is one in both. A frame that is
// known by its likeness to another says what the parser reads in it. What can be given as an object and as a stream says the same in
// both.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "runtime/dialect/answer_reader.h"
#include "runtime/dialect/splice.h"
#include "runtime/dialect/answer_shapes.h"

namespace {

using runtime::dialect::AnswerReader;
using runtime::dialect::Api;
using runtime::dialect::Frame;

struct Result {
  std::string bytes;
  std::string said;  // what was read, a line for each frame
  bool is_complete = false;

  bool operator==(const Result&) const = default;
};

// Whether a frame is one object and nothing else, as a line of its own or in the one field of an event: all that is read in it stands in its
// data, then.
bool IsOnlyData(std::string_view bytes) {
  while (bytes.ends_with('\n') || bytes.ends_with('\r')) bytes.remove_suffix(1);
  const bool is_one_line = bytes.find_first_of("\r\n") == std::string_view::npos;
  return is_one_line && bytes.find("HTTP_STATUS") == std::string_view::npos && (bytes.starts_with('{') || bytes.starts_with("data:"));
}

// `is_named`: an event before this one was nothing but a name, which counts for this one.
void CheckReading(Api api, const Frame& frame, bool is_named) {
  if (frame.data.empty() || frame.reading.is_unread || is_named || !IsOnlyData(frame.bytes)) return;
  auto parsed = runtime::dialect::ReadObject(api, frame.data);
  if (parsed) parsed->model = frame.reading.model;  // told once
  const bool is_in_words = frame.reading.is_error;  // `error: …`
  if (parsed ? *parsed != frame.reading : frame.reading.is_data && !is_in_words) std::abort();
}

void Add(const Frame& frame, Result* result) {
  result->bytes += frame.bytes;
  const auto& r = frame.reading;
  result->said += std::string(r.text) + '\0' + std::string(r.thinking) + (r.is_terminal ? "T" : "") +
                  (r.is_error ? "E" : "") + (r.has_answer ? "A" : "") + "\n";
}

Result Read(Api api, std::string_view input, size_t piece) {
  const bool is_sse = runtime::dialect::StreamShapeOf(api) == runtime::dialect::Shape::kSse;
  AnswerReader reader(api, 200, is_sse ? "text/event-stream" : "application/x-ndjson");
  Result result;
  bool is_named = false;
  Frame frame;
  while (!input.empty()) {
    std::string_view bytes = input.substr(0, piece);
    input.remove_prefix(bytes.size());
    while (reader.Next(&bytes, &frame)) {
      Add(frame, &result);
      CheckReading(api, frame, is_named);
      is_named = frame.data.empty() && (is_named || frame.bytes.find("event") != std::string_view::npos);
    }
  }
  if (reader.Finish(&frame)) Add(frame, &result);
  result.is_complete = reader.IsComplete(false);
  return result;
}

constexpr std::string_view kAsksForUsage = R"({"stream_options":{"include_usage":true}})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  constexpr Api kApis[] = {Api::kOllamaChat, Api::kOllamaGenerate, Api::kOllamaPull,
                           Api::kOpenAiChat, Api::kOpenAiCompletions, Api::kAnthropicMessages, Api::kOpenAiResponses};
  const Api api = kApis[data[0] % 7];
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Result whole = Read(api, input, input.size() + 1);
  if (!(Read(api, input, 1 + data[1]) == whole)) std::abort();

  // What is kept of an answer can be given in both shapes, and is the same afterwards.
  const bool is_sse = runtime::dialect::StreamShapeOf(api) == runtime::dialect::Shape::kSse;
  const std::string_view stream_type = is_sse ? "text/event-stream" : "application/x-ndjson";
  for (const std::string_view type : {stream_type, std::string_view("application/json")}) {
    const auto object = runtime::dialect::WholeAnswerOf(api, type, input);
    if (!object) continue;
    const std::string stream =
        runtime::dialect::StreamOf({api, runtime::dialect::StreamShapeOf(api), {}}, kAsksForUsage, *object);
    const auto again = runtime::dialect::WholeAnswerOf(api, stream_type, stream);
    if (!again || runtime::dialect::WholeAnswerOf(api, "application/json", *again) != again) std::abort();
  }

  // Frames of strangers must not break the joining of answers either.
  std::string_view rest = input;
  AnswerReader reader(api, 200, "application/x-ndjson");
  runtime::dialect::Blocks blocks;
  for (Frame frame; reader.Next(&rest, &frame);) {
    if (frame.reading.is_data) runtime::dialect::JoinedFrame(api, frame.data, "{\"model\":\"m\"}", "", "text", &blocks);
  }
  return 0;
}
