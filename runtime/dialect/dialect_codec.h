// Private to this folder: what one dialect contributes. A dialect is one file that defines one of these, and its lines in
// dialects.def.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include "runtime/dialect/dialect.h"
#include "runtime/dialect/reading.h"
#include "runtime/dialect/rfc3339.h"
#include "runtime/dialect/splice.h"

namespace runtime::dialect {

struct DialectCodec {
  // Reads a frame: an object of a stream, or a whole answer. `event`: the name of the SSE event that it came in, "" for none.
  // `reading` comes with its defaults.
  void (*read)(Api api, const simdjson::dom::object& frame, std::string_view event, FrameReading* reading);

  // Writing. A whole answer that says `text`, as one object; the same as a whole stream; an error object (status 0: none
  // is known, inside a stream).
  std::string (*whole_answer)(const ClientDialect& client, std::string_view text, std::string_view created_at);
  std::string (*text_stream)(const ClientDialect& client, std::string_view text, std::string_view created_at);
  std::string (*error_object)(const ClientDialect& client, int status, std::string_view code, std::string_view message,
                              std::string_view request_id);
  // What stands behind an error frame inside a stream, for clients that look for it there; may be null.
  std::string (*after_error)(const ClientDialect& client, std::string_view code, std::string_view message);

  // Makes `frame` of a second answer one of the first, whose first frame is `first`: its ids and names, and `thinking` and
  // `text` instead of the frame's own. Uses up `frame`. "": nothing is left of it.
  std::string (*join)(Api api, const nlohmann::ordered_json& first, std::string_view thinking, std::string_view text,
                      nlohmann::ordered_json* frame, Blocks* blocks);

  // A whole answer as one object, made of the frames of its stream, and a stream made of it (OpenAI's has the usage only where it
  // is wanted). Nothing, "": the other shape has no place for something in it. Of plain and complete answers only; the text in them
  // need not be looked at again.
  std::optional<nlohmann::ordered_json> (*fold)(Api api, const std::vector<nlohmann::ordered_json>& frames);
  std::string (*unfold)(Api api, const nlohmann::ordered_json& object, bool with_usage);

  std::string_view error_event;  // the name of the event that carries an error; "": events have no names
  std::string_view end;          // what strict clients wait for after an answer that has all its content; "": nothing
};

// One for each family of dialects.def.
const DialectCodec& OllamaCodec();
const DialectCodec& OpenAiCodec();
const DialectCodec& AnthropicCodec();
const DialectCodec& ResponsesCodec();

const DialectCodec& CodecOf(Api api);  // of kPlain: Ollama's, whose errors are the plainest

// ---- For the dialects ------------------------------------------------------------------------------------------------

using Json = nlohmann::ordered_json;

// Text of a client or an upstream may hold bytes that are not UTF-8: they become U+FFFD instead of an exception.
inline std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

inline std::string AsLine(std::string_view object) { return std::string(object) + "\n"; }
inline std::string AsEvent(std::string_view object) { return "data: " + std::string(object) + "\n\n"; }
inline std::string AsEvent(std::string_view name, std::string_view object) {
  return "event: " + std::string(name) + "\n" + AsEvent(object);
}

// The `type` that OpenAI's APIs give an error with each status.
std::string_view OpenAiErrorType(int status);

// "" if it is no string.
inline std::string_view TextOf(const simdjson::dom::element& value) {
  std::string_view text;
  return value.get(text) == simdjson::SUCCESS ? text : std::string_view();
}
inline int64_t CountOf(const simdjson::dom::element& value) {
  int64_t count = 0;
  return value.get(count) == simdjson::SUCCESS && count >= 0 ? count : kNoCount;
}
// Whether it says anything: not null, false, "", [] or {}.
bool IsSomething(const simdjson::dom::element& value);
// Whether the value of an `error` member tells an error: many servers have one in each frame, with nothing in it. Nothing is what
// IsSomething says, 0, the words for none, and what is made of nothing but that.
bool TellsError(const simdjson::dom::element& value);
// A reason for an end that is one; "" for null and its spellings, and for what is no text.
std::string_view ReasonOf(const simdjson::dom::element& value);
// Appends `value` to the text that `name` has in *object. False: one of the two is something else than text, null or absent.
bool AppendText(const std::string& name, const Json& value, Json* object);

}  // namespace runtime::dialect
