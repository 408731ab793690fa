// Replies and errors of the gateway in the shape in which the client reads: one JSON object, lines of JSON (NDJSON), or
// server-sent events (SSE, https://html.spec.whatwg.org/multipage/server-sent-events.html).
#include "runtime/dialect/dialect.h"
#include "runtime/dialect/frames.h"
#include "runtime/dialect/members.h"

namespace runtime::dialect {
namespace {

using compiler::model::Body;
using compiler::model::BodyKind;

constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

std::string_view ContentTypeOf(Shape shape) {
  switch (shape) {
    case Shape::kJson: return "application/json";
    case Shape::kNdjson: return "application/x-ndjson";
    case Shape::kSse: return "text/event-stream";
  }
  return {};
}

// JSON without the white space between its tokens: what is written in strings and numbers stays as it is, byte for
// byte.
std::string Compact(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out += c;
      if (c == '\\' && i + 1 < json.size()) {
        out += json[++i];
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
      out += c;
      in_string = c == '"';
    }
  }
  return out;
}

std::string AsEvent(std::string_view object) { return "data: " + std::string(object) + "\n\n"; }

// One object as the only content of a stream.
std::string JsonAsStream(std::string_view text, const ClientDialect& client, std::string_view created_at) {
  std::string object = Compact(text);
  if (client.shape == Shape::kSse) return AsEvent(object).append(kDoneEvent);

  const Members members = ReadMembers(object).value_or(Members{});
  if (!members.is_object) return object + "\n" + LastFrame(client, created_at) + "\n";
  if (!members.has_done) object.insert(object.size() - 1, object == "{}" ? "\"done\":true" : ",\"done\":true");
  return object + "\n";
}

std::string TextAsStream(std::string_view text, const ClientDialect& client, std::string_view created_at) {
  const std::string content = ContentFrame(client, text, created_at);
  const std::string last = LastFrame(client, created_at);
  if (client.shape == Shape::kSse) return AsEvent(content) + AsEvent(last).append(kDoneEvent);
  return content + "\n" + last + "\n";
}

}  // namespace

ShapedBody ShapeReply(const Body& body, const ClientDialect& client, std::string_view created_at) {
  ShapedBody shaped;
  if (body.kind == BodyKind::kNone) return shaped;

  if (body.kind == BodyKind::kText && client.api == Api::kPlain) {
    shaped.content_type = "text/plain; charset=utf-8";
    shaped.body = body.text;
    return shaped;
  }
  shaped.content_type = ContentTypeOf(client.shape);
  if (body.kind == BodyKind::kJson) {
    shaped.body = client.is_stream() ? JsonAsStream(body.text, client, created_at) : body.text;
  } else {
    shaped.body =
        client.is_stream() ? TextAsStream(body.text, client, created_at) : WholeAnswer(client, body.text, created_at);
  }
  return shaped;
}

ShapedBody ShapeError(const ClientDialect& client, int status, std::string_view code, std::string_view message,
                      std::string_view request_id) {
  return {std::string(ContentTypeOf(Shape::kJson)), ErrorObject(client, status, code, message, request_id)};
}

std::string ErrorFrame(const ClientDialect& client, std::string_view code, std::string_view message,
                       std::string_view request_id) {
  switch (client.shape) {
    case Shape::kJson: return {};
    case Shape::kNdjson: return ErrorObject(client, 0, code, message, request_id) + "\n";
    case Shape::kSse: return AsEvent(ErrorObject(client, 0, code, message, request_id));
  }
  return {};
}

}  // namespace runtime::dialect
