// See chat_api.h.
#include "examples/flaky_ollama/chat_api.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "examples/flaky_ollama/fault.h"

namespace examples::flaky_ollama {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using base::Duration;
using base::WallTime;

constexpr int64_t kMostTokens = 1'000'000;
constexpr std::string_view kDigest = "sha256:e18a593562496f5cf30e05e2ab5ca0b32b1b0f7b0a4b1ea2a3f1f0e6a2b4c9d1";
constexpr int64_t kModelBytes = 20'201'253'588;

// Long enough not to repeat itself at once, plain enough to be read in a terminal, and with text beyond ASCII, as
// answers have it.
constexpr std::array<std::string_view, 24> kWords = {
    " a",    " breaker", " opens", " so",     " that",     " what",  " is",     " down",
    " may",  " recover", " while", " people", " still",    " get",   " an",     " answer",
    " 您好", " –",       " and",   " its",    " patience", " lasts", " longer", ".",
};

// A rough count, as good as any without the model's tokenizer.
int64_t TokensOf(std::string_view text) { return static_cast<int64_t>(text.size()) / 4 + 1; }

// Tokens of the answer that a message of the assistant begins: kWords begin with a blank, but for the full stop.
int64_t SaidTokens(const json& message) {
  if (!message.is_object() || message.value("role", json()) != "assistant") return 0;
  const json content = message.value("content", json());
  if (!content.is_string()) return 0;
  const auto& text = content.get_ref<const std::string&>();
  const auto begins = [](char c) { return c == ' ' || c == '.'; };
  return text.empty() ? 0 : 1 + std::count_if(text.begin(), text.end(), begins);
}

std::string Line(const ordered_json& frame) { return frame.dump() + "\n"; }
std::string Event(const ordered_json& frame) { return "data: " + frame.dump() + "\n\n"; }

int64_t UnixSeconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

bool IsZeroKeepAlive(const json& request) {
  const auto found = request.find("keep_alive");
  return found != request.end() && (*found == 0 || *found == "0" || *found == "0s");
}

}  // namespace

std::variant<ApiCall, ApiError> ParseApiCall(Endpoint endpoint, std::string_view body) {
  if (body.empty()) return ApiError{400, "missing request body"};
  const json request = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (request.is_discarded()) return ApiError{400, "invalid character in the request body: not JSON"};
  if (!request.is_object()) return ApiError{400, "json: cannot unmarshal the request body: not an object"};

  ApiCall call;
  call.endpoint = endpoint;
  const auto model = request.find("model");
  if (model == request.end() || !model->is_string() || model->get<std::string>().empty()) {
    return ApiError{400, "model is required"};
  }
  call.model = model->get<std::string>();

  call.stream = endpoint != Endpoint::kOpenAiChat;  // Ollama streams unless told not to, OpenAI the other way round
  if (const auto stream = request.find("stream"); stream != request.end() && !stream->is_null()) {
    if (!stream->is_boolean()) return ApiError{400, "json: cannot unmarshal stream into a bool"};
    call.stream = stream->get<bool>();
  }

  json limit;
  if (endpoint == Endpoint::kOpenAiChat) {
    limit = request.value("max_tokens", json());
    const auto options = request.find("stream_options");
    call.include_usage = options != request.end() && options->is_object() && options->contains("include_usage") &&
                         (*options)["include_usage"] == true;
  } else if (const auto options = request.find("options"); options != request.end() && options->is_object()) {
    limit = options->value("num_predict", json());
  }
  if (limit.is_number_integer()) call.most_tokens = std::clamp<int64_t>(limit.get<int64_t>(), 0, kMostTokens);

  if (endpoint == Endpoint::kGenerate) {
    const auto prompt = request.find("prompt");
    const bool empty = prompt == request.end() || !prompt->is_string() || prompt->get<std::string>().empty();
    call.only_load = empty;
    if (!empty) call.prompt_tokens = TokensOf(prompt->get<std::string>());
  } else {
    const auto messages = request.find("messages");
    const bool empty = messages == request.end() || !messages->is_array() || messages->empty();
    if (endpoint == Endpoint::kOpenAiChat && empty) return ApiError{400, "[] is too short - 'messages'"};
    call.only_load = empty;
    if (!empty) {
      call.prompt_tokens = TokensOf(messages->dump());
      call.said_tokens = SaidTokens(messages->back());
    }
  }
  call.only_unload = call.only_load && IsZeroKeepAlive(request);
  return call;
}

