// The dialects that clients of model servers speak, and how the gateway answers in them: shapes of replies and
// errors, and the mark by which a complete answer is known. Pure. Adding a dialect is one line in dialects.def and
// its functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/abi/facts.h"
#include "compiler/model/settings.h"

namespace runtime::dialect {

// What the path speaks (POST on it).
enum class Api : uint8_t { kPlain, kOllamaChat, kOllamaGenerate, kOpenAiChat, kOpenAiCompletions };

// How the client reads the answer.
enum class Shape : uint8_t { kJson, kNdjson, kSse };

struct ClientDialect {
  Api api = Api::kPlain;
  Shape shape = Shape::kJson;
  std::string model;  // that the request names; may be empty

  bool is_stream() const { return shape != Shape::kJson; }
};

// Told by the path (the request's own; if that one is plain, the path of the upstream's endpoint) and the body's
// `stream` member: Ollama streams unless it is false, OpenAI only if it is true. A body that is not JSON counts as
// without members.
ClientDialect Detect(compiler::abi::Method method, std::string_view path, std::string_view endpoint_path,
                     std::string_view body);

struct ShapedBody {
  std::string content_type;
  std::string body;
};

// A reply in the client's shape (runtime semantics: text becomes a message of the dialect, with the terminal mark; a
// JSON object is sent exactly as written to a client that reads JSON, as one line with "done": true added where it is
// missing for NDJSON, as one event and [DONE] for SSE). `created_at`: RFC 3339, for text.
ShapedBody ShapeReply(const compiler::model::Body& body, const ClientDialect& client, std::string_view created_at);

// An error of the gateway in the client's dialect, carrying code, reason and request id: {"error": "…"} for Ollama,
// {"error": {"message", "type", "code"}} for OpenAI, both with "request_id"; sent with a true status, as one JSON
// object.
ShapedBody ShapeError(const ClientDialect& client, int status, std::string_view code, std::string_view message,
                      std::string_view request_id);

// An error frame inside a stream that had begun (NDJSON line or SSE event). Empty for a plain answer.
std::string ErrorFrame(const ClientDialect& client, std::string_view code, std::string_view message,
                       std::string_view request_id);

// Watches an answer pass for the mark that it is complete: NDJSON "done": true in a line, SSE a finish_reason or
// [DONE], JSON nothing (its framing tells; if it ends with the connection, every bracket must be closed, which no cut
// object is). Bounded memory: one line or event ≤ kMaxFrameBytes; longer ones are not inspected, and if the last one
// was, the framing tells.
class CompletionMark {
 public:
  static constexpr size_t kMaxFrameBytes = 1 << 20;

  // `content_type`: of the answer. A dialect applies only where it is its own, and only to a 2xx.
  CompletionMark(const ClientDialect& client, int status, std::string_view content_type);
  ~CompletionMark();
  CompletionMark(CompletionMark&&) noexcept;

  void Feed(std::string_view bytes);
  // At the end of the body as HTTP framed it: whether the answer may be taken for complete. `framing_tells`: the
  // framing itself shows the end (length or chunks), not the closing of the connection.
  bool IsComplete(bool framing_tells) const;

  // A whole frame has passed (anything at all, where the answer has no frames).
  bool saw_frame() const;

  // A whole frame of the stream was an error ({"error": …}): stream_error. Such an answer is never complete. Cheap.
  bool saw_error() const;

  // What ends a frame that the answer left unfinished, so that a frame of the gateway's own can follow; mostly "".
  std::string_view FrameBreak() const;

  // What the gateway adds to a complete answer for clients that insist on it: [DONE] after a finish_reason; mostly "".
  std::string MissingEnd() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace runtime::dialect
