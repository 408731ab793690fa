// Ollama's API and OpenAI's as Ollama serves it: requests to ApiCall, answers to bytes. After Ollama's api.md and openai.md
// (0.5). Pure: the time of day, times taken and the words are given by the caller or follow from seed and number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include <nlohmann/json.hpp>

#include "base/time.h"

namespace examples::flaky_ollama {

enum class Endpoint : uint8_t { kChat, kGenerate, kOpenAiChat };

struct ApiCall {
  Endpoint endpoint = Endpoint::kChat;
  std::string model;
  bool stream = true;
  int64_t most_tokens = 0;     // num_predict or max_tokens; 0: not said
  int64_t prompt_tokens = 0;   // a guess from its length
  int64_t said_tokens = 0;     // of an answer that the last message begins: it is continued (prefill)
  bool only_load = false;      // no prompt: Ollama loads the model and says so
  bool only_unload = false;    // the same with "keep_alive": 0
  bool include_usage = false;  // OpenAI: stream_options.include_usage
};

struct ApiError {
  int status;
  std::string message;
};

std::variant<ApiCall, ApiError> ParseApiCall(Endpoint endpoint, std::string_view body);

// {"error": "…"}, or what OpenAI's clients expect.
std::string ErrorBody(Endpoint endpoint, int status, std::string_view message);

// "2026-01-28T09:45:22.123456789Z"
std::string Rfc3339(base::WallTime time);

struct AnswerTimes {
  base::WallTime now;
  base::Duration total{};
  base::Duration prompt{};
};

// The answer to one call, in pieces or whole.
class Answer {
 public:
  // `tokens` is how many it would have; the call may ask for fewer.
  Answer(const ApiCall& call, int64_t seed, uint64_t number, int64_t tokens, int64_t thinking_tokens);

  int64_t tokens() const { return tokens_; }  // thinking included; 0 for a call that only loads
  std::string_view content_type() const;

  // A stream: token `index` (0 ≤ index < tokens()), then End(). Each is one line of NDJSON or one event of SSE (the end may be
  // several).
  std::string Token(int64_t index, base::WallTime now) const;
  std::string End(const AnswerTimes& times) const;
  // What takes the place of the rest when the model fails in mid-stream.
  std::string StreamError(std::string_view message) const;

  // One JSON body.
  std::string Whole(const AnswerTimes& times) const;

 private:
  std::string Word(int64_t index) const;
  bool IsThinking(int64_t index) const { return index < thinking_tokens_; }
  std::string_view DoneReason() const;
  nlohmann::ordered_json OpenAiChunk(base::WallTime now) const;
  void AddStatistics(const AnswerTimes& times, nlohmann::ordered_json* frame) const;

  const ApiCall call_;
  const int64_t seed_;
  const uint64_t number_;
  int64_t tokens_;
  int64_t thinking_tokens_;
  int64_t first_word_ = 0;  // of an answer that is continued; the others are said
  bool cut_short_ = false;  // by most_tokens
};

// The other endpoints.
std::string TagsBody(std::string_view model);                                 // GET /api/tags
std::string PsBody(std::string_view model, base::WallTime expires);  // GET /api/ps
std::string OpenAiModelsBody(std::string_view model);                         // GET /v1/models
inline constexpr std::string_view kVersionBody = R"({"version":"0.5.13"})";   // GET /api/version

}  // namespace examples::flaky_ollama