std::string ErrorBody(Endpoint endpoint, int status, std::string_view message) {
  ordered_json body;
  if (endpoint != Endpoint::kOpenAiChat) {
    body["error"] = message;
    return body.dump();
  }
  const std::string_view type = status == 400   ? "invalid_request_error"
                                : status == 404 ? "not_found_error"
                                                : "api_error";
  body["error"] = {{"message", message}, {"type", type}, {"param", nullptr}, {"code", nullptr}};
  return body.dump();
}

std::string Rfc3339(WallTime time) {
  const auto ns = time.time_since_epoch().count();
  const std::time_t seconds = static_cast<std::time_t>(ns / 1'000'000'000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09lldZ", utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, static_cast<long long>(ns % 1'000'000'000));
  return text.data();
}

Answer::Answer(const ApiCall& call, int64_t seed, uint64_t number, int64_t tokens, int64_t thinking_tokens)
    : call_(call), seed_(seed), number_(number), tokens_(tokens + thinking_tokens), thinking_tokens_(thinking_tokens) {
  if (call.said_tokens > 0) {
    first_word_ = std::min(call.said_tokens, tokens);
    tokens_ = tokens - first_word_;
    thinking_tokens_ = 0;
  }
  if (call.only_load) {
    tokens_ = 0;
  } else if (call.most_tokens > 0) {
    // A client that says how many gets as many: tests of long answers ask for them.
    cut_short_ = call.most_tokens < tokens_;
    tokens_ = call.most_tokens;
  }
  thinking_tokens_ = std::min(thinking_tokens_, tokens_);
}

std::string_view Answer::content_type() const {
  if (!call_.stream)
    return call_.endpoint == Endpoint::kOpenAiChat ? "application/json" : "application/json; charset=utf-8";
  return call_.endpoint == Endpoint::kOpenAiChat ? "text/event-stream" : "application/x-ndjson";
}

std::string Answer::Word(int64_t index) const {
  if (IsThinking(index)) return index == 0 ? "Hm" : " …";
  // Two answers are never the same: the first words carry the number of the request.
  const int64_t word = first_word_ + index - thinking_tokens_;
  if (word == 0) return "Answer";
  if (word == 1) return " " + std::to_string(number_) + ":";
  base::Random random = RandomFor(seed_, number_, /*salt=*/16 + static_cast<uint64_t>(word));
  return std::string(kWords[random.Below(kWords.size())]);
}

std::string_view Answer::DoneReason() const {
  if (call_.only_load) return call_.only_unload ? "unload" : "load";
  return cut_short_ ? "length" : "stop";
}

ordered_json Answer::OpenAiChunk(WallTime now) const {
  ordered_json chunk;
  chunk["id"] = "chatcmpl-" + std::to_string(number_);
  chunk["object"] = call_.stream ? "chat.completion.chunk" : "chat.completion";
  chunk["created"] = UnixSeconds(now);
  chunk["model"] = call_.model;
  chunk["system_fingerprint"] = "fp_ollama";
  return chunk;
}

void Answer::AddStatistics(const AnswerTimes& times, ordered_json* frame) const {
  const Duration load = std::min<Duration>(times.prompt / 10, std::chrono::milliseconds(20));
  (*frame)["done_reason"] = DoneReason();
  (*frame)["done"] = true;
  if (call_.only_load) return;
  (*frame)["total_duration"] = times.total.count();
  (*frame)["load_duration"] = load.count();
  (*frame)["prompt_eval_count"] = call_.prompt_tokens;
  (*frame)["prompt_eval_duration"] = (times.prompt - load).count();
  (*frame)["eval_count"] = tokens_;
  (*frame)["eval_duration"] = (times.total - times.prompt).count();
}

std::string Answer::Token(int64_t index, WallTime now) const {
  const std::string word = Word(index);
  const bool thinking = IsThinking(index);
  ordered_json frame;
  switch (call_.endpoint) {
    case Endpoint::kChat:
      frame["model"] = call_.model;
      frame["created_at"] = Rfc3339(now);
      frame["message"] = {{"role", "assistant"}, {"content", thinking ? "" : word}};
      if (thinking) frame["message"]["thinking"] = word;
      frame["done"] = false;
      return Line(frame);
    case Endpoint::kGenerate:
      frame["model"] = call_.model;
      frame["created_at"] = Rfc3339(now);
      frame["response"] = thinking ? "" : word;
      if (thinking) frame["thinking"] = word;
      frame["done"] = false;
      return Line(frame);
    case Endpoint::kOpenAiChat:
      frame = OpenAiChunk(now);
      ordered_json delta = {{"role", "assistant"}, {"content", thinking ? "" : word}};
      if (thinking) delta["reasoning"] = word;
      frame["choices"] = ordered_json::array({{{"index", 0}, {"delta", delta}, {"finish_reason", nullptr}}});
      return Event(frame);
  }
  return {};
}

