// OpenAI's API (/v1/chat/completions, /v1/completions) as its many servers speak it, Ollama and vLLM among them.
// https://platform.openai.com/docs/api-reference/chat-streaming
#include <optional>

#include "runtime/dialect/dialect_codec.h"
#include "runtime/dialect/told_error.h"

namespace runtime::dialect {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// What a choice says, in one of the members that may hold it.
struct Said {
  bool has_answer = false;
  bool has_thinking = false;
  bool is_plain = true;
  bool is_error = false;
  std::string_view text;
  std::string_view thinking;
};

// Whether one of these calls has a name, arguments or something that nobody knows: some servers send calls of nothing (Qwen).
bool HasCall(const element& calls) {
  array list;
  if (calls.get(list) != simdjson::SUCCESS) return IsSomething(calls);
  for (const element call : list) {
    object members;
    if (call.get(members) != simdjson::SUCCESS) return true;
    for (const auto [name, value] : members) {
      if (name != "index" && name != "id" && name != "type" && IsSomething(value)) return true;
    }
  }
  return false;
}

// `content` as a list of parts (Mistral): text, or what the model thinks.
void ReadParts(const array& parts, Said* said) {
  for (const element part : parts) {
    element member;
    if (!part.is_object()) {
      said->has_answer |= IsSomething(part);
      continue;
    }
    const std::string_view type = part["type"].get(member) == simdjson::SUCCESS ? TextOf(member) : "";
    if (type == "text") {
      if (part["text"].get(member) != simdjson::SUCCESS || TextOf(member).empty()) continue;
      if (said->has_answer) said->text = {};  // of several parts none is all of it
      else said->text = TextOf(member);
      said->has_answer = true;
    } else if (type == "thinking" || type == "reasoning") {
      said->has_thinking |= part[type].get(member) == simdjson::SUCCESS && IsSomething(member);
    } else {
      said->has_answer = true;
    }
  }
  said->is_plain = false;
}

// `delta` of a chunk, `message` of a whole answer.
Said ReadDelta(const element& delta) {
  Said said;
  object members;
  if (delta.get(members) != simdjson::SUCCESS) return said;
  for (const auto [name, value] : members) {
    if (name == "role") continue;
    if (name == "error") {
      said.is_error = TellsError(value);
      continue;
    }
    if (!IsSomething(value)) continue;
    if (name == "content" && value.is_string()) {
      said.text = TextOf(value);
      said.has_answer = true;
    } else if (name == "content" && value.is_array()) {
      ReadParts(value, &said);
    } else if (name == "tool_calls" && !HasCall(value)) {
      continue;
    } else if ((name == "reasoning_content" || name == "reasoning") && value.is_string()) {
      // vLLM's and DeepSeek's name, and the newer one of vLLM and Ollama; who sends both says the same twice.
      said.thinking = TextOf(value);
      said.has_thinking = true;
    } else if (name == "reasoning_details") {  // the same once more, in pieces (OpenRouter)
      said.has_thinking = true;
    } else {  // tool_calls, refusal, audio, what is yet to come
      said.has_answer = true;
      said.is_plain = false;
    }
  }
  return said;
}

void ReadChoice(Api api, const element& choice, FrameReading* reading) {
  object members;
  if (choice.get(members) != simdjson::SUCCESS) return;
  int64_t index = 0;
  std::string_view reason, other_reason;
  // Some send the same twice, under the names of two APIs or of a chunk and a whole answer: a client reads the one that its API
  // has there.
  std::optional<Said> delta, message, text;
  for (const auto [name, value] : members) {
    if (name == "index") {
      int64_t number = 0;
      if (value.get(number) == simdjson::SUCCESS) index = number;
    } else if (name == "delta") {
      if (value.is_object()) delta = ReadDelta(value);
    } else if (name == "message") {
      if (value.is_object()) message = ReadDelta(value);
    } else if (name == "text") {
      if (!value.is_string()) continue;
      text.emplace();
      text->text = TextOf(value);
      text->has_answer = !text->text.empty();
    } else if (name == "logprobs") {
      if (IsSomething(value)) reading->is_plain = false;
    } else if (name == "error") {
      reading->is_error |= TellsError(value);
    } else if (name == "finish_reason") {  // of equal names the last one counts, as everywhere in JSON
      reason = ReasonOf(value);
    } else if (name == "native_finish_reason") {  // OpenRouter: what its provider said, beside a harmless reason of its own
      reading->is_error |= SaysBrokeOff(ReasonOf(value));
    } else if (name == "finishReason") {  // Gemini's own name, beside a finish_reason of null
      other_reason = ReasonOf(value);
    } else if (name == "finish_details") {  // OpenAI's previews of models that see
      element type;
      if (value["type"].get(type) == simdjson::SUCCESS) other_reason = ReasonOf(type);
    }
  }
  const Choices it = Choices::Of(index);
  reading->choices_begun.Add(it);
  const bool is_chat = api == Api::kOpenAiChat;
  const std::optional<Said>& chat = delta ? delta : message;
  if (const std::optional<Said>& said = is_chat ? (chat ? chat : text) : (text ? text : chat)) {
    reading->text = said->text;
    reading->thinking = said->thinking;
    reading->has_answer |= said->has_answer;
    reading->has_thinking |= said->has_thinking;
    reading->is_plain &= said->is_plain;
    reading->is_error |= said->is_error;
    if (said->has_answer || said->has_thinking) reading->choices_said.Add(it);
  }
  if (reason.empty()) reason = other_reason;
  if (!reason.empty()) {
    reading->choices_finished.Add(it);
    if (SaysBrokeOff(reason)) reading->is_error = true;  // vLLM, SGLang, OpenRouter, DeepSeek, Z.ai: the answer is not whole
  }
  if (index != 0) reading->is_plain = false;
}

// MiniMax puts its own status beside an answer that has nothing.
bool HasBadStatus(const element& base) {
  object members;
  element code;
  int64_t status = 0;
  return base.get(members) == simdjson::SUCCESS && members["status_code"].get(code) == simdjson::SUCCESS &&
         code.get(status) == simdjson::SUCCESS && status != 0;
}

// Groq tells in its own member, beside the chunk, why it ends a stream early.
bool TellsErrorWithin(const element& extension) {
  element error;
  return extension.is_object() && extension["error"].get(error) == simdjson::SUCCESS && TellsError(error);
}

void Read(Api api, const object& frame, std::string_view, FrameReading* reading) {
  bool is_known = false;
  bool is_hollow = true;
  for (const auto [name, value] : frame) {
    if (name == "model") {
      reading->model = TextOf(value);
    } else if (name == "choices") {
      is_known = true;
      array choices;
      if (value.get(choices) != simdjson::SUCCESS) continue;
      for (const element choice : choices) ReadChoice(api, choice, reading);
      is_hollow &= choices.size() == 0;
      reading->is_terminal = reading->choices_finished.any();
    } else if (name == "usage") {
      object usage;
      if (value.get(usage) != simdjson::SUCCESS) continue;
      is_known = true;
      is_hollow = false;
      for (const auto [member, count] : usage) {
        if (member == "prompt_tokens") reading->prompt_tokens = CountOf(count);
        if (member == "completion_tokens") reading->completion_tokens = CountOf(count);
      }
    } else if (name == "error") {
      reading->says_error = TellsError(value);
      is_hollow = false;
    } else if (name == "code" || name == "message" || name == "msg") {
      is_hollow &= TellsError(value);  // Spark: "code":0, "message":"Success" in each chunk
    } else if (name == "object") {
      const std::string_view kind = TextOf(value);
      reading->is_error |= kind == "error";  // vLLM up to 0.9
      is_known |= kind.starts_with("chat.completion") || kind.starts_with("text_completion");
    } else if (name == "base_resp") {
      reading->is_error |= HasBadStatus(value);
    } else if (name == "error_code") {  // FastChat, Baidu
      reading->is_error |= TellsError(value);
    } else if (name == "type") {
      reading->is_error |= TextOf(value) == "error";
    } else if (name == "x_groq") {
      reading->is_error |= TellsErrorWithin(value);
    }
  }
  reading->is_error |= reading->says_error;
  reading->is_foreign = !is_known && !reading->is_error;
  reading->is_hollow = is_known && is_hollow && !reading->is_error;
}

enum class Part { kWhole, kContent, kLast };

std::string Object(const ClientDialect& client, std::string_view text, std::string_view created_at, Part part) {
  const bool is_chat = client.api == Api::kOpenAiChat;
  const bool is_chunk = part != Part::kWhole;
  const int64_t created = UnixSeconds(created_at);

  Json choice;
  choice["index"] = 0;
  if (!is_chat) {
    choice["text"] = text;
  } else if (part == Part::kWhole) {
    choice["message"] = {{"role", "assistant"}, {"content", text}, {"refusal", nullptr}};
  } else if (part == Part::kContent) {
    choice["delta"] = {{"role", "assistant"}, {"content", text}};
  } else {
    choice["delta"] = Json::object();
  }
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = part == Part::kContent ? Json(nullptr) : Json("stop");

  Json json;
  json["id"] = (is_chat ? "chatcmpl-breakwater-" : "cmpl-breakwater-") + std::to_string(created);
  json["object"] = !is_chat ? "text_completion" : is_chunk ? "chat.completion.chunk" : "chat.completion";
  json["created"] = created;
  json["model"] = client.model;
  json["choices"] = Json::array({choice});
  if (!is_chunk) json["usage"] = {{"prompt_tokens", 0}, {"completion_tokens", 0}, {"total_tokens", 0}};
  return Dump(json);
}

constexpr std::string_view kDone = "data: [DONE]\n\n";

std::string WholeAnswer(const ClientDialect& client, std::string_view text, std::string_view created_at) {
  return Object(client, text, created_at, Part::kWhole);
}

std::string TextStream(const ClientDialect& client, std::string_view text, std::string_view created_at) {
  return AsEvent(Object(client, text, created_at, Part::kContent)) +
         AsEvent(Object(client, "", created_at, Part::kLast)).append(kDone);
}

std::string ErrorObject(const ClientDialect&, int status, std::string_view code, std::string_view message,
                        std::string_view request_id) {
  Json json;
  json["error"] = {{"message", message}, {"type", OpenAiErrorType(status)}, {"param", nullptr}, {"code", code}};
  json["request_id"] = request_id;
  return Dump(json);
}

bool JoinObject(Api api, const Json& first, std::string_view thinking, std::string_view text, Json* frame) {
  Json& json = *frame;
  for (const char* name : {"id", "created", "model", "system_fingerprint"}) {
    if (first.contains(name)) {
      json[name] = first[name];
    } else {
      json.erase(name);
    }
  }
  if (!json.contains("choices") || !json["choices"].is_array() || json["choices"].empty())
    return json.contains("usage");
  Json& choice = json["choices"][0];
  if (!choice.is_object()) return false;
  bool is_something = !text.empty() || !thinking.empty() || !choice.value("finish_reason", Json()).is_null() ||
                      !json.value("usage", Json()).is_null();
  if (api == Api::kOpenAiCompletions) {
    choice["text"] = text;
    return is_something;
  }
  Json& delta = choice["delta"];
  if (!delta.is_object()) delta = Json::object();
  for (const char* name : {"role", "content", "reasoning", "reasoning_content", "reasoning_details"}) delta.erase(name);
  for (const auto& [name, value] : delta.items()) is_something |= !value.is_null();
  if (!text.empty()) delta["content"] = text;
  if (!thinking.empty()) delta["reasoning_content"] = thinking;
  return is_something;
}

std::string Join(Api api, const Json& first, std::string_view thinking, std::string_view text, Json* frame, Blocks*) {
  return JoinObject(api, first, thinking, text, frame) ? AsEvent(Dump(*frame)) : std::string();
}

// The choice of an object or a chunk; nothing if there isn't exactly one.
const Json* OnlyChoice(const Json& json) {
  if (!json.contains("choices")) return nullptr;
  const Json& choices = json["choices"];
  return choices.is_array() && choices.size() == 1 && choices[0].is_object() ? &choices[0] : nullptr;
}

std::optional<Json> Fold(Api api, const std::vector<Json>& chunks) {
  const bool is_chat = api == Api::kOpenAiChat;
  Json whole = Json::object();
  Json choice = Json::object();
  Json said = Json::object();
  Json usage;
  for (const Json& chunk : chunks) {
    for (const auto& [name, value] : chunk.items()) {
      if (name == "usage") {
        if (!value.is_null()) usage = value;
      } else if (name != "choices" && name != "obfuscation") {  // padding of each chunk
        if (name != "created" && whole.contains(name) && whole[name] != value) return std::nullopt;
        if (!whole.contains(name)) whole[name] = value;
      }
    }
    const Json* part = OnlyChoice(chunk);
    if (part == nullptr) {
      if (!chunk.contains("choices") || !chunk["choices"].empty()) return std::nullopt;
      continue;
    }
    for (const auto& [name, value] : part->items()) {
      if (name == "text") {
        if (!AppendText(name, value, &choice)) return std::nullopt;
      } else if (name == "delta") {
        if (!value.is_object()) return std::nullopt;
        for (const auto& [member, text] : value.items()) {
          const bool grows = member == "content" || member == "reasoning" || member == "reasoning_content";
          if (grows ? !AppendText(member, text, &said) : said.contains(member) && said[member] != text)
            return std::nullopt;
          if (!grows) said[member] = text;
        }
      } else if (!choice.contains(name) || choice[name].is_null()) {
        choice[name] = value;
      } else if (!value.is_null() && choice[name] != value) {
        return std::nullopt;
      }
    }
  }
  // Who reads an object counts on its usage; a stream has it only if the client asked for it.
  if (usage.is_null()) return std::nullopt;
  if (is_chat) choice["message"] = std::move(said);
  whole["object"] = is_chat ? "chat.completion" : "text_completion";
  whole["choices"] = Json::array({std::move(choice)});
  whole["usage"] = std::move(usage);
  return whole;
}

std::string Unfold(Api api, const Json& object, bool with_usage) {
  const Json* choice = OnlyChoice(object);
  const bool is_chat = api == Api::kOpenAiChat;
  if (choice == nullptr || (is_chat && !choice->value("message", Json()).is_object())) return {};
  Json chunk = object;
  chunk.erase("usage");
  if (is_chat) chunk["object"] = "chat.completion.chunk";

  Json content = *choice;
  content["finish_reason"] = nullptr;
  Json last = {{"index", choice->value("index", Json(0))}};
  if (is_chat) {
    content.erase("message");
    content["delta"] = (*choice)["message"];
    last["delta"] = Json::object();
  } else {
    last["text"] = "";
  }
  last["logprobs"] = nullptr;
  last["finish_reason"] = choice->value("finish_reason", Json("stop"));
  if (!choice->contains("logprobs")) last.erase("logprobs");

  std::string stream;
  for (Json* part : {&content, &last}) {
    chunk["choices"] = Json::array({std::move(*part)});
    stream += AsEvent(Dump(chunk));
  }
  if (with_usage && object.contains("usage")) {
    chunk["choices"] = Json::array();
    chunk["usage"] = object["usage"];
    stream += AsEvent(Dump(chunk));
  }
  return stream.append(kDone);
}

}  // namespace

const DialectCodec& OpenAiCodec() {
  static constexpr DialectCodec kCodec{Read, WholeAnswer, TextStream, ErrorObject, nullptr, Join, Fold, Unfold, "", kDone};
  return kCodec;
}

}  // namespace runtime::dialect
