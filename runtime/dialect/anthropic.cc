// Anthropic's API (/v1/messages), which Ollama and vLLM speak as well. https://docs.anthropic.com/en/api/messages-streaming
#include <algorithm>
#include <utility>

#include "runtime/dialect/dialect_codec.h"
#include "runtime/dialect/told_error.h"

namespace runtime::dialect {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr int64_t kMostBlocks = 1 << 20;  // beyond it their numbers mean nothing

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

bool IsThinking(const element& block) {
  element type;
  return block["type"].get(type) == simdjson::SUCCESS && TextOf(type) == "thinking";
}

// A message: the whole answer, or what message_start announces.
void ReadMessage(const object& message, FrameReading* reading) {
  for (const auto [name, value] : message) {
    if (name == "model") {
      reading->model = TextOf(value);
    } else if (name == "usage") {
      ReadUsage(value, reading);
    } else if (name == "stop_reason") {
      const std::string_view reason = ReasonOf(value);
      reading->is_terminal = !reason.empty();
      reading->is_error |= SaysBrokeOff(reason);
    } else if (name == "content") {
      array blocks;
      if (value.get(blocks) != simdjson::SUCCESS) continue;
      for (const element block : blocks) ReadBlock(block, reading);
    }
  }
}

bool IsKnown(std::string_view type) {
  for (const std::string_view known : {"error", "message", "message_start", "content_block_start", "content_block_delta", "message_delta",
                                       "message_stop", "content_block_stop", "ping"}) {
    if (type == known) return true;
  }
  return false;
}

void Read(Api, const object& frame, std::string_view event, FrameReading* reading) {
  element member;
  std::string_view type = frame["type"].get(member) == simdjson::SUCCESS ? TextOf(member) : "";
  if (type.empty() && IsKnown(event)) type = event;
  const bool has_error = frame["error"].get(member) == simdjson::SUCCESS && TellsError(member);
  reading->choices_begun = Choices::Of(0);
  if (type == "error" || has_error) {
    reading->is_error = true;
    reading->says_error = type == "error";
  } else if (type == "message") {
    ReadMessage(frame, reading);
  } else if (type == "message_start") {
    object message;
    if (frame["message"].get(message) == simdjson::SUCCESS) ReadMessage(message, reading);
    reading->is_terminal = false;  // what begins has not ended, whatever its copy of the message says
  } else if (type == "content_block_start") {
    if (frame["content_block"].get(member) == simdjson::SUCCESS) {
      ReadBlock(member, reading);
      reading->block = IsThinking(member) ? BlockStep::kBeginsThinking : BlockStep::kBeginsText;
    } else {
      reading->block = BlockStep::kBeginsText;
    }
    if (frame["index"].get(member) == simdjson::SUCCESS) {
      reading->block_number = std::clamp<int64_t>(CountOf(member), 0, kMostBlocks);
    }
  } else if (type == "content_block_delta") {
    if (frame["delta"].get(member) == simdjson::SUCCESS) ReadBlock(member, reading);
  } else if (type == "message_delta") {
    object delta;
    if (frame["delta"].get(delta) == simdjson::SUCCESS) ReadMessage(delta, reading);
    if (frame["usage"].get(member) == simdjson::SUCCESS) ReadUsage(member, reading);
  } else if (type == "message_stop") {
    reading->is_last = true;
  } else if (type == "content_block_stop") {
    reading->block = BlockStep::kEnds;
  } else if (type != "ping") {
    // What is yet to come has a type, and if it says something, a delta or a block.
    reading->is_foreign = type.empty();
    reading->has_answer = !type.empty() && (frame["delta"].get(member) == simdjson::SUCCESS ||
                                            frame["content_block"].get(member) == simdjson::SUCCESS);
    reading->is_plain = false;
  }
  if (reading->has_content()) reading->choices_said = Choices::Of(0);
  if (reading->is_terminal) reading->choices_finished = Choices::Of(0);
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
  stream += Event({{"type", "content_block_delta"}, {"index", 0}, {"delta", {{"type", "text_delta"}, {"text", text}}}});
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

std::string ErrorObject(const ClientDialect&, int status, std::string_view code, std::string_view message,
                        std::string_view request_id) {
  Json json;
  json["type"] = "error";
  json["error"] = {{"type", ErrorType(status)}, {"message", message}, {"code", code}};
  json["request_id"] = request_id;
  return Dump(json);
}

// The frames of a second answer, for a client that has the beginning of a first one. Text goes on in the block that is open; a new
// one begins only where there is none. Blocks of other kinds are passed on whole, under numbers that follow.
class Joining {
 public:
  explicit Joining(Blocks* blocks) : blocks_(*blocks) {}

  void Say(BlockStep kind, const char* name, std::string_view what) {
    if (what.empty()) return;
    if (blocks_.open != kind) {
      Close();
      Json block = {{"type", name}, {name, ""}};
      if (kind == BlockStep::kBeginsThinking) block["signature"] = "";
      out_ +=
          Event({{"type", "content_block_start"}, {"index", blocks_.last + 1}, {"content_block", std::move(block)}});
      blocks_.Observe(kind, blocks_.last + 1);
    }
    Json delta = {{"type", std::string(name) + "_delta"}, {name, what}};
    out_ += Event({{"type", "content_block_delta"}, {"index", blocks_.last}, {"delta", std::move(delta)}});
  }

  void Close() {
    if (blocks_.open == BlockStep::kNone) return;
    out_ += Event({{"type", "content_block_stop"}, {"index", blocks_.last}});
    blocks_.Observe(BlockStep::kEnds, 0);
  }

  // `frame` without its text and thinking, which were said.
  void Pass(const std::string& type, Json* frame) {
    const int64_t index =
        frame->contains("index") && (*frame)["index"].is_number_integer() ? (*frame)["index"].get<int64_t>() : -1;
    const auto passed = blocks_.passed.find(index);
    if (type == "message_start") return;  // the client has one
    if (type == "content_block_start") {
      const std::string kind = KindOf(*frame, "content_block");
      if (kind == "text" || kind == "thinking" || kind == "redacted_thinking") return;
      Close();
      (*frame)["index"] = blocks_.passed[index] = ++blocks_.last;
    } else if (type == "content_block_delta" || type == "content_block_stop") {
      if (passed != blocks_.passed.end()) {
        (*frame)["index"] = passed->second;
      } else if (blocks_.open == BlockStep::kBeginsText && KindOf(*frame, "delta") == "citations_delta") {
        (*frame)["index"] = blocks_.last;
      } else {
        return;  // text and thinking; its signature, which is that of another thinking than the client has
      }
    } else if (type == "message_delta" || type == "message_stop") {
      Close();
    }
    out_ += AsEvent(type, Dump(*frame));
  }

  std::string out() && { return std::move(out_); }

 private:
  static std::string KindOf(const Json& frame, const char* member) {
    const Json::json_pointer type(std::string("/") + member + "/type");
    return frame.contains(type) && frame[type].is_string() ? frame[type].get<std::string>() : std::string();
  }

  Blocks& blocks_;
  std::string out_;
};

std::string Join(Api, const Json&, std::string_view thinking, std::string_view text, Json* frame, Blocks* blocks) {
  if (!frame->contains("type") || !(*frame)["type"].is_string()) return {};
  Joining joining(blocks);
  joining.Say(BlockStep::kBeginsThinking, "thinking", thinking);
  joining.Say(BlockStep::kBeginsText, "text", text);
  joining.Pass((*frame)["type"].get<std::string>(), frame);
  return std::move(joining).out();
}

std::optional<Json> Fold(Api, const std::vector<Json>& events) {
  Json message;
  for (const Json& event : events) {
    const std::string type = event.value("type", Json()).is_string() ? event["type"].get<std::string>() : std::string();
    if (type == "ping" || type == "content_block_stop" || type == "message_stop") continue;
    if (type == "message_start") {
      if (!message.is_null()) return std::nullopt;
      message = event.value("message", Json());
      if (!message.is_object() || !message.value("content", Json()).is_array()) return std::nullopt;
      continue;
    }
    if (!message.is_object()) return std::nullopt;
    if (type == "content_block_start") {
      message["content"].push_back(event.value("content_block", Json()));
      if (!message["content"].back().is_object()) return std::nullopt;
    } else if (type == "content_block_delta") {
      const Json delta = event.value("delta", Json());
      if (!delta.is_object() || message["content"].empty()) return std::nullopt;
      for (const char* name : {"text", "thinking"}) {
        if (delta.contains(name) && !AppendText(name, delta[name], &message["content"].back())) return std::nullopt;
      }
    } else if (type == "message_delta") {
      for (const char* name : {"delta", "usage"}) {
        if (event.contains(name) && !event[name].is_object()) return std::nullopt;
      }
      if (event.contains("delta")) message.update(event["delta"]);
      if (event.contains("usage")) {
        if (!message.value("usage", Json()).is_object()) message["usage"] = Json::object();
        message["usage"].update(event["usage"]);
      }
    } else {
      return std::nullopt;
    }
  }
  return message.is_object() ? std::optional(std::move(message)) : std::nullopt;
}

std::string Unfold(Api, const Json& object, bool) {
  if (!object.value("content", Json()).is_array() || !object.value("usage", Json()).is_object()) return {};
  Json message = object;
  message["content"] = Json::array();
  Json delta = Json::object();
  for (const char* name : {"stop_reason", "stop_sequence"}) {
    if (object.contains(name)) delta[name] = std::exchange(message[name], nullptr);
  }
  message["usage"]["output_tokens"] = 0;
  std::string stream = Event({{"type", "message_start"}, {"message", std::move(message)}});
  int64_t index = 0;
  std::vector<std::string> kinds;
  for (Json block : object["content"]) {
    if (!block.is_object() || !block.value("type", Json()).is_string()) return {};
    const std::string kind = block["type"].get<std::string>();  // "text" or "thinking", which name their text alike
    if (!block.value(kind, Json()).is_string()) return {};
    if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return {};  // several texts: see FrameReading
    kinds.push_back(kind);
    for (const auto& [name, value] : block.items()) {  // a signature, citations: they have events of their own
      if (name != "type" && name != kind && !value.empty() && value != "") return {};
    }
    Json said = {{"type", kind + "_delta"}, {kind, std::exchange(block[kind], "")}};
    stream += Event({{"type", "content_block_start"}, {"index", index}, {"content_block", std::move(block)}});
    stream += Event({{"type", "content_block_delta"}, {"index", index}, {"delta", std::move(said)}});
    stream += Event({{"type", "content_block_stop"}, {"index", index++}});
  }
  stream += Event({{"type", "message_delta"}, {"delta", std::move(delta)}, {"usage", object["usage"]}});
  return stream + Event({{"type", "message_stop"}});
}

}  // namespace

const DialectCodec& AnthropicCodec() {
  static constexpr DialectCodec kCodec{
      Read,        WholeAnswer, TextStream,
      ErrorObject, nullptr,     Join,
      Fold,        Unfold,      "error",
      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"};
  return kCodec;
}

}  // namespace runtime::dialect
