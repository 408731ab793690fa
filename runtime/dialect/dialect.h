// The dialects that clients of model servers speak, and how the gateway answers in them: shapes of replies and errors.
// Pure. How answers are read is answer_reader.h. Adding a dialect is one line in dialects.def and one file (dialect_codec.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/abi/facts.h"
#include "compiler/model/settings.h"

namespace runtime::dialect {

// What the path speaks (POST on it).
enum class Api : uint8_t {
  kPlain,
#define DIALECT(api, path, Family, stream_shape, streams_by_default) api,
#include "runtime/dialect/dialects.def"
#undef DIALECT
};

// How the client reads the answer.
enum class Shape : uint8_t { kJson, kNdjson, kSse };

// Whose errors a client reads. kNone: no API is known; it gets those of Ollama, which are the plainest, and text as text.
enum class ApiFamily : uint8_t { kNone, kOllama, kOpenAi, kAnthropic, kResponses };

struct ClientDialect {
  Api api = Api::kPlain;
  Shape shape = Shape::kJson;
  std::string model;  // that the request names; may be empty
  ApiFamily family = ApiFamily::kNone;  // of the path, whether or not its answers are read: /v1/embeddings is OpenAI's
  int64_t choices = 1;                  // that the request asks for (n, several prompts)
  int64_t next_event = 0;               // the number of the next event of its stream (Responses)

  bool is_stream() const { return shape != Shape::kJson; }
  // Equal for clients that read the same answers: API and shape in one number.
  uint8_t form() const { return static_cast<uint8_t>(static_cast<unsigned>(api) * 4 + static_cast<unsigned>(shape)); }
  // … whatever the shape, for answers that can be given in each (answer_shapes.h).
  uint8_t shared_form() const { return static_cast<uint8_t>(static_cast<unsigned>(api) * 4 + 3); }
};

// Told by how the path ends (the request's own; if that one is plain, the path of the upstream's endpoint, or what the policy says
// that it speaks) and the body's `stream` member: Ollama streams unless it is false, OpenAI only if it is true. A body that
// is not JSON counts as without members. The family is told by the path alone, whatever the method.
ClientDialect Detect(compiler::abi::Method method, std::string_view path, std::string_view endpoint_path,
                     std::string_view body,
                     compiler::model::UpstreamDialect endpoint_dialect = compiler::model::UpstreamDialect::kAuto);

// What an upstream answers in that is asked at `path`, by a client that speaks `client`: what the policy says, else by the
// path.
Api ApiOfAnswer(compiler::model::UpstreamDialect dialect, std::string_view path, Api client);

// Of the answers that stream; kJson for kPlain.
Shape StreamShapeOf(Api api);

ApiFamily FamilyOf(std::string_view path);

struct ShapedBody {
  std::string content_type;
  std::string body;
};

// A reply in the client's shape (runtime semantics: text becomes a message of the dialect, with the terminal mark; a
// JSON object is sent exactly as written to a client that reads JSON, as one line with "done": true added where it is
// missing for NDJSON, as one event and [DONE] for SSE). `created_at`: RFC 3339, for text.
ShapedBody ShapeReply(const compiler::model::Body& body, const ClientDialect& client, std::string_view created_at);

// Whether a text can be an answer to this client: its API answers in text, or it is no API at all. If not (embeddings, a list of
// models), what was to be said is an error.
bool AnswersInText(const ClientDialect& client);

// An error of the gateway in the client's dialect, carrying code, reason and request id: {"error": "…"} for Ollama,
// {"error": {"message", "type", "code"}} for OpenAI, both with "request_id"; sent with a true status, as one JSON
// object.
ShapedBody ShapeError(const ClientDialect& client, int status, std::string_view code, std::string_view message,
                      std::string_view request_id);

// An error frame inside a stream that had begun (NDJSON line or SSE event). Empty for a plain answer.
std::string ErrorFrame(const ClientDialect& client, std::string_view code, std::string_view message,
                       std::string_view request_id);

// An answer that came too late for a status of its own, as an error inside the stream: what it says itself, if it is an
// object with an `error`; else as ErrorFrame.
std::string LateErrorFrame(const ClientDialect& client, std::string_view body, std::string_view code,
                           std::string_view message, std::string_view request_id);

// Bytes that a stream may begin with and that say nothing: a comment (SSE), a blank in front of the next line (NDJSON: RFC
// 8259 2 lets one stand before a value; an empty line is more than some clients can read). On the Responses API an event, as its
// own server sends: Codex counts the time between events, and comments are none.
std::string_view KeepAliveBytes(const ClientDialect& client);

std::string_view ContentTypeOf(Shape shape);

}  // namespace runtime::dialect
