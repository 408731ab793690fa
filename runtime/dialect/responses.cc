// OpenAI's Responses API (/v1/responses), which Codex and most agents speak; Ollama, vLLM, SGLang and LM Studio answer in it, too.
// Answers are events with names and numbers. They are never continued by another server: their items have ids that clients refer to.
// https://platform.openai.com/docs/api-reference/responses-streaming
#include "runtime/dialect/dialect_codec.h"
#include "runtime/dialect/told_error.h"

namespace runtime::dialect {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

std::string_view TextIn(const object& frame, std::string_view name) {
  element member;
  return frame[name].get(member) == simdjson::SUCCESS ? TextOf(member) : std::string_view();
}

void ReadUsage(const element& usage, FrameReading* reading) {
  object members;
  if (usage.get(members) != simdjson::SUCCESS) return;
  for (const auto [name, value] : members) {
    if (name == "input_tokens") reading->prompt_tokens = CountOf(value);
    if (name == "output_tokens") reading->completion_tokens = CountOf(value);
  }
}

// The parts of a message or of reasoning: whether one of them says anything.
bool HasWords(const element& parts) {
  array list;
  if (parts.get(list) != simdjson::SUCCESS) return IsSomething(parts);
  for (const element part : list) {
    object members;
    if (part.get(members) != simdjson::SUCCESS) continue;
    for (const auto [name, value] : members) {
      if ((name == "text" || name == "refusal" || name == "summary") && IsSomething(value)) return true;
    }
  }
  return false;
}

// The text of a message, if it has one part.
std::string_view OnlyText(const element& parts) {
  array list;
  element text;
  if (parts.get(list) != simdjson::SUCCESS || list.size() != 1 || list.at(0)["text"].get(text) != simdjson::SUCCESS) return {};
  return TextOf(text);
}

// An item of the output: a message, reasoning, or a call of something. `is_new`: what it says was not said before.
void ReadItem(const element& item, bool is_new, FrameReading* reading) {
  object members;
  if (item.get(members) != simdjson::SUCCESS) return;
  const std::string_view type = TextIn(members, "type");
  element parts;
  if (type == "message") {
    if (members["content"].get(parts) != simdjson::SUCCESS || !HasWords(parts)) return;
    reading->has_answer = true;
    if (is_new) reading->text = OnlyText(parts);
  } else if (type == "reasoning") {
    for (const std::string_view name : {"summary", "content", "encrypted_content"}) {
      reading->has_thinking |= members[name].get(parts) == simdjson::SUCCESS && HasWords(parts);
    }
  } else if (!type.empty()) {  // function_call, custom_tool_call, web_search_call, what is yet to come
    reading->has_answer = true;
  }
}

// The response itself: the whole answer, or what an event says of it.
enum class Told : uint8_t { kBegin, kEnd, kWhole };

void ReadResponse(const object& response, Told told, FrameReading* reading) {
  for (const auto [name, value] : response) {
    if (name == "model") {
      reading->model = TextOf(value);
    } else if (name == "usage") {
      ReadUsage(value, reading);
    } else if (name == "error") {
      reading->is_error |= TellsError(value);
    } else if (name == "status") {
      const std::string_view status = TextOf(value);
      reading->is_error |= SaysBrokeOff(status);  // failed, cancelled
      if (status == "completed" || status == "incomplete") reading->is_terminal = true;
    } else if (name == "output" && told != Told::kBegin) {
      array items;
      if (value.get(items) != simdjson::SUCCESS) continue;
      for (const element item : items) ReadItem(item, told == Told::kWhole, reading);
    }
  }
}

void Read(Api, const object& frame, std::string_view event, FrameReading* reading) {
  element member;
  object response;
  std::string_view type = TextIn(frame, "type");
  if (type.empty()) type = event;
  reading->is_plain = false;
  reading->choices_begun = Choices::Of(0);
  int64_t number = 0;
  if (frame["sequence_number"].get(member) == simdjson::SUCCESS && member.get(number) == simdjson::SUCCESS) reading->sequence = number;
  const bool has_error = frame["error"].get(member) == simdjson::SUCCESS && TellsError(member);
  if (type == "response.failed" || type == "error" || type == "response.cancelled" || type == "response.error") {
    reading->is_error = true;
    reading->says_error = type == "response.failed" || has_error;
  } else if (TextIn(frame, "object") == "response") {  // no event: the whole answer
    ReadResponse(frame, Told::kWhole, reading);
  } else if (has_error) {
    reading->is_error = true;
  } else if (type == "response.completed" || type == "response.incomplete" || type == "response.done") {
    // Its status is that of its name, unless it says something worse.
    if (frame["response"].get(response) == simdjson::SUCCESS) ReadResponse(response, Told::kEnd, reading);
    reading->is_terminal = reading->is_last = !reading->is_error;
  } else if (type == "response.created" || type == "response.in_progress" || type == "response.queued") {
    if (frame["response"].get(response) == simdjson::SUCCESS) ReadResponse(response, Told::kBegin, reading);
    reading->is_terminal = false;
  } else if (type == "response.output_item.added") {
    if (frame["item"].get(member) == simdjson::SUCCESS) ReadItem(member, false, reading);
  } else if (type.ends_with(".delta")) {
    const bool says = frame["delta"].get(member) == simdjson::SUCCESS && IsSomething(member);
    const bool is_reasoning = type.starts_with("response.reasoning");
    reading->has_answer = says && !is_reasoning;
    reading->has_thinking = says && is_reasoning;
    if (type == "response.output_text.delta" && says) reading->text = TextOf(member);
  } else if (!type.starts_with("response.") && type != "keepalive" && type != "ping") {
    reading->is_foreign = type.empty() || frame["response"].get(member) != simdjson::SUCCESS;
  }
  if (reading->has_content()) reading->choices_said = Choices::Of(0);
  if (reading->is_terminal) reading->choices_finished = Choices::Of(0);
}

Json Response(const ClientDialect& client, std::string_view created_at, std::string_view status) {
  Json json;
  json["id"] = "resp_breakwater_" + std::to_string(UnixSeconds(created_at));
  json["object"] = "response";
  json["created_at"] = UnixSeconds(created_at);
  json["status"] = status;
  json["error"] = nullptr;
  json["incomplete_details"] = nullptr;
  json["instructions"] = nullptr;
  json["metadata"] = Json::object();
  json["model"] = client.model;
  json["output"] = Json::array();
  json["parallel_tool_calls"] = true;
  json["temperature"] = nullptr;
  json["tool_choice"] = "auto";
  json["tools"] = Json::array();
  json["top_p"] = nullptr;
  json["usage"] = nullptr;
  return json;
}

Json Part(std::string_view text) { return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", Json::array()}}; }

Json Message(std::string_view created_at, std::string_view status, Json content) {
  return {{"id", "msg_breakwater_" + std::to_string(UnixSeconds(created_at))},
          {"type", "message"},
          {"status", status},
          {"role", "assistant"},
          {"content", std::move(content)}};
}

Json Whole(const ClientDialect& client, std::string_view text, std::string_view created_at) {
  Json json = Response(client, created_at, "completed");
  json["output"].push_back(Message(created_at, "completed", Json::array({Part(text)})));
  json["usage"] = {{"input_tokens", 0},
                   {"input_tokens_details", {{"cached_tokens", 0}}},
                   {"output_tokens", 0},
                   {"output_tokens_details", {{"reasoning_tokens", 0}}},
                   {"total_tokens", 0}};
  return json;
}

std::string WholeAnswer(const ClientDialect& client, std::string_view text, std::string_view created_at) {
  return Dump(Whole(client, text, created_at));
}

// Events with their numbers, which clients insist on.
class Events {
 public:
  explicit Events(int64_t next) : next_(next) {}

  void Add(std::string_view type, Json members) {
    Json event = {{"type", type}, {"sequence_number", next_++}};
    event.update(members);
    out_ += AsEvent(type, Dump(event));
  }
  std::string out() && { return std::move(out_); }

 private:
  int64_t next_;
  std::string out_;
};

std::string TextStream(const ClientDialect& client, std::string_view text, std::string_view created_at) {
  Events events(client.next_event);
  const Json begun = Response(client, created_at, "in_progress");
  const Json message = Message(created_at, "completed", Json::array({Part(text)}));
  const Json place = {{"item_id", message["id"]}, {"output_index", 0}, {"content_index", 0}};
  const auto at = [&place](Json members) {
    Json all = place;
    all.update(members);
    return all;
  };
  events.Add("response.created", {{"response", begun}});
  events.Add("response.in_progress", {{"response", begun}});
  events.Add("response.output_item.added", {{"output_index", 0}, {"item", Message(created_at, "in_progress", Json::array())}});
  events.Add("response.content_part.added", at({{"part", Part("")}}));
  events.Add("response.output_text.delta", at({{"delta", text}, {"logprobs", Json::array()}}));
  events.Add("response.output_text.done", at({{"text", text}, {"logprobs", Json::array()}}));
  events.Add("response.content_part.done", at({{"part", Part(text)}}));
  events.Add("response.output_item.done", {{"output_index", 0}, {"item", message}});
  events.Add("response.completed", {{"response", Whole(client, text, created_at)}});
  return std::move(events).out();
}

// A whole error is OpenAI's. In a stream it is an event: SDKs look for its `error`, the documentation has the members beside it.
std::string ErrorObject(const ClientDialect& client, int status, std::string_view code, std::string_view message,
                        std::string_view request_id) {
  Json json;
  if (client.is_stream()) {
    json["type"] = "error";
    json["sequence_number"] = client.next_event;
    json["code"] = code;
    json["message"] = message;
    json["param"] = nullptr;
  }
  json["error"] = {{"message", message}, {"type", OpenAiErrorType(status)}, {"param", nullptr}, {"code", code}};
  json["request_id"] = request_id;
  return Dump(json);
}

// Codex and others take only this for the end of a response that failed.
std::string AfterError(const ClientDialect& client, std::string_view code, std::string_view message) {
  Json response = Response(client, {}, "failed");
  response["error"] = {{"code", code}, {"message", message}};
  Events events(client.next_event + 1);
  events.Add("response.failed", {{"response", std::move(response)}});
  return std::move(events).out();
}

std::string Join(Api, const Json&, std::string_view, std::string_view, Json*, Blocks*) { return {}; }
std::optional<Json> Fold(Api, const std::vector<Json>&) { return std::nullopt; }
std::string Unfold(Api, const Json&, bool) { return {}; }

}  // namespace

const DialectCodec& ResponsesCodec() {
  static constexpr DialectCodec kCodec{Read, WholeAnswer, TextStream, ErrorObject, AfterError, Join, Fold, Unfold, "error", ""};
  return kCodec;
}

}  // namespace runtime::dialect
