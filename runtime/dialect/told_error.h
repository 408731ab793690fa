// What a server says of an error: its own words, and the status that they deserve. Errors are told inside of answers with status
// 200, in members of many names, and as plain text; who is told so by the gateway gets them as if they had come in time. Pure.
#pragma once

#include <string>
#include <string_view>

namespace runtime::dialect {

struct ToldError {
  int status = 0;               // 400–599; 0: its kind can't be told
  std::string message;          // "": it says none
  std::string code;             // its code or type as written, for people and SDKs; may be ""
  bool prompt_too_long = false;  // the prompt does not fit the model's context
};

// `body`: the JSON of a frame, a body of an answer, or plain text; at most kMostErrorBytes of it are looked at. `told_status`: the
// status that stands beside it (a comment of an event, or of HTTP); 0: none.
ToldError ReadError(std::string_view body, int told_status = 0);
inline constexpr size_t kMostErrorBytes = 64 << 10;

// Of a refusal with status 5xx: the status that its own words give it, where they say that the request is at fault, whatever HTTP says:
// a number or a type within (LiteLLM, TensorRT-LLM), a prompt that is too long, a mistake of client_mistakes.def (llama.cpp). 0: its
// server is at fault, or nobody can tell.
int StatusOfRequest(std::string_view body);

// How long the words of a refusal ask to be left alone, as a time with units ("34s", "1m7.66s", "500ms"), seconds ("30") or a moment since
// 1970 ("1741305600000"): members as retryDelay (Gemini) and retry_after, or "try again in 7.66s" in its message (OpenAI, Groq, LiteLLM).
// "": they don't.
std::string WaitTold(std::string_view body);

// Whether these words say that a prompt is too long for a model: prompt_too_long.def. Words about rates and quotas do not.
bool SaysPromptTooLong(std::string_view words);

// Whether a reason for an end (finish_reason, stop_reason, done_reason) is none: null in one of its spellings.
bool IsNoReason(std::string_view reason);
// Whether a member `error`, or a text in it, says that there is none: null in its spellings, ok, success.
bool IsNoError(std::string_view words);
// Whether a reason says that the answer broke off: an error, an abort, a network that failed. Reasons of the model's own (length,
// content filters, calls) do not, nor does one that nobody knows.
bool SaysBrokeOff(std::string_view reason);

}  // namespace runtime::dialect
