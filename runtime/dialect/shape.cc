// Replies and errors of the gateway in the shape in which the client reads: one JSON object, lines of JSON (NDJSON), or
// server-sent events (SSE, https://html.spec.whatwg.org/multipage/server-sent-events.html).
#include "runtime/dialect/answer_reader.h"
#include "runtime/dialect/dialect.h"
#include "runtime/dialect/members.h"
#include "runtime/dialect/dialect_codec.h"
#include "runtime/dialect/told_error.h"

namespace runtime::dialect {
namespace {

using compiler::model::Body;
using compiler::model::BodyKind;

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

// Whose words an error is told in: those of the API that is read, else those of the path's family.
const DialectCodec& CodecOfErrors(const ClientDialect& client) {
  if (client.api != Api::kPlain) return CodecOf(client.api);
  switch (client.family) {
    case ApiFamily::kNone:
    case ApiFamily::kOllama: return OllamaCodec();
    case ApiFamily::kOpenAi:
    case ApiFamily::kResponses: return OpenAiCodec();
    case ApiFamily::kAnthropic: return AnthropicCodec();
  }
  return OllamaCodec();
}

// One object as the only content of a stream.
std::string JsonAsStream(std::string_view text, const ClientDialect& client) {
  std::string object = Compact(text);
  if (client.shape == Shape::kSse) return AsEvent(object).append(CodecOf(client.api).end);

  const Members members = ReadMembers(object).value_or(Members{});
  if (!members.is_object) return AsLine(object) + AsLine("{\"done\":true}");
  if (!members.has_done) object.insert(object.size() - 1, object == "{}" ? "\"done\":true" : ",\"done\":true");
  return AsLine(object);
}

std::string FrameOfError(const ClientDialect& client, std::string_view object) {
  const std::string_view event = CodecOfErrors(client).error_event;
  switch (client.shape) {
    case Shape::kJson: return {};
    case Shape::kNdjson: return AsLine(object);
    case Shape::kSse: return event.empty() ? AsEvent(object) : AsEvent(event, object);
  }
  return {};
}

}  // namespace

std::string_view ContentTypeOf(Shape shape) {
  switch (shape) {
    case Shape::kJson: return "application/json";
    case Shape::kNdjson: return "application/x-ndjson";
    case Shape::kSse: return "text/event-stream";
  }
  return {};
}

std::string_view KeepAliveBytes(const ClientDialect& client) {
  if (client.api == Api::kOpenAiResponses && client.is_stream()) {
    return "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":0}\n\n";
  }
  switch (client.shape) {
    case Shape::kJson: return {};
    case Shape::kNdjson: return " ";
    case Shape::kSse: return ": keep-alive\n\n";
  }
  return {};
}

bool AnswersInText(const ClientDialect& client) { return client.api != Api::kPlain || client.family == ApiFamily::kNone; }

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
    shaped.body = client.is_stream() ? JsonAsStream(body.text, client) : body.text;
  } else {
    const DialectCodec& codec = CodecOf(client.api);
    shaped.body = (client.is_stream() ? codec.text_stream : codec.whole_answer)(client, body.text, created_at);
  }
  return shaped;
}

ShapedBody ShapeError(const ClientDialect& client, int status, std::string_view code, std::string_view message,
                      std::string_view request_id) {
  ClientDialect whole = client;
  whole.shape = Shape::kJson;
  return {std::string(ContentTypeOf(Shape::kJson)), CodecOfErrors(client).error_object(whole, status, code, message, request_id)};
}

std::string ErrorFrame(const ClientDialect& client, std::string_view code, std::string_view message,
                       std::string_view request_id) {
  const DialectCodec& codec = CodecOfErrors(client);
  std::string frame = FrameOfError(client, codec.error_object(client, 0, code, message, request_id));
  if (client.is_stream() && codec.after_error != nullptr) frame += codec.after_error(client, code, message);
  return frame;
}

std::string LateErrorFrame(const ClientDialect& client, std::string_view body, std::string_view code,
                           std::string_view message, std::string_view request_id) {
  // Where a stream has errors of another form than an answer has, it is told anew.
  const ToldError told = ReadError(body);
  if (client.api == Api::kOpenAiResponses) {
    return ErrorFrame(client, told.code.empty() ? code : std::string_view(told.code),
                      told.message.empty() ? message : std::string_view(told.message), request_id);
  }
  const auto reading = ReadObject(client.api, body);
  if (reading && reading->is_error && reading->says_error) return FrameOfError(client, Compact(body));
  const bool is_told = reading && (reading->is_error || !told.message.empty());
  return ErrorFrame(client, code, is_told && !told.message.empty() ? std::string_view(told.message) : message, request_id);
}

}  // namespace runtime::dialect
