// Anthropic's API (/v1/messages), which Ollama and vLLM speak as well. https://docs.anthropic.com/en/api/messages-streaming
#include "runtime/dialect/speech.h"

namespace runtime::dialect {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

void ReadUsage(const element& usage, FrameReading* reading) {
  object members;
  if (usage.get(members) != simdjson::SUCCESS) return;
  for (const auto [name, value] : members) {
    if (name == "input_tokens") reading->prompt_tokens = CountOf(value);
    if (name == "output_tokens") reading->completion_tokens = CountOf(value);
  }
}

// A content block, or a delta of one: its kind is told by the member that it has.
void ReadBlock(const element& block, FrameReading* reading) {
  object members;
  if (block.get(members) != simdjson::SUCCESS) return;
  for (const auto [name, value] : members) {
    if (name == "type") {
      const std::string_view type = TextOf(value);
      if (type == "text" || type == "text_delta" || type == "thinking" || type == "thinking_delta") continue;
      if (type == "signature_delta" || type == "redacted_thinking") {
        reading->has_thinking = true;
      } else {  // tool_use, input_json_delta, citations_delta, what is yet to come
        reading->has_answer = true;
      }
      reading->is_plain = false;
    } else if (name == "text") {
      reading->text = TextOf(value);
      reading->has_answer |= !reading->text.empty();
    } else if (name == "thinking") {
      reading->thinking = TextOf(value);
      reading->has_thinking |= !reading->thinking.empty();
    }
  }
}

// A message: the whole answer, or what message_start announces.
void ReadMessage(const object& message, FrameReading* reading) {
  for (const auto [name, value] : message) {
    if (name == "model") {
      reading->model = TextOf(value);
    } else if (name == "usage") {
      ReadUsage(value, reading);
    } else if (name == "stop_reason") {
      reading->is_terminal = !value.is_null();
    } else if (name == "content") {
      array blocks;
      if (value.get(blocks) != simdjson::SUCCESS) continue;
      for (const element block : blocks) ReadBlock(block, reading);
    }
  }
}

void Read(Api, const object& frame, FrameReading* reading) {
  element member;
  const std::string_view type = frame["type"].get(member) == simdjson::SUCCESS ? TextOf(member) : "";
  if (type == "error") {
    reading->is_error = true;
  } else if (type == "message") {
    ReadMessage(frame, reading);
  } else if (type == "message_start") {
    object message;
    if (frame["message"].get(message) == simdjson::SUCCESS) ReadMessage(message, reading);
  } else if (type == "content_block_start") {
    if (frame["content_block"].get(member) == simdjson::SUCCESS) ReadBlock(member, reading);
  } else if (type == "content_block_delta") {
    if (frame["delta"].get(member) == simdjson::SUCCESS) ReadBlock(member, reading);
  } else if (type == "message_delta") {
    object delta;
    if (frame["delta"].get(delta) == simdjson::SUCCESS) ReadMessage(delta, reading);
    if (frame["usage"].get(member) == simdjson::SUCCESS) ReadUsage(member, reading);
  } else if (type == "message_stop") {
    reading->is_terminal = reading->is_last = true;
  } else if (type != "ping" && type != "content_block_stop") {
    reading->has_answer = true;
    reading->is_plain = false;
  }
}

Json Message(const ClientDialect& client, std::string_view created_at) {
  Json json;
  json["id"] = "msg_breakwater_" + std::to_string(UnixSeconds(created_at));
  json["type"] = "message";
  json["role"] = "assistant";
  json["model"] = client.model;
  json["content"] = Json::array();
  json["stop_reason"] = nullptr;
  json["stop_sequence"] = nullptr;
  json["usage"] = {{"input_tokens", 0}, {"output_tokens", 0}};
  return json;
}

std::string WholeAnswer(const ClientDialect& client, std::string_view text, std::string_view created_at) {
  Json json = Message(client, created_at);
  json["content"].push_back({{"type", "text"}, {"text", text}});
  json["stop_reason"] = "end_turn";
  return Dump(json);
}

std::string Event(const Json& json) { return AsEvent(json["type"].get<std::string>(), Dump(json)); }

std::string TextStream(const ClientDialect& client, std::string_view text, std::string_view created_at) {
  std::string stream = Event({{"type", "message_start"}, {"message", Message(client, created_at)}});
  stream += Event({{"type", "content_block_start"}, {"index", 0}, {"content_block", {{"type", "text"}, {"text", ""}}}});
  stream +=
      Event({{"type", "content_block_delta"}, {"index", 0}, {"delta", {{"type", "text_delta"}, {"text", text}}}});
  stream += Event({{"type", "content_block_stop"}, {"index", 0}});
  stream += Event({{"type", "message_delta"},
                   {"delta", {{"stop_reason", "end_turn"}, {"stop_sequence", nullptr}}},
                   {"usage", {{"output_tokens", 0}}}});
  return stream + Event({{"type", "message_stop"}});
}

// The `type` that the API gives with each status.
std::string_view ErrorType(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    case 503:
    case 529: return "overloaded_error";
    default: return status >= 400 && status < 500 ? "invalid_request_error" : "api_error";
  }
}

std::string ErrorObject(int status, std::string_view code, std::string_view message, std::string_view request_id) {
  Json json;
  json["type"] = "error";
  json["error"] = {{"type", ErrorType(status)}, {"message", message}, {"code", code}};
  json["request_id"] = request_id;
  return Dump(json);
}

}  // namespace

const Speech& AnthropicSpeech() {
  static constexpr Speech kSpeech{
      Read, WholeAnswer, TextStream, ErrorObject, nullptr, "error", "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"};
  return kSpeech;
}

}  // namespace runtime::dialect
