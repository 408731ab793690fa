// Objects of Ollama's API (/api/chat, /api/generate) and OpenAI's (/v1/chat/completions, /v1/completions), with the
// members that their servers always send: strict clients fail on missing ones.
#include "runtime/dialect/frames.h"

#include <chrono>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace runtime::dialect {
namespace {

using Json = nlohmann::ordered_json;

// Text of a client or an upstream may hold bytes that are not UTF-8: they become U+FFFD instead of an exception.
std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

bool IsOpenAi(Api api) { return api == Api::kOpenAiChat || api == Api::kOpenAiCompletions; }

Json OllamaObject(const ClientDialect& client, std::string_view text, std::string_view created_at, bool is_last) {
  Json json;
  json["model"] = client.model;
  json["created_at"] = created_at;
  if (client.api == Api::kOllamaChat) {
    json["message"] = {{"role", "assistant"}, {"content", text}};
  } else {
    json["response"] = text;
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
  return json;
}

enum class OpenAiPart { kWhole, kContent, kLast };

Json OpenAiObject(const ClientDialect& client, std::string_view text, std::string_view created_at, OpenAiPart part) {
  const bool is_chat = client.api == Api::kOpenAiChat;
  const bool is_chunk = part != OpenAiPart::kWhole;
  const int64_t created = UnixSeconds(created_at);

  Json choice;
  choice["index"] = 0;
  if (!is_chat) {
    choice["text"] = text;
  } else if (part == OpenAiPart::kWhole) {
    choice["message"] = {{"role", "assistant"}, {"content", text}, {"refusal", nullptr}};
  } else if (part == OpenAiPart::kContent) {
    choice["delta"] = {{"role", "assistant"}, {"content", text}};
  } else {
    choice["delta"] = Json::object();
  }
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = part == OpenAiPart::kContent ? Json(nullptr) : Json("stop");

  Json json;
  json["id"] = (is_chat ? "chatcmpl-breakwater-" : "cmpl-breakwater-") + std::to_string(created);
  json["object"] = !is_chat ? "text_completion" : is_chunk ? "chat.completion.chunk" : "chat.completion";
  json["created"] = created;
  json["model"] = client.model;
  json["choices"] = Json::array({choice});
  if (!is_chunk) json["usage"] = {{"prompt_tokens", 0}, {"completion_tokens", 0}, {"total_tokens", 0}};
  return json;
}

// The `type` that OpenAI's API gives with each status.
std::string_view OpenAiErrorType(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status >= 400 && status < 500 ? "invalid_request_error" : "server_error";
  }
}

}  // namespace

std::string WholeAnswer(const ClientDialect& client, std::string_view text, std::string_view created_at) {
  return Dump(IsOpenAi(client.api) ? OpenAiObject(client, text, created_at, OpenAiPart::kWhole)
                                   : OllamaObject(client, text, created_at, true));
}

std::string ContentFrame(const ClientDialect& client, std::string_view text, std::string_view created_at) {
  return Dump(IsOpenAi(client.api) ? OpenAiObject(client, text, created_at, OpenAiPart::kContent)
                                   : OllamaObject(client, text, created_at, false));
}

std::string LastFrame(const ClientDialect& client, std::string_view created_at) {
  return Dump(IsOpenAi(client.api) ? OpenAiObject(client, "", created_at, OpenAiPart::kLast)
                                   : OllamaObject(client, "", created_at, true));
}

std::string ErrorObject(const ClientDialect& client, int status, std::string_view code, std::string_view message,
                        std::string_view request_id) {
  Json json;
  if (IsOpenAi(client.api)) {
    json["error"] = {{"message", message}, {"type", OpenAiErrorType(status)}, {"param", nullptr}, {"code", code}};
  } else {
    json["error"] = message;
    json["code"] = code;
  }
  json["request_id"] = request_id;
  return Dump(json);
}

int64_t UnixSeconds(std::string_view rfc3339) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
  const std::string text(rfc3339);
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &used) !=
      6) {
    return 0;
  }
  using std::chrono::sys_days;
  const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return 0;
  int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(sys_days(date).time_since_epoch()).count() +
                    hour * 3600 + minute * 60 + second;

  size_t at = static_cast<size_t>(used);
  if (at < text.size() && text[at] == '.') at = text.find_first_not_of("0123456789", at + 1);
  int offset_hours = 0, offset_minutes = 0;
  if (at < text.size() && (text[at] == '+' || text[at] == '-') &&
      std::sscanf(text.c_str() + at + 1, "%2d:%2d", &offset_hours, &offset_minutes) == 2) {
    const int64_t offset = offset_hours * 3600 + offset_minutes * 60;
    seconds += text[at] == '+' ? -offset : offset;
  }
  return seconds;
}

}  // namespace runtime::dialect