std::string Answer::End(const AnswerTimes& times) const {
  ordered_json frame;
  if (call_.endpoint != Endpoint::kOpenAiChat) {
    frame["model"] = call_.model;
    frame["created_at"] = Rfc3339(times.now);
    if (call_.endpoint == Endpoint::kChat) {
      frame["message"] = {{"role", "assistant"}, {"content", ""}};
    } else {
      frame["response"] = "";
    }
    AddStatistics(times, &frame);
    return Line(frame);
  }
  frame = OpenAiChunk(times.now);
  frame["choices"] = ordered_json::array(
      {{{"index", 0}, {"delta", {{"role", "assistant"}, {"content", ""}}}, {"finish_reason", DoneReason()}}});
  std::string end = Event(frame);
  if (call_.include_usage) {
    frame["choices"] = ordered_json::array();
    frame["usage"] = {{"prompt_tokens", call_.prompt_tokens},
                      {"completion_tokens", tokens_},
                      {"total_tokens", call_.prompt_tokens + tokens_}};
    end += Event(frame);
  }
  return end + "data: [DONE]\n\n";
}

std::string Answer::StreamError(std::string_view message) const {
  const std::string body = ErrorBody(call_.endpoint, 500, message);
  return call_.endpoint == Endpoint::kOpenAiChat ? "data: " + body + "\n\n" : body + "\n";
}

std::string Answer::Whole(const AnswerTimes& times) const {
  std::string thinking;
  std::string text;
  for (int64_t i = 0; i < tokens_; ++i) (IsThinking(i) ? thinking : text) += Word(i);

  ordered_json body;
  if (call_.endpoint == Endpoint::kOpenAiChat) {
    body = OpenAiChunk(times.now);
    ordered_json message = {{"role", "assistant"}, {"content", text}};
    if (!thinking.empty()) message["reasoning"] = thinking;
    body["choices"] = ordered_json::array({{{"index", 0}, {"message", message}, {"finish_reason", DoneReason()}}});
    body["usage"] = {{"prompt_tokens", call_.prompt_tokens},
                     {"completion_tokens", tokens_},
                     {"total_tokens", call_.prompt_tokens + tokens_}};
    return body.dump();
  }
  body["model"] = call_.model;
  body["created_at"] = Rfc3339(times.now);
  if (call_.endpoint == Endpoint::kChat) {
    body["message"] = {{"role", "assistant"}, {"content", text}};
    if (!thinking.empty()) body["message"]["thinking"] = thinking;
  } else {
    body["response"] = text;
    if (!thinking.empty()) body["thinking"] = thinking;
  }
  AddStatistics(times, &body);
  return body.dump();
}

namespace {

ordered_json Details() {
  return {{"parent_model", ""},        {"format", "gguf"},
          {"family", "qwen3"},         {"families", ordered_json::array({"qwen3"})},
          {"parameter_size", "32.8B"}, {"quantization_level", "Q4_K_M"}};
}

ordered_json ModelEntry(std::string_view model) {
  ordered_json entry;
  entry["name"] = model;
  entry["model"] = model;
  entry["size"] = kModelBytes;
  entry["digest"] = kDigest;
  entry["details"] = Details();
  return entry;
}

}  // namespace

std::string TagsBody(std::string_view model) {
  ordered_json entry = ModelEntry(model);
  entry["modified_at"] = "2025-05-01T10:06:43.151592182Z";
  return ordered_json{{"models", ordered_json::array({entry})}}.dump();
}

std::string PsBody(std::string_view model, WallTime expires) {
  ordered_json entry = ModelEntry(model);
  entry["expires_at"] = Rfc3339(expires);
  entry["size_vram"] = kModelBytes;
  return ordered_json{{"models", ordered_json::array({entry})}}.dump();
}

std::string OpenAiModelsBody(std::string_view model) {
  ordered_json entry = {{"id", model}, {"object", "model"}, {"created", 1746094003}, {"owned_by", "library"}};
  return ordered_json{{"object", "list"}, {"data", ordered_json::array({entry})}}.dump();
}

}  // namespace examples::flaky_ollama
