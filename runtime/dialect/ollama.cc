// Ollama's API (/api/chat, /api/generate, /api/pull), with the members that its server always sends: strict clients fail
// on missing ones. https://github.com/ollama/ollama/blob/main/docs/api.md
#include "runtime/dialect/dialect_codec.h"
#include "runtime/dialect/told_error.h"

namespace runtime::dialect {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

void ReadMessage(const element& message, FrameReading* reading) {
  object members;
  if (message.get(members) != simdjson::SUCCESS) {
    reading->has_answer = IsSomething(message);
    reading->is_plain = !reading->has_answer;
    return;
  }
  for (const auto [name, value] : members) {
    if (name == "role" || name == "tool_name") continue;
    if (name == "content") {
      reading->text = TextOf(value);
      reading->has_answer |= !reading->text.empty();
    } else if (name == "thinking") {
      reading->thinking = TextOf(value);
      reading->has_thinking |= !reading->thinking.empty();
    } else if (IsSomething(value)) {  // tool_calls, images, what is yet to come
      reading->has_answer = true;
      reading->is_plain = false;
    }
  }
}

void Read(Api api, const object& frame, std::string_view, FrameReading* reading) {
  bool is_known = false;
  bool broke_off = false;
  for (const auto [name, value] : frame) {
    if (name == "model") {
      reading->model = TextOf(value);
    } else if (name == "message") {
      is_known = true;
      ReadMessage(value, reading);
    } else if (name == "response") {
      is_known = true;
      reading->text = TextOf(value);
      reading->has_answer |= !reading->text.empty();
    } else if (name == "thinking") {
      is_known = true;
      reading->thinking = TextOf(value);
      reading->has_thinking |= !reading->thinking.empty();
    } else if (name == "done") {  // of equal names the last one counts, as in Go's decoder
      is_known = true;
      bool is_done = false;
      reading->is_terminal = value.get(is_done) == simdjson::SUCCESS && is_done;
      reading->is_unfinished = !reading->is_terminal;
    } else if (name == "done_reason") {
      broke_off = SaysBrokeOff(ReasonOf(value));
    } else if (name == "status" && api == Api::kOllamaPull) {
      is_known = reading->has_answer = true;
      reading->is_plain = false;
      reading->is_terminal = TextOf(value) == "success";
    } else if (name == "error") {
      reading->says_error = TellsError(value);
    } else if (name == "prompt_eval_count") {
      reading->prompt_tokens = CountOf(value);
    } else if (name == "eval_count") {
      reading->completion_tokens = CountOf(value);
    }
  }
  reading->is_error = reading->says_error || broke_off;
  reading->is_last = reading->is_terminal;
  reading->choices_begun = Choices::Of(0);
  if (reading->has_content()) reading->choices_said = Choices::Of(0);
  if (reading->is_terminal) reading->choices_finished = Choices::Of(0);
  reading->is_foreign = !is_known && !reading->is_error;
}

std::string Object(const ClientDialect& client, std::string_view text, std::string_view created_at, bool is_last) {
  Json json;
  json["model"] = client.model;
  json["created_at"] = created_at;
  if (client.api == Api::kOllamaGenerate) {
    json["response"] = text;
  } else {
    json["message"] = {{"role", "assistant"}, {"content", text}};
  }
  json["done"] = is_last;
  if (is_last) {
    json["done_reason"] = "stop";
    // The model did nothing for this answer.
    for (const char* name : {"total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration",
                             "eval_count", "eval_duration"}) {
      json[name] = 0;
    }
  }
  return Dump(json);
}

// What a pull says: a line of progress; only "success" would end it well, and nothing was pulled.
std::string PullStatus(std::string_view text) { return Dump(Json{{"status", text}}); }

std::string WholeAnswer(const ClientDialect& client, std::string_view text, std::string_view created_at) {
  if (client.api == Api::kOllamaPull) return PullStatus(text);
  return Object(client, text, created_at, true);
}

std::string TextStream(const ClientDialect& client, std::string_view text, std::string_view created_at) {
  if (client.api == Api::kOllamaPull) return AsLine(PullStatus(text));
  return AsLine(Object(client, text, created_at, false)) + AsLine(Object(client, "", created_at, true));
}

std::string ErrorObject(const ClientDialect&, int, std::string_view code, std::string_view message,
                        std::string_view request_id) {
  Json json;
  json["error"] = message;
  json["code"] = code;
  json["request_id"] = request_id;
  return Dump(json);
}

std::string Join(Api api, const Json& first, std::string_view thinking, std::string_view text, Json* frame, Blocks*) {
  Json& json = *frame;
  if (first.contains("model")) json["model"] = first["model"];
  json.erase("context");  // of the second answer's prompt only
  Json& holder = api == Api::kOllamaChat ? json["message"] : json;
  if (api == Api::kOllamaChat && !holder.is_object()) holder = {{"role", "assistant"}};
  holder[api == Api::kOllamaChat ? "content" : "response"] = text;
  holder.erase("thinking");
  if (!thinking.empty()) holder["thinking"] = thinking;
  const bool has_more = api == Api::kOllamaChat && holder.contains("tool_calls");
  const bool is_something = !text.empty() || !thinking.empty() || has_more || json.value("done", Json()) == true;
  return is_something ? AsLine(Dump(json)) : std::string();
}

// What each line has; everything else stands in the last one only.
bool IsInEachLine(const std::string& name) {
  return name == "model" || name == "created_at" || name == "message" || name == "response" || name == "thinking" ||
         name == "done";
}

std::optional<Json> Fold(Api api, const std::vector<Json>& lines) {
  if (api == Api::kOllamaPull) return std::nullopt;
  Json said = Json::object();
  Json& holder = api == Api::kOllamaChat ? said["message"] : said;
  for (const Json& line : lines) {
    for (const auto& [name, value] : line.items()) {
      if (&line != &lines.back() && !IsInEachLine(name)) return std::nullopt;
    }
    const Json& part = api == Api::kOllamaChat ? line.value("message", Json()) : line;
    if (!part.is_object()) return std::nullopt;
    for (const auto& [name, value] : part.items()) {
      const bool is_text = name == "content" || name == "response" || name == "thinking";
      if (is_text ? !AppendText(name, value, &holder) : false) return std::nullopt;
      if (!is_text && api == Api::kOllamaChat) holder[name] = value;
    }
  }
  Json whole = lines.back();
  whole.update(said);
  return whole;
}

std::string Unfold(Api api, const Json& object, bool) {
  if (api == Api::kOllamaPull) return {};
  Json first = Json::object();
  Json last = object;
  for (const auto& [name, value] : object.items()) {
    if (IsInEachLine(name)) first[name] = value;
  }
  first["done"] = false;
  if (api == Api::kOllamaChat) {
    if (!object.value("message", Json()).is_object()) return {};
    last["message"] = {{"role", object["message"].value("role", Json("assistant"))}, {"content", ""}};
  } else {
    last["response"] = "";
    last.erase("thinking");
  }
  return AsLine(Dump(first)) + AsLine(Dump(last));
}

}  // namespace

const DialectCodec& OllamaCodec() {
  static constexpr DialectCodec kCodec{Read, WholeAnswer, TextStream, ErrorObject, nullptr, Join, Fold, Unfold, "", ""};
  return kCodec;
}

}  // namespace runtime::dialect
