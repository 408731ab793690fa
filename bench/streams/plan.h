// What the source and the reader of tokens agree on: what is asked for, and how a token carries the moment at which it was sent.
// Text is "name=number&name=number", in the query of a request as on a command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace bench::streams {

using base::TimePoint;

enum class Api : uint8_t { kOllama, kOpenAi };
std::string_view PathOf(Api api);
std::string_view ContentTypeOf(Api api);

struct StreamPlan {
  int64_t tokens = 1;       // then the API's last frames
  int64_t interval_ms = 0;  // from one token to the next; 0: as fast as they are taken
  int64_t phase_ms =
      0;  // all but the first are sent when the clock, modulo the interval, is here: streams don't drift into bursts
  int64_t padding = 0;  // bytes of content besides the stamp
};

// What the reader does besides.
struct ReaderPlan {
  StreamPlan stream;
  int64_t streams = 1;
  int64_t port = 0;
  int64_t openai = 0;      // 1: asks in OpenAI's API, 0: in Ollama's
  int64_t hold = 0;        // 1: stays connected once every stream had its first token, until it is killed
  int64_t deaf_after = 0;  // bytes after which a stream is not read any more; 0: all is read
  int64_t limit_s = 120;   // gives up
};

// False: something in the text is not known, or no number.
bool ParsePlan(std::string_view text, StreamPlan* plan);
bool ParsePlan(std::string_view text, ReaderPlan* plan);
std::string ToText(const StreamPlan& plan);

// One frame of content, with what ends it. `now` must not be negative.
std::string TokenFrame(Api api, TimePoint now, int64_t padding);
// What follows the last token.
std::string LastFrames(Api api);

// The moment in a line that holds a token; nothing in any other line.
std::optional<TimePoint> StampOf(std::string_view line);
// Whether a line ends an answer of that API.
bool IsLast(Api api, std::string_view line);

}  // namespace bench::streams
