// OpenAI's API (/v1/chat/completions, /v1/completions) as its many servers speak it, Ollama and vLLM among them.
// https://platform.openai.com/docs/api-reference/chat-streaming
#include <algorithm>

#include "runtime/dialect/speech.h"

namespace runtime::dialect {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// `delta` of a chunk, `message` of a whole answer.
void ReadDelta(const element& delta, FrameReading* reading) {
  object members;
  if (delta.get(members) != simdjson::SUCCESS) return;
  for (const auto [name, value] : members) {
    if (name == "role") continue;
    if (!IsSomething(value)) continue;
    if (name == "content" && value.is_string()) {
      reading->text = TextOf(value);
      reading->has_answer = true;
    } else if ((name == "reasoning_content" || name == "reasoning") && value.is_string()) {
      // vLLM's and DeepSeek's name, and the newer one of vLLM and Ollama; who sends both says the same twice.
      reading->thinking = TextOf(value);
      reading->has_thinking = true;
    } else if (name == "reasoning_details") {  // the same once more, in pieces (OpenRouter)
      reading->has_thinking = true;
    } else {  // tool_calls, refusal, audio, what is yet to come
      reading->has_answer = true;
      reading->is_plain = false;
    }
  }
}

void ReadChoice(const element& choice, FrameReading* reading) {
  object members;
  if (choice.get(members) != simdjson::SUCCESS) return;
  uint64_t index = 0;
  bool is_finished = false;
  for (const auto [name, value] : members) {
    if (name == "index") {
      int64_t number = 0;
      if (value.get(number) == simdjson::SUCCESS) index = static_cast<uint64_t>(std::clamp<int64_t>(number, 0, 63));
    } else if (name == "delta" || name == "message") {
      ReadDelta(value, reading);
    } else if (name == "text") {
      reading->text = TextOf(value);
      reading->has_answer |= !reading->text.empty();
    } else if (name == "logprobs") {
      if (IsSomething(value)) reading->is_plain = false;
    } else if (name == "error") {
      reading->is_error |= !value.is_null();
    } else if (name == "finish_reason" && !value.is_null()) {
      is_finished = true;
      const std::string_view reason = TextOf(value);
      // vLLM and SGLang end a request that broke or was taken away like this; the answer is not whole.
      if (reason == "error" || reason == "abort") reading->is_error = true;
    }
  }
  reading->choices_begun |= uint64_t{1} << index;
  if (is_finished) reading->choices_finished |= uint64_t{1} << index;
  if (index != 0) reading->is_plain = false;
}

void Read(Api, const object& frame, FrameReading* reading) {
  bool is_known = false;
  for (const auto [name, value] : frame) {
    if (name == "model") {
      reading->model = TextOf(value);
    } else if (name == "choices") {
      is_known = true;
      array choices;
      if (value.get(choices) != simdjson::SUCCESS) continue;
      for (const element choice : choices) ReadChoice(choice, reading);
      reading->is_terminal = reading->choices_finished != 0;
    } else if (name == "usage") {
      object usage;
      if (value.get(usage) != simdjson::SUCCESS) continue;
      is_known = true;
      for (const auto [member, count] : usage) {
        if (member == "prompt_tokens") reading->prompt_tokens = CountOf(count);
        if (member == "completion_tokens") reading->completion_tokens = CountOf(count);
      }
    } else if (name == "error") {
      reading->is_error |= !value.is_null();
      is_known |= reading->is_error;
    } else if (name == "object") {
      reading->is_error |= TextOf(value) == "error";  // vLLM up to 0.9
      is_known |= reading->is_error;
    }
  }
  if (!is_known) {
    reading->has_answer = true;
    reading->is_plain = false;
  }
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

// The `type` that OpenAI's API gives with each status.
std::string_view ErrorType(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status >= 400 && status < 500 ? "invalid_request_error" : "server_error";
  }
}

std::string ErrorObject(int status, std::string_view code, std::string_view message, std::string_view request_id) {
  Json json;
  json["error"] = {{"message", message}, {"type", ErrorType(status)}, {"param", nullptr}, {"code", code}};
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

const Speech& OpenAiSpeech() {
  static constexpr Speech kSpeech{Read, WholeAnswer, TextStream, ErrorObject, Join, Fold, Unfold, "", kDone};
  return kSpeech;
}

}  // namespace runtime::dialect
