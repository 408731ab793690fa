#include "runtime/dialect/answer_shapes.h"

#include <utility>
#include <vector>

#include "runtime/dialect/answer_reader.h"
#include "runtime/dialect/dialect_codec.h"

namespace runtime::dialect {
namespace {

bool IsPlainAnswer(const FrameReading& reading) {
  return reading.is_data && reading.is_plain && !reading.is_unread && !reading.is_error && !reading.is_foreign;
}

// What frames of a stream say after each other, without the framing.
std::vector<Json> FramesOf(Api api, std::string_view stream) {
  std::vector<Json> frames;
  AnswerReader reader(api, 200, ContentTypeOf(StreamShapeOf(api)));
  for (Frame frame; reader.Next(&stream, &frame);) {
    if (!frame.data.empty()) frames.push_back(Json::parse(frame.data, nullptr, false));
  }
  return frames;
}

// The proof that a client of a stream misses nothing: the stream of the object, folded, is the object.
bool HasStream(Api api, const Json& object) {
  const std::string stream = CodecOf(api).unfold(api, object, true);
  if (stream.empty()) return false;
  const std::optional<Json> again = CodecOf(api).fold(api, FramesOf(api, stream));
  return again && nlohmann::json(*again) == nlohmann::json(object);
}

std::optional<std::string> Fold(Api api, AnswerReader reader, std::string_view stream) {
  std::vector<Json> frames;
  std::string text, thinking;
  const auto take = [&](const Frame& frame) {
    if (frame.data.empty()) return !frame.reading.is_unread && !frame.reading.is_error;  // comments, [DONE]
    if (frame.reading.is_opaque) return false;
    if (!IsPlainAnswer(frame.reading)) return false;
    text += frame.reading.text;
    thinking += frame.reading.thinking;
    frames.push_back(Json::parse(frame.data, nullptr, false));
    return frames.back().is_object();
  };
  Frame frame;
  while (reader.Next(&stream, &frame)) {
    if (!take(frame)) return std::nullopt;
  }
  if (reader.Finish(&frame) && !take(frame)) return std::nullopt;
  if (frames.empty() || !reader.is_finished()) return std::nullopt;
  const std::optional<Json> object = CodecOf(api).fold(api, frames);
  if (!object) return std::nullopt;
  std::string whole = Dump(*object);
  const auto reading = ReadObject(api, whole);
  if (!reading || !IsPlainAnswer(*reading) || reading->text != text || reading->thinking != thinking)
    return std::nullopt;
  if (!HasStream(api, *object)) return std::nullopt;
  return whole;
}

}  // namespace

std::optional<std::string> WholeAnswerOf(Api api, std::string_view content_type, std::string_view body) {
  if (api == Api::kPlain) return std::nullopt;
  const bool is_stream = content_type.starts_with(ContentTypeOf(StreamShapeOf(api)));
  if (is_stream) return Fold(api, AnswerReader(api, 200, content_type), body);
  if (!content_type.starts_with("application/json")) return std::nullopt;

  const auto reading = ReadObject(api, body);
  if (!reading || !IsPlainAnswer(*reading) || !reading->is_terminal) return std::nullopt;
  const Json object = Json::parse(body, nullptr, false);
  if (!object.is_object() || !HasStream(api, object)) return std::nullopt;
  return std::string(body);
}

std::string StreamOf(const ClientDialect& client, std::string_view client_body, std::string_view object) {
  const Json request = Json::parse(client_body, nullptr, false);
  const Json::json_pointer asks("/stream_options/include_usage");
  const bool wants_usage = request.is_object() && request.contains(asks) && request[asks] == true;
  return CodecOf(client.api).unfold(client.api, Json::parse(object, nullptr, false), wants_usage);
}

}  // namespace runtime::dialect
